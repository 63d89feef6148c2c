/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/tablet.h"

#include <linux/input-event-codes.h>
#include <math.h>
#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_tablet_pad.h>
#include <wlr/types/wlr_tablet_tool.h>
#include <wlr/types/wlr_tablet_v2.h>

#include "guivm-server/cursor.h"
#include "guivm-server/focus.h"
#include "guivm-server/hit.h"
#include "guivm-server/idle.h"
#include "guivm-server/server.h"
#include "guivm-server/tablet_private.h"
#include "guivm-server/view.h"

static void tool_handle_destroy(struct wl_listener *listener, void *data) {
	struct tool *tool = wl_container_of(listener, tool, destroy);
	if (tool->plays_pointer && !tool->tablets->server->terminating) {
		cursor_button(tool->tablets->server, 0, BTN_LEFT, false);
	}
	wl_list_remove(&tool->destroy.link);
	wl_list_remove(&tool->link);
	tool->wlr_tool->data = NULL;
	free(tool);
}

static struct tool *tool_get(struct tablets *tablets, struct wlr_tablet_tool *wlr_tool) {
	if (wlr_tool->data != NULL) {
		return wlr_tool->data;
	}
	struct tool *tool = calloc(1, sizeof(*tool));
	if (tool == NULL) {
		return NULL;
	}
	tool->v2 = wlr_tablet_tool_create(tablets->manager, tablets->server->wlr_seat, wlr_tool);
	if (tool->v2 == NULL) {
		free(tool);
		return NULL;
	}
	tool->tablets = tablets;
	tool->wlr_tool = wlr_tool;
	wlr_tool->data = tool;
	wl_list_insert(&tablets->tools, &tool->link);
	tool->destroy.notify = tool_handle_destroy;
	wl_signal_add(&wlr_tool->events.destroy, &tool->destroy);
	return tool;
}

/* Something was done with the tool: it is known from now on. NULL on no memory. */
static struct tool *tablet_use(struct tablet *tablet, struct wlr_tablet_tool *wlr_tool) {
	idle_notify_activity(tablet->tablets->server);
	return tool_get(tablet->tablets, wlr_tool);
}

static void tablet_move_cursor(struct tablet *tablet, double x, double y) {
	struct server *server = tablet->tablets->server;
	double lx, ly;
	wlr_cursor_absolute_to_layout_coords(server->cursor->wlr_cursor, &tablet->device->base,
			x, y, &lx, &ly);
	cursor_warp(server, lx, ly);
}

/*
 * Tells whom it is over. False: nobody there knows tablets, the pointer is to do. The picture stays
 * the compositor's own in any case: the rules for clients' images are about the pointer.
 */
static bool tool_point(struct tool *tool, struct tablet *tablet, struct hit *hit) {
	struct server *server = tablet->tablets->server;
	double x, y;
	cursor_position(server, &x, &y);
	*hit = hit_test(server, x, y);
	bool free_to_point = server->cursor->mode == CURSOR_PASSTHROUGH && !tool->plays_pointer;
	/*
	 * What is pressed goes where it began, and nowhere when that is gone: not to what another
	 * VM has below it. wlroots would also remember that one, and not notice when it goes.
	 */
	if (wlr_tablet_tool_v2_has_implicit_grab(tool->v2)) {
		if (tool->v2->focused_surface != NULL) {
			wlr_tablet_v2_tablet_tool_notify_motion(
					tool->v2, x - tool->origin_x, y - tool->origin_y);
		}
		return true;
	}
	if (!free_to_point || server->wlr_seat->drag != NULL || hit->surface == NULL ||
			!wlr_surface_accepts_tablet_v2(hit->surface, tablet->v2)) {
		if (tool->v2->focused_surface != NULL) {
			wlr_tablet_v2_tablet_tool_notify_proximity_out(tool->v2);
		}
		return false;
	}
	wlr_tablet_v2_tablet_tool_notify_proximity_in(tool->v2, tablet->v2, hit->surface);
	wlr_tablet_v2_tablet_tool_notify_motion(tool->v2, hit->sx, hit->sy);
	tool->origin_x = x - hit->sx;
	tool->origin_y = y - hit->sy;
	return true;
}

/* Moves the cursor and points; the pointer's motion where nobody there knows tablets. */
static void tool_move(struct tool *tool, struct tablet *tablet, double x, double y,
		uint32_t time_ms) {
	tablet_move_cursor(tablet, x, y);
	struct hit hit;
	if (!tool_point(tool, tablet, &hit)) {
		cursor_motion(tablet->tablets->server, time_ms);
	}
}

static void tablet_handle_proximity(struct wl_listener *listener, void *data) {
	struct tablet *tablet = wl_container_of(listener, tablet, proximity);
	const struct wlr_tablet_tool_proximity_event *event = data;
	struct tool *tool = tablet_use(tablet, event->tool);
	if (tool == NULL) {
		return;
	}
	tool->tablet = tablet;
	if (event->state == WLR_TABLET_TOOL_PROXIMITY_OUT) {
		wlr_tablet_v2_tablet_tool_notify_proximity_out(tool->v2);
		return;
	}
	tool_move(tool, tablet, event->x, event->y, event->time_msec);
}

static void tool_send_axes(struct tool *tool, const struct wlr_tablet_tool_axis_event *event) {
	if (event->updated_axes & WLR_TABLET_TOOL_AXIS_PRESSURE) {
		wlr_tablet_v2_tablet_tool_notify_pressure(tool->v2, event->pressure);
	}
	if (event->updated_axes & WLR_TABLET_TOOL_AXIS_DISTANCE) {
		wlr_tablet_v2_tablet_tool_notify_distance(tool->v2, event->distance);
	}
	if (event->updated_axes & (WLR_TABLET_TOOL_AXIS_TILT_X | WLR_TABLET_TOOL_AXIS_TILT_Y)) {
		wlr_tablet_v2_tablet_tool_notify_tilt(tool->v2, event->tilt_x, event->tilt_y);
	}
	if (event->updated_axes & WLR_TABLET_TOOL_AXIS_ROTATION) {
		wlr_tablet_v2_tablet_tool_notify_rotation(tool->v2, event->rotation);
	}
	if (event->updated_axes & WLR_TABLET_TOOL_AXIS_SLIDER) {
		wlr_tablet_v2_tablet_tool_notify_slider(tool->v2, event->slider);
	}
	if (event->updated_axes & WLR_TABLET_TOOL_AXIS_WHEEL) {
		wlr_tablet_v2_tablet_tool_notify_wheel(tool->v2, event->wheel_delta, 0);
	}
}

static void tablet_handle_axis(struct wl_listener *listener, void *data) {
	struct tablet *tablet = wl_container_of(listener, tablet, axis);
	const struct wlr_tablet_tool_axis_event *event = data;
	struct tool *tool = tablet_use(tablet, event->tool);
	if (tool == NULL) {
		return;
	}
	if (event->updated_axes & (WLR_TABLET_TOOL_AXIS_X | WLR_TABLET_TOOL_AXIS_Y)) {
		bool x = event->updated_axes & WLR_TABLET_TOOL_AXIS_X;
		bool y = event->updated_axes & WLR_TABLET_TOOL_AXIS_Y;
		tool_move(tool, tablet, x ? event->x : (double)NAN, y ? event->y : (double)NAN,
				event->time_msec);
	}
	if (tool->v2->focused_surface != NULL) {
		tool_send_axes(tool, event);
	}
}

static void tool_focus_view(struct server *server, struct wlr_surface *surface) {
	struct view *view = view_from_surface(surface);
	if (view != NULL && (view != focus_view(server) || focus_layer(server) != NULL)) {
		focus_set_view(server, view);
	}
	if (view != NULL) {
		focus_use_view(view);
	}
}

static void tablet_handle_tip(struct wl_listener *listener, void *data) {
	struct tablet *tablet = wl_container_of(listener, tablet, tip);
	const struct wlr_tablet_tool_tip_event *event = data;
	struct server *server = tablet->tablets->server;
	struct tool *tool = tablet_use(tablet, event->tool);
	struct hit hit;
	if (tool == NULL) {
		return;
	}
	if (event->state == WLR_TABLET_TOOL_TIP_UP) {
		if (tool->plays_pointer) {
			tool->plays_pointer = false;
			cursor_button(server, event->time_msec, BTN_LEFT, false);
			wlr_seat_pointer_notify_frame(server->wlr_seat);
		} else {
			wlr_tablet_v2_tablet_tool_notify_up(tool->v2);
		}
		return;
	}
	if (tool_point(tool, tablet, &hit)) {
		tool_focus_view(server, tool->v2->focused_surface);
		wlr_tablet_v2_tablet_tool_notify_down(tool->v2);
		wlr_tablet_tool_v2_start_implicit_grab(tool->v2);
		return;
	}
	tool->plays_pointer = true;
	cursor_motion(server, event->time_msec);
	cursor_button(server, event->time_msec, BTN_LEFT, true);
	wlr_seat_pointer_notify_frame(server->wlr_seat);
}

static void tablet_handle_button(struct wl_listener *listener, void *data) {
	struct tablet *tablet = wl_container_of(listener, tablet, button);
	const struct wlr_tablet_tool_button_event *event = data;
	struct tool *tool = tablet_use(tablet, event->tool);
	if (tool != NULL) {
		wlr_tablet_v2_tablet_tool_notify_button(tool->v2, event->button,
				event->state == WLR_BUTTON_PRESSED
					? ZWP_TABLET_PAD_V2_BUTTON_STATE_PRESSED
					: ZWP_TABLET_PAD_V2_BUTTON_STATE_RELEASED);
		wlr_tablet_tool_v2_start_implicit_grab(tool->v2); // while it is pressed
	}
}

static void tablet_handle_destroy(struct wl_listener *listener, void *data) {
	struct tablet *tablet = wl_container_of(listener, tablet, destroy);
	tablet_pads_forget(tablet);
	struct tool *tool;
	wl_list_for_each(tool, &tablet->tablets->tools, link) {
		if (tool->tablet == tablet) {
			tool->tablet = NULL;
		}
	}
	wl_list_remove(&tablet->link);
	wl_list_remove(&tablet->axis.link);
	wl_list_remove(&tablet->proximity.link);
	wl_list_remove(&tablet->tip.link);
	wl_list_remove(&tablet->button.link);
	wl_list_remove(&tablet->destroy.link);
	free(tablet);
}

void tablet_listen(
		struct wl_listener *listener, wl_notify_func_t notify, struct wl_signal *signal) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

void tablet_add(struct server *server, struct wlr_input_device *device) {
	struct tablets *tablets = server->tablets;
	struct tablet *tablet = calloc(1, sizeof(*tablet));
	if (tablet == NULL) {
		return;
	}
	tablet->tablets = tablets;
	tablet->device = wlr_tablet_from_input_device(device);
	tablet->v2 = wlr_tablet_create(tablets->manager, server->wlr_seat, device);
	if (tablet->v2 == NULL) {
		free(tablet);
		return;
	}
	wlr_cursor_attach_input_device(server->cursor->wlr_cursor, device);
	wl_list_insert(&tablets->list, &tablet->link);
	tablet_listen(&tablet->axis, tablet_handle_axis, &tablet->device->events.axis);
	tablet_listen(&tablet->proximity, tablet_handle_proximity,
			&tablet->device->events.proximity);
	tablet_listen(&tablet->tip, tablet_handle_tip, &tablet->device->events.tip);
	tablet_listen(&tablet->button, tablet_handle_button, &tablet->device->events.button);
	tablet_listen(&tablet->destroy, tablet_handle_destroy, &device->events.destroy);
	tablet_pads_adopt(tablet);
}

static void tablets_handle_keyboard_focus(struct wl_listener *listener, void *data) {
	struct tablets *tablets = wl_container_of(listener, tablets, keyboard_focus);
	tablet_pads_follow(tablets);
}

struct tablets *tablets_create(struct server *server) {
	struct tablets *tablets = calloc(1, sizeof(*tablets));
	if (tablets == NULL) {
		return NULL;
	}
	tablets->server = server;
	tablets->manager = wlr_tablet_v2_create(server->display);
	wl_list_init(&tablets->list);
	wl_list_init(&tablets->pads);
	wl_list_init(&tablets->tools);
	if (tablets->manager == NULL) {
		free(tablets);
		return NULL;
	}
	tablet_listen(&tablets->keyboard_focus, tablets_handle_keyboard_focus,
			&server->wlr_seat->keyboard_state.events.focus_change);
	return tablets;
}

void tablets_destroy(struct tablets *tablets) {
	if (tablets == NULL) {
		return;
	}
	wl_list_remove(&tablets->keyboard_focus.link);
	/* The devices themselves go with the backend. */
	tablet_pads_destroy(tablets);
	struct tablet *tablet, *next_tablet;
	wl_list_for_each_safe(tablet, next_tablet, &tablets->list, link) {
		tablet_handle_destroy(&tablet->destroy, NULL);
	}
	struct tool *tool, *next_tool;
	wl_list_for_each_safe(tool, next_tool, &tablets->tools, link) {
		tool_handle_destroy(&tool->destroy, NULL);
	}
	free(tablets);
}
