/* SPDX-License-Identifier: Apache-2.0 */
#include <librsvg/rsvg.h>
#include <string.h>

#include "launcher/icons.h"

#define ICON_MAX_PIXELS 1024

static void paint_svg(cairo_t *cairo, const char *path, int size) {
	RsvgHandle *handle = rsvg_handle_new_from_file(path, NULL);
	if (handle == NULL) {
		return;
	}
	RsvgRectangle viewport = {0, 0, size, size};
	rsvg_handle_render_document(handle, cairo, &viewport, NULL);
	g_object_unref(handle);
}

/* Centred, as large as fits. */
static void paint_png(cairo_t *cairo, const char *path, int size) {
	cairo_surface_t *image = cairo_image_surface_create_from_png(path);
	int width = cairo_image_surface_get_width(image),
	    height = cairo_image_surface_get_height(image);
	if (cairo_surface_status(image) == CAIRO_STATUS_SUCCESS && width > 0 && height > 0) {
		double scale = (double)size / (width > height ? width : height);
		cairo_translate(cairo, (size - width * scale) / 2, (size - height * scale) / 2);
		cairo_scale(cairo, scale, scale);
		cairo_set_source_surface(cairo, image, 0, 0);
		cairo_paint(cairo);
	}
	cairo_surface_destroy(image);
}

cairo_surface_t *icon_load(const char *path, int size) {
	if (size < 1 || size > ICON_MAX_PIXELS) {
		return NULL;
	}
	cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, size, size);
	cairo_t *cairo = cairo_create(surface);
	const char *dot = strrchr(path, '.');
	if (dot != NULL && strcmp(dot, ".svg") == 0) {
		paint_svg(cairo, path, size);
	} else {
		paint_png(cairo, path, size);
	}
	cairo_destroy(cairo);
	return surface;
}
