/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_RELAY_ID_MAP_H
#define ISTHMUS_GUIVM_SERVER_RELAY_ID_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/objects.h"

/*
 * The ids of one connection to the compositor, which the relay chooses (dense, as libwayland-server
 * demands), and what each stands for: an object of the application under its link id, or one of the
 * relay's own.
 */
#define ID_MAP_DISPLAY 1u // the same on both sides

/* The relay's own objects, in place of a link id. No application's id: those end far below
 * (LIMIT_OBJECTS_PER_CLIENT), link buffers start above. */
#define ID_MAP_OWN_REGISTRY 0xfd000001u
#define ID_MAP_OWN_SHM 0xfd000002u
#define ID_MAP_OWN_POOL 0xfd000003u
#define ID_MAP_OWN_CALLBACK 0xfd000004u
#define ID_MAP_OWN_ARENA_MANAGER 0xfd000005u
#define ID_MAP_OWN_ARENA 0xfd000006u

static inline bool id_map_is_own(uint32_t link_id) {
	return link_id >= ID_MAP_OWN_REGISTRY && link_id <= ID_MAP_OWN_ARENA;
}

struct id_map {
	struct id_pool pool;
	uint32_t *link_ids; // owned, by relay id; 0: free
	uint32_t capacity;
};

void id_map_init(struct id_map *map);
void id_map_finish(struct id_map *map);

/* A relay id for link_id (not 0); 0 when there is none left or memory is out. */
uint32_t id_map_take(struct id_map *map, uint32_t link_id);

/* The link id behind relay_id: itself for the compositor's own ids, 0 when nothing lives there. Any
 * id is legal input. */
uint32_t id_map_find(const struct id_map *map, uint32_t relay_id);

/* The id may be used again: the compositor said delete_id, or it was never sent. It must be taken.
 */
void id_map_give(struct id_map *map, uint32_t relay_id);

#endif
