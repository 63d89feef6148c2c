/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/arena.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-util.h>

#include "bridge/link.h"
#include "common/checked.h"
#include "protocol/link.h"
#include "protocol/objects.h"
#include "transport/pages.h"

#define ARENA_MIN_BYTES ((size_t)8 << 20)
// A wl_shm_pool's size is an int32_t; whole pages of any machine.
#define ARENA_MAX_BYTES ((size_t)0x7fff0000)
// Larger than what is asked for, so that a window being resized does not make an arena per frame.
#define ARENA_SPARE_FACTOR 2

struct arena {
	struct wl_list link; // struct arena_set.arenas
	struct arena_set *set;
	uint32_t id;
	struct pages_region *region;
	uint8_t *data;
	size_t size;
	size_t used; // bytes in places that are not free
	bool adopted; // an application's memory: one place, given back as soon as it is free
	bool removing; // LINK_ARENA_REMOVE was sent
	struct wl_list places; // struct arena_place.link, by offset, without gaps
};

struct arena_place {
	struct wl_list link; // struct arena.places
	struct arena *arena;
	size_t offset, size;
	bool free;
	uint64_t freed; // when, in places freed
};

struct arena_set {
	struct link *link;
	struct pages *pages;
	struct wl_list arenas; // struct arena.link
	struct id_pool ids;
	uint32_t n_adopted;
	uint64_t n_freed;
	size_t page_bytes; // places are whole pages, so that each is made present by itself
};

struct arena_set *arena_set_create(struct link *link, struct pages *pages) {
	struct arena_set *set = calloc(1, sizeof(*set));
	if (set == NULL) {
		return NULL;
	}
	set->link = link;
	set->pages = pages;
	set->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	wl_list_init(&set->arenas);
	id_pool_init(&set->ids, 1, LIMIT_ARENAS_PER_LINK + 1);
	return set;
}

static void arena_destroy(struct arena *arena) {
	struct arena_place *place, *next;
	wl_list_for_each_safe (place, next, &arena->places, link) {
		assert(place->free);
		free(place);
	}
	id_pool_give(&arena->set->ids, arena->id);
	arena->set->n_adopted -= arena->adopted;
	wl_list_remove(&arena->link);
	pages_release(arena->region);
	free(arena);
}

void arena_set_destroy(struct arena_set *set) {
	if (set == NULL) {
		return;
	}
	struct arena *arena, *next;
	wl_list_for_each_safe (arena, next, &set->arenas, link) {
		arena_destroy(arena);
	}
	id_pool_finish(&set->ids);
	free(set);
}

static struct arena_place *place_insert(
		struct arena *arena, struct wl_list *after, size_t offset, size_t size) {
	struct arena_place *place = calloc(1, sizeof(*place));
	if (place == NULL) {
		return NULL;
	}
	*place = (struct arena_place){.arena = arena, .offset = offset, .size = size, .free = true};
	wl_list_insert(after, &place->link);
	return place;
}

/* Exact fits first and the last freed of them first, whose pages are warm; then whatever leaves
 * least. */
static bool place_is_better(
		const struct arena_place *place, const struct arena_place *best, size_t size) {
	if (best == NULL || (place->size == size && best->size != size)) {
		return true;
	}
	if (place->size == best->size) {
		return place->freed > best->freed;
	}
	return best->size != size && place->size < best->size;
}

static struct arena_place *arena_set_find_place(struct arena_set *set, size_t size) {
	struct arena_place *best = NULL;
	struct arena *arena;
	wl_list_for_each (arena, &set->arenas, link) {
		if (arena->removing || arena->size - arena->used < size) {
			continue;
		}
		struct arena_place *place;
		wl_list_for_each (place, &arena->places, link) {
			if (place->free && place->size >= size &&
					place_is_better(place, best, size)) {
				best = place;
			}
		}
	}
	return best;
}

static void arena_announce(struct arena *arena) {
	struct pages_ref ref = pages_region_ref(arena->region);
	struct link_arena body = {.size = arena->size};
	static_assert(sizeof(body.ref) == sizeof(ref.opaque), "a reference must fit");
	memcpy(body.ref, ref.opaque, sizeof(body.ref));
	link_send(arena->set->link, LINK_ARENA_ADD, 0, arena->id, &body, sizeof(body));
}

/* Before it has memory: what was shared and then not announced would drain for ever, since nobody
 * maps it. NULL with errno. */
static struct arena *arena_create(struct arena_set *set) {
	struct arena *arena = calloc(1, sizeof(*arena));
	if (arena == NULL) {
		return NULL;
	}
	arena->set = set;
	wl_list_init(&arena->places);
	arena->id = id_pool_take(&set->ids);
	if (arena->id == 0) {
		errno = ENOSPC;
		goto error_arena;
	}
	if (place_insert(arena, &arena->places, 0, 0) == NULL) {
		goto error_id;
	}
	return arena;

error_id:
	id_pool_give(&set->ids, arena->id);
error_arena:
	free(arena);
	return NULL;
}

/* Its one place. */
static struct arena_place *arena_first_place(struct arena *arena) {
	struct arena_place *place = wl_container_of(arena->places.next, place, link);
	return place;
}

/* region NULL: frees the arena, keeps errno. */
static bool arena_take_region(struct arena *arena, struct pages_region *region) {
	struct arena_set *set = arena->set;
	if (region == NULL) {
		int saved_errno = errno;
		free(arena_first_place(arena));
		id_pool_give(&set->ids, arena->id);
		free(arena);
		errno = saved_errno;
		return false;
	}
	arena->region = region;
	arena->data = pages_region_data(region);
	arena->size = pages_region_size(region) & ~(set->page_bytes - 1);
	arena_first_place(arena)->size = arena->size;
	wl_list_insert(&set->arenas, &arena->link);
	arena_announce(arena);
	return true;
}

static bool arena_set_add(struct arena_set *set, size_t size) {
	struct arena *arena = arena_create(set);
	return arena != NULL && arena_take_region(arena, pages_alloc(set->pages, size));
}

static bool arena_set_grow(struct arena_set *set, size_t size) {
	if (size > ARENA_MAX_BYTES) {
		errno = ENOSPC;
		return false;
	}
	size_t wanted = size * ARENA_SPARE_FACTOR;
	wanted = wanted > ARENA_MIN_BYTES ? wanted : ARENA_MIN_BYTES;
	wanted = wanted < ARENA_MAX_BYTES ? wanted : ARENA_MAX_BYTES;
	// Near the quota only what is needed may still fit.
	return arena_set_add(set, wanted) || (errno == ENOSPC && arena_set_add(set, size));
}

static bool arena_set_expects_memory(const struct arena_set *set) {
	uint64_t kept = 0;
	const struct arena *arena;
	wl_list_for_each (arena, &set->arenas, link) {
		if (arena->removing) {
			return true;
		}
		kept += arena->size;
	}
	return pages_bytes_used(set->pages) > kept; // regions that are draining
}

struct arena_place *arena_place_create(struct arena_set *set, size_t size) {
	size = align_up(size, set->page_bytes);
	struct arena_place *place = arena_set_find_place(set, size);
	if (place == NULL) {
		if (!arena_set_grow(set, size)) {
			if (errno == ENOSPC && arena_set_expects_memory(set)) {
				errno = EAGAIN;
			}
			return NULL;
		}
		place = arena_set_find_place(set, size);
	}
	if (place->size > size) {
		struct arena_place *rest = place_insert(place->arena, &place->link,
				place->offset + size, place->size - size);
		if (rest == NULL) {
			return NULL;
		}
		rest->freed = place->freed;
		place->size = size;
	}
	place->free = false;
	place->arena->used += size;
	// All pages at once, before the first copy: a fault for each costs several times as much.
	// Best effort: without it the copy takes the faults.
	(void)madvise(arena_place_data(place), size, MADV_POPULATE_WRITE);
	return place;
}

struct arena_place *arena_place_adopt(
		struct arena_set *set, int fd, uint64_t offset, size_t size) {
	if (set->n_adopted >= LIMIT_ARENAS_ADOPTED) {
		errno = ENOSPC;
		return NULL;
	}
	struct arena *arena = arena_create(set);
	if (arena == NULL || !arena_take_region(arena,
			pages_share_memory(set->pages, fd, offset, size))) {
		return NULL;
	}
	set->n_adopted++;
	struct arena_place *place = arena_first_place(arena);
	arena->adopted = true;
	arena->used = place->size;
	place->free = false;
	return place;
}

static bool place_absorb_next(struct arena_place *place) {
	struct wl_list *next_link = place->link.next;
	if (next_link == &place->arena->places) {
		return false;
	}
	struct arena_place *next = wl_container_of(next_link, next, link);
	if (!place->free || !next->free) {
		return false;
	}
	place->size += next->size;
	wl_list_remove(&next->link);
	free(next);
	return true;
}

/* One empty arena is kept: the next window needs it again. */
static bool arena_is_spare(const struct arena *empty) {
	const struct arena *arena;
	wl_list_for_each (arena, &empty->set->arenas, link) {
		if (arena != empty && arena->used == 0 && !arena->removing) {
			return true;
		}
	}
	return empty->adopted;
}

static void arena_give_back(struct arena *empty) {
	if (arena_is_spare(empty)) {
		empty->removing = true;
		link_send(empty->set->link, LINK_ARENA_REMOVE, 0, empty->id, NULL, 0);
	}
}

void arena_place_destroy(struct arena_place *place) {
	struct arena *arena = place->arena;
	place->free = true;
	place->freed = ++arena->set->n_freed;
	arena->used -= place->size;
	place_absorb_next(place);
	if (place->link.prev != &arena->places) {
		struct arena_place *previous = wl_container_of(place->link.prev, previous, link);
		uint64_t freed = place->freed;
		if (place_absorb_next(previous)) {
			previous->freed = freed;
		}
	}
	if (arena->used == 0) {
		arena_give_back(arena);
	}
}

uint8_t *arena_place_data(const struct arena_place *place) {
	return place->arena->data + place->offset;
}

uint32_t arena_place_arena(const struct arena_place *place) {
	return place->arena->id;
}

uint64_t arena_place_offset(const struct arena_place *place) {
	return place->offset;
}

bool arena_set_handle_removed(struct arena_set *set, uint32_t untrusted_id) {
	struct arena *arena, *next;
	wl_list_for_each_safe (arena, next, &set->arenas, link) {
		if (arena->id == untrusted_id && arena->removing) {
			arena_destroy(arena);
			return true;
		}
	}
	return false;
}
