/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/input-event-codes.h>
#include <unistd.h>
#include <wlr/backend.h>
#include <wlr/interfaces/wlr_keyboard.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_seat.h>

#include "guivm-server/cursor.h"
#include "guivm-server/focus.h"
#include "guivm-server/keyboard.h"
#include "guivm-server/output.h"
#include "guivm-server/seat.h"
#include "guivm-server/vm.h"
#include "tests/guivm-server/desk.h"
#include "tests/harness/ignore.h"

#define WHITE 0xffffffff

/* Two windows side by side: the first of "work", the second of "untrusted". */
struct pair {
	struct desk desk;
	struct app work, untrusted;
	struct app_window first, second;
};

static void pair_init(struct pair *pair) {
	desk_init(&pair->desk);
	app_connect(&pair->work, &pair->desk, "work");
	app_connect(&pair->untrusted, &pair->desk, "untrusted");
	app_window_create(&pair->first, &pair->work);
	app_window_show(&pair->first, 300, 200, WHITE);
	view_move(app_window_view(&pair->first), 20, 100);
	app_window_create(&pair->second, &pair->untrusted);
	app_window_show(&pair->second, 300, 200, WHITE);
	view_move(app_window_view(&pair->second), 420, 100);
	app_roundtrip(&pair->work);
	app_roundtrip(&pair->untrusted);
}

static void pair_finish(struct pair *pair) {
	app_disconnect(&pair->work);
	app_disconnect(&pair->untrusted);
	desk_finish(&pair->desk);
}

static struct view *focused(struct pair *pair) {
	return focus_view(&pair->desk.server);
}

TEST(the_first_window_gets_the_keyboard) {
	struct pair pair;
	pair_init(&pair);
	EXPECT(focused(&pair) == app_window_view(&pair.first));
	EXPECT(pair.work.keyboard_focus == pair.first.surface);
	EXPECT(pair.first.activated);
	pair_finish(&pair);
}

TEST(a_window_of_another_vm_does_not_take_the_focus) {
	struct pair pair;
	pair_init(&pair);
	struct view *second = app_window_view(&pair.second);
	EXPECT(pair.untrusted.keyboard_focus == NULL);
	EXPECT(!pair.second.activated);
	EXPECT(second->attention);
	EXPECT(pair.desk.server.views.next == &app_window_view(&pair.first)->link);
	pair_finish(&pair);
}

TEST(a_window_of_the_same_vm_takes_the_focus) {
	struct pair pair;
	struct app_window third;
	pair_init(&pair);
	app_window_create(&third, &pair.work);
	app_window_show(&third, 300, 200, WHITE);
	EXPECT(focused(&pair) == app_window_view(&third));
	app_window_destroy(&third);
	EXPECT(focused(&pair) == app_window_view(&pair.first));
	pair_finish(&pair);
}

TEST(a_window_that_was_never_used_is_not_the_next_to_get_the_focus) {
	struct pair pair;
	struct app_window dialog, intruder;
	pair_init(&pair);
	struct view *first = app_window_view(&pair.first);
	app_window_create(&dialog, &pair.work);
	app_window_show(&dialog, 100, 100, WHITE);
	EXPECT(focused(&pair) == app_window_view(&dialog));
	app_window_create(&intruder, &pair.untrusted); // right beneath the dialog
	app_window_show(&intruder, 300, 200, WHITE);
	app_window_destroy(&dialog);
	app_roundtrip(&pair.work);
	EXPECT(focused(&pair) == first);
	app_window_destroy(&pair.first);
	app_roundtrip(&pair.work);
	EXPECT(focused(&pair) == app_window_view(&intruder)); // there is no other
	app_disconnect(&pair.work);
	app_disconnect(&pair.untrusted);
	desk_finish(&pair.desk);
}

TEST(a_window_that_was_used_before_is_the_next_to_get_the_focus) {
	struct pair pair;
	pair_init(&pair);
	desk_click(&pair.desk, 500, 200);
	desk_click(&pair.desk, 100, 200);
	EXPECT(focused(&pair) == app_window_view(&pair.first));
	app_window_destroy(&pair.first);
	app_roundtrip(&pair.work);
	EXPECT(focused(&pair) == app_window_view(&pair.second));
	app_disconnect(&pair.work);
	app_disconnect(&pair.untrusted);
	desk_finish(&pair.desk);
}

static void give_credit(struct pair *pair, const char *vm) {
	vms_find(pair->desk.server.vms, vm)->launch_credit_until_ms = UINT64_MAX;
}

static bool shown_with_focus(struct pair *pair, struct app *app) {
	struct app_window late;
	app_window_create(&late, app);
	app_window_show(&late, 200, 100, WHITE);
	bool has_focus = focused(pair) == app_window_view(&late);
	app_window_destroy(&late);
	app_roundtrip(app);
	return has_focus;
}

TEST(an_application_that_was_started_gets_the_focus_unless_the_user_went_on) {
	struct pair pair;
	pair_init(&pair);
	give_credit(&pair, "untrusted");
	EXPECT(shown_with_focus(&pair, &pair.untrusted));
	focus_set_view(&pair.desk.server, app_window_view(&pair.first));
	give_credit(&pair, "untrusted");
	desk_tap(&pair.desk, KEY_A);
	EXPECT(!shown_with_focus(&pair, &pair.untrusted));
	give_credit(&pair, "untrusted");
	desk_click(&pair.desk, 100, 200);
	EXPECT(!shown_with_focus(&pair, &pair.untrusted));
	// What is done in the same VM takes nothing.
	focus_set_view(&pair.desk.server, app_window_view(&pair.second));
	give_credit(&pair, "untrusted");
	desk_tap(&pair.desk, KEY_A);
	focus_set_view(&pair.desk.server, app_window_view(&pair.first));
	EXPECT(shown_with_focus(&pair, &pair.untrusted));
	pair_finish(&pair);
}

TEST(a_click_moves_the_focus) {
	struct pair pair;
	pair_init(&pair);
	desk_click(&pair.desk, 500, 200);
	app_roundtrip(&pair.untrusted);
	app_roundtrip(&pair.work);
	EXPECT(focused(&pair) == app_window_view(&pair.second));
	EXPECT(pair.untrusted.keyboard_focus == pair.second.surface);
	EXPECT(pair.work.keyboard_focus == NULL);
	EXPECT(!app_window_view(&pair.second)->attention);
	EXPECT_INT(pair.untrusted.n_buttons, 1);
	EXPECT_INT(pair.work.n_buttons, 0);
	pair_finish(&pair);
}

TEST(keys_reach_the_focused_application_alone) {
	struct pair pair;
	pair_init(&pair);
	desk_tap(&pair.desk, KEY_A);
	app_roundtrip(&pair.work);
	app_roundtrip(&pair.untrusted);
	EXPECT_INT(pair.work.n_keys, 1);
	EXPECT_INT(pair.work.keys[0], KEY_A);
	EXPECT_INT(pair.untrusted.n_keys, 0);
	pair_finish(&pair);
}

TEST(held_keys_are_not_told_to_the_next_vm) {
	struct pair pair;
	pair_init(&pair);
	desk_key(&pair.desk, KEY_S, true);
	desk_click(&pair.desk, 500, 200);
	desk_key(&pair.desk, KEY_S, false);
	app_roundtrip(&pair.untrusted);
	EXPECT(pair.untrusted.keyboard_focus == pair.second.surface);
	EXPECT_INT(pair.untrusted.n_keys, 0);
	EXPECT_INT(pair.untrusted.n_key_releases, 0);
	pair_finish(&pair);
}

TEST(shortcuts_reach_no_application) {
	struct pair pair;
	pair_init(&pair);
	desk_key(&pair.desk, KEY_LEFTMETA, true);
	desk_tap(&pair.desk, KEY_Q);
	desk_key(&pair.desk, KEY_LEFTMETA, false);
	app_roundtrip(&pair.work);
	EXPECT(pair.first.closed);
	EXPECT_INT(pair.work.n_keys, 1);
	EXPECT_INT(pair.work.keys[0], KEY_LEFTMETA);
	pair_finish(&pair);
}

TEST(alt_tab_goes_by_most_recent_use) {
	struct pair pair;
	struct app_window third;
	pair_init(&pair);
	app_window_create(&third, &pair.work);
	app_window_show(&third, 100, 100, WHITE);
	struct view *first = app_window_view(&pair.first), *second = app_window_view(&pair.second);
	focus_set_view(&pair.desk.server, second);
	focus_set_view(&pair.desk.server, first); // used last: first, second, third
	desk_key(&pair.desk, KEY_LEFTALT, true);
	desk_tap(&pair.desk, KEY_TAB);
	EXPECT(focused(&pair) == first); // nothing is given away before the choice
	desk_key(&pair.desk, KEY_LEFTALT, false);
	EXPECT(focused(&pair) == second);
	desk_key(&pair.desk, KEY_LEFTALT, true);
	desk_tap(&pair.desk, KEY_TAB);
	desk_tap(&pair.desk, KEY_TAB);
	desk_key(&pair.desk, KEY_LEFTALT, false);
	EXPECT(focused(&pair) == app_window_view(&third));
	desk_key(&pair.desk, KEY_LEFTALT, true);
	desk_key(&pair.desk, KEY_LEFTSHIFT, true);
	desk_tap(&pair.desk, KEY_TAB);
	desk_key(&pair.desk, KEY_LEFTSHIFT, false);
	desk_key(&pair.desk, KEY_LEFTALT, false);
	EXPECT(focused(&pair) == first);
	app_roundtrip(&pair.work);
	for (size_t i = 0; i < pair.work.n_keys; i++) {
		EXPECT(pair.work.keys[i] != KEY_TAB);
	}
	pair_finish(&pair);
}

TEST(minimised_windows_come_back_by_alt_tab) {
	struct pair pair;
	pair_init(&pair);
	struct view *first = app_window_view(&pair.first);
	desk_key(&pair.desk, KEY_LEFTMETA, true);
	desk_tap(&pair.desk, KEY_H);
	desk_key(&pair.desk, KEY_LEFTMETA, false);
	EXPECT(first->minimized);
	EXPECT(focused(&pair) == app_window_view(&pair.second));
	desk_look(&pair.desk);
	EXPECT_INT(desk_count(&pair.desk, 0xffffff, &first->window.box, true), 0);
	desk_key(&pair.desk, KEY_LEFTALT, true);
	desk_tap(&pair.desk, KEY_TAB);
	desk_key(&pair.desk, KEY_LEFTALT, false);
	EXPECT(!first->minimized);
	EXPECT(focused(&pair) == first);
	pair_finish(&pair);
}

TEST(a_popup_grab_without_focus_is_undone) {
	struct pair pair;
	struct app_window popup;
	pair_init(&pair);
	desk_click(&pair.desk, 500, 200); // a serial for "untrusted"
	app_roundtrip(&pair.untrusted);
	desk_click(&pair.desk, 100, 200); // back to "work"
	app_popup_create(&popup, &pair.second, &(struct wlr_box){10, 10, 50, 50},
			pair.untrusted.serial);
	app_window_show(&popup, 50, 50, WHITE);
	desk_turn(&pair.desk);
	app_roundtrip(&pair.untrusted);
	EXPECT(popup.dismissed);
	EXPECT(!wlr_seat_keyboard_has_grab(pair.desk.server.wlr_seat));
	EXPECT(!wlr_seat_pointer_has_grab(pair.desk.server.wlr_seat));
	pair_finish(&pair);
}

TEST(a_popup_grab_without_focus_leaves_that_of_another_vm_alone) {
	struct pair pair;
	struct app_window menu, popup;
	pair_init(&pair);
	desk_click(&pair.desk, 500, 200); // a serial for "untrusted"
	app_roundtrip(&pair.untrusted);
	desk_click(&pair.desk, 100, 200); // back to "work"
	app_roundtrip(&pair.work);
	app_popup_create(&menu, &pair.first, &(struct wlr_box){10, 10, 50, 50}, pair.work.serial);
	app_window_show(&menu, 50, 50, WHITE);
	desk_turn(&pair.desk);
	app_popup_create(&popup, &pair.second, &(struct wlr_box){10, 10, 50, 50},
			pair.untrusted.serial);
	desk_turn(&pair.desk);
	app_roundtrip(&pair.untrusted);
	app_roundtrip(&pair.work);
	EXPECT(popup.dismissed);
	EXPECT(!menu.dismissed);
	EXPECT(wlr_seat_keyboard_has_grab(pair.desk.server.wlr_seat));
	pair_finish(&pair);
}

TEST(a_popup_grab_of_the_focused_application_stays_until_a_click_elsewhere) {
	struct pair pair;
	struct app_window popup;
	pair_init(&pair);
	desk_click(&pair.desk, 100, 200);
	app_roundtrip(&pair.work);
	app_popup_create(&popup, &pair.first, &(struct wlr_box){10, 10, 50, 50}, pair.work.serial);
	app_window_show(&popup, 50, 50, WHITE);
	desk_turn(&pair.desk);
	app_roundtrip(&pair.work);
	EXPECT(!popup.dismissed);
	desk_click(&pair.desk, 500, 200);
	app_roundtrip(&pair.work);
	app_roundtrip(&pair.untrusted);
	EXPECT(popup.dismissed);
	EXPECT(pair.untrusted.keyboard_focus == pair.second.surface);
	pair_finish(&pair);
}

static char token[64];

static void token_done(void *data, struct xdg_activation_token_v1 *object, const char *text) {
	snprintf(token, sizeof(token), "%s", text);
}

static const struct xdg_activation_token_v1_listener token_listener = {.done = token_done};

/* What app, which has the focus, was given on its last input. */
static struct xdg_activation_token_v1 *ask_token(struct app *app, struct app_window *window) {
	struct xdg_activation_token_v1 *object =
			xdg_activation_v1_get_activation_token(app->activation);
	xdg_activation_token_v1_add_listener(object, &token_listener, NULL);
	xdg_activation_token_v1_set_serial(object, app->serial, app->seat);
	xdg_activation_token_v1_set_surface(object, window->surface);
	xdg_activation_token_v1_commit(object);
	app_roundtrip(app);
	return object;
}

TEST(activation_without_the_focus_only_asks_for_attention) {
	struct pair pair;
	pair_init(&pair);
	desk_click(&pair.desk, 500, 200);
	app_roundtrip(&pair.untrusted);
	struct xdg_activation_token_v1 *object = ask_token(&pair.untrusted, &pair.second);
	desk_click(&pair.desk, 100, 200);
	EXPECT(!app_window_view(&pair.second)->attention);
	xdg_activation_v1_activate(pair.untrusted.activation, token, pair.second.surface);
	app_roundtrip(&pair.untrusted);
	EXPECT(focused(&pair) == app_window_view(&pair.first));
	EXPECT(app_window_view(&pair.second)->attention);
	xdg_activation_token_v1_destroy(object);
	pair_finish(&pair);
	desk_close_random();
}

TEST(an_activation_token_of_another_vm_does_nothing) {
	struct pair pair;
	pair_init(&pair);
	desk_click(&pair.desk, 100, 200);
	app_roundtrip(&pair.work);
	view_set_attention(app_window_view(&pair.second), false);
	/* "work" has the focus, makes a token and passes it to its accomplice. */
	struct xdg_activation_token_v1 *object = ask_token(&pair.work, &pair.first);
	xdg_activation_v1_activate(pair.untrusted.activation, token, pair.second.surface);
	app_roundtrip(&pair.untrusted);
	EXPECT(focused(&pair) == app_window_view(&pair.first));
	EXPECT(!app_window_view(&pair.second)->attention);
	xdg_activation_token_v1_destroy(object);
	pair_finish(&pair);
	desk_close_random();
}

TEST(an_application_does_not_move_its_window_without_the_users_button) {
	struct pair pair;
	pair_init(&pair);
	desk_click(&pair.desk, 500, 200);
	app_roundtrip(&pair.untrusted);
	xdg_toplevel_move(pair.second.toplevel, pair.untrusted.seat, pair.untrusted.serial);
	app_roundtrip(&pair.untrusted);
	EXPECT_INT(pair.desk.server.cursor->mode, CURSOR_PASSTHROUGH);
	desk_button(&pair.desk, true);
	app_roundtrip(&pair.untrusted);
	xdg_toplevel_move(pair.second.toplevel, pair.untrusted.seat, pair.untrusted.serial);
	app_roundtrip(&pair.untrusted);
	EXPECT_INT(pair.desk.server.cursor->mode, CURSOR_MOVE);
	desk_point(&pair.desk, 510, 230);
	EXPECT_INT(app_window_server(&pair.second)->box.x, 430);
	EXPECT_INT(app_window_server(&pair.second)->box.y, 130);
	desk_button(&pair.desk, false);
	EXPECT_INT(pair.desk.server.cursor->mode, CURSOR_PASSTHROUGH);
	pair_finish(&pair);
}

TEST(frame_edges_resize_and_buttons_work) {
	struct pair pair;
	pair_init(&pair);
	struct window *window = app_window_server(&pair.first);
	desk_point(&pair.desk, 20 + 300 + 1, 200);
	desk_button(&pair.desk, true);
	desk_point(&pair.desk, 20 + 300 + 1 + 40, 200);
	app_roundtrip(&pair.work);
	EXPECT_INT(pair.first.width, 340);
	EXPECT_INT(pair.first.height, 200);
	desk_button(&pair.desk, false);
	app_window_show(&pair.first, 340, 200, WHITE);
	EXPECT_INT(window->box.width, 340);
	struct frame_box close = frame_button(FRAME_TOPLEVEL, DESK_BORDER, 340, FRAME_PART_CLOSE);
	desk_click(&pair.desk, window->box.x + close.x + close.width / 2,
			window->box.y + close.y + close.height / 2);
	app_roundtrip(&pair.work);
	EXPECT(pair.first.closed);
	EXPECT_INT(pair.work.n_buttons, 0);
	pair_finish(&pair);
}

TEST(the_left_edge_moves_and_the_right_one_stays) {
	struct pair pair;
	pair_init(&pair);
	struct window *window = app_window_server(&pair.second);
	desk_point(&pair.desk, 420 - 2, 200);
	desk_button(&pair.desk, true);
	desk_point(&pair.desk, 420 - 2 - 30, 200);
	app_roundtrip(&pair.untrusted);
	EXPECT_INT(pair.second.width, 330);
	app_window_show(&pair.second, 325, 200, WHITE); // a size of its own choice
	EXPECT_INT(window->box.x + window->box.width, 720);
	desk_button(&pair.desk, false);
	app_window_show(&pair.second, 330, 200, WHITE);
	EXPECT_INT(window->box.x, 390);
	EXPECT_INT(window->box.x + window->box.width, 720);
	pair_finish(&pair);
}

static struct wl_surface *set_cursor(struct app *app, int side, int hotspot) {
	struct wl_surface *surface = wl_compositor_create_surface(app->compositor);
	wl_pointer_set_cursor(app->pointer, app->serial, surface, hotspot, hotspot);
	app_paint(app, surface, side, side, WHITE);
	return surface;
}

TEST(a_cursor_of_sane_size_is_shown_over_its_own_window_only) {
	struct pair pair;
	pair_init(&pair);
	struct cursor *cursor = pair.desk.server.cursor;
	desk_point(&pair.desk, 100, 200);
	app_roundtrip(&pair.work);
	struct wl_surface *surface = set_cursor(&pair.work, 32, 5000);
	EXPECT(cursor->image != NULL);
	EXPECT(cursor->hotspot_x <= 32);
	desk_point(&pair.desk, 20 + 300 + 2, 200); // the frame
	EXPECT(cursor->image == NULL);
	desk_point(&pair.desk, 500, 200);
	app_roundtrip(&pair.untrusted);
	EXPECT(cursor->image == NULL);
	wl_pointer_set_cursor(pair.work.pointer, pair.work.serial, surface, 0, 0);
	app_roundtrip(&pair.work);
	EXPECT(cursor->image == NULL);
	wl_surface_destroy(surface);
	pair_finish(&pair);
}

/* It could say something else than the frame does, or look like a part of another window. */
TEST(a_cursor_image_covers_no_frame_and_no_other_vm) {
	struct pair pair;
	pair_init(&pair);
	struct cursor *cursor = pair.desk.server.cursor;
	desk_point(&pair.desk, 100, 200);
	app_roundtrip(&pair.work);
	struct wl_surface *surface = set_cursor(&pair.work, 32, 0);
	EXPECT(cursor->image != NULL && !cursor->image_hidden);
	desk_point(&pair.desk, 20 + 300 - 31, 200); // a pixel of it would be on the frame
	EXPECT(cursor->image_hidden);
	desk_point(&pair.desk, 20 + 300 - 40, 200);
	EXPECT(!cursor->image_hidden);
	wl_pointer_set_cursor(pair.work.pointer, pair.work.serial, surface, 31, 31);
	app_roundtrip(&pair.work);
	desk_point(&pair.desk, 100, 110); // now it reaches up to the title
	EXPECT(cursor->image_hidden);
	desk_point(&pair.desk, 100, 200);
	EXPECT(!cursor->image_hidden);
	/* Another window comes near, above. */
	wl_pointer_set_cursor(pair.work.pointer, pair.work.serial, surface, 16, 16);
	app_roundtrip(&pair.work);
	focus_set_view(&pair.desk.server, app_window_view(&pair.second));
	view_move(app_window_view(&pair.second), 100 + 30, 180);
	cursor_refresh(&pair.desk.server);
	EXPECT(cursor->image != NULL && !cursor->image_hidden);
	view_move(app_window_view(&pair.second), 100 + 15, 180);
	cursor_refresh(&pair.desk.server);
	EXPECT(cursor->image != NULL && cursor->image_hidden);
	wl_surface_destroy(surface);
	pair_finish(&pair);
}

TEST(an_oversized_cursor_is_not_shown) {
	struct pair pair;
	pair_init(&pair);
	struct cursor *cursor = pair.desk.server.cursor;
	desk_point(&pair.desk, 100, 200);
	app_roundtrip(&pair.work);
	struct wl_surface *surface = set_cursor(&pair.work, LIMIT_CURSOR_SIDE_PX + 1, 0);
	EXPECT(cursor->image == NULL);
	wl_surface_destroy(surface);
	surface = set_cursor(&pair.work, LIMIT_CURSOR_SIDE_PX, 0);
	EXPECT(cursor->image != NULL);
	app_paint(&pair.work, surface, LIMIT_CURSOR_SIDE_PX + 1, 10, WHITE);
	EXPECT(cursor->image == NULL);
	wl_surface_destroy(surface);
	EXPECT(cursor->image == NULL);
	pair_finish(&pair);
}

struct panel {
	struct wl_surface *surface;
	struct zwlr_layer_surface_v1 *layer_surface;
};

static void panel_configure(void *data, struct zwlr_layer_surface_v1 *layer_surface,
		uint32_t serial, uint32_t width, uint32_t height) {
	zwlr_layer_surface_v1_ack_configure(layer_surface, serial);
}

static const struct zwlr_layer_surface_v1_listener panel_listener = {
	.configure = panel_configure,
	.closed = IGNORE,
};

static void panel_create(struct panel *panel, struct app *app, uint32_t anchor, uint32_t keyboard) {
	panel->surface = wl_compositor_create_surface(app->compositor);
	panel->layer_surface = zwlr_layer_shell_v1_get_layer_surface(app->layer_shell,
			panel->surface, NULL, ZWLR_LAYER_SHELL_V1_LAYER_TOP, "test");
	zwlr_layer_surface_v1_add_listener(panel->layer_surface, &panel_listener, panel);
	zwlr_layer_surface_v1_set_anchor(panel->layer_surface, anchor);
	zwlr_layer_surface_v1_set_size(panel->layer_surface, 0, 30);
	zwlr_layer_surface_v1_set_exclusive_zone(panel->layer_surface, 30);
	zwlr_layer_surface_v1_set_keyboard_interactivity(panel->layer_surface, keyboard);
	wl_surface_commit(panel->surface);
	app_roundtrip(app);
}

#define ANCHOR_TOP \
	(ZWLR_LAYER_SURFACE_V1_ANCHOR_TOP | ZWLR_LAYER_SURFACE_V1_ANCHOR_LEFT | \
			ZWLR_LAYER_SURFACE_V1_ANCHOR_RIGHT)

TEST(vms_do_not_get_layer_shell) {
	struct pair pair;
	pair_init(&pair);
	EXPECT(pair.work.layer_shell == NULL);
	EXPECT(pair.untrusted.layer_shell == NULL);
	pair_finish(&pair);
}

TEST(a_panel_takes_room_from_windows_and_keys_while_it_is_exclusive) {
	struct pair pair;
	struct app local;
	struct panel panel;
	pair_init(&pair);
	app_connect(&local, &pair.desk, "");
	panel_create(&panel, &local, ANCHOR_TOP,
			ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_EXCLUSIVE);
	app_paint(&local, panel.surface, DESK_WIDTH, 30, WHITE);
	struct output *output = output_current(&pair.desk.server);
	EXPECT_INT(output->usable.y, 30);
	EXPECT_INT(output->usable.height, DESK_HEIGHT - 30);
	EXPECT(local.keyboard_focus == panel.surface);
	app_roundtrip(&pair.work);
	EXPECT(pair.work.keyboard_focus == NULL);
	desk_click(&pair.desk, 100, 200);
	app_roundtrip(&pair.work);
	EXPECT(pair.work.keyboard_focus == NULL);
	zwlr_layer_surface_v1_destroy(panel.layer_surface);
	wl_surface_destroy(panel.surface);
	app_roundtrip(&local);
	EXPECT_INT(output->usable.y, 0);
	app_roundtrip(&pair.work);
	EXPECT(pair.work.keyboard_focus == pair.first.surface);
	app_disconnect(&local);
	pair_finish(&pair);
}

TEST(a_layer_surface_of_no_width_needs_both_edges) {
	struct pair pair;
	struct app local;
	struct panel panel;
	pair_init(&pair);
	app_connect(&local, &pair.desk, "");
	panel_create(&panel, &local, ZWLR_LAYER_SURFACE_V1_ANCHOR_TOP,
			ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_NONE);
	EXPECT_INT(app_error(&local), ZWLR_LAYER_SURFACE_V1_ERROR_INVALID_SIZE);
	zwlr_layer_surface_v1_destroy(panel.layer_surface);
	wl_surface_destroy(panel.surface);
	app_disconnect(&local);
	pair_finish(&pair);
}

TEST(an_idle_desktop_draws_nothing) {
	struct pair pair;
	pair_init(&pair);
	for (int i = 0; i < 10; i++) {
		wl_event_loop_dispatch(pair.desk.server.loop, 20); // frames that were due come now
	}
	uint32_t before = pair.desk.output->commit_seq;
	for (int i = 0; i < 10; i++) {
		wl_event_loop_dispatch(pair.desk.server.loop, 20);
	}
	EXPECT_INT(pair.desk.output->commit_seq, before);
	pair_finish(&pair);
}

struct late_device {
	struct wlr_keyboard wlr_keyboard;
	struct keyboard *keyboard;
	struct wl_listener backend_destroy;
	bool left_alone;
};

static void late_device_handle_backend_destroy(struct wl_listener *listener, void *data) {
	struct late_device *late = wl_container_of(listener, late, backend_destroy);
	late->left_alone = wl_list_empty(&late->keyboard->link);
	wl_list_remove(&late->backend_destroy.link);
	wlr_keyboard_finish(&late->wlr_keyboard);
}

TEST(a_keyboard_of_the_backend_goes_after_the_seat) {
	static const struct wlr_keyboard_impl impl = {.name = "late"};
	struct desk desk;
	struct late_device late = {0};
	desk_init(&desk);
	wlr_keyboard_init(&late.wlr_keyboard, &impl, "late keyboard");
	seat_add_device(&desk.server, &late.wlr_keyboard.base);
	late.keyboard = wl_container_of(desk.server.seat->keyboards.next, late.keyboard, link);
	EXPECT(late.keyboard->wlr_keyboard == &late.wlr_keyboard);
	late.backend_destroy.notify = late_device_handle_backend_destroy;
	wl_signal_add(&desk.server.backend->events.destroy, &late.backend_destroy);
	desk_finish(&desk);
	// And is in no list that went with it.
	EXPECT(late.left_alone);
}
