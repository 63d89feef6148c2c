/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_ARENA_H
#define ISTHMUS_APPVM_PROXY_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link;
struct pages;

/*
 * Shared memory for slots, in chunks (arenas) that are shared with the guivm end and cut into
 * page-aligned places. Grows up to the quota of pages, gives empty arenas back.
 */
struct arena_set;
struct arena_place;

/* Borrows link and pages. NULL with errno. */
struct arena_set *arena_set_create(struct link *link, struct pages *pages);

/* Every place must have been freed. NULL is legal. */
void arena_set_destroy(struct arena_set *set);

/* NULL with errno. ENOSPC: the quota is used up; EAGAIN: the same, but arenas are on their way
 * back, so that it may work after arena_set_handle_removed() or the handler of pages. */
struct arena_place *arena_place_create(struct arena_set *set, size_t size);

/* Shares an application's own memory, as pages_share_memory() has it, in an arena of its own, which
 * nothing else is put into. NULL with errno: that function's, and ENOSPC when there are too many
 * arenas. */
struct arena_place *arena_place_adopt(
		struct arena_set *set, int fd, uint64_t offset, size_t size);

/* The compositor must have let go of it. */
void arena_place_destroy(struct arena_place *place);

/* Not of one that was adopted. */
uint8_t *arena_place_data(const struct arena_place *place);
uint32_t arena_place_arena(const struct arena_place *place);
uint64_t arena_place_offset(const struct arena_place *place);

/* The answer to LINK_ARENA_REMOVE. false: nobody asked. */
bool arena_set_handle_removed(struct arena_set *set, uint32_t untrusted_id);

#endif
