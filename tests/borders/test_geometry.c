/* SPDX-License-Identifier: Apache-2.0 */
#include "borders/geometry.h"
#include "tests/harness/test.h"

#define CANVAS 260
#define ORIGIN 60 // of the content, on the canvas

static const enum frame_kind kinds[] = {FRAME_TOPLEVEL, FRAME_FULLSCREEN, FRAME_POPUP, FRAME_ICON};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Calls check with every kind and a choice of border widths and sizes. */
static void for_each_case(void (*check)(enum frame_kind kind, int border, int width, int height)) {
	static const int borders[] = {2, 3, 4, 9, 32};
	static const int lengths[] = {
			1, 2, 15, 16, 31, 32, 33, 71, 99, 100, 127, 128, 155, 156, 160};
	for (size_t k = 0; k < KINDS; k++) {
		for (size_t b = 0; b < sizeof(borders) / sizeof(borders[0]); b++) {
			for (size_t w = 0; w < sizeof(lengths) / sizeof(lengths[0]); w++) {
				check(kinds[k], borders[b], lengths[w], 40);
				check(kinds[k], borders[b], 40, lengths[w]);
			}
		}
	}
}

static void paint(uint8_t canvas[CANVAS][CANVAS], struct frame_box box) {
	for (int y = box.y; y < box.y + box.height; y++) {
		for (int x = box.x; x < box.x + box.width; x++) {
			EXPECT(x + ORIGIN >= 0 && x + ORIGIN < CANVAS && y + ORIGIN >= 0 &&
					y + ORIGIN < CANVAS);
			canvas[y + ORIGIN][x + ORIGIN]++;
		}
	}
}

static struct frame_box outer_box(enum frame_kind kind, int border, int width, int height) {
	struct frame_insets insets = frame_insets(kind, border);
	return (struct frame_box){-insets.left, -insets.top, width + insets.left + insets.right,
			height + insets.top + insets.bottom};
}

static bool contains(struct frame_box box, int x, int y) {
	return x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height;
}

static void check_cover(enum frame_kind kind, int border, int width, int height) {
	static uint8_t canvas[CANVAS][CANVAS];
	memset(canvas, 0, sizeof(canvas));
	struct frame_box bars[4];
	frame_bars(kind, border, width, height, bars);
	for (int i = 0; i < 4; i++) {
		paint(canvas, bars[i]);
	}
	paint(canvas, frame_title(kind, border, width));
	paint(canvas, (struct frame_box){0, 0, width, height});
	struct frame_box outer = outer_box(kind, border, width, height);
	for (int y = 0; y < CANVAS; y++) {
		for (int x = 0; x < CANVAS; x++) {
			EXPECT_INT(canvas[y][x], contains(outer, x - ORIGIN, y - ORIGIN));
		}
	}
}

TEST(bars_title_and_content_cover_the_frame_once)
{ for_each_case(check_cover); }

static void check_ring(enum frame_kind kind, int border, int width, int height) {
	struct frame_box bars[4], outer = outer_box(kind, border, width, height);
	frame_bars(kind, border, width, height, bars);
	for (int y = outer.y; y < outer.y + outer.height; y++) {
		for (int x = outer.x; x < outer.x + outer.width; x++) {
			bool ring = x < outer.x + border || x >= outer.x + outer.width - border ||
					y < outer.y + border ||
					y >= outer.y + outer.height - border;
			bool bar = contains(bars[0], x, y) || contains(bars[1], x, y) ||
					contains(bars[2], x, y) || contains(bars[3], x, y);
			EXPECT_INT(bar, ring);
		}
	}
}

TEST(the_ring_is_closed_and_border_width_thick_everywhere)
{ for_each_case(check_ring); }

static bool is_ring_part(enum frame_part part) {
	return part >= FRAME_PART_TOP;
}

static void check_hit(enum frame_kind kind, int border, int width, int height) {
	struct frame_box bars[4], title = frame_title(kind, border, width);
	frame_bars(kind, border, width, height, bars);
	for (int y = -ORIGIN; y < CANVAS - ORIGIN; y++) {
		for (int x = -ORIGIN; x < CANVAS - ORIGIN; x++) {
			enum frame_part part =
					frame_hit(kind, border, width, height, x + 0.5, y + 0.5);
			bool bar = contains(bars[0], x, y) || contains(bars[1], x, y) ||
					contains(bars[2], x, y) || contains(bars[3], x, y);
			EXPECT_INT(is_ring_part(part), bar);
			EXPECT_INT(part == FRAME_PART_CONTENT,
					contains((struct frame_box){0, 0, width, height}, x, y));
			bool in_title = part >= FRAME_PART_TITLE && part <= FRAME_PART_CLOSE;
			EXPECT_INT(in_title, contains(title, x, y));
			for (enum frame_part b = FRAME_PART_MINIMIZE; b <= FRAME_PART_CLOSE; b++) {
				EXPECT_INT(part == b,
						contains(frame_button(kind, border, width, b), x,
								y));
			}
		}
	}
}

TEST(hit_test_agrees_with_the_boxes)
{ for_each_case(check_hit); }

static void check_buttons(enum frame_kind kind, int border, int width, int height) {
	struct frame_box title = frame_title(kind, border, width);
	for (enum frame_part part = FRAME_PART_MINIMIZE; part <= FRAME_PART_CLOSE; part++) {
		struct frame_box box = frame_button(kind, border, width, part);
		if (box.width == 0) {
			EXPECT_INT(box.height, 0);
			continue;
		}
		EXPECT(kind == FRAME_TOPLEVEL);
		EXPECT(box.x >= title.x + FRAME_LABEL_ROOM);
		EXPECT(box.x + box.width <= title.x + title.width);
		EXPECT(box.y == title.y && box.height == title.height);
	}
}

TEST(buttons_lie_in_the_title_bar_and_leave_room_for_the_label)
{ for_each_case(check_buttons); }

TEST(the_close_button_is_the_last_to_give_way)
{
	int width = FRAME_LABEL_ROOM + FRAME_BUTTON_WIDTH;
	EXPECT(frame_button(FRAME_TOPLEVEL, 4, width, FRAME_PART_CLOSE).width > 0);
	EXPECT_INT(frame_button(FRAME_TOPLEVEL, 4, width, FRAME_PART_MAXIMIZE).width, 0);
	EXPECT_INT(frame_button(FRAME_TOPLEVEL, 4, width - 1, FRAME_PART_CLOSE).width, 0);
}

TEST(corners_reach_16_pixels)
{
	EXPECT_INT(frame_hit(FRAME_TOPLEVEL, 4, 300, 200, -4 + 15.9, -30), FRAME_PART_TOP_LEFT);
	EXPECT_INT(frame_hit(FRAME_TOPLEVEL, 4, 300, 200, -4 + 16, -30), FRAME_PART_TOP);
	EXPECT_INT(frame_hit(FRAME_TOPLEVEL, 4, 300, 200, 304 - 16, -30), FRAME_PART_TOP_RIGHT);
	EXPECT_INT(frame_hit(FRAME_TOPLEVEL, 4, 300, 200, 302, 204 - 16), FRAME_PART_BOTTOM_RIGHT);
	EXPECT_INT(frame_hit(FRAME_TOPLEVEL, 4, 300, 200, 302, 204 - 17), FRAME_PART_RIGHT);
	EXPECT_INT(frame_hit(FRAME_TOPLEVEL, 4, 300, 200, -2, 100), FRAME_PART_LEFT);
	EXPECT_INT(frame_hit(FRAME_TOPLEVEL, 4, 300, 200, 150, 201), FRAME_PART_BOTTOM);
	EXPECT_INT(frame_hit(FRAME_TOPLEVEL, 4, 300, 200, -2, 203), FRAME_PART_BOTTOM_LEFT);
}

TEST(edges_belong_to_the_right_and_lower_neighbour)
{
	EXPECT_INT(frame_hit(FRAME_POPUP, 4, 10, 10, 0, 0), FRAME_PART_CONTENT);
	EXPECT_INT(frame_hit(FRAME_POPUP, 4, 60, 60, -0.001, 30), FRAME_PART_LEFT);
	EXPECT_INT(frame_hit(FRAME_POPUP, 4, 60, 60, 60, 30), FRAME_PART_RIGHT);
	EXPECT_INT(frame_hit(FRAME_POPUP, 4, 10, 10, 14, 5), FRAME_PART_NONE);
	EXPECT_INT(frame_hit(FRAME_POPUP, 4, 10, 10, -4.001, 5), FRAME_PART_NONE);
}

TEST(a_border_is_never_thinner_than_two_pixels)
{
	EXPECT_INT(frame_insets(FRAME_POPUP, 0).left, 2);
	EXPECT_INT(frame_insets(FRAME_ICON, -7).bottom, 2);
	struct frame_box bars[4];
	frame_bars(FRAME_TOPLEVEL, 1, 10, 10, bars);
	EXPECT_INT(bars[0].height, 2);
}

TEST(absurd_content_sizes_do_not_overflow)
{
	struct frame_box bars[4];
	frame_bars(FRAME_TOPLEVEL, 32, INT32_MAX, INT32_MAX, bars);
	EXPECT_INT(bars[3].x, FRAME_MAX_CONTENT);
	EXPECT(bars[0].width > 0 && bars[2].height > 0);
	frame_bars(FRAME_TOPLEVEL, 32, INT32_MIN, -1, bars);
	EXPECT_INT(bars[3].x, 1);
	EXPECT_INT(bars[1].y, 1);
}

TEST(every_kind_but_popups_and_icons_has_a_title)
{
	EXPECT_INT(frame_title(FRAME_TOPLEVEL, 4, 100).height, FRAME_TITLE_HEIGHT);
	EXPECT_INT(frame_title(FRAME_FULLSCREEN, 4, 100).height, FRAME_SLIM_TITLE_HEIGHT);
	EXPECT_INT(frame_title(FRAME_POPUP, 4, 100).height, 0);
	EXPECT_INT(frame_title(FRAME_ICON, 4, 100).height, 0);
}
