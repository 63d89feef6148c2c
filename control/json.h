/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_CONTROL_JSON_H
#define ISTHMUS_CONTROL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Writes JSON (RFC 8259), indented with two spaces. Commas and line breaks come from the order of
 * the calls. key is NULL in lists and for the outermost value.
 */
#define JSON_MAX_DEPTH 8
struct json {
	FILE *stream; // borrowed
	unsigned depth; // below JSON_MAX_DEPTH
	bool not_first[JSON_MAX_DEPTH];
};

void json_init(struct json *json, FILE *stream);
void json_open(struct json *json, const char *key, char bracket); // '{' or '['
void json_close(struct json *json, char bracket); // '}' or ']'
/* text is UTF-8. */
void json_string(struct json *json, const char *key, const char *text);
void json_int(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);

#endif
