/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_XEN_EXPORTS_H
#define ISTHMUS_TRANSPORT_XEN_EXPORTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"

/*
 * The dma-bufs that the broker made of another domain's pages for one connection, by the tokens of
 * their regions. It keeps none of them: each was made by an open file of gntdev of its own, which
 * is kept, and can be asked whether the dma-buf is still there. So a number that is used again in
 * this process is never taken for another.
 */
#define XEN_EXPORTS_LOOK_MS 100 /* between questions, while there is something to ask */

struct xen_export {
	uint32_t token; // never 0
	int gntdev_fd;
	int number; // the dma-buf's, when this process had it
	uint32_t watched; // its end is to be told
};

struct xen_exports {
	struct xen_export exports[LIMIT_EXPORTS]; // n_exports of them, in no order
	size_t n_exports, n_watched;
};

/* Those that are left are never told. */
void xen_exports_finish(struct xen_exports *exports);

/* A dma-buf of n_pages pages of domid, the caller's. gntdev_fd, with which nothing was exported, is
 * kept. -1 with errno: as xen_grants_export(), ENOSPC there are LIMIT_EXPORTS, EEXIST token is 0 or
 * in use; gntdev_fd is the caller's then. */
int xen_exports_add(struct xen_exports *exports, int gntdev_fd, uint16_t domid,
		uint32_t token, const uint32_t *untrusted_refs, uint32_t n_pages);

/* Its end is to be told from now on. Any token is legal. */
void xen_exports_watch(struct xen_exports *exports, uint32_t token);

/* One that is watched and that nobody has any more; 0 none. */
uint32_t xen_exports_next_gone(const struct xen_exports *exports);
void xen_exports_remove(struct xen_exports *exports, uint32_t token);

#endif
