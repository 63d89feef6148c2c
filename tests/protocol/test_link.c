/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "common/checked.h"
#include "common/shm_format.h"
#include "protocol/link.h"
#include "protocol/wire.h"
#include "tests/harness/test.h"

#define GUIVM LINK_END_GUIVM
#define APPVM LINK_END_APPVM
#define XRGB8888 1
#define PIPE_OF_GUIVM (LINK_PIPE_ID_GUIVM | 3)
#define PIPE_OF_APPVM 3
#define BUFFER LINK_BUFFER_ID_START

/* A frame under construction. */
struct sample {
	struct link_header header;
	uint8_t body[LIMIT_LINK_FRAME_BYTES];
	size_t body_size;
};

static struct sample sample;
static struct link_frame frame;

static void begin(enum link_type type, uint32_t client, uint32_t arg) {
	memset(&sample, 0, sizeof(sample));
	sample.header.type = type;
	sample.header.client = client;
	sample.header.arg = arg;
}

static void add(const void *bytes, size_t size) {
	memcpy(sample.body + sample.body_size, bytes, size);
	sample.body_size += size;
}

static void add_word(uint32_t word) {
	add(&word, sizeof(word));
}

/* size bytes of value and zero padding. */
static void add_padded(uint8_t value, size_t size) {
	memset(sample.body + sample.body_size, value, size);
	sample.body_size += align_up(size, 4);
}

/* Parses from exactly as much memory as there are bytes, so that sanitizers see an overrun. The
 * frame's body is gone afterwards but for the copy in sample. */
static enum link_error parse_available(enum link_end from, size_t available) {
	sample.header.size = sizeof(sample.header) + sample.body_size;
	uint8_t *bytes = malloc(available > 0 ? available : 1);
	size_t header_part = available < sizeof(sample.header) ? available : sizeof(sample.header);
	memcpy(bytes, &sample.header, header_part);
	memcpy(bytes + header_part, sample.body, available - header_part);
	enum link_error error = link_parse(bytes, available, from, &frame);
	frame.body = sample.body;
	free(bytes);
	return error;
}

static enum link_error parse(enum link_end from) {
	return parse_available(from, sizeof(sample.header) + sample.body_size);
}

static enum link_error parse_hello(struct link_hello hello) {
	begin(LINK_HELLO, 0, 0);
	add(&hello, sizeof(hello));
	return parse(GUIVM);
}

static const struct link_hello good_hello = { LINK_MAGIC, 1, 2, 3, 4096 };

static enum link_error parse_buffer(uint32_t id, struct link_buffer buffer) {
	begin(LINK_BUFFER_NEW, 1, id);
	add(&buffer, sizeof(buffer));
	return parse(APPVM);
}

static const struct link_buffer good_buffer = { .arena = 1, .format = XRGB8888, .offset = 4096,
	.width = 100, .height = 50, .stride = 400 };
static const struct link_buffer inline_buffer = { .arena = 0, .format = XRGB8888, .width = 100,
	.height = 50, .stride = 400 };

static void add_message(uint32_t object, size_t size) {
	add_word(object);
	add_word(size << 16);
	sample.body_size += size - WIRE_HEADER_BYTES;
}

/* The smallest valid frame of each type, and who may send it. */
static bool begin_valid(enum link_type type, enum link_end from) {
	bool appvm = from == APPVM;
	struct link_fd fd = { .kind = LINK_FD_FILE, .id = 5 };
	struct link_file file = { .total = 10, .offset = 6, .count = 3 };
	struct link_arena arena = { .size = 4096, .ref = { 1 } };
	struct link_pixels pixels = { 0, 0, 5, 1 };
	uint32_t own_pipe = appvm ? PIPE_OF_APPVM : PIPE_OF_GUIVM;
	uint32_t other_pipe = appvm ? PIPE_OF_GUIVM : PIPE_OF_APPVM;
	switch (type) {
	case LINK_HELLO:
		begin(type, 0, 0);
		add(&good_hello, sizeof(good_hello));
		return true;
	case LINK_BYE:
		begin(type, 0, LINK_BYE_LIMIT);
		return true;
	case LINK_CLIENT_OPEN:
		begin(type, 1, 0);
		return appvm;
	case LINK_CLIENT_CLOSE:
		begin(type, 1, 0);
		return true;
	case LINK_WAYLAND:
		begin(type, 1, 0);
		add_message(1, 8);
		return true;
	case LINK_WAYLAND_FDS:
		begin(type, 1, 1);
		add(&fd, sizeof(fd));
		add_message(1, 8);
		return true;
	case LINK_CREDIT:
		begin(type, 1, 8);
		return true;
	case LINK_FILE:
		begin(type, 1, 5);
		add(&file, sizeof(file));
		add_padded(7, 3);
		return true;
	case LINK_PIPE_DATA:
		begin(type, 0, other_pipe);
		add_word(5);
		add_padded(7, 5);
		return true;
	case LINK_PIPE_CREDIT:
		begin(type, 0, own_pipe);
		add_word(5);
		return true;
	case LINK_PIPE_CLOSE:
		begin(type, 0, own_pipe);
		return true;
	case LINK_ARENA_ADD:
		begin(type, 0, 1);
		add(&arena, sizeof(arena));
		return appvm;
	case LINK_ARENA_REMOVE:
		begin(type, 0, 1);
		return true;
	case LINK_BUFFER_NEW:
		begin(type, 1, BUFFER);
		add(&good_buffer, sizeof(good_buffer));
		return appvm;
	case LINK_BUFFER_REMOVE:
		begin(type, 1, BUFFER);
		return appvm;
	case LINK_PIXELS:
		begin(type, 1, BUFFER);
		add(&pixels, sizeof(pixels));
		add_padded(7, 8);
		return appvm;
	case LINK_LAUNCH:
		begin(type, 0, 9);
		add_word(4);
		add_padded('f', 4);
		return !appvm;
	case LINK_LAUNCH_RESULT:
		begin(type, 0, 9);
		add_word(LINK_LAUNCH_FAILED);
		add_word(2);
		return appvm;
	case LINK_PING:
		begin(type, 0, 7);
		return appvm;
	case LINK_PONG:
		begin(type, 0, 7);
		add_word(0xffffffff);
		add_word(1);
		return !appvm;
	case LINK_TYPE_COUNT:
		break;
	}
	test_fail(__FILE__, __LINE__, "no sample of type %d", type);
}

/* Calls check for each valid sample. */
static void for_each_valid(void (*check)(enum link_type type, enum link_end from)) {
	for (int type = LINK_HELLO; type < LINK_TYPE_COUNT; type++) {
		for (int from = GUIVM; from <= APPVM; from++) {
			if (begin_valid(type, from)) {
				check(type, from);
			}
		}
	}
}

TEST(every_type_is_accepted_from_its_ends_alone) {
	for (int type = LINK_HELLO; type < LINK_TYPE_COUNT; type++) {
		for (int from = GUIVM; from <= APPVM; from++) {
			bool legal = begin_valid(type, from);
			EXPECT_INT(parse(from), legal ? LINK_OK : LINK_BAD_TYPE);
			EXPECT(!legal || frame.body_size == sample.body_size);
			EXPECT(!legal || memcmp(&frame.header, &sample.header,
					sizeof(sample.header)) == 0);
		}
	}
}

static void check_prefixes(enum link_type type, enum link_end from) {
	size_t whole = sizeof(sample.header) + sample.body_size;
	for (size_t size = 0; size < whole; size++) {
		EXPECT_INT(parse_available(from, size), LINK_INCOMPLETE);
	}
	EXPECT_INT(parse_available(from, whole), LINK_OK);
	EXPECT_INT(parse_available(from, whole + 64), LINK_OK);
}

TEST(part_of_a_frame_is_incomplete) {
	for_each_valid(check_prefixes);
}

static void check_flags(enum link_type type, enum link_end from) {
	sample.header.flags = 1;
	EXPECT_INT(parse(from), LINK_BAD_FIELD);
	sample.header.flags = 0x8000;
	EXPECT_INT(parse(from), LINK_BAD_FIELD);
}

TEST(flags_are_zero) {
	for_each_valid(check_flags);
}

static void check_client(enum link_type type, enum link_end from) {
	sample.header.client = sample.header.client == 0;
	EXPECT_INT(parse(from), LINK_BAD_FIELD);
}

TEST(client_is_named_where_it_must_be_and_only_there) {
	for_each_valid(check_client);
}

static void check_longer(enum link_type type, enum link_end from) {
	sample.body_size += 4;
	EXPECT(parse(from) == LINK_BAD_SIZE || type == LINK_PIXELS);
}

TEST(body_longer_than_its_contents_is_refused) {
	for_each_valid(check_longer);
}

static void check_shorter(enum link_type type, enum link_end from) {
	while (sample.body_size > 0) {
		sample.body_size -= 4;
		EXPECT_INT(parse(from), LINK_BAD_SIZE);
	}
}

TEST(body_shorter_than_its_contents_is_refused) {
	for_each_valid(check_shorter);
}

static enum link_error parse_header_alone(uint32_t size, uint16_t type) {
	struct link_header header = { .size = size, .type = type };
	return link_parse((uint8_t *)&header, sizeof(header), GUIVM, &frame);
}

TEST(frame_size_out_of_range_is_final_at_the_header) {
	EXPECT_INT(parse_header_alone(0, LINK_BYE), LINK_BAD_SIZE);
	EXPECT_INT(parse_header_alone(12, LINK_BYE), LINK_BAD_SIZE);
	EXPECT_INT(parse_header_alone(16, LINK_BYE), LINK_OK);
	EXPECT_INT(parse_header_alone(17, LINK_BYE), LINK_BAD_SIZE);
	EXPECT_INT(parse_header_alone(18, LINK_BYE), LINK_BAD_SIZE);
	EXPECT_INT(parse_header_alone(LIMIT_LINK_FRAME_BYTES + 4, LINK_WAYLAND), LINK_BAD_SIZE);
	EXPECT_INT(parse_header_alone(UINT32_MAX - 3, LINK_WAYLAND), LINK_BAD_SIZE);
}

TEST(unknown_type_is_refused) {
	EXPECT_INT(parse_header_alone(16, 0), LINK_BAD_TYPE);
	EXPECT_INT(parse_header_alone(16, LINK_TYPE_COUNT), LINK_BAD_TYPE);
	EXPECT_INT(parse_header_alone(16, 0xffff), LINK_BAD_TYPE);
}

TEST(largest_frame_is_accepted) {
	begin(LINK_WAYLAND, 1, 0);
	while (sizeof(sample.header) + sample.body_size < LIMIT_LINK_FRAME_BYTES) {
		add_message(1, 8);
	}
	EXPECT_INT(parse(APPVM), LINK_OK);
	EXPECT_INT(frame.header.size, LIMIT_LINK_FRAME_BYTES);
}

TEST(argument_without_a_meaning_is_zero) {
	static const enum link_type types[] = { LINK_HELLO, LINK_CLIENT_OPEN, LINK_CLIENT_CLOSE,
		LINK_WAYLAND };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		begin_valid(types[i], APPVM);
		sample.header.arg = 1;
		EXPECT_INT(parse(APPVM), LINK_BAD_FIELD);
	}
}

TEST(bye_may_give_any_reason) {
	begin(LINK_BYE, 0, UINT32_MAX);
	EXPECT_INT(parse(APPVM), LINK_OK);
	EXPECT(strlen(link_bye_text(UINT32_MAX)) > 0);
}

TEST(hello_fields_are_checked) {
	struct link_hello hello = good_hello;
	EXPECT_INT(parse_hello(hello), LINK_OK);
	EXPECT_INT(link_frame_hello(&frame).caps, 3);
	hello.magic++;
	EXPECT_INT(parse_hello(hello), LINK_BAD_FIELD);
	hello = good_hello;
	hello.version_min = 0;
	EXPECT_INT(parse_hello(hello), LINK_BAD_FIELD);
	hello.version_min = 3;
	EXPECT_INT(parse_hello(hello), LINK_BAD_FIELD);
	hello.version_max = 0xffff;
	EXPECT_INT(parse_hello(hello), LINK_OK);
}

TEST(page_size_is_a_power_of_two) {
	struct link_hello hello = good_hello;
	static const uint32_t bad[] = { 0, 1, 2048, 4095, 4097, 12288, UINT32_MAX };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		hello.page_size = bad[i];
		EXPECT_INT(parse_hello(hello), LINK_BAD_FIELD);
	}
	hello.page_size = 65536;
	EXPECT_INT(parse_hello(hello), LINK_OK);
}

TEST(wayland_messages_are_whole) {
	begin(LINK_WAYLAND, 1, 0);
	add_message(1, 8);
	add_message(2, 20);
	add_message(3, 4096);
	EXPECT_INT(parse(APPVM), LINK_OK);
	size_t size;
	EXPECT(link_frame_wayland(&frame, &size) == frame.body);
	EXPECT_INT(size, 8 + 20 + 4096);
	sample.body_size -= 4;
	EXPECT_INT(parse(APPVM), LINK_BAD_SIZE);
}

TEST(wayland_message_of_a_bad_size_is_refused) {
	static const uint32_t bad[] = { 0, 4, 9, 4100, 0xfffc };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin(LINK_WAYLAND, 1, 0);
		add_message(1, 8);
		add_word(1);
		add_word(bad[i] << 16);
		sample.body_size += 5000;
		EXPECT_INT(parse(APPVM), LINK_BAD_SIZE);
	}
}

static enum link_error parse_fds(enum link_end from, uint32_t count, struct link_fd fd) {
	begin(LINK_WAYLAND_FDS, 1, count);
	for (uint32_t i = 0; i < count && i < 100; i++) {
		add(&fd, sizeof(fd));
	}
	add_message(1, 12);
	return parse(from);
}

TEST(descriptors_are_counted) {
	struct link_fd fd = { .kind = LINK_FD_FILE, .id = 5 };
	EXPECT_INT(parse_fds(APPVM, 0, fd), LINK_BAD_SIZE);
	EXPECT_INT(parse_fds(APPVM, 1, fd), LINK_OK);
	EXPECT_INT(parse_fds(APPVM, LIMIT_WAYLAND_FDS_PER_MESSAGE, fd), LINK_OK);
	size_t size;
	EXPECT(link_frame_wayland(&frame, &size) ==
			frame.body + LIMIT_WAYLAND_FDS_PER_MESSAGE * sizeof(fd));
	EXPECT_INT(size, 12);
	EXPECT_INT(link_frame_fd(&frame, LIMIT_WAYLAND_FDS_PER_MESSAGE - 1).id, 5);
	EXPECT_INT(parse_fds(APPVM, LIMIT_WAYLAND_FDS_PER_MESSAGE + 1, fd), LINK_BAD_FIELD);
}

TEST(descriptor_count_does_not_wrap) {
	begin_valid(LINK_WAYLAND_FDS, APPVM);
	sample.header.arg = 0;
	EXPECT_INT(parse(APPVM), LINK_BAD_FIELD);
	sample.header.arg = 0x08000001;
	EXPECT_INT(parse(APPVM), LINK_BAD_FIELD);
	sample.header.arg = 2;
	EXPECT_INT(parse(APPVM), LINK_BAD_SIZE);
}

TEST(descriptors_come_with_exactly_one_message) {
	struct link_fd fd = { .kind = LINK_FD_FILE, .id = 5 };
	EXPECT_INT(parse_fds(APPVM, 1, fd), LINK_OK);
	add_message(1, 8);
	EXPECT_INT(parse(APPVM), LINK_BAD_SIZE);
}

TEST(descriptor_kinds_are_checked) {
	EXPECT_INT(parse_fds(APPVM, 1, (struct link_fd){ .kind = 0, .id = 1 }), LINK_BAD_FIELD);
	EXPECT_INT(parse_fds(APPVM, 1, (struct link_fd){ .kind = 5, .id = 1 }), LINK_BAD_FIELD);
	EXPECT_INT(parse_fds(APPVM, 1, (struct link_fd){ .kind = LINK_FD_FILE }), LINK_BAD_FIELD);
	struct link_fd file = { .kind = LINK_FD_FILE, .id = 1, .ref = { [23] = 1 } };
	EXPECT_INT(parse_fds(APPVM, 1, file), LINK_BAD_FIELD);
}

TEST(pages_and_descriptors_are_handed_over_by_the_appvm_end_alone) {
	for (uint32_t kind = LINK_FD_PAGES; kind <= LINK_FD_LOCAL; kind++) {
		struct link_fd fd = { .kind = kind, .ref = { 1, 2, 3 } };
		EXPECT_INT(parse_fds(APPVM, 1, fd), LINK_OK);
		EXPECT_INT(link_frame_fd(&frame, 0).ref[2], 3);
		EXPECT_INT(parse_fds(GUIVM, 1, fd), LINK_BAD_FIELD);
		fd.id = 1;
		EXPECT_INT(parse_fds(APPVM, 1, fd), LINK_BAD_FIELD);
	}
}

TEST(new_pipe_has_an_id_of_its_exporter) {
	struct link_fd pipe = { .kind = LINK_FD_PIPE, .id = PIPE_OF_APPVM };
	EXPECT_INT(parse_fds(APPVM, 1, pipe), LINK_OK);
	EXPECT_INT(parse_fds(GUIVM, 1, pipe), LINK_BAD_FIELD);
	pipe.id = PIPE_OF_GUIVM;
	EXPECT_INT(parse_fds(GUIVM, 1, pipe), LINK_OK);
	EXPECT_INT(parse_fds(APPVM, 1, pipe), LINK_BAD_FIELD);
	pipe.id = 0;
	EXPECT_INT(parse_fds(APPVM, 1, pipe), LINK_BAD_FIELD);
	pipe.id = LINK_PIPE_ID_GUIVM;
	EXPECT_INT(parse_fds(GUIVM, 1, pipe), LINK_BAD_FIELD);
}

static enum link_error parse_credit(uint32_t count) {
	begin(LINK_CREDIT, 1, count);
	return parse(GUIVM);
}

TEST(credit_is_within_a_window) {
	EXPECT_INT(parse_credit(0), LINK_BAD_FIELD);
	EXPECT_INT(parse_credit(1), LINK_OK);
	EXPECT_INT(parse_credit(LIMIT_CLIENT_WINDOW_BYTES), LINK_OK);
	EXPECT_INT(parse_credit(LIMIT_CLIENT_WINDOW_BYTES + 1), LINK_BAD_FIELD);
}

static enum link_error parse_file(uint32_t id, struct link_file file, size_t bytes) {
	begin(LINK_FILE, 1, id);
	add(&file, sizeof(file));
	add_padded(7, bytes);
	return parse(GUIVM);
}

TEST(file_part_lies_inside_the_file) {
	EXPECT_INT(parse_file(1, (struct link_file){ 10, 0, 10 }, 10), LINK_OK);
	EXPECT_INT(parse_file(1, (struct link_file){ 10, 1, 10 }, 10), LINK_BAD_FIELD);
	EXPECT_INT(parse_file(1, (struct link_file){ 10, UINT32_MAX, 5 }, 5), LINK_BAD_FIELD);
	EXPECT_INT(parse_file(1, (struct link_file){ 10, 0, 0 }, 0), LINK_BAD_FIELD);
	EXPECT_INT(parse_file(0, (struct link_file){ 10, 0, 10 }, 10), LINK_BAD_FIELD);
}

TEST(empty_file_has_one_empty_part) {
	EXPECT_INT(parse_file(1, (struct link_file){ 0, 0, 0 }, 0), LINK_OK);
	EXPECT_INT(parse_file(1, (struct link_file){ 0, 4, 0 }, 0), LINK_BAD_FIELD);
	EXPECT_INT(parse_file(1, (struct link_file){ 0, 0, 1 }, 1), LINK_BAD_FIELD);
}

TEST(file_size_is_limited) {
	EXPECT_INT(parse_file(1, (struct link_file){ LIMIT_FILE_BYTES, 0, 5 }, 5), LINK_OK);
	EXPECT_INT(parse_file(1, (struct link_file){ LIMIT_FILE_BYTES + 1, 0, 5 }, 5),
			LINK_BAD_FIELD);
	EXPECT_INT(parse_file(1, (struct link_file){ UINT32_MAX, 0, 5 }, 5), LINK_BAD_FIELD);
}

TEST(file_part_has_as_many_bytes_as_it_says) {
	EXPECT_INT(parse_file(1, (struct link_file){ 100, 0, 5 }, 4), LINK_BAD_SIZE);
	EXPECT_INT(parse_file(1, (struct link_file){ 100, 0, 5 }, 9), LINK_BAD_SIZE);
	EXPECT_INT(parse_file(1, (struct link_file){ 100, 0, 5 }, 6), LINK_BAD_FIELD);
}

TEST(padding_is_zero) {
	begin_valid(LINK_FILE, APPVM);
	sample.body[sample.body_size - 1] = 1;
	EXPECT_INT(parse(APPVM), LINK_BAD_FIELD);
	begin_valid(LINK_PIPE_DATA, APPVM);
	sample.body[sample.body_size - 3] = 1;
	EXPECT_INT(parse(APPVM), LINK_BAD_FIELD);
}

TEST(count_does_not_wrap_in_its_padding) {
	begin_valid(LINK_PIPE_DATA, APPVM);
	memset(sample.body, 0xff, 4);
	EXPECT_INT(parse(APPVM), LINK_BAD_FIELD);
	begin_valid(LINK_PIPE_DATA, APPVM);
	uint32_t count = LIMIT_PIPE_WINDOW_BYTES;
	memcpy(sample.body, &count, sizeof(count));
	EXPECT_INT(parse(APPVM), LINK_BAD_SIZE);
}

static enum link_error parse_pipe(enum link_type type, uint32_t id, uint32_t count,
		enum link_end from) {
	begin(type, 0, id);
	if (type != LINK_PIPE_CLOSE) {
		add_word(count);
	}
	if (type == LINK_PIPE_DATA) {
		add_padded(7, count);
	}
	return parse(from);
}

TEST(pipe_data_comes_from_the_importer_alone) {
	EXPECT_INT(parse_pipe(LINK_PIPE_DATA, PIPE_OF_GUIVM, 1, APPVM), LINK_OK);
	EXPECT_INT(parse_pipe(LINK_PIPE_DATA, PIPE_OF_APPVM, 1, GUIVM), LINK_OK);
	EXPECT_INT(parse_pipe(LINK_PIPE_DATA, PIPE_OF_APPVM, 1, APPVM), LINK_BAD_FIELD);
	EXPECT_INT(parse_pipe(LINK_PIPE_DATA, PIPE_OF_GUIVM, 1, GUIVM), LINK_BAD_FIELD);
	EXPECT_INT(parse_pipe(LINK_PIPE_DATA, LINK_PIPE_ID_GUIVM, 1, APPVM), LINK_BAD_FIELD);
	EXPECT_INT(parse_pipe(LINK_PIPE_DATA, 0, 1, GUIVM), LINK_BAD_FIELD);
}

TEST(pipe_data_has_bytes) {
	EXPECT_INT(parse_pipe(LINK_PIPE_DATA, PIPE_OF_GUIVM, 0, APPVM), LINK_BAD_FIELD);
}

TEST(pipe_credit_comes_from_the_exporter_alone) {
	EXPECT_INT(parse_pipe(LINK_PIPE_CREDIT, PIPE_OF_APPVM, 1, APPVM), LINK_OK);
	EXPECT_INT(parse_pipe(LINK_PIPE_CREDIT, PIPE_OF_GUIVM, 1, GUIVM), LINK_OK);
	EXPECT_INT(parse_pipe(LINK_PIPE_CREDIT, PIPE_OF_GUIVM, 1, APPVM), LINK_BAD_FIELD);
	EXPECT_INT(parse_pipe(LINK_PIPE_CREDIT, PIPE_OF_APPVM, 1, GUIVM), LINK_BAD_FIELD);
}

TEST(pipe_credit_is_within_a_window) {
	EXPECT_INT(parse_pipe(LINK_PIPE_CREDIT, 1, 0, APPVM), LINK_BAD_FIELD);
	EXPECT_INT(parse_pipe(LINK_PIPE_CREDIT, 1, LIMIT_PIPE_WINDOW_BYTES, APPVM), LINK_OK);
	EXPECT_INT(parse_pipe(LINK_PIPE_CREDIT, 1, LIMIT_PIPE_WINDOW_BYTES + 1, APPVM),
			LINK_BAD_FIELD);
}

TEST(pipe_close_comes_from_either_end) {
	EXPECT_INT(parse_pipe(LINK_PIPE_CLOSE, PIPE_OF_APPVM, 0, GUIVM), LINK_OK);
	EXPECT_INT(parse_pipe(LINK_PIPE_CLOSE, PIPE_OF_GUIVM, 0, GUIVM), LINK_OK);
	EXPECT_INT(parse_pipe(LINK_PIPE_CLOSE, 0, 0, GUIVM), LINK_BAD_FIELD);
	EXPECT_INT(parse_pipe(LINK_PIPE_CLOSE, LINK_PIPE_ID_GUIVM, 0, GUIVM), LINK_BAD_FIELD);
}

static enum link_error parse_arena(uint32_t id, uint64_t size) {
	struct link_arena arena = { .size = size };
	begin(LINK_ARENA_ADD, 0, id);
	add(&arena, sizeof(arena));
	return parse(APPVM);
}

TEST(arena_id_is_in_range) {
	EXPECT_INT(parse_arena(0, 4096), LINK_BAD_FIELD);
	EXPECT_INT(parse_arena(1, 4096), LINK_OK);
	EXPECT_INT(parse_arena(LIMIT_ARENAS_PER_LINK, 4096), LINK_OK);
	EXPECT_INT(parse_arena(LIMIT_ARENAS_PER_LINK + 1, 4096), LINK_BAD_FIELD);
	begin(LINK_ARENA_REMOVE, 0, 0);
	EXPECT_INT(parse(APPVM), LINK_BAD_FIELD);
	begin(LINK_ARENA_REMOVE, 0, LIMIT_ARENAS_PER_LINK + 1);
	EXPECT_INT(parse(GUIVM), LINK_BAD_FIELD);
}

TEST(arena_size_fits_wl_shm) {
	EXPECT_INT(parse_arena(1, 0), LINK_BAD_FIELD);
	EXPECT_INT(parse_arena(1, INT32_MAX), LINK_OK);
	EXPECT_INT(parse_arena(1, (uint64_t)INT32_MAX + 1), LINK_BAD_FIELD);
	EXPECT_INT(parse_arena(1, UINT64_MAX), LINK_BAD_FIELD);
	EXPECT_INT(parse_arena(1, 0x100001000), LINK_BAD_FIELD);
}

TEST(buffer_id_is_in_range) {
	EXPECT_INT(parse_buffer(LINK_BUFFER_ID_START - 1, good_buffer), LINK_BAD_FIELD);
	EXPECT_INT(parse_buffer(LINK_BUFFER_ID_START, good_buffer), LINK_OK);
	EXPECT_INT(parse_buffer(LINK_BUFFER_ID_END - 1, good_buffer), LINK_OK);
	EXPECT_INT(parse_buffer(LINK_BUFFER_ID_END, good_buffer), LINK_BAD_FIELD);
	begin(LINK_BUFFER_REMOVE, 1, LINK_BUFFER_ID_END);
	EXPECT_INT(parse(APPVM), LINK_BAD_FIELD);
	begin(LINK_BUFFER_REMOVE, 1, 5);
	EXPECT_INT(parse(APPVM), LINK_BAD_FIELD);
}

#define BUFFER_WITH(field, value) parse_buffer(BUFFER, buffer_with_##field(good_buffer, value))
#define BUFFER_SETTER(field, type) \
	static struct link_buffer buffer_with_##field(struct link_buffer buffer, type value) { \
		buffer.field = value; \
		return buffer; \
	}
BUFFER_SETTER(arena, uint32_t)
BUFFER_SETTER(format, uint32_t)
BUFFER_SETTER(offset, uint64_t)
BUFFER_SETTER(width, uint32_t)
BUFFER_SETTER(height, uint32_t)
BUFFER_SETTER(stride, uint32_t)
BUFFER_SETTER(reserved, uint32_t)

TEST(buffer_fields_are_in_range) {
	EXPECT_INT(BUFFER_WITH(arena, LIMIT_ARENAS_PER_LINK), LINK_OK);
	EXPECT_INT(BUFFER_WITH(arena, LIMIT_ARENAS_PER_LINK + 1), LINK_BAD_FIELD);
	EXPECT_INT(BUFFER_WITH(reserved, 1), LINK_BAD_FIELD);
	EXPECT_INT(BUFFER_WITH(offset, 4098), LINK_BAD_FIELD);
	EXPECT_INT(BUFFER_WITH(width, 0), LINK_BAD_FIELD);
	EXPECT_INT(BUFFER_WITH(width, 101), LINK_BAD_FIELD);
	EXPECT_INT(BUFFER_WITH(height, 0), LINK_BAD_FIELD);
	EXPECT_INT(BUFFER_WITH(height, LIMIT_BUFFER_SIDE_PX), LINK_OK);
	EXPECT_INT(BUFFER_WITH(height, LIMIT_BUFFER_SIDE_PX + 1), LINK_BAD_FIELD);
}

TEST(buffer_width_is_limited) {
	struct link_buffer buffer = good_buffer;
	buffer.width = LIMIT_BUFFER_SIDE_PX;
	buffer.stride = LIMIT_BUFFER_SIDE_PX * 4;
	EXPECT_INT(parse_buffer(BUFFER, buffer), LINK_OK);
	buffer.width++;
	buffer.stride += 4;
	EXPECT_INT(parse_buffer(BUFFER, buffer), LINK_BAD_FIELD);
	buffer.width = 0x40000001; // times 4 wraps to 4
	EXPECT_INT(parse_buffer(BUFFER, buffer), LINK_BAD_FIELD);
}

TEST(buffer_stride_holds_a_row) {
	EXPECT_INT(BUFFER_WITH(stride, 399), LINK_BAD_FIELD);
	EXPECT_INT(BUFFER_WITH(stride, 400), LINK_OK);
	EXPECT_INT(BUFFER_WITH(stride, 404), LINK_OK);
	EXPECT_INT(BUFFER_WITH(stride, UINT32_MAX), LINK_BAD_FIELD);
}

TEST(buffer_ends_where_an_arena_may_end) {
	EXPECT_INT(BUFFER_WITH(offset, LINK_ARENA_MAX_BYTES - 3 - 400 * 50), LINK_OK);
	EXPECT_INT(BUFFER_WITH(offset, LINK_ARENA_MAX_BYTES + 1 - 400 * 50), LINK_BAD_FIELD);
	EXPECT_INT(BUFFER_WITH(offset, UINT64_MAX - 3), LINK_BAD_FIELD);
	EXPECT_INT(BUFFER_WITH(stride, LINK_ARENA_MAX_BYTES / 50 - 4096), LINK_OK);
	EXPECT_INT(BUFFER_WITH(stride, LINK_ARENA_MAX_BYTES / 50), LINK_BAD_FIELD);
}

TEST(buffer_format_is_one_of_whole_bytes) {
	EXPECT_INT(BUFFER_WITH(format, 0), LINK_OK);
	EXPECT_INT(BUFFER_WITH(format, 2), LINK_BAD_FIELD);
	EXPECT_INT(BUFFER_WITH(format, 0x3231564e), LINK_BAD_FIELD); // NV12
}

TEST(inline_buffer_is_tight) {
	EXPECT_INT(parse_buffer(BUFFER, inline_buffer), LINK_OK);
	struct link_buffer buffer = inline_buffer;
	buffer.offset = 4;
	EXPECT_INT(parse_buffer(BUFFER, buffer), LINK_BAD_FIELD);
	buffer = inline_buffer;
	buffer.stride = 404;
	EXPECT_INT(parse_buffer(BUFFER, buffer), LINK_BAD_FIELD);
	buffer.format = 0x36314752; // RGB565: two bytes per pixel
	buffer.width = 101;
	buffer.stride = 204;
	EXPECT_INT(parse_buffer(BUFFER, buffer), LINK_OK);
	buffer.stride = 202;
	EXPECT_INT(parse_buffer(BUFFER, buffer), LINK_BAD_FIELD);
}

static enum link_error parse_pixels(struct link_pixels pixels, size_t bytes) {
	begin(LINK_PIXELS, 1, BUFFER);
	add(&pixels, sizeof(pixels));
	add_padded(7, bytes);
	return parse(APPVM);
}

TEST(pixels_lie_inside_the_largest_buffer) {
	uint32_t most = LIMIT_BUFFER_SIDE_PX;
	EXPECT_INT(parse_pixels((struct link_pixels){ 0, 0, 1, 1 }, 4), LINK_OK);
	EXPECT_INT(parse_pixels((struct link_pixels){ 0, 0, 0, 1 }, 4), LINK_BAD_FIELD);
	EXPECT_INT(parse_pixels((struct link_pixels){ 0, 0, 1, 0 }, 4), LINK_BAD_FIELD);
	EXPECT_INT(parse_pixels((struct link_pixels){ most - 1, 0, 1, 1 }, 4), LINK_OK);
	EXPECT_INT(parse_pixels((struct link_pixels){ most, 0, 1, 1 }, 4), LINK_BAD_FIELD);
	EXPECT_INT(parse_pixels((struct link_pixels){ 0, most - 1, 1, 2 }, 8), LINK_BAD_FIELD);
	EXPECT_INT(parse_pixels((struct link_pixels){ UINT32_MAX, 0, 2, 1 }, 8), LINK_BAD_FIELD);
	EXPECT_INT(parse_pixels((struct link_pixels){ 0, 0, most, 1 }, most), LINK_OK);
	EXPECT_INT(parse_pixels((struct link_pixels){ 0, 0, most + 1, 1 }, most), LINK_BAD_FIELD);
}

TEST(pixels_have_at_least_a_byte_each) {
	EXPECT_INT(parse_pixels((struct link_pixels){ 0, 0, 4, 2 }, 4), LINK_BAD_SIZE);
	EXPECT_INT(parse_pixels((struct link_pixels){ 0, 0, 4, 2 }, 8), LINK_OK);
	EXPECT_INT(parse_pixels((struct link_pixels){ 0, 0, 16384, 16384 }, 64), LINK_BAD_SIZE);
}

static enum link_error parse_launch(const char *name, uint32_t size) {
	begin(LINK_LAUNCH, 0, 0);
	add_word(size);
	memcpy(sample.body + sample.body_size, name, size);
	sample.body_size += align_up(size, 4);
	return parse(GUIVM);
}

TEST(launch_name_is_checked) {
	char name[LIMIT_APP_NAME_BYTES + 1];
	memset(name, 'x', sizeof(name));
	EXPECT_INT(parse_launch("foot", 4), LINK_OK);
	const uint8_t *bytes;
	EXPECT_INT(link_frame_bytes(&frame, &bytes).count, 4);
	EXPECT(memcmp(bytes, "foot", 4) == 0);
	EXPECT_INT(parse_launch("", 0), LINK_BAD_FIELD);
	EXPECT_INT(parse_launch("a\0b", 3), LINK_BAD_FIELD);
	EXPECT_INT(parse_launch(name, LIMIT_APP_NAME_BYTES), LINK_OK);
	EXPECT_INT(parse_launch(name, LIMIT_APP_NAME_BYTES + 1), LINK_BAD_FIELD);
}

TEST(launch_result_is_a_known_one) {
	begin_valid(LINK_LAUNCH_RESULT, APPVM);
	EXPECT_INT(parse(APPVM), LINK_OK);
	EXPECT_INT(link_frame_launch_result(&frame).status, LINK_LAUNCH_FAILED);
	EXPECT_INT(link_frame_launch_result(&frame).detail, 2);
	sample.body[0] = LINK_LAUNCH_COUNT;
	EXPECT_INT(parse(APPVM), LINK_BAD_FIELD);
}

TEST(a_pong_has_64_bits_of_time) {
	begin_valid(LINK_PONG, GUIVM);
	EXPECT_INT(parse(GUIVM), LINK_OK);
	EXPECT(link_frame_pong(&frame).time_ns == 0x1ffffffffull);
}

TEST(every_error_and_reason_has_a_text) {
	for (int error = LINK_OK; error <= LINK_BAD_PHASE; error++) {
		EXPECT(strlen(link_error_text(error)) > 0);
	}
	for (int reason = 0; reason < LINK_BYE_COUNT; reason++) {
		EXPECT(strcmp(link_bye_text(reason), link_bye_text(LINK_BYE_COUNT)) != 0);
	}
}

TEST(bytes_per_pixel_are_right) {
	EXPECT_INT(shm_format_bytes_per_pixel(0), 4);
	EXPECT_INT(shm_format_bytes_per_pixel(1), 4);
	EXPECT_INT(shm_format_bytes_per_pixel(0x36314752), 2); // RGB565
	EXPECT_INT(shm_format_bytes_per_pixel(0x34324742), 3); // BGR888
	EXPECT_INT(shm_format_bytes_per_pixel(0x48344241), 8); // ABGR16161616F
	EXPECT_INT(shm_format_bytes_per_pixel(0x20203852), 1); // R8
}

TEST(formats_of_several_planes_or_shared_bytes_are_refused) {
	static const uint32_t formats[] = {
		2, 0x34325258 /* DRM's XRGB8888 */, 0x56595559 /* YUYV */, 0x3231564e /* NV12 */,
		0x32315559 /* YUV420 */, 0x20203143 /* C1 */, 0x38415258 /* XRGB8888_A8 */,
		UINT32_MAX,
	};
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		EXPECT_INT(shm_format_bytes_per_pixel(formats[i]), 0);
	}
}
