/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/wlcs/stage.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <wayland-server-protocol.h>
#include <wlr/interfaces/wlr_pointer.h>
#include <wlr/interfaces/wlr_touch.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_layer_shell_v1.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "common/fd.h"
#include "common/log.h"
#include "guivm-server/activation.h"
#include "guivm-server/cursor.h"
#include "guivm-server/layer.h"
#include "guivm-server/seat.h"
#include "guivm-server/view.h"

#define REFRESH_MHZ 1000000 // frames are not what is tested here: none should be waited for
#define TOUCH_ID 0

static const struct wlr_pointer_impl pointer_impl = {.name = "wlcs"};
static const struct wlr_touch_impl touch_impl = {.name = "wlcs"};

static uint32_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

/*
 * WLCS' surface builders commit content before the first configure, which xdg-shell and
 * layer-shell call an error, and which most of the suite is built on. A tolerant server takes every
 * surface as configured. This pokes into wlroots' state: good for reaching what a test is about,
 * and never for a compositor.
 */
static void surface_tolerate(struct wlr_surface *surface) {
	struct wlr_xdg_surface *xdg = wlr_xdg_surface_try_from_wlr_surface(surface);
	if (xdg != NULL) {
		xdg->configured = true;
		xdg->initial_commit = false; // of the commit before, which may have been the only
	}
	struct wlr_layer_surface_v1 *layer = wlr_layer_surface_v1_try_from_wlr_surface(surface);
	if (layer != NULL) {
		layer->configured = true;
		layer->initial_commit = false;
	}
}

/* Before each request is carried out. */
static void stage_handle_message(void *data, enum wl_protocol_logger_type type,
		const struct wl_protocol_logger_message *message) {
	struct stage *stage = data;
	if (type != WL_PROTOCOL_LOGGER_REQUEST) {
		return;
	}
	const char *interface = wl_resource_get_class(message->resource);
	if (stage->options.tolerant && message->message_opcode == 6 && // wl_surface.commit
			strcmp(interface, wl_surface_interface.name) == 0) {
		surface_tolerate(wlr_surface_from_resource(message->resource));
	}
	/*
	 * guivm-server looks once in a turn of its loop what is under the pointer now; a test looks
	 * after one round trip, which may be in the same turn.
	 */
	if (message->message_opcode == 0 && strcmp(interface, wl_display_interface.name) == 0) {
		cursor_settle(&stage->server);
	}
}

static int stage_handle_wake(int fd, uint32_t mask, void *data) {
	struct stage *stage = data;
	eventfd_t count;
	eventfd_read(fd, &count);
	pthread_mutex_lock(&stage->lock);
	if (stage->job != NULL) {
		stage->job(stage, stage->job_data);
		stage->job = NULL;
		cursor_settle(&stage->server);
		wl_display_flush_clients(stage->server.display);
		pthread_cond_signal(&stage->changed);
	}
	pthread_mutex_unlock(&stage->lock);
	return 0;
}

static bool stage_add_output(struct stage *stage) {
	struct wlr_output *output = server_add_headless_output(
			&stage->server, STAGE_SIDE_PX, STAGE_SIDE_PX, 1.0f);
	if (output == NULL) {
		return false;
	}
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_custom_mode(&state, STAGE_SIDE_PX, STAGE_SIDE_PX, REFRESH_MHZ);
	bool ok = wlr_output_commit_state(output, &state);
	wlr_output_state_finish(&state);
	return ok;
}

/* The relay dies with the thread that started it: so the whole server lives in this one. */
static bool stage_init_server(struct stage *stage) {
	struct vmset *vmset = NULL;
	if (stage->options.bridged &&
			(vmset = chain_init(&stage->chain, stage->options.way)) == NULL) {
		return false;
	}
	if (!server_init(&stage->server, &(struct server_options){
			.vmset = vmset,
			.headless = true,
			.no_socket = true,
			.bare_windows = stage->options.tolerant,
		})) {
		return false;
	}
	stage->wake = wl_event_loop_add_fd(stage->server.loop, stage->wake_fd, WL_EVENT_READABLE,
			stage_handle_wake, stage);
	stage->logger = wl_display_add_protocol_logger(
			stage->server.display, stage_handle_message, stage);
	wlr_pointer_init(&stage->pointer, &pointer_impl, pointer_impl.name);
	wlr_touch_init(&stage->touch, &touch_impl, touch_impl.name);
	seat_add_device(&stage->server, &stage->pointer.base);
	seat_add_device(&stage->server, &stage->touch.base);
	return server_start(&stage->server) && stage_add_output(stage) &&
			(!stage->options.bridged || chain_start(&stage->chain));
}

static void stage_finish_server(struct stage *stage) {
	wlr_pointer_finish(&stage->pointer);
	wlr_touch_finish(&stage->touch);
	wl_protocol_logger_destroy(stage->logger);
	wl_event_source_remove(stage->wake);
	server_finish(&stage->server);
}

static void stage_set_running(struct stage *stage, bool running) {
	pthread_mutex_lock(&stage->lock);
	stage->running = running;
	pthread_cond_signal(&stage->changed);
	pthread_mutex_unlock(&stage->lock);
}

static void *stage_run(void *data) {
	struct stage *stage = data;
	if (!stage_init_server(stage)) {
		log_error("no server to test");
		abort();
	}
	stage_set_running(stage, true);
	server_run(&stage->server);
	stage_finish_server(stage);
	if (stage->options.bridged) {
		chain_finish(&stage->chain);
	}
	return NULL;
}

struct stage *stage_create(const struct stage_options *options) {
	struct stage *stage = calloc(1, sizeof(*stage));
	if (stage == NULL) {
		abort();
	}
	stage->options = *options;
	pthread_mutex_init(&stage->lock, NULL);
	pthread_cond_init(&stage->changed, NULL);
	stage->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return stage;
}

void stage_destroy(struct stage *stage) {
	stage_stop(stage);
	pthread_cond_destroy(&stage->changed);
	pthread_mutex_destroy(&stage->lock);
	close(stage->wake_fd);
	free(stage);
}

void stage_start(struct stage *stage) {
	if (pthread_create(&stage->thread, NULL, stage_run, stage) != 0) {
		abort();
	}
	pthread_mutex_lock(&stage->lock);
	while (!stage->running) {
		pthread_cond_wait(&stage->changed, &stage->lock);
	}
	pthread_mutex_unlock(&stage->lock);
}

static void stop_job(struct stage *stage, void *data) {
	server_stop(&stage->server);
}

void stage_stop(struct stage *stage) {
	if (stage->running) {
		stage_call(stage, stop_job, NULL);
		pthread_join(stage->thread, NULL);
		stage->running = false;
	}
}

void stage_call(struct stage *stage, void (*job)(struct stage *stage, void *data), void *data) {
	if (!stage->running) {
		return;
	}
	pthread_mutex_lock(&stage->lock);
	stage->job = job;
	stage->job_data = data;
	eventfd_write(stage->wake_fd, 1);
	while (stage->job != NULL) {
		pthread_cond_wait(&stage->changed, &stage->lock);
	}
	pthread_mutex_unlock(&stage->lock);
}

static void add_client_job(struct stage *stage, void *data) {
	server_add_client(&stage->server, *(int *)data);
}

int stage_connect(struct stage *stage) {
	if (stage->options.bridged) {
		return chain_connect(&stage->chain);
	}
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		return -1;
	}
	stage_call(stage, add_client_job, &fds[1]);
	return fds[0];
}

/* As stage_call(); when it returns, clients have the events that the job caused. */
static void stage_drive(
		struct stage *stage, void (*job)(struct stage *stage, void *data), void *data) {
	stage_call(stage, job, data);
	if (stage->running && stage->options.bridged) {
		chain_settle(&stage->chain);
	}
}

struct move {
	const char *token;
	int x, y;
};

static void move_job(struct stage *stage, void *data) {
	const struct move *move = data;
	struct wlr_surface *surface = activation_take_surface(&stage->server, move->token);
	struct view *view = view_from_window(window_from_surface(surface));
	struct layer *layer = layer_from_surface(surface);
	if (view != NULL) {
		view_pin(view, move->x, move->y);
	} else if (layer != NULL) {
		wlr_scene_node_set_position(&layer->scene->tree->node, move->x, move->y);
		wlr_scene_node_set_position(&layer->popups->node, move->x, move->y);
	} else {
		log_error("nothing to move to %d,%d", move->x, move->y);
	}
	cursor_refresh(&stage->server);
}

void stage_move_surface(struct stage *stage, const char *token, int x, int y) {
	stage_drive(stage, move_job, &(struct move){token, x, y});
}

struct place {
	double x, y;
};

static void point_job(struct stage *stage, void *data) {
	const struct place *place = data;
	wl_signal_emit_mutable(&stage->pointer.events.motion_absolute,
			&(struct wlr_pointer_motion_absolute_event){
				.pointer = &stage->pointer,
				.time_msec = now_ms(),
				.x = place->x / STAGE_SIDE_PX,
				.y = place->y / STAGE_SIDE_PX,
			});
	wl_signal_emit_mutable(&stage->pointer.events.frame, &stage->pointer);
}

void stage_point(struct stage *stage, double x, double y) {
	stage_drive(stage, point_job, &(struct place){x, y});
}

static void point_by_job(struct stage *stage, void *data) {
	const struct place *by = data;
	wl_signal_emit_mutable(&stage->pointer.events.motion, &(struct wlr_pointer_motion_event){
		.pointer = &stage->pointer,
		.time_msec = now_ms(),
		.delta_x = by->x,
		.delta_y = by->y,
		.unaccel_dx = by->x,
		.unaccel_dy = by->y,
	});
	wl_signal_emit_mutable(&stage->pointer.events.frame, &stage->pointer);
}

void stage_point_by(struct stage *stage, double dx, double dy) {
	stage_drive(stage, point_by_job, &(struct place){dx, dy});
}

struct press {
	uint32_t button;
	bool pressed;
};

static void button_job(struct stage *stage, void *data) {
	const struct press *press = data;
	wl_signal_emit_mutable(&stage->pointer.events.button, &(struct wlr_pointer_button_event){
		.pointer = &stage->pointer,
		.time_msec = now_ms(),
		.button = press->button,
		.state = press->pressed ? WL_POINTER_BUTTON_STATE_PRESSED
					: WL_POINTER_BUTTON_STATE_RELEASED,
	});
	wl_signal_emit_mutable(&stage->pointer.events.frame, &stage->pointer);
}

void stage_button(struct stage *stage, uint32_t button, bool pressed) {
	stage_drive(stage, button_job, &(struct press){button, pressed});
}

static void touch_down_job(struct stage *stage, void *data) {
	const struct place *place = data;
	wl_signal_emit_mutable(&stage->touch.events.down, &(struct wlr_touch_down_event){
		.touch = &stage->touch,
		.time_msec = now_ms(),
		.touch_id = TOUCH_ID,
		.x = place->x / STAGE_SIDE_PX,
		.y = place->y / STAGE_SIDE_PX,
	});
	wl_signal_emit_mutable(&stage->touch.events.frame, NULL);
}

void stage_touch_down(struct stage *stage, double x, double y) {
	stage_drive(stage, touch_down_job, &(struct place){x, y});
}

static void touch_move_job(struct stage *stage, void *data) {
	const struct place *place = data;
	wl_signal_emit_mutable(&stage->touch.events.motion, &(struct wlr_touch_motion_event){
		.touch = &stage->touch,
		.time_msec = now_ms(),
		.touch_id = TOUCH_ID,
		.x = place->x / STAGE_SIDE_PX,
		.y = place->y / STAGE_SIDE_PX,
	});
	wl_signal_emit_mutable(&stage->touch.events.frame, NULL);
}

void stage_touch_move(struct stage *stage, double x, double y) {
	stage_drive(stage, touch_move_job, &(struct place){x, y});
}

static void touch_up_job(struct stage *stage, void *data) {
	wl_signal_emit_mutable(&stage->touch.events.up, &(struct wlr_touch_up_event){
		.touch = &stage->touch,
		.time_msec = now_ms(),
		.touch_id = TOUCH_ID,
	});
	wl_signal_emit_mutable(&stage->touch.events.frame, NULL);
}

void stage_touch_up(struct stage *stage) {
	stage_drive(stage, touch_up_job, NULL);
}
