/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pixels/steps.h"

#include <stdlib.h>

#include "single-pixel-buffer-v1-client-protocol.h"
#include "viewporter-client-protocol.h"
#include "xdg-shell-client-protocol.h"

void surface_finish(struct surface *surface) {
	if (surface->proxy == NULL) {
		return;
	}
	if (surface->role != NULL) {
		wl_subsurface_destroy(surface->role);
	}
	if (surface->viewport != NULL) {
		wp_viewport_destroy(surface->viewport);
	}
	wl_surface_destroy(surface->proxy);
	free(surface->canvas);
	*surface = (struct surface){.world = surface->world};
}

void surface_forget_content(struct surface *surface) {
	free(surface->canvas);
	surface->canvas = NULL;
	surface->single_pixel = false;
	surface->width = surface->height = 0;
	surface->last = NULL;
}

static struct surface *pick_any(struct world *world, uint32_t arg) {
	for (uint32_t i = 0; i < WORLD_SURFACES; i++) {
		struct surface *surface = &world->surfaces[(arg + i) % WORLD_SURFACES];
		if (surface->proxy != NULL) {
			return surface;
		}
	}
	abort(); // the window is always there
}

/* NULL: there is none. */
static struct surface *pick_subsurface(struct world *world, uint32_t arg) {
	struct surface *surface = &world->surfaces[1 + arg % (WORLD_SURFACES - 1)];
	return surface->proxy != NULL && surface->role != NULL ? surface : NULL;
}

struct wp_viewport *surface_viewport(struct surface *surface) {
	if (surface->viewport == NULL) {
		surface->viewport = wp_viewporter_get_viewport(
				surface->world->viewporter, surface->proxy);
	}
	return surface->viewport;
}

static void surface_forget_viewport(struct surface *surface) {
	surface->has_source = surface->has_destination = false;
	surface->viewport = NULL;
}

static void surface_set_destination(struct surface *surface, int32_t width, int32_t height) {
	wp_viewport_set_destination(surface_viewport(surface), width, height);
	surface->has_destination = true;
	surface->destination[0] = width;
	surface->destination[1] = height;
}

static bool source_is_whole(const struct surface *surface) {
	return surface->source[2] % 256 == 0 && surface->source[3] % 256 == 0;
}

static void surface_fix_source(struct surface *surface) {
	bool turned = (surface->transform & WL_OUTPUT_TRANSFORM_90) != 0;
	int32_t width = turned ? surface->height : surface->width;
	int32_t height = turned ? surface->width : surface->height;
	bool inside = surface->source[0] + surface->source[2] <= width / surface->scale * 256 &&
			surface->source[1] + surface->source[3] <= height / surface->scale * 256;
	if (surface->has_source && !inside) {
		wp_viewport_set_source(surface->viewport, -256, -256, -256, -256);
		surface->has_source = false;
	}
	if (surface->has_source && !surface->has_destination && !source_is_whole(surface)) {
		surface_set_destination(surface, 1 + surface->source[2] / 256,
				1 + surface->source[3] / 128);
	}
}

static void window_fix_size(struct surface *surface) {
	bool turned = (surface->transform & WL_OUTPUT_TRANSFORM_90) != 0;
	int32_t width = (turned ? surface->height : surface->width) / surface->scale;
	int32_t height = (turned ? surface->width : surface->height) / surface->scale;
	bool right = surface->has_destination
			? surface->destination[0] == WORLD_WIDTH &&
					surface->destination[1] == WORLD_HEIGHT
			: !surface->has_source && width == WORLD_WIDTH && height == WORLD_HEIGHT;
	if (!right) {
		surface_set_destination(surface, WORLD_WIDTH, WORLD_HEIGHT);
	}
}

void surface_fix_state(struct surface *surface) {
	if (surface->width % surface->scale != 0 || surface->height % surface->scale != 0) {
		wl_surface_set_buffer_scale(surface->proxy, 1);
		surface->scale = 1;
	}
	if (surface->canvas != NULL || surface->single_pixel) {
		surface_fix_source(surface);
		if (surface == surface->world->surfaces) {
			window_fix_size(surface);
		}
	}
}

void surface_damage_turned(struct surface *surface) {
	if (surface->turned) {
		wl_surface_damage_buffer(surface->proxy, 0, 0, INT32_MAX, INT32_MAX);
		surface->turned = false;
	}
}

static void step_single_pixel(struct surface *surface, const struct step *step) {
	struct world *world = surface->world;
	if (surface == world->surfaces) {
		world_configure(world);
	}
	free(surface->canvas);
	surface->canvas = NULL;
	surface->single_pixel = true;
	surface->width = surface->height = 1;
	surface->last = NULL;
	wl_surface_set_opaque_region(surface->proxy, NULL);
	surface->opaque = false;
	if (!surface->has_destination) {
		surface_set_destination(surface, 1 + (int32_t)(step->args[1] % 90),
				1 + (int32_t)(step->args[2] % 90));
	}
	surface_fix_state(surface);
	uint32_t alpha = step->args[3] | 0x80000000u;
	struct wl_buffer *buffer = wp_single_pixel_buffer_manager_v1_create_u32_rgba_buffer(
			world->single_pixels, step->args[4] / 2, step->args[5] / 2,
			step->args[6] / 2, alpha);
	wl_surface_attach(surface->proxy, buffer, 0, 0);
	wl_surface_damage_buffer(surface->proxy, 0, 0, 1, 1);
	wl_surface_commit(surface->proxy);
	wl_buffer_destroy(buffer);
	world->mapped |= surface == world->surfaces;
}

static void step_unmap(struct surface *surface) {
	struct world *world = surface->world;
	if (surface == world->surfaces) {
		if (!world->mapped) {
			return;
		}
		world->configured = world->mapped = false;
	}
	wl_surface_attach(surface->proxy, NULL, 0, 0);
	surface_forget_content(surface);
	surface_fix_state(surface);
	wl_surface_commit(surface->proxy);
	if (surface == world->surfaces) {
		world_roundtrip(world); // serials of before are not to be answered any more
	}
}

static bool surface_descends(const struct surface *surface, const struct surface *from) {
	while (surface != NULL && surface != from) {
		surface = surface->parent;
	}
	return surface != NULL;
}

static void surface_give_role(struct surface *surface, const struct step *step) {
	struct world *world = surface->world;
	struct surface *parent = pick_any(world, step->args[1] % 2 == 0 ? 0 : step->args[1] / 2);
	if (surface_descends(parent, surface)) {
		parent = &world->surfaces[0];
	}
	surface->parent = parent;
	surface->role = wl_subcompositor_get_subsurface(
			world->subcompositor, surface->proxy, parent->proxy);
	wl_subsurface_set_position(surface->role, (int32_t)(step->args[2] % 300) - 30,
			(int32_t)(step->args[3] % 220) - 30);
	if (step->args[4] % 2 == 0) {
		wl_subsurface_set_desync(surface->role);
	}
}

static void step_add_subsurface(struct world *world, const struct step *step) {
	struct surface *surface = &world->surfaces[1 + step->args[0] % (WORLD_SURFACES - 1)];
	if (surface->proxy != NULL) {
		return;
	}
	*surface = (struct surface){.world = world, .scale = 1};
	surface->proxy = wl_compositor_create_surface(world->compositor);
	surface_give_role(surface, step);
	struct step commit = *step;
	commit.kind = STEP_COMMIT;
	commit.args[0] = (uint32_t)(surface - world->surfaces);
	step_commit(surface, &commit);
}

static void world_orphan(struct world *world, const struct surface *parent) {
	for (size_t i = 1; i < WORLD_SURFACES; i++) {
		if (world->surfaces[i].parent == parent) {
			world->surfaces[i].parent = NULL;
		}
	}
}

static void step_destroy_surface(struct world *world, const struct step *step) {
	struct surface *surface = &world->surfaces[1 + step->args[0] % (WORLD_SURFACES - 1)];
	if (surface->proxy == NULL) {
		return;
	}
	if (step->args[1] % 4 == 0 && surface->viewport != NULL) {
		// The viewport survives the surface for a moment.
		struct wp_viewport *viewport = surface->viewport;
		surface->viewport = NULL;
		surface_finish(surface);
		wp_viewport_destroy(viewport);
	} else {
		surface_finish(surface);
	}
	world_orphan(world, surface);
}

static void step_rerole(struct world *world, const struct step *step) {
	struct surface *surface = &world->surfaces[1 + step->args[0] % (WORLD_SURFACES - 1)];
	if (surface->proxy == NULL) {
		return;
	}
	if (surface->role != NULL) {
		wl_subsurface_destroy(surface->role);
	}
	surface_give_role(surface, step);
}

static void step_restack(struct world *world, const struct step *step) {
	struct surface *surface = pick_subsurface(world, step->args[0]);
	if (surface == NULL || surface->parent == NULL) {
		return;
	}
	struct surface *other = pick_any(world, step->args[1]);
	bool sibling = other->parent == surface->parent && other->role != NULL;
	if (other == surface || (other != surface->parent && !sibling)) {
		other = surface->parent;
	}
	if (step->args[2] % 2 == 0) {
		wl_subsurface_place_above(surface->role, other->proxy);
	} else {
		wl_subsurface_place_below(surface->role, other->proxy);
	}
}

static void step_sync(struct world *world, const struct step *step) {
	struct surface *surface = pick_subsurface(world, step->args[0]);
	if (surface == NULL) {
		return;
	}
	if (step->args[1] % 2 == 0) {
		wl_subsurface_set_sync(surface->role);
	} else {
		wl_subsurface_set_desync(surface->role);
	}
}

/* Part of what there is, to a 256th of a pixel more often than not. */
static void step_viewport(struct surface *surface, const struct step *step) {
	surface_viewport(surface);
	if (step->args[1] % 4 != 0 && surface->width >= 4 && surface->height >= 4) {
		int32_t side = surface->width < surface->height ? surface->width : surface->height;
		uint32_t half = (uint32_t)(side / surface->scale * 128);
		wl_fixed_t *source = surface->source;
		int32_t grain = step->args[1] % 4 == 1 ? 256 : 1;
		source[0] = (int32_t)(step->args[2] % half) / grain * grain;
		source[1] = (int32_t)(step->args[3] % half) / grain * grain;
		source[2] = (int32_t)(step->args[4] % half) / grain * grain + grain;
		source[3] = (int32_t)(step->args[5] % half) / grain * grain + grain;
		wp_viewport_set_source(
				surface->viewport, source[0], source[1], source[2], source[3]);
		surface->has_source = true;
	}
	if (step->args[6] % 3 != 0) {
		surface_set_destination(surface, 1 + (int32_t)(step->args[6] / 3 % 250),
				1 + (int32_t)(step->args[7] % 250));
	} else if (step->args[7] % 2 == 0) {
		wp_viewport_set_destination(surface->viewport, -1, -1);
		surface->has_destination = false;
	}
}

static void step_regions(struct surface *surface, const struct step *step) {
	struct wl_region *region = wl_compositor_create_region(surface->world->compositor);
	wl_region_add(region, (int32_t)(step->args[1] % 40), (int32_t)(step->args[2] % 40),
			(int32_t)(step->args[3] % 300), (int32_t)(step->args[4] % 300));
	wl_region_subtract(region, (int32_t)(step->args[5] % 80), (int32_t)(step->args[6] % 80),
			(int32_t)(step->args[7] % 100), (int32_t)(step->args[7] / 128 % 100));
	// What is said to be opaque had better be: what is behind it is undefined otherwise.
	bool opaque = surface->canvas != NULL && surface->format == WL_SHM_FORMAT_XRGB8888;
	if (!opaque || step->args[1] % 3 != 0) {
		wl_surface_set_input_region(surface->proxy, step->args[2] % 5 == 0 ? NULL : region);
	} else {
		wl_surface_set_opaque_region(
				surface->proxy, step->args[2] % 5 == 0 ? NULL : region);
		surface->opaque = true;
	}
	wl_region_destroy(region);
}

static void callback_handle_done(void *data, struct wl_callback *callback, uint32_t time_ms) {
	struct world *world = data;
	world->n_frames++;
	for (size_t i = 0; i < WORLD_MAX_CALLBACKS; i++) {
		if (world->callbacks[i] == callback) {
			world->callbacks[i] = NULL;
		}
	}
	wl_callback_destroy(callback);
}

static const struct wl_callback_listener callback_listener = {.done = callback_handle_done};

static void step_frame(struct surface *surface) {
	struct world *world = surface->world;
	for (size_t i = 0; i < WORLD_MAX_CALLBACKS; i++) {
		if (world->callbacks[i] == NULL) {
			world->callbacks[i] = wl_surface_frame(surface->proxy);
			wl_callback_add_listener(world->callbacks[i], &callback_listener, world);
			return;
		}
	}
}

static void step_drop_buffers(struct world *world, const struct step *step) {
	struct buffer *buffer, *next;
	wl_list_for_each_safe (buffer, next, &world->memory.buffers, link) {
		struct surface *owner = (struct surface *)buffer->owner;
		bool shown = owner->last == buffer;
		if (shown ? step->args[0] % 2 == 0 : !buffer->busy) {
			owner->last = shown ? NULL : owner->last;
			buffer_destroy(buffer);
		}
	}
}

static void step_commit_state(struct surface *surface) {
	if (surface == surface->world->surfaces && !surface->world->mapped) {
		return;
	}
	surface_fix_state(surface);
	surface_damage_turned(surface);
	wl_surface_commit(surface->proxy);
}

static void step_run_on_surface(struct surface *surface, const struct step *step) {
	struct world *world = surface->world;
	switch (step->kind) {
	case STEP_COMMIT:
		step_commit(surface, step);
		break;
	case STEP_COMMIT_STATE:
		step_commit_state(surface);
		break;
	case STEP_SINGLE_PIXEL:
		step_single_pixel(surface, step);
		break;
	case STEP_UNMAP:
		step_unmap(surface);
		break;
	case STEP_TRANSFORM:
		surface->turned |= surface->transform != (int32_t)(step->args[1] % 8);
		surface->transform = (int32_t)(step->args[1] % 8);
		wl_surface_set_buffer_transform(surface->proxy, surface->transform);
		break;
	case STEP_SCALE:
		surface->scale = 1 + (int32_t)(step->args[1] % 3);
		wl_surface_set_buffer_scale(surface->proxy, surface->scale);
		break;
	case STEP_VIEWPORT:
		step_viewport(surface, step);
		break;
	case STEP_DROP_VIEWPORT:
		if (surface->viewport != NULL) {
			wp_viewport_destroy(surface->viewport);
			surface_forget_viewport(surface);
		}
		break;
	case STEP_OFFSET:
		if (!world->old) {
			wl_surface_offset(surface->proxy, (int32_t)(step->args[1] % 9) - 4,
					(int32_t)(step->args[2] % 9) - 4);
		}
		break;
	case STEP_REGIONS:
		step_regions(surface, step);
		break;
	case STEP_FRAME:
		step_frame(surface);
		break;
	default:
		break;
	}
}

void step_run(struct world *world, const struct step *step) {
	switch (step->kind) {
	case STEP_ADD_SUBSURFACE:
		step_add_subsurface(world, step);
		break;
	case STEP_DESTROY_SURFACE:
		step_destroy_surface(world, step);
		break;
	case STEP_REROLE:
		step_rerole(world, step);
		break;
	case STEP_POSITION: {
		struct surface *surface = pick_subsurface(world, step->args[0]);
		if (surface != NULL) {
			wl_subsurface_set_position(surface->role,
					(int32_t)(step->args[1] % 400) - 60,
					(int32_t)(step->args[2] % 300) - 60);
		}
		break;
	}
	case STEP_RESTACK:
		step_restack(world, step);
		break;
	case STEP_SYNC:
		step_sync(world, step);
		break;
	case STEP_DROP_BUFFERS:
		step_drop_buffers(world, step);
		break;
	case STEP_DROP_POOL:
		memory_pool_drop(step->args[0] % 2 == 0 ? &world->memory.shared
							: &world->memory.sparse);
		break;
	case STEP_CHECK:
		world_roundtrip(world);
		break;
	case STEP_ERROR:
		step_error(world, step);
		break;
	default:
		step_run_on_surface(pick_any(world, step->args[0]), step);
	}
}
