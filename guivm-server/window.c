/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/window.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "common/text.h"
#include "guivm-server/background.h"
#include "guivm-server/control.h"
#include "guivm-server/idle.h"
#include "guivm-server/server.h"
#include "guivm-server/toplevels.h"
#include "guivm-server/view.h"
#include "guivm-server/vm.h"

#define FRAME_UPDATES_PER_TURN 64 // drawn at once

static int clamp(int value, int low, int high) {
	return value < low ? low : value > high ? high : value;
}

static void window_handle_addon_destroy(struct wlr_addon *addon) {
	struct window *window = wl_container_of(addon, window, addon);
	wlr_addon_finish(&window->addon);
	window->tree = NULL;
	window->body = NULL;
	window->backing = NULL;
	window->content = NULL;
	window->popups = NULL;
}

static const struct wlr_addon_interface window_addon = {
	.name = "isthmus_window",
	.destroy = window_handle_addon_destroy,
};

static void window_handle_surfaces_destroy(struct wl_listener *listener, void *data) {
	struct window *window = wl_container_of(listener, window, surfaces_destroy);
	wl_list_remove(&window->surfaces_destroy.link);
	wl_list_init(&window->surfaces_destroy.link);
	window->surfaces = NULL;
}

static const struct trust_mark *window_mark(const struct window *window) {
	return vms_mark(window->server->vms, window_client(window));
}

static void backing_update_color(struct window *window) {
	float color[4];
	background_color(color, window_mark(window)->color);
	wlr_scene_rect_set_color(window->backing, color);
}

static bool window_create_nodes(struct window *window, struct wlr_scene_tree *parent) {
	const float black[4] = {0.0f, 0.0f, 0.0f, 1.0f};
	window->tree = wlr_scene_tree_create(parent);
	if (window->tree == NULL) {
		return false;
	}
	wlr_scene_node_set_enabled(&window->tree->node, false);
	wlr_addon_init(&window->addon, &window->tree->node.addons, window->server, &window_addon);
	window->body = wlr_scene_tree_create(window->tree);
	window->popups = wlr_scene_tree_create(window->tree);
	if (window->body == NULL || window->popups == NULL) {
		return false;
	}
	window->backing = wlr_scene_rect_create(window->body, 1, 1, black);
	window->content = wlr_scene_tree_create(window->body);
	if (window->backing == NULL || window->content == NULL) {
		return false;
	}
	window->surfaces = wlr_scene_subsurface_tree_create(window->content, window->surface);
	if (window->surfaces == NULL) {
		return false;
	}
	window->surfaces_destroy.notify = window_handle_surfaces_destroy;
	wl_signal_add(&window->surfaces->node.events.destroy, &window->surfaces_destroy);
	return true;
}

static bool window_create_frame(struct window *window) {
	window->frame = frame_create(window->body, window_mark(window),
			server_border_width(window->server));
	if (window->frame == NULL) {
		return false;
	}
	frame_set_data(window->frame, window);
	backing_update_color(window);
	return true;
}

bool window_init(struct window *window, struct server *server, struct wlr_scene_tree *parent,
		struct wlr_surface *surface, enum frame_kind kind) {
	*window = (struct window){
		.server = server,
		.id = ++server->last_window_id,
		.surface = surface,
		.vm = vm_from_client(wl_resource_get_client(surface->resource)),
		/* Popups and icons have no focus of their own: always in full colour. */
		.frame_state = {.kind = kind, .content_width = 1, .content_height = 1,
			.active = kind == FRAME_POPUP || kind == FRAME_ICON},
		.limits = {1, 1, LIMIT_BUFFER_SIDE_PX, LIMIT_BUFFER_SIDE_PX},
	};
	wl_list_init(&window->link);
	wl_list_init(&window->surfaces_destroy.link);
	window->frame_state.title = window->title;
	if (kind == FRAME_POPUP) {
		window->flags = WINDOW_POPUP;
	}
	if (!window_create_nodes(window, parent)) {
		goto error;
	}
	if (server->bare_windows) {
		wlr_scene_node_set_enabled(&window->backing->node, false);
	} else if (!window_create_frame(window)) {
		goto error;
	}
	window_set_geometry(window, &(struct wlr_box){0});
	wl_list_insert(server->windows.prev, &window->link);
	return true;
error:
	window_finish(window);
	return false;
}

void window_finish(struct window *window) {
	if (window->mapped) {
		window_set_mapped(window, false);
	}
	wl_list_remove(&window->link);
	wl_list_init(&window->link);
	frame_destroy(window->frame);
	window->frame = NULL;
	if (window->tree != NULL) {
		wlr_scene_node_destroy(&window->tree->node);
	}
	assert(window->tree == NULL && window->surfaces == NULL);
}

static void window_changed(struct window *window) {
	if (!window->mapped || window->frame_state.kind == FRAME_ICON) {
		return;
	}
	control_window_update(window->server->control, &(struct control_window){
		.id = window->id,
		.vm = window->vm != NULL ? window->vm->mark.name : "",
		.untrusted_app_id = window->app_id,
		.untrusted_title = window->title,
		.x = window->box.x,
		.y = window->box.y,
		.width = window->box.width,
		.height = window->box.height,
		.flags = window->flags,
	});
	struct view *view = view_from_window(window);
	if (view != NULL) {
		toplevels_update(view);
	}
}

void window_set_mapped(struct window *window, bool mapped) {
	if (window->mapped == mapped) {
		return;
	}
	window->mapped = mapped;
	if (window->tree != NULL) {
		wlr_scene_node_set_enabled(&window->tree->node, mapped);
	}
	if (mapped) {
		window_changed(window);
	} else {
		struct view *view = view_from_window(window);
		control_window_remove(window->server->control, window->id);
		if (view != NULL) {
			toplevels_remove(view);
		}
	}
	idle_update(window->server);
}

void window_set_position(struct window *window, int x, int y) {
	if (window->tree == NULL) {
		return;
	}
	wlr_scene_node_set_position(&window->tree->node, x, y);
	int lx, ly;
	wlr_scene_node_coords(&window->tree->node, &lx, &ly);
	if (lx == window->box.x && ly == window->box.y) {
		return;
	}
	window->box.x = lx;
	window->box.y = ly;
	window_changed(window);
}

static void window_apply_clip(struct window *window, bool empty) {
	if (window->surfaces == NULL || window->content == NULL) {
		return;
	}
	/* An empty clip box would mean "no clipping" to wlroots: it always has a pixel. */
	assert(!wlr_box_empty(&window->geometry));
	wlr_scene_node_set_enabled(&window->content->node, !empty);
	if (!window->server->bare_windows) {
		wlr_scene_subsurface_tree_set_clip(&window->surfaces->node, &window->geometry);
	}
	wlr_scene_node_set_position(
			&window->surfaces->node, -window->geometry.x, -window->geometry.y);
}

void window_set_geometry(struct window *window, const struct wlr_box *untrusted_geometry) {
	bool empty = untrusted_geometry->width <= 0 || untrusted_geometry->height <= 0;
	const int limit = LIMIT_BUFFER_SIDE_PX;
	window->geometry = (struct wlr_box){
		.x = clamp(untrusted_geometry->x, -limit, limit),
		.y = clamp(untrusted_geometry->y, -limit, limit),
		.width = clamp(untrusted_geometry->width, 1, window->limits.max_width),
		.height = clamp(untrusted_geometry->height, 1, window->limits.max_height),
	};
	window_apply_clip(window, empty);

	int min_width = window->server->bare_windows ? 1 : window->limits.min_width;
	int min_height = window->server->bare_windows ? 1 : window->limits.min_height;
	int width = clamp(window->geometry.width, min_width, limit);
	int height = clamp(window->geometry.height, min_height, limit);
	bool changed = width != window->box.width || height != window->box.height;
	window->box.width = window->frame_state.content_width = width;
	window->box.height = window->frame_state.content_height = height;
	if (!changed) {
		return;
	}
	if (window->backing != NULL) {
		wlr_scene_rect_set_size(window->backing, width, height);
	}
	window_update_frame(window);
	window_changed(window);
}

static void window_handle_turn_end(void *data) {
	struct server *server = data;
	server->frames_idle = NULL;
	server->n_frame_updates = 0;
	struct window *window;
	wl_list_for_each(window, &server->windows, link) {
		if (window->frame != NULL) {
			frame_draw(window->frame);
		}
	}
}

/*
 * A client may change its title or size thousands of times in one turn of the event loop. Beyond
 * what honest ones do, the picture follows at the turn's end, so that nobody else waits for it.
 */
void window_update_frame(struct window *window) {
	struct server *server = window->server;
	if (window->frame == NULL) {
		return;
	}
	if (server->frames_idle == NULL) {
		server->frames_idle = wl_event_loop_add_idle(
				server->loop, window_handle_turn_end, server);
	}
	if (server->frames_idle == NULL || server->n_frame_updates < FRAME_UPDATES_PER_TURN) {
		server->n_frame_updates++;
		frame_update(window->frame, &window->frame_state);
	} else {
		frame_place(window->frame, &window->frame_state);
	}
}

void window_set_kind(struct window *window, enum frame_kind kind) {
	if (window->frame_state.kind != kind) {
		window->frame_state.kind = kind;
		window_update_frame(window);
	}
}

void window_set_title(struct window *window, const char *untrusted_title) {
	text_sanitise(window->title, sizeof(window->title), untrusted_title);
	window_update_frame(window);
	window_changed(window);
}

void window_set_app_id(struct window *window, const char *untrusted_app_id) {
	text_sanitise(window->app_id, sizeof(window->app_id), untrusted_app_id);
	window_changed(window);
}

void window_set_flag(struct window *window, enum window_flag flag, bool value) {
	uint32_t flags = value ? window->flags | flag : window->flags & ~(uint32_t)flag;
	if (flags != window->flags) {
		window->flags = flags;
		window_changed(window);
	}
}

void window_update_mark(struct window *window) {
	if (window->frame == NULL || window->backing == NULL) {
		return;
	}
	frame_set_mark(window->frame, window_mark(window), server_border_width(window->server));
	backing_update_color(window);
	window_update_frame(window);
}

struct frame_insets window_insets(const struct window *window) {
	return server_frame_insets(window->server, window->frame_state.kind);
}

struct wl_client *window_client(const struct window *window) {
	return wl_resource_get_client(window->surface->resource);
}

struct window *window_from_surface(struct wlr_surface *surface) {
	if (surface == NULL) {
		return NULL;
	}
	struct wlr_surface *root = wlr_surface_get_root_surface(surface);
	struct wlr_xdg_surface *xdg_surface = wlr_xdg_surface_try_from_wlr_surface(root);
	return xdg_surface != NULL ? xdg_surface->data : NULL;
}

struct window *window_from_node(struct server *server, struct wlr_scene_node *node) {
	while (node != NULL) {
		struct wlr_addon *addon = wlr_addon_find(&node->addons, server, &window_addon);
		if (addon != NULL) {
			struct window *window = wl_container_of(addon, window, addon);
			return window;
		}
		node = node->parent != NULL ? &node->parent->node : NULL;
	}
	return NULL;
}
