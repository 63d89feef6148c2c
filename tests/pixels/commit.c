/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/shm_format.h"
#include "tests/pixels/steps.h"

struct box {
	int32_t x1, y1, x2, y2;
};

static void canvas_fill(struct surface *surface, const struct box *box, struct random *random) {
	size_t bytes = surface->bytes_per_pixel;
	bool flat = random_next(random) % 3 == 0;
	uint64_t noise = random_next(random);
	for (int32_t y = box->y1; y < box->y2; y++) {
		uint8_t *row = surface->canvas +
				((size_t)y * (size_t)surface->width + (size_t)box->x1) * bytes;
		size_t row_bytes = (size_t)(box->x2 - box->x1) * bytes;
		for (size_t i = 0; i < row_bytes; i++) {
			if (!flat) {
				noise = noise * 6364136223846793005u + 1442695040888963407u;
			}
			row[i] = (uint8_t)(noise >> (flat ? 8 * (i % bytes) : 56));
		}
	}
}

/* For the window without a viewport: just the right size. */
static void surface_choose_window_size(struct surface *surface) {
	bool turned = (surface->transform & WL_OUTPUT_TRANSFORM_90) != 0;
	surface->width = (turned ? WORLD_HEIGHT : WORLD_WIDTH) * surface->scale;
	surface->height = (turned ? WORLD_WIDTH : WORLD_HEIGHT) * surface->scale;
}

static void surface_choose_size(struct surface *surface, struct random *random) {
	if (surface == surface->world->surfaces && surface->viewport == NULL) {
		surface_choose_window_size(surface);
		return;
	}
	uint64_t shape = random_next(random) % 16;
	surface->width = random_between(random, 1, 30) * 6;
	surface->height = random_between(random, 1, 30) * 6;
	if (shape == 0) {
		surface->width = surface->height = 1;
	} else if (shape == 1) {
		surface->width = random_between(random, 4096, 4200);
		surface->height = random_between(random, 1, 12);
	} else if (shape == 2) {
		surface->width = random_between(random, 1, 12);
		surface->height = random_between(random, 4096, 5000);
	} else if (shape < 6) {
		surface->width = random_between(random, 1, 99);
		surface->height = random_between(random, 1, 99);
	}
}

static void surface_renew(struct surface *surface, struct random *random) {
	const struct world *world = surface->world;
	surface_choose_size(surface, random);
	uint64_t at = random_next(random);
	// Half of them what everybody uses.
	surface->format = at % 2 == 0 ? at / 2 % 2 : world->formats[at / 2 % world->n_formats];
	surface->format = surface->opaque ? WL_SHM_FORMAT_XRGB8888 : surface->format;
	surface->bytes_per_pixel = shm_format_bytes_per_pixel(surface->format);
	free(surface->canvas);
	surface->canvas = malloc((size_t)surface->width * (size_t)surface->height *
			surface->bytes_per_pixel);
	if (surface->canvas == NULL || surface->bytes_per_pixel == 0) {
		perror("canvas");
		exit(2);
	}
	surface->single_pixel = false;
	struct box all = {0, 0, surface->width, surface->height};
	canvas_fill(surface, &all, random);
}

static struct box random_box(struct random *random, int32_t width, int32_t height) {
	struct box box;
	box.x1 = random_between(random, 0, width - 1);
	box.y1 = random_between(random, 0, height - 1);
	box.x2 = random_between(random, box.x1 + 1, width);
	box.y2 = random_between(random, box.y1 + 1, height);
	return box;
}

/* One axis: the whole pixels of the turned buffer that are shown inside of [*begin, *end). */
static void axis_to_pixels(const struct surface *surface, int axis, int32_t pixels, int32_t extent,
		int32_t *begin, int32_t *end) {
	double offset = 0, length = pixels;
	if (surface->has_source) {
		offset = surface->source[axis] / 256.0 * surface->scale;
		length = surface->source[2 + axis] / 256.0 * surface->scale;
	}
	double step = length / extent;
	*begin = (int32_t)ceil(offset + *begin * step);
	*end = (int32_t)floor(offset + *end * step);
}

static void point_from_turned(
		const struct surface *surface, int32_t x, int32_t y, int32_t *to_x, int32_t *to_y) {
	int32_t width = surface->width, height = surface->height;
	if ((surface->transform & WL_OUTPUT_TRANSFORM_90) != 0) {
		// Counter-clockwise by a quarter: what is on the right went to the top.
		int32_t old_x = x;
		x = y;
		y = height - 1 - old_x;
		if ((surface->transform & WL_OUTPUT_TRANSFORM_FLIPPED) != 0) {
			y = height - 1 - y;
		}
	} else if ((surface->transform & WL_OUTPUT_TRANSFORM_FLIPPED) != 0) {
		x = width - 1 - x;
	}
	if ((surface->transform & WL_OUTPUT_TRANSFORM_180) != 0) {
		x = width - 1 - x;
		y = height - 1 - y;
	}
	*to_x = x;
	*to_y = y;
}

static struct box box_from_turned(const struct surface *surface, const struct box *box) {
	int32_t x1, y1, x2, y2;
	point_from_turned(surface, box->x1, box->y1, &x1, &y1);
	point_from_turned(surface, box->x2 - 1, box->y2 - 1, &x2, &y2);
	return (struct box){
			x1 < x2 ? x1 : x2,
			y1 < y2 ? y1 : y2,
			(x1 > x2 ? x1 : x2) + 1,
			(y1 > y2 ? y1 : y2) + 1,
	};
}

static void surface_size(const struct surface *surface, int32_t *width, int32_t *height) {
	bool turned = (surface->transform & WL_OUTPUT_TRANSFORM_90) != 0;
	*width = (turned ? surface->height : surface->width) / surface->scale;
	*height = (turned ? surface->width : surface->height) / surface->scale;
	if (surface->has_destination) {
		*width = surface->destination[0];
		*height = surface->destination[1];
	} else if (surface->has_source) {
		*width = surface->source[2] / 256;
		*height = surface->source[3] / 256;
	}
}

/* Draws what one wl_surface.damage covers, and not a pixel more. */
static void draw_in_surface(struct surface *surface, struct random *random) {
	int32_t width, height;
	surface_size(surface, &width, &height);
	struct box box = random_box(random, width, height);
	wl_surface_damage(surface->proxy, box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1);
	bool turned = (surface->transform & WL_OUTPUT_TRANSFORM_90) != 0;
	axis_to_pixels(surface, 0, turned ? surface->height : surface->width, width, &box.x1,
			&box.x2);
	axis_to_pixels(surface, 1, turned ? surface->width : surface->height, height, &box.y1,
			&box.y2);
	if (box.x1 < box.x2 && box.y1 < box.y2) {
		box = box_from_turned(surface, &box);
		canvas_fill(surface, &box, random);
	}
}

static void draw_in_buffer(struct surface *surface, struct random *random) {
	struct box box = random_box(random, surface->width, surface->height);
	wl_surface_damage_buffer(
			surface->proxy, box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1);
	canvas_fill(surface, &box, random);
}

static void damage_all(struct surface *surface, struct random *random) {
	int32_t width, height;
	surface_size(surface, &width, &height);
	switch (random_next(random) % 4) {
	case 0:
		wl_surface_damage_buffer(surface->proxy, 0, 0, surface->width, surface->height);
		break;
	case 1:
		wl_surface_damage_buffer(surface->proxy, 0, 0, INT32_MAX, INT32_MAX);
		break;
	case 2:
		wl_surface_damage(surface->proxy, -5, -5, INT32_MAX, INT32_MAX);
		break;
	default:
		wl_surface_damage_buffer(surface->proxy, INT32_MIN / 2, INT32_MIN / 2, INT32_MAX,
				INT32_MAX);
		wl_surface_damage(surface->proxy, 0, 0, INT32_MAX, INT32_MAX);
		break;
	}
}

static struct buffer *surface_take_buffer(
		struct surface *surface, const struct step *step, struct random *random) {
	struct memory *memory = &surface->world->memory;
	uint32_t noise = (uint32_t)random_next(random);
	struct buffer *buffer, *next;
	wl_list_for_each_safe (buffer, next, &memory->buffers, link) {
		if (buffer->owner != surface || buffer->busy || buffer == surface->last) {
			continue;
		}
		bool matches = buffer->width == surface->width &&
				buffer->height == surface->height &&
				buffer->format == surface->format && !buffer->tainted;
		if (matches && step->args[4] % 5 != 0) {
			return buffer;
		}
		if (!matches && step->args[4] % 3 == 0) {
			buffer_destroy(buffer);
		}
	}
	buffer = buffer_create(memory, (enum memory_kind)(step->args[5] % MEMORY_KINDS), noise,
			surface->width, surface->height, surface->format);
	buffer->owner = surface;
	return buffer;
}

static void buffer_show_canvas(struct buffer *buffer, const struct surface *surface) {
	size_t row = (size_t)surface->width * surface->bytes_per_pixel;
	for (int32_t y = 0; y < surface->height; y++) {
		memcpy(buffer->pixels + (size_t)y * (size_t)buffer->stride,
				surface->canvas + (size_t)y * row, row);
	}
}

static void surface_attach_decoy(struct surface *surface, const struct step *step) {
	if (step->args[3] % 6 == 0) {
		wl_surface_attach(surface->proxy, NULL, 0, 0);
	} else if (step->args[3] % 6 == 1) {
		struct buffer *decoy = buffer_create(&surface->world->memory, MEMORY_ONE_SHOT_POOL,
				step->args[6], 16, 16, surface->format);
		wl_surface_attach(surface->proxy, decoy->proxy, 0, 0);
		buffer_destroy(decoy);
	}
}

static void surface_commit_buffer(
		struct surface *surface, struct buffer *buffer, const struct step *step) {
	surface_attach_decoy(surface, step);
	int32_t dx = surface->world->old && step->args[6] % 4 == 0 ? 3 : 0;
	wl_surface_attach(surface->proxy, buffer->proxy, dx, -dx);
	buffer->busy = true;
	surface->last = buffer;
	if (step->args[7] % 16 == 0 && surface != surface->world->surfaces) {
		// Gone while it is pending: for wlroots the same as none.
		buffer_destroy(buffer);
		surface_forget_content(surface);
		wl_surface_commit(surface->proxy);
		return;
	}
	wl_surface_commit(surface->proxy);
	if (step->args[7] % 16 == 1) {
		buffer->tainted = true;
		wl_surface_attach(surface->proxy, buffer->proxy, 0, 0);
		wl_surface_commit(surface->proxy);
	} else if (step->args[7] % 16 < 4) {
		buffer_destroy(buffer);
		surface->last = NULL;
	}
}

void step_commit(struct surface *surface, const struct step *step) {
	struct world *world = surface->world;
	struct random random = {step->args[2]};
	bool renew = surface->canvas == NULL || step->args[1] % 6 == 0;
	if (surface == world->surfaces) {
		world_configure(world);
		world->mapped = true;
	}
	if (renew) {
		surface_renew(surface, &random);
	}
	surface_fix_state(surface);
	if (renew) {
		surface->turned = false;
		damage_all(surface, &random);
	} else {
		surface_damage_turned(surface);
		int32_t n_boxes = random_between(&random, 0, 4);
		for (int32_t i = 0; i < n_boxes; i++) {
			if (random_next(&random) % 2 == 0) {
				draw_in_surface(surface, &random);
			} else {
				draw_in_buffer(surface, &random);
			}
		}
	}
	struct random choice = {step->args[3]};
	struct buffer *buffer = surface_take_buffer(surface, step, &choice);
	buffer_show_canvas(buffer, surface);
	surface_commit_buffer(surface, buffer, step);
}
