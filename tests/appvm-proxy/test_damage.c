/* SPDX-License-Identifier: Apache-2.0 */
#include <wayland-server-protocol.h>

#include "appvm-proxy/damage.h"
#include "tests/harness/test.h"

#define MAX_SIDE 8

struct box {
	int x1, y1, x2, y2;
};

struct pixel {
	int x, y;
};

/* Where an upright pixel of a width by height picture is in the buffer: flipped first, then turned
 * counter-clockwise in steps, as wl_output.transform is worded. */
static struct pixel model_transform(struct pixel pixel, uint32_t transform, int width, int height) {
	if ((transform & WL_OUTPUT_TRANSFORM_FLIPPED) != 0) {
		pixel.x = width - 1 - pixel.x;
	}
	for (uint32_t i = 0; i < (transform & 3); i++) {
		pixel = (struct pixel){.x = pixel.y, .y = width - 1 - pixel.x};
		int swapped = width;
		width = height;
		height = swapped;
	}
	return pixel;
}

/* How one axis of a surface shows the buffer, in 1/256 pixels: from offset on, length of it, and
 * numerator / denominator for each surface coordinate. */
struct model_axis {
	int64_t offset, length, numerator, denominator;
};

/* Whether the surface coordinates begin to end show a part of pixel number i. */
static bool model_touches(const struct model_axis *axis, int i, int begin, int end) {
	int64_t first = begin * axis->numerator, last = end * axis->numerator;
	if (last > axis->length * axis->denominator) {
		last = axis->length * axis->denominator;
	}
	int64_t pixel_first = (256 * (int64_t)i - axis->offset) * axis->denominator;
	int64_t pixel_last = (256 * (int64_t)(i + 1) - axis->offset) * axis->denominator;
	return first < last && pixel_first < last && pixel_last > first;
}

static void check(const struct damage_geometry *geometry, struct box damage) {
	bool turned = geometry->transform & 1;
	int width = (int)(turned ? geometry->buffer_height : geometry->buffer_width);
	int height = (int)(turned ? geometry->buffer_width : geometry->buffer_height);
	struct model_axis model_x = {0, width * 256, geometry->scale * 256, 1};
	struct model_axis model_y = {0, height * 256, geometry->scale * 256, 1};
	if (geometry->has_source) {
		model_x.offset = (int64_t)geometry->source_x * geometry->scale;
		model_y.offset = (int64_t)geometry->source_y * geometry->scale;
		model_x.length = (int64_t)geometry->source_width * geometry->scale;
		model_y.length = (int64_t)geometry->source_height * geometry->scale;
	}
	if (geometry->has_destination) {
		model_x.numerator = model_x.length;
		model_x.denominator = geometry->destination_width;
		model_y.numerator = model_y.length;
		model_y.denominator = geometry->destination_height;
	}

	pixman_region32_t surface, result;
	pixman_region32_init(&result);
	pixman_region32_init(&surface);
	damage_add(&surface, damage.x1, damage.y1, damage.x2 - damage.x1, damage.y2 - damage.y1);
	damage_add_surface(&result, &surface, geometry);
	for (int y = 0; y < height; y++) {
		for (int x = 0; x < width; x++) {
			bool expected = model_touches(&model_x, x, damage.x1, damage.x2) &&
					model_touches(&model_y, y, damage.y1, damage.y2);
			struct pixel at = model_transform(
					(struct pixel){x, y}, geometry->transform, width, height);
			EXPECT_INT(pixman_region32_contains_point(&result, at.x, at.y, NULL),
					expected);
		}
	}
	pixman_box32_t *extents = pixman_region32_extents(&result);
	if (pixman_region32_not_empty(&result)) {
		EXPECT(extents->x1 >= 0 && extents->y1 >= 0);
		EXPECT(extents->x2 <= (int)geometry->buffer_width);
		EXPECT(extents->y2 <= (int)geometry->buffer_height);
	}
	pixman_region32_fini(&surface);
	pixman_region32_fini(&result);
}

static void check_all_boxes(const struct damage_geometry *geometry, int limit) {
	for (int x1 = 0; x1 < limit; x1++) {
		for (int x2 = x1 + 1; x2 <= limit; x2++) {
			// Both axes in one: rows run against columns.
			check(geometry, (struct box){x1, limit - x2, x2, limit - x1});
		}
	}
}

TEST(every_transform_and_scale_covers_exactly_the_pixels_shown)
{
	for (uint32_t transform = 0; transform < 8; transform++) {
		for (int scale = 1; scale <= 3; scale++) {
			struct damage_geometry geometry = {
					.buffer_width = 6,
					.buffer_height = 5,
					.scale = scale,
					.transform = transform,
			};
			check_all_boxes(&geometry, MAX_SIDE);
		}
	}
}

TEST(a_destination_scales_the_whole_buffer)
{
	for (uint32_t transform = 0; transform < 8; transform++) {
		for (int size = 1; size <= 9; size++) {
			struct damage_geometry geometry = {
					.buffer_width = 7,
					.buffer_height = 4,
					.scale = 1 + size % 3,
					.transform = transform,
					.has_destination = true,
					.destination_width = size,
					.destination_height = 10 - size,
			};
			check_all_boxes(&geometry, 10);
		}
	}
}

TEST(a_source_with_fractions_rounds_outwards)
{
	test_random_seed(1);
	for (int i = 0; i < 3000; i++) {
		struct damage_geometry geometry = {
				.buffer_width = 1 + test_random_below(MAX_SIDE),
				.buffer_height = 1 + test_random_below(MAX_SIDE),
				.scale = 1,
				.transform = test_random_below(8),
				.has_source = true,
				.has_destination = true,
				.destination_width = (int32_t)(1 + test_random_below(12)),
				.destination_height = (int32_t)(1 + test_random_below(12)),
		};
		bool turned = geometry.transform & 1;
		uint32_t width = 256 * (turned ? geometry.buffer_height : geometry.buffer_width);
		uint32_t height = 256 * (turned ? geometry.buffer_width : geometry.buffer_height);
		geometry.source_x = (int32_t)test_random_below(width);
		geometry.source_y = (int32_t)test_random_below(height);
		geometry.source_width =
				(int32_t)(1 + test_random_below(
							      width - (uint32_t)geometry.source_x));
		geometry.source_height =
				(int32_t)(1 + test_random_below(height -
								(uint32_t)geometry.source_y));
		int x1 = (int)test_random_below(12), y1 = (int)test_random_below(12);
		check(&geometry, (struct box){x1, y1, x1 + 1 + (int)test_random_below(12),
						 y1 + 1 + (int)test_random_below(12)});
	}
}

TEST(a_source_without_destination_crops)
{
	struct damage_geometry geometry = {
			.buffer_width = 8,
			.buffer_height = 8,
			.scale = 2,
			.has_source = true,
			.source_x = 256,
			.source_y = 128,
			.source_width = 512,
			.source_height = 768,
	};
	check_all_boxes(&geometry, 6);
}

static void expect_all_damaged(const struct damage_geometry *geometry) {
	pixman_region32_t surface, result;
	pixman_region32_init_rect(&surface, 1, 1, 1, 1);
	pixman_region32_init(&result);
	damage_add_surface(&result, &surface, geometry);
	pixman_box32_t all = {0, 0, (int)geometry->buffer_width, (int)geometry->buffer_height};
	EXPECT_INT(pixman_region32_contains_rectangle(&result, &all), PIXMAN_REGION_IN);
	pixman_region32_fini(&surface);
	pixman_region32_fini(&result);
}

TEST(nonsense_geometry_damages_everything)
{
	struct damage_geometry sane = {.buffer_width = 4, .buffer_height = 4, .scale = 1};
	struct damage_geometry geometry = sane;
	geometry.scale = 0;
	expect_all_damaged(&geometry);
	geometry = sane;
	geometry.transform = 8;
	expect_all_damaged(&geometry);
	geometry = sane;
	geometry.has_destination = true;
	geometry.destination_width = -3;
	expect_all_damaged(&geometry);
	geometry = sane;
	geometry.has_source = true;
	geometry.source_x = 1 << 30;
	geometry.source_width = 1 << 30;
	geometry.source_height = 256;
	geometry.scale = 1 << 30;
	expect_all_damaged(&geometry);
}

TEST(the_largest_numbers_do_not_overflow)
{
	struct damage_geometry geometry = {
			.buffer_width = 16384,
			.buffer_height = 16384,
			.scale = 1,
			.has_destination = true,
			.destination_width = INT32_MAX,
			.destination_height = INT32_MAX,
	};
	pixman_region32_t surface, result;
	pixman_region32_init(&surface);
	pixman_region32_init(&result);
	damage_add(&surface, INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX); // ends left of 0
	EXPECT(!pixman_region32_not_empty(&surface));
	damage_add(&surface, -5, -5, INT32_MAX, INT32_MAX);
	damage_add(&surface, INT32_MAX, 0, INT32_MAX, 1);
	damage_add_surface(&result, &surface, &geometry);
	pixman_box32_t *extents = pixman_region32_extents(&result);
	EXPECT_INT(extents->x1, 0);
	EXPECT_INT(extents->x2, 16384);
	geometry.has_destination = false;
	geometry.scale = 16384;
	pixman_region32_clear(&result);
	damage_add_surface(&result, &surface, &geometry);
	EXPECT_INT(pixman_region32_extents(&result)->x2, 16384);
	pixman_region32_fini(&surface);
	pixman_region32_fini(&result);
}

TEST(negative_sizes_are_no_damage)
{
	pixman_region32_t region;
	pixman_region32_init(&region);
	damage_add(&region, 10, 10, -5, 5);
	damage_add(&region, 10, 10, 5, 0);
	EXPECT(!pixman_region32_not_empty(&region));
	pixman_region32_fini(&region);
}

TEST(very_many_rectangles_become_their_extents)
{
	pixman_region32_t region;
	pixman_region32_init(&region);
	for (int i = 0; i < 1000; i++) {
		damage_add(&region, i * 2, i * 2, 1, 1);
	}
	EXPECT(pixman_region32_n_rects(&region) <= 128);
	EXPECT_INT(pixman_region32_extents(&region)->x2, 1999);
	pixman_region32_fini(&region);
}
