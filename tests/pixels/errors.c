/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "common/fd.h"
#include "tests/pixels/steps.h"
#include "viewporter-client-protocol.h"
#include "xdg-shell-client-protocol.h"

/*
 * Whatever can be wrong with a pool or buffer. A pool larger than its memory is refused when
 * it is made if it is handed over, and elsewhere when a buffer is read: that is not compared.
 */
static void break_shm(struct world *world, uint32_t how) {
	int fd = fd_memory("pixels", 4096);
	int pipe_fds[2] = {-1, -1};
	if (fd < 0 || pipe(pipe_fds) < 0) {
		return;
	}
	struct wl_shm_pool *pool = NULL;
	switch (how) {
	case 0:
		wl_shm_pool_destroy(wl_shm_create_pool(world->shm, fd, 0));
		break;
	case 1:
		wl_shm_pool_destroy(wl_shm_create_pool(world->shm, fd, -7));
		break;
	case 2:
		wl_shm_pool_destroy(wl_shm_create_pool(world->shm, pipe_fds[0], 4096));
		break;
	default:
		pool = wl_shm_create_pool(world->shm, fd, 4096);
	}
	static const int32_t shapes[][6] = {
			{0, 16, 16, 60, 0}, // stride too small
			{0, 16, 65, 64, 0}, // beyond the end
			{-4, 16, 16, 64, 0},
			{0, 0, 16, 64, 0},
			{0, 16, 0, 64, 0},
			{0, 16, 16, 64, 0x12345678}, // format
			{4032, 16, 2, 64, 0},
			{0, -16, -16, 64, 0},
			{INT32_MAX, 16, 16, 64, 0},
			{0, 16, INT32_MAX, 64, 0},
			{0, INT32_MAX, 1, INT32_MAX, 0},
	};
	size_t n_shapes = sizeof(shapes) / sizeof(shapes[0]);
	if (pool != NULL && how - 3 < n_shapes) {
		const int32_t *shape = shapes[how - 3];
		wl_buffer_destroy(wl_shm_pool_create_buffer(pool, shape[0], shape[1], shape[2],
				shape[3], (uint32_t)shape[4]));
	} else if (pool != NULL) {
		wl_shm_pool_resize(pool, how % 2 == 0 ? 2048 : -1);
	}
	if (pool != NULL) {
		wl_shm_pool_destroy(pool);
	}
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	fd_close(&fd);
}

/* A scale that does not divide the size; a source that lies outside. */
static void break_geometry(struct surface *window, uint32_t how) {
	struct buffer *buffer = buffer_create(&window->world->memory, MEMORY_OWN_POOL, 0, 321, 240,
			WL_SHM_FORMAT_XRGB8888);
	struct wp_viewport *viewport = surface_viewport(window);
	world_configure(window->world);
	switch (how) {
	case 0:
		wl_surface_set_buffer_scale(window->proxy, 2);
		break;
	case 1:
		wp_viewport_set_source(viewport, 0, 0, 400 * 256, 100 * 256);
		break;
	case 2:
		wp_viewport_set_source(viewport, 0, 0, 100 * 256 + 1, 100 * 256);
		wp_viewport_set_destination(viewport, -1, -1);
		break;
	default:
		wl_surface_set_buffer_scale(window->proxy, 7);
		wp_viewport_set_source(viewport, 0, 0, 100 * 256, 100 * 256);
		break;
	}
	wl_surface_attach(window->proxy, buffer->proxy, 0, 0);
	wl_surface_commit(window->proxy);
}

static void break_request(struct world *world, uint32_t how) {
	struct surface *window = &world->surfaces[0];
	struct wl_surface *other = NULL;
	struct wl_subsurface *role = NULL;
	switch (how) {
	case 0:
		wl_surface_set_buffer_scale(window->proxy, 0);
		break;
	case 1:
		wl_surface_set_buffer_transform(window->proxy, 8);
		break;
	case 2:
		wp_viewport_set_source(surface_viewport(window), -256, 0, 256, 256);
		break;
	case 3:
		wp_viewport_set_destination(surface_viewport(window), 0, 5);
		break;
	case 4:
		surface_viewport(window);
		wp_viewport_destroy(wp_viewporter_get_viewport(world->viewporter, window->proxy));
		break;
	case 5:
		wl_surface_attach(window->proxy, NULL, 3, 3);
		break;
	case 6:
		role = wl_subcompositor_get_subsurface(
				world->subcompositor, window->proxy, window->proxy);
		break;
	case 7:
		other = wl_compositor_create_surface(world->compositor);
		role = wl_subcompositor_get_subsurface(world->subcompositor, other, window->proxy);
		wl_subsurface_place_above(role, other);
		break;
	case 8:
		other = wl_compositor_create_surface(world->compositor);
		role = wl_subcompositor_get_subsurface(world->subcompositor, window->proxy, other);
		break;
	default: {
		struct wl_surface *gone = wl_compositor_create_surface(world->compositor);
		struct wp_viewport *viewport =
				wp_viewporter_get_viewport(world->viewporter, gone);
		wl_surface_destroy(gone);
		wp_viewport_set_destination(viewport, 5, 5);
		wp_viewport_destroy(viewport);
		break;
	}
	}
	if (role != NULL) {
		wl_subsurface_destroy(role);
	}
	if (other != NULL) {
		wl_surface_destroy(other);
	}
}

void step_error(struct world *world, const struct step *step) {
	switch (step->args[0] % 3) {
	case 0:
		break_shm(world, step->args[1] % 16);
		break;
	case 1:
		break_geometry(&world->surfaces[0], step->args[1] % 4);
		break;
	default:
		break_request(world, step->args[1] % 10);
	}
	world_roundtrip(world);
}
