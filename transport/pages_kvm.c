/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "transport/kvm.h"

/*
 * The application side cuts the arenas into regions; a reference says where one lies. The GUI side
 * checks it against the memory's bounds, so a lying application side shares other parts of what it
 * may write anyway.
 */
#define PAGES_TAG 0x204d564bu /* "KVM " */

/* A reference's place, in KVM_UNIT; the offset is that in the memory. */
enum {
	PLACE_OFFSET,
	PLACE_SIZE,
};

struct kvm_region {
	struct pages_acked_region base; // in the list by offset
	uint64_t offset;
};

static struct kvm *kvm_of(struct pages_acked *pages) {
	return (struct kvm *)pages->base.transport;
}

/* Where size bytes are free in one part, and the region to insert after, which moves on to the last
 * one of that part. false: nowhere. */
static bool find_room_in(struct pages_acked *pages, const struct kvm_part *part, size_t size,
		uint64_t *offset, struct wl_list **after) {
	uint64_t end = part->start + part->size;
	*offset = part->start + part->arenas;
	for (; (*after)->next != &pages->regions; *after = (*after)->next) {
		struct kvm_region *region = wl_container_of((*after)->next, region, base.link);
		if (region->offset >= end) {
			break;
		}
		if (region->offset - *offset >= size) {
			return true;
		}
		*offset = region->offset + region->base.base.size;
	}
	return end - *offset >= size;
}

static const struct kvm_part *find_room(struct pages_acked *pages, size_t size, uint64_t *offset,
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

static struct pages_acked_region *region_create(struct pages_acked *pages,
		const struct pages_acked_source *source, size_t size, uint32_t place[2]) {
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
	region->base.base.bytes = part->bytes + (region->offset - part->start);
	memset(region->base.base.bytes, 0, size);
	wl_list_insert(after, &region->base.link);
	pages->generation = kvm_of(pages)->own;
	place[PLACE_OFFSET] = (uint32_t)(region->offset / KVM_UNIT);
	place[PLACE_SIZE] = (uint32_t)(size / KVM_UNIT);
	return &region->base;
}

static uint64_t measure(struct pages_acked *pages, const uint32_t untrusted_place[2]) {
	uint64_t untrusted_size = (uint64_t)untrusted_place[PLACE_SIZE] * KVM_UNIT;
	return kvm_memory_find(&kvm_of(pages)->memory,
			(uint64_t)untrusted_place[PLACE_OFFSET] * KVM_UNIT,
			untrusted_size) != NULL ? untrusted_size : 0;
}

static bool map(struct pages_acked *pages, const uint32_t place[2],
		struct pages_mapping *mapping) {
	uint64_t offset = (uint64_t)place[PLACE_OFFSET] * KVM_UNIT;
	const struct kvm_part *part = kvm_memory_find(&kvm_of(pages)->memory, offset,
			mapping->size);
	mapping->fd = fcntl(part->fd, F_DUPFD_CLOEXEC, 0);
	mapping->offset = part->fd_offset + (off_t)(offset - part->start);
	mapping->writable = true;
	mapping->can_shrink = part->can_shrink;
	return mapping->fd >= 0;
}

void pages_kvm_connect(struct pages_acked *pages) {
	struct kvm *kvm = kvm_of(pages);
	bool is_guivm = pages->base.transport->role == TRANSPORT_GUIVM;
	uint8_t *bytes = (uint8_t *)kvm->header + KVM_RINGS_OFFSET + (2u << KVM_RING_ORDER);
	pages_acked_connect(pages, is_guivm ? kvm->peer : kvm->own, &kvm->header->acks, bytes,
			1u << KVM_ACKS_ORDER);
}

static const struct pages_acked_impl pages_kvm_impl = {
	.tag = PAGES_TAG,
	.create = region_create,
	.measure = measure,
	.map = map,
};

struct pages *pages_kvm_create(struct transport *transport, uint64_t max_bytes) {
	struct kvm *kvm = (struct kvm *)transport;
	struct pages_acked *pages = calloc(1, sizeof(*pages));
	if (pages == NULL || !session_add_pages(&kvm->base, pages, &pages_kvm_impl,
			kvm->memory.unit, max_bytes)) {
		free(pages);
		return NULL;
	}
	return &pages->base;
}
