/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/unacked.h"

#include <stdlib.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "common/limits.h"
#include "guivm-server/server.h"
#include "guivm-server/xdg.h"

#define COUNT_EVERY 64 // of one surface, before all of its client are counted

struct unacked {
	struct wl_list surfaces; // unacked_surface.link
	struct wl_listener new_surface;
};

struct unacked_surface {
	struct wl_list link; // unacked.surfaces
	struct unacked *unacked;
	struct wlr_xdg_surface *xdg_surface;
	unsigned count; // see surface_count()
	struct wl_listener configure, ack_configure, destroy;
};

static struct wl_client *surface_client(const struct unacked_surface *surface) {
	return wl_resource_get_client(surface->xdg_surface->resource);
}

/* An xdg_surface that is unmapped forgets what was not acknowledged, and does not say so. */
static unsigned surface_count(const struct unacked_surface *surface) {
	return wl_list_empty(&surface->xdg_surface->configure_list) ? 0 : surface->count;
}

static void surface_handle_configure(struct wl_listener *listener, void *data) {
	struct unacked_surface *surface = wl_container_of(listener, surface, configure);
	const struct wl_list *list = &surface->xdg_surface->configure_list;
	surface->count = list->next == list->prev ? 1 : surface->count + 1;
	if (surface->count % COUNT_EVERY != 0) {
		return;
	}
	unsigned n = 0;
	struct unacked_surface *other;
	wl_list_for_each (other, &surface->unacked->surfaces, link) {
		n += surface_client(other) == surface_client(surface) ? surface_count(other) : 0;
	}
	if (n > LIMIT_UNACKED_CONFIGURES) {
		wl_client_post_implementation_error(surface_client(surface),
				"too many configure events that were not acknowledged");
	}
}

static void surface_handle_ack_configure(struct wl_listener *listener, void *data) {
	struct unacked_surface *surface = wl_container_of(listener, surface, ack_configure);
	surface->count--;
}

static void unacked_surface_destroy(struct unacked_surface *surface) {
	wl_list_remove(&surface->link);
	wl_list_remove(&surface->configure.link);
	wl_list_remove(&surface->ack_configure.link);
	wl_list_remove(&surface->destroy.link);
	free(surface);
}

static void surface_handle_destroy(struct wl_listener *listener, void *data) {
	struct unacked_surface *surface = wl_container_of(listener, surface, destroy);
	unacked_surface_destroy(surface);
}

static void unacked_handle_new_surface(struct wl_listener *listener, void *data) {
	struct unacked *unacked = wl_container_of(listener, unacked, new_surface);
	struct wlr_xdg_surface *xdg_surface = data;
	struct unacked_surface *surface = calloc(1, sizeof(*surface));
	if (surface == NULL) {
		wl_resource_post_no_memory(xdg_surface->resource);
		return;
	}
	surface->unacked = unacked;
	surface->xdg_surface = xdg_surface;
	wl_list_insert(&unacked->surfaces, &surface->link);
	surface->configure.notify = surface_handle_configure;
	wl_signal_add(&xdg_surface->events.configure, &surface->configure);
	surface->ack_configure.notify = surface_handle_ack_configure;
	wl_signal_add(&xdg_surface->events.ack_configure, &surface->ack_configure);
	surface->destroy.notify = surface_handle_destroy;
	wl_signal_add(&xdg_surface->events.destroy, &surface->destroy);
}

struct unacked *unacked_create(struct server *server) {
	struct unacked *unacked = calloc(1, sizeof(*unacked));
	if (unacked == NULL) {
		return NULL;
	}
	wl_list_init(&unacked->surfaces);
	unacked->new_surface.notify = unacked_handle_new_surface;
	wl_signal_add(&xdg_shell(server->xdg)->events.new_surface, &unacked->new_surface);
	return unacked;
}

void unacked_destroy(struct unacked *unacked) {
	if (unacked == NULL) {
		return;
	}
	struct unacked_surface *surface, *next;
	wl_list_for_each_safe (surface, next, &unacked->surfaces, link) {
		unacked_surface_destroy(surface);
	}
	wl_list_remove(&unacked->new_surface.link);
	free(unacked);
}
