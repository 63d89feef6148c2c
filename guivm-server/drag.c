/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/drag.h"

#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_seat.h>

#include "guivm-server/cursor.h"
#include "guivm-server/focus.h"
#include "guivm-server/seat.h"
#include "guivm-server/selection.h"
#include "guivm-server/server.h"
#include "guivm-server/window.h"

#define ICON_MAX_SIDE_PX 256

struct drag {
	struct server *server;
	struct wlr_drag *wlr_drag;
	struct wlr_drag_icon *icon; // NULL: the drag has none, or no longer
	struct window window; // of icon
	struct wl_listener icon_map, icon_unmap, icon_commit, icon_destroy, client_destroy, destroy;
};

bool drag_allows(struct server *server, struct wlr_surface *surface) {
	const struct wlr_drag *drag = server->wlr_seat->drag;
	return drag == NULL || (drag->seat_client != NULL &&
		selection_drag_allowed(drag->seat_client->client,
				wl_resource_get_client(surface->resource)));
}

/* Whatever kind it is of, started or not. It is freed. */
static void drag_cancel(struct wlr_drag *wlr_drag) {
	wlr_drag->pointer_grab.interface->cancel(&wlr_drag->pointer_grab);
}

void drag_cancel_touch(struct server *server) {
	struct wlr_drag *wlr_drag = server->wlr_seat->drag;
	if (wlr_drag != NULL && wlr_drag->grab_type == WLR_DRAG_GRAB_KEYBOARD_TOUCH) {
		drag_cancel(wlr_drag);
	}
}

void drag_move_icon(struct server *server) {
	struct drag *drag = server->seat->drag;
	if (drag != NULL && drag->icon != NULL) {
		/* Beside the pointer, so that the frame is seen and the drop's target as well. */
		double x, y;
		cursor_position(server, &x, &y);
		window_set_position(&drag->window, (int)x + 8, (int)y + 8);
	}
}

static void drag_fit_icon(struct drag *drag) {
	const struct wlr_surface_state *state = &drag->icon->surface->current;
	window_set_geometry(&drag->window,
			&(struct wlr_box){.width = state->width, .height = state->height});
}

static void drag_handle_icon_map(struct wl_listener *listener, void *data) {
	struct drag *drag = wl_container_of(listener, drag, icon_map);
	drag_fit_icon(drag);
	drag_move_icon(drag->server);
	window_set_mapped(&drag->window, true);
}

static void drag_handle_icon_unmap(struct wl_listener *listener, void *data) {
	struct drag *drag = wl_container_of(listener, drag, icon_unmap);
	window_set_mapped(&drag->window, false);
}

static void drag_handle_icon_commit(struct wl_listener *listener, void *data) {
	struct drag *drag = wl_container_of(listener, drag, icon_commit);
	drag_fit_icon(drag);
}

static void drag_drop_icon(struct drag *drag) {
	if (drag->icon == NULL) {
		return;
	}
	wl_list_remove(&drag->icon_map.link);
	wl_list_remove(&drag->icon_unmap.link);
	wl_list_remove(&drag->icon_commit.link);
	wl_list_remove(&drag->icon_destroy.link);
	window_finish(&drag->window);
	drag->icon = NULL;
}

static void drag_handle_icon_destroy(struct wl_listener *listener, void *data) {
	struct drag *drag = wl_container_of(listener, drag, icon_destroy);
	drag_drop_icon(drag);
}

static void drag_handle_destroy(struct wl_listener *listener, void *data) {
	struct drag *drag = wl_container_of(listener, drag, destroy);
	struct server *server = drag->server;
	drag_drop_icon(drag);
	wl_list_remove(&drag->client_destroy.link);
	wl_list_remove(&drag->destroy.link);
	server->seat->drag = NULL;
	free(drag);
	if (!server->terminating) {
		focus_apply(server); // the drag kept the keyboard
		cursor_refresh(server);
	}
}

static void listen(
		struct wl_listener *listener, wl_notify_func_t notify, struct wl_signal *signal) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

static void drag_show_icon(struct drag *drag, struct wlr_drag_icon *icon) {
	struct server *server = drag->server;
	if (icon == NULL || !window_init(&drag->window, server, server->tree_drag, icon->surface,
					    FRAME_ICON)) {
		return;
	}
	drag->icon = icon;
	drag->window.owner = drag;
	drag->window.limits.max_width = drag->window.limits.max_height = ICON_MAX_SIDE_PX;
	listen(&drag->icon_map, drag_handle_icon_map, &icon->surface->events.map);
	listen(&drag->icon_unmap, drag_handle_icon_unmap, &icon->surface->events.unmap);
	listen(&drag->icon_commit, drag_handle_icon_commit, &icon->surface->events.commit);
	listen(&drag->icon_destroy, drag_handle_icon_destroy, &icon->events.destroy);
	if (icon->surface->mapped) {
		drag_handle_icon_map(&drag->icon_map, NULL);
	}
}

/* The client let go of the seat, or is gone: nobody could tell any more whose drag it is. */
static void drag_handle_client_destroy(struct wl_listener *listener, void *data) {
	struct drag *drag = wl_container_of(listener, drag, client_destroy);
	drag_cancel(drag->wlr_drag);
}

static void drag_handle_start(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, start_drag);
	struct wlr_drag *wlr_drag = data;
	struct drag *drag = calloc(1, sizeof(*drag));
	if (drag == NULL || seat->drag != NULL) {
		free(drag);
		return;
	}
	drag->server = seat->server;
	drag->wlr_drag = wlr_drag;
	seat->drag = drag;
	listen(&drag->client_destroy, drag_handle_client_destroy,
			&wlr_drag->seat_client->events.destroy);
	listen(&drag->destroy, drag_handle_destroy, &wlr_drag->events.destroy);
	drag_show_icon(drag, wlr_drag->icon);
}

static uint32_t drag_handle_up_without_source(struct wlr_seat_touch_grab *grab, uint32_t time_ms,
		struct wlr_touch_point *point) {
	struct wlr_drag *wlr_drag = grab->data;
	if (wlr_drag->grab_touch_id == point->touch_id) {
		drag_cancel(wlr_drag);
	}
	return 0;
}

/* wlroots takes for granted that a drag by touch has a source, and looks at it when it is over. */
static void drag_start_touch(struct wlr_seat *seat, struct wlr_drag *wlr_drag, uint32_t serial,
		struct wlr_touch_point *point) {
	static struct wlr_touch_grab_interface without_source;
	if (wlr_drag->source == NULL) {
		without_source = *wlr_drag->touch_grab.interface;
		without_source.up = drag_handle_up_without_source;
		wlr_drag->touch_grab.interface = &without_source;
	}
	wlr_seat_start_touch_drag(seat, wlr_drag, serial, point);
}

/* Only with a button or finger that is still down on the surface that the drag starts from. */
static void drag_handle_request(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, request_start_drag);
	struct wlr_seat *wlr_seat = seat->server->wlr_seat;
	const struct wlr_seat_request_start_drag_event *event = data;
	struct wlr_touch_point *point;
	/* wlroots destroys the source of the drag before, and what is dragged along with that. */
	if (event->drag->source != NULL && event->drag->source == wlr_seat->drag_source) {
		drag_cancel(event->drag);
	} else if (wlr_seat_validate_pointer_grab_serial(
				   wlr_seat, event->origin, event->serial)) {
		wlr_seat_start_pointer_drag(wlr_seat, event->drag, event->serial);
	} else if (wlr_seat_validate_touch_grab_serial(
				   wlr_seat, event->origin, event->serial, &point)) {
		drag_start_touch(wlr_seat, event->drag, event->serial, point);
	} else if (event->drag->source != NULL) {
		wlr_data_source_destroy(event->drag->source); // and the drag with it
	} else {
		drag_cancel(event->drag);
	}
}

void drag_watch(struct server *server) {
	listen(&server->seat->request_start_drag, drag_handle_request,
			&server->wlr_seat->events.request_start_drag);
	listen(&server->seat->start_drag, drag_handle_start, &server->wlr_seat->events.start_drag);
}

void drag_unwatch(struct server *server) {
	wl_list_remove(&server->seat->request_start_drag.link);
	wl_list_remove(&server->seat->start_drag.link);
}
