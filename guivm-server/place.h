/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_PLACE_H
#define ISTHMUS_GUIVM_SERVER_PLACE_H

#include <stddef.h>
#include <wlr/util/box.h>

#include "borders/geometry.h"

/*
 * Where windows go. Pure arithmetic in layout coordinates; boxes are of content, insets those of
 * its frame.
 */

/* What is left of area for content. At least 1x1. */
struct wlr_box place_inset(const struct wlr_box *area, const struct frame_insets *insets);

/* Moves box as little as needed so that its title bar can be reached with the pointer in area. */
void place_reachable(
		struct wlr_box *box, const struct frame_insets *insets, const struct wlr_box *area);

/* Moves box so that it and its frame lie in area, as far as they fit; left and top win. */
void place_inside(
		struct wlr_box *box, const struct frame_insets *insets, const struct wlr_box *area);

/*
 * The place of the nth new window: each a title bar further down and right, from the start again at
 * the end.
 */
void place_cascade(struct wlr_box *box, const struct frame_insets *insets,
		const struct wlr_box *area, unsigned n);

/*
 * Moves box to where it and its frame cover least of others (frames included); it stays when
 * nothing is better than its own place.
 */
void place_beside(struct wlr_box *box, const struct frame_insets *insets,
		const struct wlr_box *area, const struct wlr_box *others, size_t n_others);

/*
 * Moves box by as little as makes it as many of its output's pixels wide and high as its client
 * draws, which is its size times the scale, rounded. Where its edges fall between pixels it could
 * be one more or less, and all of it would be scaled, and blurred. output: in the layout.
 */
void place_on_pixels(struct wlr_box *box, const struct wlr_box *output, double scale);

/* Centred on another box. */
void place_over(struct wlr_box *box, const struct wlr_box *parent);

#endif
