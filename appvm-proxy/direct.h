/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_DIRECT_H
#define ISTHMUS_APPVM_PROXY_DIRECT_H

struct client;
struct shm_buffer;
struct slot;

/*
 * Buffers that are shown where the application drew them, with no copy. Where the transport can
 * share memory that somebody else made (pages_share_memory()), a wl_buffer that is committed for
 * the DIRECT_COMMITS-th time gets a slot over its own memory: to share costs as much as some
 * frames do, and many buffers are used once. From then on a commit attaches that slot, and the
 * application gets its buffer back when the compositor released the slot, not at once.
 *
 * The memory is held from the first such commit until the application destroyed the buffer and the
 * compositor let go: what it punches out of its file meanwhile, it no longer changes on the screen.
 * Whoever does not seal its memory, as most toolkits do, is copied from as before.
 */
#define DIRECT_COMMITS 2
#define DIRECT_MIN_BYTES (256u << 10) /* less is copied sooner than shared */

/* The slot to attach for the commit of a buffer. NULL: it is to be copied. */
struct slot *direct_take(struct client *client, struct shm_buffer *buffer);

/* The compositor released it. */
void direct_handle_release(struct slot *slot);

/* The application destroyed the buffer. */
void direct_forget(struct shm_buffer *buffer);

#endif
