/* SPDX-License-Identifier: Apache-2.0 */
#include "common/share.h"
#include "tests/harness/test.h"

#define LIMIT 4096

/* Takes one by one as long as that is allowed. */
static uint64_t take_all(uint64_t *used) {
	uint64_t own = 0;
	while (share_fits(LIMIT, *used, own, 1)) {
		own++;
		++*used;
	}
	return own;
}

TEST(one_alone_gets_three_quarters)
{
	uint64_t used = 0;
	EXPECT_INT(take_all(&used), LIMIT / 4 * 3);
}

TEST(greedy_ones_leave_something_for_those_that_come_later)
{
	uint64_t used = 0;
	EXPECT_INT(take_all(&used), 3072);
	EXPECT_INT(take_all(&used), 768);
	EXPECT_INT(take_all(&used), 192);
	EXPECT(share_fits(LIMIT, used, 0, 1));
}

TEST(there_are_never_more_than_the_limit)
{
	EXPECT(!share_fits(LIMIT, LIMIT, 0, 1));
	EXPECT(!share_fits(LIMIT, LIMIT + 1, 0, 0));
	EXPECT(!share_fits(LIMIT, 0, 0, LIMIT + 1));
	EXPECT(!share_fits(LIMIT, 0, 0, LIMIT));
	EXPECT(!share_fits(LIMIT, 10, 10, UINT64_MAX));
	EXPECT(share_fits(LIMIT, 0, 0, 0));
}
