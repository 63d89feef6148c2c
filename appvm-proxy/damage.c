/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/damage.h"

#include <wayland-server-protocol.h>

#include "common/limits.h"

#define MAX_RECTS 128
#define FIXED_ONE 256

/* One axis of the way from surface coordinates to pixels of the transformed buffer: coordinate x
 * is at offset + x * numerator / denominator, in 1/256 pixels. */
struct damage_axis {
	int64_t offset, length; // 1/256 pixels: the part of the buffer that is shown
	int64_t numerator, denominator;
	int64_t extent; // surface coordinates that it is shown over
};

void damage_add(pixman_region32_t *region, int32_t x, int32_t y, int32_t width, int32_t height) {
	int64_t x2 = (int64_t)x + width, y2 = (int64_t)y + height;
	x2 = x2 > INT32_MAX ? INT32_MAX : x2;
	y2 = y2 > INT32_MAX ? INT32_MAX : y2;
	x = x > 0 ? x : 0;
	y = y > 0 ? y : 0;
	if (x >= x2 || y >= y2) {
		return;
	}
	pixman_region32_union_rect(region, region, x, y, (unsigned)(x2 - x), (unsigned)(y2 - y));
	if (pixman_region32_n_rects(region) > MAX_RECTS) {
		pixman_box32_t box = *pixman_region32_extents(region);
		pixman_region32_fini(region);
		pixman_region32_init_with_extents(region, &box);
	}
}

static int64_t floor_div(int64_t a, int64_t b) {
	return a / b - (a % b < 0);
}

static int64_t ceil_div(int64_t a, int64_t b) {
	return -floor_div(-a, b);
}

static bool axis_init(struct damage_axis *axis, int64_t size,
		const struct damage_geometry *geometry, const int32_t source[2],
		int32_t destination) {
	int64_t scale = geometry->scale;
	*axis = (struct damage_axis){.length = size * FIXED_ONE};
	if (geometry->has_source) {
		axis->offset = source[0] * scale;
		axis->length = source[1] * scale;
	}
	if (axis->offset < 0 || axis->length <= 0 ||
			axis->offset + axis->length > size * FIXED_ONE) {
		return false;
	}
	if (geometry->has_destination) {
		axis->extent = axis->denominator = destination;
		axis->numerator = axis->length;
		return destination > 0;
	}
	axis->extent = ceil_div(axis->length, scale * FIXED_ONE);
	axis->numerator = scale * FIXED_ONE;
	axis->denominator = 1;
	return true;
}

/* The pixels that [*begin, *end) in surface coordinates touches. */
static void axis_convert(const struct damage_axis *axis, int64_t *begin, int64_t *end) {
	int64_t x2 = *end < axis->extent ? *end : axis->extent;
	if (*begin >= x2) {
		*begin = *end = 0;
		return;
	}
	int64_t unit = axis->denominator * FIXED_ONE;
	int64_t origin = axis->offset * axis->denominator;
	*begin = floor_div(origin + *begin * axis->numerator, unit);
	*end = ceil_div(origin + x2 * axis->numerator, unit);
	int64_t last = ceil_div(axis->offset + axis->length, FIXED_ONE);
	*end = *end < last ? *end : last;
}

/* From the transformed buffer, width by height pixels, back to the buffer itself. The inverse of
 * what wl_output.transform says, counter-clockwise. */
static pixman_box32_t box_untransform(
		pixman_box32_t box, uint32_t transform, int32_t width, int32_t height) {
	switch (transform) {
	case WL_OUTPUT_TRANSFORM_90:
		return (pixman_box32_t){box.y1, width - box.x2, box.y2, width - box.x1};
	case WL_OUTPUT_TRANSFORM_180:
		return (pixman_box32_t){
				width - box.x2, height - box.y2, width - box.x1, height - box.y1};
	case WL_OUTPUT_TRANSFORM_270:
		return (pixman_box32_t){height - box.y2, box.x1, height - box.y1, box.x2};
	case WL_OUTPUT_TRANSFORM_FLIPPED:
		return (pixman_box32_t){width - box.x2, box.y1, width - box.x1, box.y2};
	case WL_OUTPUT_TRANSFORM_FLIPPED_90:
		return (pixman_box32_t){box.y1, box.x1, box.y2, box.x2};
	case WL_OUTPUT_TRANSFORM_FLIPPED_180:
		return (pixman_box32_t){box.x1, height - box.y2, box.x2, height - box.y1};
	case WL_OUTPUT_TRANSFORM_FLIPPED_270:
		return (pixman_box32_t){
				height - box.y2, width - box.x2, height - box.y1, width - box.x1};
	default:
		return box;
	}
}

static void region_add_box(pixman_region32_t *region, const pixman_box32_t *box) {
	if (box->x1 < box->x2 && box->y1 < box->y2) {
		pixman_region32_union_rect(region, region, box->x1, box->y1,
				(unsigned)(box->x2 - box->x1), (unsigned)(box->y2 - box->y1));
	}
}

void damage_add_surface(pixman_region32_t *buffer_damage, const pixman_region32_t *surface_damage,
		const struct damage_geometry *geometry) {
	int n_rects;
	const pixman_box32_t *rects = pixman_region32_rectangles(surface_damage, &n_rects);
	if (n_rects == 0) {
		return;
	}
	bool turned = (geometry->transform & WL_OUTPUT_TRANSFORM_90) != 0;
	int32_t width = (int32_t)(turned ? geometry->buffer_height : geometry->buffer_width);
	int32_t height = (int32_t)(turned ? geometry->buffer_width : geometry->buffer_height);
	struct damage_axis x, y;
	const int32_t source_x[2] = {geometry->source_x, geometry->source_width};
	const int32_t source_y[2] = {geometry->source_y, geometry->source_height};
	if (geometry->scale < 1 || geometry->scale > LIMIT_BUFFER_SIDE_PX ||
			geometry->transform > WL_OUTPUT_TRANSFORM_FLIPPED_270 ||
			!axis_init(&x, width, geometry, source_x, geometry->destination_width) ||
			!axis_init(&y, height, geometry, source_y, geometry->destination_height)) {
		pixman_region32_union_rect(buffer_damage, buffer_damage, 0, 0,
				geometry->buffer_width, geometry->buffer_height);
		return;
	}
	for (int i = 0; i < n_rects; i++) {
		int64_t x1 = rects[i].x1, x2 = rects[i].x2, y1 = rects[i].y1, y2 = rects[i].y2;
		axis_convert(&x, &x1, &x2);
		axis_convert(&y, &y1, &y2);
		pixman_box32_t box = {(int32_t)x1, (int32_t)y1, (int32_t)x2, (int32_t)y2};
		box = box_untransform(box, geometry->transform, width, height);
		region_add_box(buffer_damage, &box);
	}
}
