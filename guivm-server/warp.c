/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/warp.h"

#include <wayland-server-core.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_seat.h>

#include "guivm-server/cursor.h"
#include "guivm-server/server.h"
#include "pointer-warp-v1-server-protocol.h"

#define WARP_VERSION 1

static void warp_handle_destroy(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

/*
 * The pointer must be the client's own, on this surface, since the enter event with this serial;
 * and the keyboard as well: a window that the user merely crosses does not get to hold the pointer.
 */
static bool warp_permitted(struct server *server, struct wlr_surface *surface,
		struct wl_resource *pointer, uint32_t serial) {
	struct wlr_seat_client *seat_client = wlr_seat_client_from_pointer_resource(pointer);
	struct wlr_seat *seat = server->wlr_seat;
	enum cursor_mode mode = server->cursor->mode;
	return seat_client != NULL && seat_client == seat->pointer_state.focused_client &&
		seat->pointer_state.focused_surface == surface &&
		seat->keyboard_state.focused_client == seat_client &&
		wlr_seat_client_validate_event_serial(seat_client, serial) &&
		(mode == CURSOR_PASSTHROUGH || mode == CURSOR_CLIENT);
}

static void warp_handle_warp_pointer(struct wl_client *client, struct wl_resource *resource,
		struct wl_resource *surface_resource, struct wl_resource *pointer, wl_fixed_t x,
		wl_fixed_t y, uint32_t serial) {
	struct server *server = wl_resource_get_user_data(resource);
	struct wlr_surface *surface = wlr_surface_from_resource(surface_resource);
	if (server->terminating || !warp_permitted(server, surface, pointer, serial)) {
		return;
	}
	cursor_warp_surface(server, wl_fixed_to_double(x), wl_fixed_to_double(y));
}

static const struct wp_pointer_warp_v1_interface warp_impl = {
	.destroy = warp_handle_destroy,
	.warp_pointer = warp_handle_warp_pointer,
};

static void warp_bind(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct wl_resource *resource =
			wl_resource_create(client, &wp_pointer_warp_v1_interface, version, id);
	if (resource == NULL) {
		wl_client_post_no_memory(client);
		return;
	}
	wl_resource_set_implementation(resource, &warp_impl, data, NULL);
}

bool warp_create(struct server *server) {
	return wl_global_create(server->display, &wp_pointer_warp_v1_interface, WARP_VERSION,
			server, warp_bind) != NULL;
}
