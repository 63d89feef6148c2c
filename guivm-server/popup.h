/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_POPUP_H
#define ISTHMUS_GUIVM_SERVER_POPUP_H

#include <wayland-server-core.h>

#include "guivm-server/window.h"

struct layer;
struct server;
struct wlr_xdg_popup;

/*
 * A menu, tooltip and such: framed like everything else, kept on the screen, above its parent's
 * frame.
 */
struct popup {
	struct window window;
	struct wlr_xdg_popup *popup;
	struct window *parent_window; // NULL: of a layer surface, or the parent is gone
	struct layer *parent_layer; // NULL: of a window, or the parent is gone
	struct wl_listener map, unmap, commit, reposition, destroy;
};

/*
 * Takes care of the popup until it is destroyed. Its parent must be a window or a layer surface of
 * ours.
 */
void popup_create(struct server *server, struct wlr_xdg_popup *wlr_popup);

/*
 * Its popups went with the window: those that asked for it are placed anew, and all are kept on the
 * screen.
 */
void popups_parent_moved(struct window *parent);

/* Popups of this window or layer surface do without it from now on. */
void popups_forget_window(struct server *server, struct window *parent);
void popups_forget_layer(struct server *server, struct layer *layer);

/*
 * Watches for popup grabs: xdg_popup.grab of a client that has not got the keyboard is undone,
 * since it would keep the user's input from everybody else.
 */
void popups_watch_grabs(struct server *server);
void popups_unwatch_grabs(struct server *server);
/* Closes all grabbing popups but those of client (may be NULL): the focus goes elsewhere. */
void popups_dismiss_grabs(struct server *server, const struct wl_client *client);

#endif
