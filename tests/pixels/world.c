/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pixels/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "single-pixel-buffer-v1-client-protocol.h"
#include "tests/harness/ignore.h"
#include "tests/pixels/steps.h"
#include "viewporter-client-protocol.h"
#include "xdg-shell-client-protocol.h"

static void shell_handle_ping(void *data, struct xdg_wm_base *shell, uint32_t serial) {
	xdg_wm_base_pong(shell, serial);
}

static const struct xdg_wm_base_listener shell_listener = {.ping = shell_handle_ping};

static void shm_handle_format(void *data, struct wl_shm *shm, uint32_t format) {
	struct world *world = data;
	size_t at = 0;
	while (at < world->n_formats && world->formats[at] < format) {
		at++;
	}
	if (world->n_formats == WORLD_MAX_FORMATS) {
		return;
	}
	memmove(&world->formats[at + 1], &world->formats[at],
			(world->n_formats - at) * sizeof(world->formats[0]));
	world->formats[at] = format;
	world->n_formats++;
}

static const struct wl_shm_listener shm_listener = {.format = shm_handle_format};

static void registry_handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct world *world = data;
	const struct {
		const struct wl_interface *interface;
		uint32_t version;
		void *proxy;
	} globals[] = {
			{&wl_compositor_interface, world->old ? 4 : 6, &world->compositor},
			{&wl_subcompositor_interface, 1, &world->subcompositor},
			{&wl_shm_interface, 1, &world->shm},
			{&wp_viewporter_interface, 1, &world->viewporter},
			{&wp_single_pixel_buffer_manager_v1_interface, 1, &world->single_pixels},
			{&xdg_wm_base_interface, 3, &world->shell},
	};
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		if (strcmp(globals[i].interface->name, interface) == 0 &&
				version >= globals[i].version) {
			*(void **)globals[i].proxy = wl_registry_bind(
					registry, name, globals[i].interface, globals[i].version);
		}
	}
}

static const struct wl_registry_listener registry_listener = {
		.global = registry_handle_global,
		.global_remove = IGNORE,
};

static void xdg_surface_handle_configure(
		void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	struct world *world = data;
	if (world->configuring) {
		xdg_surface_ack_configure(xdg_surface, serial);
		world->configuring = false;
		world->configured = true;
	}
}

static const struct xdg_surface_listener xdg_surface_listener = {
		.configure = xdg_surface_handle_configure,
};

static const struct xdg_toplevel_listener toplevel_listener = {
		.configure = IGNORE,
		.close = IGNORE,
};

static void world_fail(struct world *world) {
	const struct wl_interface *interface = NULL;
	uint32_t id;
	uint32_t code = wl_display_get_protocol_error(world->display, &interface, &id);
	int error = wl_display_get_error(world->display);
	world->failed = true;
	world->reset = interface == NULL && error == ECONNRESET;
	snprintf(world->error, sizeof(world->error), "%s %u (%s)",
			interface != NULL ? interface->name : "nothing", code, strerror(error));
}

void world_roundtrip(struct world *world) {
	if (!world->failed && wl_display_roundtrip(world->display) < 0) {
		world_fail(world);
	}
}

/* What is translucent must not show the frame's colour, which is the VM's. */
static void world_add_backdrop(struct world *world) {
	struct wl_surface *window = world->surfaces[0].proxy;
	world->backdrop = wl_compositor_create_surface(world->compositor);
	world->backdrop_role = wl_subcompositor_get_subsurface(
			world->subcompositor, world->backdrop, window);
	wl_subsurface_place_below(world->backdrop_role, window);
	struct wp_viewport *viewport =
			wp_viewporter_get_viewport(world->viewporter, world->backdrop);
	wp_viewport_set_destination(viewport, WORLD_WIDTH, WORLD_HEIGHT);
	struct wl_buffer *buffer = wp_single_pixel_buffer_manager_v1_create_u32_rgba_buffer(
			world->single_pixels, 0, 0, 0, UINT32_MAX);
	wl_surface_attach(world->backdrop, buffer, 0, 0);
	wl_surface_damage(world->backdrop, 0, 0, WORLD_WIDTH, WORLD_HEIGHT);
	wl_surface_commit(world->backdrop);
	wl_buffer_destroy(buffer);
	world->backdrop_viewport = viewport;
}

bool world_connect(struct world *world, const char *display_name, const char *app_id, bool old) {
	*world = (struct world){.old = old};
	world->display = wl_display_connect(display_name);
	if (world->display == NULL) {
		return false;
	}
	world->registry = wl_display_get_registry(world->display);
	wl_registry_add_listener(world->registry, &registry_listener, world);
	world_roundtrip(world);
	if (world->compositor == NULL || world->subcompositor == NULL || world->shm == NULL ||
			world->viewporter == NULL || world->single_pixels == NULL ||
			world->shell == NULL) {
		return false;
	}
	wl_shm_add_listener(world->shm, &shm_listener, world);
	xdg_wm_base_add_listener(world->shell, &shell_listener, world);
	memory_init(&world->memory, world->shm);
	struct surface *window = &world->surfaces[0];
	*window = (struct surface){.world = world, .scale = 1};
	window->proxy = wl_compositor_create_surface(world->compositor);
	world->xdg_surface = xdg_wm_base_get_xdg_surface(world->shell, window->proxy);
	xdg_surface_add_listener(world->xdg_surface, &xdg_surface_listener, world);
	world->toplevel = xdg_surface_get_toplevel(world->xdg_surface);
	xdg_toplevel_add_listener(world->toplevel, &toplevel_listener, world);
	xdg_toplevel_set_app_id(world->toplevel, app_id);
	world_add_backdrop(world);
	world_roundtrip(world);
	return !world->failed;
}

void world_disconnect(struct world *world) {
	if (world->display == NULL) {
		return;
	}
	for (size_t i = WORLD_SURFACES; i-- > 1;) {
		surface_finish(&world->surfaces[i]);
	}
	if (world->toplevel != NULL) {
		xdg_toplevel_destroy(world->toplevel);
		xdg_surface_destroy(world->xdg_surface);
		wl_subsurface_destroy(world->backdrop_role);
		wp_viewport_destroy(world->backdrop_viewport);
		wl_surface_destroy(world->backdrop);
		surface_finish(&world->surfaces[0]);
		memory_finish(&world->memory);
	}
	for (size_t i = 0; i < WORLD_MAX_CALLBACKS; i++) {
		if (world->callbacks[i] != NULL) {
			wl_callback_destroy(world->callbacks[i]);
		}
	}
	void *const proxies[] = {world->compositor, world->subcompositor, world->shm,
			world->viewporter, world->single_pixels, world->shell, world->registry};
	for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++) {
		if (proxies[i] != NULL) {
			wl_proxy_destroy(proxies[i]);
		}
	}
	wl_display_disconnect(world->display);
	world->display = NULL;
}

/* The handshake before a window's first buffer. */
void world_configure(struct world *world) {
	struct surface *window = &world->surfaces[0];
	if (world->configured) {
		return;
	}
	world->configuring = true;
	wl_surface_commit(window->proxy);
	while (!world->configured && !world->failed) {
		if (wl_display_dispatch(world->display) < 0) {
			world_fail(world);
		}
	}
	xdg_surface_set_window_geometry(world->xdg_surface, 0, 0, WORLD_WIDTH, WORLD_HEIGHT);
}

void world_step(struct world *world, const struct step *step) {
	if (world->failed) {
		return;
	}
	step_run(world, step);
	if (wl_display_flush(world->display) < 0 ||
			wl_display_dispatch_pending(world->display) < 0) {
		world_roundtrip(world);
	}
}
