/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_BORDERS_DRAW_H
#define ISTHMUS_BORDERS_DRAW_H

#include <cairo.h>
#include <stdbool.h>

#include "borders/geometry.h"
#include "borders/trust.h"

/*
 * Pictures of title bars. No scene graph here, so that tests can look at what a person would see.
 */
struct draw_title {
	struct trust_mark mark;
	enum frame_kind kind; // FRAME_TOPLEVEL or FRAME_FULLSCREEN
	int width, height; // logical pixels
	double scale; // of the output
	bool active, maximized, attention;
	enum frame_part hover;
	const char *title; // already sanitised
	const char *notice; // the compositor's own words; "": none
};

/* The bar's and the bars' colour, 0xRRGGBB. */
uint32_t draw_bar_color(const struct trust_mark *mark, bool active);

/* The size in buffer pixels that a logical length takes. */
int draw_scaled(int length, double scale);

/*
 * Draws into a CAIRO_FORMAT_RGB24 surface of draw_scaled() size, opaque in every pixel. The VM's
 * label is drawn before and apart from the title, in a badge of its own that the title cannot
 * reach; where room is short the title is what gives way. The caller destroys it; NULL on no
 * memory.
 */
cairo_surface_t *draw_title_create(const struct draw_title *spec);

#endif
