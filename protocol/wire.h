/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_PROTOCOL_WIRE_H
#define ISTHMUS_PROTOCOL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "protocol/interface.h"

/*
 * The Wayland wire format (wayland book, "Wire Format"): 32-bit words in the machine's order;
 * sender id; size in bytes << 16 | opcode; arguments. No I/O, no allocation. Sizes are in bytes.
 */
#define WIRE_HEADER_BYTES 8
#define WIRE_SERVER_ID_START 0xff000000u // ids from here on are made by the compositor
#define WIRE_MAX_ARGS 20

enum wire_error {
	WIRE_OK = 0,
	WIRE_INCOMPLETE, // more bytes are needed
	WIRE_BAD_SIZE, // below a header, not a multiple of 4, above LIMIT_WAYLAND_MESSAGE_BYTES
	WIRE_BAD_OPCODE, // the interface, at this object's version, has no such message
	WIRE_BAD_ARGUMENT, // arguments run past the end or end short; a string without NUL or
			   // with one inside; null where not allowed
};
const char *wire_error_text(enum wire_error error);

struct wire_header {
	uint32_t object;
	uint16_t opcode;
	uint16_t size; // header included
};

/* Reads a header from bytes the caller already copied out of shared memory. WIRE_OK guarantees
 * that header->size bytes are there. */
enum wire_error wire_parse_header(const uint8_t *bytes, size_t size, struct wire_header *header);

/* One argument of a parsed message; which member counts is args[i].type of the message's table. */
struct wire_value {
	union {
		int32_t i;
		uint32_t u;
		int32_t fixed; // 24.8
		uint32_t id; // object and new_id; 0 is null
		struct {
			const char *text; // NULL when null; else NUL-terminated inside the message
			uint32_t size; // without the NUL
		} string;
		struct {
			const uint8_t *bytes;
			uint32_t size;
		} array;
	};
	uint16_t offset; // of the argument's first word in the message, for rewriting ids in place
};

/*
 * Checks one whole message (header.size bytes at bytes) against the table and fills
 * values[0..n_args); u is 0 for a descriptor. version: of the object, for since. WIRE_OK means
 * every argument lies inside the message and nothing is left over. values point into bytes. Whether
 * an id names an object of the right interface, and whether message.n_fds descriptors came along,
 * is the caller's to check.
 */
enum wire_error wire_parse(const uint8_t *bytes, const struct wire_header *header,
		const struct wire_message *message, uint32_t version,
		struct wire_value values[WIRE_MAX_ARGS]);

/* Stores an id at values[i].offset. */
void wire_rewrite_id(uint8_t *bytes, uint16_t offset, uint32_t id);

/*
 * Writes one message into out (at least LIMIT_WAYLAND_MESSAGE_BYTES large), arguments by the
 * table's signature as varargs: int32_t, uint32_t, const char * (NULL allowed), uint32_t id, and
 * for arrays (const void *, size_t); descriptors are left out. Returns its size in bytes, 0 when it
 * would be larger than a message may be (what is in out is then unspecified).
 */
size_t wire_build(uint8_t *out, uint32_t object, uint16_t opcode,
		const struct wire_message *message, ...);

/* wl_display.error and wl_display.delete_id, which both ends make themselves. Sizes as
 * wire_build(). */
size_t wire_build_error(uint8_t *out, uint32_t object, uint32_t code, const char *text);
size_t wire_build_delete_id(uint8_t *out, uint32_t id);

#endif
