/* SPDX-License-Identifier: Apache-2.0 */
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_cursor_shape_v1.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_xcursor_manager.h>

#include "common/limits.h"
#include "guivm-server/cursor.h"
#include "guivm-server/hit.h"
#include "guivm-server/server.h"
#include "guivm-server/vm.h"
#include "guivm-server/window.h"

#define CURSOR_SIZE_PX 24
#define GRID_PX 8 // less than the smallest window with its frame

static void cursor_drop_image(struct cursor *cursor) {
	if (cursor->image != NULL) {
		cursor->image = NULL;
		wl_list_remove(&cursor->image_commit.link);
		wl_list_remove(&cursor->image_destroy.link);
		wl_list_init(&cursor->image_commit.link);
		wl_list_init(&cursor->image_destroy.link);
	}
}

void cursor_set_shape(struct cursor *cursor, const char *name) {
	if (cursor->shape == name) {
		return;
	}
	cursor_drop_image(cursor);
	cursor->shape = name;
	cursor->image_hidden = false;
	wlr_cursor_set_xcursor(cursor->wlr_cursor, cursor->xcursors, name);
}

static int32_t clamp(int32_t value, int32_t high) {
	return value < 0 ? 0 : value > high ? high : value;
}

static bool cursor_hits_content_of(
		const struct cursor *cursor, struct wl_client *client, double x, double y) {
	struct hit hit = hit_test(cursor->server, x, y);
	return hit.window != NULL && hit.part == FRAME_PART_CONTENT &&
		vm_same_domain(window_client(hit.window), client);
}

/*
 * A VM's picture lies on nothing but its own content: on a frame it could change what that says,
 * and on another window look like a part of it.
 */
static bool cursor_image_fits(const struct cursor *cursor) {
	struct wl_client *client = wl_resource_get_client(cursor->image->resource);
	const struct wlr_surface_state *state = &cursor->image->current;
	if (vm_from_client(client) == NULL || state->width <= 0 || state->height <= 0) {
		return true;
	}
	double left = cursor->wlr_cursor->x - cursor->hotspot_x;
	double top = cursor->wlr_cursor->y - cursor->hotspot_y;
	for (int y = 0;; y += GRID_PX) {
		y = y < state->height ? y : state->height; // the last line, too
		for (int x = 0;; x += GRID_PX) {
			x = x < state->width ? x : state->width;
			if (!cursor_hits_content_of(cursor, client, left + x, top + y)) {
				return false;
			}
			if (x == state->width) {
				break;
			}
		}
		if (y == state->height) {
			return true;
		}
	}
}

void cursor_update_image(struct cursor *cursor) {
	if (cursor->image == NULL || cursor_image_fits(cursor) == !cursor->image_hidden) {
		return;
	}
	cursor->image_hidden = !cursor->image_hidden;
	if (cursor->image_hidden) {
		wlr_cursor_set_xcursor(cursor->wlr_cursor, cursor->xcursors, "default");
		return;
	}
	wlr_cursor_set_surface(
			cursor->wlr_cursor, cursor->image, cursor->hotspot_x, cursor->hotspot_y);
	/* After wlr_cursor's own listener, to have the last word on the hot spot. */
	wl_list_remove(&cursor->image_commit.link);
	wl_signal_add(&cursor->image->events.commit, &cursor->image_commit);
}

/* The hot spot lies in the image: otherwise a client could draw anywhere on the screen. */
static void cursor_show_image(struct cursor *cursor) {
	const struct wlr_surface_state *state = &cursor->image->current;
	if (state->width > LIMIT_CURSOR_SIDE_PX || state->height > LIMIT_CURSOR_SIDE_PX) {
		cursor_set_shape(cursor, "default");
		return;
	}
	cursor->hotspot_x = clamp(cursor->hotspot_x, state->width);
	cursor->hotspot_y = clamp(cursor->hotspot_y, state->height);
	/* Without a look at where it is now it is not shown. */
	cursor->image_hidden = true;
	cursor_update_image(cursor);
	if (cursor->image_hidden) {
		wlr_cursor_set_xcursor(cursor->wlr_cursor, cursor->xcursors, "default");
	}
}

static void cursor_handle_image_commit(struct wl_listener *listener, void *data) {
	struct cursor *cursor = wl_container_of(listener, cursor, image_commit);
	const struct wlr_surface_state *state = &cursor->image->current;
	int32_t x, y;
	if (__builtin_sub_overflow(cursor->hotspot_x, state->dx, &x) ||
			__builtin_sub_overflow(cursor->hotspot_y, state->dy, &y)) {
		x = y = 0;
	}
	cursor->hotspot_x = x;
	cursor->hotspot_y = y;
	cursor_show_image(cursor);
}

static void cursor_handle_image_destroy(struct wl_listener *listener, void *data) {
	struct cursor *cursor = wl_container_of(listener, cursor, image_destroy);
	cursor_set_shape(cursor, "default");
}

/* Only the client under the pointer, and only while it is. */
static bool cursor_may_set(const struct cursor *cursor, const struct wlr_seat_client *seat_client) {
	const struct wlr_seat_pointer_state *state = &cursor->server->wlr_seat->pointer_state;
	bool ours = cursor->mode != CURSOR_PASSTHROUGH && cursor->mode != CURSOR_CLIENT;
	return !ours && state->focused_surface != NULL && state->focused_client == seat_client;
}

static void cursor_handle_request_set_cursor(struct wl_listener *listener, void *data) {
	struct cursor *cursor = wl_container_of(listener, cursor, request_set_cursor);
	const struct wlr_seat_pointer_request_set_cursor_event *event = data;
	if (!cursor_may_set(cursor, event->seat_client)) {
		return;
	}
	cursor_drop_image(cursor);
	cursor->shape = NULL;
	if (event->surface == NULL) {
		wlr_cursor_unset_image(cursor->wlr_cursor);
		return;
	}
	cursor->image = event->surface;
	cursor->hotspot_x = event->hotspot_x;
	cursor->hotspot_y = event->hotspot_y;
	wl_signal_add(&event->surface->events.destroy, &cursor->image_destroy);
	wl_signal_add(&event->surface->events.commit, &cursor->image_commit);
	cursor_show_image(cursor);
}

static void cursor_handle_request_set_shape(struct wl_listener *listener, void *data) {
	struct cursor *cursor = wl_container_of(listener, cursor, request_set_shape);
	const struct wlr_cursor_shape_manager_v1_request_set_shape_event *event = data;
	if (event->device_type == WLR_CURSOR_SHAPE_MANAGER_V1_DEVICE_TYPE_POINTER &&
			cursor_may_set(cursor, event->seat_client)) {
		cursor_set_shape(cursor, wlr_cursor_shape_v1_name(event->shape));
	}
}

bool cursor_image_init(struct cursor *cursor) {
	struct server *server = cursor->server;
	wl_list_init(&cursor->image_commit.link);
	wl_list_init(&cursor->image_destroy.link);
	cursor->image_commit.notify = cursor_handle_image_commit;
	cursor->image_destroy.notify = cursor_handle_image_destroy;
	cursor->xcursors = wlr_xcursor_manager_create(NULL, CURSOR_SIZE_PX);
	struct wlr_cursor_shape_manager_v1 *shapes =
			wlr_cursor_shape_manager_v1_create(server->display, 2);
	if (cursor->xcursors == NULL || shapes == NULL) {
		wlr_xcursor_manager_destroy(cursor->xcursors);
		return false;
	}
	cursor->request_set_shape.notify = cursor_handle_request_set_shape;
	wl_signal_add(&shapes->events.request_set_shape, &cursor->request_set_shape);
	cursor->request_set_cursor.notify = cursor_handle_request_set_cursor;
	wl_signal_add(&server->wlr_seat->events.request_set_cursor, &cursor->request_set_cursor);
	cursor_set_shape(cursor, "default");
	return true;
}

void cursor_image_finish(struct cursor *cursor) {
	cursor_drop_image(cursor);
	wl_list_remove(&cursor->request_set_shape.link);
	wl_list_remove(&cursor->request_set_cursor.link);
	wlr_xcursor_manager_destroy(cursor->xcursors);
}
