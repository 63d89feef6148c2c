/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/hit.h"

#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_scene.h>

#include "guivm-server/layer.h"
#include "guivm-server/server.h"
#include "guivm-server/window.h"

static struct wlr_surface *surface_from_node(struct wlr_scene_node *node) {
	if (node->type != WLR_SCENE_NODE_BUFFER) {
		return NULL;
	}
	struct wlr_scene_surface *scene_surface =
		wlr_scene_surface_try_from_buffer(wlr_scene_buffer_from_node(node));
	return scene_surface != NULL ? scene_surface->surface : NULL;
}

static void hit_window(struct hit *hit, struct wlr_scene_node *node, double x, double y) {
	struct window *window = hit->window;
	if (frame_from_node(node) != NULL) {
		const struct wlr_box *box = &window->box;
		hit->part = frame_hit(window->frame_state.kind, server_border_width(window->server),
				box->width, box->height, x - box->x, y - box->y);
		return;
	}
	hit->part = FRAME_PART_CONTENT;
	hit->surface = surface_from_node(node);
}

struct hit hit_test(struct server *server, double x, double y) {
	struct wlr_scene_tree *const trees[] = { // from top to bottom; a drag icon is never hit
		server->tree_layer_overlay,
		server->tree_fullscreen,
		server->tree_layer_top,
		server->tree_windows,
		server->tree_layer_bottom,
		server->tree_layer_background,
	};
	struct hit hit = {.part = FRAME_PART_NONE};
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		struct wlr_scene_node *node =
				wlr_scene_node_at(&trees[i]->node, x, y, &hit.sx, &hit.sy);
		if (node == NULL) {
			continue;
		}
		hit.window = window_from_node(server, node);
		if (hit.window != NULL) {
			hit_window(&hit, node, x, y);
		} else {
			hit.surface = surface_from_node(node);
			hit.layer = hit.surface != NULL ? layer_from_surface(hit.surface) : NULL;
		}
		break;
	}
	return hit;
}
