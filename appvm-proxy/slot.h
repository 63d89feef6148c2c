/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_SLOT_H
#define ISTHMUS_APPVM_PROXY_SLOT_H

#include <pixman.h>
#include <stdbool.h>
#include <stdint.h>
#include <wayland-util.h>

struct arena_place;
struct client;
struct shm_buffer;

enum slot_state {
	SLOT_FREE, // may be filled
	SLOT_BUSY, // attached: the compositor may read it until it releases it
	SLOT_REMOVED, // LINK_BUFFER_REMOVE was sent; the place is kept until delete_id
};

/* The place for one frame and the link's wl_buffer over it. */
struct slot {
	struct wl_list link; // the owner's list; own when there is none
	struct client *client;
	uint32_t id; // LINK_BUFFER_ID_START..
	struct arena_place *place; // NULL with PIXELS_INLINE
	uint32_t skip; // bytes of the place before the first pixel
	// Direct: over a buffer's own memory (appvm-proxy/direct.h). source: that buffer, NULL when
	// the application destroyed it.
	bool direct;
	struct shm_buffer *source;
	uint32_t width, height; // pixels
	uint32_t stride, bytes_per_pixel; // bytes
	uint32_t format; // of wl_shm
	enum slot_state state;
	bool returning; // removed while free: delete_id is sure to come
	uint32_t commit; // the client's n_commits when it was committed last
	pixman_region32_t stale; // buffer coordinates; what an earlier frame left there
};

/* All of it stale. NULL with errno: ENOSPC the quota is used up; EAGAIN wait for
 * CLIENT_STALL_MEMORY; else no memory. */
struct slot *slot_create(struct client *client, const struct shm_buffer *like);

/* The same over place, which holds the buffer's own memory from skip bytes on: direct, nothing
 * stale, in no list. The place is taken, also when it fails: NULL with errno. */
struct slot *slot_create_direct(struct client *client, struct shm_buffer *source,
		struct arena_place *place, uint32_t skip);

/* The owner has no use for it any more. It lives on in the client's object table, in no list. */
void slot_remove(struct slot *slot);

/* delete_id came, or the client is gone. Takes it off any list. */
void slot_destroy(struct slot *slot);

bool slot_matches(const struct slot *slot, const struct shm_buffer *buffer);
uint64_t slot_stale_pixels(const struct slot *slot);

/* Of the free slots in list that match, the one with least to copy. NULL: none. */
struct slot *slot_choose(struct wl_list *list, const struct shm_buffer *buffer);

enum slot_fill_result {
	SLOT_FILL_DONE, // nothing is stale
	SLOT_FILL_STALLED, // the link has no room; call again
	SLOT_FILL_FAILED, // the buffer's memory is not there
};

/* Copies what is stale from the buffer, which matches. */
enum slot_fill_result slot_fill(struct slot *slot, struct shm_buffer *buffer);

#endif
