/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/pages_acked.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "common/limits.h"
#include "transport/session.h"

static bool is_sharer(const struct pages_acked *pages) {
	return pages->base.transport->role == TRANSPORT_APPVM;
}

/* The dma-buf of a region that is or was mapped. */
struct mapped_dmabuf {
	struct wl_list link; // pages_acked.dmabufs
	uint32_t token;
	uint64_t quota_bytes; // 0: the region is still mapped
};

/* After the ring of acknowledgements was used. */
static void after_acks(struct pages_acked *pages, bool ok, bool doorbell) {
	struct session_transport *transport = (struct session_transport *)pages->base.transport;
	if (!ok) {
		pages_acked_disconnect(pages);
	} else if (doorbell) {
		transport->impl->ring_bell(transport);
	}
}

/* Sharer. */

static void region_free(struct pages_acked *pages, struct pages_acked_region *region) {
	if (pages->impl->unshare != NULL) {
		pages->impl->unshare(pages, region);
	}
	pages->base.bytes_used -= region->base.size;
	pages->n_regions--;
	wl_list_remove(&region->link);
	free(region);
}

static void handle_ack(struct pages_acked *pages, uint32_t token) {
	struct pages_acked_region *region;
	wl_list_for_each(region, &pages->regions, link) {
		if (region->token == token) {
			region->held = false;
			if (region->released) {
				region_free(pages, region);
			}
			pages_notify_later(&pages->base);
			return;
		}
	}
}

static void read_acks(struct pages_acked *pages) {
	uint32_t token;
	bool doorbell = false;
	ssize_t count;
	while ((count = ring_read(&pages->acks.ring, &token, sizeof(token), true, &doorbell)) > 0) {
		handle_ack(pages, token);
	}
	after_acks(pages, count == 0, doorbell);
}

static struct pages_region *region_create(struct pages_acked *pages,
		const struct pages_acked_source *source, size_t size) {
	uint32_t place[2];
	struct pages_acked_region *region = pages->impl->create(pages, source, size, place);
	if (region == NULL) {
		return NULL;
	}
	region->token = pages->next_token++;
	region->held = true;
	struct pages_acked_ref ref = {
		.tag = pages->impl->tag,
		.token = region->token,
		.place = {place[0], place[1]},
		.generation = pages->generation,
	};
	memcpy(&region->base.ref, &ref, sizeof(ref));
	region->base.pages = &pages->base;
	region->base.size = size;
	pages->n_regions++;
	pages->base.bytes_used += size;
	return &region->base;
}

static struct pages_region *share(struct pages_acked *pages,
		const struct pages_acked_source *source, size_t size) {
	const struct pages *base = &pages->base;
	if (!is_sharer(pages) || pages->lost) {
		errno = is_sharer(pages) ? EPIPE : ENOTSUP;
		return NULL;
	}
	if (size == 0 || size > base->max_bytes || size > SIZE_MAX - pages->unit) {
		errno = size == 0 ? EINVAL : ENOSPC;
		return NULL;
	}
	size = align_up(size, pages->unit);
	size_t most = base->connected ? LIMIT_PAGES_REGIONS : LIMIT_PAGES_UNCLAIMED;
	if (pages->n_regions >= most || size > base->max_bytes - base->bytes_used) {
		errno = pages->n_regions >= most && !base->connected ? EAGAIN : ENOSPC;
		return NULL;
	}
	return region_create(pages, source, size);
}

static struct pages_region *acked_alloc(struct pages *base, size_t size) {
	return share((struct pages_acked *)base, NULL, size);
}

static struct pages_region *acked_share_memory(struct pages *base, int fd, uint64_t offset,
		size_t size) {
	struct pages_acked *pages = (struct pages_acked *)base;
	if (!pages->impl->can_share_memory || offset % pages->unit != 0 ||
			size % pages->unit != 0) {
		errno = pages->impl->can_share_memory ? EINVAL : ENOTSUP;
		return NULL;
	}
	return share(pages, &(struct pages_acked_source){.fd = fd, .offset = offset}, size);
}

static void acked_release(struct pages_region *base) {
	struct pages_acked_region *region = (struct pages_acked_region *)base;
	struct pages_acked *pages = (struct pages_acked *)base->pages;
	if (!region->held || !pages->base.connected) {
		region_free(pages, region);
		return;
	}
	region->released = true;
	base->bytes = NULL;
}

/* Importer. */

static void acknowledge(struct pages_acked *pages, uint32_t token) {
	bool doorbell = false;
	if (pages->base.connected) {
		bool ok = pages_acks_push(&pages->acks, token, &doorbell);
		after_acks(pages, ok, doorbell);
	}
}

static bool fill_mapping(struct pages_acked *pages, const struct pages_acked_ref *ref,
		uint64_t size, uint64_t min_size, struct pages_mapping *mapping) {
	if (!pages_acks_reserve(&pages->acks)) {
		return false;
	}
	if (size < min_size) {
		errno = ERANGE;
		return false;
	}
	if (size > pages->base.max_bytes - pages->base.bytes_used) {
		errno = ENOSPC;
		return false;
	}
	*mapping = (struct pages_mapping){
		.size = size,
		.quota_bytes = size,
		.id = ref->token,
		.source = (uint64_t)ref->place[0] << 32 | ref->place[1],
	};
	return pages->impl->map(pages, ref->place, mapping);
}

static bool acked_map(struct pages *base, const struct pages_ref *untrusted_bytes,
		uint64_t min_size, struct pages_mapping *mapping) {
	struct pages_acked *pages = (struct pages_acked *)base;
	struct pages_acked_ref untrusted_ref;
	memcpy(&untrusted_ref, untrusted_bytes, sizeof(untrusted_ref));
	if (is_sharer(pages) || !base->connected) {
		errno = is_sharer(pages) ? ENOTSUP : ENOTCONN;
		return false;
	}
	uint64_t size = pages->impl->measure(pages, untrusted_ref.place);
	if (untrusted_ref.tag != pages->impl->tag || size == 0 ||
			untrusted_ref.generation != pages->generation ||
			!pages_acks_use(&pages->acks, untrusted_ref.token)) {
		errno = ENOENT;
		return false;
	}
	if (!fill_mapping(pages, &untrusted_ref, size, min_size, mapping)) {
		int saved_errno = errno;
		acknowledge(pages, untrusted_ref.token);
		errno = saved_errno;
		return false;
	}
	pages_acks_hold(&pages->acks, mapping->fd);
	base->bytes_used += mapping->quota_bytes;
	return true;
}

static int acked_mapping_fd(struct pages *base, const struct pages_mapping *mapping) {
	struct pages_acked *pages = (struct pages_acked *)base;
	const uint32_t place[2] = {(uint32_t)(mapping->source >> 32), (uint32_t)mapping->source};
	if (!base->connected) {
		errno = ENOTCONN;
		return -1;
	}
	return pages->impl->mapping_fd(pages, place);
}

static int acked_mapping_dmabuf(struct pages *base, const struct pages_mapping *mapping) {
	struct pages_acked *pages = (struct pages_acked *)base;
	const uint32_t place[2] = {(uint32_t)(mapping->source >> 32), (uint32_t)mapping->source};
	if (!base->connected) {
		errno = ENOTCONN;
		return -1;
	}
	struct mapped_dmabuf *dmabuf = calloc(1, sizeof(*dmabuf));
	if (dmabuf == NULL) {
		return -1;
	}
	dmabuf->token = (uint32_t)mapping->id;
	int fd = pages->impl->mapping_dmabuf(pages, place, dmabuf->token);
	if (fd < 0) {
		int saved_errno = errno;
		free(dmabuf);
		errno = saved_errno;
		return -1;
	}
	wl_list_insert(&pages->dmabufs, &dmabuf->link);
	return fd;
}

static struct mapped_dmabuf *find_dmabuf(struct pages_acked *pages, uint32_t token) {
	struct mapped_dmabuf *dmabuf;
	wl_list_for_each(dmabuf, &pages->dmabufs, link) {
		if (dmabuf->token == token) {
			return dmabuf;
		}
	}
	return NULL;
}

static void dmabuf_free(struct mapped_dmabuf *dmabuf) {
	wl_list_remove(&dmabuf->link);
	free(dmabuf);
}

void pages_acked_dmabuf_released(struct pages_acked *pages, uint32_t token) {
	struct mapped_dmabuf *dmabuf = find_dmabuf(pages, token);
	if (dmabuf == NULL || dmabuf->quota_bytes == 0) {
		return;
	}
	pages->base.bytes_used -= dmabuf->quota_bytes;
	dmabuf_free(dmabuf);
	acknowledge(pages, token);
}

static void acked_unmap(struct pages *base, struct pages_mapping *mapping) {
	struct pages_acked *pages = (struct pages_acked *)base;
	uint32_t token = (uint32_t)mapping->id;
	assert(base->bytes_used >= mapping->quota_bytes);
	pages_acks_drop(&pages->acks, &mapping->fd);
	if (mapping->has_dmabuf && base->connected) {
		// Whoever still reads it does not hinder the peer from writing there, but the peer
		// is not to take it for free.
		find_dmabuf(pages, token)->quota_bytes = mapping->quota_bytes;
		pages->impl->watch_dmabuf(pages, token);
		return;
	}
	base->bytes_used -= mapping->quota_bytes;
	acknowledge(pages, token);
}

/* Both. */

void pages_acked_connect(struct pages_acked *pages, uint64_t generation,
		struct ring_shared *shared, void *bytes, uint32_t size) {
	pages->generation = generation;
	ring_init(&pages->acks.ring, shared, bytes, size);
	pages->base.connected = true;
	pages_notify_later(&pages->base);
}

void pages_acked_disconnect(struct pages_acked *pages) {
	if (pages->lost) {
		return;
	}
	pages->lost = true;
	pages->base.connected = false;
	struct pages_acked_region *region, *next;
	wl_list_for_each_safe(region, next, &pages->regions, link) {
		if (region->released) {
			region_free(pages, region);
		}
	}
	pages_notify_later(&pages->base);
}

void pages_acked_look(struct pages_acked *pages) {
	if (!pages->base.connected) {
		return;
	}
	if (is_sharer(pages)) {
		read_acks(pages);
	} else {
		bool doorbell = false;
		bool ok = pages_acks_flush(&pages->acks, &doorbell);
		after_acks(pages, ok, doorbell);
	}
}

static void acked_destroy(struct pages *base) {
	struct pages_acked *pages = (struct pages_acked *)base;
	struct transport *transport = base->transport;
	struct pages_acked_region *region, *next;
	wl_list_for_each_safe(region, next, &pages->regions, link) {
		region_free(pages, region);
	}
	struct mapped_dmabuf *dmabuf, *next_dmabuf;
	wl_list_for_each_safe(dmabuf, next_dmabuf, &pages->dmabufs, link) {
		dmabuf_free(dmabuf);
	}
	pages_acks_finish(&pages->acks);
	if (pages->impl->finish != NULL) {
		pages->impl->finish(pages);
	}
	pages_finish(base);
	free(pages);
	if (transport->vchan == NULL) {
		session_leave((struct session_transport *)transport);
	}
}

static const struct pages_impl pages_acked_impl = {
	.destroy = acked_destroy,
	.alloc = acked_alloc,
	.share_memory = acked_share_memory,
	.release = acked_release,
	.map = acked_map,
	.mapping_fd = acked_mapping_fd,
	.mapping_dmabuf = acked_mapping_dmabuf,
	.unmap = acked_unmap,
};

void pages_acked_init(struct pages_acked *pages, const struct pages_acked_impl *impl,
		struct transport *transport, size_t unit, uint64_t max_bytes) {
	pages->impl = impl;
	pages->unit = unit;
	pages->next_token = 1;
	wl_list_init(&pages->dmabufs);
	wl_list_init(&pages->regions);
	pages_acks_init(&pages->acks);
	pages_init(&pages->base, &pages_acked_impl, transport, max_bytes);
}
