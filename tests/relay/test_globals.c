/* SPDX-License-Identifier: Apache-2.0 */
#include "common/limits.h"
#include "guivm-server/relay/globals.h"
#include "tests/harness/test.h"

static const struct global *add(
		struct global_list *list, uint32_t name, const char *interface, uint32_t version) {
	return global_list_add(list, name, interface, (uint32_t)strlen(interface), version);
}

TEST(an_interface_that_is_not_allowed_is_hidden)
{
	struct global_list list = {0};
	EXPECT(add(&list, 1, "zwlr_screencopy_manager_v1", 3) == NULL);
	EXPECT(add(&list, 2, "isthmus_control_v1", 1) == NULL);
	EXPECT(add(&list, 3, "wl_surface", 1) == NULL); // known, but no global
	EXPECT(global_list_check_bind(&list, 1, "zwlr_screencopy_manager_v1", 1) == NULL);
	global_list_finish(&list);
}

TEST(gpu_memory_is_hidden_where_no_descriptor_can_cross)
{
	struct global_list list = {0};
	EXPECT(add(&list, 1, "zwp_linux_dmabuf_v1", 5) == NULL);
	EXPECT(add(&list, 2, "wp_linux_drm_syncobj_manager_v1", 1) == NULL);
	EXPECT(global_list_check_bind(&list, 1, "zwp_linux_dmabuf_v1", 3) == NULL);
	global_list_finish(&list);
	list = (struct global_list){.local = true};
	EXPECT_INT(add(&list, 1, "zwp_linux_dmabuf_v1", 6)->version, 5);
	EXPECT(add(&list, 2, "wp_linux_drm_syncobj_manager_v1", 1) != NULL);
	global_list_finish(&list);
}

TEST(versions_are_capped_by_the_compositor_and_by_the_list)
{
	struct global_list list = {0};
	uint32_t max = wire_interface_find("wl_compositor", 13)->max_version;
	EXPECT_INT(add(&list, 1, "wl_compositor", 1)->version, 1);
	EXPECT_INT(add(&list, 2, "wl_compositor", max + 1)->version, max);
	EXPECT(global_list_check_bind(&list, 1, "wl_compositor", 1) != NULL);
	EXPECT(global_list_check_bind(&list, 1, "wl_compositor", 2) == NULL);
	EXPECT(global_list_check_bind(&list, 2, "wl_compositor", max) != NULL);
	EXPECT(global_list_check_bind(&list, 2, "wl_compositor", max + 1) == NULL);
	EXPECT(global_list_check_bind(&list, 2, "wl_compositor", 0) == NULL);
	global_list_finish(&list);
}

TEST(a_bind_names_what_was_announced)
{
	struct global_list list = {0};
	add(&list, 7, "wl_seat", 5);
	EXPECT(global_list_check_bind(&list, 7, "wl_output", 1) == NULL);
	EXPECT(global_list_check_bind(&list, 8, "wl_seat", 1) == NULL);
	EXPECT(global_list_check_bind(&list, 7, "wl_sea", 1) == NULL);
	EXPECT(global_list_check_bind(&list, 7, "wl_seat", 5) != NULL);
	global_list_finish(&list);
}

TEST(a_removed_global_may_still_be_bound)
{
	struct global_list list = {0};
	add(&list, 7, "wl_output", 4);
	EXPECT(global_list_remove(&list, 7));
	EXPECT(global_list_check_bind(&list, 7, "wl_output", 4) != NULL);
	EXPECT(global_list_find(&list, wire_interface_find("wl_output", 9)) == NULL);
	global_list_finish(&list);
}

TEST(the_removal_of_what_was_hidden_is_hidden)
{
	struct global_list list = {0};
	add(&list, 7, "zwlr_screencopy_manager_v1", 3);
	EXPECT(!global_list_remove(&list, 7));
	global_list_finish(&list);
}

TEST(a_second_registry_adds_nothing)
{
	struct global_list list = {0};
	for (uint32_t i = 0; i < 3 * LIMIT_GLOBALS; i++) {
		EXPECT(add(&list, 7, "wl_output", 4) != NULL);
	}
	EXPECT_INT(list.count, 1);
	global_list_finish(&list);
}

TEST(a_full_list_takes_the_place_of_what_was_removed)
{
	struct global_list list = {0};
	for (uint32_t i = 0; i < LIMIT_GLOBALS; i++) {
		EXPECT(add(&list, i, "wl_output", 4) != NULL);
	}
	EXPECT(add(&list, LIMIT_GLOBALS, "wl_output", 4) == NULL);
	EXPECT(global_list_remove(&list, 5));
	EXPECT(add(&list, LIMIT_GLOBALS, "wl_output", 4) != NULL);
	EXPECT(global_list_check_bind(&list, 5, "wl_output", 4) == NULL);
	EXPECT_INT(list.count, LIMIT_GLOBALS);
	global_list_finish(&list);
}
