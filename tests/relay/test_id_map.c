/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/id_map.h"
#include "protocol/link.h"
#include "protocol/wire.h"
#include "tests/harness/test.h"

TEST(ids_are_dense_from_2)
{
	struct id_map map;
	id_map_init(&map);
	for (uint32_t i = 0; i < 1000; i++) {
		EXPECT_INT(id_map_take(&map, 5 * i + 7), 2 + i);
	}
	id_map_finish(&map);
}

TEST(each_id_leads_back_to_its_object)
{
	struct id_map map;
	id_map_init(&map);
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t id = id_map_take(&map, 5 * i + 7);
		EXPECT_INT(id_map_find(&map, id), 5 * i + 7);
	}
	EXPECT_INT(id_map_find(&map, 2), 7);
	id_map_finish(&map);
}

TEST(a_freed_id_is_used_again_before_a_new_one)
{
	struct id_map map;
	id_map_init(&map);
	id_map_take(&map, 10);
	uint32_t second = id_map_take(&map, 11);
	id_map_take(&map, 12);
	id_map_give(&map, second);
	EXPECT_INT(id_map_find(&map, second), 0);
	EXPECT_INT(id_map_take(&map, 13), second);
	EXPECT_INT(id_map_find(&map, second), 13);
	id_map_finish(&map);
}

TEST(ids_that_were_never_taken_lead_nowhere)
{
	struct id_map map;
	id_map_init(&map);
	EXPECT_INT(id_map_find(&map, 0), 0);
	EXPECT_INT(id_map_find(&map, 2), 0);
	EXPECT_INT(id_map_find(&map, LINK_BUFFER_ID_START), 0);
	EXPECT_INT(id_map_find(&map, WIRE_SERVER_ID_START - 1), 0);
	id_map_finish(&map);
}

TEST(the_display_and_the_compositors_own_ids_stay_as_they_are)
{
	struct id_map map;
	id_map_init(&map);
	EXPECT_INT(id_map_find(&map, 1), 1);
	EXPECT_INT(id_map_find(&map, WIRE_SERVER_ID_START), WIRE_SERVER_ID_START);
	EXPECT_INT(id_map_find(&map, UINT32_MAX), UINT32_MAX);
	id_map_finish(&map);
}
