/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "guivm-server/relay/title.h"
#include "tests/harness/test.h"

static const char *prefixed(const char *title) {
	static char text[32];
	title_prefix(text, sizeof(text), "work", title);
	return text;
}

TEST(a_title_says_whose_it_is)
{
	EXPECT_STR(prefixed("mail"), "[work] mail");
	EXPECT_STR(prefixed(""), "[work] ");
	EXPECT_STR(prefixed("\xc3\xa4\xe2\x82\xac"), "[work] \xc3\xa4\xe2\x82\xac");
}

TEST(nothing_comes_before_the_prefix)
{
	EXPECT_STR(prefixed("a\n[bank] b"), "[work] a\xef\xbf\xbd[bank] b");
	EXPECT_STR(prefixed("\xe2\x80\xae" "b"), "[work] \xef\xbf\xbd" "b"); // right to left
	EXPECT_STR(prefixed("\r\x08x"), "[work] \xef\xbf\xbd\xef\xbf\xbdx");
	EXPECT_STR(prefixed("\xff"), "[work] \xef\xbf\xbd"); // no UTF-8
}

TEST(a_long_title_is_cut)
{
	char title[100];
	memset(title, 'x', sizeof(title) - 1);
	title[sizeof(title) - 1] = '\0';
	const char *text = prefixed(title);
	EXPECT(strlen(text) < 32 && strncmp(text, "[work] xxx", 10) == 0);
}
