/* SPDX-License-Identifier: Apache-2.0 */
#include "vmset/document.h"

#include <assert.h>
#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"
#include "vmset/errors.h"

/*
 * libfyaml's event stream and not its document: duplicate keys then arrive here with their
 * positions, aliases are never expanded, and depth and size are bounded while reading.
 */
struct builder {
	struct vmset_errors *errors;
	struct node *root;
	struct node *open; // innermost collection that is not closed yet
	char *key; // of the next value in open, when that is a mapping; owned
	unsigned key_line, key_column;
	unsigned depth;
	size_t n_nodes;
	bool done; // the first document ended
};

struct position {
	unsigned line, column;
};

void node_destroy(struct node *node) {
	if (node == NULL) {
		return;
	}
	for (struct node *child = node->first, *next; child != NULL; child = next) {
		next = child->next;
		node_destroy(child);
	}
	free(node->text);
	free(node->key);
	free(node);
}

static void print_path(FILE *stream, const struct node *node) {
	if (node->parent == NULL) {
		return;
	}
	print_path(stream, node->parent);
	if (node->key == NULL) {
		fprintf(stream, "[%zu]", node->index);
	} else {
		fprintf(stream, "%s%s", node->parent->parent != NULL ? "." : "", node->key);
	}
}

char *node_path(const struct node *node, const char *suffix) {
	char *path = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&path, &size);
	if (stream == NULL) {
		return NULL;
	}
	print_path(stream, node);
	if (suffix != NULL) {
		fprintf(stream, "%s%s", node->parent != NULL ? "." : "", suffix);
	}
	if (fclose(stream) != 0) {
		free(path);
		return NULL;
	}
	return path;
}

static void report(struct builder *builder, struct position position, const char *text) {
	char field[] = "";
	errors_add(builder->errors, &(struct vmset_error){
		.line = position.line,
		.column = position.column,
		.field = field,
		.text = (char *)text,
	});
}

static struct position event_position(struct fy_event *event) {
	const struct fy_mark *mark = fy_event_start_mark(event);
	if (mark == NULL) {
		return (struct position){0};
	}
	struct position position = {(unsigned)mark->line + 1, (unsigned)mark->column + 1};
	// A quoted scalar's mark is behind its quote.
	if (event->type == FYET_SCALAR && position.column > 1) {
		enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
		if (style == FYSS_DOUBLE_QUOTED || style == FYSS_SINGLE_QUOTED) {
			position.column--;
		}
	}
	return position;
}

static bool is_one_of(const char *text, const char *const *words) {
	for (; *words != NULL; words++) {
		if (strcmp(text, *words) == 0) {
			return true;
		}
	}
	return false;
}

/* YAML 1.2.2, 10.3.2: what an unquoted scalar is. JSON's scalars are the same. */
static enum node_kind plain_kind(const char *text) {
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const bools[] = {
			"true", "True", "TRUE", "false", "False", "FALSE", NULL};
	static const char *const floats[] = {".nan", ".NaN", ".NAN", NULL};
	static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
	if (is_one_of(text, nulls)) {
		return NODE_NULL;
	}
	if (is_one_of(text, bools)) {
		return NODE_BOOL;
	}
	const char *digits = text + strspn(text, "+-");
	if (is_one_of(text, floats) || (digits - text <= 1 && is_one_of(digits, infinities))) {
		return NODE_FLOAT;
	}
	if ((strncmp(text, "0x", 2) == 0 &&
			    text[2 + strspn(text + 2, "0123456789abcdefABCDEF")] == '\0') ||
			(strncmp(text, "0o", 2) == 0 &&
					text[2 + strspn(text + 2, "01234567")] == '\0')) {
		return text[2] != '\0' ? NODE_INTEGER : NODE_STRING;
	}
	size_t whole = strspn(digits, "0123456789");
	if (digits - text > 1 || (whole == 0 && digits[0] != '.')) {
		return NODE_STRING;
	}
	if (digits[whole] == '\0') {
		return NODE_INTEGER;
	}
	const char *rest = digits + whole;
	size_t fraction = 0;
	if (*rest == '.') {
		fraction = strspn(rest + 1, "0123456789");
		rest += 1 + fraction;
	}
	if (whole + fraction > 0 && (*rest == 'e' || *rest == 'E')) {
		const char *exponent = rest + 1 + (rest[1] == '+' || rest[1] == '-');
		size_t length = strspn(exponent, "0123456789");
		rest = length > 0 ? exponent + length : rest;
	}
	return whole + fraction > 0 && *rest == '\0' ? NODE_FLOAT : NODE_STRING;
}

/* NULL after reporting; the event keeps its text. */
static char *scalar_text(struct builder *builder, struct fy_event *event) {
	size_t length = 0;
	const char *text = fy_token_get_text(event->scalar.value, &length);
	if (text == NULL) {
		text = "";
		length = 0;
	}
	if (length > LIMIT_VMSET_TEXT_BYTES) {
		char message[64];
		snprintf(message, sizeof(message), "text of more than %d bytes",
				LIMIT_VMSET_TEXT_BYTES);
		report(builder, event_position(event), message);
		return NULL;
	}
	if (memchr(text, '\0', length) != NULL) {
		report(builder, event_position(event), "text holds a NUL character");
		return NULL;
	}
	char *copy = strndup(text, length);
	if (copy == NULL) {
		errors_add_file(builder->errors, "out of memory");
	}
	return copy;
}

static bool is_key_next(const struct builder *builder) {
	return builder->open != NULL && builder->open->kind == NODE_MAPPING && builder->key == NULL;
}

static bool take_key(struct builder *builder, struct fy_event *event) {
	struct position position = event_position(event);
	if (event->type != FYET_SCALAR) {
		report(builder, position, "a key must be text");
		return false;
	}
	if (builder->open->n_children == LIMIT_VMSET_KEYS) {
		report(builder, position, "too many entries in one mapping");
		return false;
	}
	builder->key = scalar_text(builder, event);
	builder->key_line = position.line;
	builder->key_column = position.column;
	return builder->key != NULL;
}

/* A new child of the innermost collection, or the root. NULL after reporting. */
static struct node *add_node(struct builder *builder, struct fy_event *event, enum node_kind kind) {
	struct position position = event_position(event);
	if (builder->n_nodes == LIMIT_VMSET_NODES) {
		report(builder, position, "too many values in one file");
		return NULL;
	}
	struct node *node = calloc(1, sizeof(*node));
	if (node == NULL) {
		errors_add_file(builder->errors, "out of memory");
		return NULL;
	}
	builder->n_nodes++;
	node->kind = kind;
	node->line = position.line;
	node->column = position.column;
	node->key = builder->key;
	node->key_line = builder->key_line;
	node->key_column = builder->key_column;
	builder->key = NULL;
	struct node *parent = builder->open;
	if (parent == NULL) {
		builder->root = node;
		return node;
	}
	node->parent = parent;
	node->index = parent->n_children++;
	if (parent->last != NULL) {
		parent->last->next = node;
	} else {
		parent->first = node;
	}
	parent->last = node;
	return node;
}

static bool take_scalar(struct builder *builder, struct fy_event *event) {
	char *text = scalar_text(builder, event);
	if (text == NULL) {
		return false;
	}
	bool plain = fy_token_scalar_style(event->scalar.value) == FYSS_PLAIN;
	struct node *node = add_node(builder, event, plain ? plain_kind(text) : NODE_STRING);
	if (node == NULL) {
		free(text);
		return false;
	}
	node->text = text;
	return true;
}

static bool open_collection(struct builder *builder, struct fy_event *event, enum node_kind kind) {
	if (builder->depth == LIMIT_VMSET_DEPTH) {
		report(builder, event_position(event), "lists and mappings are nested too deeply");
		return false;
	}
	struct node *node = add_node(builder, event, kind);
	if (node == NULL) {
		return false;
	}
	builder->open = node;
	builder->depth++;
	return true;
}

static void close_collection(struct builder *builder) {
	assert(builder->depth > 0);
	builder->open = builder->open->parent;
	builder->depth--;
}

/* Anchors and tags would let one file mean different things to different readers. */
static void refuse_properties(struct builder *builder, struct fy_event *event) {
	if (event->type != FYET_SCALAR && event->type != FYET_MAPPING_START &&
			event->type != FYET_SEQUENCE_START) {
		return;
	}
	if (fy_event_get_anchor_token(event) != NULL) {
		report(builder, event_position(event), "YAML anchors (&) are not supported");
	}
	if (fy_event_get_tag_token(event) != NULL) {
		report(builder, event_position(event), "YAML tags (!) are not supported");
	}
}

/* false ends reading. */
static bool take_event(struct builder *builder, struct fy_event *event) {
	refuse_properties(builder, event);
	bool is_value = event->type == FYET_SCALAR || event->type == FYET_ALIAS ||
			event->type == FYET_SEQUENCE_START || event->type == FYET_MAPPING_START;
	if (is_value && is_key_next(builder)) {
		return take_key(builder, event);
	}
	switch (event->type) {
	case FYET_SCALAR:
		return take_scalar(builder, event);
	case FYET_ALIAS:
		report(builder, event_position(event),
				"YAML aliases (*) are not supported: repeat the value");
		return add_node(builder, event, NODE_INVALID) != NULL;
	case FYET_SEQUENCE_START:
		return open_collection(builder, event, NODE_SEQUENCE);
	case FYET_MAPPING_START:
		return open_collection(builder, event, NODE_MAPPING);
	case FYET_SEQUENCE_END:
	case FYET_MAPPING_END:
		close_collection(builder);
		return true;
	case FYET_DOCUMENT_START:
		if (builder->done) {
			report(builder, event_position(event),
					"more than one document in the file");
			return false;
		}
		return true;
	case FYET_DOCUMENT_END:
		builder->done = true;
		return true;
	default:
		return true;
	}
}

static void report_syntax(struct builder *builder, struct fy_diag *diag) {
	size_t before = builder->errors->n_errors;
	void *iterator = NULL;
	struct fy_diag_error *error;
	while ((error = fy_diag_errors_iterate(diag, &iterator)) != NULL) {
		struct position position = {
			error->line > 0 ? (unsigned)error->line : 0,
			error->column > 0 ? (unsigned)error->column : 0,
		};
		report(builder, position, error->msg);
	}
	if (builder->errors->n_errors == before) {
		errors_add_file(builder->errors, "cannot be read as JSON or YAML");
	}
}

static bool read_events(struct builder *builder, struct fy_parser *parser, struct fy_diag *diag) {
	bool ok = true;
	struct fy_event *event;
	while (ok && (event = fy_parser_parse(parser)) != NULL) {
		ok = take_event(builder, event);
		fy_parser_event_free(parser, event);
	}
	if (ok && fy_parser_get_stream_error(parser)) {
		report_syntax(builder, diag);
		ok = false;
	}
	if (ok && builder->root == NULL) {
		errors_add_file(builder->errors, "is empty");
		ok = false;
	}
	return ok;
}

struct node *document_parse(
		const char *bytes, size_t size, bool json, struct vmset_errors *errors) {
	if (size == 0) {
		errors_add_file(errors, "is empty");
		return NULL;
	}
	struct builder builder = {.errors = errors};
	struct fy_diag_cfg diag_config;
	fy_diag_cfg_default(&diag_config);
	diag_config.fp = NULL;
	struct fy_diag *diag = fy_diag_create(&diag_config);
	struct fy_parser *parser = NULL;
	bool ok = false;
	if (diag != NULL) {
		fy_diag_set_collect_errors(diag, true);
		struct fy_parse_cfg config = {
			.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 |
					FYPCF_SLOPPY_FLOW_INDENTATION |
					(json ? FYPCF_JSON_FORCE : FYPCF_JSON_NONE),
			.diag = diag,
		};
		parser = fy_parser_create(&config);
	}
	if (parser == NULL || fy_parser_set_string(parser, bytes, size) != 0) {
		errors_add_file(errors, "out of memory");
	} else {
		ok = read_events(&builder, parser, diag);
	}
	if (parser != NULL) {
		fy_parser_destroy(parser);
	}
	if (diag != NULL) {
		fy_diag_destroy(diag);
	}
	free(builder.key);
	if (!ok) {
		node_destroy(builder.root);
		return NULL;
	}
	return builder.root;
}
