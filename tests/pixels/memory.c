/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pixels/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/shm_format.h"

#define SPARSE_BYTES ((int64_t)512 << 20)
#define SPARSE_START ((int64_t)450 << 20)
#define SHARED_BYTES ((int64_t)64 << 10)
#define PAGE_BYTES 4096

static _Noreturn void die(const char *what) {
	perror(what);
	exit(2);
}

static int make_fd(int64_t size) {
	int fd = fd_memory("pixels", (size_t)size);
	if (fd < 0) {
		die("memory");
	}
	return fd;
}

void memory_init(struct memory *memory, struct wl_shm *shm) {
	*memory = (struct memory){.shm = shm, .shared.fd = -1, .sparse.fd = -1};
	wl_list_init(&memory->buffers);
}

void memory_pool_drop(struct memory_pool *pool) {
	if (pool->pool != NULL) {
		wl_shm_pool_destroy(pool->pool);
		pool->pool = NULL;
	}
	fd_close(&pool->fd);
}

void memory_finish(struct memory *memory) {
	struct buffer *buffer, *next;
	wl_list_for_each_safe (buffer, next, &memory->buffers, link) {
		buffer_destroy(buffer);
	}
	memory_pool_drop(&memory->shared);
	memory_pool_drop(&memory->sparse);
}

static void pool_open(struct memory *memory, struct memory_pool *pool, int64_t size, int64_t used) {
	if (pool->pool == NULL) {
		pool->fd = make_fd(size);
		pool->pool = wl_shm_create_pool(memory->shm, pool->fd, (int32_t)size);
		pool->size = size;
		pool->used = used;
	}
}

static void pool_grow(struct memory_pool *pool, int64_t size) {
	if (size > pool->size) {
		if (ftruncate(pool->fd, size) < 0) {
			die("ftruncate");
		}
		wl_shm_pool_resize(pool->pool, (int32_t)size);
		pool->size = size;
	}
}

static void buffer_handle_release(void *data, struct wl_buffer *proxy) {
	struct buffer *buffer = data;
	buffer->busy = false;
	if (!buffer->tainted) {
		// Ours again: whoever still reads it shows this.
		size_t row = (size_t)buffer->width * shm_format_bytes_per_pixel(buffer->format);
		size_t stride = (size_t)buffer->stride;
		memset(buffer->pixels, 0x5a, stride * (size_t)(buffer->height - 1) + row);
	}
}

static const struct wl_buffer_listener buffer_listener = {.release = buffer_handle_release};

static void buffer_map(struct buffer *buffer, int fd, int64_t offset) {
	int64_t begin = offset & ~(int64_t)(PAGE_BYTES - 1);
	buffer->map_size = (size_t)(offset - begin + (int64_t)buffer->stride * buffer->height);
	void *map = mmap(NULL, buffer->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, begin);
	if (map == MAP_FAILED) {
		die("mmap");
	}
	buffer->map = map;
	buffer->pixels = buffer->map + (offset - begin);
}

static void buffer_place(struct memory *memory, struct buffer *buffer, enum memory_kind kind,
		int32_t skip) {
	int64_t bytes = (int64_t)buffer->stride * buffer->height;
	struct memory_pool own = {.fd = -1};
	struct memory_pool *pool = &own;
	if (kind == MEMORY_SPARSE_POOL && memory->sparse.pool != NULL &&
			memory->sparse.used + skip + bytes > SPARSE_BYTES) {
		memory_pool_drop(&memory->sparse);
	}
	switch (kind) {
	case MEMORY_SHARED_POOL:
		pool = &memory->shared;
		pool_open(memory, pool, SHARED_BYTES, 0);
		break;
	case MEMORY_SPARSE_POOL:
		pool = &memory->sparse;
		pool_open(memory, pool, SPARSE_BYTES, SPARSE_START);
		break;
	default:
		pool_open(memory, pool, skip + bytes, 0);
	}
	int64_t offset = pool->used + skip;
	pool->used = offset + bytes;
	pool_grow(pool, pool->used);
	buffer_map(buffer, pool->fd, offset);
	buffer->proxy = wl_shm_pool_create_buffer(pool->pool, (int32_t)offset, buffer->width,
			buffer->height, buffer->stride, buffer->format);
	if (pool != &own) {
		return;
	}
	if (kind == MEMORY_OWN_POOL) {
		buffer->pool = own.pool;
		close(own.fd);
	} else {
		memory_pool_drop(&own);
	}
}

struct buffer *buffer_create(struct memory *memory, enum memory_kind kind, uint32_t noise,
		int32_t width, int32_t height, uint32_t format) {
	struct buffer *buffer = calloc(1, sizeof(*buffer));
	if (buffer == NULL) {
		die("memory");
	}
	// pixman wants rows of whole words, wlroots of whole pixels.
	int32_t bytes = (int32_t)shm_format_bytes_per_pixel(format);
	int32_t unit = bytes == 3 ? 12 : bytes > 4 ? bytes : 4;
	int32_t row = (width * bytes + unit - 1) / unit * unit;
	*buffer = (struct buffer){
			.width = width,
			.height = height,
			.stride = row + (noise % 4 == 0 ? (int32_t)(noise / 4 % 10) * unit : 0),
			.format = format,
	};
	wl_list_insert(&memory->buffers, &buffer->link);
	buffer_place(memory, buffer, kind, (int32_t)(noise >> 8) % 5003);
	wl_buffer_add_listener(buffer->proxy, &buffer_listener, buffer);
	return buffer;
}

void buffer_destroy(struct buffer *buffer) {
	wl_buffer_destroy(buffer->proxy);
	if (buffer->pool != NULL) {
		wl_shm_pool_destroy(buffer->pool);
	}
	munmap(buffer->map, buffer->map_size);
	wl_list_remove(&buffer->link);
	free(buffer);
}
