/* SPDX-License-Identifier: Apache-2.0 */
#include "common/fifo.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIFO_FIRST_BYTES 4096
#define FIFO_KEEP_BYTES 16384

void fifo_init(struct fifo *fifo, size_t max_bytes) {
	*fifo = (struct fifo){.max_bytes = max_bytes};
}

void fifo_finish(struct fifo *fifo) {
	free(fifo->data);
	*fifo = (struct fifo){.max_bytes = fifo->max_bytes};
}

static bool grow(struct fifo *fifo, size_t needed) {
	size_t capacity = fifo->capacity > 0 ? fifo->capacity : FIFO_FIRST_BYTES;
	while (capacity < needed) {
		capacity *= 2;
	}
	if (capacity > fifo->max_bytes) {
		capacity = fifo->max_bytes;
	}
	uint8_t *data = malloc(capacity);
	if (data == NULL) {
		return false;
	}
	size_t size = fifo_size(fifo);
	if (size > 0) {
		memcpy(data, fifo_peek(fifo), size);
	}
	free(fifo->data);
	*fifo = (struct fifo){.data = data,
			.end = size,
			.capacity = capacity,
			.max_bytes = fifo->max_bytes};
	return true;
}

uint8_t *fifo_reserve(struct fifo *fifo, size_t size) {
	if (size > fifo_room(fifo)) {
		return NULL;
	}
	if (fifo->data != NULL && size <= fifo->capacity - fifo->end) {
		return fifo->data + fifo->end;
	}
	size_t queued = fifo_size(fifo);
	if (queued + size > fifo->capacity) {
		return grow(fifo, queued + size) ? fifo->data + fifo->end : NULL;
	}
	memmove(fifo->data, fifo_peek(fifo), queued);
	fifo->begin = 0;
	fifo->end = queued;
	return fifo->data + fifo->end;
}

void fifo_commit(struct fifo *fifo, size_t size) {
	assert(size <= fifo->capacity - fifo->end);
	fifo->end += size;
}

bool fifo_push(struct fifo *fifo, const void *bytes, size_t size) {
	uint8_t *space = fifo_reserve(fifo, size);
	if (space == NULL) {
		return false;
	}
	if (size > 0) {
		memcpy(space, bytes, size);
	}
	fifo_commit(fifo, size);
	return true;
}

void fifo_consume(struct fifo *fifo, size_t size) {
	assert(size <= fifo_size(fifo));
	fifo->begin += size;
	if (fifo->begin == fifo->end) {
		fifo->begin = 0;
		fifo->end = 0;
	}
}

bool fifo_is_large(const struct fifo *fifo) {
	return fifo->capacity > FIFO_KEEP_BYTES;
}

void fifo_trim(struct fifo *fifo) {
	if (fifo_size(fifo) == 0 && fifo_is_large(fifo)) {
		fifo_finish(fifo);
	}
}
