/* SPDX-License-Identifier: Apache-2.0 */
#include "control/picture.h"

#include <cairo.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <wayland-client-protocol.h>

#define MAX_SIDE_PX 32767 // cairo's

struct box {
	double x, y, width, height;
};

static bool is_sideways(uint32_t transform) {
	return transform & WL_OUTPUT_TRANSFORM_90;
}

/* From a point in the pixels to the point where it is seen, both from the top left corner. */
static cairo_matrix_t upright_matrix(uint32_t transform, double width, double height) {
	static const struct {
		signed char xx, yx, xy, yy;
	} turns[] = {
		[WL_OUTPUT_TRANSFORM_NORMAL] = {1, 0, 0, 1},
		[WL_OUTPUT_TRANSFORM_90] = {0, 1, -1, 0},
		[WL_OUTPUT_TRANSFORM_180] = {-1, 0, 0, -1},
		[WL_OUTPUT_TRANSFORM_270] = {0, -1, 1, 0},
		[WL_OUTPUT_TRANSFORM_FLIPPED] = {-1, 0, 0, 1},
		[WL_OUTPUT_TRANSFORM_FLIPPED_90] = {0, 1, 1, 0},
		[WL_OUTPUT_TRANSFORM_FLIPPED_180] = {1, 0, 0, -1},
		[WL_OUTPUT_TRANSFORM_FLIPPED_270] = {0, -1, -1, 0},
	};
	uint32_t i = transform <= WL_OUTPUT_TRANSFORM_FLIPPED_270 ? transform : 0;
	cairo_matrix_t matrix = {
		.xx = turns[i].xx, .yx = turns[i].yx, .xy = turns[i].xy, .yy = turns[i].yy};
	// What was turned to negative coordinates moves back.
	matrix.x0 = (turns[i].xx < 0 ? width : 0) + (turns[i].xy < 0 ? height : 0);
	matrix.y0 = (turns[i].yx < 0 ? width : 0) + (turns[i].yy < 0 ? height : 0);
	return matrix;
}

static cairo_surface_t *copy_part(const struct picture_part *part) {
	cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)part->width,
			(int)part->height);
	if (cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS) {
		return surface;
	}
	cairo_surface_flush(surface);
	uint8_t *out = cairo_image_surface_get_data(surface);
	size_t out_stride = (size_t)cairo_image_surface_get_stride(surface);
	for (uint32_t y = 0; y < part->height; y++) {
		const uint8_t *row = (const uint8_t *)part->pixels + (size_t)y * part->stride_bytes;
		uint8_t *out_row = out + y * out_stride;
		for (uint32_t x = 0; x < part->width; x++) {
			const uint8_t *p = row + 4 * (size_t)x;
			uint32_t red = p[part->red_first ? 0 : 2], green = p[1];
			uint32_t blue = p[part->red_first ? 2 : 0];
			uint32_t pixel = red << 16 | green << 8 | blue;
			memcpy(out_row + 4 * (size_t)x, &pixel, sizeof(pixel));
		}
	}
	cairo_surface_mark_dirty(surface);
	return surface;
}

static double part_scale(const struct picture_part *part) {
	uint32_t shown = is_sideways(part->transform) ? part->height : part->width;
	return (double)shown / part->logical_width;
}

static struct box bounds(const struct picture_part *parts, size_t n_parts) {
	double left = INFINITY, top = INFINITY, right = -INFINITY, bottom = -INFINITY;
	for (size_t i = 0; i < n_parts; i++) {
		left = fmin(left, parts[i].x);
		top = fmin(top, parts[i].y);
		right = fmax(right, (double)parts[i].x + parts[i].logical_width);
		bottom = fmax(bottom, (double)parts[i].y + parts[i].logical_height);
	}
	return (struct box){left, top, right - left, bottom - top};
}

/* cr is scaled to layout coordinates from the layout's top left corner. */
static void draw_part(cairo_t *cr, const struct picture_part *part, double scale) {
	cairo_surface_t *surface = copy_part(part);
	cairo_matrix_t upright = upright_matrix(part->transform, part->width, part->height);
	bool sideways = is_sideways(part->transform);
	double shown_width = sideways ? part->height : part->width;
	double shown_height = sideways ? part->width : part->height;
	cairo_save(cr);
	cairo_translate(cr, part->x, part->y);
	cairo_rectangle(cr, 0, 0, part->logical_width, part->logical_height);
	cairo_clip(cr);
	cairo_scale(cr, part->logical_width / shown_width, part->logical_height / shown_height);
	cairo_transform(cr, &upright);
	cairo_set_source_surface(cr, surface, 0, 0);
	// Else a picture made larger fades out at its edges.
	cairo_pattern_set_extend(cairo_get_source(cr), CAIRO_EXTEND_PAD);
	bool exact = fabs(part_scale(part) - scale) < 1e-6;
	cairo_pattern_set_filter(
			cairo_get_source(cr), exact ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_GOOD);
	cairo_paint(cr);
	cairo_restore(cr);
	cairo_surface_destroy(surface);
}

static cairo_status_t write_bytes(void *closure, const unsigned char *bytes, unsigned size) {
	FILE *file = closure;
	return fwrite(bytes, 1, size, file) == size ? CAIRO_STATUS_SUCCESS
						    : CAIRO_STATUS_WRITE_ERROR;
}

static bool write_png(cairo_surface_t *surface, const char *path, char *error, size_t error_size) {
	bool to_stdout = strcmp(path, "-") == 0;
	FILE *file = to_stdout ? stdout : fopen(path, "wbe");
	if (file == NULL) {
		snprintf(error, error_size, "%s: %s", path, strerror(errno));
		return false;
	}
	errno = 0;
	cairo_status_t status = cairo_surface_write_to_png_stream(surface, write_bytes, file);
	int saved_errno = errno;
	if ((to_stdout ? fflush(file) : fclose(file)) != 0 && status == CAIRO_STATUS_SUCCESS) {
		saved_errno = errno;
		status = CAIRO_STATUS_WRITE_ERROR;
	}
	if (status == CAIRO_STATUS_WRITE_ERROR) {
		snprintf(error, error_size, "%s: %s", path, strerror(saved_errno));
	} else if (status != CAIRO_STATUS_SUCCESS) {
		snprintf(error, error_size, "%s: %s", path, cairo_status_to_string(status));
	}
	return status == CAIRO_STATUS_SUCCESS;
}

bool picture_write(const struct picture_part *parts, size_t n_parts, const char *path,
		char *error, size_t error_size) {
	/* One output alone is shown as it is: at a fractional scale its logical size is rounded. */
	struct picture_part alone;
	if (n_parts == 1) {
		alone = parts[0];
		bool sideways = is_sideways(alone.transform);
		alone.logical_width = (int32_t)(sideways ? alone.height : alone.width);
		alone.logical_height = (int32_t)(sideways ? alone.width : alone.height);
		parts = &alone;
	}
	struct box box = bounds(parts, n_parts);
	double scale = 0;
	for (size_t i = 0; i < n_parts; i++) {
		scale = fmax(scale, part_scale(&parts[i]));
	}
	double width = ceil(box.width * scale - 1e-6), height = ceil(box.height * scale - 1e-6);
	if (!(width >= 1 && height >= 1 && width <= MAX_SIDE_PX && height <= MAX_SIDE_PX)) {
		snprintf(error, error_size, "a picture of %.0f x %.0f pixels cannot be made", width,
				height);
		return false;
	}
	cairo_surface_t *canvas =
			cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width, (int)height);
	cairo_t *cr = cairo_create(canvas);
	cairo_scale(cr, scale, scale);
	cairo_translate(cr, -box.x, -box.y);
	for (size_t i = 0; i < n_parts; i++) {
		draw_part(cr, &parts[i], scale);
	}
	bool ok = cairo_status(cr) == CAIRO_STATUS_SUCCESS;
	if (ok) {
		ok = write_png(canvas, path, error, error_size);
	} else {
		snprintf(error, error_size, "%s", cairo_status_to_string(cairo_status(cr)));
	}
	cairo_destroy(cr);
	cairo_surface_destroy(canvas);
	return ok;
}
