/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_PILES_H
#define ISTHMUS_GUIVM_SERVER_PILES_H

struct piles;
struct server;

/*
 * What wlroots keeps for a client grows with what that asks for, without an end. Two things grow
 * faster than the requests do, so that a few of them would stop the whole desktop, and are bounded
 * here, whoever the client is:
 *
 * - Regions. A hundred stripes across a hundred others are ten thousand rectangles, and each
 *   further one looks at all of them. Damage of so many (LIMIT_DAMAGE_RECTS) becomes the box
 *   around it; a wl_region of so many (LIMIT_REGION_RECTS) ends its client. What a surface says
 *   is opaque only saves work: of LIMIT_OPAQUE_RECTS it would cost some, and nothing is.
 * - Commits that wait, such as a synchronized subsurface's for its parent's, or for a time
 *   (timing.h). Each is kept with its regions. A client with too many
 *   (LIMIT_WAITING_COMMIT_BYTES) is ended.
 */
/* NULL: out of memory. */
struct piles *piles_create(struct server *server);
void piles_destroy(struct piles *piles);

#endif
