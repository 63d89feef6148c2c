/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-test-touchscreen: guivm-server with a touch screen, which no protocol can give it
 * from outside. All of it is the real thing, main() included; only when it starts is a device
 * plugged in that obeys lines on the socket whose number is in $ISTHMUS_TEST_TOUCHSCREEN:
 *
 *     down ID X Y      a finger touches a point of the layout, in millionths of its size
 *     motion ID X Y
 *     up ID
 *     cancel ID
 *
 * Other lines are about a drawing tablet: tablet.h. Every line is answered with "ok".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <wlr/backend.h>
#include <wlr/interfaces/wlr_touch.h>

#include "guivm-server/server.h"
#include "tests/integration/tablet.h"

#define MILLIONTHS 1000000.0

static const struct wlr_touch_impl touch_impl = {.name = "isthmus-test"};
static struct wlr_touch touch; // one of them in this process
static struct wl_event_source *source;

static uint32_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static void touch_down(int id, double x, double y) {
	wl_signal_emit_mutable(&touch.events.down, &(struct wlr_touch_down_event){
		.touch = &touch, .time_msec = now_ms(), .touch_id = id, .x = x, .y = y,
	});
}

static void touch_motion(int id, double x, double y) {
	wl_signal_emit_mutable(&touch.events.motion, &(struct wlr_touch_motion_event){
		.touch = &touch, .time_msec = now_ms(), .touch_id = id, .x = x, .y = y,
	});
}

static void touch_up(int id) {
	wl_signal_emit_mutable(&touch.events.up, &(struct wlr_touch_up_event){
		.touch = &touch, .time_msec = now_ms(), .touch_id = id,
	});
}

static void touch_cancel(int id) {
	wl_signal_emit_mutable(&touch.events.cancel, &(struct wlr_touch_cancel_event){
		.touch = &touch, .time_msec = now_ms(), .touch_id = id,
	});
}

static void run_line(struct server *server, const char *line) {
	int id;
	double x, y;
	if (tablet_run_line(server->backend, line)) {
		return;
	}
	if (sscanf(line, "down %d %lf %lf", &id, &x, &y) == 3) {
		touch_down(id, x / MILLIONTHS, y / MILLIONTHS);
	} else if (sscanf(line, "motion %d %lf %lf", &id, &x, &y) == 3) {
		touch_motion(id, x / MILLIONTHS, y / MILLIONTHS);
	} else if (sscanf(line, "up %d", &id) == 1) {
		touch_up(id);
	} else if (sscanf(line, "cancel %d", &id) == 1) {
		touch_cancel(id);
	}
	wl_signal_emit_mutable(&touch.events.frame, NULL);
}

/* One line, one packet. */
static int handle_socket(int fd, uint32_t mask, void *data) {
	char line[256];
	ssize_t size = recv(fd, line, sizeof(line) - 1, 0);
	if (size <= 0) {
		wl_event_source_remove(source);
		source = NULL;
		return 0;
	}
	line[size] = '\0';
	run_line(data, line);
	return send(fd, "ok\n", 3, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* The linker puts these where main() calls server_start() and server_finish(). */
bool __real_server_start(struct server *server);
bool __wrap_server_start(struct server *server);
void __real_server_finish(struct server *server);
void __wrap_server_finish(struct server *server);

bool __wrap_server_start(struct server *server) {
	const char *number = getenv("ISTHMUS_TEST_TOUCHSCREEN");
	if (number == NULL || !__real_server_start(server)) {
		return false;
	}
	wlr_touch_init(&touch, &touch_impl, touch_impl.name);
	wl_signal_emit_mutable(&server->backend->events.new_input, &touch.base);
	source = wl_event_loop_add_fd(server->loop, (int)strtol(number, NULL, 10),
			WL_EVENT_READABLE, handle_socket, server);
	return source != NULL;
}

void __wrap_server_finish(struct server *server) {
	if (source != NULL) {
		wl_event_source_remove(source);
	}
	if (touch.impl != NULL) {
		wlr_touch_finish(&touch);
	}
	tablet_unplug_all();
	__real_server_finish(server);
}
