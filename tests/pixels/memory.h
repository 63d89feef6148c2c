/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_PIXELS_MEMORY_H
#define ISTHMUS_TESTS_PIXELS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wayland-client.h>

/* Where an application gets its wl_buffers from: one pool each, a growing one, a sparse one. */

enum memory_kind {
	MEMORY_OWN_POOL, // destroyed with the buffer
	MEMORY_ONE_SHOT_POOL, // destroyed as soon as the buffer is there
	MEMORY_SHARED_POOL, // grown for every buffer
	MEMORY_SPARSE_POOL, // 512 MiB, the buffers far inside
	MEMORY_KINDS,
};

struct memory_pool {
	struct wl_shm_pool *pool; // NULL: not made yet, or dropped
	int fd; // -1 when pool is NULL
	int64_t used, size;
};

struct memory {
	struct wl_shm *shm;
	struct memory_pool shared, sparse;
	struct wl_list buffers; // struct buffer.link
};

struct buffer {
	struct wl_list link; // struct memory.buffers
	struct wl_buffer *proxy;
	struct wl_shm_pool *pool; // its own; NULL otherwise
	uint8_t *map;
	size_t map_size;
	uint8_t *pixels;
	int32_t width, height, stride;
	uint32_t format;
	const void *owner;
	bool busy;
	bool tainted; // committed more than once: nobody knows which release is the last
};

void memory_init(struct memory *memory, struct wl_shm *shm);
/* Also all buffers. */
void memory_finish(struct memory *memory);

/* noise: chooses offset and spare bytes in a row. The owner's. */
struct buffer *buffer_create(struct memory *memory, enum memory_kind kind, uint32_t noise,
		int32_t width, int32_t height, uint32_t format);
void buffer_destroy(struct buffer *buffer);

/* The buffers stay. */
void memory_pool_drop(struct memory_pool *pool);

#endif
