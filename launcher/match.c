/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/match.h"

#include <glib.h>
#include <string.h>

enum {
	SCORE_NAME = 120,
	SCORE_NAME_START = 100,
	SCORE_NAME_WORD = 80,
	SCORE_LABEL = 70,
	SCORE_NAME_PART = 60,
	SCORE_NAME_LETTERS = 30, // less one for each letter skipped, down to
	SCORE_NAME_LETTERS_MIN = 11,
	SCORE_DETAILS = 10,
};

/* For comparing only. Never NULL; the caller frees it. */
static char *fold(const char *text) {
	char *normal = g_utf8_normalize(text, -1, G_NORMALIZE_ALL);
	if (normal == NULL) {
		return g_ascii_strdown(text, -1); // not UTF-8
	}
	char *folded = g_utf8_casefold(normal, -1);
	g_free(normal);
	return folded;
}

static bool starts_a_word(const char *text, const char *word) {
	size_t length = strlen(word);
	bool boundary = true;
	for (const char *at = text; *at != '\0'; at++) {
		if (boundary && strncmp(at, word, length) == 0) {
			return true;
		}
		boundary = strchr(" -_./()", *at) != NULL;
	}
	return false;
}

/*
 * How many bytes of text lie between the letters of word, or -1 when they are not there in order.
 */
static int skipped_letters(const char *text, const char *word) {
	const char *first = NULL;
	int skipped = 0;
	for (; *word != '\0'; word++) {
		const char *at = strchr(text, *word);
		if (at == NULL) {
			return -1;
		}
		skipped += first != NULL ? (int)(at - text) : 0;
		first = first != NULL ? first : at;
		text = at + 1;
	}
	return skipped;
}

static int score_letters(const char *name, const char *word) {
	int skipped = skipped_letters(name, word);
	if (skipped < 0) {
		return 0;
	}
	int score = SCORE_NAME_LETTERS - skipped;
	return score < SCORE_NAME_LETTERS_MIN ? SCORE_NAME_LETTERS_MIN : score;
}

static int score_word(const char *word, const char *name, const char *label, const char *details) {
	if (strcmp(name, word) == 0) {
		return SCORE_NAME;
	}
	if (strncmp(name, word, strlen(word)) == 0) {
		return SCORE_NAME_START;
	}
	if (starts_a_word(name, word)) {
		return SCORE_NAME_WORD;
	}
	if (starts_a_word(label, word)) {
		return SCORE_LABEL;
	}
	if (strstr(name, word) != NULL) {
		return SCORE_NAME_PART;
	}
	int letters = score_letters(name, word);
	if (letters > 0) {
		return letters;
	}
	return strstr(details, word) != NULL ? SCORE_DETAILS : 0;
}

int match_score(const char *query, const struct match_texts *texts) {
	char *folded = fold(query), *name = fold(texts->name), *label = fold(texts->vm_label),
	     *details = fold(texts->details);
	char *rest = folded, *word;
	int score = 1;
	while (score > 0 && (word = strsep(&rest, " \t")) != NULL) {
		if (word[0] != '\0') {
			int found = score_word(word, name, label, details);
			score = found > 0 ? score + found : 0;
		}
	}
	g_free(folded);
	g_free(name);
	g_free(label);
	g_free(details);
	return score;
}
