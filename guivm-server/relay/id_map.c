/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/id_map.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/link.h"
#include "protocol/wire.h"

#define ID_MAP_FIRST 2u
#define ID_MAP_FIRST_CAPACITY 64u

void id_map_init(struct id_map *map) {
	*map = (struct id_map){0};
	id_pool_init(&map->pool, ID_MAP_FIRST, LINK_BUFFER_ID_START);
}

void id_map_finish(struct id_map *map) {
	id_pool_finish(&map->pool);
	free(map->link_ids);
	map->link_ids = NULL;
	map->capacity = 0;
}

static bool reserve(struct id_map *map, uint32_t relay_id) {
	if (relay_id < map->capacity) {
		return true;
	}
	uint32_t capacity = map->capacity > 0 ? map->capacity : ID_MAP_FIRST_CAPACITY;
	while (capacity <= relay_id) {
		capacity *= 2;
	}
	uint32_t *link_ids = realloc(map->link_ids, capacity * sizeof(*link_ids));
	if (link_ids == NULL) {
		return false;
	}
	memset(link_ids + map->capacity, 0, (capacity - map->capacity) * sizeof(*link_ids));
	map->link_ids = link_ids;
	map->capacity = capacity;
	return true;
}

uint32_t id_map_take(struct id_map *map, uint32_t link_id) {
	assert(link_id != 0);
	uint32_t relay_id = id_pool_take(&map->pool);
	if (relay_id == 0) {
		return 0;
	}
	if (!reserve(map, relay_id)) {
		id_pool_give(&map->pool, relay_id);
		return 0;
	}
	map->link_ids[relay_id] = link_id;
	return relay_id;
}

uint32_t id_map_find(const struct id_map *map, uint32_t relay_id) {
	if (relay_id >= WIRE_SERVER_ID_START || relay_id == ID_MAP_DISPLAY) {
		return relay_id;
	}
	return relay_id < map->capacity ? map->link_ids[relay_id] : 0;
}

void id_map_give(struct id_map *map, uint32_t relay_id) {
	assert(relay_id >= ID_MAP_FIRST && relay_id < map->capacity &&
			map->link_ids[relay_id] != 0);
	map->link_ids[relay_id] = 0;
	id_pool_give(&map->pool, relay_id);
}
