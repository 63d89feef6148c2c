/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/objects.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"
#include "protocol/link.h"
#include "protocol/wire.h"

#define CLIENT_ID_START 1

bool object_table_init(struct object_table *table) {
	*table = (struct object_table){
		.client = { .start = CLIENT_ID_START, .limit = LIMIT_OBJECTS_PER_CLIENT },
		.server = { .start = WIRE_SERVER_ID_START,
			.limit = LIMIT_SERVER_OBJECTS_PER_CLIENT },
		.link = { .start = LINK_BUFFER_ID_START,
			.limit = LINK_BUFFER_ID_END - LINK_BUFFER_ID_START },
	};
	struct object *display;
	return object_table_insert(table, OBJECT_FROM_CLIENT, CLIENT_ID_START,
			wire_display_interface, 1, &display) == OBJECT_OK;
}

static void range_finish(struct object_range *range,
		void (*visit)(struct object *object, uint32_t id, void *data), void *data) {
	for (uint32_t i = 0; visit != NULL && i < range->used; i++) {
		if (range->objects[i].interface != NULL) {
			visit(&range->objects[i], range->start + i, data);
		}
	}
	free(range->objects);
	*range = (struct object_range){0};
}

void object_table_finish(struct object_table *table,
		void (*visit)(struct object *object, uint32_t id, void *data), void *data) {
	range_finish(&table->client, visit, data);
	range_finish(&table->link, visit, data);
	range_finish(&table->server, visit, data);
}

/* The range whose ids may reach from its start to the next range's. */
static struct object_range *range_of(struct object_table *table, uint32_t untrusted_id) {
	if (untrusted_id >= WIRE_SERVER_ID_START) {
		return &table->server;
	}
	return untrusted_id >= LINK_BUFFER_ID_START ? &table->link : &table->client;
}

static struct object *range_find(struct object_range *range, uint32_t untrusted_id) {
	// id 0 wraps to the largest index
	uint32_t index = untrusted_id - range->start;
	if (index >= range->used || range->objects[index].interface == NULL) {
		return NULL;
	}
	return &range->objects[index];
}

struct object *object_table_find(struct object_table *table, uint32_t untrusted_id) {
	return range_find(range_of(table, untrusted_id), untrusted_id);
}

/* Room for a place at index, which is below the limit. */
static bool range_grow(struct object_range *range, uint32_t index) {
	uint32_t capacity = range->capacity == 0 ? 64 : range->capacity * 2;
	if (capacity <= index) {
		capacity = index + 1;
	}
	if (capacity > range->limit) {
		capacity = range->limit;
	}
	struct object *objects = realloc(range->objects, capacity * sizeof(*objects));
	if (objects == NULL) {
		return false;
	}
	range->objects = objects;
	range->capacity = capacity;
	return true;
}

static struct object_range *maker_range(struct object_table *table, enum object_maker maker) {
	switch (maker) {
	case OBJECT_FROM_CLIENT:
		return &table->client;
	case OBJECT_FROM_COMPOSITOR:
		return &table->server;
	case OBJECT_FROM_LINK:
		return &table->link;
	}
	abort();
}

enum object_error object_table_insert(struct object_table *table, enum object_maker maker,
		uint32_t untrusted_id, const struct wire_interface *interface, uint32_t version,
		struct object **object) {
	struct object_range *range = maker_range(table, maker);
	uint32_t index = untrusted_id - range->start;
	bool gaps = table->sparse && maker == OBJECT_FROM_CLIENT && untrusted_id != 0;
	if (range_of(table, untrusted_id) != range || (index > range->used && !gaps)) {
		return OBJECT_ID_RANGE;
	}
	if (index >= range->limit) {
		return OBJECT_LIMIT;
	}
	bool live = index < range->used && range->objects[index].interface != NULL;
	if (live && maker != OBJECT_FROM_COMPOSITOR) {
		return OBJECT_ID_IN_USE;
	}
	if (index >= range->capacity && !range_grow(range, index)) {
		return OBJECT_NO_MEMORY;
	}
	if (index >= range->used) {
		memset(&range->objects[range->used], 0,
				(index + 1 - range->used) * sizeof(*range->objects));
		range->used = index + 1;
	}
	if (!live) {
		range->live++;
	}
	range->objects[index] = (struct object){ .interface = interface, .version = version };
	*object = &range->objects[index];
	return OBJECT_OK;
}

void object_table_remove(struct object_table *table, uint32_t id) {
	struct object_range *range = range_of(table, id);
	struct object *object = range_find(range, id);
	assert(object != NULL);
	*object = (struct object){0};
	range->live--;
}

void id_pool_init(struct id_pool *pool, uint32_t first, uint32_t end) {
	*pool = (struct id_pool){ .first = first, .next = first, .end = end };
}

void id_pool_finish(struct id_pool *pool) {
	free(pool->free_ids);
	*pool = (struct id_pool){0};
}

uint32_t id_pool_take(struct id_pool *pool) {
	if (pool->n_free > 0) {
		return pool->free_ids[--pool->n_free];
	}
	if (pool->next == pool->end) {
		return 0;
	}
	// Room for every id that is out, so that giving one back can not fail.
	if (pool->next - pool->first == pool->capacity) {
		uint32_t capacity = pool->capacity == 0 ? 64 : pool->capacity * 2;
		uint32_t *free_ids = realloc(pool->free_ids, capacity * sizeof(*free_ids));
		if (free_ids == NULL) {
			return 0;
		}
		pool->free_ids = free_ids;
		pool->capacity = capacity;
	}
	return pool->next++;
}

void id_pool_give(struct id_pool *pool, uint32_t id) {
	assert(id >= pool->first && id < pool->next && pool->n_free < pool->next - pool->first);
	pool->free_ids[pool->n_free++] = id;
}
