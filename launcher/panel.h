/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_LAUNCHER_PANEL_H
#define ISTHMUS_LAUNCHER_PANEL_H

#include <cairo.h>
#include <stdbool.h>
#include <stddef.h>

struct icons;
struct list;

/*
 * The launcher's picture: a search field, rows of applications with their VM's stripe and badge,
 * and a line of status. No Wayland here.
 */
#define PANEL_WIDTH 620 // wanted, in logical pixels
#define PANEL_HEIGHT 566

struct panel {
	struct list *list; // pictures of icons are kept in its entries
	struct icons *icons;
	int width, height; // logical pixels
	double scale;
	const char *status; // shown at the bottom; "" : what the keys do
	bool status_is_error;
};

/* How many rows a panel of this height has room for. */
size_t panel_visible_rows(int height);

/* The row under a point, counted from the first that is shown; false: none. */
bool panel_row_at(int width, int height, double x, double y, size_t *row);

/* Draws all of it. cairo's target has panel->scale pixels per logical pixel. */
void panel_draw(const struct panel *panel, cairo_t *cairo);

#endif
