/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/direct.h"

#include <errno.h>
#include <unistd.h>

#include "appvm-proxy/arena.h"
#include "appvm-proxy/client.h"
#include "appvm-proxy/proxy.h"
#include "appvm-proxy/shm.h"
#include "appvm-proxy/slot.h"
#include "common/checked.h"
#include "common/log.h"

/* Whole pages around the buffer: what else lies in them is the same application's pool. */
static struct slot *share(struct client *client, struct shm_buffer *buffer) {
	struct proxy *proxy = client->proxy;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t begin = buffer->offset & ~(page - 1);
	uint32_t skip = (uint32_t)(buffer->offset - begin);
	size_t size = align_up((size_t)skip + (size_t)buffer->stride * buffer->height, page);
	struct arena_place *place =
			arena_place_adopt(proxy->arenas, buffer->pool->fd, begin, size);
	if (place == NULL) {
		return NULL;
	}
	log_debug("a buffer of %u by %u is shared where it lies", buffer->width, buffer->height);
	return slot_create_direct(client, buffer, place, skip);
}

static bool may_be_shared(const struct client *client, const struct shm_buffer *buffer) {
	return client->proxy->pixels == PIXELS_ARENA && !buffer->copied &&
	       (uint64_t)buffer->stride * buffer->height >= DIRECT_MIN_BYTES &&
	       buffer->offset % 4 == 0 && buffer->stride % 4 == 0;
}

struct slot *direct_take(struct client *client, struct shm_buffer *buffer) {
	if (buffer->direct != NULL || !may_be_shared(client, buffer)) {
		return buffer->direct;
	}
	if (buffer->n_commits + 1 < DIRECT_COMMITS) {
		buffer->n_commits++;
		return NULL;
	}
	buffer->direct = share(client, buffer);
	// Later there may be room again, but hardly another kernel.
	buffer->copied = buffer->direct == NULL && errno != EAGAIN && errno != ENOSPC;
	return buffer->direct;
}

void direct_handle_release(struct slot *slot) {
	if (slot->source != NULL) {
		shm_buffer_release(slot->source, slot->client);
	}
}

void direct_forget(struct shm_buffer *buffer) {
	if (buffer->direct != NULL) {
		buffer->direct->source = NULL;
		slot_remove(buffer->direct);
		buffer->direct = NULL;
	}
}
