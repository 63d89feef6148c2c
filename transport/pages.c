/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <wayland-server-core.h>

#include "transport/backend.h"

void pages_init(struct pages *pages, const struct pages_impl *impl, struct transport *transport,
		uint64_t max_bytes) {
	pages->impl = impl;
	pages->transport = transport;
	pages->max_bytes = max_bytes;
	transport->pages = pages;
}

void pages_finish(struct pages *pages) {
	if (pages->idle != NULL) {
		wl_event_source_remove(pages->idle);
	}
	pages->transport->pages = NULL;
}

static void pages_handle_idle(void *data) {
	struct pages *pages = data;
	pages->idle = NULL;
	if (pages->handler != NULL) {
		pages->handler(pages, pages->data);
	}
}

void pages_notify_later(struct pages *pages) {
	if (pages->idle == NULL) {
		pages->idle = wl_event_loop_add_idle(pages->transport->loop, pages_handle_idle,
				pages);
	}
}

struct pages *pages_create(struct transport *transport, uint64_t max_bytes,
		pages_handler_func_t handler, void *data) {
	if ((transport->caps & TRANSPORT_PAGES) == 0 || transport->backend->pages_create == NULL) {
		errno = ENOTSUP;
		return NULL;
	}
	if (transport->pages != NULL) {
		errno = EBUSY;
		return NULL;
	}
	struct pages *pages = transport->backend->pages_create(transport, max_bytes);
	if (pages != NULL) {
		pages->handler = handler;
		pages->data = data;
	}
	return pages;
}

void pages_destroy(struct pages *pages) {
	if (pages != NULL) {
		pages->impl->destroy(pages);
	}
}

bool pages_connected(const struct pages *pages) {
	return pages->connected;
}

uint64_t pages_bytes_used(const struct pages *pages) {
	return pages->bytes_used;
}

struct pages_region *pages_alloc(struct pages *pages, size_t size) {
	return pages->impl->alloc(pages, size);
}

void *pages_region_data(struct pages_region *region) {
	return region->bytes;
}

size_t pages_region_size(const struct pages_region *region) {
	return region->size;
}

struct pages_region *pages_share_fd(struct pages *pages, int fd) {
	if ((pages->transport->caps & TRANSPORT_HANDOVER) == 0) {
		errno = ENOTSUP;
		return NULL;
	}
	return pages->impl->share_fd(pages, fd);
}

struct pages_region *pages_pass_fd(struct pages *pages, int fd) {
	if ((pages->transport->caps & TRANSPORT_HANDOVER) == 0) {
		errno = ENOTSUP;
		return NULL;
	}
	return pages->impl->pass_fd(pages, fd);
}

int pages_take_fd(struct pages *pages, const struct pages_ref *untrusted_ref) {
	if ((pages->transport->caps & TRANSPORT_HANDOVER) == 0) {
		errno = ENOENT; // nobody could pass one
		return -1;
	}
	return pages->impl->take_fd(pages, untrusted_ref);
}

struct pages_region *pages_share_memory(struct pages *pages, int fd, uint64_t offset, size_t size) {
	if (pages->impl->share_memory == NULL) {
		errno = ENOTSUP;
		return NULL;
	}
	return pages->impl->share_memory(pages, fd, offset, size);
}

struct pages_ref pages_region_ref(const struct pages_region *region) {
	return region->ref;
}

void pages_release(struct pages_region *region) {
	if (region != NULL) {
		region->pages->impl->release(region);
	}
}

bool pages_map(struct pages *pages, const struct pages_ref *untrusted_ref, uint64_t min_size,
		struct pages_mapping *mapping) {
	return pages->impl->map(pages, untrusted_ref, min_size, mapping);
}

int pages_mapping_fd(struct pages *pages, struct pages_mapping *mapping) {
	if (!mapping->once || mapping->n_given == 0) {
		mapping->n_given++;
		return fcntl(mapping->fd, F_DUPFD_CLOEXEC, 0);
	}
	if (mapping->size > pages->max_bytes - pages->bytes_used) {
		errno = ENOSPC;
		return -1;
	}
	int fd = pages->impl->mapping_fd(pages, mapping);
	if (fd >= 0) {
		mapping->n_given++;
		mapping->quota_bytes += mapping->size;
		pages->bytes_used += mapping->size;
	}
	return fd;
}

void pages_mapping_forget(struct pages *pages, struct pages_mapping *mapping) {
	// The first, which cannot be mapped again, counts until it is unmapped, as a dma-buf does.
	if (mapping->quota_bytes > mapping->size * (mapping->has_dmabuf ? 2 : 1)) {
		mapping->quota_bytes -= mapping->size;
		pages->bytes_used -= mapping->size;
	}
}

int pages_mapping_dmabuf(struct pages *pages, struct pages_mapping *mapping) {
	if (!mapping->can_dmabuf || mapping->has_dmabuf) {
		errno = mapping->can_dmabuf ? EBUSY : ENOTSUP;
		return -1;
	}
	if (mapping->size > pages->max_bytes - pages->bytes_used) {
		errno = ENOSPC;
		return -1;
	}
	int fd = pages->impl->mapping_dmabuf(pages, mapping);
	if (fd >= 0) {
		mapping->has_dmabuf = true;
		mapping->quota_bytes += mapping->size;
		pages->bytes_used += mapping->size;
	}
	return fd;
}

void pages_unmap(struct pages *pages, struct pages_mapping *mapping) {
	pages->impl->unmap(pages, mapping);
}
