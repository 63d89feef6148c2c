/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <wayland-server-core.h>

#include "common/checked.h"
#include "common/limits.h"
#include "transport/pages_acks.h"
#include "transport/xen.h"
#include "transport/xen_broker.h"

/*
 * A region is pages of gntalloc, given to the GUI VM's domain and to no other, read-only unless
 * asked otherwise. Its reference names the first page of a directory (struct xen_directory), which
 * lies behind the region in the same allocation, or by itself where the region is somebody else's
 * memory (transport/xen_dmabuf.h). The GUI side maps it through the broker, once;
 * from then on nothing is asked of Xen until it is unmapped. Pages that are still mapped when the
 * sharer frees them (the compositor lets go later than the relay, or the relay died) are kept from
 * reuse by the kernel.
 */
#define PAGES_TAG 0x204e4558u /* "XEN " */

struct xen_ref {
	uint32_t tag;
	uint32_t token;
	uint32_t directory; // a grant of the application's domain
	uint32_t n_pages : 31;
	uint32_t writable : 1;
	uint64_t generation; // of the session
};
_Static_assert(sizeof(struct xen_ref) == PAGES_REF_BYTES, "a reference is all of its bytes");

struct xen_region {
	struct pages_region base;
	void *mapping;
	uint64_t index; // of gntalloc
	uint32_t n_pages; // there, with the directory
	int dmabuf_fd; // of memory that somebody else made, which gntalloc has not; -1: none
	uint32_t token;
	bool released;
	bool held; // the importer has not let go of it yet
	struct wl_list link; // pages_xen.regions
};

struct pages_xen {
	struct pages base;
	bool lost;
	struct xen_session *session; // once connected; held
	struct pages_acks acks;

	struct wl_list regions; // sharer: xen_region.link, draining ones too
	size_t n_regions;
	uint32_t next_token;
};

static struct xen *xen_of(struct pages_xen *pages) {
	return (struct xen *)pages->base.transport;
}

static bool is_sharer(const struct pages_xen *pages) {
	return pages->base.transport->role == TRANSPORT_APPVM;
}

/* Sharer. */

static void region_unshare(struct pages_xen *pages, struct xen_region *region) {
	munmap(region->mapping, (size_t)region->n_pages * XEN_PAGE_BYTES);
	xen_grants_free(xen_of(pages)->gntalloc_fd, region->index, region->n_pages);
	if (region->dmabuf_fd >= 0) {
		xen_dmabuf_unshare(&xen_of(pages)->dmabuf, &region->dmabuf_fd);
	}
}

static void region_free(struct pages_xen *pages, struct xen_region *region) {
	region_unshare(pages, region);
	pages->base.bytes_used -= region->base.size;
	pages->n_regions--;
	wl_list_remove(&region->link);
	free(region);
}

static void handle_ack(struct pages_xen *pages, uint32_t token) {
	struct xen_region *region;
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

static void read_acks(struct pages_xen *pages) {
	uint32_t token;
	bool doorbell = false;
	ssize_t count;
	while ((count = ring_read(&pages->acks.ring, &token, sizeof(token), true, &doorbell)) > 0) {
		handle_ack(pages, token);
	}
	if (count < 0) {
		pages_xen_disconnect(&pages->base);
	} else if (doorbell) {
		xen_ring_bell(pages->session);
	}
}

static uint32_t count_directories(uint32_t n_pages) {
	return (n_pages + XEN_DIRECTORY_REFS - 1) / XEN_DIRECTORY_REFS;
}

/* refs: of the region's pages, then of the directory's, which are the last of the mapping. */
static void write_directory(struct xen_region *region, const uint32_t *refs, uint32_t n_pages) {
	uint32_t n_directories = count_directories(n_pages);
	struct xen_directory *directory = (struct xen_directory *)((uint8_t *)region->mapping +
			(size_t)(region->n_pages - n_directories) * XEN_PAGE_BYTES);
	for (uint32_t i = 0; i < n_directories; i++) {
		uint32_t first = i * XEN_DIRECTORY_REFS;
		uint32_t count = n_pages - first < XEN_DIRECTORY_REFS ? n_pages - first
								      : XEN_DIRECTORY_REFS;
		directory[i].next = i + 1 < n_directories ? refs[n_pages + i + 1] : 0;
		memcpy(directory[i].refs, refs + first, count * sizeof(uint32_t));
	}
}

/* n_pages of gntalloc, mapped. false with errno. */
static bool region_take_pages(struct pages_xen *pages, struct xen_region *region, uint32_t n_pages,
		uint32_t *refs) {
	struct xen *xen = xen_of(pages);
	if (!xen_grants_alloc(xen->gntalloc_fd, xen->domid, xen->writable_grants, n_pages,
			&region->index, refs)) {
		return false;
	}
	region->n_pages = n_pages;
	region->mapping = mmap(NULL, (size_t)n_pages * XEN_PAGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_SHARED, xen->gntalloc_fd, (off_t)region->index);
	if (region->mapping == MAP_FAILED) {
		int saved_errno = errno;
		xen_grants_free(xen->gntalloc_fd, region->index, n_pages);
		errno = saved_errno;
		return false;
	}
	return true;
}

/* What to share: memfd's pages from offset on; -1: new ones. */
struct source {
	int memfd;
	uint64_t offset;
};

/* The reference of the directory, or 0 with errno. */
static uint32_t region_share(struct pages_xen *pages, struct xen_region *region,
		const struct source *source, uint32_t n_pages) {
	struct xen *xen = xen_of(pages);
	uint32_t first = 0, n_directories = count_directories(n_pages);
	uint32_t *refs = calloc(n_pages + n_directories, sizeof(*refs));
	bool given = source->memfd >= 0;
	region->dmabuf_fd = -1;
	if (refs == NULL || (given && !xen_dmabuf_share(&xen->dmabuf, source->memfd,
				source->offset, n_pages, xen->domid, refs, &region->dmabuf_fd))) {
		goto done;
	}
	if (!region_take_pages(pages, region, n_directories + (given ? 0 : n_pages),
			refs + (given ? n_pages : 0))) {
		int saved_errno = errno;
		if (given) {
			xen_dmabuf_unshare(&xen->dmabuf, &region->dmabuf_fd);
		}
		errno = saved_errno;
		goto done;
	}
	write_directory(region, refs, n_pages);
	first = refs[n_pages];
done:
	free(refs);
	return first;
}

static struct xen_region *region_create(struct pages_xen *pages, const struct source *source,
		size_t size) {
	struct xen_region *region = calloc(1, sizeof(*region));
	if (region == NULL) {
		return NULL;
	}
	uint32_t n_pages = (uint32_t)(size / XEN_PAGE_BYTES);
	uint32_t directory = region_share(pages, region, source, n_pages);
	if (directory == 0) {
		free(region);
		return NULL;
	}
	region->token = pages->next_token++;
	region->held = true;
	struct xen_ref ref = {
		.tag = PAGES_TAG,
		.token = region->token,
		.directory = directory,
		.n_pages = n_pages,
		.writable = xen_of(pages)->writable_grants,
		.generation = xen_of(pages)->session->generation,
	};
	memcpy(&region->base.ref, &ref, sizeof(ref));
	region->base.pages = &pages->base;
	region->base.size = size;
	region->base.bytes = source->memfd < 0 ? region->mapping : NULL;
	wl_list_insert(&pages->regions, &region->link);
	pages->n_regions++;
	pages->base.bytes_used += size;
	return region;
}

static struct pages_region *share(struct pages *base, const struct source *source, size_t size) {
	struct pages_xen *pages = (struct pages_xen *)base;
	if (!is_sharer(pages) || pages->lost) {
		errno = is_sharer(pages) ? EPIPE : ENOTSUP;
		return NULL;
	}
	if (size == 0 || size > base->max_bytes ||
			size > (size_t)XEN_MAP_MAX_PAGES * XEN_PAGE_BYTES) {
		errno = size == 0 ? EINVAL : ENOSPC;
		return NULL;
	}
	size = align_up(size, XEN_PAGE_BYTES);
	size_t most = base->connected ? LIMIT_PAGES_REGIONS : LIMIT_PAGES_UNCLAIMED;
	// Before there is a vchan it is not known to whom.
	if (xen_of(pages)->session == NULL || pages->n_regions >= most ||
			size > base->max_bytes - base->bytes_used) {
		errno = base->connected ? ENOSPC : EAGAIN;
		return NULL;
	}
	struct xen_region *region = region_create(pages, source, size);
	return region != NULL ? &region->base : NULL;
}

static struct pages_region *xen_alloc(struct pages *base, size_t size) {
	return share(base, &(struct source){.memfd = -1}, size);
}

static struct pages_region *xen_share_memory(struct pages *base, int fd, uint64_t offset,
		size_t size) {
	if (offset % XEN_PAGE_BYTES != 0 || size % XEN_PAGE_BYTES != 0) {
		errno = EINVAL;
		return NULL;
	}
	return share(base, &(struct source){.memfd = fd, .offset = offset}, size);
}

static void xen_release(struct pages_region *base) {
	struct xen_region *region = (struct xen_region *)base;
	struct pages_xen *pages = (struct pages_xen *)base->pages;
	if (!region->held || !pages->base.connected) {
		region_free(pages, region);
		return;
	}
	region->released = true;
	base->bytes = NULL;
}

/* Importer. */

static void after_acks(struct pages_xen *pages, bool ok, bool doorbell) {
	if (!ok) {
		pages_xen_disconnect(&pages->base);
	} else if (doorbell) {
		xen_ring_bell(pages->session);
	}
}

static void acknowledge(struct pages_xen *pages, uint32_t token) {
	bool doorbell = false;
	if (pages->base.connected) {
		bool ok = pages_acks_push(&pages->acks, token, &doorbell);
		after_acks(pages, ok, doorbell);
	}
}

static bool fill_mapping(struct pages_xen *pages, const struct xen_ref *ref, uint64_t min_size,
		struct pages_mapping *mapping) {
	uint64_t size = (uint64_t)ref->n_pages * XEN_PAGE_BYTES;
	if (size < min_size) {
		errno = ERANGE;
		return false;
	}
	if (ref->n_pages > XEN_MAP_MAX_PAGES ||
			size > pages->base.max_bytes - pages->base.bytes_used) {
		errno = ENOSPC;
		return false;
	}
	*mapping = (struct pages_mapping){
		.fd = xen_broker_map(xen_of(pages)->broker, ref->directory, ref->n_pages),
		.size = size,
		// Where the peer lies about it the compositor's mmap() fails.
		.writable = ref->writable != 0,
		.once = true,
		.quota_bytes = size,
		.id = ref->token,
		.source = (uint64_t)ref->directory << 32 | ref->n_pages,
	};
	return mapping->fd >= 0;
}

static bool xen_map(struct pages *base, const struct pages_ref *untrusted_bytes, uint64_t min_size,
		struct pages_mapping *mapping) {
	struct pages_xen *pages = (struct pages_xen *)base;
	struct xen_ref untrusted_ref;
	memcpy(&untrusted_ref, untrusted_bytes, sizeof(untrusted_ref));
	if (is_sharer(pages) || !base->connected) {
		errno = is_sharer(pages) ? ENOTSUP : ENOTCONN;
		return false;
	}
	if (untrusted_ref.tag != PAGES_TAG || untrusted_ref.n_pages == 0 ||
			untrusted_ref.generation != pages->session->generation ||
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

/* gntdev lets what it mapped be mapped by mmap() once, and never again. */
static int xen_mapping_fd(struct pages *base, const struct pages_mapping *mapping) {
	if (!base->connected) {
		errno = ENOTCONN;
		return -1;
	}
	return xen_broker_map(xen_of((struct pages_xen *)base)->broker,
		(uint32_t)(mapping->source >> 32), (uint32_t)mapping->source);
}

static void xen_unmap(struct pages *base, struct pages_mapping *mapping) {
	struct pages_xen *pages = (struct pages_xen *)base;
	assert(base->bytes_used >= mapping->quota_bytes);
	base->bytes_used -= mapping->quota_bytes;
	pages_acks_drop(&pages->acks, &mapping->fd);
	acknowledge(pages, (uint32_t)mapping->id);
}

/* Both. */

void pages_xen_connect(struct pages *base) {
	struct pages_xen *pages = (struct pages_xen *)base;
	struct xen_session *session = xen_of(pages)->session;
	if (base->connected || pages->lost || session->acks == NULL) {
		return;
	}
	pages->session = xen_session_ref(session);
	ring_init(&pages->acks.ring, &session->acks->ring,
		(uint8_t *)session->acks + XEN_ACKS_RING_OFFSET,
		XEN_PAGE_BYTES - XEN_ACKS_RING_OFFSET);
	if (is_sharer(pages)) {
		// Asks to be rung from the first one on.
		(void)ring_readable(&pages->acks.ring);
	}
	base->connected = true;
	pages_notify_later(base);
}

void pages_xen_disconnect(struct pages *base) {
	struct pages_xen *pages = (struct pages_xen *)base;
	if (pages->lost) {
		return;
	}
	pages->lost = true;
	base->connected = false;
	struct xen_region *region, *next;
	wl_list_for_each_safe(region, next, &pages->regions, link) {
		if (region->released) {
			region_free(pages, region);
		}
	}
	pages_notify_later(base);
}

void pages_xen_look(struct pages *base) {
	struct pages_xen *pages = (struct pages_xen *)base;
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

static void xen_destroy(struct pages *base) {
	struct pages_xen *pages = (struct pages_xen *)base;
	struct xen *xen = xen_of(pages);
	struct xen_region *region, *next;
	wl_list_for_each_safe(region, next, &pages->regions, link) {
		region_free(pages, region);
	}
	pages_acks_finish(&pages->acks);
	xen_session_unref(xen, pages->session);
	pages_finish(base);
	free(pages);
	if (xen->base.vchan == NULL) {
		xen_leave(xen);
	}
}

static const struct pages_impl pages_xen_impl = {
	.destroy = xen_destroy,
	.alloc = xen_alloc,
	.share_memory = xen_share_memory,
	.release = xen_release,
	.map = xen_map,
	.mapping_fd = xen_mapping_fd,
	.unmap = xen_unmap,
};

struct pages *pages_xen_create(struct transport *transport, uint64_t max_bytes) {
	struct xen *xen = (struct xen *)transport;
	struct pages_xen *pages = calloc(1, sizeof(*pages));
	if (pages == NULL) {
		return NULL;
	}
	// First: it ends what there was before.
	xen_join(xen, &xen->pages_took);
	pages->next_token = 1;
	wl_list_init(&pages->regions);
	pages_acks_init(&pages->acks);
	pages_init(&pages->base, &pages_xen_impl, transport, max_bytes);
	if (xen_is_connected(xen)) {
		pages_xen_connect(&pages->base);
	}
	return &pages->base;
}
