/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_SHM_H
#define ISTHMUS_APPVM_PROXY_SHM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "appvm-proxy/request.h"

/*
 * wl_shm pools and buffers that are not forwarded. Only what buffers need of a pool is ever
 * mapped: real clients make sparse pools of 512 MiB.
 */

/* Whether fd is a regular file on a file system in memory: any other may hang whoever reads it. */
bool shm_fd_is_memory(int fd);

struct client;
struct slot;

struct shm_pool {
	int refs; // the object, each buffer
	int fd; // owned
	int32_t size; // bytes, as the application says: what is there is found out when it is read
};

struct shm_buffer {
	int refs; // the object, each surface that will show it at its next commit
	struct shm_pool *pool;
	uint32_t id; // 0: the application destroyed it
	uint64_t offset; // into the pool
	uint32_t width, height; // pixels
	uint32_t stride; // bytes
	uint32_t format; // of wl_shm
	uint32_t bytes_per_pixel;
	uint8_t *map; // page-aligned, covers the buffer; NULL: not needed yet
	size_t map_size, map_skip; // bytes, and those before the buffer's first
	bool was_read; // in full
	// See appvm-proxy/direct.h.
	uint32_t n_commits; // up to DIRECT_COMMITS
	bool copied; // it cannot be shared where it lies
	struct slot *direct; // over its own memory; NULL: none
};

struct shm_rect {
	uint32_t x, y, width, height; // pixels
};

void shm_pool_unref(struct shm_pool *pool);
struct shm_buffer *shm_buffer_ref(struct shm_buffer *buffer);
/* NULL is legal. */
void shm_buffer_unref(struct shm_buffer *buffer);

/* Sends wl_buffer.release, to an application that has not destroyed it. false: the client was
 * closed. */
bool shm_buffer_release(const struct shm_buffer *buffer, struct client *client);

/*
 * Copies a rectangle inside the buffer to dst, whose rows are dst_stride bytes apart. A buffer
 * that is read in full for the first time is read without being mapped: many are used only once.
 * false: its memory is not there.
 */
bool shm_buffer_read(struct shm_buffer *buffer, const struct shm_rect *rect, uint8_t *dst,
		size_t dst_stride);

enum request_result shm_handle_create_pool(struct request *request);
enum request_result shm_handle_resize_pool(struct request *request);
enum request_result shm_handle_create_buffer(struct request *request);
/* wl_shm_pool.destroy, wl_buffer.destroy of a local object. */
enum request_result shm_handle_destroy(struct request *request);

#endif
