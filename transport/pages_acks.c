/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/pages_acks.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "common/fd.h"
#include "common/limits.h"

_Static_assert(PAGES_ACKS_TOKENS >= 2 * LIMIT_PAGES_REGIONS,
		"every region may be named out of order");

void pages_acks_init(struct pages_acks *acks) {
	*acks = (struct pages_acks){0};
	fifo_init(&acks->queue, LIMIT_PAGES_REGIONS * sizeof(uint32_t));
}

void pages_acks_finish(struct pages_acks *acks) {
	for (size_t i = 0; i < acks->n_mapped; i++) {
		fd_close(&acks->mapped[i]);
	}
	free(acks->mapped);
	fifo_finish(&acks->queue);
}

bool pages_acks_reserve(struct pages_acks *acks) {
	if (acks->n_mapped >= LIMIT_PAGES_REGIONS) {
		errno = ENOSPC;
		return false;
	}
	if (acks->n_mapped < acks->mapped_capacity) {
		return true;
	}
	size_t capacity = acks->mapped_capacity > 0 ? 2 * acks->mapped_capacity : 16;
	int *mapped = reallocarray(acks->mapped, capacity, sizeof(*mapped));
	if (mapped == NULL) {
		return false;
	}
	acks->mapped = mapped;
	acks->mapped_capacity = capacity;
	return true;
}

void pages_acks_hold(struct pages_acks *acks, int fd) {
	assert(acks->n_mapped < acks->mapped_capacity);
	acks->mapped[acks->n_mapped++] = fd;
}

void pages_acks_drop(struct pages_acks *acks, int *fd) {
	size_t i = 0;
	while (i < acks->n_mapped && acks->mapped[i] != *fd) {
		i++;
	}
	assert(i < acks->n_mapped);
	acks->mapped[i] = acks->mapped[--acks->n_mapped];
	fd_close(fd);
}

bool pages_acks_use(struct pages_acks *acks, uint32_t untrusted_token) {
	uint32_t ahead = untrusted_token - acks->last_token;
	uint32_t slot = untrusted_token % PAGES_ACKS_TOKENS;
	uint8_t bit = (uint8_t)(1u << (slot % 8));
	if (untrusted_token == 0) {
		return false;
	}
	if (ahead - 1 < PAGES_ACKS_TOKENS) {
		while (acks->last_token != untrusted_token) {
			slot = ++acks->last_token % PAGES_ACKS_TOKENS;
			acks->used[slot / 8] &= (uint8_t)~(1u << (slot % 8));
		}
	} else if (-ahead >= PAGES_ACKS_TOKENS || (acks->used[slot / 8] & bit) != 0) {
		return false;
	}
	acks->used[slot / 8] |= bit;
	return true;
}

bool pages_acks_flush(struct pages_acks *acks, bool *doorbell) {
	while (fifo_size(&acks->queue) > 0) {
		ssize_t count = ring_write(&acks->ring, fifo_peek(&acks->queue), sizeof(uint32_t),
				true, doorbell);
		if (count <= 0) {
			return count == 0;
		}
		fifo_consume(&acks->queue, sizeof(uint32_t));
	}
	return true;
}

bool pages_acks_push(struct pages_acks *acks, uint32_t token, bool *doorbell) {
	return fifo_push(&acks->queue, &token, sizeof(token)) && pages_acks_flush(acks, doorbell);
}
