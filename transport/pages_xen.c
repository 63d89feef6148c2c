/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "transport/xen.h"
#include "transport/xen_broker.h"

/*
 * A region is pages of gntalloc, given to the GUI VM's domain and to no other, read-only unless
 * asked otherwise. Its reference names the first page of a directory (struct xen_directory), which
 * lies behind the region in the same allocation, or by itself where the region is somebody else's
 * memory (transport/xen_dmabuf.h). The GUI side maps it through the broker, once; from then on
 * nothing is asked of Xen until it is unmapped. Pages that are still mapped when the sharer frees
 * them (the compositor lets go later than the relay, or the relay died) are kept from reuse by the
 * kernel.
 */
#define PAGES_TAG 0x204e4558u /* "XEN " */

/* A reference's place. */
enum {
	PLACE_DIRECTORY, // a grant of the application's domain
	PLACE_PAGES, // how many, and whether they may be mapped for writing
};
#define PLACE_WRITABLE (1u << 31)

struct xen_region {
	struct pages_acked_region base;
	void *mapping;
	uint64_t index; // of gntalloc
	uint32_t n_pages; // there, with the directory
	int dmabuf_fd; // of memory that somebody else made, which gntalloc has not; -1: none
};

struct pages_xen {
	struct pages_acked base;
	struct xen_session *session; // once connected; held
};

static struct xen *xen_of(struct pages_acked *pages) {
	return (struct xen *)pages->base.transport;
}

/* Sharer. */

static void region_unshare(struct pages_acked *pages, struct pages_acked_region *base) {
	struct xen_region *region = (struct xen_region *)base;
	munmap(region->mapping, (size_t)region->n_pages * XEN_PAGE_BYTES);
	xen_grants_free(xen_of(pages)->gntalloc_fd, region->index, region->n_pages);
	if (region->dmabuf_fd >= 0) {
		xen_dmabuf_unshare(&xen_of(pages)->dmabuf, &region->dmabuf_fd);
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
static bool region_take_pages(struct pages_acked *pages, struct xen_region *region,
		uint32_t n_pages, uint32_t *refs) {
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

/* The reference of the directory, or 0 with errno. */
static uint32_t region_share(struct pages_acked *pages, struct xen_region *region,
		const struct pages_acked_source *source, uint32_t n_pages) {
	struct xen *xen = xen_of(pages);
	uint32_t first = 0, n_directories = count_directories(n_pages);
	uint32_t *refs = calloc(n_pages + n_directories, sizeof(*refs));
	bool given = source != NULL;
	region->dmabuf_fd = -1;
	if (refs == NULL || (given && !xen_dmabuf_share(&xen->dmabuf, source->fd,
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

static struct pages_acked_region *region_create(struct pages_acked *pages,
		const struct pages_acked_source *source, size_t size, uint32_t place[2]) {
	struct xen *xen = xen_of(pages);
	if (xen->session == NULL || size > (size_t)XEN_MAP_MAX_PAGES * XEN_PAGE_BYTES) {
		// Before there is a vchan it is not known to whom.
		errno = xen->session == NULL ? EAGAIN : ENOSPC;
		return NULL;
	}
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
	region->base.base.bytes = source == NULL ? region->mapping : NULL;
	wl_list_insert(&pages->regions, &region->base.link);
	pages->generation = xen->session->generation;
	place[PLACE_DIRECTORY] = directory;
	// Somebody else's memory cannot be granted otherwise (transport/xen_dmabuf.h).
	bool writable = xen->writable_grants || source != NULL;
	place[PLACE_PAGES] = n_pages | (writable ? PLACE_WRITABLE : 0);
	return &region->base;
}

/* Importer. */

static uint64_t measure(struct pages_acked *pages, const uint32_t untrusted_place[2]) {
	return (uint64_t)(untrusted_place[PLACE_PAGES] & ~PLACE_WRITABLE) * XEN_PAGE_BYTES;
}

/* gntdev lets what it mapped be mapped by mmap() once, and never again. */
static int mapping_fd(struct pages_acked *pages, const uint32_t place[2]) {
	return xen_broker_map(xen_of(pages)->broker, place[PLACE_DIRECTORY],
		place[PLACE_PAGES] & ~PLACE_WRITABLE);
}

static bool map(struct pages_acked *pages, const uint32_t place[2],
		struct pages_mapping *mapping) {
	if ((place[PLACE_PAGES] & ~PLACE_WRITABLE) > XEN_MAP_MAX_PAGES) {
		errno = ENOSPC;
		return false;
	}
	mapping->fd = mapping_fd(pages, place);
	// Where the peer lies about it the compositor's mmap() fails.
	mapping->writable = (place[PLACE_PAGES] & PLACE_WRITABLE) != 0;
	mapping->once = true;
	mapping->can_dmabuf = mapping->writable && !xen_of(pages)->cannot_export;
	return mapping->fd >= 0;
}

/* gntdev exports for writing too, or not at all. What keeps the first from being one will keep the
 * others: a kernel or a domain that cannot, or a peer that lies about its memory. */
static int mapping_dmabuf(struct pages_acked *pages, const uint32_t place[2], uint32_t token) {
	struct xen *xen = xen_of(pages);
	int fd = xen_broker_export(xen->broker, place[PLACE_DIRECTORY],
			place[PLACE_PAGES] & ~PLACE_WRITABLE, token);
	xen->cannot_export = fd < 0 && !xen->exported;
	xen->exported = xen->exported || fd >= 0;
	return fd;
}

static void watch_dmabuf(struct pages_acked *pages, uint32_t token) {
	xen_broker_watch(xen_of(pages)->broker, token);
}

/* Both. */

void pages_xen_connect(struct pages_acked *pages) {
	struct xen_session *session = xen_of(pages)->session;
	if (session->acks == NULL) {
		return;
	}
	((struct pages_xen *)pages)->session = xen_session_ref(session);
	pages_acked_connect(pages, session->generation, &session->acks->ring,
			(uint8_t *)session->acks + XEN_ACKS_RING_OFFSET,
			XEN_PAGE_BYTES - XEN_ACKS_RING_OFFSET);
}

static void xen_finish(struct pages_acked *pages) {
	xen_session_unref(xen_of(pages), ((struct pages_xen *)pages)->session);
}

static const struct pages_acked_impl pages_xen_impl = {
	.tag = PAGES_TAG,
	.create = region_create,
	.can_share_memory = true,
	.unshare = region_unshare,
	.measure = measure,
	.map = map,
	.mapping_fd = mapping_fd,
	.mapping_dmabuf = mapping_dmabuf,
	.watch_dmabuf = watch_dmabuf,
	.finish = xen_finish,
};

struct pages *pages_xen_create(struct transport *transport, uint64_t max_bytes) {
	struct pages_xen *pages = calloc(1, sizeof(*pages));
	if (pages == NULL || !session_add_pages((struct session_transport *)transport,
			&pages->base, &pages_xen_impl, XEN_PAGE_BYTES, max_bytes)) {
		free(pages);
		return NULL;
	}
	return &pages->base.base;
}
