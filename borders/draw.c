/* SPDX-License-Identifier: Apache-2.0 */
#include "borders/draw.h"

#include <math.h>
#include <pango/pangocairo.h>

#include "borders/paint.h"

#define PADDING 6.0
#define BADGE_PADDING 7.0
#define BADGE_RADIUS 3.0
#define TITLE_MIN_WIDTH 16.0
#define GLYPH_HALF 4.5 // half the side of a button's picture

uint32_t draw_bar_color(const struct trust_mark *mark, bool active) {
	return active ? mark->color : trust_inactive_color(mark->color);
}

int draw_scaled(int length, double scale) {
	int pixels = (int)lround(length * scale);
	return pixels < 1 ? 1 : pixels;
}

/* Centred on the text's line, and clipped: stacked marks reach far out of their line. */
static void show_layout(
		cairo_t *cairo, PangoLayout *layout, double x, double width, double height) {
	double text_width, text_height;
	paint_layout_size(layout, &text_width, &text_height);
	cairo_save(cairo);
	cairo_rectangle(cairo, x, 0, width, height);
	cairo_clip(cairo);
	cairo_move_to(cairo, x, round((height - text_height) / 2));
	pango_cairo_show_layout(cairo, layout);
	cairo_restore(cairo);
}

/* Returns where the badge ends. */
static double draw_badge(cairo_t *cairo, const struct draw_title *spec, uint32_t bar, double end) {
	const struct trust_mark *mark = &spec->mark;
	const char *label = mark->label[0] != '\0' ? mark->label : mark->name;
	double x = PADDING / 2, room = end - x - 2 * BADGE_PADDING;
	if (!mark->is_vm || room < 1) {
		return x;
	}
	double size = spec->kind == FRAME_FULLSCREEN ? 11 : 13;
	PangoLayout *layout = paint_layout_create(cairo, label, size, true, room);
	double width, height;
	paint_layout_size(layout, &width, &height);
	width = fmin(width, room);
	double inset = spec->kind == FRAME_FULLSCREEN ? 2 : 4;
	paint_set_color(cairo, trust_text_color(bar), 1);
	paint_rounded_box(cairo, x, inset, width + 2 * BADGE_PADDING, spec->height - 2 * inset,
			BADGE_RADIUS);
	cairo_fill(cairo);
	paint_set_color(cairo, bar, 1);
	pango_layout_set_width(layout, (int)((width + 1) * PANGO_SCALE));
	pango_layout_set_auto_dir(layout, FALSE);
	show_layout(cairo, layout, x + BADGE_PADDING, width + 1, spec->height);
	g_object_unref(layout);
	return x + width + 2 * BADGE_PADDING;
}

/* Returns where the text ends. */
static double draw_text(cairo_t *cairo, const struct draw_title *spec, const char *text, bool bold,
		double begin, double end) {
	if (text == NULL || text[0] == '\0' || end - begin < TITLE_MIN_WIDTH) {
		return begin;
	}
	double size = spec->kind == FRAME_FULLSCREEN ? 11 : 13;
	PangoLayout *layout = paint_layout_create(cairo, text, size, bold, end - begin);
	double width, height;
	paint_layout_size(layout, &width, &height);
	width = fmin(width, end - begin);
	/*
	 * Right-to-left text starts where left-to-right text would, not at the far end of the bar.
	 */
	pango_layout_set_width(layout, (int)((width + 1) * PANGO_SCALE));
	show_layout(cairo, layout, begin, width + 1, spec->height);
	g_object_unref(layout);
	return begin + width;
}

static void draw_glyph(cairo_t *cairo, enum frame_part part, bool maximized, double x, double y) {
	double half = GLYPH_HALF;
	switch (part) {
	case FRAME_PART_MINIMIZE:
		cairo_move_to(cairo, x - half, y + half - 1);
		cairo_line_to(cairo, x + half, y + half - 1);
		break;
	case FRAME_PART_MAXIMIZE:
		if (maximized) {
			cairo_rectangle(cairo, x - half, y - half + 3, 2 * half - 3, 2 * half - 3);
			cairo_move_to(cairo, x - half + 3, y - half);
			cairo_line_to(cairo, x + half, y - half);
			cairo_line_to(cairo, x + half, y + half - 3);
		} else {
			cairo_rectangle(cairo, x - half, y - half, 2 * half, 2 * half);
		}
		break;
	default:
		cairo_move_to(cairo, x - half, y - half);
		cairo_line_to(cairo, x + half, y + half);
		cairo_move_to(cairo, x + half, y - half);
		cairo_line_to(cairo, x - half, y + half);
		break;
	}
	cairo_stroke(cairo);
}

/* Returns where the leftmost button begins. */
static double draw_buttons(cairo_t *cairo, const struct draw_title *spec, uint32_t text) {
	double begin = spec->width;
	cairo_set_line_width(cairo, 1.4);
	for (enum frame_part part = FRAME_PART_CLOSE; part >= FRAME_PART_MINIMIZE; part--) {
		struct frame_box box = frame_button(spec->kind, 0, spec->width, part);
		if (box.width == 0) {
			break;
		}
		begin = box.x;
		if (spec->hover == part) {
			paint_set_color(cairo, text, 0.25);
			cairo_rectangle(cairo, box.x, 0, box.width, box.height);
			cairo_fill(cairo);
		}
		paint_set_color(cairo, text, 1);
		draw_glyph(cairo, part, spec->maximized, box.x + box.width / 2.0, box.height / 2.0);
	}
	return begin;
}

static double draw_attention(
		cairo_t *cairo, const struct draw_title *spec, double begin, double end) {
	if (!spec->attention || end - begin < TITLE_MIN_WIDTH) {
		return begin;
	}
	cairo_arc(cairo, begin + 4, spec->height / 2.0, 4, 0, 2 * M_PI);
	cairo_fill(cairo);
	return begin + 8 + PADDING;
}

/*
 * Half of the room at most goes to the notice's neighbour: the compositor's own words are never
 * pushed out.
 */
static double notice_width(cairo_t *cairo, const struct draw_title *spec, double room) {
	if (spec->notice == NULL || spec->notice[0] == '\0' || room < TITLE_MIN_WIDTH) {
		return 0;
	}
	PangoLayout *layout = paint_layout_create(
			cairo, spec->notice, spec->kind == FRAME_FULLSCREEN ? 11 : 13, true, room);
	double width, height;
	paint_layout_size(layout, &width, &height);
	g_object_unref(layout);
	return fmin(width + 1, room);
}

static void draw_bar(cairo_t *cairo, const struct draw_title *spec) {
	uint32_t bar = draw_bar_color(&spec->mark, spec->active), text = trust_text_color(bar);
	paint_set_color(cairo, bar, 1);
	cairo_paint(cairo);
	double end = draw_buttons(cairo, spec, text) - PADDING / 2;
	double begin = draw_badge(cairo, spec, bar, end) + PADDING;
	paint_set_color(cairo, text, 1);
	begin = draw_attention(cairo, spec, begin, end);
	double notice = notice_width(cairo, spec, end - begin);
	double title_end = notice > 0 ? end - notice - 2 * PADDING : end;
	double title = draw_text(cairo, spec, spec->title, false, begin, title_end);
	if (notice > 0) {
		draw_text(cairo, spec, spec->notice, true,
				title > begin ? title + 2 * PADDING : begin, end);
	}
}

cairo_surface_t *draw_title_create(const struct draw_title *spec) {
	cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24,
			draw_scaled(spec->width, spec->scale),
			draw_scaled(spec->height, spec->scale));
	cairo_t *cairo = cairo_create(surface);
	paint_set_font_options(cairo);
	cairo_scale(cairo, spec->scale, spec->scale);
	draw_bar(cairo, spec);
	bool ok = cairo_status(cairo) == CAIRO_STATUS_SUCCESS;
	cairo_destroy(cairo);
	if (!ok || cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS) {
		cairo_surface_destroy(surface);
		return NULL;
	}
	cairo_surface_flush(surface);
	return surface;
}
