/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/launch.h"
#include "tests/harness/test.h"

TEST(an_answer_is_taken_once)
{
	struct launch_list list = {0};
	EXPECT(launch_list_add(&list, 4));
	EXPECT(launch_list_add(&list, 9));
	EXPECT(launch_list_take(&list, 4));
	EXPECT(!launch_list_take(&list, 4));
	EXPECT(launch_list_take(&list, 9));
}

TEST(an_answer_that_nobody_waits_for_is_not_taken)
{
	struct launch_list list = {0};
	EXPECT(!launch_list_take(&list, 0));
	EXPECT(launch_list_add(&list, 4));
	EXPECT(!launch_list_take(&list, 5));
}

TEST(only_so_many_are_under_way)
{
	struct launch_list list = {0};
	for (uint32_t i = 0; i < LAUNCH_MAX_PENDING; i++) {
		EXPECT(launch_list_add(&list, i));
	}
	EXPECT(!launch_list_add(&list, 99));
	EXPECT(launch_list_take(&list, 3));
	EXPECT(launch_list_add(&list, 99));
}
