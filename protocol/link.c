/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/link.h"

#include <assert.h>
#include <string.h>

#include "common/checked.h"
#include "common/shm_format.h"
#include "protocol/wire.h"

static_assert(sizeof(struct link_header) == 16, "as on the wire");
static_assert(sizeof(struct link_hello) == 16, "as on the wire");
static_assert(sizeof(struct link_fd) == 32, "as on the wire");
static_assert(sizeof(struct link_file) == 12, "as on the wire");
static_assert(sizeof(struct link_bytes) == 4, "as on the wire");
static_assert(sizeof(struct link_arena) == 32, "as on the wire");
static_assert(sizeof(struct link_buffer) == 32, "as on the wire");
static_assert(sizeof(struct link_pixels) == 16, "as on the wire");
static_assert(sizeof(struct link_launch_result) == 8, "as on the wire");

#define MIN_PAGE_BYTES 4096

const char *link_bye_text(uint32_t untrusted_reason) {
	switch (untrusted_reason) {
	case LINK_BYE_SHUTDOWN:
		return "it is stopping";
	case LINK_BYE_VERSION:
		return "no common version of the link protocol";
	case LINK_BYE_PROTOCOL:
		return "a frame was not valid";
	case LINK_BYE_LIMIT:
		return "a limit was reached";
	case LINK_BYE_INTERNAL:
		return "internal failure";
	default:
		return "unknown reason";
	}
}

const char *link_error_text(enum link_error error) {
	switch (error) {
	case LINK_OK:
		return "no error";
	case LINK_INCOMPLETE:
		return "frame incomplete";
	case LINK_BAD_SIZE:
		return "frame size not valid";
	case LINK_BAD_TYPE:
		return "frame type unknown or from the wrong end";
	case LINK_BAD_FIELD:
		return "frame field out of range";
	case LINK_BAD_PHASE:
		return "frame at the wrong time";
	}
	return "unknown error";
}

struct link_hello link_frame_hello(const struct link_frame *frame) {
	struct link_hello hello;
	memcpy(&hello, frame->body, sizeof(hello));
	return hello;
}

struct link_fd link_frame_fd(const struct link_frame *frame, uint32_t index) {
	assert(index < frame->header.arg);
	struct link_fd fd;
	memcpy(&fd, frame->body + index * sizeof(fd), sizeof(fd));
	return fd;
}

struct link_file link_frame_file(const struct link_frame *frame, const uint8_t **bytes) {
	struct link_file file;
	memcpy(&file, frame->body, sizeof(file));
	*bytes = frame->body + sizeof(file);
	return file;
}

struct link_bytes link_frame_bytes(const struct link_frame *frame, const uint8_t **bytes) {
	struct link_bytes head;
	memcpy(&head, frame->body, sizeof(head));
	*bytes = frame->body + sizeof(head);
	return head;
}

struct link_arena link_frame_arena(const struct link_frame *frame) {
	struct link_arena arena;
	memcpy(&arena, frame->body, sizeof(arena));
	return arena;
}

struct link_buffer link_frame_buffer(const struct link_frame *frame) {
	struct link_buffer buffer;
	memcpy(&buffer, frame->body, sizeof(buffer));
	return buffer;
}

struct link_pixels link_frame_pixels(const struct link_frame *frame, const uint8_t **bytes) {
	struct link_pixels pixels;
	memcpy(&pixels, frame->body, sizeof(pixels));
	*bytes = frame->body + sizeof(pixels);
	return pixels;
}

struct link_launch_result link_frame_launch_result(const struct link_frame *frame) {
	struct link_launch_result result;
	memcpy(&result, frame->body, sizeof(result));
	return result;
}

struct link_pong link_frame_pong(const struct link_frame *frame) {
	struct link_pong pong;
	memcpy(&pong, frame->body, sizeof(pong));
	return pong;
}

const uint8_t *link_frame_wayland(const struct link_frame *frame, size_t *size) {
	size_t skip = frame->header.type == LINK_WAYLAND_FDS ?
			frame->header.arg * sizeof(struct link_fd) : 0;
	*size = frame->body_size - skip;
	return frame->body + skip;
}

static bool is_zero(const uint8_t *bytes, size_t size) {
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != 0) {
			return false;
		}
	}
	return true;
}

static bool is_buffer_id(uint32_t id) {
	return id >= LINK_BUFFER_ID_START && id < LINK_BUFFER_ID_END;
}

/* Whether exporter may have chosen this pipe id. */
static bool is_pipe_id(uint32_t id, enum link_end exporter) {
	bool guivm = (id & LINK_PIPE_ID_GUIVM) != 0;
	return guivm == (exporter == LINK_END_GUIVM) && (id & ~LINK_PIPE_ID_GUIVM) != 0;
}

static enum link_end other_end(enum link_end end) {
	return end == LINK_END_GUIVM ? LINK_END_APPVM : LINK_END_GUIVM;
}

/* count bytes and their padding must be what the body has after its fixed part. */
static enum link_error check_tail(const struct link_frame *frame, size_t fixed, uint32_t count) {
	size_t room = frame->body_size - fixed;
	if (count > room || align_up(count, 4) != room) {
		return LINK_BAD_SIZE;
	}
	return is_zero(frame->body + fixed + count, room - count) ? LINK_OK : LINK_BAD_FIELD;
}

/* The body from bytes on must be whole Wayland messages, at least one and at most max. */
static enum link_error check_messages(const uint8_t *bytes, size_t size, size_t max) {
	for (size_t n = 0; n < max; n++) {
		struct wire_header header;
		if (wire_parse_header(bytes, size, &header) != WIRE_OK) {
			return LINK_BAD_SIZE;
		}
		bytes += header.size;
		size -= header.size;
		if (size == 0) {
			return LINK_OK;
		}
	}
	return LINK_BAD_SIZE;
}

static enum link_error check_hello(const struct link_frame *frame, enum link_end from) {
	struct link_hello hello = link_frame_hello(frame);
	bool power_of_two = (hello.page_size & (hello.page_size - 1)) == 0;
	if (hello.magic != LINK_MAGIC || hello.version_min < 1 ||
			hello.version_min > hello.version_max ||
			hello.page_size < MIN_PAGE_BYTES || !power_of_two) {
		return LINK_BAD_FIELD;
	}
	return LINK_OK;
}

static enum link_error check_wayland(const struct link_frame *frame, enum link_end from) {
	return check_messages(frame->body, frame->body_size, SIZE_MAX);
}

static bool is_fd_valid(const struct link_fd *fd, enum link_end from) {
	bool has_ref = !is_zero(fd->ref, sizeof(fd->ref));
	switch (fd->kind) {
	case LINK_FD_FILE:
		return fd->id != 0 && !has_ref;
	case LINK_FD_PIPE:
		return is_pipe_id(fd->id, from) && !has_ref;
	case LINK_FD_PAGES:
	case LINK_FD_LOCAL:
		return fd->id == 0 && from == LINK_END_APPVM;
	default:
		return false;
	}
}

static enum link_error check_wayland_fds(const struct link_frame *frame, enum link_end from) {
	uint32_t n_fds = frame->header.arg;
	if (n_fds < 1 || n_fds > LIMIT_WAYLAND_FDS_PER_MESSAGE) {
		return LINK_BAD_FIELD;
	}
	if (frame->body_size < n_fds * sizeof(struct link_fd) + WIRE_HEADER_BYTES) {
		return LINK_BAD_SIZE;
	}
	for (uint32_t i = 0; i < n_fds; i++) {
		struct link_fd fd = link_frame_fd(frame, i);
		if (!is_fd_valid(&fd, from)) {
			return LINK_BAD_FIELD;
		}
	}
	size_t size;
	const uint8_t *message = link_frame_wayland(frame, &size);
	return check_messages(message, size, 1);
}

static enum link_error check_credit(const struct link_frame *frame, enum link_end from) {
	uint32_t count = frame->header.arg;
	return count > 0 && count <= LIMIT_CLIENT_WINDOW_BYTES ? LINK_OK : LINK_BAD_FIELD;
}

static enum link_error check_file(const struct link_frame *frame, enum link_end from) {
	const uint8_t *bytes;
	struct link_file file = link_frame_file(frame, &bytes);
	if (frame->header.arg == 0 || file.total > LIMIT_FILE_BYTES ||
			!checked_range(file.offset, file.count, file.total) ||
			(file.count == 0) != (file.total == 0)) {
		return LINK_BAD_FIELD;
	}
	return check_tail(frame, sizeof(file), file.count);
}

static enum link_error check_pipe_data(const struct link_frame *frame, enum link_end from) {
	const uint8_t *bytes;
	uint32_t count = link_frame_bytes(frame, &bytes).count;
	if (!is_pipe_id(frame->header.arg, other_end(from)) || count == 0 ||
			count > LIMIT_PIPE_WINDOW_BYTES) {
		return LINK_BAD_FIELD;
	}
	return check_tail(frame, sizeof(struct link_bytes), count);
}

static enum link_error check_pipe_credit(const struct link_frame *frame, enum link_end from) {
	const uint8_t *bytes;
	uint32_t count = link_frame_bytes(frame, &bytes).count;
	bool valid = is_pipe_id(frame->header.arg, from) && count > 0 &&
			count <= LIMIT_PIPE_WINDOW_BYTES;
	return valid ? LINK_OK : LINK_BAD_FIELD;
}

static enum link_error check_pipe_close(const struct link_frame *frame, enum link_end from) {
	return (frame->header.arg & ~LINK_PIPE_ID_GUIVM) != 0 ? LINK_OK : LINK_BAD_FIELD;
}

static enum link_error check_arena_id(const struct link_frame *frame, enum link_end from) {
	uint32_t id = frame->header.arg;
	return id >= 1 && id <= LIMIT_ARENAS_PER_LINK ? LINK_OK : LINK_BAD_FIELD;
}

static enum link_error check_arena_add(const struct link_frame *frame, enum link_end from) {
	uint64_t size = link_frame_arena(frame).size;
	if (size < 1 || size > LINK_ARENA_MAX_BYTES) {
		return LINK_BAD_FIELD;
	}
	return check_arena_id(frame, from);
}

static bool is_side(uint32_t side) {
	return side >= 1 && side <= LIMIT_BUFFER_SIDE_PX;
}

static enum link_error check_buffer_new(const struct link_frame *frame, enum link_end from) {
	struct link_buffer buffer = link_frame_buffer(frame);
	uint32_t bytes_per_pixel = shm_format_bytes_per_pixel(buffer.format);
	if (!is_buffer_id(frame->header.arg) || buffer.reserved != 0 ||
			buffer.arena > LIMIT_ARENAS_PER_LINK || bytes_per_pixel == 0 ||
			!is_side(buffer.width) || !is_side(buffer.height) ||
			buffer.offset % 4 != 0) {
		return LINK_BAD_FIELD;
	}
	uint32_t row = buffer.width * bytes_per_pixel; // fits: a side is at most 2^14
	uint64_t size = (uint64_t)buffer.stride * buffer.height;
	if (buffer.stride < row || !checked_range(buffer.offset, size, LINK_ARENA_MAX_BYTES)) {
		return LINK_BAD_FIELD;
	}
	if (buffer.arena == 0 && (buffer.offset != 0 || buffer.stride != align_up(row, 4))) {
		return LINK_BAD_FIELD;
	}
	return LINK_OK;
}

static enum link_error check_buffer_id(const struct link_frame *frame, enum link_end from) {
	return is_buffer_id(frame->header.arg) ? LINK_OK : LINK_BAD_FIELD;
}

static enum link_error check_pixels(const struct link_frame *frame, enum link_end from) {
	const uint8_t *bytes;
	struct link_pixels pixels = link_frame_pixels(frame, &bytes);
	if (!is_buffer_id(frame->header.arg) ||
			!is_side(pixels.width) || !is_side(pixels.height) ||
			!checked_range(pixels.x, pixels.width, LIMIT_BUFFER_SIDE_PX) ||
			!checked_range(pixels.y, pixels.height, LIMIT_BUFFER_SIDE_PX)) {
		return LINK_BAD_FIELD;
	}
	// A pixel has at least one byte; the receiver, who knows the format, checks exactly.
	if (frame->body_size - sizeof(pixels) < (uint64_t)pixels.width * pixels.height) {
		return LINK_BAD_SIZE;
	}
	return LINK_OK;
}

static enum link_error check_launch(const struct link_frame *frame, enum link_end from) {
	const uint8_t *name;
	uint32_t count = link_frame_bytes(frame, &name).count;
	if (count < 1 || count > LIMIT_APP_NAME_BYTES) {
		return LINK_BAD_FIELD;
	}
	enum link_error error = check_tail(frame, sizeof(struct link_bytes), count);
	if (error == LINK_OK && memchr(name, '\0', count) != NULL) {
		return LINK_BAD_FIELD;
	}
	return error;
}

static enum link_error check_launch_result(const struct link_frame *frame, enum link_end from) {
	uint32_t status = link_frame_launch_result(frame).status;
	return status < LINK_LAUNCH_COUNT ? LINK_OK : LINK_BAD_FIELD;
}

enum {
	FROM_GUIVM = 1 << LINK_END_GUIVM,
	FROM_APPVM = 1 << LINK_END_APPVM,
	FROM_BOTH = FROM_GUIVM | FROM_APPVM,
};

struct link_rule {
	uint8_t from; // set of FROM_*
	bool client; // header.client is not 0
	bool arg; // header.arg has a meaning
	bool tail; // the body may be longer than body_size
	uint8_t body_size; // bytes, of the fixed part
	// What remains, given that the body has its fixed part; NULL: nothing.
	enum link_error (*check)(const struct link_frame *frame, enum link_end from);
};

static const struct link_rule rules[LINK_TYPE_COUNT] = {
	[LINK_HELLO] = { FROM_BOTH, false, false, false, sizeof(struct link_hello), check_hello },
	[LINK_BYE] = { FROM_BOTH, false, true, false, 0, NULL },
	[LINK_CLIENT_OPEN] = { FROM_APPVM, true, false, false, 0, NULL },
	[LINK_CLIENT_CLOSE] = { FROM_BOTH, true, false, false, 0, NULL },
	[LINK_WAYLAND] = { FROM_BOTH, true, false, true, WIRE_HEADER_BYTES, check_wayland },
	[LINK_WAYLAND_FDS] = { FROM_BOTH, true, true, true,
		sizeof(struct link_fd) + WIRE_HEADER_BYTES, check_wayland_fds },
	[LINK_CREDIT] = { FROM_BOTH, true, true, false, 0, check_credit },
	[LINK_FILE] = { FROM_BOTH, true, true, true, sizeof(struct link_file), check_file },
	[LINK_PIPE_DATA] = { FROM_BOTH, false, true, true, sizeof(struct link_bytes),
		check_pipe_data },
	[LINK_PIPE_CREDIT] = { FROM_BOTH, false, true, false, sizeof(struct link_bytes),
		check_pipe_credit },
	[LINK_PIPE_CLOSE] = { FROM_BOTH, false, true, false, 0, check_pipe_close },
	[LINK_ARENA_ADD] = { FROM_APPVM, false, true, false, sizeof(struct link_arena),
		check_arena_add },
	[LINK_ARENA_REMOVE] = { FROM_BOTH, false, true, false, 0, check_arena_id },
	[LINK_BUFFER_NEW] = { FROM_APPVM, true, true, false, sizeof(struct link_buffer),
		check_buffer_new },
	[LINK_BUFFER_REMOVE] = { FROM_APPVM, true, true, false, 0, check_buffer_id },
	[LINK_PIXELS] = { FROM_APPVM, true, true, true, sizeof(struct link_pixels), check_pixels },
	[LINK_LAUNCH] = { FROM_GUIVM, false, true, true, sizeof(struct link_bytes), check_launch },
	[LINK_LAUNCH_RESULT] = { FROM_APPVM, false, true, false, sizeof(struct link_launch_result),
		check_launch_result },
	[LINK_PING] = { FROM_APPVM, false, true, false, 0, NULL },
	[LINK_PONG] = { FROM_GUIVM, false, true, false, sizeof(struct link_pong), NULL },
};

enum link_error link_parse(const uint8_t *bytes, size_t size, enum link_end from,
		struct link_frame *frame) {
	struct link_header *header = &frame->header;
	if (size < sizeof(*header)) {
		return LINK_INCOMPLETE;
	}
	memcpy(header, bytes, sizeof(*header));
	if (header->size < sizeof(*header) || header->size % 4 != 0 ||
			header->size > LIMIT_LINK_FRAME_BYTES) {
		return LINK_BAD_SIZE;
	}
	if (header->type >= LINK_TYPE_COUNT || (rules[header->type].from & 1 << from) == 0) {
		return LINK_BAD_TYPE;
	}
	const struct link_rule *rule = &rules[header->type];
	frame->body = bytes + sizeof(*header);
	frame->body_size = header->size - sizeof(*header);
	if (frame->body_size < rule->body_size ||
			(frame->body_size > rule->body_size && !rule->tail)) {
		return LINK_BAD_SIZE;
	}
	if (header->flags != 0 || (header->client != 0) != rule->client ||
			(header->arg != 0 && !rule->arg)) {
		return LINK_BAD_FIELD;
	}
	if (size < header->size) {
		return LINK_INCOMPLETE;
	}
	return rule->check != NULL ? rule->check(frame, from) : LINK_OK;
}
