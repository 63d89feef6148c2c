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
/*
 * A new window: gets the focus when the user can expect that (nothing is focused, or a window of
 * the same VM, or the user started an application there); otherwise it goes beneath the focused one
 * and asks for attention.
 */
void focus_map_view(struct server *server, struct view *view);
/*
 * A window that is unmapped, minimised or destroyed: it loses the focus, to the most recent one
 * that can be seen and is of its VM or had the focus before. What another VM showed meanwhile, and
 * the user never looked at, is not to get the keys that are just being typed.
 */
void focus_drop_view(struct server *server, struct view *view);

/* Draws the windows in the order of server.views, with raised (may be NULL) above all. */
void focus_restack(struct server *server, struct view *raised);

/* Where the keyboard belongs while no popup has it; NULL: nowhere. */
struct wlr_surface *focus_surface(struct server *server);
/*
 * The user types into this window or points at it: applications of other VMs that were started
 * before get no focus for that any more.
 */
void focus_use_view(struct view *view);
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
