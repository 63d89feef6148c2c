/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_FOCUS_H
#define ISTHMUS_GUIVM_SERVER_FOCUS_H

#include <stdbool.h>

struct layer;
struct server;
struct view;
struct wlr_surface;

/*
 * Keyboard focus and the stack of windows. The order of server.views is both: most recently focused
 * first, drawn on top of those after it. Only what the user did, or the going away of a window,
 * changes the focus.
 */

/*
 * The window that has, or has again once a layer surface gives it back, the keyboard. NULL: none.
 */
struct view *focus_view(struct server *server);

/* For what the user did. NULL takes the focus from all windows. */
void focus_set_view(struct server *server, struct view *view);
/* Focuses the most recent window that can be seen: after the focused one went. */
void focus_next(struct server *server);

/*
 * A new window: gets the focus when the user can expect that (nothing is focused, or a window of
 * the same VM, or the user started an application there); otherwise it goes beneath the focused one
 * and asks for attention.
 */
void focus_map_view(struct server *server, struct view *view);
/* A window that is unmapped, minimised or destroyed: it loses the focus. */
void focus_drop_view(struct server *server, struct view *view);

/* Draws the windows in the order of server.views, with raised (may be NULL) above all. */
void focus_restack(struct server *server, struct view *raised);

/* Where the keyboard belongs while no popup has it; NULL: nowhere. */
struct wlr_surface *focus_surface(struct server *server);
/* Sends the keyboard where it belongs: after a grab ended that kept it. */
void focus_apply(struct server *server);

/*
 * Layer surfaces: layer gets the keyboard and keeps it until it is taken or given back by
 * focus_drop_layer().
 */
void focus_set_layer(struct server *server, struct layer *layer);
void focus_drop_layer(struct server *server, struct layer *layer);
struct layer *focus_layer(struct server *server);

#endif
