/* SPDX-License-Identifier: Apache-2.0 */
#include "control/json.h"

#include <assert.h>
#include <inttypes.h>

void json_init(struct json *json, FILE *stream) {
	*json = (struct json){.stream = stream};
}

static void write_text(FILE *stream, const char *text) {
	fputc('"', stream);
	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\') {
			fprintf(stream, "\\%c", *c);
		} else if (*c < 0x20 || *c == 0x7f) {
			fprintf(stream, "\\u%04x", *c);
		} else {
			fputc(*c, stream);
		}
	}
	fputc('"', stream);
}

static void begin_line(struct json *json) {
	fprintf(json->stream, "\n%*s", (int)(2 * json->depth), "");
}

static void begin_value(struct json *json, const char *key) {
	if (json->not_first[json->depth]) {
		fputc(',', json->stream);
	}
	json->not_first[json->depth] = true;
	if (json->depth > 0) {
		begin_line(json);
	}
	if (key != NULL) {
		write_text(json->stream, key);
		fputs(": ", json->stream);
	}
}

void json_open(struct json *json, const char *key, char bracket) {
	begin_value(json, key);
	fputc(bracket, json->stream);
	json->depth++;
	assert(json->depth < JSON_MAX_DEPTH);
	json->not_first[json->depth] = false;
}

void json_close(struct json *json, char bracket) {
	assert(json->depth > 0);
	bool empty = !json->not_first[json->depth];
	json->depth--;
	if (!empty) {
		begin_line(json);
	}
	fputc(bracket, json->stream);
	if (json->depth == 0) {
		fputc('\n', json->stream);
	}
}

void json_string(struct json *json, const char *key, const char *text) {
	begin_value(json, key);
	write_text(json->stream, text);
}

void json_int(struct json *json, const char *key, int64_t value) {
	begin_value(json, key);
	fprintf(json->stream, "%" PRId64, value);
}

void json_bool(struct json *json, const char *key, bool value) {
	begin_value(json, key);
	fputs(value ? "true" : "false", json->stream);
}
