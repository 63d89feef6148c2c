/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_BORDERS_PAINT_H
#define ISTHMUS_BORDERS_PAINT_H

#include <cairo.h>
#include <pango/pango.h>
#include <stdbool.h>
#include <stdint.h>

/* What title bars and the launcher are painted with. Lengths are in cairo's user space, which is
 * logical pixels in both; colours are 0xRRGGBB. */

void paint_set_color(cairo_t *cairo, uint32_t color, double alpha);

/* A path; to be filled or stroked. */
void paint_rounded_box(cairo_t *cairo, double x, double y, double width, double height,
		double radius);

/* Grey antialiasing and unhinted metrics, whatever the fonts' settings: the picture is scaled, and
 * shown on any kind of screen. */
void paint_set_font_options(cairo_t *cairo);

/* One line that ends in an ellipsis at max_width. Never NULL; g_object_unref() it. */
PangoLayout *paint_layout_create(
		cairo_t *cairo, const char *text, double size, bool bold, double max_width);

/* width is rounded up. */
void paint_layout_size(PangoLayout *layout, double *width, double *height);

#endif
