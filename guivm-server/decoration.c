/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/decoration.h"

#include <stdlib.h>
#include <wlr/types/wlr_server_decoration.h>
#include <wlr/types/wlr_xdg_decoration_v1.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "guivm-server/server.h"

struct decorations {
	struct wlr_xdg_decoration_manager_v1 *manager;
	struct wl_listener new_decoration;
};

/* One xdg-decoration object. */
struct decoration {
	struct wlr_xdg_toplevel_decoration_v1 *wlr_decoration;
	struct wl_listener request_mode, destroy;
};

static void decoration_answer(struct wlr_xdg_toplevel_decoration_v1 *wlr_decoration) {
	if (wlr_decoration->toplevel->base->initialized) {
		wlr_xdg_toplevel_decoration_v1_set_mode(wlr_decoration,
			WLR_XDG_TOPLEVEL_DECORATION_V1_MODE_SERVER_SIDE);
	}
}

static void decoration_handle_request_mode(struct wl_listener *listener, void *data) {
	struct decoration *decoration = wl_container_of(listener, decoration, request_mode);
	decoration_answer(decoration->wlr_decoration);
}

static void decoration_handle_destroy(struct wl_listener *listener, void *data) {
	struct decoration *decoration = wl_container_of(listener, decoration, destroy);
	wl_list_remove(&decoration->request_mode.link);
	wl_list_remove(&decoration->destroy.link);
	free(decoration);
}

static void decorations_handle_new(struct wl_listener *listener, void *data) {
	struct wlr_xdg_toplevel_decoration_v1 *wlr_decoration = data;
	struct decoration *decoration = calloc(1, sizeof(*decoration));
	if (decoration == NULL) {
		wl_resource_post_no_memory(wlr_decoration->resource);
		return;
	}
	decoration->wlr_decoration = wlr_decoration;
	decoration->request_mode.notify = decoration_handle_request_mode;
	decoration->destroy.notify = decoration_handle_destroy;
	wl_signal_add(&wlr_decoration->events.request_mode, &decoration->request_mode);
	wl_signal_add(&wlr_decoration->events.destroy, &decoration->destroy);
	decoration_answer(wlr_decoration);
}

void decoration_configure(struct server *server, struct wlr_xdg_toplevel *toplevel) {
	struct wlr_xdg_toplevel_decoration_v1 *wlr_decoration;
	wl_list_for_each(wlr_decoration, &server->decorations->manager->decorations, link) {
		if (wlr_decoration->toplevel == toplevel) {
			decoration_answer(wlr_decoration);
		}
	}
}

struct decorations *decorations_create(struct server *server) {
	struct wlr_server_decoration_manager *kde =
			wlr_server_decoration_manager_create(server->display);
	struct decorations *decorations = calloc(1, sizeof(*decorations));
	if (kde == NULL || decorations == NULL) {
		free(decorations);
		return NULL;
	}
	wlr_server_decoration_manager_set_default_mode(
			kde, WLR_SERVER_DECORATION_MANAGER_MODE_SERVER);
	decorations->manager = wlr_xdg_decoration_manager_v1_create(server->display);
	if (decorations->manager == NULL) {
		free(decorations);
		return NULL;
	}
	decorations->new_decoration.notify = decorations_handle_new;
	wl_signal_add(&decorations->manager->events.new_toplevel_decoration,
			&decorations->new_decoration);
	return decorations;
}

void decorations_destroy(struct decorations *decorations) {
	if (decorations != NULL) {
		wl_list_remove(&decorations->new_decoration.link);
		free(decorations);
	}
}
