/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_SEAT_H
#define ISTHMUS_GUIVM_SERVER_SEAT_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

struct drag;
struct keyboard;
struct layer;
struct server;
struct view;
struct wlr_input_device;
struct wlr_surface;

/* Input devices and the keyboard's whereabouts. */
struct seat {
	struct server *server;
	struct wl_list keyboards; // keyboard.link
	struct keyboard *fallback; // a keyboard without keys: clients always get a keymap
	struct wl_list touches; // touch_device.link
	struct view *focused_view; // see focus.h
	struct layer *focused_layer;
	struct drag *drag; // NULL: no drag icon is shown
	struct wl_event_source *grab_check; // NULL: none is due
	struct wl_protocol_logger *grab_logger; // sees requests before wlroots does
	struct wl_listener pointer_grab_begin;
	struct wl_listener request_start_drag, start_drag;
	struct wl_listener new_input, new_virtual_keyboard, new_virtual_pointer;
};

/* Makes the wlr_seat as well. NULL on no memory. */
struct seat *seat_create(struct server *server);
/* After all clients are gone, before the backend goes. NULL is legal. */
void seat_destroy(struct seat *seat);

/*
 * A device of the backend, of a virtual input protocol, or of a test; it leaves when it is
 * destroyed.
 */
void seat_add_device(struct server *server, struct wlr_input_device *device);

/*
 * Moves the keyboard to a surface, or away from all (NULL). No key that was pressed before is told
 * to the new one, so that nothing that was typed in one VM reaches another.
 */
void seat_keyboard_enter(struct server *server, struct wlr_surface *surface);
/* The same while a popup's grab keeps the keyboard: among windows of the client that has it. */
void seat_keyboard_enter_in_grab(struct server *server, struct wlr_surface *surface);

#endif
