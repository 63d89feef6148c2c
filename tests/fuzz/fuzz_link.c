/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/checked.h"
#include "common/limits.h"
#include "common/shm_format.h"
#include "protocol/link.h"
#include "protocol/wire.h"
#include "tests/fuzz/fuzz.h"

uint64_t fuzz_accepted;

/* The first byte says who sends; the rest is a stream of frames. */

static void check_bytes(const struct link_frame *frame, const uint8_t *bytes, size_t count) {
	FUZZ_CHECK(bytes >= frame->body);
	FUZZ_CHECK(checked_range(bytes - frame->body, count, frame->body_size));
	fuzz_touch(bytes, count);
}

static void check_wayland(const struct link_frame *frame) {
	size_t size;
	const uint8_t *bytes = link_frame_wayland(frame, &size);
	check_bytes(frame, bytes, size);
	uint32_t count = 0;
	while (size > 0) {
		struct wire_header header;
		FUZZ_CHECK(wire_parse_header(bytes, size, &header) == WIRE_OK);
		bytes += header.size;
		size -= header.size;
		count++;
	}
	FUZZ_CHECK(count > 0);
	FUZZ_CHECK(frame->header.type == LINK_WAYLAND || count == 1);
}

static void check_fds(const struct link_frame *frame, enum link_end from) {
	FUZZ_CHECK(frame->header.arg <= LIMIT_WAYLAND_FDS_PER_MESSAGE);
	for (uint32_t i = 0; i < frame->header.arg; i++) {
		struct link_fd fd = link_frame_fd(frame, i);
		FUZZ_CHECK(fd.kind >= LINK_FD_FILE && fd.kind <= LINK_FD_LOCAL);
		FUZZ_CHECK(fd.kind < LINK_FD_PAGES || from == LINK_END_APPVM);
	}
}

static void check_buffer(const struct link_frame *frame) {
	struct link_buffer buffer = link_frame_buffer(frame);
	uint64_t row = (uint64_t)buffer.width * shm_format_bytes_per_pixel(buffer.format);
	FUZZ_CHECK(row > 0 && row <= buffer.stride && buffer.height > 0);
	// What wl_shm_pool.create_buffer takes: none of these may be negative as an int32.
	FUZZ_CHECK(buffer.offset + (uint64_t)buffer.stride * buffer.height <= INT32_MAX);
}

static void check_file(const struct link_frame *frame) {
	const uint8_t *bytes;
	struct link_file file = link_frame_file(frame, &bytes);
	FUZZ_CHECK((uint64_t)file.offset + file.count <= file.total);
	FUZZ_CHECK(file.total <= LIMIT_FILE_BYTES);
	check_bytes(frame, bytes, file.count);
}

static void check_pixels(const struct link_frame *frame) {
	const uint8_t *bytes;
	struct link_pixels pixels = link_frame_pixels(frame, &bytes);
	FUZZ_CHECK((uint64_t)pixels.x + pixels.width <= LIMIT_BUFFER_SIDE_PX);
	FUZZ_CHECK((uint64_t)pixels.y + pixels.height <= LIMIT_BUFFER_SIDE_PX);
	check_bytes(frame, bytes, frame->body_size - sizeof(pixels));
}

static void check_frame(const struct link_frame *frame, enum link_end from) {
	const uint8_t *bytes;
	fuzz_touch(frame->body, frame->body_size);
	switch (frame->header.type) {
	case LINK_HELLO:
		FUZZ_CHECK(link_frame_hello(frame).magic == LINK_MAGIC);
		break;
	case LINK_BYE:
		FUZZ_CHECK(link_bye_text(frame->header.arg) != NULL);
		break;
	case LINK_WAYLAND_FDS:
		check_fds(frame, from);
		check_wayland(frame);
		break;
	case LINK_WAYLAND:
		check_wayland(frame);
		break;
	case LINK_FILE:
		check_file(frame);
		break;
	case LINK_PIPE_DATA:
	case LINK_LAUNCH: {
		struct link_bytes head = link_frame_bytes(frame, &bytes);
		FUZZ_CHECK(head.count > 0);
		check_bytes(frame, bytes, head.count);
		break;
	}
	case LINK_ARENA_ADD:
		FUZZ_CHECK(link_frame_arena(frame).size <= INT32_MAX);
		break;
	case LINK_BUFFER_NEW:
		check_buffer(frame);
		break;
	case LINK_PIXELS:
		check_pixels(frame);
		break;
	case LINK_LAUNCH_RESULT:
		FUZZ_CHECK(link_frame_launch_result(frame).status < LINK_LAUNCH_COUNT);
		break;
	default:
		break;
	}
}

/* Fewer bytes can only make the answer "incomplete", never another one. */
static void check_prefixes(const uint8_t *bytes, size_t size, enum link_end from,
		enum link_error whole) {
	static const size_t cuts[] = { 1, 4, 16 };
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]) && cuts[i] <= size; i++) {
		struct link_frame frame;
		enum link_error error = link_parse(bytes, size - cuts[i], from, &frame);
		FUZZ_CHECK(error == LINK_INCOMPLETE || error == whole);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 1) {
		return 0;
	}
	enum link_end from = data[0] % 2 == 0 ? LINK_END_GUIVM : LINK_END_APPVM;
	const uint8_t *bytes = data + 1;
	size--;
	for (;;) {
		struct link_frame frame;
		enum link_error error = link_parse(bytes, size, from, &frame);
		check_prefixes(bytes, size, from, error);
		if (error != LINK_OK) {
			FUZZ_CHECK(error != LINK_BAD_PHASE);
			return 0;
		}
		FUZZ_CHECK(frame.header.size <= size);
		FUZZ_CHECK(frame.header.size <= LIMIT_LINK_FRAME_BYTES);
		FUZZ_CHECK(frame.header.size == sizeof(frame.header) + frame.body_size);
		FUZZ_CHECK(frame.body == bytes + sizeof(frame.header));
		check_frame(&frame, from);
		struct link_frame alone;
		FUZZ_CHECK(link_parse(bytes, frame.header.size, from, &alone) == LINK_OK);
		bytes += frame.header.size;
		size -= frame.header.size;
		fuzz_accepted++;
	}
}

/* One frame of a seed. */
struct seed {
	uint16_t type;
	enum link_end from;
	uint32_t client, arg;
	uint32_t body[16];
	size_t words; // of body
};

static const struct seed seeds[] = {
	{ LINK_HELLO, LINK_END_GUIVM, 0, 0, { LINK_MAGIC, 0x00010001, 3, 4096 }, 4 },
	{ LINK_HELLO, LINK_END_APPVM, 0, 0, { LINK_MAGIC, 0x00010001, 3, 4096 }, 4 },
	{ LINK_BYE, LINK_END_APPVM, 0, 2, { 0 }, 0 },
	{ LINK_CLIENT_OPEN, LINK_END_APPVM, 1, 0, { 0 }, 0 },
	{ LINK_CLIENT_CLOSE, LINK_END_GUIVM, 1, 0, { 0 }, 0 },
	{ LINK_WAYLAND, LINK_END_APPVM, 1, 0,
		{ 1, 12 << 16, 2, 3, 16 << 16 | 2, 0, 7, 3, 8 << 16 }, 9 },
	{ LINK_WAYLAND_FDS, LINK_END_APPVM, 1, 1,
		{ LINK_FD_PAGES, 0, 1, 2, 3, 4, 5, 6, 4, 16 << 16, 5, 4096 }, 12 },
	{ LINK_WAYLAND_FDS, LINK_END_APPVM, 1, 1,
		{ LINK_FD_LOCAL, 0, 1, 2, 3, 4, 5, 6, 4, 12 << 16 | 2, 5 }, 11 },
	{ LINK_WAYLAND_FDS, LINK_END_GUIVM, 1, 1,
		{ LINK_FD_FILE, 9, 0, 0, 0, 0, 0, 0, 4, 16 << 16, 1, 4096 }, 12 },
	{ LINK_WAYLAND_FDS, LINK_END_GUIVM, 1, 1,
		{ LINK_FD_PIPE, LINK_PIPE_ID_GUIVM | 1, 0, 0, 0, 0, 0, 0, 4, 16 << 16 | 1, 2,
			0x61 }, 12 },
	{ LINK_CREDIT, LINK_END_GUIVM, 1, 64, { 0 }, 0 },
	{ LINK_FILE, LINK_END_GUIVM, 1, 9, { 10, 4, 6, 0x61616161, 0x6161 }, 5 },
	{ LINK_PIPE_DATA, LINK_END_GUIVM, 0, 1, { 5, 0x61616161, 0x61 }, 3 },
	{ LINK_PIPE_CREDIT, LINK_END_APPVM, 0, 1, { 5 }, 1 },
	{ LINK_PIPE_CLOSE, LINK_END_APPVM, 0, 1, { 0 }, 0 },
	{ LINK_ARENA_ADD, LINK_END_APPVM, 0, 1, { 65536, 0, 1, 2, 3, 4, 5, 6 }, 8 },
	{ LINK_ARENA_REMOVE, LINK_END_GUIVM, 0, 1, { 0 }, 0 },
	{ LINK_BUFFER_NEW, LINK_END_APPVM, 1, LINK_BUFFER_ID_START,
		{ 1, 1, 4096, 0, 64, 32, 256, 0 }, 8 },
	{ LINK_BUFFER_NEW, LINK_END_APPVM, 1, LINK_BUFFER_ID_START,
		{ 0, 0, 0, 0, 64, 32, 256, 0 }, 8 },
	{ LINK_BUFFER_REMOVE, LINK_END_APPVM, 1, LINK_BUFFER_ID_START, { 0 }, 0 },
	{ LINK_PIXELS, LINK_END_APPVM, 1, LINK_BUFFER_ID_START,
		{ 2, 3, 2, 1, 0xff00ff00, 0xffffffff }, 6 },
	{ LINK_LAUNCH, LINK_END_GUIVM, 0, 1, { 5, 0x746f6f66, 0x32 }, 3 },
	{ LINK_LAUNCH_RESULT, LINK_END_APPVM, 0, 1, { 2, 13 }, 2 },
	{ LINK_PING, LINK_END_APPVM, 0, 1, { 0 }, 0 },
	{ LINK_PONG, LINK_END_GUIVM, 0, 1, { 0xffffffff, 1 }, 2 },
};
#define N_SEEDS (sizeof(seeds) / sizeof(seeds[0]))

static size_t write_frame(const struct seed *seed, uint8_t *bytes) {
	struct link_header header = {
		.size = sizeof(header) + seed->words * 4,
		.type = seed->type,
		.client = seed->client,
		.arg = seed->arg,
	};
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), seed->body, seed->words * 4);
	return header.size;
}

/* Each frame alone, then all of one end in a row. */
size_t fuzz_seed(uint32_t index, uint8_t *bytes) {
	size_t size = 1;
	if (index < N_SEEDS) {
		bytes[0] = seeds[index].from == LINK_END_APPVM;
		return size + write_frame(&seeds[index], bytes + size);
	}
	enum link_end from = index == N_SEEDS ? LINK_END_APPVM : LINK_END_GUIVM;
	if (index > N_SEEDS + 1) {
		return 0;
	}
	bytes[0] = from == LINK_END_APPVM;
	for (size_t i = 0; i < N_SEEDS; i++) {
		if (seeds[i].from == from) {
			size += write_frame(&seeds[i], bytes + size);
		}
	}
	return size;
}
