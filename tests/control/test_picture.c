/* SPDX-License-Identifier: Apache-2.0 */
#include <cairo.h>
#include <wayland-client-protocol.h>

#include "control/picture.h"
#include "tests/harness/test.h"

#define RED 0xff0000u
#define GREEN 0x00ff00u
#define BLUE 0x0000ffu
#define WHITE 0xffffffu

static char path[600], error[256];

/* What is shown: red, green, blue in a row, and white below red; the rest is black. */
static const uint32_t upright[2][3] = {{RED, GREEN, BLUE}, {WHITE, 0, 0}};

static cairo_surface_t *compose(const struct picture_part *parts, size_t n_parts) {
	snprintf(path, sizeof(path), "%s/p.png", test_dir());
	EXPECT(picture_write(parts, n_parts, path, error, sizeof(error)));
	cairo_surface_t *surface = cairo_image_surface_create_from_png(path);
	EXPECT_INT(cairo_surface_status(surface), CAIRO_STATUS_SUCCESS);
	return surface;
}

static uint32_t pixel_at(cairo_surface_t *surface, int x, int y) {
	const uint8_t *data = cairo_image_surface_get_data(surface);
	uint32_t pixel;
	memcpy(&pixel, data + y * cairo_image_surface_get_stride(surface) + 4 * x, sizeof(pixel));
	return pixel & 0xffffff;
}

static void expect_upright(
		const uint32_t *pixels, uint32_t width, uint32_t height, uint32_t transform) {
	struct picture_part part = {
		.pixels = pixels,
		.width = width,
		.height = height,
		.stride_bytes = width * 4,
		.transform = transform,
		.logical_width = 3,
		.logical_height = 2,
	};
	cairo_surface_t *surface = compose(&part, 1);
	EXPECT_INT(cairo_image_surface_get_width(surface), 3);
	EXPECT_INT(cairo_image_surface_get_height(surface), 2);
	for (int y = 0; y < 2; y++) {
		for (int x = 0; x < 3; x++) {
			EXPECT_INT(pixel_at(surface, x, y), upright[y][x]);
		}
	}
	cairo_surface_destroy(surface);
}

TEST(pixels_come_back_as_they_were) {
	expect_upright(&upright[0][0], 3, 2, WL_OUTPUT_TRANSFORM_NORMAL);
}

TEST(turned_outputs_are_shown_upright) {
	// The upright picture turned counter-clockwise, after being flipped left to right or not.
	static const uint32_t turned_90[] = {BLUE, 0, GREEN, 0, RED, WHITE};
	static const uint32_t turned_180[] = {0, 0, WHITE, BLUE, GREEN, RED};
	static const uint32_t turned_270[] = {WHITE, RED, 0, GREEN, 0, BLUE};
	static const uint32_t flipped[] = {BLUE, GREEN, RED, 0, 0, WHITE};
	static const uint32_t flipped_90[] = {RED, WHITE, GREEN, 0, BLUE, 0};
	static const uint32_t flipped_180[] = {WHITE, 0, 0, RED, GREEN, BLUE};
	static const uint32_t flipped_270[] = {0, BLUE, 0, GREEN, WHITE, RED};
	expect_upright(turned_90, 2, 3, WL_OUTPUT_TRANSFORM_90);
	expect_upright(turned_180, 3, 2, WL_OUTPUT_TRANSFORM_180);
	expect_upright(turned_270, 2, 3, WL_OUTPUT_TRANSFORM_270);
	expect_upright(flipped, 3, 2, WL_OUTPUT_TRANSFORM_FLIPPED);
	expect_upright(flipped_90, 2, 3, WL_OUTPUT_TRANSFORM_FLIPPED_90);
	expect_upright(flipped_180, 3, 2, WL_OUTPUT_TRANSFORM_FLIPPED_180);
	expect_upright(flipped_270, 2, 3, WL_OUTPUT_TRANSFORM_FLIPPED_270);
}

TEST(red_first_pixels_keep_their_colours) {
	uint32_t pixels[] = {BLUE, WHITE}; // as R, G, B, X in memory: red, white
	struct picture_part part = {.pixels = pixels, .width = 2, .height = 1, .stride_bytes = 8,
		.red_first = true, .logical_width = 2, .logical_height = 1};
	cairo_surface_t *surface = compose(&part, 1);
	EXPECT_INT(pixel_at(surface, 0, 0), RED);
	EXPECT_INT(pixel_at(surface, 1, 0), WHITE);
	cairo_surface_destroy(surface);
}

TEST(outputs_lie_as_in_the_layout_at_the_finest_scale) {
	uint32_t fine[8], coarse[2] = {GREEN, GREEN};
	for (size_t i = 0; i < 8; i++) {
		fine[i] = RED;
	}
	struct picture_part parts[] = {
		{.pixels = fine, .width = 4, .height = 2, .stride_bytes = 16, .x = -2, .y = 1,
			.logical_width = 2, .logical_height = 1},
		{.pixels = coarse, .width = 2, .height = 1, .stride_bytes = 8, .x = 0, .y = 2,
			.logical_width = 2, .logical_height = 1},
	};
	cairo_surface_t *surface = compose(parts, 2);
	EXPECT_INT(cairo_image_surface_get_width(surface), 8);
	EXPECT_INT(cairo_image_surface_get_height(surface), 4);
	EXPECT_INT(pixel_at(surface, 0, 0), RED);
	EXPECT_INT(pixel_at(surface, 3, 1), RED);
	EXPECT_INT(pixel_at(surface, 4, 1), 0);
	EXPECT_INT(pixel_at(surface, 5, 3), GREEN);
	EXPECT_INT(pixel_at(surface, 0, 3), 0);
	cairo_surface_destroy(surface);
}

TEST(one_output_keeps_its_pixels_when_its_logical_size_was_rounded) {
	/* 3 x 2 at scale 1.5 is 2 x 1.33. */
	struct picture_part part = {.pixels = upright, .width = 3, .height = 2, .stride_bytes = 12,
		.logical_width = 2, .logical_height = 1};
	cairo_surface_t *surface = compose(&part, 1);
	EXPECT_INT(cairo_image_surface_get_width(surface), 3);
	EXPECT_INT(cairo_image_surface_get_height(surface), 2);
	EXPECT_INT(pixel_at(surface, 2, 0), BLUE);
	EXPECT_INT(pixel_at(surface, 0, 1), WHITE);
	cairo_surface_destroy(surface);
}

/* Two of these side by side and one of another scale below, all of whose sizes are rounded. */
TEST(no_row_or_column_is_lost_or_doubled_at_fractional_scales) {
	static const struct {
		int width, height, scale_percent;
	} cases[] = {{1280, 720, 150}, {1366, 768, 125}, {1080, 1920, 175}, {1001, 703, 133}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int width = cases[i].width, height = cases[i].height;
		int across = width * 100 / cases[i].scale_percent;
		int down = height * 100 / cases[i].scale_percent;
		uint32_t *pixels = calloc((size_t)width * (size_t)height, sizeof(*pixels));
		for (int p = 0; p < width * height; p++) {
			pixels[p] = 0x000001 + (uint32_t)(p % width) * 0x1000 +
				(uint32_t)(p / width); // no two alike next to each other
		}
		struct picture_part part = {.pixels = pixels, .width = (uint32_t)width,
			.height = (uint32_t)height, .stride_bytes = (uint32_t)width * 4,
			.logical_width = across, .logical_height = down};
		struct picture_part parts[] = {part, part, part};
		parts[1].x = across;
		parts[2].y = down;
		cairo_surface_t *surface = compose(parts, 3);
		EXPECT_INT(cairo_image_surface_get_width(surface), 2 * width);
		EXPECT_INT(cairo_image_surface_get_height(surface), 2 * height);
		for (int p = 0; p < width * height; p++) {
			int x = p % width, y = p / width;
			uint32_t pixel = pixels[p] & 0xffffff;
			EXPECT_INT(pixel_at(surface, x, y), pixel);
			EXPECT_INT(pixel_at(surface, width + x, y), pixel);
			EXPECT_INT(pixel_at(surface, x, height + y), pixel);
		}
		cairo_surface_destroy(surface);
		free(pixels);
	}
}

TEST(an_output_of_another_scale_begins_where_the_finest_ends) {
	/* 1280 x 720 at 1.5, which is 853 x 480, and 640 x 480 at 1. */
	size_t n_fine = 1280 * 720, n_coarse = 640 * 480;
	uint32_t *fine = calloc(n_fine, 4), *coarse = calloc(n_coarse, 4);
	for (size_t i = 0; i < n_fine; i++) {
		fine[i] = RED;
	}
	for (size_t i = 0; i < n_coarse; i++) {
		coarse[i] = GREEN;
	}
	struct picture_part parts[] = {
		{.pixels = coarse, .width = 640, .height = 480, .stride_bytes = 640 * 4, .x = 853,
			.logical_width = 640, .logical_height = 480},
		{.pixels = fine, .width = 1280, .height = 720, .stride_bytes = 1280 * 4,
			.logical_width = 853, .logical_height = 480},
	};
	cairo_surface_t *surface = compose(parts, 2);
	EXPECT_INT(cairo_image_surface_get_width(surface), 1280 + 960);
	EXPECT_INT(cairo_image_surface_get_height(surface), 720);
	for (int y = 0; y < 720; y++) {
		EXPECT_INT(pixel_at(surface, 0, y), RED);
		EXPECT_INT(pixel_at(surface, 1279, y), RED);
		EXPECT_INT(pixel_at(surface, 1280, y), GREEN);
		EXPECT_INT(pixel_at(surface, 2239, y), GREEN);
	}
	cairo_surface_destroy(surface);
	free(fine);
	free(coarse);
}

TEST(a_file_that_cannot_be_written_is_named) {
	struct picture_part part = {.pixels = upright, .width = 3, .height = 2, .stride_bytes = 12,
		.logical_width = 3, .logical_height = 2};
	EXPECT(!picture_write(&part, 1, "/nonexistent/p.png", error, sizeof(error)));
	EXPECT_STR(error, "/nonexistent/p.png: No such file or directory");
	EXPECT(!picture_write(&part, 1, "/dev/full", error, sizeof(error)));
	EXPECT_STR(error, "/dev/full: No space left on device");
}

TEST(a_picture_too_large_is_refused) {
	struct picture_part part = {.pixels = upright, .width = 3, .height = 2, .stride_bytes = 12,
		.logical_width = 3, .logical_height = 2};
	struct picture_part parts[] = {part, part};
	parts[1].x = 100000;
	EXPECT(!picture_write(parts, 2, "unused.png", error, sizeof(error)));
}
