/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/refresh.h"
#include "tests/harness/test.h"

#define PERIOD INT64_C(10000000)
#define START 5000000000

/* A screen of 100 Hz that showed something at START. */
static struct refresh screen(void) {
	struct refresh refresh;
	refresh_init(&refresh, false);
	refresh_set_rate(&refresh, 100000);
	refresh_handle_drawn(&refresh, START - 1000);
	refresh_handle_shown(&refresh, START);
	return refresh;
}

TEST(an_unknown_rate_is_taken_for_60_hertz) {
	struct refresh refresh;
	refresh_init(&refresh, false);
	EXPECT_INT(refresh.period_ns, 1000000000 / 60);
	refresh_set_rate(&refresh, 144000);
	EXPECT_INT(refresh.period_ns, 6944444);
	refresh_set_rate(&refresh, -1);
	EXPECT_INT(refresh.period_ns, 1000000000 / 60);
}

TEST(what_is_there_now_is_shown_at_the_next_refresh) {
	struct refresh refresh = screen();
	EXPECT_INT(refresh_next(&refresh, START, false), START + PERIOD);
	EXPECT_INT(refresh_next(&refresh, START + 1, false), START + PERIOD);
	EXPECT_INT(refresh_next(&refresh, START + PERIOD - 1, false), START + PERIOD);
	EXPECT_INT(refresh_next(&refresh, START + PERIOD, false), START + 2 * PERIOD);
	EXPECT_INT(refresh_next(&refresh, START + 70 * PERIOD + 3, false), START + 71 * PERIOD);
}

TEST(behind_a_drawn_frame_it_is_shown_a_refresh_later) {
	struct refresh refresh = screen();
	refresh_handle_drawn(&refresh, START + 3);
	EXPECT_INT(refresh_next(&refresh, START + 5, true), START + 2 * PERIOD);
	/* One that is late is shown at any moment. */
	EXPECT_INT(refresh_next(&refresh, START + PERIOD + 5, true), START + 2 * PERIOD);
}

TEST(a_target_begins_with_the_refresh_before_its_own) {
	struct refresh refresh = screen();
	EXPECT_INT(refresh_begin(&refresh, START + 2 * PERIOD), START + PERIOD);
	EXPECT_INT(refresh_begin(&refresh, START + 2 * PERIOD + 1), START + 2 * PERIOD);
	EXPECT_INT(refresh_begin(&refresh, START + 3 * PERIOD - 1), START + 2 * PERIOD);
	EXPECT_INT(refresh_begin(&refresh, START - 7), START - 7);
	EXPECT(refresh_begin(&refresh, INT64_MAX) > INT64_MAX - 2 * PERIOD);
	/* From then on it is shown in time, and not before. */
	for (int64_t target = START + 1; target < START + 3 * PERIOD; target += PERIOD / 7) {
		int64_t begin = refresh_begin(&refresh, target);
		EXPECT(refresh_next(&refresh, begin, false) >= target);
		EXPECT(refresh_next(&refresh, begin, false) < target + PERIOD);
		EXPECT(refresh_next(&refresh, begin - 1, false) < target);
	}
}

TEST(without_a_screen_it_is_shown_at_once) {
	struct refresh refresh;
	refresh_init(&refresh, true);
	refresh_handle_shown(&refresh, START);
	EXPECT_INT(refresh_next(&refresh, START + 3, false), START + 3);
	EXPECT_INT(refresh_next(&refresh, START + 3, true), START + 3);
	EXPECT_INT(refresh_begin(&refresh, START + 3), START + 3);
}

TEST(before_anything_was_shown_it_is_taken_to_be_shown_at_once) {
	struct refresh refresh;
	refresh_init(&refresh, false);
	EXPECT_INT(refresh_next(&refresh, START, false), START);
	EXPECT_INT(refresh_begin(&refresh, START), START);
}

TEST(a_driver_without_refreshes_is_found_out) {
	struct refresh refresh = screen();
	refresh_handle_drawn(&refresh, START + PERIOD / 2);
	refresh_handle_shown(&refresh, START + PERIOD - 1000); // a little early is no proof
	EXPECT(!refresh.immediate);
	refresh_handle_drawn(&refresh, START + 2 * PERIOD + 3);
	refresh_handle_shown(&refresh, START + 4 * PERIOD); // and one that is late neither
	EXPECT(!refresh.immediate);
	refresh_handle_drawn(&refresh, START + 4 * PERIOD + 100);
	refresh_handle_shown(&refresh, START + 4 * PERIOD + 200);
	EXPECT(refresh.immediate);
}

TEST(a_prediction_over_a_long_rest_proves_nothing) {
	struct refresh refresh = screen();
	refresh_handle_drawn(&refresh, START + 1000 * PERIOD + 100);
	refresh_handle_shown(&refresh, START + 1000 * PERIOD + 200);
	EXPECT(!refresh.immediate);
}
