/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_VIEW_H
#define ISTHMUS_GUIVM_SERVER_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wlr/util/box.h>

#include "guivm-server/window.h"

struct output;
struct server;
struct toplevel_entry;
struct wlr_xdg_toplevel;

/* Logical pixels of content: less than this and the name in the title bar cannot be read. */
#define VIEW_MIN_WIDTH 120
#define VIEW_MIN_HEIGHT 24

/* A toplevel: a window that people move, size, focus and close. */
struct view {
	struct window window;
	struct wl_list link; // server.views
	struct wlr_xdg_toplevel *toplevel;
	struct toplevel_entry *entry; // in the list for task bars; NULL while unmapped
	struct output *output; // where it is shown; NULL: no output is left

	bool minimized, maximized, fullscreen;
	bool fullscreen_wanted; // the application asked, the user has not answered
	bool attention;
	bool had_focus; // since it was mapped
	bool placed;
	bool pinned; // see view_pin()
	struct wlr_box restore; // content box before maximise or fullscreen; empty: none

	uint32_t resize_edges; // enum wlr_edges: sides that move; 0 when no resize is under way
	bool resizing; // the user still holds the edge
	struct wlr_box resize_target; // content box asked for
	uint32_t resize_serial; // of the configure event that asked for it

	struct wl_listener map, unmap, commit, destroy, new_popup;
	struct wl_listener request_move, request_resize, request_maximize, request_fullscreen;
	struct wl_listener request_minimize, set_title, set_app_id, set_parent;
};

/* The view that a surface belongs to, over its popups and subsurfaces; NULL: no toplevel's. */
struct view *view_from_surface(struct wlr_surface *surface);
struct view *view_from_window(struct window *window);

/* Whether two views are of the same VM, or both the GUI VM's own. */
bool view_same_domain(const struct view *a, const struct view *b);

void view_move(struct view *view, int x, int y);
/*
 * Puts the content's corner exactly there and keeps it from being brought back within reach or
 * placed anew: for tests, which know where they look.
 */
void view_pin(struct view *view, int x, int y);
/* An interactive resize: target is the content box, edges (enum wlr_edges) the sides that move. */
void view_resize_to(struct view *view, uint32_t edges, const struct wlr_box *target);
void view_resize_end(struct view *view);
void view_set_maximized(struct view *view, bool maximized);
void view_set_minimized(struct view *view, bool minimized);
void view_set_fullscreen(struct view *view, bool fullscreen);
/* The user's answer to fullscreen_wanted. */
void view_allow_fullscreen(struct view *view);
void view_set_attention(struct view *view, bool attention);
/* The compositor's own words in the title bar, until the next; NULL: none of the caller's. */
void view_show_notice(struct view *view, const char *notice);
void view_close(struct view *view);
/* What the application asked for: granted, or shown to the user, or refused, as the VM set says. */
void view_request_fullscreen(struct view *view, bool fullscreen);
/* Any but the focused view is drawn as inactive. */
void view_set_active(struct view *view, bool active);

/* The toplevel's life, called by xdg.c. */
void view_map(struct view *view);
void view_unmap(struct view *view);
void view_commit(struct view *view);

/*
 * After outputs or work areas changed: sizes maximised and fullscreen windows anew, brings back
 * what is out of reach.
 */
void view_arrange(struct view *view);
void view_arrange_all(struct server *server);

#endif
