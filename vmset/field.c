/* SPDX-License-Identifier: Apache-2.0 */
#include "vmset/field.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"
#include "common/text.h"
#include "vmset/errors.h"

static void add(struct vmset_errors *errors, struct vmset_error template, char *path,
		const char *format, va_list args) {
	char *text = NULL;
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
	}
	template.field = path != NULL ? path : (char[]){""};
	template.text = text != NULL ? text : (char[]){"out of memory"};
	errors_add(errors, &template);
	free(text);
	free(path);
}

void field_error(struct vmset_errors *errors, const struct node *node, const char *format, ...) {
	va_list args;
	va_start(args, format);
	struct vmset_error template = {.line = node->line, .column = node->column};
	add(errors, template, node_path(node, NULL), format, args);
	va_end(args);
}

void field_warning(struct vmset_errors *errors, const struct node *node, const char *format, ...) {
	va_list args;
	va_start(args, format);
	struct vmset_error template = {.warning = true, .line = node->line, .column = node->column};
	add(errors, template, node_path(node, NULL), format, args);
	va_end(args);
}

void field_key_error(
		struct vmset_errors *errors, const struct node *node, const char *format, ...) {
	va_list args;
	va_start(args, format);
	struct vmset_error template = {.line = node->key_line, .column = node->key_column};
	add(errors, template, node_path(node, NULL), format, args);
	va_end(args);
}

static void missing_error(struct vmset_errors *errors, const struct node *mapping, const char *key,
		const char *format, ...) {
	va_list args;
	va_start(args, format);
	struct vmset_error template = {.line = mapping->line, .column = mapping->column};
	add(errors, template, node_path(mapping, key), format, args);
	va_end(args);
}

static const char *kind_name(enum node_kind kind) {
	static const char *const names[] = {
		[NODE_INVALID] = "invalid",
		[NODE_NULL] = "null",
		[NODE_BOOL] = "true or false",
		[NODE_INTEGER] = "a number",
		[NODE_FLOAT] = "a number",
		[NODE_STRING] = "text",
		[NODE_SEQUENCE] = "a list",
		[NODE_MAPPING] = "a mapping",
	};
	return names[kind];
}

static bool check_kind(struct vmset_errors *errors, const struct node *node, enum node_kind kind,
		const char *wanted) {
	if (node->kind == kind) {
		return true;
	}
	if (node->kind == NODE_STRING) {
		field_error(errors, node, "must be %s, not the text \"%.60s\"", wanted, node->text);
	} else if (node->kind != NODE_INVALID) {
		field_error(errors, node, "must be %s, not %s", wanted, kind_name(node->kind));
	}
	return false;
}

const struct node *field_find(const struct node *mapping, const char *key) {
	if (mapping == NULL || mapping->kind != NODE_MAPPING) {
		return NULL;
	}
	for (const struct node *node = mapping->first; node != NULL; node = node->next) {
		if (strcmp(node->key, key) == 0) {
			return node;
		}
	}
	return NULL;
}

const struct node *field_require(struct vmset_errors *errors, const struct node *mapping,
		const char *key) {
	const struct node *node = field_find(mapping, key);
	if (node == NULL) {
		missing_error(errors, mapping, key, "is missing");
	}
	return node;
}

static size_t min_size(size_t a, size_t b) {
	return a < b ? a : b;
}

/* Levenshtein distance; both shorter than 32 bytes. */
static size_t edit_distance(const char *a, const char *b) {
	size_t row[33];
	size_t b_length = strlen(b);
	for (size_t j = 0; j <= b_length; j++) {
		row[j] = j;
	}
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < b_length; j++) {
			size_t change = diagonal + (a[i] != b[j]);
			diagonal = row[j + 1];
			row[j + 1] = min_size(change, min_size(row[j], row[j + 1]) + 1);
		}
	}
	return row[b_length];
}

const char *field_nearest(const char *text, const char *const *names) {
	const char *nearest = NULL;
	size_t length = strlen(text);
	size_t best = length < 4 ? 2 : 3; // one past what counts as near
	for (; *names != NULL && length < 32; names++) {
		if (strlen(*names) >= 32) {
			continue;
		}
		size_t distance = edit_distance(text, *names);
		if (distance < best) {
			best = distance;
			nearest = *names;
		}
	}
	return nearest;
}

static bool check_unique_key(struct vmset_errors *errors, const struct node *node) {
	const struct node *first = field_find(node->parent, node->key);
	if (first == node) {
		return true;
	}
	field_key_error(errors, node, "is there twice; first on line %u", first->key_line);
	return false;
}

static void check_known_key(struct vmset_errors *errors, const struct node *node,
		const char *const *keys) {
	for (size_t i = 0; keys[i] != NULL; i++) {
		if (strcmp(keys[i], node->key) == 0) {
			return;
		}
	}
	const char *nearest = field_nearest(node->key, keys);
	if (nearest != NULL) {
		field_key_error(errors, node, "is not known; did you mean \"%s\"?", nearest);
	} else {
		field_key_error(errors, node, "is not known");
	}
}

bool field_check_names(struct vmset_errors *errors, const struct node *node) {
	if (!check_kind(errors, node, NODE_MAPPING, "a mapping")) {
		return false;
	}
	for (const struct node *child = node->first; child != NULL; child = child->next) {
		check_unique_key(errors, child);
	}
	return true;
}

bool field_check_mapping(struct vmset_errors *errors, const struct node *node,
		const char *const *keys) {
	if (!check_kind(errors, node, NODE_MAPPING, "a mapping")) {
		return false;
	}
	for (const struct node *child = node->first; child != NULL; child = child->next) {
		if (check_unique_key(errors, child)) {
			check_known_key(errors, child, keys);
		}
	}
	return true;
}

bool field_check_list(struct vmset_errors *errors, const struct node *node, size_t limit) {
	if (node == NULL || !check_kind(errors, node, NODE_SEQUENCE, "a list")) {
		return false;
	}
	if (node->n_children > limit) {
		field_error(errors, node, "has %zu entries; at most %zu are possible",
				node->n_children, limit);
		return false;
	}
	return true;
}

static bool is_clean(const char *text) {
	char sanitised[LIMIT_VMSET_TEXT_BYTES + 1];
	return text_sanitise(sanitised, sizeof(sanitised), text);
}

bool field_check_text(struct vmset_errors *errors, const struct node *node, size_t max_bytes) {
	if (!check_kind(errors, node, NODE_STRING, "text in quotes")) {
		return false;
	}
	size_t size = strlen(node->text);
	if (size > max_bytes) {
		field_error(errors, node, "has %zu bytes; at most %zu are possible", size,
				max_bytes);
		return false;
	}
	if (!is_clean(node->text)) {
		field_error(errors, node,
				"holds control characters or characters that cannot be seen");
		return false;
	}
	return true;
}

char *field_copy(struct vmset_errors *errors, const char *text) {
	char *copy = strdup(text);
	if (copy == NULL) {
		errors_add_file(errors, "out of memory");
	}
	return copy;
}

char *field_text(struct vmset_errors *errors, const struct node *mapping, const char *key,
		size_t max_bytes, const char *fallback) {
	const struct node *node = field_find(mapping, key);
	if (node != NULL && field_check_text(errors, node, max_bytes)) {
		return field_copy(errors, node->text);
	}
	return field_copy(errors, fallback);
}

char **field_texts(struct vmset_errors *errors, const struct node *node, size_t limit) {
	bool usable = field_check_list(errors, node, limit);
	char **texts = calloc(usable ? node->n_children + 1 : 1, sizeof(*texts));
	if (texts == NULL) {
		errors_add_file(errors, "out of memory");
		return NULL;
	}
	size_t n = 0;
	for (const struct node *child = usable ? node->first : NULL; child != NULL;
			child = child->next) {
		if (!check_kind(errors, child, NODE_STRING, "text in quotes")) {
			continue;
		}
		texts[n] = field_copy(errors, child->text);
		n += texts[n] != NULL;
	}
	return texts;
}

struct vmset_command field_command(struct vmset_errors *errors, const struct node *node) {
	struct vmset_command command = {0};
	if (!field_check_list(errors, node, LIMIT_ARGV)) {
		return command;
	}
	const struct node *program = node->first;
	if (program == NULL) {
		field_error(errors, node, "must have at least the program's name");
		return command;
	}
	if (program->kind == NODE_STRING && program->text[0] == '\0') {
		field_error(errors, program, "must be the program's name");
	}
	command.argv = field_texts(errors, node, LIMIT_ARGV);
	return command;
}

bool field_bool(struct vmset_errors *errors, const struct node *mapping, const char *key,
		bool fallback) {
	const struct node *node = field_find(mapping, key);
	if (node == NULL || !check_kind(errors, node, NODE_BOOL, "true or false")) {
		return fallback;
	}
	return node->text[0] == 't' || node->text[0] == 'T';
}

uint32_t field_uint(struct vmset_errors *errors, const struct node *mapping, const char *key,
		struct field_range range) {
	const struct node *node = field_find(mapping, key);
	if (node == NULL) {
		return range.fallback;
	}
	if (node->kind != NODE_INTEGER && node->kind != NODE_FLOAT) {
		check_kind(errors, node, NODE_INTEGER, "a number");
		return range.fallback;
	}
	size_t digits = strspn(node->text, "0123456789");
	bool whole = digits > 0 && node->text[digits] == '\0' &&
		     (digits == 1 || node->text[0] != '0');
	errno = 0;
	unsigned long long value = whole ? strtoull(node->text, NULL, 10) : 0;
	if (!whole || errno != 0 || value < range.min || value > range.max) {
		field_error(errors, node, "must be a whole number from %u to %u, not %.40s",
				range.min, range.max, node->text);
		return range.fallback;
	}
	return (uint32_t)value;
}

static void choice_error(struct vmset_errors *errors, const struct node *node,
		const char *const *names) {
	char list[256] = "";
	size_t size = 0;
	for (size_t i = 0; names[i] != NULL && size < sizeof(list); i++) {
		const char *separator = i == 0 ? "" : names[i + 1] == NULL ? " or " : ", ";
		size += (size_t)snprintf(
				list + size, sizeof(list) - size, "%s\"%s\"", separator, names[i]);
	}
	field_error(errors, node, "must be %s, not \"%.60s\"", list, node->text);
}

unsigned field_choice(struct vmset_errors *errors, const struct node *mapping, const char *key,
		const char *const *names, unsigned fallback) {
	const struct node *node = field_find(mapping, key);
	if (node == NULL || !check_kind(errors, node, NODE_STRING, "text in quotes")) {
		return fallback;
	}
	for (unsigned i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], node->text) == 0) {
			return i;
		}
	}
	choice_error(errors, node, names);
	return fallback;
}

bool field_color(struct vmset_errors *errors, const struct node *node, uint32_t *color) {
	if (node == NULL || node->kind == NODE_INVALID) {
		return false;
	}
	if (node->kind == NODE_NULL && node->text[0] == '\0') {
		field_error(errors, node, "must be a colour such as \"#9c0000\"; # without quotes "
				"begins a comment");
		return false;
	}
	if (!check_kind(errors, node, NODE_STRING, "a colour such as \"#9c0000\"")) {
		return false;
	}
	const char *text = node->text;
	if (text[0] != '#' || strlen(text) != 7 ||
			strspn(text + 1, "0123456789abcdefABCDEF") != 6) {
		field_error(errors, node, "must be a colour such as \"#9c0000\", not \"%.60s\"",
				text);
		return false;
	}
	*color = (uint32_t)strtoul(text + 1, NULL, 16);
	return true;
}
