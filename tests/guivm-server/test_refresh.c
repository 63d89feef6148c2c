/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/refresh.h"
#include "tests/harness/test.h"

#define PERIOD INT64_C(10000000)
#define START 5000000000

static void draw(struct refresh *refresh, int64_t now_ns) {
	refresh_handle_drawn(refresh, now_ns - 1, now_ns);
}

/* A screen of 100 Hz that showed something at START. */
static struct refresh screen(void) {
	struct refresh refresh;
	refresh_init(&refresh, false);
	refresh_set_rate(&refresh, 100000);
	refresh_handle_drawn(&refresh, START - 2000, START - 1000);
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
	draw(&refresh, START + 3);
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
	draw(&refresh, START + PERIOD / 2);
	refresh_handle_shown(&refresh, START + PERIOD - 1000); // a little early is no proof
	EXPECT(!refresh.immediate);
	draw(&refresh, START + 2 * PERIOD + 3);
	refresh_handle_shown(&refresh, START + 4 * PERIOD); // and one that is late neither
	EXPECT(!refresh.immediate);
	draw(&refresh, START + 4 * PERIOD + 100);
	refresh_handle_shown(&refresh, START + 4 * PERIOD + 200);
	EXPECT(refresh.immediate);
}

TEST(a_prediction_over_a_long_rest_proves_nothing) {
	struct refresh refresh = screen();
	draw(&refresh, START + 1000 * PERIOD + 100);
	refresh_handle_shown(&refresh, START + 1000 * PERIOD + 200);
	EXPECT(!refresh.immediate);
}

TEST(a_screen_is_drawn_as_late_as_drawing_takes) {
	struct refresh refresh = screen();
	refresh_handle_drawn(&refresh, START + PERIOD - 3000000, START + PERIOD - 1000000);
	refresh_handle_shown(&refresh, START + PERIOD);
	int64_t at = refresh_put_off(&refresh, START + PERIOD);
	EXPECT(at < START + 2 * PERIOD - 2000000);
	EXPECT(at > START + 2 * PERIOD - 4000000);
	/* It is the same time, whenever one asks, until it has come or nearly so. */
	EXPECT_INT(refresh_put_off(&refresh, START + PERIOD + 2000000), at);
	EXPECT_INT(refresh_put_off(&refresh, at - 10), at - 10);
	EXPECT_INT(refresh_put_off(&refresh, at + 10), at + 10);
	/* The GPU took longer. */
	refresh_handle_cost(&refresh, 4000000);
	EXPECT_INT(refresh_put_off(&refresh, START + PERIOD), at - 2000000);
	refresh_handle_cost(&refresh, -1); // not known
	EXPECT_INT(refresh_put_off(&refresh, START + PERIOD), at - 2000000);
	refresh_handle_cost(&refresh, PERIOD);
	EXPECT_INT(refresh_put_off(&refresh, START + PERIOD), START + PERIOD);
}

/* Draws and shows a frame per refresh, each in 1 ms, and shown a refresh later when late. */
static int64_t run(struct refresh *refresh, int64_t shown_ns, int n, bool late) {
	for (int i = 0; i < n; i++) {
		int64_t begun_ns = refresh_put_off(refresh, shown_ns);
		refresh_handle_drawn(refresh, begun_ns, begun_ns + 1000000);
		shown_ns += late ? 2 * PERIOD : PERIOD;
		refresh_handle_shown(refresh, shown_ns);
	}
	return shown_ns;
}

static int64_t wait_of(const struct refresh *refresh, int64_t shown_ns) {
	struct refresh copy = *refresh;
	return refresh_put_off(&copy, shown_ns) - shown_ns;
}

TEST(frames_that_miss_what_they_aim_at_are_begun_earlier) {
	struct refresh refresh = screen();
	int64_t shown = run(&refresh, START, 10, false);
	int64_t wait = wait_of(&refresh, shown);
	EXPECT(wait > PERIOD / 2);
	shown = run(&refresh, shown, 1, true);
	EXPECT_INT(wait_of(&refresh, shown), 0); // at once
	/* Those that were not put off are no fault of that. */
	int64_t doubt = refresh.doubt_ns;
	shown = run(&refresh, shown, 10, true);
	EXPECT(refresh.doubt_ns < doubt);
	EXPECT(!refresh.immediate);
	/* After a minute without any it is late again. */
	shown = run(&refresh, shown, 6000, false);
	EXPECT(wait_of(&refresh, shown) > wait - PERIOD / 10);
}

TEST(a_frame_that_is_begun_too_late_has_missed) {
	struct refresh refresh = screen();
	int64_t shown = run(&refresh, START, 10, false);
	int64_t wait = wait_of(&refresh, shown);
	refresh_put_off(&refresh, shown);
	refresh_handle_drawn(&refresh, shown + PERIOD + 5, shown + PERIOD + 1000);
	refresh_handle_shown(&refresh, shown + 2 * PERIOD);
	EXPECT(wait > 0);
	EXPECT_INT(wait_of(&refresh, shown + 2 * PERIOD), 0);
	EXPECT(!refresh.immediate);
}

TEST(what_drawing_took_once_is_forgotten) {
	struct refresh refresh = screen();
	int64_t shown = run(&refresh, START, 1, false);
	int64_t wait = wait_of(&refresh, shown);
	refresh_handle_cost(&refresh, 6000000);
	EXPECT(wait_of(&refresh, shown) < wait - 4000000);
	shown = run(&refresh, shown, 300, false);
	EXPECT_INT(wait_of(&refresh, shown), wait);
}

TEST(where_the_next_refresh_is_unknown_it_is_drawn_at_once) {
	struct refresh refresh;
	refresh_init(&refresh, false);
	EXPECT_INT(refresh_put_off(&refresh, START), START);
	refresh = screen();
	EXPECT_INT(refresh_put_off(&refresh, START + 200 * PERIOD), START + 200 * PERIOD);
	refresh.immediate = true;
	EXPECT_INT(refresh_put_off(&refresh, START), START);
}
