/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-server-core.h>

#include "common/checked.h"
#include "common/limits.h"
#include "transport/kvm.h"
#include "transport/pages_acks.h"

/*
 * The application side cuts the arenas into regions; a reference says where one lies and in which
 * session. The GUI side checks it against the memory's bounds, so a lying application side shares
 * other parts of what it may write anyway, and acknowledges by the reference's token.
 */
#define PAGES_TAG 0x204d564bu /* "KVM " */

struct kvm_ref {
	uint32_t tag;
	uint32_t token; // from 1 upwards in each session
	uint32_t offset_units, size_units; // of KVM_UNIT, from the region's start
	uint64_t generation; // of the application side
};
_Static_assert(sizeof(struct kvm_ref) == PAGES_REF_BYTES, "a reference is all of its bytes");

struct kvm_region {
	struct pages_region base;
	uint64_t offset;
	uint32_t token;
	bool released;
	bool held; // the importer has not let go of it yet
	struct wl_list link; // pages_kvm.regions
};

struct pages_kvm {
	struct pages base;
	bool lost;
	uint64_t generation; // of the application side; 0 while the importer waits
	struct pages_acks acks;

	struct wl_list regions; // sharer: kvm_region.link, by offset, draining ones too
	size_t n_regions;
	uint32_t next_token;
};

static struct kvm *kvm_of(struct pages_kvm *pages) {
	return (struct kvm *)pages->base.transport;
}

static bool is_sharer(const struct pages_kvm *pages) {
	return pages->base.transport->role == TRANSPORT_APPVM;
}

/* Sharer. */

static void region_free(struct pages_kvm *pages, struct kvm_region *region) {
	pages->base.bytes_used -= region->base.size;
	pages->n_regions--;
	wl_list_remove(&region->link);
	free(region);
}

static void handle_ack(struct pages_kvm *pages, uint32_t token) {
	struct kvm_region *region;
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

static void read_acks(struct pages_kvm *pages) {
	uint32_t token;
	bool doorbell = false;
	ssize_t count;
	while ((count = ring_read(&pages->acks.ring, &token, sizeof(token), true, &doorbell)) > 0) {
		handle_ack(pages, token);
	}
	if (count < 0) {
		pages_kvm_disconnect(&pages->base);
	} else if (doorbell) {
		kvm_bell_ring(&kvm_of(pages)->bell);
	}
}

/* Where size bytes are free in one part, and the region to insert after, which moves on to the last
 * one of that part. false: nowhere. */
static bool find_room_in(struct pages_kvm *pages, const struct kvm_part *part, size_t size,
		uint64_t *offset, struct wl_list **after) {
	uint64_t end = part->start + part->size;
	*offset = part->start + part->arenas;
	for (; (*after)->next != &pages->regions; *after = (*after)->next) {
		struct kvm_region *region = wl_container_of((*after)->next, region, link);
		if (region->offset >= end) {
			break;
		}
		if (region->offset - *offset >= size) {
			return true;
		}
		*offset = region->offset + region->base.size;
	}
	return end - *offset >= size;
}

static const struct kvm_part *find_room(struct pages_kvm *pages, size_t size, uint64_t *offset,
		struct wl_list **after) {
	const struct kvm_memory *memory = &kvm_of(pages)->memory;
	*after = &pages->regions;
	for (size_t i = 0; i < memory->n_parts; i++) {
		if (find_room_in(pages, &memory->parts[i], size, offset, after)) {
			return &memory->parts[i];
		}
	}
	return NULL;
}

static struct kvm_region *region_create(struct pages_kvm *pages, size_t size) {
	struct kvm_region *region = calloc(1, sizeof(*region));
	if (region == NULL) {
		return NULL;
	}
	struct wl_list *after;
	const struct kvm_part *part = find_room(pages, size, &region->offset, &after);
	if (part == NULL) {
		free(region);
		errno = ENOSPC;
		return NULL;
	}
	region->token = pages->next_token++;
	region->held = true;
	struct kvm_ref ref = {
		.tag = PAGES_TAG,
		.token = region->token,
		.offset_units = (uint32_t)(region->offset / KVM_UNIT),
		.size_units = (uint32_t)(size / KVM_UNIT),
		.generation = pages->generation,
	};
	memcpy(&region->base.ref, &ref, sizeof(ref));
	region->base.pages = &pages->base;
	region->base.size = size;
	region->base.bytes = part->bytes + (region->offset - part->start);
	wl_list_insert(after, &region->link);
	pages->n_regions++;
	pages->base.bytes_used += size;
	return region;
}

static struct pages_region *kvm_alloc(struct pages *base, size_t size) {
	struct pages_kvm *pages = (struct pages_kvm *)base;
	if (!is_sharer(pages) || pages->lost) {
		errno = is_sharer(pages) ? EPIPE : ENOTSUP;
		return NULL;
	}
	size_t unit = kvm_of(pages)->memory.unit;
	if (size == 0 || size > base->max_bytes || size > SIZE_MAX - unit) {
		errno = size == 0 ? EINVAL : ENOSPC;
		return NULL;
	}
	size = align_up(size, unit);
	size_t most = base->connected ? LIMIT_PAGES_REGIONS : LIMIT_PAGES_UNCLAIMED;
	if (pages->n_regions >= most || size > base->max_bytes - base->bytes_used) {
		errno = pages->n_regions >= most && !base->connected ? EAGAIN : ENOSPC;
		return NULL;
	}
	struct kvm_region *region = region_create(pages, size);
	if (region == NULL) {
		return NULL;
	}
	memset(region->base.bytes, 0, size);
	return &region->base;
}

static void kvm_release(struct pages_region *base) {
	struct kvm_region *region = (struct kvm_region *)base;
	struct pages_kvm *pages = (struct pages_kvm *)base->pages;
	if (!region->held || !pages->base.connected) {
		region_free(pages, region);
		return;
	}
	region->released = true;
	base->bytes = NULL;
}

/* Importer. */

static void after_acks(struct pages_kvm *pages, bool ok, bool doorbell) {
	if (!ok) {
		pages_kvm_disconnect(&pages->base);
	} else if (doorbell) {
		kvm_bell_ring(&kvm_of(pages)->bell);
	}
}

static void acknowledge(struct pages_kvm *pages, uint32_t token) {
	bool doorbell = false;
	if (pages->base.connected) {
		bool ok = pages_acks_push(&pages->acks, token, &doorbell);
		after_acks(pages, ok, doorbell);
	}
}

static bool check_ref(struct pages_kvm *pages, const struct kvm_ref *untrusted_ref) {
	return untrusted_ref->tag == PAGES_TAG &&
		untrusted_ref->generation == pages->generation &&
		untrusted_ref->size_units > 0 &&
		kvm_memory_find(&kvm_of(pages)->memory,
			(uint64_t)untrusted_ref->offset_units * KVM_UNIT,
			(uint64_t)untrusted_ref->size_units * KVM_UNIT) != NULL;
}

static bool fill_mapping(struct pages_kvm *pages, const struct kvm_ref *ref, uint64_t min_size,
		struct pages_mapping *mapping) {
	uint64_t size = (uint64_t)ref->size_units * KVM_UNIT;
	if (size < min_size) {
		errno = ERANGE;
		return false;
	}
	if (size > pages->base.max_bytes - pages->base.bytes_used) {
		errno = ENOSPC;
		return false;
	}
	uint64_t offset = (uint64_t)ref->offset_units * KVM_UNIT;
	const struct kvm_part *part = kvm_memory_find(&kvm_of(pages)->memory, offset, size);
	*mapping = (struct pages_mapping){
		.fd = fcntl(part->fd, F_DUPFD_CLOEXEC, 0),
		.offset = part->fd_offset + (off_t)(offset - part->start),
		.size = size,
		.writable = true,
		.can_shrink = part->can_shrink,
		.quota_bytes = size,
		.id = ref->token,
	};
	return mapping->fd >= 0;
}

static bool kvm_map(struct pages *base, const struct pages_ref *untrusted_bytes, uint64_t min_size,
		struct pages_mapping *mapping) {
	struct pages_kvm *pages = (struct pages_kvm *)base;
	struct kvm_ref untrusted_ref;
	memcpy(&untrusted_ref, untrusted_bytes, sizeof(untrusted_ref));
	if (is_sharer(pages) || !base->connected) {
		errno = is_sharer(pages) ? ENOTSUP : ENOTCONN;
		return false;
	}
	if (!check_ref(pages, &untrusted_ref) ||
			!pages_acks_use(&pages->acks, untrusted_ref.token)) {
		errno = ENOENT;
		return false;
	}
	if (!pages_acks_reserve(&pages->acks) ||
			!fill_mapping(pages, &untrusted_ref, min_size, mapping)) {
		int saved_errno = errno;
		acknowledge(pages, untrusted_ref.token);
		errno = saved_errno;
		return false;
	}
	pages_acks_hold(&pages->acks, mapping->fd);
	base->bytes_used += mapping->quota_bytes;
	return true;
}

static void kvm_unmap(struct pages *base, struct pages_mapping *mapping) {
	struct pages_kvm *pages = (struct pages_kvm *)base;
	assert(base->bytes_used >= mapping->quota_bytes);
	base->bytes_used -= mapping->quota_bytes;
	pages_acks_drop(&pages->acks, &mapping->fd);
	acknowledge(pages, (uint32_t)mapping->id);
}

/* Both. */

void pages_kvm_connect(struct pages *base) {
	struct pages_kvm *pages = (struct pages_kvm *)base;
	if (base->connected || pages->lost) {
		return;
	}
	struct kvm *kvm = kvm_of(pages);
	uint8_t *bytes = (uint8_t *)kvm->header + KVM_RINGS_OFFSET + (2u << KVM_RING_ORDER);
	ring_init(&pages->acks.ring, &kvm->header->acks, bytes, 1u << KVM_ACKS_ORDER);
	if (!is_sharer(pages)) {
		pages->generation = kvm->peer;
	}
	base->connected = true;
	pages_notify_later(base);
}

void pages_kvm_disconnect(struct pages *base) {
	struct pages_kvm *pages = (struct pages_kvm *)base;
	if (pages->lost) {
		return;
	}
	pages->lost = true;
	base->connected = false;
	struct kvm_region *region, *next;
	wl_list_for_each_safe(region, next, &pages->regions, link) {
		if (region->released) {
			region_free(pages, region);
		}
	}
	pages_notify_later(base);
}

void pages_kvm_look(struct pages *base) {
	struct pages_kvm *pages = (struct pages_kvm *)base;
	if (!base->connected) {
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

static void kvm_destroy(struct pages *base) {
	struct pages_kvm *pages = (struct pages_kvm *)base;
	struct kvm *kvm = kvm_of(pages);
	struct kvm_region *region, *next;
	wl_list_for_each_safe(region, next, &pages->regions, link) {
		region_free(pages, region);
	}
	pages_acks_finish(&pages->acks);
	pages_finish(base);
	free(pages);
	if (kvm->base.vchan == NULL) {
		kvm_leave(kvm);
	}
}

static const struct pages_impl pages_kvm_impl = {
	.destroy = kvm_destroy,
	.alloc = kvm_alloc,
	.release = kvm_release,
	.map = kvm_map,
	.unmap = kvm_unmap,
};

struct pages *pages_kvm_create(struct transport *transport, uint64_t max_bytes) {
	struct kvm *kvm = (struct kvm *)transport;
	struct pages_kvm *pages = calloc(1, sizeof(*pages));
	if (pages == NULL || !kvm_join(kvm, &kvm->pages_took)) {
		free(pages);
		return NULL;
	}
	pages->next_token = 1;
	pages->generation = transport->role == TRANSPORT_APPVM ? kvm->own : 0;
	wl_list_init(&pages->regions);
	pages_acks_init(&pages->acks);
	pages_init(&pages->base, &pages_kvm_impl, transport, max_bytes);
	if (kvm->connected) {
		pages_kvm_connect(&pages->base);
	}
	return &pages->base;
}
