/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/touch.h"

#include <linux/input-event-codes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_touch.h>

#include "guivm-server/cursor.h"
#include "guivm-server/drag.h"
#include "guivm-server/focus.h"
#include "guivm-server/hit.h"
#include "guivm-server/idle.h"
#include "guivm-server/layer.h"
#include "guivm-server/seat.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"

#define MAX_FINGERS 16

struct finger {
	bool down;
	int32_t id;
	double origin_x, origin_y; // layout position of the touched surface's corner
	struct touch_device *device;
	struct wl_listener surface_destroy; // while down
};

struct touch_device {
	struct server *server;
	struct wlr_touch *touch;
	struct wl_list link; // seat.touches
	struct finger fingers[MAX_FINGERS];
	int32_t frame_finger; // the one that plays the pointer; -1: none
	struct wl_listener down, up, motion, cancel, frame, destroy;
};

static struct finger *touch_finger(struct touch_device *device, int32_t id, bool down) {
	for (int i = 0; i < MAX_FINGERS; i++) {
		struct finger *finger = &device->fingers[i];
		if (down ? !finger->down : finger->down && finger->id == id) {
			return finger;
		}
	}
	return NULL;
}

static void touch_layout_position(
		struct touch_device *device, double x, double y, double *lx, double *ly) {
	wlr_cursor_absolute_to_layout_coords(
			device->server->cursor->wlr_cursor, &device->touch->base, x, y, lx, ly);
}

static void touch_focus(struct server *server, const struct hit *hit) {
	if (hit->layer != NULL && layer_wants_keyboard(hit->layer)) {
		focus_set_layer(server, hit->layer);
	}
	struct view *view = hit->window != NULL ? view_from_surface(hit->window->surface) : NULL;
	if (view != NULL && (view != focus_view(server) || focus_layer(server) != NULL)) {
		focus_set_view(server, view);
	}
	if (view != NULL) {
		focus_use_view(view);
	}
}

/* The finger no longer touches a surface of anybody's. */
static void finger_lift(struct finger *finger) {
	finger->down = false;
	wl_list_remove(&finger->surface_destroy.link);
}

/* Its client must not go on believing that it is touched. */
static void finger_handle_surface_destroy(struct wl_listener *listener, void *data) {
	struct finger *finger = wl_container_of(listener, finger, surface_destroy);
	struct wlr_seat *seat = finger->device->server->wlr_seat;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	finger_lift(finger);
	wlr_seat_touch_notify_up(
			seat, (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000), finger->id);
	wlr_seat_touch_notify_frame(seat);
}

static void touch_handle_down(struct wl_listener *listener, void *data) {
	struct touch_device *device = wl_container_of(listener, device, down);
	struct server *server = device->server;
	const struct wlr_touch_down_event *event = data;
	double x, y;
	idle_notify_activity(server);
	touch_layout_position(device, event->x, event->y, &x, &y);
	struct hit hit = hit_test(server, x, y);
	if (hit.surface == NULL) {
		if (device->frame_finger == -1 && hit.window != NULL) {
			device->frame_finger = event->touch_id;
			cursor_warp(server, x, y);
			cursor_motion(server, event->time_msec);
			cursor_button(server, event->time_msec, BTN_LEFT, true);
		}
		return;
	}
	struct finger *finger = touch_finger(device, event->touch_id, true);
	if (finger == NULL) {
		return;
	}
	touch_focus(server, &hit);
	*finger = (struct finger){
		.down = true,
		.id = event->touch_id,
		.origin_x = x - hit.sx,
		.origin_y = y - hit.sy,
		.device = device,
		.surface_destroy.notify = finger_handle_surface_destroy,
	};
	/* Before wlroots' own listener, which forgets the finger. */
	wl_signal_add(&hit.surface->events.destroy, &finger->surface_destroy);
	wlr_seat_touch_notify_down(server->wlr_seat, hit.surface, event->time_msec, event->touch_id,
			hit.sx, hit.sy);
}

static void touch_end(struct touch_device *device, int32_t id, uint32_t time_ms) {
	struct server *server = device->server;
	if (device->frame_finger == id) {
		device->frame_finger = -1;
		cursor_button(server, time_ms, BTN_LEFT, false);
	}
	struct finger *finger = touch_finger(device, id, false);
	if (finger != NULL) {
		finger_lift(finger);
		wlr_seat_touch_notify_up(server->wlr_seat, time_ms, id);
	}
}

static void touch_handle_up(struct wl_listener *listener, void *data) {
	struct touch_device *device = wl_container_of(listener, device, up);
	const struct wlr_touch_up_event *event = data;
	touch_end(device, event->touch_id, event->time_msec);
}

static void touch_handle_motion(struct wl_listener *listener, void *data) {
	struct touch_device *device = wl_container_of(listener, device, motion);
	struct server *server = device->server;
	const struct wlr_touch_motion_event *event = data;
	double x, y;
	idle_notify_activity(server);
	touch_layout_position(device, event->x, event->y, &x, &y);
	if (device->frame_finger == event->touch_id) {
		cursor_warp(server, x, y);
		cursor_motion(server, event->time_msec);
		return;
	}
	struct finger *finger = touch_finger(device, event->touch_id, false);
	if (finger != NULL) {
		wlr_seat_touch_notify_motion(server->wlr_seat, event->time_msec, event->touch_id,
				x - finger->origin_x, y - finger->origin_y);
	}
}

static void touch_handle_cancel(struct wl_listener *listener, void *data) {
	struct touch_device *device = wl_container_of(listener, device, cancel);
	struct wlr_seat *seat = device->server->wlr_seat;
	const struct wlr_touch_cancel_event *event = data;
	drag_cancel_touch(device->server);
	struct wlr_touch_point *point = wlr_seat_touch_get_point(seat, event->touch_id);
	if (point == NULL || point->client == NULL) {
		touch_end(device, event->touch_id, event->time_msec);
		return;
	}
	/* wl_touch.cancel is about all fingers of the client. */
	for (int i = 0; i < MAX_FINGERS; i++) {
		struct wlr_touch_point *each =
				wlr_seat_touch_get_point(seat, device->fingers[i].id);
		if (device->fingers[i].down && each != NULL && each->client == point->client) {
			finger_lift(&device->fingers[i]);
		}
	}
	wlr_seat_touch_notify_cancel(seat, point->client);
}

static void touch_handle_frame(struct wl_listener *listener, void *data) {
	struct touch_device *device = wl_container_of(listener, device, frame);
	wlr_seat_touch_notify_frame(device->server->wlr_seat);
}

static void touch_handle_destroy(struct wl_listener *listener, void *data) {
	struct touch_device *device = wl_container_of(listener, device, destroy);
	for (int i = 0; i < MAX_FINGERS; i++) {
		if (device->fingers[i].down) {
			finger_lift(&device->fingers[i]);
		}
	}
	wl_list_remove(&device->link);
	wl_list_remove(&device->down.link);
	wl_list_remove(&device->up.link);
	wl_list_remove(&device->motion.link);
	wl_list_remove(&device->cancel.link);
	wl_list_remove(&device->frame.link);
	wl_list_remove(&device->destroy.link);
	free(device);
}

static void listen(
		struct wl_listener *listener, wl_notify_func_t notify, struct wl_signal *signal) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

void touch_add_device(struct server *server, struct wlr_input_device *input_device) {
	struct touch_device *device = calloc(1, sizeof(*device));
	if (device == NULL) {
		return;
	}
	device->server = server;
	device->touch = wlr_touch_from_input_device(input_device);
	device->frame_finger = -1;
	wl_list_insert(&server->seat->touches, &device->link);
	listen(&device->down, touch_handle_down, &device->touch->events.down);
	listen(&device->up, touch_handle_up, &device->touch->events.up);
	listen(&device->motion, touch_handle_motion, &device->touch->events.motion);
	listen(&device->cancel, touch_handle_cancel, &device->touch->events.cancel);
	listen(&device->frame, touch_handle_frame, &device->touch->events.frame);
	listen(&device->destroy, touch_handle_destroy, &input_device->events.destroy);
	wlr_cursor_attach_input_device(server->cursor->wlr_cursor, input_device);
}
