/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_TIMING_H
#define ISTHMUS_GUIVM_SERVER_TIMING_H

#include <stdbool.h>

struct output;
struct server;
struct timing;

/*
 * fifo-v1 and commit-timing-v1, which wlroots 0.20 has not: commits that wait. A commit with
 * wait_barrier waits while the barrier is up that an earlier commit of the surface raised; it falls
 * when the surface's output was drawn. A commit with a timestamp waits until its output, if drawn
 * now, shows it no sooner. What a surface commits after one that waits, waits behind it.
 *
 * Nobody is held for ever but by a time of its own choice: where a surface is not shown a barrier
 * falls after a sixtieth of a second, and where its output is not drawn after a second. Surfaces
 * without a role are not held, nor are synchronised subsurfaces, whose times count for the commit
 * of the parent that takes them along; and nothing waits beyond the end of its role.
 *
 * What waits is counted in piles.c.
 */
/* NULL: out of memory or descriptors. */
struct timing *timing_create(struct server *server);
/* When there are no surfaces any more. NULL is legal. */
void timing_destroy(struct timing *timing);

/* To be called before an output is drawn: whose time has come is applied. */
void timing_handle_draw(struct timing *timing, struct output *output);
/* After it was drawn, or was found to have nothing new to draw: its surfaces' barriers fall. */
void timing_handle_drawn(struct timing *timing, struct output *output);

#endif
