/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/focus.h"

#include <wlr/types/wlr_layer_shell_v1.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "guivm-server/layer.h"
#include "guivm-server/popup.h"
#include "guivm-server/seat.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"
#include "guivm-server/vm.h"

struct view *focus_view(struct server *server) {
	return server->seat->focused_view;
}

struct layer *focus_layer(struct server *server) {
	return server->seat->focused_layer;
}

void focus_restack(struct server *server, struct view *raised) {
	struct view *view;
	wl_list_for_each_reverse(view, &server->views, link) {
		bool on_top = view == server->seat->focused_view && view->fullscreen &&
			      raised == NULL;
		struct wlr_scene_tree *tree =
				on_top ? server->tree_fullscreen : server->tree_windows;
		wlr_scene_node_reparent(&view->window.tree->node, tree);
		wlr_scene_node_raise_to_top(&view->window.tree->node);
	}
	if (raised != NULL) {
		wlr_scene_node_raise_to_top(&raised->window.tree->node);
	}
}

static void view_to_front(struct view *view) {
	wl_list_remove(&view->link);
	wl_list_insert(&view->window.server->views, &view->link);
}

struct wlr_surface *focus_surface(struct server *server) {
	const struct seat *seat = server->seat;
	if (seat->focused_layer != NULL) {
		return seat->focused_layer->layer_surface->surface;
	}
	return seat->focused_view != NULL ? seat->focused_view->window.surface : NULL;
}

void focus_apply(struct server *server) {
	seat_keyboard_enter(server, focus_surface(server));
}

void focus_set_view(struct server *server, struct view *view) {
	struct seat *seat = server->seat;
	if (server->terminating || (view != NULL && !view->window.mapped)) {
		return;
	}
	struct view *old = seat->focused_view;
	if (old != NULL && old != view) {
		seat->focused_view = NULL;
		view_set_active(old, false);
	}
	/* Menus of the window that keeps the focus stay. */
	popups_dismiss_grabs(
			server, view != NULL && view == old ? window_client(&view->window) : NULL);
	seat->focused_view = view;
	if (seat->focused_layer != NULL && !layer_is_exclusive(seat->focused_layer)) {
		seat->focused_layer = NULL;
	}
	if (view != NULL) {
		view->had_focus = true;
		view_to_front(view);
		view_set_minimized(view, false);
		view_set_attention(view, false);
		view_set_active(view, seat->focused_layer == NULL);
	}
	focus_restack(server, NULL);
	focus_apply(server);
}

/* gone: the window that had the focus; may be NULL. */
static void focus_next(struct server *server, const struct view *gone) {
	struct view *view, *next = NULL;
	wl_list_for_each(view, &server->views, link) {
		if (!view->window.mapped || view->minimized) {
			continue;
		}
		bool known = view->had_focus ||
			(gone != NULL && view->window.vm == gone->window.vm);
		if (known || next == NULL) {
			next = view;
		}
		if (known) {
			break;
		}
	}
	focus_set_view(server, next);
}

void focus_use_view(struct view *view) {
	vms_drop_launch_credit(view->window.server->vms, view->window.vm);
}

void focus_map_view(struct server *server, struct view *view) {
	struct view *focused = server->seat->focused_view;
	bool same = focused != NULL && view_same_domain(focused, view);
	if (focused == NULL || same || vm_take_launch_credit(view->window.vm)) {
		focus_set_view(server, view);
		return;
	}
	wl_list_remove(&view->link);
	wl_list_insert(&focused->link, &view->link);
	focus_restack(server, NULL);
	view_set_attention(view, true);
}

void focus_drop_view(struct server *server, struct view *view) {
	if (server->seat->focused_view != view) {
		return;
	}
	view_set_active(view, false);
	server->seat->focused_view = NULL;
	if (!server->terminating) {
		focus_next(server, view);
	}
}

void focus_set_layer(struct server *server, struct layer *layer) {
	if (server->terminating) {
		return;
	}
	popups_dismiss_grabs(server, wl_resource_get_client(layer->layer_surface->resource));
	server->seat->focused_layer = layer;
	if (server->seat->focused_view != NULL) {
		view_set_active(server->seat->focused_view, false);
	}
	focus_apply(server);
}

void focus_drop_layer(struct server *server, struct layer *layer) {
	if (server->seat->focused_layer != layer) {
		return;
	}
	server->seat->focused_layer = NULL;
	if (server->terminating) {
		return;
	}
	struct layer *next = layers_exclusive(server);
	if (next != NULL) {
		focus_set_layer(server, next);
	} else if (server->seat->focused_view != NULL) {
		view_set_active(server->seat->focused_view, true);
		focus_apply(server);
	} else {
		focus_next(server, NULL);
	}
}
