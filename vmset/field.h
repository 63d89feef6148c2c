/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_VMSET_FIELD_H
#define ISTHMUS_VMSET_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmset/document.h"
#include "vmset/vmset.h"

/*
 * Typed access to the document. Each function reports what is wrong at the value's place and then
 * returns the fallback, so that reading goes on and finds the next error. A key that is not there
 * gives the fallback without a word; a mapping that is NULL or no mapping has no keys.
 */

void field_error(struct vmset_errors *errors, const struct node *node, const char *format, ...)
		__attribute__((format(printf, 3, 4)));
void field_warning(struct vmset_errors *errors, const struct node *node, const char *format, ...)
		__attribute__((format(printf, 3, 4)));
/* At the key in front of the value. */
void field_key_error(struct vmset_errors *errors, const struct node *node, const char *format, ...)
		__attribute__((format(printf, 3, 4)));

/* The first value of that key, or NULL. */
const struct node *field_find(const struct node *mapping, const char *key);

/* The same, with an error when there is none. */
const struct node *field_require(struct vmset_errors *errors, const struct node *mapping,
		const char *key);

/* Whether node is a mapping; keys lists the known ones, NULL-terminated: others are errors. */
bool field_check_mapping(struct vmset_errors *errors, const struct node *node,
		const char *const *keys);

/* Whether node is a mapping. Keys are free; a key that comes twice is an error. */
bool field_check_names(struct vmset_errors *errors, const struct node *node);

/* Whether node, which may be NULL, is a list of at most limit values. */
bool field_check_list(struct vmset_errors *errors, const struct node *node, size_t limit);

/* Whether node is a text of at most max_bytes that text_sanitise() would leave as it is. */
bool field_check_text(struct vmset_errors *errors, const struct node *node, size_t max_bytes);

/* Owned by the caller; NULL on no memory, which is counted as an error. */
char *field_copy(struct vmset_errors *errors, const char *text);

/* A text as field_check_text() wants it, else a copy of fallback. NULL on no memory. */
char *field_text(struct vmset_errors *errors, const struct node *mapping, const char *key,
		size_t max_bytes, const char *fallback);

/* A list of texts, NULL-terminated; may be empty. NULL on no memory. */
char **field_texts(struct vmset_errors *errors, const struct node *node, size_t limit);

/* A command's words; .argv NULL when node is NULL or wrong. */
struct vmset_command field_command(struct vmset_errors *errors, const struct node *node);

bool field_bool(struct vmset_errors *errors, const struct node *mapping, const char *key,
		bool fallback);

struct field_range {
	uint32_t min, max, fallback;
};
uint32_t field_uint(struct vmset_errors *errors, const struct node *mapping, const char *key,
		struct field_range range);

/* The place of the text in names, NULL-terminated. */
unsigned field_choice(struct vmset_errors *errors, const struct node *mapping, const char *key,
		const char *const *names, unsigned fallback);

/* "#RRGGBB" at node, which may be NULL; false leaves *color. */
bool field_color(struct vmset_errors *errors, const struct node *node, uint32_t *color);

/* The NULL-terminated name nearest to text, when it is near enough to be meant; NULL otherwise. */
const char *field_nearest(const char *text, const char *const *names);

#endif
