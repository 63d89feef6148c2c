/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_CURSOR_H
#define ISTHMUS_GUIVM_SERVER_CURSOR_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wlr/util/box.h>

#include "borders/geometry.h"

struct server;
struct view;
struct window;
struct wlr_input_device;
struct wlr_output;
struct wlr_surface;

#define CURSOR_MAX_BUTTONS 16

enum cursor_mode {
	CURSOR_PASSTHROUGH, // what is under the pointer gets its events
	CURSOR_CLIENT, // a button pressed on a surface is held: that one keeps the pointer
	CURSOR_FRAME, // a button of a title bar is held
	CURSOR_MOVE,
	CURSOR_RESIZE,
};

/* The pointer: its image, what is under it, and what is being done with it. */
struct cursor {
	struct server *server;
	struct wlr_cursor *wlr_cursor;
	struct wlr_xcursor_manager *xcursors;
	bool placed; // in the middle of the first output
	const char *shape; // the compositor's own image that is shown; NULL: a client's or none
	struct wlr_surface *image; // the client's image; NULL: none
	bool image_hidden; // the default shape is shown in its place, as it does not fit
	int32_t hotspot_x, hotspot_y; // of image

	enum cursor_mode mode;
	struct window *hover_window; // whose title bar button is under the pointer; NULL: none's
	struct window *pressed_window; // CURSOR_FRAME
	enum frame_part pressed_part;
	/* CURSOR_CLIENT: layout position of the surface's corner at the press */
	double origin_x, origin_y;
	struct view *grabbed; // CURSOR_MOVE, CURSOR_RESIZE
	double grab_x, grab_y; // pointer at the start
	struct wlr_box grab_box; // content box at the start
	uint32_t grab_edges; // enum wlr_edges

	struct window *last_title; // the double click's first half
	uint32_t last_title_ms;
	uint32_t client_buttons[CURSOR_MAX_BUTTONS]; // whose press went to a client
	size_t n_client_buttons, n_buttons; // n_buttons: held in all

	struct wl_listener motion, motion_absolute, button, axis, frame;
	struct wl_listener request_set_cursor, request_set_shape, image_commit, image_destroy;
	struct wl_listener focus_change;

	bool stale; // what is under the pointer may have changed
	struct wl_event_source *settle; // armed while stale; NULL: not
	struct wl_list watches; // cursor_watch.link
	struct wl_listener new_surface;
};

/* NULL on no memory. */
struct cursor *cursor_create(struct server *server);
void cursor_destroy(struct cursor *cursor);

void cursor_position(struct server *server, double *x, double *y);
void cursor_add_pointer(struct server *server, struct wlr_input_device *device);
void cursor_map_pointer(
		struct server *server, struct wlr_input_device *device, struct wlr_output *output);

/* The scene changed under the pointer: finds out again what is there. */
void cursor_refresh(struct server *server);
/*
 * Any commit may change what is under the pointer. That is found out once at the end of the event
 * loop's turn, or by this call before.
 */
void cursor_settle(struct server *server);
void cursor_handle_layout_change(struct server *server);
/* No stored pointer to the view or its window is left. */
void cursor_forget_view(struct server *server, struct view *view);

/* The pointer, or a finger in its place on a frame. */
void cursor_motion(struct server *server, uint32_t time_ms);
void cursor_button(struct server *server, uint32_t time_ms, uint32_t button, bool pressed);
void cursor_warp(struct server *server, double x, double y);
/* Inside the surface that has the pointer, as far as that shows there; else nothing happens. */
void cursor_warp_surface(struct server *server, double sx, double sy);

/* grab.c: the window follows the pointer until all buttons are up. */
void cursor_begin_move(struct server *server, struct view *view);
void cursor_begin_resize(struct server *server, struct view *view, uint32_t untrusted_edges);
void cursor_grab_motion(struct cursor *cursor);
void cursor_grab_end(struct cursor *cursor);

/* cursor-image.c: the picture. */
bool cursor_image_init(struct cursor *cursor);
void cursor_image_finish(struct cursor *cursor);
void cursor_set_shape(struct cursor *cursor, const char *name);
/* After the pointer, or what is around it, moved. */
void cursor_update_image(struct cursor *cursor);

#endif
