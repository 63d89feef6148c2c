/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_LAYER_H
#define ISTHMUS_GUIVM_SERVER_LAYER_H

#include <stdbool.h>
#include <wayland-server-core.h>

struct output;
struct server;
struct wlr_layer_surface_v1;
struct wlr_scene_layer_surface_v1;
struct wlr_scene_tree;
struct wlr_surface;

/*
 * Panels, launchers and the like of the GUI VM's own programs; VMs do not get to see wlr-layer-
 * shell.
 */
struct layer {
	struct server *server;
	struct wl_list link; // output.layers, oldest first
	struct output *output; // NULL once that is gone
	struct wlr_layer_surface_v1 *layer_surface;
	struct wlr_scene_layer_surface_v1 *scene;
	struct wlr_scene_tree *popups; // follows the surface, above all windows
	struct wl_listener map, unmap, commit, new_popup, destroy;
};

/* false on no memory. */
bool layers_create(struct server *server);
/* After all clients are gone, before the display goes. */
void layers_destroy(struct server *server);

/* Places an output's layer surfaces and works out what they leave of it for windows. */
void layers_arrange(struct output *output);
void layers_close_output(struct output *output);

/* The one that takes all keys for as long as it is there; NULL: none. */
struct layer *layers_exclusive(struct server *server);
bool layer_is_exclusive(const struct layer *layer);
bool layer_wants_keyboard(const struct layer *layer);
struct layer *layer_from_surface(struct wlr_surface *surface);

#endif
