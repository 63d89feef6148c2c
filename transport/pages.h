/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_PAGES_H
#define ISTHMUS_TRANSPORT_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct transport;

/*
 * Memory that one VM shares with the other, independent of any open vchan. The application side
 * allocates and shares; the GUI side maps. A region is named by a fixed-size reference that can
 * travel as plain bytes in any message; it holds no descriptor, domid, address or offset, and a
 * reference of an earlier connection is refused.
 *
 *   sharer:   pages_alloc() or pages_share_fd() -> pages_region_ref() -> (it goes over the vchan)
 *   importer: pages_map(ref) -> use mapping.fd and mapping.offset -> pages_unmap()
 *   sharer:   pages_release(): the region is DRAINING until the importer unmapped it or died, then
 *             its memory is free. Memory is zeroed before it is handed out.
 *
 * A reference that was written to the vchan after pages_alloc() or pages_share_fd() returned can be
 * mapped by whoever read it from there, also when the region was released right after. Name every
 * region that you share: one that is never mapped drains until the connection ends, and more than
 * LIMIT_PAGES_UNCLAIMED that were passed over end the connection.
 */
#define PAGES_REF_BYTES 24
struct pages_ref {
	uint8_t opaque[PAGES_REF_BYTES];
};

struct pages;
struct pages_region;

/*
 * Called from the event loop, never from within another call, when the connection came up or was
 * lost, a released region became FREE, or there is room again after EAGAIN. A hint: calls are
 * coalesced. The handler may destroy the pages. May be NULL.
 */
typedef void (*pages_handler_func_t)(struct pages *pages, void *data);

/*
 * Opens this end. Does not wait for the peer; what is shared before it comes (at most
 * LIMIT_PAGES_UNCLAIMED regions, then EAGAIN) is offered when it comes. max_bytes: quota over
 * everything allocated (sharer) or allocated by the peer and mapped (importer); regions that are
 * DRAINING still count. Handed-over descriptors do not: they are sparse more often than not, and
 * somebody else's memory; their number is limited (LIMIT_PAGES_REGIONS).
 *
 * One per transport and link; destroy it with the vchan and create both anew. With the local
 * backend the two always have the same peer, and where a vchan is CONNECTED, pages that were
 * created before it or at its side are too. NULL with errno; ENOTSUP when the transport has no
 * TRANSPORT_PAGES, EBUSY when there is one.
 */
struct pages *pages_create(struct transport *transport, uint64_t max_bytes,
		pages_handler_func_t handler, void *data);

/* Frees everything, regions and mappings included (their descriptors are closed). NULL is legal. */
void pages_destroy(struct pages *pages);

/* Lost connections do not come back. */
bool pages_connected(const struct pages *pages);

/* Bytes that count against the quota now. */
uint64_t pages_bytes_used(const struct pages *pages);

/*
 * Sharer. size is rounded up to whole pages of this machine. The memory is zeroed, page-aligned,
 * pre-faulted, and cannot shrink under the importer. NULL with errno: ENOSPC quota, ENOMEM, EINVAL
 * size is 0, EAGAIN as below, EPIPE the connection was lost.
 */
struct pages_region *pages_alloc(struct pages *pages, size_t size);

/* The sharer's own mapping, readable and writable (NULL when it is somebody else's memory), and its
 * size in bytes. Borrowed. */
void *pages_region_data(struct pages_region *region);
size_t pages_region_size(const struct pages_region *region);

/*
 * Sharer, TRANSPORT_HANDOVER only: shares a descriptor that somebody else made. Not sealed, not
 * trusted: whoever maps it must survive SIGBUS. fd is duplicated. NULL with errno: EINVAL the
 * importer would refuse it (not a non-empty readable regular file on tmpfs, as memfds are; copy it
 * instead), EAGAIN the peer does not keep up (call again after the handler ran), ENOSPC, EPIPE,
 * ENOTSUP.
 */
struct pages_region *pages_share_fd(struct pages *pages, int fd);

/*
 * Sharer, TRANSPORT_HANDOVER only: passes a descriptor that is nothing to be mapped but something
 * of the kernel that both ends run on, such as a dmabuf. Not looked at. fd is duplicated. The
 * region has no size; release it when it was named. NULL with errno as pages_share_fd(), but for
 * EINVAL.
 */
struct pages_region *pages_pass_fd(struct pages *pages, int fd);

/*
 * Sharer: shares pages of a file that somebody else made where they lie, to be read by the importer
 * as those of pages_alloc(). offset and size in bytes, both of whole pages. They count against the
 * quota and stay in memory until the region is free, whatever happens to the file; fd is borrowed
 * and may be closed. NULL with errno: ENOTSUP this transport, or this machine's kernel, never can;
 * EPERM the file is no memfd that is sealed against shrinking and not against writing; EINVAL not
 * whole pages, or beyond the file's end; ENOSPC, EAGAIN, EPIPE, ENOMEM and what the kernel says.
 * Copy it instead.
 */
struct pages_region *pages_share_memory(struct pages *pages, int fd, uint64_t offset, size_t size);

struct pages_ref pages_region_ref(const struct pages_region *region);

/* Frees the handle and starts draining. NULL is legal. */
void pages_release(struct pages_region *region);

/* Filled in by pages_map(): mmap(NULL, size, PROT_READ, MAP_SHARED, fd, offset) works on it. */
struct pages_mapping {
	int fd; // owned by the mapping, closed by pages_unmap(); duplicate it to keep it
	off_t offset;
	uint64_t size; // bytes, as the trusted side measured it, never as the peer claimed
	bool writable; // may be mapped PROT_WRITE too (wl_shm does that)
	bool once; // mmap() works one time, whoever calls it: as Xen's gntdev has it
	bool can_shrink; // handed over and not sealed: guard every access against SIGBUS
	bool can_dmabuf; // pages_mapping_dmabuf() may work
	bool has_dmabuf; // internal
	uint64_t id, quota_bytes, source; // internal
	uint32_t n_given; // internal
};

/*
 * Importer. false with errno: ENOENT unknown, stale or already mapped reference (the peer broke the
 * protocol); EINVAL the region is no memory that may be mapped (not a regular file on tmpfs, not
 * sealed although allocated, handed over although the transport has no TRANSPORT_HANDOVER, passed
 * by pages_pass_fd()); ERANGE smaller than min_size; ENOSPC quota; ENOTCONN the connection is gone.
 * A reference is used up by the first call that does not say ENOENT.
 */
bool pages_map(struct pages *pages, const struct pages_ref *untrusted_ref, uint64_t min_size,
		struct pages_mapping *mapping);

/*
 * Importer: a descriptor of pages_pass_fd(), the caller's, whatever it may be. -1 with errno:
 * ENOENT and ENOTCONN as pages_map(), EINVAL when it was shared to be mapped. A reference is used
 * up as by pages_map().
 */
int pages_take_fd(struct pages *pages, const struct pages_ref *untrusted_ref);

/*
 * Importer: a descriptor of the mapping's memory at its offset, the caller's, to be mapped beside
 * others: a duplicate, or, with mapping.once, one that shares nothing with others and counts
 * against the quota like another region, but for the first. -1 with errno: ENOSPC quota, others.
 * forget: one of them is not mapped any more.
 */
int pages_mapping_fd(struct pages *pages, struct pages_mapping *mapping);
void pages_mapping_forget(struct pages *pages, struct pages_mapping *mapping);

/*
 * Importer: the mapping's memory as a dma-buf besides, for a GPU that is to read it: a descriptor,
 * the caller's, and one for each mapping. It is as large as the mapping and may be good for nothing
 * else: it has no mmap() with Xen's gntdev. Whoever has it could also write, into memory of the
 * peer's that the peer can write itself. Counts against the quota like another region until the
 * region is acknowledged, which is when nobody has the dma-buf any more after pages_unmap(). -1
 * with errno: ENOTSUP this transport, its peer or this machine's kernel never can; ENOSPC a quota
 * or limit; ENOTCONN; what the kernel says. The mapping stays as it is.
 */
int pages_mapping_dmabuf(struct pages *pages, struct pages_mapping *mapping);

/* Closes and acknowledges. */
void pages_unmap(struct pages *pages, struct pages_mapping *mapping);

#endif
