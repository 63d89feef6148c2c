/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "tests/harness/test.h"
#include "transport/ring.h"

#define RING_SIZE 16

/* A ring with its memory on the heap and nothing around it, so that the address sanitizer sees
 * every step outside. */
struct fixture {
	struct ring_shared *shared;
	uint8_t *data;
	struct ring reader, writer;
	bool doorbell;
};

static struct fixture fixture_create(void) {
	struct fixture fixture = {
		.shared = aligned_alloc(64, sizeof(struct ring_shared)),
		.data = calloc(1, RING_SIZE),
	};
	memset(fixture.shared, 0, sizeof(*fixture.shared));
	ring_init(&fixture.reader, fixture.shared, fixture.data, RING_SIZE);
	ring_init(&fixture.writer, fixture.shared, fixture.data, RING_SIZE);
	return fixture;
}

static void fixture_finish(struct fixture *fixture) {
	free(fixture->shared);
	free(fixture->data);
}

static ssize_t put(struct fixture *fixture, const void *bytes, size_t size) {
	fixture->doorbell = false;
	return ring_write(&fixture->writer, bytes, size, false, &fixture->doorbell);
}

static ssize_t get(struct fixture *fixture, void *bytes, size_t size) {
	fixture->doorbell = false;
	return ring_read(&fixture->reader, bytes, size, false, &fixture->doorbell);
}

TEST(bytes_come_out_in_order_across_the_end_of_the_ring) {
	struct fixture fixture = fixture_create();
	uint8_t next_in = 0, next_out = 0, bytes[RING_SIZE];
	for (unsigned i = 0; i < 1000; i++) {
		size_t size = test_random_below(RING_SIZE + 1);
		for (size_t at = 0; at < size; at++) {
			bytes[at] = (uint8_t)(next_in + at);
		}
		ssize_t count = put(&fixture, bytes, size);
		next_in = (uint8_t)(next_in + count);
		count = get(&fixture, bytes, test_random_below(RING_SIZE + 1));
		for (ssize_t at = 0; at < count; at++) {
			EXPECT_INT(bytes[at], next_out++);
		}
	}
	fixture_finish(&fixture);
}

TEST(indices_run_through_the_end_of_their_type) {
	struct fixture fixture = fixture_create();
	fixture.shared->producer = fixture.shared->consumer = UINT32_MAX - 3;
	fixture.reader.index = fixture.writer.index = UINT32_MAX - 3;
	char text[RING_SIZE] = "";
	EXPECT_INT(put(&fixture, "0123456789", 10), 10);
	EXPECT_INT(fixture.shared->producer, 6);
	EXPECT_INT(get(&fixture, text, sizeof(text)), 10);
	EXPECT_STR(text, "0123456789");
	fixture_finish(&fixture);
}

TEST(a_full_ring_takes_no_more) {
	struct fixture fixture = fixture_create();
	EXPECT_INT(put(&fixture, "0123456789abcdefgh", 18), RING_SIZE);
	EXPECT_INT(put(&fixture, "x", 1), 0);
	fixture_finish(&fixture);
}

TEST(all_or_nothing_leaves_the_ring_alone) {
	struct fixture fixture = fixture_create();
	char text[RING_SIZE];
	EXPECT_INT(put(&fixture, "0123456789", 10), 10);
	EXPECT_INT(ring_write(&fixture.writer, "0123456", 7, true, &fixture.doorbell), 0);
	EXPECT_INT(ring_write(&fixture.writer, "012345", 6, true, &fixture.doorbell), 6);
	EXPECT_INT(get(&fixture, text, 10), 10);
	EXPECT_INT(ring_read(&fixture.reader, text, 7, true, &fixture.doorbell), 0);
	EXPECT_INT(ring_read(&fixture.reader, text, 6, true, &fixture.doorbell), 6);
	fixture_finish(&fixture);
}

TEST(a_reader_that_is_awake_is_not_rung) {
	struct fixture fixture = fixture_create();
	char byte;
	put(&fixture, "a", 1);
	EXPECT(!fixture.doorbell);
	EXPECT_INT(get(&fixture, &byte, 1), 1);
	put(&fixture, "b", 1);
	EXPECT(!fixture.doorbell);
	fixture_finish(&fixture);
}

TEST(a_reader_that_found_nothing_is_rung_once) {
	struct fixture fixture = fixture_create();
	char byte;
	EXPECT_INT(get(&fixture, &byte, 1), 0);
	put(&fixture, "a", 1);
	EXPECT(fixture.doorbell);
	put(&fixture, "b", 1);
	EXPECT(!fixture.doorbell);
	fixture_finish(&fixture);
}

TEST(a_writer_that_found_no_room_is_rung_once) {
	struct fixture fixture = fixture_create();
	char bytes[RING_SIZE + 1] = "";
	char byte;
	get(&fixture, &byte, 1);
	EXPECT_INT(put(&fixture, bytes, sizeof(bytes)), RING_SIZE);
	EXPECT_INT(get(&fixture, &byte, 1), 1);
	EXPECT(fixture.doorbell);
	EXPECT_INT(get(&fixture, &byte, 1), 1);
	EXPECT(!fixture.doorbell);
	fixture_finish(&fixture);
}

TEST(counting_arms) {
	struct fixture fixture = fixture_create();
	EXPECT_INT(ring_readable(&fixture.reader), 0);
	EXPECT_INT(ring_writable(&fixture.writer), RING_SIZE);
	char byte;
	put(&fixture, "a", 1);
	EXPECT(fixture.doorbell);
	get(&fixture, &byte, 1);
	EXPECT(fixture.doorbell);
	fixture_finish(&fixture);
}

TEST(a_closed_ring_ends_where_it_was_closed) {
	struct fixture fixture = fixture_create();
	char text[RING_SIZE] = "";
	put(&fixture, "abc", 3);
	ring_close(&fixture.reader);
	put(&fixture, "def", 3);
	EXPECT_INT(get(&fixture, text, sizeof(text)), 3);
	EXPECT_INT(get(&fixture, text, sizeof(text)), 0);
	fixture_finish(&fixture);
}

/* Every distance from the own index, near the limits and random, from several positions. */
static uint32_t lie(unsigned i) {
	static const uint32_t distances[] = {RING_SIZE + 1, RING_SIZE + 2, 2 * RING_SIZE, 1u << 16,
		0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0xffffffff - RING_SIZE};
	size_t n = sizeof(distances) / sizeof(distances[0]);
	if (i < n) {
		return distances[i];
	}
	return RING_SIZE + 1 + (uint32_t)(test_random() % (UINT32_MAX - RING_SIZE));
}

TEST(a_producer_beyond_the_ring_is_an_error) {
	struct fixture fixture = fixture_create();
	char bytes[4 * RING_SIZE];
	for (unsigned i = 0; i < 1000; i++) {
		fixture.reader.index = (uint32_t)test_random();
		fixture.shared->producer = fixture.reader.index + lie(i);
		EXPECT_INT(get(&fixture, bytes, sizeof(bytes)), -1);
		EXPECT_INT(errno, EPROTO);
		EXPECT_INT(ring_readable(&fixture.reader), -1);
	}
	fixture_finish(&fixture);
}

TEST(a_consumer_beyond_the_ring_is_an_error) {
	struct fixture fixture = fixture_create();
	char bytes[4 * RING_SIZE] = "";
	for (unsigned i = 0; i < 1000; i++) {
		fixture.writer.index = (uint32_t)test_random();
		fixture.shared->consumer = fixture.writer.index - lie(i);
		EXPECT_INT(put(&fixture, bytes, sizeof(bytes)), -1);
		EXPECT_INT(errno, EPROTO);
		EXPECT_INT(ring_writable(&fixture.writer), -1);
	}
	fixture_finish(&fixture);
}

TEST(the_own_index_in_shared_memory_is_never_read_back) {
	struct fixture fixture = fixture_create();
	char text[RING_SIZE] = "";
	put(&fixture, "abc", 3);
	fixture.shared->consumer = 77; // as a peer would scribble over it
	EXPECT_INT(get(&fixture, text, 2), 2);
	EXPECT_INT(fixture.shared->consumer, 2);
	EXPECT_INT(get(&fixture, text, 2), 1);
	EXPECT_STR(text, "cb");
	fixture_finish(&fixture);
}

TEST(an_index_within_the_ring_reads_no_more_than_the_ring) {
	struct fixture fixture = fixture_create();
	char bytes[4 * RING_SIZE];
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t distance = test_random_below(RING_SIZE + 1);
		fixture.shared->producer = fixture.reader.index + distance;
		EXPECT_INT(get(&fixture, bytes, sizeof(bytes)), distance);
	}
	fixture_finish(&fixture);
}
