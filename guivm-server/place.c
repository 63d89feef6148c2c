/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/place.h"

#include <math.h>

#define REACHABLE_PX 80 // of a title bar: room to grab it beside the buttons
#define CASCADE_STEP_PX 40
#define CASCADE_MARGIN_PX 24
#define SNAP_PX 8 // what scales in eighths need at most

static int clamp(int value, int low, int high) {
	return high < low || value < low ? low : value > high ? high : value;
}

struct wlr_box place_inset(const struct wlr_box *area, const struct frame_insets *insets) {
	int width = area->width - insets->left - insets->right;
	int height = area->height - insets->top - insets->bottom;
	return (struct wlr_box){
		.x = area->x + insets->left,
		.y = area->y + insets->top,
		.width = width > 1 ? width : 1,
		.height = height > 1 ? height : 1,
	};
}

void place_reachable(struct wlr_box *box, const struct frame_insets *insets,
		const struct wlr_box *area) {
	int left = box->x - insets->left;
	int width = box->width + insets->left + insets->right;
	int reach = REACHABLE_PX < width ? REACHABLE_PX : width;
	left = clamp(left, area->x + reach - width, area->x + area->width - reach);
	int top = clamp(box->y - insets->top, area->y, area->y + area->height - insets->top);
	box->x = left + insets->left;
	box->y = top + insets->top;
}

void place_inside(struct wlr_box *box, const struct frame_insets *insets,
		const struct wlr_box *area) {
	box->x = clamp(box->x, area->x + insets->left,
			area->x + area->width - insets->right - box->width);
	box->y = clamp(box->y, area->y + insets->top,
			area->y + area->height - insets->bottom - box->height);
}

void place_cascade(struct wlr_box *box, const struct frame_insets *insets,
		const struct wlr_box *area, unsigned n) {
	int room_x = area->width - box->width - insets->left - insets->right - CASCADE_MARGIN_PX;
	int room_y = area->height - box->height - insets->top - insets->bottom - CASCADE_MARGIN_PX;
	unsigned steps_x = room_x > 0 ? (unsigned)room_x / CASCADE_STEP_PX + 1 : 1;
	unsigned steps_y = room_y > 0 ? (unsigned)room_y / CASCADE_STEP_PX + 1 : 1;
	box->x = area->x + insets->left + CASCADE_MARGIN_PX + (int)(n % steps_x) * CASCADE_STEP_PX;
	box->y = area->y + insets->top + CASCADE_MARGIN_PX + (int)(n % steps_y) * CASCADE_STEP_PX;
	place_inside(box, insets, area);
}

static long long covered(const struct wlr_box *box, const struct frame_insets *insets,
		const struct wlr_box *others, size_t n_others) {
	struct wlr_box framed = {
		.x = box->x - insets->left,
		.y = box->y - insets->top,
		.width = box->width + insets->left + insets->right,
		.height = box->height + insets->top + insets->bottom,
	};
	long long sum = 0;
	for (size_t i = 0; i < n_others; i++) {
		struct wlr_box common;
		if (wlr_box_intersection(&common, &framed, &others[i])) {
			sum += (long long)common.width * common.height;
		}
	}
	return sum;
}

void place_beside(struct wlr_box *box, const struct frame_insets *insets,
		const struct wlr_box *area, const struct wlr_box *others, size_t n_others) {
	long long best = covered(box, insets, others, n_others);
	struct wlr_box at = *box;
	for (int y = area->y; best > 0 && y < area->y + area->height; y += CASCADE_STEP_PX) {
		for (int x = area->x; best > 0 && x < area->x + area->width; x += CASCADE_STEP_PX) {
			at.x = x + insets->left;
			at.y = y + insets->top;
			place_inside(&at, insets, area);
			long long here = covered(&at, insets, others, n_others);
			if (here < best) {
				best = here;
				*box = at;
			}
		}
	}
}

void place_over(struct wlr_box *box, const struct wlr_box *parent) {
	box->x = parent->x + (parent->width - box->width) / 2;
	box->y = parent->y + (parent->height - box->height) / 2;
}

/* As wlroots rounds it. */
static bool is_on_pixels(int begin, int size, double scale) {
	return round((begin + size) * scale) - round(begin * scale) == round(size * scale);
}

static int snap(int begin, int size, double scale) {
	for (int step = 0; step <= SNAP_PX; step++) {
		if (is_on_pixels(begin - step, size, scale)) {
			return begin - step;
		}
		if (is_on_pixels(begin + step, size, scale)) {
			return begin + step;
		}
	}
	return begin;
}

void place_on_pixels(struct wlr_box *box, const struct wlr_box *output, double scale) {
	box->x = output->x + snap(box->x - output->x, box->width, scale);
	box->y = output->y + snap(box->y - output->y, box->height, scale);
}
