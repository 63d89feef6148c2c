/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/layer.h"

#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_layer_shell_v1.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "guivm-server/cursor.h"
#include "guivm-server/focus.h"
#include "guivm-server/output.h"
#include "guivm-server/popup.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"

#define LAYER_SHELL_VERSION 5

#define ANCHOR_HORIZONTAL (ZWLR_LAYER_SURFACE_V1_ANCHOR_LEFT | ZWLR_LAYER_SURFACE_V1_ANCHOR_RIGHT)
#define ANCHOR_VERTICAL (ZWLR_LAYER_SURFACE_V1_ANCHOR_TOP | ZWLR_LAYER_SURFACE_V1_ANCHOR_BOTTOM)

static struct wlr_scene_tree *layer_tree(
		struct server *server, enum zwlr_layer_shell_v1_layer layer) {
	switch (layer) {
	case ZWLR_LAYER_SHELL_V1_LAYER_BACKGROUND:
		return server->tree_layer_background;
	case ZWLR_LAYER_SHELL_V1_LAYER_BOTTOM:
		return server->tree_layer_bottom;
	case ZWLR_LAYER_SHELL_V1_LAYER_OVERLAY:
		return server->tree_layer_overlay;
	default:
		return server->tree_layer_top;
	}
}

struct layer *layer_from_surface(struct wlr_surface *surface) {
	struct wlr_layer_surface_v1 *layer_surface =
			surface != NULL ? wlr_layer_surface_v1_try_from_wlr_surface(
							  wlr_surface_get_root_surface(surface))
					: NULL;
	return layer_surface != NULL ? layer_surface->data : NULL;
}

bool layer_wants_keyboard(const struct layer *layer) {
	return layer->layer_surface->surface->mapped &&
	       layer->layer_surface->current.keyboard_interactive !=
			       ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_NONE;
}

bool layer_is_exclusive(const struct layer *layer) {
	const struct wlr_layer_surface_v1_state *state = &layer->layer_surface->current;
	return layer->layer_surface->surface->mapped &&
	       state->keyboard_interactive ==
			       ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_EXCLUSIVE &&
	       state->layer >= ZWLR_LAYER_SHELL_V1_LAYER_TOP;
}

struct layer *layers_exclusive(struct server *server) {
	struct output *output;
	struct layer *found = NULL, *layer;
	wl_list_for_each(output, &server->outputs, link) {
		wl_list_for_each(layer, &output->layers, link) {
			if (layer_is_exclusive(layer)) {
				found = layer;
			}
		}
	}
	return found;
}

static void layers_place(struct output *output, const struct wlr_box *full, bool exclusive) {
	struct layer *layer;
	wl_list_for_each(layer, &output->layers, link) {
		const struct wlr_layer_surface_v1_state *state = &layer->layer_surface->current;
		if (layer->layer_surface->initialized && (state->exclusive_zone > 0) == exclusive) {
			wlr_scene_layer_surface_v1_configure(layer->scene, full, &output->usable);
			wlr_scene_node_set_position(&layer->popups->node,
					layer->scene->tree->node.x, layer->scene->tree->node.y);
		}
	}
}

void layers_arrange(struct output *output) {
	struct wlr_box before = output->usable;
	output->usable = output->box;
	layers_place(output, &output->box, true);
	layers_place(output, &output->box, false);
	/* Panels that leave nothing do not get to hide the windows. */
	if (output->usable.width < VIEW_MIN_WIDTH ||
			output->usable.height < 2 * FRAME_TITLE_HEIGHT) {
		output->usable = output->box;
	}
	if (!wlr_box_equal(&before, &output->usable)) {
		view_arrange_all(output->server);
	}
}

static void layer_update_focus(struct layer *layer) {
	struct server *server = layer->server;
	if (layer_is_exclusive(layer)) {
		if (focus_layer(server) != layer) {
			focus_set_layer(server, layer);
		}
	} else if (focus_layer(server) == layer && !layer_wants_keyboard(layer)) {
		focus_drop_layer(server, layer);
	}
}

/*
 * A size of zero means "as wide as there is room", which needs both edges; wlroots does not check
 * that.
 */
static bool layer_check(struct layer *layer) {
	struct wlr_layer_surface_v1 *layer_surface = layer->layer_surface;
	const struct wlr_layer_surface_v1_state *state = &layer_surface->current;
	bool wide = state->desired_width > 0 ||
		    (state->anchor & ANCHOR_HORIZONTAL) == ANCHOR_HORIZONTAL;
	bool high = state->desired_height > 0 ||
		    (state->anchor & ANCHOR_VERTICAL) == ANCHOR_VERTICAL;
	if (!wide || !high) {
		wl_resource_post_error(layer_surface->resource,
				ZWLR_LAYER_SURFACE_V1_ERROR_INVALID_SIZE,
				"a size of 0 needs anchors on both opposite edges");
		return false;
	}
	return true;
}

static void layer_handle_commit(struct wl_listener *listener, void *data) {
	struct layer *layer = wl_container_of(listener, layer, commit);
	struct wlr_layer_surface_v1 *layer_surface = layer->layer_surface;
	if (layer->output == NULL || !layer_check(layer)) {
		return;
	}
	if (layer_surface->current.committed & WLR_LAYER_SURFACE_V1_STATE_LAYER) {
		wlr_scene_node_reparent(&layer->scene->tree->node,
			layer_tree(layer->server, layer_surface->current.layer));
	}
	if (layer_surface->initial_commit || layer_surface->current.committed != 0) {
		layers_arrange(layer->output);
		layer_update_focus(layer);
	}
}

static void layer_handle_map(struct wl_listener *listener, void *data) {
	struct layer *layer = wl_container_of(listener, layer, map);
	if (layer->output != NULL) {
		layers_arrange(layer->output);
		layer_update_focus(layer);
	}
	cursor_refresh(layer->server);
}

static void layer_handle_unmap(struct wl_listener *listener, void *data) {
	struct layer *layer = wl_container_of(listener, layer, unmap);
	focus_drop_layer(layer->server, layer);
	if (layer->output != NULL) {
		layers_arrange(layer->output);
	}
	cursor_refresh(layer->server);
}

static void layer_handle_new_popup(struct wl_listener *listener, void *data) {
	struct layer *layer = wl_container_of(listener, layer, new_popup);
	popup_create(layer->server, data);
}

static void layer_handle_destroy(struct wl_listener *listener, void *data) {
	struct layer *layer = wl_container_of(listener, layer, destroy);
	focus_drop_layer(layer->server, layer);
	popups_forget_layer(layer->server, layer);
	layer->layer_surface->data = NULL;
	wl_list_remove(&layer->link);
	wl_list_remove(&layer->map.link);
	wl_list_remove(&layer->unmap.link);
	wl_list_remove(&layer->commit.link);
	wl_list_remove(&layer->new_popup.link);
	wl_list_remove(&layer->destroy.link);
	wlr_scene_node_destroy(&layer->popups->node);
	free(layer);
}

static void listen(
		struct wl_listener *listener, wl_notify_func_t notify, struct wl_signal *signal) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

static void layers_handle_new_surface(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, new_layer_surface);
	struct wlr_layer_surface_v1 *layer_surface = data;
	struct output *output = layer_surface->output != NULL
		? output_from_wlr(server, layer_surface->output) : output_current(server);
	struct layer *layer = output != NULL ? calloc(1, sizeof(*layer)) : NULL;
	if (layer == NULL) {
		wlr_layer_surface_v1_destroy(layer_surface);
		return;
	}
	layer_surface->output = output->wlr_output;
	layer->server = server;
	layer->output = output;
	layer->layer_surface = layer_surface;
	layer->scene = wlr_scene_layer_surface_v1_create(
			layer_tree(server, layer_surface->pending.layer), layer_surface);
	layer->popups = wlr_scene_tree_create(server->tree_layer_overlay);
	if (layer->scene == NULL || layer->popups == NULL) {
		free(layer);
		wl_resource_post_no_memory(layer_surface->resource);
		return;
	}
	layer_surface->data = layer;
	wl_list_insert(output->layers.prev, &layer->link);
	listen(&layer->map, layer_handle_map, &layer_surface->surface->events.map);
	listen(&layer->unmap, layer_handle_unmap, &layer_surface->surface->events.unmap);
	listen(&layer->commit, layer_handle_commit, &layer_surface->surface->events.commit);
	listen(&layer->new_popup, layer_handle_new_popup, &layer_surface->events.new_popup);
	listen(&layer->destroy, layer_handle_destroy, &layer_surface->events.destroy);
}

void layers_close_output(struct output *output) {
	struct layer *layer, *tmp;
	wl_list_for_each_safe(layer, tmp, &output->layers, link) {
		wl_list_remove(&layer->link);
		wl_list_init(&layer->link);
		layer->output = NULL;
		wlr_layer_surface_v1_destroy(layer->layer_surface);
	}
}

bool layers_create(struct server *server) {
	struct wlr_layer_shell_v1 *shell =
			wlr_layer_shell_v1_create(server->display, LAYER_SHELL_VERSION);
	if (shell == NULL) {
		return false;
	}
	listen(&server->new_layer_surface, layers_handle_new_surface, &shell->events.new_surface);
	return true;
}

void layers_destroy(struct server *server) {
	wl_list_remove(&server->new_layer_surface.link);
}
