/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/error_text.h"
#include "protocol/link.h"
#include "tests/harness/test.h"

/* Relay ids 2.. stand for these. */
static void make_map(struct id_map *map) {
	id_map_init(map);
	id_map_take(map, 26);
	id_map_take(map, 12345);
	id_map_take(map, ID_MAP_OWN_SHM);
	id_map_take(map, 0xfe000003u);
}

static void expect_rewritten(const char *text, const char *expected) {
	struct id_map map;
	char out[64];
	make_map(&map);
	error_text_rewrite(out, sizeof(out), text, &map);
	EXPECT_STR(out, expected);
	id_map_finish(&map);
}

TEST(an_objects_id_becomes_the_applications)
{ expect_rewritten("xdg_surface@2: no role", "xdg_surface@26: no role"); }

TEST(every_id_of_a_text_is_rewritten)
{ expect_rewritten("wl_surface@2 and wl_buffer@3", "wl_surface@26 and wl_buffer@12345"); }

TEST(other_numbers_stay)
{ expect_rewritten("size 2x3, error 2", "size 2x3, error 2"); }

TEST(an_at_sign_without_a_number_stays)
{ expect_rewritten("a@b @ 2 @", "a@b @ 2 @"); }

TEST(the_relays_own_objects_are_not_told_of)
{ expect_rewritten("wl_shm@4", "wl_shm@0"); }

TEST(a_link_buffer_is_shown_under_its_link_id)
{ expect_rewritten("wl_buffer@5", "wl_buffer@4261412867"); }

TEST(an_id_that_is_not_there_is_shown_as_0)
{ expect_rewritten("wl_surface@77", "wl_surface@0"); }

TEST(a_number_too_large_for_an_id_stays)
{ expect_rewritten("x@99999999999", "x@99999999999"); }

TEST(the_compositors_own_ids_stay)
{ expect_rewritten("wl_data_offer@4278190081", "wl_data_offer@4278190081"); }

TEST(a_text_is_cut_at_the_end_of_the_space)
{
	struct id_map map;
	char out[8];
	make_map(&map);
	error_text_rewrite(out, sizeof(out), "abc@3", &map); // becomes abc@12345
	EXPECT_STR(out, "abc@123");
	error_text_rewrite(out, sizeof(out), "abcdefghijk", &map);
	EXPECT_STR(out, "abcdefg");
	error_text_rewrite(out, 5, "abc@3", &map);
	EXPECT_STR(out, "abc@");
	id_map_finish(&map);
}
