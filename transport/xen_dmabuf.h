/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_XEN_DMABUF_H
#define ISTHMUS_TRANSPORT_XEN_DMABUF_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Granting memory of this domain where it lies: /dev/udmabuf makes a dma-buf of pages of a memfd,
 * and gntdev (CONFIG_XEN_GNTDEV_DMABUF) grants a dma-buf's pages. The other domain maps them as it
 * maps those of gntalloc and need not know.
 *
 * Such grants are for reading and writing, as gntdev makes no others: the other domain can write
 * into that memory. Pages are kept in memory by the dma-buf; those that the other domain still maps
 * when they are taken back, the kernel keeps from reuse until it lets go.
 */
struct xen_dmabuf {
	int udmabuf_fd, gntdev_fd; // -1: this kernel cannot
};

/*
 * Finds out by sharing a page with own_domid, which is this domain, and reading it back: that a
 * kernel has the requests does not tell, since in a PV domain they grant other pages than they
 * should (a dma-buf's addresses are no machine addresses there). Where it cannot, both descriptors
 * are -1 and nothing else is wrong.
 */
void xen_dmabuf_open(struct xen_dmabuf *dmabuf, uint16_t own_domid);
void xen_dmabuf_close(struct xen_dmabuf *dmabuf);

/*
 * Grants n_pages pages from offset (bytes) of memfd on to domid: their references in refs. *fd is
 * the dma-buf that holds them, to be given to xen_dmabuf_unshare(). false with errno: ENOTSUP this
 * kernel cannot; EPERM memfd is no memfd, not sealed against shrinking, or sealed against writing;
 * what the kernel says otherwise, and nothing is granted.
 */
bool xen_dmabuf_share(struct xen_dmabuf *dmabuf, int memfd, uint64_t offset, uint32_t n_pages,
		uint16_t domid, uint32_t *refs, int *fd);
/* Closes it. */
void xen_dmabuf_unshare(struct xen_dmabuf *dmabuf, int *fd);

#endif
