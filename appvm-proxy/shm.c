/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/shm.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <wayland-server-protocol.h>

#include "appvm-proxy/client.h"
#include "appvm-proxy/copy.h"
#include "bridge/wlconn.h"
#include "common/fd.h"
#include "common/shm_format.h"
#include "protocol/link.h"

#define BUFFER_RELEASE_OPCODE 0

bool shm_fd_is_memory(int fd) {
	struct stat st;
	struct statfs fs;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || fstatfs(fd, &fs) < 0) {
		return false;
	}
	return fs.f_type == TMPFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC;
}

void shm_pool_unref(struct shm_pool *pool) {
	if (--pool->refs == 0) {
		fd_close(&pool->fd);
		free(pool);
	}
}

struct shm_buffer *shm_buffer_ref(struct shm_buffer *buffer) {
	buffer->refs++;
	return buffer;
}

void shm_buffer_unref(struct shm_buffer *buffer) {
	if (buffer == NULL || --buffer->refs > 0) {
		return;
	}
	if (buffer->map != NULL) {
		munmap(buffer->map, buffer->map_size);
	}
	shm_pool_unref(buffer->pool);
	free(buffer);
}

bool shm_buffer_release(const struct shm_buffer *buffer, struct client *client) {
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t size = wire_build(message, buffer->id, BUFFER_RELEASE_OPCODE,
			&wire_buffer_interface->events[BUFFER_RELEASE_OPCODE]);
	wlconn_lazy(client->conn, pace_may_wait(&client->pace));
	bool queued = client_queue(client, message, size, NULL, 0);
	if (queued) {
		wlconn_lazy(client->conn, false);
	}
	return queued;
}

static bool shm_buffer_map(struct shm_buffer *buffer) {
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t begin = buffer->offset & ~(page - 1);
	buffer->map_skip = (size_t)(buffer->offset - begin);
	buffer->map_size = buffer->map_skip + (size_t)buffer->stride * buffer->height;
	void *map = mmap(NULL, buffer->map_size, PROT_READ, MAP_SHARED, buffer->pool->fd,
			(off_t)begin);
	if (map == MAP_FAILED) {
		return false;
	}
	buffer->map = map;
	return true;
}

static bool read_all(int fd, uint8_t *dst, size_t size, uint64_t offset) {
	while (size > 0) {
		ssize_t got = pread(fd, dst, size, (off_t)offset);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			return false; // truncated, most likely
		}
		dst += got;
		offset += (uint64_t)got;
		size -= (size_t)got;
	}
	return true;
}

bool shm_buffer_read(struct shm_buffer *buffer, const struct shm_rect *rect, uint8_t *dst,
		size_t dst_stride) {
	size_t row_bytes = (size_t)rect->width * buffer->bytes_per_pixel;
	bool whole = rect->width == buffer->width && rect->height == buffer->height;
	if (whole && !buffer->was_read && buffer->map == NULL && dst_stride == buffer->stride) {
		buffer->was_read = true;
		return read_all(buffer->pool->fd, dst, dst_stride * (rect->height - 1) + row_bytes,
				buffer->offset);
	}
	if (buffer->map == NULL && !shm_buffer_map(buffer)) {
		return false;
	}
	const uint8_t *src = buffer->map + buffer->map_skip + (size_t)rect->y * buffer->stride +
			     (size_t)rect->x * buffer->bytes_per_pixel;
	return copy_rows(dst, dst_stride, src, buffer->stride, row_bytes, rect->height);
}

enum request_result shm_handle_create_pool(struct request *request) {
	struct client *client = request->client;
	int32_t size = request->values[request->message->n_args - 1].i;
	uint32_t id = request->values[request->message->new_id_arg].id;
	if (size <= 0) {
		client_error(client, request->header.object, WL_SHM_ERROR_INVALID_STRIDE,
				"invalid size (%d)", size);
		return REQUEST_ENDED;
	}
	if (!shm_fd_is_memory(client->held_fds[0])) {
		client_error(client, request->header.object, WL_SHM_ERROR_INVALID_FD,
				"a pool's descriptor must be a file in memory");
		return REQUEST_ENDED;
	}
	enum request_result result = request_insert_new_object(request);
	if (result != REQUEST_FORWARD) {
		return result;
	}
	struct shm_pool *pool = calloc(1, sizeof(*pool));
	struct object *object = object_table_find(&client->objects, id);
	object->local = true;
	if (pool == NULL) {
		client_error(client, 1, WL_DISPLAY_ERROR_NO_MEMORY, "no memory");
		return REQUEST_ENDED;
	}
	*pool = (struct shm_pool){.refs = 1, .fd = client->held_fds[0], .size = size};
	client->n_held_fds = 0;
	object->data = pool;
	return REQUEST_DONE;
}

enum request_result shm_handle_resize_pool(struct request *request) {
	struct shm_pool *pool = request->object->data;
	int32_t size = request->values[0].i;
	if (size < pool->size) {
		client_error(request->client, request->header.object, WL_SHM_ERROR_INVALID_STRIDE,
				"a pool cannot shrink from %d to %d bytes", pool->size, size);
		return REQUEST_ENDED;
	}
	pool->size = size;
	return REQUEST_DONE;
}

/* Why the buffer does not lie in the pool, or NULL. args: id, offset, width, height, stride,
 * format. */
static const char *shm_check_buffer(
		const struct shm_pool *pool, const struct wire_value *args, uint32_t *code) {
	int32_t offset = args[1].i, width = args[2].i, height = args[3].i, stride = args[4].i;
	uint32_t bytes_per_pixel = shm_format_bytes_per_pixel(args[5].u);
	*code = WL_SHM_ERROR_INVALID_FORMAT;
	if (bytes_per_pixel == 0) {
		return "unsupported format";
	}
	*code = WL_SHM_ERROR_INVALID_STRIDE;
	if (offset < 0 || width <= 0 || height <= 0 || stride <= 0) {
		return "invalid size";
	}
	if (width > LIMIT_BUFFER_SIDE_PX || height > LIMIT_BUFFER_SIDE_PX) {
		return "too large";
	}
	if ((int64_t)stride < (int64_t)width * bytes_per_pixel ||
			(uint32_t)stride % bytes_per_pixel != 0) {
		return "stride too small, or not of whole pixels";
	}
	return (int64_t)offset + (int64_t)stride * height > pool->size
			       ? "beyond the end of the pool"
			       : NULL;
}

enum request_result shm_handle_create_buffer(struct request *request) {
	struct client *client = request->client;
	struct shm_pool *pool = request->object->data;
	const struct wire_value *args = request->values;
	uint32_t id = args[0].id, code;
	const char *wrong = shm_check_buffer(pool, args, &code);
	if (wrong != NULL) {
		client_error(client, request->header.object, code, "invalid buffer: %s", wrong);
		return REQUEST_ENDED;
	}
	enum request_result result = request_insert_new_object(request);
	if (result != REQUEST_FORWARD) {
		return result;
	}
	struct shm_buffer *buffer = calloc(1, sizeof(*buffer));
	struct object *object = object_table_find(&client->objects, id);
	object->local = true;
	if (buffer == NULL) {
		client_error(client, 1, WL_DISPLAY_ERROR_NO_MEMORY, "no memory");
		return REQUEST_ENDED;
	}
	*buffer = (struct shm_buffer){
			.refs = 1,
			.pool = pool,
			.id = id,
			.offset = (uint64_t)args[1].i,
			.width = (uint32_t)args[2].i,
			.height = (uint32_t)args[3].i,
			.stride = (uint32_t)args[4].i,
			.format = args[5].u,
			.bytes_per_pixel = shm_format_bytes_per_pixel(args[5].u),
	};
	pool->refs++;
	object->data = buffer;
	return REQUEST_DONE;
}

enum request_result shm_handle_destroy(struct request *request) {
	struct client *client = request->client;
	client_object_finish(client, request->object);
	return client_delete_local(client, request->header.object) ? REQUEST_DONE : REQUEST_ENDED;
}
