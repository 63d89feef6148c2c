/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_RELAY_ARENAS_H
#define ISTHMUS_GUIVM_SERVER_RELAY_ARENAS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/limits.h"
#include "protocol/link.h"
#include "transport/pages.h"

struct isthmus_arena_v1;
struct relay;

/*
 * The memory that one VM shares for its pixels, by arena id. The relay never looks into it: it
 * gives the compositor the descriptor.
 */
struct arena {
	bool live;
	uint32_t n_buffers; // of all applications, removed ones that the compositor still reads
			    // included
	uint64_t size; // as LINK_ARENA_ADD said, checked against what is mapped
	struct pages_mapping mapping;
	struct isthmus_arena_v1 *held; // where it is mapped once for all; or NULL
	int dmabuf_fd; // the same for a GPU; -1: none
};

struct arena_list {
	struct arena arenas[LIMIT_ARENAS_PER_LINK]; // index: arena id - 1
	uint64_t inline_bytes; // memory of buffers without arena
	uint64_t max_inline_bytes;
	bool told_no_dmabuf; // what keeps arenas from a GPU
};

struct arena_list *arena_list_create(uint64_t max_inline_bytes);
/* pages: where the arenas were mapped; NULL when there are none. list may be NULL. */
void arena_list_destroy(struct arena_list *list, struct relay *relay);

/* A live arena or NULL. Any id is legal input. */
struct arena *arena_list_find(struct arena_list *list, uint32_t untrusted_id);

/* Whether a wl_shm_pool can reach it: a pool covers its memory from the start of the descriptor, as
 * wl_shm has no offset for one, and is mapped for writing, too. */
bool arena_fits_pool(const struct arena *arena);

/* LINK_ARENA_ADD, LINK_ARENA_REMOVE. */
void arena_list_handle_frame(struct relay *relay, const struct link_frame *frame);

#endif
