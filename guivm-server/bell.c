/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/bell.h"

#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_xdg_system_bell_v1.h>

#include "guivm-server/focus.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"

struct bell {
	struct server *server;
	struct wl_listener ring;
};

static void bell_handle_ring(struct wl_listener *listener, void *data) {
	struct bell *bell = wl_container_of(listener, bell, ring);
	const struct wlr_xdg_system_bell_v1_ring_event *event = data;
	/* A surface of somebody else rings nothing: it is the client's own to name. */
	if (event->surface == NULL ||
			wl_resource_get_client(event->surface->resource) != event->client) {
		return;
	}
	struct view *view = view_from_surface(event->surface);
	if (view != NULL && view->window.mapped && view != focus_view(bell->server)) {
		view_set_attention(view, true);
	}
}

struct bell *bell_create(struct server *server) {
	struct wlr_xdg_system_bell_v1 *manager =
			wlr_xdg_system_bell_v1_create(server->display, 1);
	struct bell *bell = calloc(1, sizeof(*bell));
	if (manager == NULL || bell == NULL) {
		free(bell);
		return NULL;
	}
	bell->server = server;
	bell->ring.notify = bell_handle_ring;
	wl_signal_add(&manager->events.ring, &bell->ring);
	return bell;
}

void bell_destroy(struct bell *bell) {
	if (bell != NULL) {
		wl_list_remove(&bell->ring.link);
		free(bell);
	}
}
