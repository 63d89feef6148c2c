/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_COMMON_FIFO_H
#define ISTHMUS_COMMON_FIFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A byte queue in one contiguous block with a hard cap. Grows by doubling up to max_bytes and keeps
 * its block, so that a steady state allocates nothing; compacts instead of wrapping so that readers
 * see contiguous bytes.
 */
struct fifo {
	uint8_t *data; // owned, NULL until first use
	size_t begin, end; // bytes [begin, end) are queued
	size_t capacity;
	size_t max_bytes;
};

void fifo_init(struct fifo *fifo, size_t max_bytes);
void fifo_finish(struct fifo *fifo);

static inline size_t fifo_size(const struct fifo *fifo) {
	return fifo->end - fifo->begin;
}
static inline size_t fifo_room(const struct fifo *fifo) {
	return fifo->max_bytes - fifo_size(fifo);
}
static inline uint8_t *fifo_peek(const struct fifo *fifo) {
	return fifo->data + fifo->begin;
}

/*
 * Space for size bytes at the end, valid until the next call; NULL when that would pass max_bytes
 * or memory is out. fifo_commit() makes the first size of them part of the queue.
 */
uint8_t *fifo_reserve(struct fifo *fifo, size_t size);
void fifo_commit(struct fifo *fifo, size_t size);

/* false when that would pass max_bytes or memory is out; then nothing was added. */
bool fifo_push(struct fifo *fifo, const void *bytes, size_t size);

/* Drops size bytes from the front; size <= fifo_size(). */
void fifo_consume(struct fifo *fifo, size_t size);

/* Whether fifo_trim() would give the block back, were the queue empty. */
bool fifo_is_large(const struct fifo *fifo);

/*
 * Gives the block back when the queue is empty and the block is large: an idle client holds no
 * memory.
 */
void fifo_trim(struct fifo *fifo);

#endif
