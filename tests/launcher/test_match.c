/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/match.h"
#include "tests/harness/test.h"

static int score(const char *query, const char *name) {
	return match_score(query,
			&(struct match_texts){.name = name,
					.vm_label = "Work",
					.details = "Edits text files Utility;"});
}

TEST(the_empty_query_matches_everything_alike)
{
	EXPECT(score("", "Editor") > 0);
	EXPECT_INT(score("", "Editor"), score("", "Browser"));
	EXPECT_INT(score("  ", "Editor"), score("", "Editor"));
}

TEST(better_matches_score_higher)
{
	EXPECT(score("text", "Text") > score("text", "Text Editor"));
	EXPECT(score("text", "Text Editor") > score("text", "My Text"));
	EXPECT(score("text", "My Text") > score("text", "Context"));
	EXPECT(score("text", "Context") > score("text", "Tea extra t"));
	EXPECT(score("text", "Tea extra t") > score("text", "Viewer"));
	EXPECT(score("text", "Viewer") > 0);
}

TEST(letters_in_order_match_and_closer_ones_better)
{
	EXPECT(score("gmp", "Gimp") > 0);
	EXPECT(score("gmp", "Gimp") > score("gmp", "Great many pictures"));
	EXPECT_INT(score("pmg", "Gimp"), 0);
}

TEST(case_and_composition_do_not_matter)
{
	EXPECT_INT(score("TEXT", "text editor"), score("text", "Text Editor"));
	EXPECT(score("a\xcc\x88", "Äpfel") > 0);
	EXPECT(score("straße", "STRASSE") > 0);
}

TEST(every_word_has_to_match)
{
	EXPECT(score("text work", "Text Editor") > 0);
	EXPECT_INT(score("text zebra", "Text Editor"), 0);
}

TEST(the_vms_label_matches)
{
	EXPECT(score("wor", "Zzz") > 0);
	EXPECT(score("work", "Zzz") > score("edits", "Zzz"));
}

TEST(bytes_that_are_no_text_are_no_match_and_no_harm)
{
	EXPECT_INT(score("\xff\xfe", "Editor"), 0);
	EXPECT(score("editor",
			       "\xff"
			       "editor") > 0);
}
