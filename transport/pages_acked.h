/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_PAGES_ACKED_H
#define ISTHMUS_TRANSPORT_PAGES_ACKED_H

#include <wayland-util.h>

#include "transport/backend.h"
#include "transport/pages_acks.h"

/*
 * The pages of the backends between machines (kvm, xen), as part of a session (session.h). A
 * reference says in which session the region is, by what token the importer acknowledges that it
 * let go of it, and where it lies; the last is the backend's own, as is the memory.
 */
struct pages_acked;

/* As it lies in struct pages_ref. */
struct pages_acked_ref {
	uint32_t tag; // the backend's
	uint32_t token; // from 1 upwards in each session
	uint32_t place[2]; // the backend's
	uint64_t generation; // of the session: random
};
_Static_assert(sizeof(struct pages_acked_ref) == PAGES_REF_BYTES,
		"a reference is all of its bytes");

/* First member of the backend's region, which calloc() made. */
struct pages_acked_region {
	struct pages_region base;
	uint32_t token;
	bool released;
	bool held; // the importer has not let go of it yet
	struct wl_list link; // pages_acked.regions
};

/* Pages of a file that somebody else made. */
struct pages_acked_source {
	int fd; // borrowed
	uint64_t offset; // in bytes, of whole pages
};

struct pages_acked_impl {
	uint32_t tag;
	bool can_share_memory; // create() takes a source
	/* Sharer. A region of size bytes, zeroed, or of source's where that is not NULL; sets its
	 * bytes, links it into the list and fills in place; sets pages->generation where it was not
	 * known before. NULL with errno. */
	struct pages_acked_region *(*create)(struct pages_acked *pages,
			const struct pages_acked_source *source, size_t size, uint32_t place[2]);
	/* Sharer. Takes the region's memory back; NULL: its place in the list was all. */
	void (*unshare)(struct pages_acked *pages, struct pages_acked_region *region);
	/* Importer. How many bytes lie there, 0 where nothing can. */
	uint64_t (*measure)(struct pages_acked *pages, const uint32_t untrusted_place[2]);
	/* Importer. Fills in fd, offset, writable, once, can_shrink and can_dmabuf; size is there.
	 * false with errno. */
	bool (*map)(struct pages_acked *pages, const uint32_t place[2],
			struct pages_mapping *mapping);
	/* Importer. Another descriptor of what lies there; -1 with errno. NULL unless map() says
	 * that a mapping is mapped once. */
	int (*mapping_fd)(struct pages_acked *pages, const uint32_t place[2]);
	/* Importer. A dma-buf of what lies there, the region's with that token; -1 with errno. NULL
	 * unless map() says that there can be one. */
	int (*mapping_dmabuf)(struct pages_acked *pages, const uint32_t place[2], uint32_t token);
	/* Importer. The region was unmapped: pages_acked_dmabuf_released() is to be called, from
	 * the event loop, as soon as nobody has its dma-buf any more. */
	void (*watch_dmabuf)(struct pages_acked *pages, uint32_t token);
	/* Frees what the backend added. NULL: nothing. */
	void (*finish)(struct pages_acked *pages);
};

/* First member of the backend's pages. */
struct pages_acked {
	struct pages base;
	const struct pages_acked_impl *impl;
	size_t unit; // sizes are multiples of it
	bool lost;
	uint64_t generation; // once known
	struct pages_acks acks;

	struct wl_list dmabufs; // importer: struct mapped_dmabuf.link
	struct wl_list regions; // sharer: pages_acked_region.link, draining ones too
	size_t n_regions;
	uint32_t next_token;
};

/* Freed with free() by pages_destroy(). */
void pages_acked_init(struct pages_acked *pages, const struct pages_acked_impl *impl,
		struct transport *transport, size_t unit, uint64_t max_bytes);

/* The ring of acknowledgements: see ring_init(). What it lies in stays until finish(). */
void pages_acked_connect(struct pages_acked *pages, uint64_t generation,
		struct ring_shared *shared, void *bytes, uint32_t size);

/* Acknowledges the region whose dma-buf is gone, if one was unmapped and waits for that. Calls no
 * handler. */
void pages_acked_dmabuf_released(struct pages_acked *pages, uint32_t token);

/* Does nothing to those that are lost. Calls no handler. */
void pages_acked_disconnect(struct pages_acked *pages);

/* Sends or receives acknowledgements. Calls no handler. */
void pages_acked_look(struct pages_acked *pages);

#endif
