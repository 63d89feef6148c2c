/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/pace.h"

#include "tests/harness/test.h"

static void draw(struct pace *pace) {
	pace_handle_frame(pace);
	pace_handle_commit(pace);
}

TEST(who_waits_for_its_callback_may_wait_for_releases) {
	struct pace pace = {0};
	draw(&pace);
	EXPECT(pace_may_wait(&pace));
	pace_handle_done(&pace);
	EXPECT(!pace_may_wait(&pace));
	draw(&pace);
	EXPECT(pace_may_wait(&pace));
}

TEST(who_asks_for_no_callback_may_not_wait) {
	struct pace pace = {0};
	pace_handle_commit(&pace);
	EXPECT(!pace_may_wait(&pace));
}

TEST(who_draws_ahead_may_not_wait) {
	struct pace pace = {0};
	draw(&pace);
	draw(&pace);
	EXPECT(!pace_may_wait(&pace));
	pace_handle_done(&pace);
	pace_handle_done(&pace);
	draw(&pace);
	EXPECT(pace_may_wait(&pace));
}

TEST(a_commit_without_a_frame_while_one_is_awaited_draws_ahead) {
	struct pace pace = {0};
	draw(&pace);
	pace_handle_commit(&pace);
	EXPECT(!pace_may_wait(&pace));
}

TEST(more_done_than_asked_for_is_no_matter) {
	struct pace pace = {0};
	pace_handle_frame(&pace);
	pace_handle_done(&pace);
	pace_handle_done(&pace);
	pace_handle_commit(&pace);
	EXPECT(!pace_may_wait(&pace));
	draw(&pace);
	EXPECT(pace_may_wait(&pace));
}
