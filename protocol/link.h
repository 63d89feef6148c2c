/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_PROTOCOL_LINK_H
#define ISTHMUS_PROTOCOL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "links are little-endian, and Isthmus is not ported to big-endian machines"
#endif

/*
 * The link protocol: what appvm-proxy (the "appvm end") and guivm-relay (the "guivm end") say to
 * each other over a vchan. docs/protocol.md is the normative text; this header is the same in C.
 * Little-endian, 4-byte aligned, every frame a multiple of 4 bytes. A frame that is not valid in
 * the receiver's state ends the link.
 */
#define LINK_MAGIC 0x48545349u // "ISTH"
#define LINK_VERSION_MIN 1
#define LINK_VERSION_MAX 1

/* Wayland objects that the appvm end makes on behalf of the bridge: wl_buffers over slots. Never
 * seen by an application, whose own ids are dense and far below. */
#define LINK_BUFFER_ID_START 0xfe000000u
#define LINK_BUFFER_ID_END 0xfe010000u // exclusive

/* Set in the ids of pipes that the guivm end exports. */
#define LINK_PIPE_ID_GUIVM 0x80000000u

/* An arena's size and the end of a buffer in it: wl_shm counts in int32. */
#define LINK_ARENA_MAX_BYTES 0x7fffffffu

struct link_header {
	uint32_t size; // bytes, this header included
	uint16_t type; // enum link_type
	uint16_t flags; // 0
	uint32_t client; // Wayland connection, not 0; 0 where the frame is about the link
	uint32_t arg; // meaning by type; 0 where none is given
};

enum link_type {
	/* Both ways. First frame in each direction, exactly once. body: struct link_hello.
	 * client 0. */
	LINK_HELLO = 1,
	/* Both ways. Last frame. arg: enum link_bye, unknown values included. body: none.
	 * client 0. */
	LINK_BYE = 2,

	/* appvm -> guivm. A new Wayland connection. The id must be free. body: none. */
	LINK_CLIENT_OPEN = 3,
	/* Both ways. No more frames for this client from here on. Whoever gets one without
	 * having sent one answers with one; the id is free when both have been sent. body: none. */
	LINK_CLIENT_CLOSE = 4,
	/* Both ways. body: one or more whole Wayland messages, none of which carries a
	 * descriptor. */
	LINK_WAYLAND = 5,
	/* Both ways. arg: 1..LIMIT_WAYLAND_FDS_PER_MESSAGE. body: struct link_fd x arg, then
	 * exactly one whole Wayland message with arg descriptors. */
	LINK_WAYLAND_FDS = 6,
	/* Both ways. arg: that many bytes of Wayland messages (bodies of LINK_WAYLAND, messages
	 * of LINK_WAYLAND_FDS) of this client were passed on; the sender may send as many more. A
	 * window starts at LIMIT_CLIENT_WINDOW_BYTES and never exceeds it. body: none. */
	LINK_CREDIT = 7,

	/* Both ways. A part of a file's contents, in order. arg: file id, not 0, chosen by the
	 * sender, free again once a LINK_WAYLAND_FDS named it. body: struct link_file, bytes,
	 * zero padding to 4. client: the one whose message will name it. */
	LINK_FILE = 8,

	/*
	 * Pipes: the end that got a write end of a pipe (exporter) writes what the other end
	 * (importer) reads and sends. arg: pipe id, chosen by the exporter: LINK_PIPE_ID_GUIVM set
	 * when that is the guivm end, the other bits not all 0. client 0.
	 */
	/* importer -> exporter. body: struct link_bytes, at least 1 byte, zero padding to 4. At
	 * most LIMIT_PIPE_WINDOW_BYTES unacknowledged. */
	LINK_PIPE_DATA = 9,
	/* exporter -> importer. body: struct link_bytes (the count alone,
	 * 1..LIMIT_PIPE_WINDOW_BYTES). */
	LINK_PIPE_CREDIT = 10,
	/* Both ways, as LINK_CLIENT_CLOSE. From the importer: end of file. From the exporter:
	 * nobody reads. body: none. */
	LINK_PIPE_CLOSE = 11,

	/* appvm -> guivm. arg: arena id (1..LIMIT_ARENAS_PER_LINK), not free again until
	 * LINK_ARENA_REMOVE was answered. body: struct link_arena. client 0. */
	LINK_ARENA_ADD = 12,
	/* appvm -> guivm: no buffer uses it any more and none will. guivm -> appvm: it is unmapped
	 * everywhere; the id is free. body: none. client 0. */
	LINK_ARENA_REMOVE = 13,
	/* appvm -> guivm. arg: object id, LINK_BUFFER_ID_START..LINK_BUFFER_ID_END. A wl_buffer
	 * of this client over a place of an arena, or, with arena 0, over memory that the guivm
	 * end provides (zeroed) and LINK_PIXELS fills. The object then appears in Wayland
	 * messages under its id. body: struct link_buffer. */
	LINK_BUFFER_NEW = 14,
	/* appvm -> guivm. arg: object id. The appvm end will not name it again. Its place must
	 * not be reused until wl_display.delete_id for it comes back: the compositor may still
	 * read it. body: none. */
	LINK_BUFFER_REMOVE = 15,
	/* appvm -> guivm. arg: object id of a buffer with arena 0. body: struct link_pixels,
	 * rows of width * bytes per pixel without gaps, zero padding to 4. */
	LINK_PIXELS = 16,

	/* guivm -> appvm. arg: request number, any. body: struct link_bytes, the application's
	 * name as in the VM set (1..LIMIT_APP_NAME_BYTES bytes, none of them NUL), zero padding.
	 * client 0. */
	LINK_LAUNCH = 17,
	/* appvm -> guivm. arg: request number. body: struct link_launch_result. client 0. */
	LINK_LAUNCH_RESULT = 18,

	/* appvm -> guivm. arg: any number. Answered at once, in order with everything else. body:
	 * none. client 0. */
	LINK_PING = 19,
	/* guivm -> appvm. arg: the ping's. body: struct link_pong. client 0. */
	LINK_PONG = 20,

	LINK_TYPE_COUNT,
};

enum link_bye {
	LINK_BYE_SHUTDOWN = 0, // the end is stopping
	LINK_BYE_VERSION = 1, // no common version
	LINK_BYE_PROTOCOL = 2, // the peer sent a frame that is not valid
	LINK_BYE_LIMIT = 3, // a limit with effect [link] was reached
	LINK_BYE_INTERNAL = 4, // out of memory or the like
	LINK_BYE_COUNT,
};

/* Text for the log; any value is legal. */
const char *link_bye_text(uint32_t untrusted_reason);

struct link_hello {
	uint32_t magic; // LINK_MAGIC
	uint16_t version_min, version_max; // 1 <= min <= max; the link runs at the lower maximum
	uint32_t caps; // enum transport_caps of the sender's transport: must be equal on both ends
	uint32_t page_size; // bytes, of the sender's machine, a power of two, at least 4096
};

enum link_fd_kind {
	LINK_FD_FILE = 1, // id: file id, complete
	LINK_FD_PIPE = 2, // id: pipe id, new, the sender's to choose
	LINK_FD_PAGES = 3, // ref: a region that was handed over; appvm -> guivm only, id 0
	// ref: a descriptor that was passed (GPU memory or fences); appvm -> guivm only, id 0
	LINK_FD_LOCAL = 4,
};

struct link_fd {
	uint32_t kind; // enum link_fd_kind
	uint32_t id;
	uint8_t ref[24]; // struct pages_ref for LINK_FD_PAGES and LINK_FD_LOCAL, else zero
};

struct link_file {
	uint32_t total; // bytes of the whole file, the same in every part, up to LIMIT_FILE_BYTES
	uint32_t offset; // of this part: the sum of the earlier ones
	uint32_t count; // bytes of this part, at least 1 unless total is 0
};

struct link_bytes {
	uint32_t count; // bytes that follow, before padding
};

struct link_arena {
	uint64_t size; // bytes, 1..LINK_ARENA_MAX_BYTES; the region behind ref is at least as large
	uint8_t ref[24]; // struct pages_ref
};

struct link_buffer {
	uint32_t arena; // arena id or 0
	uint32_t format; // wl_shm.format with shm_format_bytes_per_pixel() > 0
	uint64_t offset; // bytes into the arena, multiple of 4; 0 with arena 0
	uint32_t width, height; // pixels, 1..LIMIT_BUFFER_SIDE_PX
	// bytes, at least width * bytes per pixel, offset + stride * height within
	// LINK_ARENA_MAX_BYTES; with arena 0: exactly width * bytes per pixel rounded up to 4
	uint32_t stride;
	uint32_t reserved; // 0
};

struct link_pixels {
	uint32_t x, y, width, height; // pixels, not empty, inside the buffer
};

enum link_launch_status {
	LINK_LAUNCH_STARTED = 0,
	LINK_LAUNCH_UNKNOWN = 1, // the VM's own VM set has no such application
	LINK_LAUNCH_FAILED = 2, // exec failed; detail: errno
	LINK_LAUNCH_EXITED = 3, // ended within two seconds, status not 0; detail: wait status
	LINK_LAUNCH_COUNT,
};

struct link_launch_result {
	uint32_t status; // enum link_launch_status
	uint32_t detail; // any; 0 where none is given
};

struct link_pong {
	uint64_t time_ns; // CLOCK_MONOTONIC of the guivm end, any
};

enum link_end {
	LINK_END_GUIVM,
	LINK_END_APPVM,
};

/* A frame whose size, type, direction, flags and fixed-size body were checked. body points at the
 * bytes after the header. */
struct link_frame {
	struct link_header header;
	const uint8_t *body;
	size_t body_size;
};

enum link_error {
	LINK_OK = 0,
	LINK_INCOMPLETE,
	LINK_BAD_SIZE, // no multiple of 4, below a header, above the limit, wrong for the type
	LINK_BAD_TYPE, // unknown, or not from that end
	LINK_BAD_FIELD, // a field outside its range, flags or padding not zero
	LINK_BAD_PHASE, // before LINK_HELLO, a second one, after LINK_BYE; not from link_parse()
};
const char *link_error_text(enum link_error error);

/*
 * Parses the first frame of bytes, which were copied out of shared memory before. from: who sent
 * it. Checks everything that needs no state: sizes, direction, client zero or not, ranges of every
 * fixed field, counts against sizes, that Wayland messages are whole, zero padding and reserved
 * fields. What is left for the receiver: phase, ids against what exists, credit, a buffer against
 * its arena and LINK_PIXELS against its buffer, the contents of Wayland messages.
 * LINK_OK: frame->header.size bytes were used. LINK_INCOMPLETE: the header may not be there yet;
 * other errors are final, whatever follows.
 */
enum link_error link_parse(const uint8_t *bytes, size_t size, enum link_end from,
		struct link_frame *frame);

/* Typed access to a checked frame's fixed part; copies, so alignment does not matter. *bytes: what
 * follows it, inside the frame; count of them (link_frame_pixels(): frame->body_size -
 * sizeof(struct link_pixels), padding included). index < header.arg. */
struct link_hello link_frame_hello(const struct link_frame *frame);
struct link_fd link_frame_fd(const struct link_frame *frame, uint32_t index);
struct link_file link_frame_file(const struct link_frame *frame, const uint8_t **bytes);
struct link_bytes link_frame_bytes(const struct link_frame *frame, const uint8_t **bytes);
struct link_arena link_frame_arena(const struct link_frame *frame);
struct link_buffer link_frame_buffer(const struct link_frame *frame);
struct link_pixels link_frame_pixels(const struct link_frame *frame, const uint8_t **bytes);
struct link_launch_result link_frame_launch_result(const struct link_frame *frame);
struct link_pong link_frame_pong(const struct link_frame *frame);

/* The Wayland messages of LINK_WAYLAND and the one of LINK_WAYLAND_FDS: whole, so that
 * wire_parse_header() returns WIRE_OK at the start of each. */
const uint8_t *link_frame_wayland(const struct link_frame *frame, size_t *size);

#endif
