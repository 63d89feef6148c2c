/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/gestures.h"

#include <stdlib.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_pointer.h>
#include <wlr/types/wlr_pointer_gestures_v1.h>

#include "guivm-server/cursor.h"
#include "guivm-server/idle.h"
#include "guivm-server/server.h"

struct gestures {
	struct server *server;
	struct wlr_pointer_gestures_v1 *manager;
	struct wl_listener swipe_begin, swipe_update, swipe_end;
	struct wl_listener pinch_begin, pinch_update, pinch_end;
	struct wl_listener hold_begin, hold_end;
};

static void gestures_handle_swipe_begin(struct wl_listener *listener, void *data) {
	struct gestures *gestures = wl_container_of(listener, gestures, swipe_begin);
	const struct wlr_pointer_swipe_begin_event *event = data;
	idle_notify_activity(gestures->server);
	wlr_pointer_gestures_v1_send_swipe_begin(gestures->manager, gestures->server->wlr_seat,
			event->time_msec, event->fingers);
}

static void gestures_handle_swipe_update(struct wl_listener *listener, void *data) {
	struct gestures *gestures = wl_container_of(listener, gestures, swipe_update);
	const struct wlr_pointer_swipe_update_event *event = data;
	idle_notify_activity(gestures->server);
	wlr_pointer_gestures_v1_send_swipe_update(gestures->manager, gestures->server->wlr_seat,
			event->time_msec, event->dx, event->dy);
}

static void gestures_handle_swipe_end(struct wl_listener *listener, void *data) {
	struct gestures *gestures = wl_container_of(listener, gestures, swipe_end);
	const struct wlr_pointer_swipe_end_event *event = data;
	idle_notify_activity(gestures->server);
	wlr_pointer_gestures_v1_send_swipe_end(gestures->manager, gestures->server->wlr_seat,
			event->time_msec, event->cancelled);
}

static void gestures_handle_pinch_begin(struct wl_listener *listener, void *data) {
	struct gestures *gestures = wl_container_of(listener, gestures, pinch_begin);
	const struct wlr_pointer_pinch_begin_event *event = data;
	idle_notify_activity(gestures->server);
	wlr_pointer_gestures_v1_send_pinch_begin(gestures->manager, gestures->server->wlr_seat,
			event->time_msec, event->fingers);
}

static void gestures_handle_pinch_update(struct wl_listener *listener, void *data) {
	struct gestures *gestures = wl_container_of(listener, gestures, pinch_update);
	const struct wlr_pointer_pinch_update_event *event = data;
	idle_notify_activity(gestures->server);
	wlr_pointer_gestures_v1_send_pinch_update(gestures->manager, gestures->server->wlr_seat,
			event->time_msec, event->dx, event->dy, event->scale, event->rotation);
}

static void gestures_handle_pinch_end(struct wl_listener *listener, void *data) {
	struct gestures *gestures = wl_container_of(listener, gestures, pinch_end);
	const struct wlr_pointer_pinch_end_event *event = data;
	idle_notify_activity(gestures->server);
	wlr_pointer_gestures_v1_send_pinch_end(gestures->manager, gestures->server->wlr_seat,
			event->time_msec, event->cancelled);
}

static void gestures_handle_hold_begin(struct wl_listener *listener, void *data) {
	struct gestures *gestures = wl_container_of(listener, gestures, hold_begin);
	const struct wlr_pointer_hold_begin_event *event = data;
	idle_notify_activity(gestures->server);
	wlr_pointer_gestures_v1_send_hold_begin(gestures->manager, gestures->server->wlr_seat,
			event->time_msec, event->fingers);
}

static void gestures_handle_hold_end(struct wl_listener *listener, void *data) {
	struct gestures *gestures = wl_container_of(listener, gestures, hold_end);
	const struct wlr_pointer_hold_end_event *event = data;
	idle_notify_activity(gestures->server);
	wlr_pointer_gestures_v1_send_hold_end(gestures->manager, gestures->server->wlr_seat,
			event->time_msec, event->cancelled);
}

static void listen(
		struct wl_listener *listener, wl_notify_func_t notify, struct wl_signal *signal) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

struct gestures *gestures_create(struct server *server) {
	struct gestures *gestures = calloc(1, sizeof(*gestures));
	if (gestures == NULL) {
		return NULL;
	}
	gestures->server = server;
	gestures->manager = wlr_pointer_gestures_v1_create(server->display);
	if (gestures->manager == NULL) {
		free(gestures);
		return NULL;
	}
	struct wlr_cursor *cursor = server->cursor->wlr_cursor;
	listen(&gestures->swipe_begin, gestures_handle_swipe_begin, &cursor->events.swipe_begin);
	listen(&gestures->swipe_update, gestures_handle_swipe_update, &cursor->events.swipe_update);
	listen(&gestures->swipe_end, gestures_handle_swipe_end, &cursor->events.swipe_end);
	listen(&gestures->pinch_begin, gestures_handle_pinch_begin, &cursor->events.pinch_begin);
	listen(&gestures->pinch_update, gestures_handle_pinch_update, &cursor->events.pinch_update);
	listen(&gestures->pinch_end, gestures_handle_pinch_end, &cursor->events.pinch_end);
	listen(&gestures->hold_begin, gestures_handle_hold_begin, &cursor->events.hold_begin);
	listen(&gestures->hold_end, gestures_handle_hold_end, &cursor->events.hold_end);
	return gestures;
}

void gestures_destroy(struct gestures *gestures) {
	if (gestures == NULL) {
		return;
	}
	wl_list_remove(&gestures->swipe_begin.link);
	wl_list_remove(&gestures->swipe_update.link);
	wl_list_remove(&gestures->swipe_end.link);
	wl_list_remove(&gestures->pinch_begin.link);
	wl_list_remove(&gestures->pinch_update.link);
	wl_list_remove(&gestures->pinch_end.link);
	wl_list_remove(&gestures->hold_begin.link);
	wl_list_remove(&gestures->hold_end.link);
	free(gestures);
}
