/* SPDX-License-Identifier: Apache-2.0 */
#include "borders/paint.h"

#include <math.h>
#include <pango/pangocairo.h>

void paint_set_color(cairo_t *cairo, uint32_t color, double alpha) {
	cairo_set_source_rgba(cairo, (double)(color >> 16 & 0xff) / 255,
			(double)(color >> 8 & 0xff) / 255, (double)(color & 0xff) / 255, alpha);
}

void paint_rounded_box(cairo_t *cairo, double x, double y, double width, double height,
		double radius) {
	cairo_new_sub_path(cairo);
	cairo_arc(cairo, x + width - radius, y + radius, radius, -M_PI / 2, 0);
	cairo_arc(cairo, x + width - radius, y + height - radius, radius, 0, M_PI / 2);
	cairo_arc(cairo, x + radius, y + height - radius, radius, M_PI / 2, M_PI);
	cairo_arc(cairo, x + radius, y + radius, radius, M_PI, 3 * M_PI / 2);
	cairo_close_path(cairo);
}

void paint_set_font_options(cairo_t *cairo) {
	cairo_font_options_t *options = cairo_font_options_create();
	cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
	cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
	cairo_set_font_options(cairo, options);
	cairo_font_options_destroy(options);
}

PangoLayout *paint_layout_create(
		cairo_t *cairo, const char *text, double size, bool bold, double max_width) {
	PangoLayout *layout = pango_cairo_create_layout(cairo);
	PangoFontDescription *font = pango_font_description_from_string("Sans");
	pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
	pango_font_description_set_weight(font, bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
	pango_layout_set_font_description(layout, font);
	pango_font_description_free(font);
	pango_layout_set_single_paragraph_mode(layout, TRUE);
	pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
	pango_layout_set_width(layout, (int)(max_width * PANGO_SCALE));
	pango_layout_set_text(layout, text, -1);
	return layout;
}

void paint_layout_size(PangoLayout *layout, double *width, double *height) {
	PangoRectangle logical;
	pango_layout_get_extents(layout, NULL, &logical);
	*width = ceil((double)logical.width / PANGO_SCALE);
	*height = (double)logical.height / PANGO_SCALE;
}
