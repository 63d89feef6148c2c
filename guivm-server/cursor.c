/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/cursor.h"

#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <time.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_keyboard.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_pointer.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/util/edges.h>

#include "guivm-server/constraints.h"
#include "guivm-server/drag.h"
#include "guivm-server/focus.h"
#include "guivm-server/hit.h"
#include "guivm-server/idle.h"
#include "guivm-server/layer.h"
#include "guivm-server/popup.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"

#define DOUBLE_CLICK_MS 400

static const struct {
	uint32_t edges;
	const char *shape;
} parts[] = {
	[FRAME_PART_NONE] = {0, "default"},
	[FRAME_PART_CONTENT] = {0, "default"},
	[FRAME_PART_TITLE] = {0, "default"},
	[FRAME_PART_MINIMIZE] = {0, "default"},
	[FRAME_PART_MAXIMIZE] = {0, "default"},
	[FRAME_PART_CLOSE] = {0, "default"},
	[FRAME_PART_TOP] = {WLR_EDGE_TOP, "n-resize"},
	[FRAME_PART_BOTTOM] = {WLR_EDGE_BOTTOM, "s-resize"},
	[FRAME_PART_LEFT] = {WLR_EDGE_LEFT, "w-resize"},
	[FRAME_PART_RIGHT] = {WLR_EDGE_RIGHT, "e-resize"},
	[FRAME_PART_TOP_LEFT] = {WLR_EDGE_TOP | WLR_EDGE_LEFT, "nw-resize"},
	[FRAME_PART_TOP_RIGHT] = {WLR_EDGE_TOP | WLR_EDGE_RIGHT, "ne-resize"},
	[FRAME_PART_BOTTOM_LEFT] = {WLR_EDGE_BOTTOM | WLR_EDGE_LEFT, "sw-resize"},
	[FRAME_PART_BOTTOM_RIGHT] = {WLR_EDGE_BOTTOM | WLR_EDGE_RIGHT, "se-resize"},
};

static bool part_is_button(enum frame_part part) {
	return part == FRAME_PART_MINIMIZE || part == FRAME_PART_MAXIMIZE ||
	       part == FRAME_PART_CLOSE;
}

static uint32_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static void cursor_set_hover(struct cursor *cursor, struct window *window, enum frame_part part) {
	if (!part_is_button(part)) {
		window = NULL;
		part = FRAME_PART_NONE;
	}
	struct window *old = cursor->hover_window;
	if (old != NULL && old != window) {
		old->frame_state.hover = FRAME_PART_NONE;
		window_update_frame(old);
	}
	cursor->hover_window = window;
	if (window != NULL && window->frame_state.hover != part) {
		window->frame_state.hover = part;
		window_update_frame(window);
	}
}

static const char *hit_shape(const struct hit *hit) {
	struct view *view = view_from_window(hit->window);
	bool fixed = view == NULL || view->maximized || view->fullscreen;
	return fixed ? "default" : parts[hit->part].shape;
}

static void cursor_point(struct cursor *cursor, uint32_t time_ms) {
	struct wlr_seat *seat = cursor->server->wlr_seat;
	struct hit hit = hit_test(cursor->server, cursor->wlr_cursor->x, cursor->wlr_cursor->y);
	cursor_set_hover(cursor, hit.window, hit.part);
	if (hit.surface == NULL || !drag_allows(cursor->server, hit.surface)) {
		cursor_set_shape(cursor, hit_shape(&hit));
		wlr_seat_pointer_notify_clear_focus(seat);
		return;
	}
	wlr_seat_pointer_notify_enter(seat, hit.surface, hit.sx, hit.sy);
	wlr_seat_pointer_notify_motion(seat, time_ms, hit.sx, hit.sy);
}

/* Another client's picture stays on no surface but its own. */
static void cursor_handle_focus_change(struct wl_listener *listener, void *data) {
	struct cursor *cursor = wl_container_of(listener, cursor, focus_change);
	const struct wlr_seat_pointer_focus_change_event *event = data;
	struct wl_client *before = event->old_surface != NULL
		? wl_resource_get_client(event->old_surface->resource) : NULL;
	struct wl_client *after = event->new_surface != NULL
		? wl_resource_get_client(event->new_surface->resource) : NULL;
	if (before != after) {
		cursor_set_shape(cursor, "default");
	}
	constraints_update(cursor->server);
}

void cursor_motion(struct server *server, uint32_t time_ms) {
	idle_notify_activity(server);
	struct cursor *cursor = server->cursor;
	struct wlr_seat *seat = server->wlr_seat;
	drag_move_icon(server);
	switch (cursor->mode) {
	case CURSOR_PASSTHROUGH:
		cursor_point(cursor, time_ms);
		break;
	case CURSOR_CLIENT:
		if (seat->drag != NULL || seat->pointer_state.focused_surface == NULL) {
			cursor_point(cursor, time_ms);
		} else {
			wlr_seat_pointer_notify_motion(seat, time_ms,
					cursor->wlr_cursor->x - cursor->origin_x,
					cursor->wlr_cursor->y - cursor->origin_y);
		}
		break;
	case CURSOR_FRAME:
		break;
	case CURSOR_MOVE:
	case CURSOR_RESIZE:
		cursor_grab_motion(cursor);
		break;
	}
	cursor_update_image(cursor);
}

void cursor_refresh(struct server *server) {
	struct cursor *cursor = server->cursor;
	if (server->terminating) {
		return;
	}
	cursor_update_image(cursor);
	if (cursor->mode != CURSOR_PASSTHROUGH) {
		return;
	}
	const struct wlr_seat_pointer_state *state = &server->wlr_seat->pointer_state;
	double sx = state->sx, sy = state->sy;
	cursor_point(cursor, now_ms());
	if (state->sx != sx || state->sy != sy) {
		wlr_seat_pointer_notify_frame(server->wlr_seat);
	}
}

void cursor_settle(struct server *server) {
	struct cursor *cursor = server->cursor;
	if (cursor->stale) {
		cursor->stale = false;
		cursor_refresh(server);
	}
}

static void cursor_handle_idle(void *data) {
	struct cursor *cursor = data;
	cursor->settle = NULL;
	cursor_settle(cursor->server);
}

/* A surface whose commits may change what is under the pointer. */
struct cursor_watch {
	struct wl_list link; // cursor.watches
	struct cursor *cursor;
	struct wl_listener commit, destroy;
};

static void cursor_watch_handle_commit(struct wl_listener *listener, void *data) {
	struct cursor_watch *watch = wl_container_of(listener, watch, commit);
	struct cursor *cursor = watch->cursor;
	cursor->stale = true;
	if (cursor->settle == NULL) {
		cursor->settle = wl_event_loop_add_idle(
				cursor->server->loop, cursor_handle_idle, cursor);
	}
}

static void cursor_watch_destroy(struct cursor_watch *watch) {
	wl_list_remove(&watch->link);
	wl_list_remove(&watch->commit.link);
	wl_list_remove(&watch->destroy.link);
	free(watch);
}

static void cursor_watch_handle_destroy(struct wl_listener *listener, void *data) {
	struct cursor_watch *watch = wl_container_of(listener, watch, destroy);
	cursor_watch_destroy(watch);
}

static void cursor_activate_part(struct view *view, enum frame_part part) {
	switch (part) {
	case FRAME_PART_MINIMIZE:
		view_set_minimized(view, true);
		break;
	case FRAME_PART_MAXIMIZE:
		view_set_maximized(view, !view->maximized);
		break;
	case FRAME_PART_CLOSE:
		view_close(view);
		break;
	default:
		break;
	}
}

static void cursor_press_title(struct cursor *cursor, struct view *view, uint32_t time_ms) {
	bool twice = cursor->last_title == &view->window &&
		     time_ms - cursor->last_title_ms <= DOUBLE_CLICK_MS;
	cursor->last_title = twice ? NULL : &view->window;
	cursor->last_title_ms = time_ms;
	if (twice && !view->fullscreen) {
		view_set_maximized(view, !view->maximized);
	} else {
		cursor_begin_move(cursor->server, view);
	}
}

static void cursor_press_frame(
		struct cursor *cursor, const struct hit *hit, uint32_t time_ms, uint32_t button) {
	struct view *view = view_from_window(hit->window);
	if (view == NULL || button != BTN_LEFT) {
		return;
	}
	if (part_is_button(hit->part)) {
		cursor->mode = CURSOR_FRAME;
		cursor->pressed_window = hit->window;
		cursor->pressed_part = hit->part;
	} else if (hit->part == FRAME_PART_TITLE) {
		cursor_press_title(cursor, view, time_ms);
	} else {
		cursor_begin_resize(cursor->server, view, parts[hit->part].edges);
	}
}

static void cursor_press_focus(struct server *server, const struct hit *hit) {
	if (hit->layer != NULL) {
		if (layer_wants_keyboard(hit->layer)) {
			focus_set_layer(server, hit->layer);
		}
		return;
	}
	struct wlr_surface *surface = hit->window != NULL ? hit->window->surface : NULL;
	struct view *view = view_from_surface(surface);
	if (view != NULL && (view != focus_view(server) || focus_layer(server) != NULL)) {
		focus_set_view(server, view);
	}
	if (view != NULL) {
		focus_use_view(view);
	}
}

/*
 * Super and a button, anywhere in a window: move it, or with the right button size it by the
 * nearest corner.
 */
static bool cursor_press_super(struct cursor *cursor, const struct hit *hit, uint32_t button) {
	struct wlr_keyboard *keyboard = wlr_seat_get_keyboard(cursor->server->wlr_seat);
	struct view *view = view_from_window(hit->window);
	if (view == NULL || keyboard == NULL ||
			!(wlr_keyboard_get_modifiers(keyboard) & WLR_MODIFIER_LOGO)) {
		return false;
	}
	if (button == BTN_LEFT) {
		cursor_begin_move(cursor->server, view);
	} else if (button == BTN_RIGHT) {
		const struct wlr_box *box = &view->window.box;
		uint32_t edges = cursor->wlr_cursor->x < box->x + box->width / 2.0 ? WLR_EDGE_LEFT
										   : WLR_EDGE_RIGHT;
		edges |= cursor->wlr_cursor->y < box->y + box->height / 2.0 ? WLR_EDGE_TOP
									    : WLR_EDGE_BOTTOM;
		cursor_begin_resize(cursor->server, view, edges);
	}
	return true;
}

static void cursor_press(struct cursor *cursor, uint32_t time_ms, uint32_t button) {
	struct server *server = cursor->server;
	cursor->n_buttons++;
	if (cursor->mode == CURSOR_FRAME || cursor->mode == CURSOR_MOVE ||
			cursor->mode == CURSOR_RESIZE) {
		return;
	}
	if (cursor->mode == CURSOR_PASSTHROUGH) {
		struct hit hit = hit_test(server, cursor->wlr_cursor->x, cursor->wlr_cursor->y);
		if (hit.surface == NULL) {
			popups_dismiss_grabs(server, NULL);
			/* That may have been the window that was hit. */
			hit = hit_test(server, cursor->wlr_cursor->x, cursor->wlr_cursor->y);
			if (hit.surface != NULL) {
				cursor->mode = CURSOR_FRAME; // what was below it was not meant
				return;
			}
		}
		cursor_press_focus(server, &hit);
		if (cursor_press_super(cursor, &hit, button)) {
			return;
		}
		if (hit.surface == NULL) {
			cursor_press_frame(cursor, &hit, time_ms, button);
			return;
		}
		cursor_point(cursor, time_ms);
		cursor->mode = CURSOR_CLIENT;
		cursor->origin_x = cursor->wlr_cursor->x - hit.sx;
		cursor->origin_y = cursor->wlr_cursor->y - hit.sy;
	}
	if (cursor->n_client_buttons < CURSOR_MAX_BUTTONS) {
		cursor->client_buttons[cursor->n_client_buttons++] = button;
		wlr_seat_pointer_notify_button(
				server->wlr_seat, time_ms, button, WL_POINTER_BUTTON_STATE_PRESSED);
	}
}

static bool cursor_take_client_button(struct cursor *cursor, uint32_t button) {
	for (size_t i = 0; i < cursor->n_client_buttons; i++) {
		if (cursor->client_buttons[i] == button) {
			cursor->client_buttons[i] =
					cursor->client_buttons[--cursor->n_client_buttons];
			return true;
		}
	}
	return false;
}

static void cursor_release(struct cursor *cursor, uint32_t time_ms, uint32_t button) {
	struct server *server = cursor->server;
	cursor->n_buttons -= cursor->n_buttons > 0;
	if (cursor_take_client_button(cursor, button)) {
		wlr_seat_pointer_notify_button(server->wlr_seat, time_ms, button,
				WL_POINTER_BUTTON_STATE_RELEASED);
	}
	if (cursor->n_buttons > 0) {
		return;
	}
	if (cursor->mode == CURSOR_MOVE || cursor->mode == CURSOR_RESIZE) {
		cursor_grab_end(cursor);
	} else if (cursor->mode == CURSOR_FRAME) {
		struct hit hit = hit_test(server, cursor->wlr_cursor->x, cursor->wlr_cursor->y);
		struct view *view = view_from_window(cursor->pressed_window);
		cursor->mode = CURSOR_PASSTHROUGH;
		if (view != NULL && hit.window == cursor->pressed_window &&
				hit.part == cursor->pressed_part) {
			cursor_activate_part(view, hit.part);
		}
		cursor->pressed_window = NULL;
	}
	cursor->mode = CURSOR_PASSTHROUGH;
	cursor_point(cursor, time_ms);
}

void cursor_button(struct server *server, uint32_t time_ms, uint32_t button, bool pressed) {
	idle_notify_activity(server);
	if (pressed) {
		cursor_press(server->cursor, time_ms, button);
	} else {
		cursor_release(server->cursor, time_ms, button);
	}
}

void cursor_warp(struct server *server, double x, double y) {
	wlr_cursor_warp_closest(server->cursor->wlr_cursor, NULL, x, y);
}

void cursor_warp_surface(struct server *server, double sx, double sy) {
	const struct wlr_seat_pointer_state *state = &server->wlr_seat->pointer_state;
	double x = server->cursor->wlr_cursor->x + sx - state->sx;
	double y = server->cursor->wlr_cursor->y + sy - state->sy;
	if (hit_test(server, x, y).surface == state->focused_surface &&
			!constraints_is_locked(server)) {
		cursor_warp(server, x, y);
		cursor_motion(server, now_ms());
		wlr_seat_pointer_notify_frame(server->wlr_seat);
	}
}

static void cursor_handle_motion(struct wl_listener *listener, void *data) {
	struct cursor *cursor = wl_container_of(listener, cursor, motion);
	const struct wlr_pointer_motion_event *event = data;
	double dx = event->delta_x, dy = event->delta_y;
	constraints_send_relative(cursor->server, event);
	if (constraints_apply(cursor->server, &dx, &dy)) {
		wlr_cursor_move(cursor->wlr_cursor, &event->pointer->base, dx, dy);
		cursor_motion(cursor->server, event->time_msec);
	}
}

static void cursor_handle_motion_absolute(struct wl_listener *listener, void *data) {
	struct cursor *cursor = wl_container_of(listener, cursor, motion_absolute);
	const struct wlr_pointer_motion_absolute_event *event = data;
	double x, y;
	wlr_cursor_absolute_to_layout_coords(
			cursor->wlr_cursor, &event->pointer->base, event->x, event->y, &x, &y);
	double dx = x - cursor->wlr_cursor->x, dy = y - cursor->wlr_cursor->y;
	constraints_send_relative(cursor->server, &(struct wlr_pointer_motion_event){
		.pointer = event->pointer,
		.time_msec = event->time_msec,
		.delta_x = dx,
		.delta_y = dy,
		.unaccel_dx = dx,
		.unaccel_dy = dy,
	});
	if (constraints_apply(cursor->server, &dx, &dy)) {
		wlr_cursor_move(cursor->wlr_cursor, &event->pointer->base, dx, dy);
		cursor_motion(cursor->server, event->time_msec);
	}
}

static void cursor_handle_button(struct wl_listener *listener, void *data) {
	struct cursor *cursor = wl_container_of(listener, cursor, button);
	const struct wlr_pointer_button_event *event = data;
	cursor_button(cursor->server, event->time_msec, event->button,
		event->state == WL_POINTER_BUTTON_STATE_PRESSED);
}

static void cursor_handle_axis(struct wl_listener *listener, void *data) {
	struct cursor *cursor = wl_container_of(listener, cursor, axis);
	const struct wlr_pointer_axis_event *event = data;
	idle_notify_activity(cursor->server);
	wlr_seat_pointer_notify_axis(cursor->server->wlr_seat, event->time_msec, event->orientation,
			event->delta, event->delta_discrete, event->source,
			event->relative_direction);
}

static void cursor_handle_frame(struct wl_listener *listener, void *data) {
	struct cursor *cursor = wl_container_of(listener, cursor, frame);
	wlr_seat_pointer_notify_frame(cursor->server->wlr_seat);
}

void cursor_position(struct server *server, double *x, double *y) {
	*x = server->cursor->wlr_cursor->x;
	*y = server->cursor->wlr_cursor->y;
}

void cursor_add_pointer(struct server *server, struct wlr_input_device *device) {
	wlr_cursor_attach_input_device(server->cursor->wlr_cursor, device);
}

void cursor_map_pointer(
		struct server *server, struct wlr_input_device *device, struct wlr_output *output) {
	wlr_cursor_map_input_to_output(server->cursor->wlr_cursor, device, output);
}

void cursor_handle_layout_change(struct server *server) {
	struct cursor *cursor = server->cursor;
	struct wlr_box box;
	wlr_output_layout_get_box(server->output_layout, NULL, &box);
	if (!cursor->placed && !wlr_box_empty(&box)) {
		cursor->placed = true;
		cursor_warp(server, box.x + box.width / 2.0, box.y + box.height / 2.0);
	} else {
		cursor_warp(server, cursor->wlr_cursor->x, cursor->wlr_cursor->y);
	}
	cursor_refresh(server);
}

static void cursor_forget_window(struct cursor *cursor, struct window *window) {
	if (cursor->hover_window == window) {
		cursor->hover_window = NULL;
	}
	if (cursor->pressed_window == window) {
		cursor->pressed_window = NULL;
	}
	if (cursor->last_title == window) {
		cursor->last_title = NULL;
	}
}

void cursor_forget_view(struct server *server, struct view *view) {
	cursor_forget_window(server->cursor, &view->window);
	if (server->cursor->grabbed == view) {
		cursor_grab_end(server->cursor);
	}
}

static void listen(
		struct wl_listener *listener, wl_notify_func_t notify, struct wl_signal *signal) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

static void cursor_handle_new_surface(struct wl_listener *listener, void *data) {
	struct cursor *cursor = wl_container_of(listener, cursor, new_surface);
	struct wlr_surface *surface = data;
	struct cursor_watch *watch = calloc(1, sizeof(*watch));
	if (watch == NULL) {
		wl_resource_post_no_memory(surface->resource);
		return;
	}
	watch->cursor = cursor;
	wl_list_insert(&cursor->watches, &watch->link);
	listen(&watch->commit, cursor_watch_handle_commit, &surface->events.commit);
	listen(&watch->destroy, cursor_watch_handle_destroy, &surface->events.destroy);
}

struct cursor *cursor_create(struct server *server) {
	struct cursor *cursor = calloc(1, sizeof(*cursor));
	if (cursor == NULL) {
		return NULL;
	}
	cursor->server = server;
	cursor->wlr_cursor = wlr_cursor_create();
	if (cursor->wlr_cursor == NULL || !cursor_image_init(cursor)) {
		if (cursor->wlr_cursor != NULL) {
			wlr_cursor_destroy(cursor->wlr_cursor);
		}
		free(cursor);
		return NULL;
	}
	wlr_cursor_attach_output_layout(cursor->wlr_cursor, server->output_layout);
	listen(&cursor->motion, cursor_handle_motion, &cursor->wlr_cursor->events.motion);
	listen(&cursor->motion_absolute, cursor_handle_motion_absolute,
			&cursor->wlr_cursor->events.motion_absolute);
	listen(&cursor->button, cursor_handle_button, &cursor->wlr_cursor->events.button);
	listen(&cursor->axis, cursor_handle_axis, &cursor->wlr_cursor->events.axis);
	listen(&cursor->frame, cursor_handle_frame, &cursor->wlr_cursor->events.frame);
	listen(&cursor->focus_change, cursor_handle_focus_change,
		&server->wlr_seat->pointer_state.events.focus_change);
	wl_list_init(&cursor->watches);
	listen(&cursor->new_surface, cursor_handle_new_surface,
			&server->compositor->events.new_surface);
	return cursor;
}

void cursor_destroy(struct cursor *cursor) {
	if (cursor == NULL) {
		return;
	}
	wl_list_remove(&cursor->motion.link);
	wl_list_remove(&cursor->motion_absolute.link);
	wl_list_remove(&cursor->button.link);
	wl_list_remove(&cursor->axis.link);
	wl_list_remove(&cursor->frame.link);
	wl_list_remove(&cursor->focus_change.link);
	wl_list_remove(&cursor->new_surface.link);
	struct cursor_watch *watch, *next;
	wl_list_for_each_safe(watch, next, &cursor->watches, link) {
		cursor_watch_destroy(watch);
	}
	if (cursor->settle != NULL) {
		wl_event_source_remove(cursor->settle);
	}
	cursor_image_finish(cursor);
	wlr_cursor_destroy(cursor->wlr_cursor);
	free(cursor);
}
