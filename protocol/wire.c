/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/wire.h"

#include <stdarg.h>
#include <string.h>

#include "common/checked.h"

/* wl_display's events, in the order of wayland.xml. */
#define DISPLAY_EVENT_ERROR 0
#define DISPLAY_EVENT_DELETE_ID 1

const char *wire_error_text(enum wire_error error) {
	switch (error) {
	case WIRE_OK:
		return "no error";
	case WIRE_INCOMPLETE:
		return "message incomplete";
	case WIRE_BAD_SIZE:
		return "message size out of range";
	case WIRE_BAD_OPCODE:
		return "no such message at this version";
	case WIRE_BAD_ARGUMENT:
		return "argument malformed";
	}
	return "unknown error";
}

static uint32_t load(const uint8_t *bytes) {
	uint32_t word;
	memcpy(&word, bytes, sizeof(word));
	return word;
}

static void store(uint8_t *bytes, uint32_t word) {
	memcpy(bytes, &word, sizeof(word));
}

enum wire_error wire_parse_header(const uint8_t *bytes, size_t size, struct wire_header *header) {
	if (size < WIRE_HEADER_BYTES) {
		return WIRE_INCOMPLETE;
	}
	uint32_t word = load(bytes + 4);
	header->object = load(bytes);
	header->opcode = word & 0xffff;
	header->size = word >> 16;
	if (header->size < WIRE_HEADER_BYTES || header->size % 4 != 0 ||
			header->size > LIMIT_WAYLAND_MESSAGE_BYTES) {
		return WIRE_BAD_SIZE;
	}
	return header->size <= size ? WIRE_OK : WIRE_INCOMPLETE;
}

/* The bytes of one message that are not parsed yet. */
struct cursor {
	const uint8_t *bytes;
	size_t position, size;
};

static bool take_word(struct cursor *cursor, uint32_t *word) {
	if (cursor->size - cursor->position < 4) {
		return false;
	}
	*word = load(cursor->bytes + cursor->position);
	cursor->position += 4;
	return true;
}

/* A length and that many bytes, padded to whole words. What the padding holds is not looked at: old
 * clients send garbage there, and libwayland takes it. */
static bool take_block(struct cursor *cursor, const uint8_t **block, uint32_t *size) {
	if (!take_word(cursor, size) || *size > cursor->size - cursor->position) {
		return false;
	}
	*block = cursor->bytes + cursor->position;
	cursor->position += align_up(*size, 4); // fits: the message's size is a multiple of 4
	return true;
}

static bool take_string(struct cursor *cursor, bool nullable, struct wire_value *value) {
	const uint8_t *text;
	uint32_t size;
	if (!take_block(cursor, &text, &size)) {
		return false;
	}
	value->string.text = NULL;
	value->string.size = 0;
	if (size == 0) {
		return nullable;
	}
	// A NUL inside would let two readers see two different strings.
	if (memchr(text, '\0', size) != text + size - 1) {
		return false;
	}
	value->string.text = (const char *)text;
	value->string.size = size - 1;
	return true;
}

static bool take_argument(struct cursor *cursor, const struct wire_arg *arg,
		struct wire_value *value) {
	value->offset = cursor->position;
	switch (arg->type) {
	case WIRE_INT:
	case WIRE_UINT:
	case WIRE_FIXED:
		return take_word(cursor, &value->u);
	case WIRE_OBJECT:
	case WIRE_NEW_ID:
		return take_word(cursor, &value->id) && (value->id != 0 || arg->nullable);
	case WIRE_STRING:
		return take_string(cursor, arg->nullable, value);
	case WIRE_ARRAY:
		return take_block(cursor, &value->array.bytes, &value->array.size);
	case WIRE_FD:
		value->u = 0;
		return true;
	}
	return false;
}

enum wire_error wire_parse(const uint8_t *bytes, const struct wire_header *header,
		const struct wire_message *message, uint32_t version,
		struct wire_value values[WIRE_MAX_ARGS]) {
	if (message->since > version) {
		return WIRE_BAD_OPCODE;
	}
	struct cursor cursor = { bytes, WIRE_HEADER_BYTES, header->size };
	for (uint8_t i = 0; i < message->n_args; i++) {
		if (!take_argument(&cursor, &message->args[i], &values[i])) {
			return WIRE_BAD_ARGUMENT;
		}
	}
	return cursor.position == cursor.size ? WIRE_OK : WIRE_BAD_ARGUMENT;
}

void wire_rewrite_id(uint8_t *bytes, uint16_t offset, uint32_t id) {
	store(bytes + offset, id);
}

/* The message under construction; size may pass the limit, bytes never do. */
struct builder {
	uint8_t *bytes;
	size_t size;
	bool overflow;
};

static void put_word(struct builder *builder, uint32_t word) {
	if (builder->overflow || LIMIT_WAYLAND_MESSAGE_BYTES - builder->size < 4) {
		builder->overflow = true;
		return;
	}
	store(builder->bytes + builder->size, word);
	builder->size += 4;
}

static void put_block(struct builder *builder, const void *block, size_t size) {
	// First the length: a size above the limit must not wrap in the word or in align_up().
	if (size > LIMIT_WAYLAND_MESSAGE_BYTES) {
		builder->overflow = true;
		return;
	}
	put_word(builder, size);
	size_t padded = align_up(size, 4);
	if (builder->overflow || LIMIT_WAYLAND_MESSAGE_BYTES - builder->size < padded) {
		builder->overflow = true;
		return;
	}
	memset(builder->bytes + builder->size, 0, padded);
	if (size > 0) {
		memcpy(builder->bytes + builder->size, block, size);
	}
	builder->size += padded;
}

static void put_string(struct builder *builder, const char *text) {
	if (text == NULL) {
		put_word(builder, 0);
	} else {
		put_block(builder, text, strlen(text) + 1);
	}
}

size_t wire_build(uint8_t *out, uint32_t object, uint16_t opcode,
		const struct wire_message *message, ...) {
	struct builder builder = { .bytes = out, .size = WIRE_HEADER_BYTES };
	va_list args;
	va_start(args, message);
	for (uint8_t i = 0; i < message->n_args; i++) {
		switch (message->args[i].type) {
		case WIRE_INT:
		case WIRE_FIXED:
			put_word(&builder, va_arg(args, int32_t));
			break;
		case WIRE_UINT:
		case WIRE_OBJECT:
		case WIRE_NEW_ID:
			put_word(&builder, va_arg(args, uint32_t));
			break;
		case WIRE_STRING:
			put_string(&builder, va_arg(args, const char *));
			break;
		case WIRE_ARRAY: {
			const void *bytes = va_arg(args, const void *);
			put_block(&builder, bytes, va_arg(args, size_t));
			break;
		}
		case WIRE_FD:
			break;
		}
	}
	va_end(args);
	if (builder.overflow) {
		return 0;
	}
	store(out, object);
	store(out + 4, (uint32_t)builder.size << 16 | opcode);
	return builder.size;
}

size_t wire_build_error(uint8_t *out, uint32_t object, uint32_t code, const char *text) {
	return wire_build(out, 1, DISPLAY_EVENT_ERROR,
			&wire_display_interface->events[DISPLAY_EVENT_ERROR], object, code, text);
}

size_t wire_build_delete_id(uint8_t *out, uint32_t id) {
	return wire_build(out, 1, DISPLAY_EVENT_DELETE_ID,
			&wire_display_interface->events[DISPLAY_EVENT_DELETE_ID], id);
}
