/* SPDX-License-Identifier: Apache-2.0 */
#include "control/picture.h"

#include <cairo.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-client-protocol.h>

#define MAX_SIDE_PX 32767 // cairo's

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

/* As it is seen. */
static double shown_width(const struct picture_part *part) {
	return is_sideways(part->transform) ? part->height : part->width;
}

static double shown_height(const struct picture_part *part) {
	return is_sideways(part->transform) ? part->width : part->height;
}

/*
 * Pixels per logical pixel. The logical size was rounded, so that width and height each tell
 * another scale: theirs is the one in steps of 1/120 that gives both, if there is one.
 */
static double part_scale(const struct picture_part *part) {
	double width = shown_width(part), height = shown_height(part);
	double scale = fmin(width / part->logical_width, height / part->logical_height);
	double stepped = round(scale * 120) / 120;
	bool fits = stepped > 0 && fabs(width / stepped - part->logical_width) < 1 &&
		fabs(height / stepped - part->logical_height) < 1;
	return fits ? stepped : scale;
}

/* One side of a part: in the layout, and in the picture. All but the layout's are whole pixels. */
struct span {
	double begin, end;
	double at, size;
};

/*
 * Each part has all its pixels, and begins where the ones that it touches end: a place that is a
 * rounded size times the scale may lie a pixel before that, or behind. Those to the right depend
 * on those to the left, so after as many rounds as there are parts all are in place.
 */
static void place_spans(struct span *spans, size_t n, double scale) {
	double first = INFINITY;
	for (size_t i = 0; i < n; i++) {
		first = fmin(first, spans[i].begin);
	}
	for (size_t i = 0; i < n * n; i++) {
		struct span *span = &spans[i % n];
		double touched = -INFINITY, before = -INFINITY;
		for (size_t j = 0; j < n; j++) {
			double end = spans[j].at + spans[j].size;
			if (spans[j].end == span->begin) {
				touched = fmax(touched, end);
			} else if (spans[j].end < span->begin) {
				before = fmax(before, end);
			}
		}
		span->at = touched > -INFINITY
			? touched : fmax(before, round((span->begin - first) * scale));
	}
}

static double spans_end(const struct span *spans, size_t n) {
	double end = 0;
	for (size_t i = 0; i < n; i++) {
		end = fmax(end, spans[i].at + spans[i].size);
	}
	return end;
}

static void draw_part(cairo_t *cr, const struct picture_part *part, const struct span *across,
		const struct span *down) {
	cairo_surface_t *surface = copy_part(part);
	cairo_matrix_t upright = upright_matrix(part->transform, part->width, part->height);
	cairo_save(cr);
	cairo_rectangle(cr, across->at, down->at, across->size, down->size);
	cairo_clip(cr);
	cairo_translate(cr, across->at, down->at);
	cairo_scale(cr, across->size / shown_width(part), down->size / shown_height(part));
	cairo_transform(cr, &upright);
	cairo_set_source_surface(cr, surface, 0, 0);
	// Else a picture made larger fades out at its edges.
	cairo_pattern_set_extend(cairo_get_source(cr), CAIRO_EXTEND_PAD);
	bool exact = across->size == shown_width(part) && down->size == shown_height(part);
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

static bool draw_picture(const struct picture_part *parts, const struct span *across,
		const struct span *down, size_t n_parts, cairo_surface_t *canvas) {
	cairo_t *cr = cairo_create(canvas);
	for (size_t i = 0; i < n_parts; i++) {
		draw_part(cr, &parts[i], &across[i], &down[i]);
	}
	bool ok = cairo_status(cr) == CAIRO_STATUS_SUCCESS;
	cairo_destroy(cr);
	return ok;
}

/* across and down: n_parts of each, to be filled in. */
static void place_parts(const struct picture_part *parts, size_t n_parts, struct span *across,
		struct span *down) {
	double finest = 0;
	for (size_t i = 0; i < n_parts; i++) {
		finest = fmax(finest, part_scale(&parts[i]));
	}
	for (size_t i = 0; i < n_parts; i++) {
		const struct picture_part *part = &parts[i];
		double larger = finest / part_scale(part);
		across[i] = (struct span){.begin = part->x,
			.end = (double)part->x + part->logical_width,
			.size = round(shown_width(part) * larger)};
		down[i] = (struct span){.begin = part->y,
			.end = (double)part->y + part->logical_height,
			.size = round(shown_height(part) * larger)};
	}
	place_spans(across, n_parts, finest);
	place_spans(down, n_parts, finest);
}

bool picture_write(const struct picture_part *parts, size_t n_parts, const char *path,
		char *error, size_t error_size) {
	struct span *across = calloc(2 * n_parts, sizeof(*across));
	if (across == NULL) {
		snprintf(error, error_size, "out of memory");
		return false;
	}
	struct span *down = across + n_parts;
	place_parts(parts, n_parts, across, down);
	double width = spans_end(across, n_parts), height = spans_end(down, n_parts);
	bool ok = width >= 1 && height >= 1 && width <= MAX_SIDE_PX && height <= MAX_SIDE_PX;
	if (!ok) {
		snprintf(error, error_size, "a picture of %.0f x %.0f pixels cannot be made", width,
				height);
		goto done;
	}
	cairo_surface_t *canvas =
			cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width, (int)height);
	ok = draw_picture(parts, across, down, n_parts, canvas);
	if (ok) {
		ok = write_png(canvas, path, error, error_size);
	} else {
		snprintf(error, error_size, "out of memory");
	}
	cairo_surface_destroy(canvas);
done:
	free(across);
	return ok;
}
