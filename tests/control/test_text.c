/* SPDX-License-Identifier: Apache-2.0 */
#include <locale.h>

#include "control/json.h"
#include "control/table.h"
#include "tests/harness/test.h"

static char *text;
static size_t size;

static void expect_written(FILE *stream, const char *expected) {
	EXPECT_INT(fclose(stream), 0);
	EXPECT_STR(text, expected);
	free(text);
}

TEST(json_nests_with_commas_and_indentation) {
	FILE *stream = open_memstream(&text, &size);
	struct json json;
	json_init(&json, stream);
	json_open(&json, NULL, '{');
	json_string(&json, "a", "x");
	json_open(&json, "b", '[');
	json_int(&json, NULL, -1);
	json_bool(&json, NULL, true);
	json_open(&json, NULL, '{');
	json_close(&json, '}');
	json_close(&json, ']');
	json_open(&json, "c", '[');
	json_close(&json, ']');
	json_close(&json, '}');
	expect_written(stream, "{\n  \"a\": \"x\",\n  \"b\": [\n    -1,\n    true,\n    {}\n  ],\n"
		"  \"c\": []\n}\n");
}

TEST(json_escapes_what_must_be) {
	FILE *stream = open_memstream(&text, &size);
	struct json json;
	json_init(&json, stream);
	json_string(&json, NULL, "\"\\\n\x01\x1f\x7f/\xc3\xa4");
	expect_written(stream, "\"\\\"\\\\\\u000a\\u0001\\u001f\\u007f/\xc3\xa4\"");
}

TEST(tables_align_by_what_is_seen) {
	setlocale(LC_CTYPE, "C.UTF-8");
	struct table table;
	table_init(&table, 2);
	table_add(&table, "%s", "A");
	table_add(&table, "%s", "B");
	table_add(&table, "%s", "\xe6\x97\xa5\xe6\x9c\xac"); // two characters, four columns
	table_add(&table, "%s", "x");
	table_add(&table, "%s", "\xc3\xa4");
	table_add(&table, "%s", "y");
	FILE *stream = open_memstream(&text, &size);
	EXPECT(table_print(&table, stream));
	table_finish(&table);
	expect_written(stream, "A     B\n\xe6\x97\xa5\xe6\x9c\xac  x\n\xc3\xa4     y\n");
}

TEST(tables_cannot_carry_terminal_sequences) {
	struct table table;
	table_init(&table, 1);
	table_add(&table, "%s", "\x1b[31mred\n");
	FILE *stream = open_memstream(&text, &size);
	EXPECT(table_print(&table, stream));
	table_finish(&table);
	expect_written(stream, "\xef\xbf\xbd[31mred\xef\xbf\xbd\n");
}
