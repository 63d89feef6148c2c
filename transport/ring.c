/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/ring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void ring_init_words(struct ring *ring, const struct ring_words *words, void *data,
		uint32_t size) {
	assert(size > 0 && size <= RING_SIZE_MAX && (size & (size - 1)) == 0);
	*ring = (struct ring){.shared = *words, .data = data, .size = size};
}

void ring_init(struct ring *ring, struct ring_shared *shared, void *data, uint32_t size) {
	// The first byte of a little-endian word.
	struct ring_words words = {
		.producer = &shared->producer,
		.consumer = &shared->consumer,
		.reader_wants = {(uint8_t *)&shared->reader_wants, 1},
		.writer_wants = {(uint8_t *)&shared->writer_wants, 1},
	};
	ring_init_words(ring, &words, data, size);
}

/* Bytes that lie in the ring according to the writer, -1 when that is impossible. */
static ssize_t load_used_by_reader(struct ring *ring) {
	uint32_t untrusted_producer = ring->last;
	if (!ring->closed) {
		untrusted_producer = __atomic_load_n(ring->shared.producer, __ATOMIC_ACQUIRE);
	}
	uint32_t used = untrusted_producer - ring->index;
	if (used > ring->size) {
		errno = EPROTO;
		return -1;
	}
	return used;
}

static ssize_t load_room_by_writer(struct ring *ring) {
	uint32_t untrusted_consumer = __atomic_load_n(ring->shared.consumer, __ATOMIC_ACQUIRE);
	uint32_t used = ring->index - untrusted_consumer;
	if (used > ring->size) {
		errno = EPROTO;
		return -1;
	}
	return ring->size - used;
}

static void arm(const struct ring_wish *wish) {
	__atomic_fetch_or(wish->byte, wish->bit, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Awake after all: spares the peer a doorbell. */
static void disarm(const struct ring_wish *wish) {
	__atomic_fetch_and(wish->byte, (uint8_t)~wish->bit, __ATOMIC_RELAXED);
}

static bool test_and_clear(const struct ring_wish *wish) {
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return (__atomic_load_n(wish->byte, __ATOMIC_RELAXED) & wish->bit) != 0 &&
		(__atomic_fetch_and(wish->byte, (uint8_t)~wish->bit, __ATOMIC_ACQ_REL) &
			wish->bit) != 0;
}

/* Where index lies in the ring and how many of count bytes come before its end. */
static size_t first_piece(const struct ring *ring, size_t count, size_t *offset) {
	*offset = ring->index & (ring->size - 1);
	size_t until_end = ring->size - *offset;
	return count < until_end ? count : until_end;
}

ssize_t ring_readable(struct ring *ring) {
	arm(&ring->shared.reader_wants);
	return load_used_by_reader(ring);
}

ssize_t ring_writable(struct ring *ring) {
	arm(&ring->shared.writer_wants);
	return load_room_by_writer(ring);
}

static size_t amount(size_t available, size_t size, bool all) {
	if (all) {
		return available >= size ? size : 0;
	}
	return available < size ? available : size;
}

ssize_t ring_read(struct ring *ring, void *bytes, size_t size, bool all, bool *doorbell) {
	if (size == 0) {
		return 0;
	}
	ssize_t used = load_used_by_reader(ring);
	size_t count = used < 0 ? 0 : amount((size_t)used, size, all);
	if (used >= 0 && count == 0) {
		used = ring_readable(ring);
		count = used < 0 ? 0 : amount((size_t)used, size, all);
		if (count > 0) {
			disarm(&ring->shared.reader_wants);
		}
	}
	if (used < 0 || count == 0) {
		return used < 0 ? -1 : 0;
	}
	size_t offset;
	size_t first = first_piece(ring, count, &offset);
	memcpy(bytes, ring->data + offset, first);
	memcpy((uint8_t *)bytes + first, ring->data, count - first);
	ring->index += (uint32_t)count;
	__atomic_store_n(ring->shared.consumer, ring->index, __ATOMIC_RELEASE);
	if (test_and_clear(&ring->shared.writer_wants)) {
		*doorbell = true;
	}
	return (ssize_t)count;
}

static ssize_t room_for(struct ring *ring, size_t size) {
	ssize_t room = load_room_by_writer(ring);
	if (room < 0 || (size_t)room >= size) {
		return room;
	}
	room = ring_writable(ring);
	if (room >= 0 && (size_t)room >= size) {
		disarm(&ring->shared.writer_wants);
	}
	return room;
}

ssize_t ring_write(struct ring *ring, const void *bytes, size_t size, bool all, bool *doorbell) {
	ssize_t room = room_for(ring, size);
	if (room < 0) {
		return -1;
	}
	size_t count = amount((size_t)room, size, all);
	if (count == 0) {
		return 0;
	}
	size_t offset;
	size_t first = first_piece(ring, count, &offset);
	memcpy(ring->data + offset, bytes, first);
	memcpy(ring->data, (const uint8_t *)bytes + first, count - first);
	ring->index += (uint32_t)count;
	__atomic_store_n(ring->shared.producer, ring->index, __ATOMIC_RELEASE);
	if (test_and_clear(&ring->shared.reader_wants)) {
		*doorbell = true;
	}
	return (ssize_t)count;
}

void ring_close(struct ring *ring) {
	ring->last = __atomic_load_n(ring->shared.producer, __ATOMIC_ACQUIRE);
	ring->closed = true;
}
