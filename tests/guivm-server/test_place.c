/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "guivm-server/place.h"
#include "tests/harness/test.h"

static const struct frame_insets insets = {4, 4, 32, 4};
static const struct wlr_box area = {100, 50, 800, 600};

TEST(inset_leaves_room_for_the_frame) {
	struct wlr_box box = place_inset(&area, &insets);
	EXPECT_INT(box.x, 104);
	EXPECT_INT(box.y, 82);
	EXPECT_INT(box.width, 792);
	EXPECT_INT(box.height, 564);
}

TEST(inset_of_a_tiny_area_is_a_pixel) {
	struct wlr_box box = place_inset(&(struct wlr_box){0, 0, 3, 3}, &insets);
	EXPECT_INT(box.width, 1);
	EXPECT_INT(box.height, 1);
}

TEST(a_box_in_reach_stays) {
	struct wlr_box box = {300, 200, 200, 100};
	place_reachable(&box, &insets, &area);
	EXPECT_INT(box.x, 300);
	EXPECT_INT(box.y, 200);
}

TEST(a_box_out_of_reach_shows_part_of_its_title) {
	struct wlr_box box = {-5000, -5000, 200, 100};
	place_reachable(&box, &insets, &area);
	EXPECT_INT(box.y, 82);
	EXPECT_INT(box.x + box.width + insets.right, 180);
	box = (struct wlr_box){9000, 9000, 200, 100};
	place_reachable(&box, &insets, &area);
	EXPECT_INT(box.x - insets.left, 820);
	EXPECT_INT(box.y, 650);
}

TEST(inside_keeps_the_frame_in_the_area) {
	struct wlr_box box = {9000, 9000, 200, 100};
	place_inside(&box, &insets, &area);
	EXPECT_INT(box.x, 900 - 4 - 200);
	EXPECT_INT(box.y, 650 - 4 - 100);
}

TEST(inside_of_what_is_too_large_starts_at_the_corner) {
	struct wlr_box box = {500, 500, 2000, 2000};
	place_inside(&box, &insets, &area);
	EXPECT_INT(box.x, 104);
	EXPECT_INT(box.y, 82);
}

TEST(the_cascade_stays_inside_for_any_number) {
	for (unsigned n = 0; n < 1000; n++) {
		struct wlr_box box = {0, 0, 300, 200};
		place_cascade(&box, &insets, &area, n);
		EXPECT(box.x >= 104 && box.x + box.width <= 896);
		EXPECT(box.y >= 82 && box.y + box.height <= 646);
	}
}

TEST(neighbours_in_the_cascade_differ) {
	struct wlr_box a = {0, 0, 300, 200}, b = a;
	place_cascade(&a, &insets, &area, 0);
	place_cascade(&b, &insets, &area, 1);
	EXPECT(a.x != b.x && a.y != b.y);
}

TEST(beside_finds_free_room) {
	struct wlr_box box = {110, 90, 200, 200};
	const struct wlr_box other = {100, 50, 400, 600};
	place_beside(&box, &insets, &area, &other, 1);
	EXPECT(box.x - insets.left >= 500);
	EXPECT(box.x + box.width + insets.right <= 900);
}

TEST(beside_stays_where_nothing_is_better) {
	struct wlr_box box = {110, 90, 200, 200};
	place_beside(&box, &insets, &area, &area, 1);
	EXPECT_INT(box.x, 110);
	EXPECT_INT(box.y, 90);
}

TEST(on_pixels_moves_by_as_little_as_makes_the_size_right) {
	const struct wlr_box output = {100, 50, 1024, 576};
	const double scales[] = {1.125, 1.25, 1.375, 1.5, 1.75, 2.625};
	for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++) {
		double scale = scales[i];
		for (int n = 0; n < 4000; n++) {
			struct wlr_box box = {
				100 + n % 61, 50 + n % 67, 200 + n % 71, 100 + n % 73};
			struct wlr_box old = box;
			place_on_pixels(&box, &output, scale);
			EXPECT_INT(lround((box.x - 100 + box.width) * scale) -
							lround((box.x - 100) * scale),
					lround(box.width * scale));
			EXPECT_INT(lround((box.y - 50 + box.height) * scale) -
							lround((box.y - 50) * scale),
					lround(box.height * scale));
			EXPECT(abs(box.x - old.x) <= 4 && abs(box.y - old.y) <= 4);
			EXPECT(box.width == old.width && box.height == old.height);
		}
	}
}

TEST(on_pixels_leaves_whole_scales_alone) {
	const struct wlr_box output = {0, 0, 1024, 576};
	for (int x = -50; x < 50; x++) {
		struct wlr_box box = {x, -x, 333, 77};
		place_on_pixels(&box, &output, 1 + (x & 1));
		EXPECT(box.x == x && box.y == -x);
	}
}
