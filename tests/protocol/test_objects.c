/* SPDX-License-Identifier: Apache-2.0 */
#include "common/limits.h"
#include "protocol/link.h"
#include "protocol/objects.h"
#include "protocol/wire.h"
#include "tests/harness/test.h"

static struct object_table table;
static struct object *object;

static enum object_error insert(enum object_maker maker, uint32_t id) {
	return object_table_insert(&table, maker, id, wire_surface_interface, 4, &object);
}

static void start(void) {
	EXPECT(object_table_init(&table));
}

static void end(void) {
	object_table_finish(&table, NULL, NULL);
}

TEST(new_table_has_the_display_alone) {
	start();
	EXPECT(object_table_find(&table, 1)->interface == wire_display_interface);
	EXPECT(object_table_find(&table, 0) == NULL);
	EXPECT(object_table_find(&table, 2) == NULL);
	EXPECT_INT(table.client.live, 1);
	end();
}

TEST(inserted_object_is_found) {
	start();
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 2), OBJECT_OK);
	EXPECT(object == object_table_find(&table, 2));
	EXPECT(object->interface == wire_surface_interface);
	EXPECT_INT(object->version, 4);
	EXPECT_INT(object->mapped_id, 0);
	EXPECT(!object->destroyed && !object->local && object->data == NULL);
	end();
}

TEST(ids_without_a_gap_are_demanded) {
	start();
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 3), OBJECT_ID_RANGE);
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 2), OBJECT_OK);
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 3), OBJECT_OK);
	EXPECT_INT(insert(OBJECT_FROM_COMPOSITOR, WIRE_SERVER_ID_START + 1), OBJECT_ID_RANGE);
	EXPECT_INT(insert(OBJECT_FROM_COMPOSITOR, WIRE_SERVER_ID_START), OBJECT_OK);
	EXPECT_INT(insert(OBJECT_FROM_LINK, LINK_BUFFER_ID_START + 1), OBJECT_ID_RANGE);
	EXPECT_INT(insert(OBJECT_FROM_LINK, LINK_BUFFER_ID_START), OBJECT_OK);
	end();
}

TEST(ids_of_another_range_are_refused) {
	static const uint32_t ids[] = { 0, 2, LINK_BUFFER_ID_START, LINK_BUFFER_ID_END,
		WIRE_SERVER_ID_START, WIRE_SERVER_ID_START - 1, UINT32_MAX };
	static const uint32_t good[] = { 2, WIRE_SERVER_ID_START, LINK_BUFFER_ID_START };
	start();
	for (int maker = OBJECT_FROM_CLIENT; maker <= OBJECT_FROM_LINK; maker++) {
		for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
			if (ids[i] != good[maker]) {
				EXPECT_INT(insert(maker, ids[i]), OBJECT_ID_RANGE);
				EXPECT(object_table_find(&table, ids[i]) == NULL);
			}
		}
	}
	end();
}

TEST(used_id_is_refused_even_when_destroyed) {
	start();
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 1), OBJECT_ID_IN_USE);
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 2), OBJECT_OK);
	object->destroyed = true;
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 2), OBJECT_ID_IN_USE);
	EXPECT(object_table_find(&table, 2)->destroyed);
	end();
}

TEST(removed_id_is_used_again_zeroed) {
	start();
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 2), OBJECT_OK);
	object->mapped_id = 9;
	object->destroyed = object->local = true;
	object->data = &table;
	object_table_remove(&table, 2);
	EXPECT(object_table_find(&table, 2) == NULL);
	EXPECT_INT(table.client.live, 1);
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 2), OBJECT_OK);
	EXPECT_INT(object->mapped_id, 0);
	EXPECT(!object->destroyed && !object->local && object->data == NULL);
	end();
}

TEST(removed_id_leaves_no_gap) {
	start();
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 2), OBJECT_OK);
	object_table_remove(&table, 2);
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 3), OBJECT_OK);
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 2), OBJECT_OK);
	end();
}

TEST(compositor_reuses_its_ids_at_will) {
	start();
	EXPECT_INT(insert(OBJECT_FROM_COMPOSITOR, WIRE_SERVER_ID_START), OBJECT_OK);
	object->destroyed = true;
	EXPECT_INT(insert(OBJECT_FROM_COMPOSITOR, WIRE_SERVER_ID_START), OBJECT_OK);
	EXPECT(!object->destroyed);
	EXPECT_INT(table.server.live, 1);
	end();
}

static void expect_limit(enum object_maker maker, uint32_t first, uint32_t limit) {
	for (uint32_t i = 0; i < limit; i++) {
		EXPECT_INT(insert(maker, first + i), OBJECT_OK);
	}
	EXPECT(insert(maker, first + limit) != OBJECT_OK);
	EXPECT(object_table_find(&table, first + limit - 1) != NULL);
	EXPECT(object_table_find(&table, first + limit) == NULL);
}

TEST(client_objects_are_limited) {
	start();
	expect_limit(OBJECT_FROM_CLIENT, 2, LIMIT_OBJECTS_PER_CLIENT - 1);
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, LIMIT_OBJECTS_PER_CLIENT + 1), OBJECT_LIMIT);
	end();
}

TEST(compositor_objects_are_limited) {
	start();
	expect_limit(OBJECT_FROM_COMPOSITOR, WIRE_SERVER_ID_START, LIMIT_SERVER_OBJECTS_PER_CLIENT);
	end();
}

TEST(link_objects_are_limited) {
	start();
	expect_limit(OBJECT_FROM_LINK, LINK_BUFFER_ID_START,
			LINK_BUFFER_ID_END - LINK_BUFFER_ID_START);
	end();
}

TEST(never_reusing_ids_reaches_the_limit_too) {
	start();
	for (uint32_t id = 2; id <= LIMIT_OBJECTS_PER_CLIENT; id++) {
		EXPECT_INT(insert(OBJECT_FROM_CLIENT, id), OBJECT_OK);
		object_table_remove(&table, id);
	}
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, LIMIT_OBJECTS_PER_CLIENT + 1), OBJECT_LIMIT);
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 2), OBJECT_OK);
	end();
}

static void collect(struct object *visited, uint32_t id, void *data) {
	uint32_t *sum = data;
	EXPECT(visited->interface != NULL);
	*sum += id;
}

TEST(finish_visits_every_live_object_once) {
	start();
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 2), OBJECT_OK);
	EXPECT_INT(insert(OBJECT_FROM_CLIENT, 3), OBJECT_OK);
	object_table_remove(&table, 2);
	EXPECT_INT(insert(OBJECT_FROM_COMPOSITOR, WIRE_SERVER_ID_START), OBJECT_OK);
	EXPECT_INT(insert(OBJECT_FROM_LINK, LINK_BUFFER_ID_START), OBJECT_OK);
	uint32_t sum = 0;
	object_table_finish(&table, collect, &sum);
	EXPECT_INT(sum, (uint32_t)(1 + 3 + WIRE_SERVER_ID_START + LINK_BUFFER_ID_START));
}

#define MODEL_IDS 200

/* A model: the set of live ids and the highest ever used. */
static void run_model(bool sparse) {
	test_random_seed(20240607);
	bool live[MODEL_IDS + 2] = { [1] = true };
	uint32_t highest = 1, count = 1;
	start();
	table.sparse = sparse;
	for (int i = 0; i < 100000; i++) {
		uint32_t id = test_random_below(MODEL_IDS + 2);
		EXPECT((object_table_find(&table, id) != NULL) == live[id]);
		if (id > 1 && live[id] && test_random_below(2) == 0) {
			object_table_remove(&table, id);
			live[id] = false;
			count--;
		} else {
			bool gap = id > highest + 1 && !sparse;
			enum object_error expected = id == 0 || gap ? OBJECT_ID_RANGE :
					live[id] ? OBJECT_ID_IN_USE : OBJECT_OK;
			EXPECT_INT(insert(OBJECT_FROM_CLIENT, id), expected);
			if (expected == OBJECT_OK) {
				live[id] = true;
				count++;
				highest = id > highest ? id : highest;
			}
		}
		EXPECT_INT(table.client.live, count);
	}
	end();
}

TEST(random_inserts_and_removes_agree_with_a_model) {
	run_model(false);
}

TEST(random_inserts_and_removes_with_gaps_agree_with_a_model) {
	run_model(true);
}

TEST(id_pool_gives_dense_ids) {
	struct id_pool pool;
	id_pool_init(&pool, 2, 6);
	EXPECT_INT(id_pool_take(&pool), 2);
	EXPECT_INT(id_pool_take(&pool), 3);
	id_pool_give(&pool, 2);
	EXPECT_INT(id_pool_take(&pool), 2);
	EXPECT_INT(id_pool_take(&pool), 4);
	id_pool_finish(&pool);
}

TEST(id_pool_ends) {
	struct id_pool pool;
	id_pool_init(&pool, 5, 7);
	EXPECT_INT(id_pool_take(&pool), 5);
	EXPECT_INT(id_pool_take(&pool), 6);
	EXPECT_INT(id_pool_take(&pool), 0);
	id_pool_give(&pool, 5);
	EXPECT_INT(id_pool_take(&pool), 5);
	EXPECT_INT(id_pool_take(&pool), 0);
	id_pool_finish(&pool);
}

TEST(id_pool_takes_back_everything) {
	struct id_pool pool;
	id_pool_init(&pool, 1, 10001);
	bool *out = calloc(10001, sizeof(*out));
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 10000; i++) {
			uint32_t id = id_pool_take(&pool);
			EXPECT(id >= 1 && id <= 10000 && !out[id]);
			out[id] = true;
		}
		EXPECT_INT(id_pool_take(&pool), 0);
		for (uint32_t id = 1; id <= 10000; id++) {
			id_pool_give(&pool, id);
			out[id] = false;
		}
	}
	free(out);
	id_pool_finish(&pool);
}

TEST(a_sparse_table_takes_client_ids_with_gaps_up_to_the_limit) {
	EXPECT(object_table_init(&table));
	table.sparse = true;
	EXPECT_INT(object_table_insert(&table, OBJECT_FROM_CLIENT, 500, wire_surface_interface, 1,
				   &object),
			OBJECT_OK);
	EXPECT(object_table_find(&table, 499) == NULL);
	EXPECT(object_table_find(&table, 500) == object);
	EXPECT_INT(object_table_insert(&table, OBJECT_FROM_CLIENT, 499, wire_surface_interface, 1,
				   &object),
			OBJECT_OK);
	EXPECT_INT(object_table_insert(&table, OBJECT_FROM_CLIENT, LIMIT_OBJECTS_PER_CLIENT,
				   wire_surface_interface, 1, &object),
			OBJECT_OK);
	EXPECT_INT(object_table_insert(&table, OBJECT_FROM_CLIENT, LIMIT_OBJECTS_PER_CLIENT + 1,
				   wire_surface_interface, 1, &object),
			OBJECT_LIMIT);
	EXPECT_INT(object_table_insert(&table, OBJECT_FROM_CLIENT, 0, wire_surface_interface, 1,
				   &object),
			OBJECT_ID_RANGE);
	EXPECT_INT(object_table_insert(&table, OBJECT_FROM_LINK, LINK_BUFFER_ID_START + 5,
				   wire_buffer_interface, 1, &object),
			OBJECT_ID_RANGE);
	object_table_finish(&table, NULL, NULL);
}
