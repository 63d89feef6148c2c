/* SPDX-License-Identifier: Apache-2.0 */
#include "borders/geometry.h"

#include <assert.h>

static int clamp_border(int border_width) {
	return border_width < FRAME_MIN_BORDER ? FRAME_MIN_BORDER : border_width;
}

static int clamp_content(int length) {
	if (length < 1) {
		return 1;
	}
	return length > FRAME_MAX_CONTENT ? FRAME_MAX_CONTENT : length;
}

static int title_height(enum frame_kind kind) {
	switch (kind) {
	case FRAME_TOPLEVEL:
		return FRAME_TITLE_HEIGHT;
	case FRAME_FULLSCREEN:
		return FRAME_SLIM_TITLE_HEIGHT;
	case FRAME_POPUP:
	case FRAME_ICON:
		break;
	}
	return 0;
}

struct frame_insets frame_insets(enum frame_kind kind, int border_width) {
	int border = clamp_border(border_width);
	return (struct frame_insets){
			.left = border,
			.right = border,
			.top = border + title_height(kind),
			.bottom = border,
	};
}

void frame_bars(enum frame_kind kind, int border_width, int content_width, int content_height,
		struct frame_box bars[4]) {
	int border = clamp_border(border_width), title = title_height(kind);
	int width = clamp_content(content_width), height = clamp_content(content_height);
	bars[0] = (struct frame_box){-border, -title - border, width + 2 * border, border};
	bars[1] = (struct frame_box){-border, height, width + 2 * border, border};
	bars[2] = (struct frame_box){-border, -title, border, height + title};
	bars[3] = (struct frame_box){width, -title, border, height + title};
}

struct frame_box frame_title(enum frame_kind kind, int border_width, int content_width) {
	int title = title_height(kind);
	if (title == 0) {
		return (struct frame_box){0};
	}
	return (struct frame_box){0, -title, clamp_content(content_width), title};
}

struct frame_box frame_button(
		enum frame_kind kind, int border_width, int content_width, enum frame_part part) {
	assert(part == FRAME_PART_MINIMIZE || part == FRAME_PART_MAXIMIZE ||
			part == FRAME_PART_CLOSE);
	int width = clamp_content(content_width);
	int from_right = FRAME_PART_CLOSE - part + 1;
	if (kind != FRAME_TOPLEVEL || width < from_right * FRAME_BUTTON_WIDTH + FRAME_LABEL_ROOM) {
		return (struct frame_box){0};
	}
	return (struct frame_box){
			.x = width - from_right * FRAME_BUTTON_WIDTH,
			.y = -FRAME_TITLE_HEIGHT,
			.width = FRAME_BUTTON_WIDTH,
			.height = FRAME_TITLE_HEIGHT,
	};
}

static bool box_contains(const struct frame_box *box, double x, double y) {
	return x >= box->x && x < box->x + box->width && y >= box->y && y < box->y + box->height;
}

/* -1, 0 or 1: near the first end of [begin, end), near neither, near the second. */
static int near_end(double at, int begin, int end) {
	int reach = FRAME_CORNER_REACH;
	if (reach > (end - begin) / 2) {
		reach = (end - begin) / 2;
	}
	if (at < begin + reach) {
		return -1;
	}
	return at >= end - reach ? 1 : 0;
}

static enum frame_part ring_part(int side_x, int side_y) {
	static const enum frame_part parts[3][3] = {
			{FRAME_PART_TOP_LEFT, FRAME_PART_TOP, FRAME_PART_TOP_RIGHT},
			{FRAME_PART_LEFT, FRAME_PART_NONE, FRAME_PART_RIGHT},
			{FRAME_PART_BOTTOM_LEFT, FRAME_PART_BOTTOM, FRAME_PART_BOTTOM_RIGHT},
	};
	return parts[side_y + 1][side_x + 1];
}

enum frame_part frame_hit(enum frame_kind kind, int border_width, int content_width,
		int content_height, double x, double y) {
	int border = clamp_border(border_width), title = title_height(kind);
	int width = clamp_content(content_width), height = clamp_content(content_height);
	struct frame_box outer = {
			-border,
			-title - border,
			width + 2 * border,
			height + title + 2 * border,
	};
	if (!box_contains(&outer, x, y)) {
		return FRAME_PART_NONE;
	}
	int side_x = x < 0 ? -1 : x >= width;
	int side_y = y < -title ? -1 : y >= height;
	if (side_x != 0 || side_y != 0) {
		if (side_x == 0) {
			side_x = near_end(x, outer.x, outer.x + outer.width);
		} else if (side_y == 0) {
			side_y = near_end(y, outer.y, outer.y + outer.height);
		}
		return ring_part(side_x, side_y);
	}
	if (y >= 0) {
		return FRAME_PART_CONTENT;
	}
	for (enum frame_part part = FRAME_PART_MINIMIZE; part <= FRAME_PART_CLOSE; part++) {
		struct frame_box button = frame_button(kind, border_width, content_width, part);
		if (box_contains(&button, x, y)) {
			return part;
		}
	}
	return FRAME_PART_TITLE;
}
