/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/panel.h"

#include <limits.h>
#include <math.h>
#include <pango/pangocairo.h>
#include <stdio.h>

#include "borders/paint.h"
#include "borders/trust.h"
#include "control/client.h"
#include "launcher/icons.h"
#include "launcher/list.h"

#define HEADER_HEIGHT 56
#define ROW_HEIGHT 50
#define FOOTER_HEIGHT 60
#define STRIPE_WIDTH 6
#define ICON_SIZE 32
#define MARGIN 14
#define RADIUS 4
#define BADGE_PADDING 8
#define BADGE_MAX_WIDTH 200

#define COLOR_BACKGROUND 0x1d2128
#define COLOR_EDGE 0x4a515e
#define COLOR_FIELD 0x2a303a
#define COLOR_SELECTED 0x37404e
#define COLOR_TEXT 0xeceff4
#define COLOR_DIM 0xa7b0be
#define COLOR_ERROR 0xff9c8f

size_t panel_visible_rows(int height) {
	int room = height - HEADER_HEIGHT - FOOTER_HEIGHT;
	return room >= ROW_HEIGHT ? (size_t)(room / ROW_HEIGHT) : 1;
}

bool panel_row_at(int width, int height, double x, double y, size_t *row) {
	if (x < 0 || x >= width || y < HEADER_HEIGHT) {
		return false;
	}
	*row = (size_t)((y - HEADER_HEIGHT) / ROW_HEIGHT);
	return *row < panel_visible_rows(height);
}

static void set_color(cairo_t *cairo, uint32_t color) {
	paint_set_color(cairo, color, 1);
}

/* One line, centred on y. */
static void draw_line(cairo_t *cairo, const char *text, double size, bool bold, double x, double y,
		double width) {
	if (width < 1) {
		return;
	}
	PangoLayout *layout = paint_layout_create(cairo, text, size, bold, width);
	double text_width, text_height;
	paint_layout_size(layout, &text_width, &text_height);
	cairo_move_to(cairo, x, round(y - text_height / 2));
	pango_cairo_show_layout(cairo, layout);
	g_object_unref(layout);
}

static void draw_header(const struct panel *panel, cairo_t *cairo) {
	const char *query = panel->list->query;
	double x = MARGIN, width = panel->width - 2 * MARGIN, y = 10, height = HEADER_HEIGHT - 18;
	set_color(cairo, COLOR_FIELD);
	paint_rounded_box(cairo, x, y, width, height, RADIUS);
	cairo_fill(cairo);
	double middle = y + height / 2, text_x = x + 12, text_width = 0, text_height = 0;
	if (query[0] == '\0') {
		set_color(cairo, COLOR_DIM);
		draw_line(cairo, "Type to search applications", 16, false, text_x + 4, middle,
				width - 28);
	} else {
		PangoLayout *layout = paint_layout_create(cairo, query, 16, false, width - 28);
		pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_START);
		paint_layout_size(layout, &text_width, &text_height);
		set_color(cairo, COLOR_TEXT);
		cairo_move_to(cairo, text_x, round(middle - text_height / 2));
		pango_cairo_show_layout(cairo, layout);
		g_object_unref(layout);
	}
	set_color(cairo, COLOR_TEXT);
	cairo_rectangle(cairo, text_x + text_width + 1, middle - 10, 1.5, 20);
	cairo_fill(cairo);
}

static void entry_load_picture(struct entry *entry, const struct panel *panel) {
	int pixels = (int)lround(ICON_SIZE * panel->scale);
	if (entry->picture_size == pixels) {
		return;
	}
	if (entry->picture != NULL) {
		cairo_surface_destroy(entry->picture);
		entry->picture = NULL;
	}
	entry->picture_size = pixels;
	char path[PATH_MAX], symbolic[256];
	int scale = (int)ceil(panel->scale);
	if (panel->icons == NULL || entry->icon[0] == '\0') {
		return;
	}
	snprintf(symbolic, sizeof(symbolic), "%s-symbolic", entry->icon);
	if (icons_find(panel->icons, entry->icon, ICON_SIZE, scale, path, sizeof(path))) {
		entry->picture_symbolic = false;
	} else if (icons_find(panel->icons, symbolic, ICON_SIZE, scale, path, sizeof(path))) {
		entry->picture_symbolic = true;
	} else {
		return;
	}
	entry->picture = icon_load(path, pixels);
}

static void draw_icon(const struct panel *panel, cairo_t *cairo, struct entry *entry, double x,
		double y) {
	entry_load_picture(entry, panel);
	if (entry->picture != NULL) {
		cairo_save(cairo);
		cairo_translate(cairo, x, y);
		cairo_scale(cairo, 1 / panel->scale, 1 / panel->scale);
		if (entry->picture_symbolic) {
			set_color(cairo, COLOR_TEXT);
			cairo_mask_surface(cairo, entry->picture, 0, 0);
		} else {
			cairo_set_source_surface(cairo, entry->picture, 0, 0);
			cairo_paint(cairo);
		}
		cairo_restore(cairo);
		return;
	}
	/* No icon: the first letter, in the VM's colour. */
	char letter[8] = "";
	g_utf8_strncpy(letter, entry->name, 1);
	set_color(cairo, entry->color);
	paint_rounded_box(cairo, x, y, ICON_SIZE, ICON_SIZE, RADIUS);
	cairo_fill(cairo);
	PangoLayout *layout = paint_layout_create(cairo, letter, 18, true, ICON_SIZE);
	double width, height;
	paint_layout_size(layout, &width, &height);
	set_color(cairo, trust_text_color(entry->color));
	cairo_move_to(cairo, x + (ICON_SIZE - width) / 2, y + (ICON_SIZE - height) / 2);
	pango_cairo_show_layout(cairo, layout);
	g_object_unref(layout);
}

/* At the right; returns where it begins. */
static double draw_badge(cairo_t *cairo, const struct entry *entry, double right, double middle) {
	char text[256];
	const char *state = entry->vm_state == CONTROL_VM_STARTING ? " (starting)"
			: entry->vm_state == CONTROL_VM_FAILED     ? " (failed)"
								   : "";
	snprintf(text, sizeof(text), "%s%s", entry->vm_label, state);
	PangoLayout *layout = paint_layout_create(cairo, text, 12, true, BADGE_MAX_WIDTH);
	double width, height;
	paint_layout_size(layout, &width, &height);
	double x = right - width - 2 * BADGE_PADDING;
	set_color(cairo, entry->color);
	paint_rounded_box(cairo, x, middle - 11, width + 2 * BADGE_PADDING, 22, RADIUS);
	cairo_fill_preserve(cairo);
	/* A colour near the panel's own still shows its shape. */
	cairo_set_source_rgba(cairo, 1, 1, 1, 0.35);
	cairo_set_line_width(cairo, 1);
	cairo_stroke(cairo);
	set_color(cairo, trust_text_color(entry->color));
	cairo_move_to(cairo, x + BADGE_PADDING, round(middle - height / 2));
	pango_cairo_show_layout(cairo, layout);
	g_object_unref(layout);
	return x;
}

static void draw_row(const struct panel *panel, cairo_t *cairo, struct entry *entry, double y) {
	double middle = y + ROW_HEIGHT / 2.0;
	if (entry == list_selected(panel->list)) {
		set_color(cairo, COLOR_SELECTED);
		cairo_rectangle(cairo, 1, y, panel->width - 2, ROW_HEIGHT);
		cairo_fill(cairo);
	}
	set_color(cairo, entry->color);
	cairo_rectangle(cairo, 1, y + 1, STRIPE_WIDTH, ROW_HEIGHT - 2);
	cairo_fill(cairo);
	double x = STRIPE_WIDTH + MARGIN;
	draw_icon(panel, cairo, entry, x, middle - ICON_SIZE / 2.0);
	x += ICON_SIZE + MARGIN;
	double end = draw_badge(cairo, entry, panel->width - MARGIN, middle) - MARGIN;
	bool described = entry->description[0] != '\0';
	set_color(cairo, COLOR_TEXT);
	draw_line(cairo, entry->name, 15, false, x, described ? middle - 9 : middle, end - x);
	if (described) {
		set_color(cairo, COLOR_DIM);
		draw_line(cairo, entry->description, 12, false, x, middle + 11, end - x);
	}
}

static void draw_rows(const struct panel *panel, cairo_t *cairo) {
	const struct list *list = panel->list;
	size_t visible = panel_visible_rows(panel->height);
	for (size_t i = 0; i < visible && list->first + i < list->n_rows; i++) {
		draw_row(panel, cairo, list->rows[list->first + i],
				HEADER_HEIGHT + (double)i * ROW_HEIGHT);
	}
	if (list->n_rows == 0) {
		set_color(cairo, COLOR_DIM);
		draw_line(cairo,
				list->n_entries == 0 ? "The VM set has no applications"
						     : "Nothing matches",
				15, false, 2 * MARGIN, HEADER_HEIGHT + ROW_HEIGHT / 2.0,
				panel->width - 4 * MARGIN);
	}
	if (list->n_rows > visible) {
		double track = (double)visible * ROW_HEIGHT, rows = (double)list->n_rows;
		set_color(cairo, COLOR_EDGE);
		cairo_rectangle(cairo, panel->width - 5,
				HEADER_HEIGHT + track * (double)list->first / rows, 3,
				track * (double)visible / rows);
		cairo_fill(cairo);
	}
}

static void draw_footer(const struct panel *panel, cairo_t *cairo) {
	double top = panel->height - FOOTER_HEIGHT;
	set_color(cairo, COLOR_BACKGROUND);
	cairo_rectangle(cairo, 0, top, panel->width, FOOTER_HEIGHT);
	cairo_fill(cairo);
	set_color(cairo, COLOR_EDGE);
	cairo_rectangle(cairo, 0, top, panel->width, 1);
	cairo_fill(cairo);
	bool hint = panel->status[0] == '\0';
	PangoLayout *layout = paint_layout_create(cairo,
			hint ? "Enter starts · arrows choose · Esc closes" : panel->status, 13,
			!hint && panel->status_is_error, panel->width - 2 * MARGIN);
	pango_layout_set_single_paragraph_mode(layout, FALSE);
	pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
	pango_layout_set_height(layout, -3);
	double width, height;
	paint_layout_size(layout, &width, &height);
	set_color(cairo, hint ? COLOR_DIM : panel->status_is_error ? COLOR_ERROR : COLOR_TEXT);
	cairo_move_to(cairo, MARGIN, round(top + (FOOTER_HEIGHT - height) / 2));
	pango_cairo_show_layout(cairo, layout);
	g_object_unref(layout);
}

void panel_draw(const struct panel *panel, cairo_t *cairo) {
	paint_set_font_options(cairo);
	cairo_save(cairo);
	cairo_scale(cairo, panel->scale, panel->scale);
	set_color(cairo, COLOR_BACKGROUND);
	cairo_paint(cairo);
	draw_header(panel, cairo);
	draw_rows(panel, cairo);
	draw_footer(panel, cairo);
	set_color(cairo, COLOR_EDGE);
	cairo_set_line_width(cairo, 1);
	cairo_rectangle(cairo, 0.5, 0.5, panel->width - 1, panel->height - 1);
	cairo_stroke(cairo);
	cairo_restore(cairo);
}
