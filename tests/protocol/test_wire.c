/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "protocol/wire.h"
#include "tests/harness/test.h"

#define WORDS 2048

/* A message under test, in exactly as much memory as it has, so that sanitizers see an overrun. */
struct sample {
	uint8_t *bytes;
	size_t size;
};

static struct sample sample_create(const uint32_t *words, size_t n) {
	struct sample sample = { malloc(n * 4), n * 4 };
	memcpy(sample.bytes, words, sample.size);
	return sample;
}

static enum wire_error parse_words(const struct wire_message *message, uint32_t version,
		const uint32_t *words, size_t n, struct wire_value *values) {
	struct sample sample = sample_create(words, n);
	struct wire_header header;
	enum wire_error error = wire_parse_header(sample.bytes, sample.size, &header);
	if (error == WIRE_OK) {
		error = wire_parse(sample.bytes, &header, message, version, values);
	}
	free(sample.bytes);
	return error;
}

#define HEADER(n_words, opcode) ((uint32_t)(n_words) * 4 << 16 | (opcode))
#define PARSE(message, version, ...) \
	parse_words(message, version, (const uint32_t[]){ __VA_ARGS__ }, \
			sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4, values)

static struct wire_value values[WIRE_MAX_ARGS];

static const struct wire_message *request_of(const char *interface, const char *name) {
	const struct wire_interface *found = wire_interface_find(interface, strlen(interface));
	for (uint16_t i = 0; i < found->n_requests; i++) {
		if (strcmp(found->requests[i].name, name) == 0) {
			return &found->requests[i];
		}
	}
	test_fail(__FILE__, __LINE__, "no request %s.%s", interface, name);
}

static const struct wire_message *event_of(const char *interface, const char *name) {
	const struct wire_interface *found = wire_interface_find(interface, strlen(interface));
	for (uint16_t i = 0; i < found->n_events; i++) {
		if (strcmp(found->events[i].name, name) == 0) {
			return &found->events[i];
		}
	}
	test_fail(__FILE__, __LINE__, "no event %s.%s", interface, name);
}

TEST(header_is_read) {
	uint32_t words[] = { 0xfe000001, HEADER(3, 7), 0 };
	struct wire_header header;
	EXPECT_INT(wire_parse_header((uint8_t *)words, sizeof(words), &header), WIRE_OK);
	EXPECT_INT(header.object, 0xfe000001);
	EXPECT_INT(header.opcode, 7);
	EXPECT_INT(header.size, 12);
}

TEST(header_needs_all_its_bytes) {
	uint32_t words[] = { 1, HEADER(2, 0) };
	struct wire_header header;
	for (size_t size = 0; size < WIRE_HEADER_BYTES; size++) {
		EXPECT_INT(wire_parse_header((uint8_t *)words, size, &header), WIRE_INCOMPLETE);
	}
	EXPECT_INT(wire_parse_header((uint8_t *)words, 8, &header), WIRE_OK);
}

TEST(message_needs_all_its_bytes) {
	uint32_t words[] = { 1, HEADER(3, 0), 5 };
	struct wire_header header;
	EXPECT_INT(wire_parse_header((uint8_t *)words, 11, &header), WIRE_INCOMPLETE);
	EXPECT_INT(wire_parse_header((uint8_t *)words, 12, &header), WIRE_OK);
	EXPECT_INT(wire_parse_header((uint8_t *)words, 100, &header), WIRE_OK);
}

static enum wire_error parse_size(uint32_t size) {
	uint32_t words[WORDS] = { 1, size << 16 };
	struct wire_header header;
	return wire_parse_header((uint8_t *)words, sizeof(words), &header);
}

TEST(size_below_a_header_is_refused) {
	EXPECT_INT(parse_size(0), WIRE_BAD_SIZE);
	EXPECT_INT(parse_size(4), WIRE_BAD_SIZE);
	EXPECT_INT(parse_size(8), WIRE_OK);
}

TEST(size_of_no_whole_words_is_refused) {
	EXPECT_INT(parse_size(9), WIRE_BAD_SIZE);
	EXPECT_INT(parse_size(10), WIRE_BAD_SIZE);
	EXPECT_INT(parse_size(11), WIRE_BAD_SIZE);
}

TEST(size_limit_holds) {
	EXPECT_INT(parse_size(LIMIT_WAYLAND_MESSAGE_BYTES), WIRE_OK);
	EXPECT_INT(parse_size(LIMIT_WAYLAND_MESSAGE_BYTES + 4), WIRE_BAD_SIZE);
	EXPECT_INT(parse_size(0xfffc), WIRE_BAD_SIZE);
}

TEST(bad_size_is_final_before_the_message_is_there) {
	uint32_t words[] = { 1, 0xfffc0000 };
	struct wire_header header;
	EXPECT_INT(wire_parse_header((uint8_t *)words, 8, &header), WIRE_BAD_SIZE);
}

TEST(words_are_read_with_their_offsets) {
	const struct wire_message *attach = request_of("wl_surface", "attach");
	EXPECT_INT(PARSE(attach, 1, 3, HEADER(5, 1), 9, (uint32_t)-5, 6), WIRE_OK);
	EXPECT_INT(values[0].id, 9);
	EXPECT_INT(values[1].i, -5);
	EXPECT_INT(values[2].i, 6);
	EXPECT_INT(values[0].offset, 8);
	EXPECT_INT(values[2].offset, 16);
}

TEST(short_message_is_refused) {
	const struct wire_message *attach = request_of("wl_surface", "attach");
	EXPECT_INT(PARSE(attach, 1, 3, HEADER(2, 1)), WIRE_BAD_ARGUMENT);
	EXPECT_INT(PARSE(attach, 1, 3, HEADER(4, 1), 9, 5), WIRE_BAD_ARGUMENT);
}

TEST(long_message_is_refused) {
	const struct wire_message *attach = request_of("wl_surface", "attach");
	EXPECT_INT(PARSE(attach, 1, 3, HEADER(6, 1), 9, 5, 6, 0), WIRE_BAD_ARGUMENT);
	EXPECT_INT(PARSE(request_of("wl_surface", "commit"), 1, 3, HEADER(3, 6), 0),
			WIRE_BAD_ARGUMENT);
}

TEST(null_object_passes_only_where_it_may) {
	const struct wire_message *attach = request_of("wl_surface", "attach");
	EXPECT_INT(PARSE(attach, 1, 3, HEADER(5, 1), 0, 0, 0), WIRE_OK);
	const struct wire_message *get_subsurface =
			request_of("wl_subcompositor", "get_subsurface");
	EXPECT_INT(PARSE(get_subsurface, 1, 3, HEADER(5, 1), 7, 8, 0), WIRE_BAD_ARGUMENT);
	EXPECT_INT(PARSE(get_subsurface, 1, 3, HEADER(5, 1), 7, 8, 9), WIRE_OK);
}

TEST(null_new_id_is_refused) {
	const struct wire_message *get_subsurface =
			request_of("wl_subcompositor", "get_subsurface");
	EXPECT_INT(PARSE(get_subsurface, 1, 3, HEADER(5, 1), 0, 8, 9), WIRE_BAD_ARGUMENT);
}

TEST(message_of_a_later_version_is_refused) {
	const struct wire_message *offset = request_of("wl_surface", "offset");
	EXPECT_INT(offset->since, 5);
	EXPECT_INT(PARSE(offset, 4, 3, HEADER(4, 10), 1, 2), WIRE_BAD_OPCODE);
	EXPECT_INT(PARSE(offset, 5, 3, HEADER(4, 10), 1, 2), WIRE_OK);
}

#define ABC 0x00636261u // "abc" and its NUL
#define ABCD 0x64636261u

TEST(string_is_read) {
	const struct wire_message *set_title = request_of("xdg_toplevel", "set_title");
	uint32_t words[] = { 3, HEADER(4, 2), 4, ABC };
	struct sample sample = sample_create(words, 4);
	struct wire_header header;
	EXPECT_INT(wire_parse_header(sample.bytes, sample.size, &header), WIRE_OK);
	EXPECT_INT(wire_parse(sample.bytes, &header, set_title, 1, values), WIRE_OK);
	EXPECT_STR(values[0].string.text, "abc");
	EXPECT_INT(values[0].string.size, 3);
	free(sample.bytes);
}

TEST(empty_string_is_not_null) {
	const struct wire_message *set_title = request_of("xdg_toplevel", "set_title");
	EXPECT_INT(PARSE(set_title, 1, 3, HEADER(4, 2), 1, 0), WIRE_OK);
	EXPECT_INT(values[0].string.size, 0);
	EXPECT(values[0].string.text != NULL);
}

TEST(null_string_passes_only_where_it_may) {
	EXPECT_INT(PARSE(request_of("xdg_toplevel", "set_title"), 1, 3, HEADER(3, 2), 0),
			WIRE_BAD_ARGUMENT);
	EXPECT_INT(PARSE(request_of("wl_data_offer", "accept"), 1, 3, HEADER(4, 0), 1, 0), WIRE_OK);
	EXPECT(values[1].string.text == NULL);
	EXPECT_INT(values[1].string.size, 0);
}

TEST(string_without_nul_is_refused) {
	const struct wire_message *set_title = request_of("xdg_toplevel", "set_title");
	EXPECT_INT(PARSE(set_title, 1, 3, HEADER(4, 2), 4, ABCD), WIRE_BAD_ARGUMENT);
	EXPECT_INT(PARSE(set_title, 1, 3, HEADER(4, 2), 3, ABC), WIRE_BAD_ARGUMENT);
}

TEST(string_with_a_nul_inside_is_refused) {
	const struct wire_message *set_title = request_of("xdg_toplevel", "set_title");
	EXPECT_INT(PARSE(set_title, 1, 3, HEADER(4, 2), 4, 0x00630061), WIRE_BAD_ARGUMENT);
	EXPECT_INT(PARSE(set_title, 1, 3, HEADER(4, 2), 2, 0), WIRE_BAD_ARGUMENT);
}

TEST(string_length_beyond_the_message_is_refused) {
	const struct wire_message *set_title = request_of("xdg_toplevel", "set_title");
	EXPECT_INT(PARSE(set_title, 1, 3, HEADER(4, 2), 5, ABC), WIRE_BAD_ARGUMENT);
	EXPECT_INT(PARSE(set_title, 1, 3, HEADER(4, 2), UINT32_MAX, ABC), WIRE_BAD_ARGUMENT);
	EXPECT_INT(PARSE(set_title, 1, 3, HEADER(4, 2), UINT32_MAX - 3, ABC), WIRE_BAD_ARGUMENT);
	EXPECT_INT(PARSE(set_title, 1, 3, HEADER(4, 2), 0x80000000, ABC), WIRE_BAD_ARGUMENT);
}

TEST(string_padding_may_hold_anything) {
	const struct wire_message *set_title = request_of("xdg_toplevel", "set_title");
	EXPECT_INT(PARSE(set_title, 1, 3, HEADER(4, 2), 3, 0xee006261), WIRE_OK);
}

TEST(array_is_read) {
	const struct wire_message *enter = event_of("wl_keyboard", "enter");
	EXPECT_INT(PARSE(enter, 1, 3, HEADER(7, 1), 1, 9, 6, ABCD, ABC), WIRE_OK);
	EXPECT_INT(values[2].array.size, 6);
	EXPECT_INT(PARSE(enter, 1, 3, HEADER(5, 1), 1, 9, 0), WIRE_OK);
	EXPECT_INT(values[2].array.size, 0);
}

TEST(array_beyond_the_message_is_refused) {
	const struct wire_message *enter = event_of("wl_keyboard", "enter");
	EXPECT_INT(PARSE(enter, 1, 3, HEADER(6, 1), 1, 9, 5, ABCD), WIRE_BAD_ARGUMENT);
	EXPECT_INT(PARSE(enter, 1, 3, HEADER(6, 1), 1, 9, UINT32_MAX, ABCD), WIRE_BAD_ARGUMENT);
	EXPECT_INT(PARSE(enter, 1, 3, HEADER(7, 1), 1, 9, 4, ABCD, 0), WIRE_BAD_ARGUMENT);
}

TEST(descriptor_takes_no_bytes) {
	const struct wire_message *create_pool = request_of("wl_shm", "create_pool");
	EXPECT_INT(PARSE(create_pool, 1, 3, HEADER(4, 0), 7, 4096), WIRE_OK);
	EXPECT_INT(values[0].id, 7);
	EXPECT_INT(values[2].i, 4096);
	EXPECT_INT(values[2].offset, 12);
}

TEST(id_is_rewritten_in_place) {
	uint32_t words[] = { 3, HEADER(5, 1), 9, 5, 6 };
	wire_rewrite_id((uint8_t *)words, 8, 0xfe000002);
	EXPECT_INT(words[2], 0xfe000002);
	EXPECT_INT(words[3], 5);
}

TEST(built_message_parses_to_the_same) {
	uint8_t out[LIMIT_WAYLAND_MESSAGE_BYTES];
	const struct wire_message *bind = request_of("wl_registry", "bind");
	size_t size = wire_build(out, 2, 0, bind, (uint32_t)17, "wl_compositor", (uint32_t)6,
			(uint32_t)3);
	struct wire_header header;
	EXPECT_INT(wire_parse_header(out, size, &header), WIRE_OK);
	EXPECT_INT(header.size, size);
	EXPECT_INT(header.object, 2);
	EXPECT_INT(wire_parse(out, &header, bind, 1, values), WIRE_OK);
	EXPECT_INT(values[0].u, 17);
	EXPECT_STR(values[1].string.text, "wl_compositor");
	EXPECT_INT(values[2].u, 6);
	EXPECT_INT(values[3].id, 3);
}

static size_t build_title(uint8_t *out, size_t length) {
	char *title = malloc(length + 1);
	memset(title, 'x', length);
	title[length] = '\0';
	size_t size = wire_build(out, 3, 2, request_of("xdg_toplevel", "set_title"), title);
	free(title);
	return size;
}

TEST(largest_message_is_built_and_none_larger) {
	uint8_t out[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t most = LIMIT_WAYLAND_MESSAGE_BYTES - WIRE_HEADER_BYTES - 4 - 1;
	EXPECT_INT(build_title(out, most), LIMIT_WAYLAND_MESSAGE_BYTES);
	EXPECT_INT(build_title(out, most + 1), 0);
	EXPECT_INT(build_title(out, 100000), 0);
}

TEST(array_that_does_not_fit_is_not_built) {
	uint8_t out[LIMIT_WAYLAND_MESSAGE_BYTES];
	const struct wire_message *enter = event_of("wl_keyboard", "enter");
	uint32_t id = 4;
	size_t room = LIMIT_WAYLAND_MESSAGE_BYTES - WIRE_HEADER_BYTES - 12;
	uint8_t *array = calloc(1, room);
	EXPECT_INT(wire_build(out, 3, 1, enter, id, id, array, room), LIMIT_WAYLAND_MESSAGE_BYTES);
	EXPECT_INT(wire_build(out, 3, 1, enter, id, id, array, room + 1), 0);
	EXPECT_INT(wire_build(out, 3, 1, enter, id, id, array, SIZE_MAX), 0);
	EXPECT_INT(wire_build(out, 3, 1, enter, id, id, NULL, (size_t)0), 20);
	free(array);
}

TEST(built_padding_is_zero) {
	uint8_t out[LIMIT_WAYLAND_MESSAGE_BYTES];
	memset(out, 0xee, sizeof(out));
	EXPECT_INT(wire_build(out, 3, 2, request_of("xdg_toplevel", "set_title"), "a"), 16);
	EXPECT_INT(out[12], 'a');
	EXPECT(out[13] == 0 && out[14] == 0 && out[15] == 0);
	EXPECT_INT(out[16], 0xee);
}

TEST(error_and_delete_id_are_built) {
	uint8_t out[LIMIT_WAYLAND_MESSAGE_BYTES];
	struct wire_header header;
	size_t size = wire_build_error(out, 5, 2, "bad");
	EXPECT_INT(wire_parse_header(out, size, &header), WIRE_OK);
	EXPECT_INT(header.object, 1);
	const struct wire_message *error =
			wire_interface_event(wire_display_interface, header.opcode);
	EXPECT_INT(error->special, WIRE_SPECIAL_DISPLAY_ERROR);
	EXPECT_INT(wire_parse(out, &header, error, 1, values), WIRE_OK);
	EXPECT_INT(values[0].id, 5);
	EXPECT_INT(values[1].u, 2);
	EXPECT_STR(values[2].string.text, "bad");

	size = wire_build_delete_id(out, 77);
	EXPECT_INT(wire_parse_header(out, size, &header), WIRE_OK);
	const struct wire_message *delete_id =
			wire_interface_event(wire_display_interface, header.opcode);
	EXPECT_INT(delete_id->special, WIRE_SPECIAL_DELETE_ID);
	EXPECT_INT(wire_parse(out, &header, delete_id, 1, values), WIRE_OK);
	EXPECT_INT(values[0].u, 77);
}

TEST(every_error_has_a_text) {
	for (int error = WIRE_OK; error <= WIRE_BAD_ARGUMENT; error++) {
		EXPECT(strlen(wire_error_text(error)) > 0);
	}
	EXPECT_STR(wire_error_text(99), "unknown error");
}
