/* SPDX-License-Identifier: Apache-2.0 */
#include "common/text.h"

#include <string.h>

#include "tests/harness/test.h"

#define FFFD "\xef\xbf\xbd"
#define ELLIPSIS "\xe2\x80\xa6"

static void expect_kept(const char *text) {
	char out[128];
	EXPECT(text_sanitise(out, sizeof(out), text));
	EXPECT_STR(out, text);
}

static void expect_changed(const char *text, const char *expected) {
	char out[128];
	EXPECT(!text_sanitise(out, sizeof(out), text));
	EXPECT_STR(out, expected);
}

TEST(plain_text_of_any_script_is_kept) {
	expect_kept("");
	expect_kept("Mail - Inbox (3)");
	expect_kept("\xc3\xa4\xd0\x96\xe6\x97\xa5\xd7\x90\xe0\xa4\x95");
	expect_kept("\xf0\x9f\x98\x80");
	expect_kept("\xe2\x9d\xa4\xef\xb8\x8f"); // heart with U+FE0F
	expect_kept(FFFD);
}

TEST(null_reads_as_empty) {
	char out[4] = "abc";
	EXPECT(text_sanitise(out, sizeof(out), NULL));
	EXPECT_STR(out, "");
}

TEST(control_characters_are_replaced) {
	expect_changed("a\nb", "a" FFFD "b");
	expect_changed("\x1b[31mred", FFFD "[31mred");
	expect_changed("\t", FFFD);
	expect_changed("\x7f", FFFD);
	expect_changed("\xc2\x9b" "31m", FFFD "31m"); // C1 control sequence introducer
}

TEST(separators_and_bidirectional_controls_are_replaced) {
	expect_changed("a\xe2\x80\xa8" "b", "a" FFFD "b"); // U+2028
	expect_changed("a\xe2\x80\xae" "b", "a" FFFD "b"); // U+202E
	expect_changed("a\xe2\x81\xa6" "b", "a" FFFD "b"); // U+2066
	expect_changed("a\xd8\x9c" "b", "a" FFFD "b"); // U+061C
}

TEST(invisible_characters_are_replaced) {
	expect_changed("wo\xe2\x80\x8brk", "wo" FFFD "rk"); // U+200B
	expect_changed("wo\xc2\xadrk", "wo" FFFD "rk"); // U+00AD
	expect_changed("\xef\xbb\xbfwork", FFFD "work"); // U+FEFF
	expect_changed("\xe3\x85\xa4", FFFD); // U+3164
	expect_changed("\xf3\xa0\x81\xa1", FFFD); // U+E0061, a tag
}

TEST(private_use_and_noncharacters_are_replaced) {
	expect_changed("\xee\x80\x80", FFFD); // U+E000
	expect_changed("\xef\xa3\xbf", FFFD); // U+F8FF
	expect_kept("\xef\xa4\x80"); // U+F900
	expect_changed("\xef\xb7\x90", FFFD); // U+FDD0
	expect_changed("\xef\xbf\xbf", FFFD); // U+FFFF
	expect_changed("\xf0\x9f\xbf\xbe", FFFD); // U+1FFFE
	expect_changed("\xf4\x8f\xbf\xbf", FFFD); // U+10FFFF
}

TEST(overlong_forms_are_replaced) {
	expect_changed("\xc0\xaf", FFFD FFFD);
	expect_changed("\xe0\x80\xaf", FFFD FFFD FFFD);
	expect_changed("\xf0\x80\x80\xaf", FFFD FFFD FFFD FFFD);
}

TEST(surrogates_are_replaced) {
	expect_changed("\xed\xa0\x80", FFFD FFFD FFFD);
	expect_kept("\xed\x9f\xbf"); // U+D7FF
}

TEST(values_above_unicode_are_replaced) {
	expect_changed("\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD);
	expect_changed("\xff", FFFD);
}

TEST(a_character_that_breaks_off_is_one_replacement) {
	expect_changed("\xe6\x97", FFFD);
	expect_changed("\xe6\x97" "a", FFFD "a");
	expect_changed("\xf0\x9f\x98", FFFD);
	expect_changed("\x80", FFFD);
}

TEST(text_of_just_the_size_is_not_cut) {
	char out[6];
	EXPECT(text_sanitise(out, sizeof(out), "12345"));
	EXPECT_STR(out, "12345");
}

TEST(text_one_longer_is_cut_with_an_ellipsis) {
	char out[6];
	EXPECT(!text_sanitise(out, sizeof(out), "123456"));
	EXPECT_STR(out, "12" ELLIPSIS);
}

TEST(text_is_cut_between_characters) {
	char out[8];
	EXPECT(!text_sanitise(out, sizeof(out), "a\xe6\x97\xa5\xe6\x97\xa5" "b"));
	EXPECT_STR(out, "a\xe6\x97\xa5" ELLIPSIS);
}

TEST(a_place_too_small_for_an_ellipsis_gets_whole_characters_or_none) {
	char out[3] = "xx";
	EXPECT(!text_sanitise(out, sizeof(out), "\xe6\x97\xa5"));
	EXPECT_STR(out, "");
	char one[1] = {'x'};
	EXPECT(!text_sanitise(one, sizeof(one), "a"));
	EXPECT_STR(one, "");
}

TEST(replacements_count_against_the_size) {
	char out[6];
	EXPECT(!text_sanitise(out, sizeof(out), "\n\n\n"));
	EXPECT_STR(out, ELLIPSIS);
}

TEST(an_embedded_nul_is_replaced) {
	char out[16];
	EXPECT(!text_sanitise_bytes(out, sizeof(out), "a\0b", 3));
	EXPECT_STR(out, "a" FFFD "b");
}

TEST(bytes_past_the_given_size_are_not_read) {
	char out[16];
	char *text = malloc(2);
	EXPECT(text != NULL);
	memcpy(text, "\xe6\x97", 2);
	EXPECT(!text_sanitise_bytes(out, sizeof(out), text, 2));
	EXPECT_STR(out, FFFD);
	free(text);
}

TEST(random_bytes_end_as_clean_text_within_the_size) {
	test_random_seed(1);
	for (int round = 0; round < 20000; round++) {
		uint8_t bytes[24];
		char out[16], again[16];
		size_t size = test_random_below(sizeof(bytes) + 1);
		for (size_t i = 0; i < size; i++) {
			bytes[i] = (uint8_t)test_random();
		}
		text_sanitise_bytes(out, sizeof(out), bytes, size);
		EXPECT(text_sanitise(again, sizeof(again), out));
	}
}

static void expect_stripped(const char *text, const char *expected) {
	char out[128];
	size_t size = strlen(text);
	memcpy(out, text, size);
	size = text_strip(out, size);
	out[size] = '\0';
	EXPECT_STR(out, expected);
}

TEST(what_is_pasted_has_lines_but_no_control_sequences) {
	expect_stripped("", "");
	expect_stripped("one\n\ttwo\n", "one\n\ttwo\n");
	expect_stripped("one\r\ntwo", "one\ntwo");
	expect_stripped("\x1b[201~rm\x7f\b", "[201~rm");
	expect_stripped("\xc2\x9b" "31m", "31m");
	expect_stripped("a\xe2\x80\xae" "b\xe2\x81\xa6", "ab");
	const char *joined = "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb";
	expect_stripped(joined, joined);
	expect_stripped("\xc3", "");
	expect_stripped("\xff\xc0\x80ok\xed\xa0\x80", "ok");
}
