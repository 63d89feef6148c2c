/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/arenas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/link.h"
#include "common/fd.h"
#include "common/log.h"
#include "guivm-server/relay/buffers.h"
#include "guivm-server/relay/client.h"
#include "guivm-server/relay/relay.h"
#include "guivm-server/relay/upstream.h"

struct arena_list *arena_list_create(uint64_t max_inline_bytes) {
	struct arena_list *list = calloc(1, sizeof(*list));
	if (list != NULL) {
		list->max_inline_bytes = max_inline_bytes;
	}
	return list;
}

static void arena_unmap(struct arena *arena, struct relay *relay) {
	upstream_let_go(relay->upstream, arena->held);
	fd_close(&arena->dmabuf_fd);
	pages_unmap(relay->pages, &arena->mapping);
	arena->live = false;
}

void arena_list_destroy(struct arena_list *list, struct relay *relay) {
	if (list == NULL) {
		return;
	}
	for (uint32_t i = 0; i < LIMIT_ARENAS_PER_LINK; i++) {
		if (list->arenas[i].live) {
			arena_unmap(&list->arenas[i], relay);
		}
	}
	free(list);
}

struct arena *arena_list_find(struct arena_list *list, uint32_t untrusted_id) {
	if (untrusted_id == 0 || untrusted_id > LIMIT_ARENAS_PER_LINK ||
			!list->arenas[untrusted_id - 1].live) {
		return NULL;
	}
	return &list->arenas[untrusted_id - 1];
}

static const char *map_error_text(int error) {
	switch (error) {
	case ENOENT:
		return "a reference to pages that were not shared";
	case ERANGE:
		return "larger than its memory";
	case ENOSPC:
		return "over the VM's quota";
	default:
		return "no memory that can be mapped";
	}
}

bool arena_fits_pool(const struct arena *arena) {
	// Of a large memfd, buffers lie in what a pool can cover (buffers.c).
	bool reachable = arena->mapping.offset == 0 ||
			 arena->mapping.offset <= INT32_MAX - (int64_t)arena->size;
	return reachable && arena->mapping.writable;
}

/* Whatever keeps it from one, the mapping is there. */
static int take_dmabuf(struct relay *relay, struct arena *arena) {
	if (!arena->mapping.can_dmabuf) {
		return -1;
	}
	bool taken = upstream_takes_dmabufs(relay->upstream);
	int fd = taken ? pages_mapping_dmabuf(relay->pages, &arena->mapping) : -1;
	if (fd < 0 && !relay->arenas->told_no_dmabuf) {
		relay->arenas->told_no_dmabuf = true;
		log_info("memory of applications is mapped, and not a GPU's to read: %s",
				taken ? strerror(errno) : "the compositor does not take it");
	}
	return fd;
}

static void handle_add(struct relay *relay, const struct link_frame *frame) {
	uint32_t untrusted_id = frame->header.arg;
	struct link_arena untrusted_arena = link_frame_arena(frame);
	if (relay->pages == NULL || untrusted_id == 0 || untrusted_id > LIMIT_ARENAS_PER_LINK ||
			relay->arenas->arenas[untrusted_id - 1].live || untrusted_arena.size == 0) {
		link_fail(relay->link, LINK_BYE_PROTOCOL, "arena %u is not new", untrusted_id);
		return;
	}
	struct arena *arena = &relay->arenas->arenas[untrusted_id - 1];
	struct pages_ref ref;
	memcpy(&ref, untrusted_arena.ref, sizeof(ref));
	if (!pages_map(relay->pages, &ref, untrusted_arena.size, &arena->mapping)) {
		int error = errno;
		link_fail(relay->link, error == ENOSPC ? LINK_BYE_LIMIT : LINK_BYE_PROTOCOL,
				"arena %u: %s", untrusted_id, map_error_text(error));
		return;
	}
	arena->size = untrusted_arena.size;
	if (!upstream_maps_arenas(relay->upstream) && !arena_fits_pool(arena)) {
		pages_unmap(relay->pages, &arena->mapping);
		link_fail(relay->link, LINK_BYE_INTERNAL,
				"arena %u: memory that the compositor cannot map", untrusted_id);
		return;
	}
	// Otherwise what the last application let go of, the next could not have.
	arena->held = arena->mapping.once ? upstream_hold(relay->upstream, &arena->mapping) : NULL;
	arena->dmabuf_fd = take_dmabuf(relay, arena);
	arena->live = true;
	arena->n_buffers = 0;
}

static void handle_remove(struct relay *relay, const struct link_frame *frame) {
	uint32_t untrusted_id = frame->header.arg;
	struct arena *arena = arena_list_find(relay->arenas, untrusted_id);
	if (arena == NULL || arena->n_buffers > 0) {
		link_fail(relay->link, LINK_BYE_PROTOCOL, "arena %u: %s", untrusted_id,
				arena == NULL ? "there is none" : "still in use");
		return;
	}
	struct client *client;
	wl_list_for_each (client, &relay->clients, link) {
		buffer_list_drop_pool(client, untrusted_id);
	}
	arena_unmap(arena, relay);
	link_send(relay->link, LINK_ARENA_REMOVE, 0, untrusted_id, NULL, 0);
}

void arena_list_handle_frame(struct relay *relay, const struct link_frame *frame) {
	if (relay->arenas == NULL) {
		link_fail(relay->link, LINK_BYE_PROTOCOL,
				"arenas on a link that hands memory over");
	} else if (frame->header.type == LINK_ARENA_ADD) {
		handle_add(relay, frame);
	} else {
		handle_remove(relay, frame);
	}
}
