/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_WINDOW_H
#define ISTHMUS_GUIVM_SERVER_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wlr/util/addon.h>
#include <wlr/util/box.h>

#include "borders/frame.h"
#include "common/limits.h"

struct server;
struct vm;
struct wlr_scene_node;
struct wlr_scene_rect;
struct wlr_scene_tree;
struct wlr_surface;

/* As in control_window_flags. */
enum window_flag {
	WINDOW_FOCUSED = 1,
	WINDOW_MAXIMIZED = 2,
	WINDOW_MINIMIZED = 4,
	WINDOW_FULLSCREEN = 8,
	WINDOW_POPUP = 16,
};

/*
 * A client's surface inside its frame: what toplevels, popups and drag icons have in common, and
 * the one place where client content enters the scene. The frame exists before any content and as
 * long as the window; content is clipped to the window geometry, whatever the client says.
 */
struct window {
	struct server *server;
	struct wl_list link; // server.windows
	uint32_t id; // never used again in the server's life
	struct vm *vm; // NULL: the GUI VM's own
	struct wlr_surface *surface;
	char title[LIMIT_TITLE_BYTES + 1]; // sanitised
	char app_id[LIMIT_TITLE_BYTES + 1]; // sanitised
	bool mapped;
	uint32_t flags; // enum window_flag
	struct wlr_box box; // content in layout coordinates, without frame

	struct wlr_box geometry; // the clip: checked window geometry, surface coordinates
	/*
	 * What the box is kept within, whatever the client commits; the owner sets it. The frame
	 * fills the rest with its colour.
	 */
	struct {
		int min_width, min_height, max_width, max_height; // 1..LIMIT_BUFFER_SIDE_PX
	} limits;

	struct wlr_scene_tree *tree; // origin: the content's top left corner
	struct wlr_scene_tree *body; // backing, content, frame
	struct wlr_scene_rect *backing; // opaque: nothing of another VM shines through
	struct wlr_scene_tree *content;
	/* subsurface tree inside content; NULL once the surface went */
	struct wlr_scene_tree *surfaces;
	struct wlr_scene_tree *popups; // above body
	struct frame *frame;
	struct frame_state frame_state;
	void *owner; // struct view, struct popup or struct drag_icon, by frame_state.kind
	struct wlr_addon addon; // tree->node.addons, for window_from_node()
	struct wl_listener surfaces_destroy;
};

/*
 * Makes the trees and the frame below parent, hidden until window_set_mapped(). The VM is that of
 * the surface's client. false: out of memory, nothing is left behind.
 */
bool window_init(struct window *window, struct server *server, struct wlr_scene_tree *parent,
		struct wlr_surface *surface, enum frame_kind kind);
void window_finish(struct window *window);

void window_set_mapped(struct window *window, bool mapped);

/* Moves the content's corner to a place in the parent tree; keeps box. */
void window_set_position(struct window *window, int x, int y);

/*
 * Takes over the client's window geometry as far as it makes sense and the limits allow, and fits
 * clip, backing and frame to it. untrusted_geometry: surface coordinates, any values; an empty one
 * shows no content.
 */
void window_set_geometry(struct window *window, const struct wlr_box *untrusted_geometry);

/* To call after a change of frame_state. */
void window_update_frame(struct window *window);
void window_set_kind(struct window *window, enum frame_kind kind);
void window_set_title(struct window *window, const char *untrusted_title);
void window_set_app_id(struct window *window, const char *untrusted_app_id);
void window_set_flag(struct window *window, enum window_flag flag, bool value);

/* After a reload of the VM set. */
void window_update_mark(struct window *window);

struct frame_insets window_insets(const struct window *window);
struct wl_client *window_client(const struct window *window);

/*
 * The toplevel's or popup's window that a surface (or the one it is a subsurface of) belongs to;
 * NULL: none's.
 */
struct window *window_from_surface(struct wlr_surface *surface);
/* The window whose content or frame a scene node belongs to; NULL: none's. */
struct window *window_from_node(struct server *server, struct wlr_scene_node *node);

#endif
