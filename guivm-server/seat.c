/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/seat.h"

#include <stdlib.h>
#include <wlr/backend.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_virtual_keyboard_v1.h>
#include <wlr/types/wlr_virtual_pointer_v1.h>

#include "guivm-server/constraints.h"
#include "guivm-server/cursor.h"
#include "guivm-server/drag.h"
#include "guivm-server/keyboard.h"
#include "guivm-server/popup.h"
#include "guivm-server/selection.h"
#include "guivm-server/server.h"
#include "guivm-server/tablet.h"
#include "guivm-server/touch.h"

static void seat_enter(struct server *server, struct wlr_surface *surface, bool in_grab) {
	struct wlr_seat *seat = server->wlr_seat;
	if (seat->keyboard_state.focused_surface == surface) {
		return;
	}
	keyboards_forget_sent(server);
	if (surface == NULL) {
		if (in_grab) {
			wlr_seat_keyboard_clear_focus(seat);
		} else {
			wlr_seat_keyboard_notify_clear_focus(seat);
		}
	} else {
		struct wlr_keyboard *keyboard = wlr_seat_get_keyboard(seat);
		selection_enter(server->selection, wl_resource_get_client(surface->resource));
		(in_grab ? wlr_seat_keyboard_enter : wlr_seat_keyboard_notify_enter)(seat, surface,
				NULL, 0, keyboard != NULL ? &keyboard->modifiers : NULL);
	}
	constraints_update(server);
}

void seat_keyboard_enter(struct server *server, struct wlr_surface *surface) {
	seat_enter(server, surface, false);
}

void seat_keyboard_enter_in_grab(struct server *server, struct wlr_surface *surface) {
	seat_enter(server, surface, true);
}

void seat_add_device(struct server *server, struct wlr_input_device *device) {
	uint32_t capabilities = server->wlr_seat->capabilities;
	switch (device->type) {
	case WLR_INPUT_DEVICE_KEYBOARD:
		keyboard_create(server, wlr_keyboard_from_input_device(device), false);
		break;
	case WLR_INPUT_DEVICE_POINTER:
		cursor_add_pointer(server, device);
		break;
	case WLR_INPUT_DEVICE_TOUCH:
		touch_add_device(server, device);
		capabilities |= WL_SEAT_CAPABILITY_TOUCH;
		break;
	case WLR_INPUT_DEVICE_TABLET:
		tablet_add(server, device);
		break;
	case WLR_INPUT_DEVICE_TABLET_PAD:
		tablet_add_pad(server, device);
		break;
	default:
		return;
	}
	if (capabilities != server->wlr_seat->capabilities) {
		wlr_seat_set_capabilities(server->wlr_seat, capabilities);
	}
}

static void seat_handle_new_input(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, new_input);
	seat_add_device(seat->server, data);
}

static void seat_handle_new_virtual_keyboard(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, new_virtual_keyboard);
	struct wlr_virtual_keyboard_v1 *virtual_keyboard = data;
	keyboard_create(seat->server, &virtual_keyboard->keyboard, true);
}

static void seat_handle_new_virtual_pointer(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, new_virtual_pointer);
	const struct wlr_virtual_pointer_v1_new_pointer_event *event = data;
	seat_add_device(seat->server, &event->new_pointer->pointer.base);
	if (event->suggested_output != NULL) {
		cursor_map_pointer(seat->server, &event->new_pointer->pointer.base,
				event->suggested_output);
	}
}

static void listen(
		struct wl_listener *listener, wl_notify_func_t notify, struct wl_signal *signal) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

struct seat *seat_create(struct server *server) {
	struct wlr_virtual_keyboard_manager_v1 *keyboards =
			wlr_virtual_keyboard_manager_v1_create(server->display);
	struct wlr_virtual_pointer_manager_v1 *pointers =
			wlr_virtual_pointer_manager_v1_create(server->display);
	struct seat *seat = calloc(1, sizeof(*seat));
	server->wlr_seat = wlr_seat_create(server->display, "seat0");
	if (seat == NULL || keyboards == NULL || pointers == NULL || server->wlr_seat == NULL) {
		free(seat);
		return NULL;
	}
	server->seat = seat;
	seat->server = server;
	wl_list_init(&seat->keyboards);
	wl_list_init(&seat->touches);
	seat->fallback = keyboard_create_fallback(server);
	if (seat->fallback == NULL) {
		free(seat);
		return NULL;
	}
	keyboards_configure(server);
	wlr_seat_set_keyboard(server->wlr_seat, seat->fallback->wlr_keyboard);
	/* From the start and always: toolkits take devices that come and go badly. */
	wlr_seat_set_capabilities(
			server->wlr_seat, WL_SEAT_CAPABILITY_POINTER | WL_SEAT_CAPABILITY_KEYBOARD);
	listen(&seat->new_input, seat_handle_new_input, &server->backend->events.new_input);
	listen(&seat->new_virtual_keyboard, seat_handle_new_virtual_keyboard,
			&keyboards->events.new_virtual_keyboard);
	listen(&seat->new_virtual_pointer, seat_handle_new_virtual_pointer,
			&pointers->events.new_virtual_pointer);
	popups_watch_grabs(server);
	drag_watch(server);
	return seat;
}

void seat_destroy(struct seat *seat) {
	if (seat == NULL) {
		return;
	}
	popups_unwatch_grabs(seat->server);
	drag_unwatch(seat->server);
	wl_list_remove(&seat->new_input.link);
	wl_list_remove(&seat->new_virtual_keyboard.link);
	wl_list_remove(&seat->new_virtual_pointer.link);
	keyboard_destroy_fallback(seat->fallback);
	/* Devices go later, with the backend: they are to leave lists without a head then. */
	wl_list_remove(&seat->keyboards);
	wl_list_remove(&seat->touches);
	free(seat);
}
