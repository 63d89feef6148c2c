/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/list.h"
#include "tests/harness/test.h"
#include "tests/launcher/model.h"

static void type(struct list *list, const char *text) {
	for (; *text != '\0'; text++) {
		EXPECT(list_type(list, (char[]){*text, '\0'}));
	}
}

TEST(all_applications_are_listed_in_the_vm_sets_order)
{
	struct model model;
	struct list list;
	model_init(&model);
	list_init(&list);
	list_update(&list, &model.control);
	EXPECT_INT(list.n_rows, 7);
	EXPECT_STR(list.rows[0]->name, "Terminal");
	EXPECT_STR(list.rows[0]->vm_label, "Work");
	EXPECT_STR(list.rows[6]->name, "Terminal");
	EXPECT_STR(list.rows[6]->vm_label, "Untrusted");
	EXPECT_INT(list.rows[6]->color, 0x9c0000);
	list_finish(&list);
}

TEST(typing_keeps_what_matches_and_chooses_the_best)
{
	struct model model;
	struct list list;
	model_init(&model);
	list_init(&list);
	list_update(&list, &model.control);
	type(&list, "term");
	EXPECT_INT(list.n_rows, 2);
	type(&list, " unt");
	EXPECT_INT(list.n_rows, 1);
	EXPECT_STR(list_selected(&list)->vm, "Untrusted");
	type(&list, "x");
	EXPECT_INT(list.n_rows, 0);
	EXPECT(list_selected(&list) == NULL);
	list_move(&list, 1);
	list_finish(&list);
}

TEST(erasing_takes_whole_characters)
{
	struct list list;
	list_init(&list);
	EXPECT(list_type(&list, "ä"));
	EXPECT(list_type(&list, "漢"));
	EXPECT(list_erase(&list));
	EXPECT_STR(list.query, "ä");
	EXPECT(list_erase(&list));
	EXPECT_STR(list.query, "");
	EXPECT(!list_erase(&list));
	list_finish(&list);
}

TEST(control_characters_and_endless_queries_are_not_taken)
{
	struct list list;
	list_init(&list);
	EXPECT(!list_type(&list, ""));
	EXPECT(!list_type(&list, "\x1b"));
	EXPECT(!list_type(&list, "\x7f"));
	for (int i = 0; i < LIST_QUERY_BYTES - 1; i++) {
		EXPECT(list_type(&list, "x"));
	}
	EXPECT(!list_type(&list, "x"));
	EXPECT(list_clear(&list));
	EXPECT(!list_clear(&list));
	list_finish(&list);
}

TEST(moving_stops_at_both_ends_and_scrolls)
{
	struct model model;
	struct list list;
	model_init(&model);
	list_init(&list);
	list_update(&list, &model.control);
	list_set_visible(&list, 3);
	list_move(&list, -1);
	EXPECT_INT(list.selected, 0);
	list_move(&list, 3);
	EXPECT_INT(list.selected, 3);
	EXPECT_INT(list.first, 1);
	list_move(&list, 100);
	EXPECT_INT(list.selected, 6);
	EXPECT_INT(list.first, 4);
	list_move(&list, -100);
	EXPECT_INT(list.selected, 0);
	EXPECT_INT(list.first, 0);
	list_finish(&list);
}

TEST(the_wheel_scrolls_within_the_rows_and_chooses_nothing)
{
	struct model model;
	struct list list;
	model_init(&model);
	list_init(&list);
	list_update(&list, &model.control);
	list_set_visible(&list, 3);
	list_scroll(&list, 2);
	EXPECT_INT(list.first, 2);
	EXPECT_INT(list.selected, 0);
	list_scroll(&list, 100);
	EXPECT_INT(list.first, 4);
	list_scroll(&list, -100);
	EXPECT_INT(list.first, 0);
	list_finish(&list);
}

TEST(the_mouse_chooses_visible_rows_only)
{
	struct model model;
	struct list list;
	model_init(&model);
	list_init(&list);
	list_update(&list, &model.control);
	list_set_visible(&list, 3);
	list_scroll(&list, 4);
	EXPECT(list_select_visible(&list, 2));
	EXPECT_INT(list.selected, 6);
	EXPECT(!list_select_visible(&list, 2));
	EXPECT(!list_select_visible(&list, 3));
	list_finish(&list);
}

TEST(an_update_keeps_the_query_and_the_chosen_application)
{
	struct model model;
	struct list list;
	model_init(&model);
	list_init(&list);
	list_update(&list, &model.control);
	type(&list, "term");
	list_move(&list, 1);
	EXPECT_STR(list_selected(&list)->vm, "Untrusted");
	wl_list_remove(&model.applications[0][1].link);
	model.vms[1].state = CONTROL_VM_FAILED;
	list_update(&list, &model.control);
	EXPECT_INT(list.n_rows, 2);
	EXPECT_STR(list.query, "term");
	EXPECT_STR(list_selected(&list)->vm, "Untrusted");
	EXPECT_INT(list_selected(&list)->vm_state, CONTROL_VM_FAILED);
	list_finish(&list);
}

TEST(an_update_without_the_chosen_application_chooses_the_first)
{
	struct model model;
	struct list list;
	model_init(&model);
	list_init(&list);
	list_update(&list, &model.control);
	list_move(&list, 6);
	wl_list_remove(&model.vms[1].link);
	list_update(&list, &model.control);
	EXPECT_INT(list.n_rows, 5);
	EXPECT_INT(list.selected, 0);
	list_finish(&list);
}
