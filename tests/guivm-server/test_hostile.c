/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "guivm-server/cursor.h"
#include "guivm-server/focus.h"
#include "guivm-server/popup.h"
#include "guivm-server/seat.h"
#include "guivm-server/serials.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"
#include "tests/guivm-server/desk.h"
#include "tests/harness/ignore.h"

/* What a client of a VM tries against the compositor and the other VMs. */

#define WHITE 0xffffffff

struct late_keys {
	bool entered;
	size_t n_keys;
};

static void late_keymap(void *data, struct wl_keyboard *keyboard, uint32_t format, int32_t fd,
		uint32_t size) {
	close(fd);
}

static void late_enter(void *data, struct wl_keyboard *keyboard, uint32_t serial,
		struct wl_surface *surface, struct wl_array *keys) {
	struct late_keys *late = data;
	late->entered = true;
	late->n_keys = keys->size / sizeof(uint32_t);
}

static const struct wl_keyboard_listener late_listener = {
	.keymap = late_keymap,
	.enter = late_enter,
	.leave = IGNORE,
	.key = IGNORE,
	.modifiers = IGNORE,
	.repeat_info = IGNORE,
};

/* What a wl_keyboard that the client makes now is told of the keys that are held. */
static struct late_keys ask_late(struct app *app) {
	struct late_keys late = {0};
	struct wl_keyboard *keyboard = wl_seat_get_keyboard(app->seat);
	wl_keyboard_add_listener(keyboard, &late_listener, &late);
	app_roundtrip(app);
	wl_keyboard_release(keyboard);
	return late;
}

TEST(a_keyboard_made_late_does_not_tell_keys_of_another_vm) {
	struct desk desk;
	struct app work, untrusted;
	struct app_window first, second;
	desk_init(&desk);
	app_connect(&work, &desk, "work");
	app_connect(&untrusted, &desk, "untrusted");
	app_window_create(&first, &work);
	app_window_show(&first, 300, 200, WHITE);
	app_window_create(&second, &untrusted);
	app_window_show(&second, 300, 200, WHITE);
	desk_key(&desk, KEY_A, true);
	app_roundtrip(&work);
	EXPECT_INT((int)work.n_keys, 1);
	focus_set_view(&desk.server, app_window_view(&second));
	struct late_keys late = ask_late(&untrusted);
	EXPECT(late.entered);
	EXPECT_INT((int)late.n_keys, 0);
	desk_key(&desk, KEY_A, false);
	app_disconnect(&work);
	app_disconnect(&untrusted);
	desk_finish(&desk);
}

TEST(a_keyboard_made_late_does_not_tell_keys_of_shortcuts) {
	struct solo solo;
	solo_init(&solo, "work");
	app_window_show(&solo.window, 300, 200, WHITE);
	desk_key(&solo.desk, KEY_LEFTMETA, true);
	desk_key(&solo.desk, KEY_UP, true);
	EXPECT(app_window_view(&solo.window)->maximized);
	struct late_keys late = ask_late(&solo.app);
	EXPECT(late.entered);
	// The modifier was sent, as to any client; what it made of the other key was not.
	EXPECT_INT((int)late.n_keys, (int)solo.app.n_keys);
	desk_key(&solo.desk, KEY_UP, false);
	desk_key(&solo.desk, KEY_LEFTMETA, false);
	EXPECT_INT((int)ask_late(&solo.app).n_keys, 0);
	solo_finish(&solo);
}

#define MANY_KEYS 500
#define SERIAL_NS (1 << SERIAL_TICK_SHIFT)
#define SERIAL_SLACK 16

static int64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void note_serial(void *data, struct wl_callback *callback, uint32_t serial) {
	*(uint32_t *)data = serial;
}

static const struct wl_callback_listener note_listener = {.done = note_serial};

/* What a client learns of the serials of all, without doing anything that makes one. */
static uint32_t ask_serial(struct app *app) {
	uint32_t serial = 0;
	struct wl_callback *callback = wl_display_sync(app->display);
	wl_callback_add_listener(callback, &note_listener, &serial);
	app_roundtrip(app);
	wl_callback_destroy(callback);
	return serial;
}

TEST(serials_do_not_tell_how_many_keys_another_vm_gets) {
	struct desk desk;
	struct app work, untrusted;
	struct app_window first;
	desk_init(&desk);
	app_connect(&work, &desk, "work");
	app_connect(&untrusted, &desk, "untrusted");
	app_window_create(&first, &work);
	app_window_show(&first, 300, 200, WHITE);
	EXPECT(serials_init());
	uint32_t told = ask_serial(&untrusted);
	int64_t t0 = now_ns();
	uint32_t before = wl_display_next_serial(desk.server.display);
	int64_t t1 = now_ns();
	for (int i = 0; i < MANY_KEYS; i++) {
		desk_tap(&desk, KEY_A);
		desk_turn(&desk);
	}
	int64_t t2 = now_ns();
	uint32_t after = wl_display_next_serial(desk.server.display);
	int64_t t3 = now_ns();
	EXPECT(after - before <= (t3 - t0) / SERIAL_NS + SERIAL_SLACK);
	EXPECT(after - before + SERIAL_SLACK >= (t2 - t1) / SERIAL_NS);
	// The callback says a time as well, or nothing.
	uint32_t told_later = ask_serial(&untrusted);
	EXPECT(told_later == told || told_later - told >= (t3 - t0) / SERIAL_NS);
	app_disconnect(&work);
	app_disconnect(&untrusted);
	desk_finish(&desk);
}

TEST(a_click_on_the_frame_of_a_popup_that_grabs_dismisses_it) {
	struct solo solo;
	struct app_window popup;
	solo_init(&solo, "work");
	app_window_show(&solo.window, 300, 200, WHITE);
	struct wlr_box *box = &app_window_view(&solo.window)->window.box;
	desk_click(&solo.desk, box->x + 10, box->y + 10);
	app_roundtrip(&solo.app);
	app_popup_create(&popup, &solo.window, &(struct wlr_box){20, 20, 100, 80}, solo.app.serial);
	app_window_show(&popup, 100, 80, WHITE);
	const struct window *shown = app_window_server(&popup);
	EXPECT(shown != NULL);
	desk_click(&solo.desk, shown->box.x - 1, shown->box.y + 20);
	app_roundtrip(&solo.app);
	EXPECT(popup.dismissed);
	EXPECT(focus_view(&solo.desk.server) == app_window_view(&solo.window));
	app_window_destroy(&popup);
	solo_finish(&solo);
}

TEST(a_modifier_held_over_a_change_of_focus_is_released) {
	struct desk desk;
	struct app work, untrusted;
	struct app_window first, second;
	desk_init(&desk);
	app_connect(&work, &desk, "work");
	app_connect(&untrusted, &desk, "untrusted");
	app_window_create(&first, &work);
	app_window_show(&first, 300, 200, WHITE);
	app_window_create(&second, &untrusted);
	app_window_show(&second, 300, 200, WHITE);
	desk_key(&desk, KEY_LEFTCTRL, true);
	focus_set_view(&desk.server, app_window_view(&second));
	EXPECT(wlr_keyboard_get_modifiers(&desk.keyboard) == WLR_MODIFIER_CTRL);
	desk_key(&desk, KEY_LEFTCTRL, false);
	EXPECT(wlr_keyboard_get_modifiers(&desk.keyboard) == 0);
	app_disconnect(&work);
	app_disconnect(&untrusted);
	desk_finish(&desk);
}

static void keep_picture(struct desk *desk, uint32_t *copy) {
	desk_look(desk);
	memcpy(copy, desk->pixels, sizeof(uint32_t) * DESK_WIDTH * DESK_HEIGHT);
}

static bool same_picture(struct desk *desk, const uint32_t *copy) {
	desk_look(desk);
	return memcmp(desk->pixels, copy, sizeof(uint32_t) * DESK_WIDTH * DESK_HEIGHT) == 0;
}

TEST(after_a_flood_of_titles_and_sizes_the_last_one_is_shown) {
	static uint32_t wanted[DESK_WIDTH * DESK_HEIGHT];
	struct solo solo;
	solo_init(&solo, "work");
	app_window_show(&solo.window, 300, 200, WHITE);
	xdg_toplevel_set_title(solo.window.toplevel, "the last");
	app_roundtrip(&solo.app);
	keep_picture(&solo.desk, wanted);
	for (int i = 0; i < 300; i++) {
		char title[32];
		snprintf(title, sizeof(title), "title %d", i);
		xdg_toplevel_set_title(solo.window.toplevel, title);
		xdg_surface_set_window_geometry(solo.window.xdg_surface, 0, 0, 100 + i % 100, 200);
		wl_surface_commit(solo.window.surface);
	}
	app_roundtrip(&solo.app);
	EXPECT(!same_picture(&solo.desk, wanted));
	EXPECT_INT(solo.desk.server.n_frame_updates, 0);
	xdg_surface_set_window_geometry(solo.window.xdg_surface, 0, 0, 300, 200);
	wl_surface_commit(solo.window.surface);
	for (int i = 0; i < 300; i++) {
		xdg_toplevel_set_title(solo.window.toplevel, i % 2 == 0 ? "another" : "the last");
	}
	app_roundtrip(&solo.app);
	EXPECT(same_picture(&solo.desk, wanted));
	solo_finish(&solo);
}

TEST(a_popup_that_grabs_twice_ends_its_client_alone) {
	struct desk desk;
	struct app work, untrusted;
	struct app_window first, second, popup;
	desk_init(&desk);
	app_connect(&work, &desk, "work");
	app_connect(&untrusted, &desk, "untrusted");
	app_window_create(&first, &work);
	app_window_show(&first, 300, 200, WHITE);
	app_window_create(&second, &untrusted);
	app_window_show(&second, 300, 200, WHITE);
	focus_set_view(&desk.server, app_window_view(&second));
	app_roundtrip(&untrusted);
	struct xdg_positioner *positioner = xdg_wm_base_create_positioner(untrusted.wm_base);
	xdg_positioner_set_size(positioner, 50, 50);
	xdg_positioner_set_anchor_rect(positioner, 0, 0, 10, 10);
	app_window_init(&popup, &untrusted);
	popup.popup = xdg_surface_get_popup(popup.xdg_surface, second.xdg_surface, positioner);
	xdg_positioner_destroy(positioner);
	xdg_popup_grab(popup.popup, untrusted.seat, untrusted.serial);
	xdg_popup_grab(popup.popup, untrusted.seat, untrusted.serial);
	wl_surface_commit(popup.surface);
	EXPECT_INT(app_error(&untrusted), XDG_POPUP_ERROR_INVALID_GRAB);
	app_disconnect(&untrusted);
	desk_click(&desk, 10, 10);
	focus_set_view(&desk.server, app_window_view(&first));
	app_disconnect(&work);
	desk_finish(&desk);
}

/* What a popup is asked for before its first commit, when it cannot be configured. */
TEST(a_popup_that_moves_too_early_harms_nobody) {
	struct desk desk;
	struct app work, untrusted;
	struct app_window first, second, popup;
	desk_init(&desk);
	app_connect(&work, &desk, "work");
	app_connect(&untrusted, &desk, "untrusted");
	app_window_create(&first, &work);
	app_window_show(&first, 300, 200, WHITE);
	app_window_create(&second, &untrusted);
	app_window_show(&second, 300, 200, WHITE);
	struct xdg_positioner *positioner = xdg_wm_base_create_positioner(untrusted.wm_base);
	xdg_positioner_set_size(positioner, 50, 50);
	xdg_positioner_set_anchor_rect(positioner, 0, 0, 10, 10);
	app_window_init(&popup, &untrusted);
	popup.popup = xdg_surface_get_popup(popup.xdg_surface, second.xdg_surface, positioner);
	xdg_popup_reposition(popup.popup, positioner, 1);
	xdg_positioner_destroy(positioner);
	wl_surface_commit(popup.surface);
	EXPECT_INT(app_error(&untrusted), -1);
	EXPECT(app_window_server(&popup) == NULL);
	EXPECT_INT(app_error(&work), -1);
	app_disconnect(&untrusted);
	app_disconnect(&work);
	desk_finish(&desk);
}

TEST(a_popup_that_is_its_own_parent_ends_its_client_alone) {
	struct desk desk;
	struct app work, untrusted;
	struct app_window popup;
	desk_init(&desk);
	app_connect(&work, &desk, "work");
	app_connect(&untrusted, &desk, "untrusted");
	struct xdg_positioner *positioner = xdg_wm_base_create_positioner(untrusted.wm_base);
	xdg_positioner_set_size(positioner, 50, 50);
	xdg_positioner_set_anchor_rect(positioner, 0, 0, 10, 10);
	app_window_init(&popup, &untrusted);
	popup.popup = xdg_surface_get_popup(popup.xdg_surface, popup.xdg_surface, positioner);
	xdg_positioner_destroy(positioner);
	EXPECT_INT(app_error(&untrusted), XDG_WM_BASE_ERROR_INVALID_POPUP_PARENT);
	EXPECT_INT(app_error(&work), -1);
	app_disconnect(&untrusted);
	app_disconnect(&work);
	desk_finish(&desk);
}

TEST(rotated_and_clipped_buffers_are_shown) {
	struct solo solo;
	solo_init(&solo, "work");
	app_window_show(&solo.window, 300, 200, WHITE);
	struct wl_buffer *buffer = app_buffer(&solo.app, 1000, 700, WHITE);
	wl_surface_set_buffer_scale(solo.window.surface, 2);
	for (int i = 0; i < 8 * 200; i++) {
		xdg_surface_set_window_geometry(
				solo.window.xdg_surface, i % 131, i % 173, 600, 600);
		wl_surface_set_buffer_transform(solo.window.surface, i % 8);
		wl_surface_attach(solo.window.surface, buffer, 0, 0);
		wl_surface_commit(solo.window.surface);
		if (i % 100 == 0) {
			app_roundtrip(&solo.app);
			desk_look(&solo.desk);
		}
	}
	EXPECT_INT(app_error(&solo.app), -1);
	wl_buffer_destroy(buffer);
	solo_finish(&solo);
}

TEST(a_window_is_no_larger_than_its_output_has_room_for) {
	struct solo solo;
	solo_init(&solo, "work");
	app_window_show(&solo.window, 2000, 1500, WHITE);
	const struct wlr_box *box = &app_window_view(&solo.window)->window.box;
	EXPECT(box->x >= DESK_BORDER);
	EXPECT(box->x + box->width <= DESK_WIDTH - DESK_BORDER);
	EXPECT(box->y + box->height <= DESK_HEIGHT - DESK_BORDER);
	solo_finish(&solo);
}

TEST(a_window_in_the_background_does_not_come_up_in_fullscreen) {
	struct desk desk;
	struct app work, untrusted;
	struct app_window first, second;
	desk_init(&desk);
	app_connect(&untrusted, &desk, "untrusted");
	app_connect(&work, &desk, "work"); // may have fullscreen
	app_window_create(&first, &untrusted);
	app_window_show(&first, 300, 200, WHITE);
	app_window_init(&second, &work);
	second.toplevel = xdg_surface_get_toplevel(second.xdg_surface);
	xdg_toplevel_set_fullscreen(second.toplevel, NULL);
	wl_surface_commit(second.surface);
	app_roundtrip(&work);
	app_paint(&work, second.surface, 300, 200, WHITE);
	struct view *view = app_window_view(&second);
	EXPECT(view->window.mapped);
	EXPECT(!view->fullscreen);
	EXPECT(view->fullscreen_wanted);
	EXPECT(view->window.box.width < DESK_WIDTH - 2 * DESK_BORDER);
	app_disconnect(&work);
	app_disconnect(&untrusted);
	desk_finish(&desk);
}

static void token_done(void *data, struct xdg_activation_token_v1 *token, const char *text) {
	snprintf(data, 64, "%s", text);
}

static const struct xdg_activation_token_v1_listener token_listener = {.done = token_done};

static void ask_token(struct app *app, char text[64]) {
	struct xdg_activation_token_v1 *token =
			xdg_activation_v1_get_activation_token(app->activation);
	xdg_activation_token_v1_add_listener(token, &token_listener, text);
	xdg_activation_token_v1_commit(token);
	app_roundtrip(app);
	xdg_activation_token_v1_destroy(token);
}

TEST(activation_tokens_are_kept_up_to_the_limit) {
	struct solo solo;
	struct app_window second;
	char oldest[64] = "", other[64] = "";
	solo_init(&solo, "work");
	app_window_show(&solo.window, 300, 200, WHITE);
	app_window_create(&second, &solo.app);
	app_window_show(&second, 300, 200, WHITE);
	EXPECT(focus_view(&solo.desk.server) == app_window_view(&second));
	ask_token(&solo.app, oldest);
	for (int i = 0; i < LIMIT_ACTIVATION_TOKENS; i++) {
		ask_token(&solo.app, other);
	}
	xdg_activation_v1_activate(solo.app.activation, oldest, solo.window.surface);
	app_roundtrip(&solo.app);
	EXPECT(focus_view(&solo.desk.server) == app_window_view(&second));
	xdg_activation_v1_activate(solo.app.activation, other, solo.window.surface);
	app_roundtrip(&solo.app);
	EXPECT(focus_view(&solo.desk.server) == app_window_view(&solo.window));
	solo_finish(&solo);
	desk_close_random();
}

TEST(a_vm_that_asks_for_many_activation_tokens_throws_out_none_of_another) {
	struct desk desk;
	struct app work, untrusted;
	struct app_window first, second;
	char kept[64] = "", other[64] = "";
	desk_init(&desk);
	app_connect(&work, &desk, "work");
	app_connect(&untrusted, &desk, "untrusted");
	app_window_create(&first, &work);
	app_window_show(&first, 300, 200, WHITE);
	app_window_create(&second, &work);
	app_window_show(&second, 300, 200, WHITE);
	ask_token(&work, kept);
	for (int i = 0; i < 1100; i++) {
		ask_token(&untrusted, other);
	}
	xdg_activation_v1_activate(work.activation, kept, first.surface);
	app_roundtrip(&work);
	EXPECT(focus_view(&desk.server) == app_window_view(&first));
	app_disconnect(&work);
	app_disconnect(&untrusted);
	desk_finish(&desk);
	desk_close_random();
}

/* A buffer of 16 bits per pixel, whose rows are no whole words: what the renderer cannot read. */
static struct wl_buffer *odd_buffer(struct app *app, int width, int height) {
	int32_t stride = 2 * width;
	EXPECT(stride % 4 != 0);
	int fd = fd_memory("test", (size_t)(stride * height));
	struct wl_shm_pool *pool = wl_shm_create_pool(app->shm, fd, stride * height);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(
			pool, 0, width, height, stride, WL_SHM_FORMAT_RGB565);
	wl_shm_pool_destroy(pool);
	close(fd);
	return buffer;
}

TEST(a_buffer_that_cannot_be_read_shows_nothing_else) {
	struct solo solo;
	solo_init(&solo, "work");
	app_window_show(&solo.window, 100, 100, WHITE);
	struct wl_buffer *buffer = odd_buffer(&solo.app, 301, 300);
	wl_surface_attach(solo.window.surface, buffer, 0, 0);
	wl_surface_damage_buffer(solo.window.surface, 0, 0, 301, 300);
	wl_surface_commit(solo.window.surface);
	EXPECT_INT(app_error(&solo.app), -1);
	desk_look(&solo.desk);
	const struct window *window = app_window_server(&solo.window);
	EXPECT_INT(desk_pixel(&solo.desk, window->box.x + 200, window->box.y + 200), 0);
	app_window_show(&solo.window, 50, 50, WHITE);
	desk_look(&solo.desk);
	EXPECT_INT(app_error(&solo.app), -1);
	wl_buffer_destroy(buffer);
	solo_finish(&solo);
}

TEST(a_pointer_image_that_cannot_be_read_shows_nothing_else) {
	struct solo solo;
	solo_init(&solo, "work");
	app_window_show(&solo.window, 300, 300, WHITE);
	const struct window *window = app_window_server(&solo.window);
	desk_point(&solo.desk, window->box.x + 150, window->box.y + 150);
	app_roundtrip(&solo.app);
	EXPECT(solo.app.pointer_focus == solo.window.surface);
	struct wl_surface *image = wl_compositor_create_surface(solo.app.compositor);
	wl_pointer_set_cursor(solo.app.pointer, solo.app.serial, image, 0, 0);
	app_paint(&solo.app, image, 16, 16, WHITE);
	EXPECT(solo.desk.server.cursor->image != NULL && !solo.desk.server.cursor->image_hidden);
	struct wl_buffer *buffer = odd_buffer(&solo.app, 33, 32);
	wl_surface_attach(image, buffer, 0, 0);
	wl_surface_damage_buffer(image, 0, 0, 33, 32);
	wl_surface_commit(image);
	EXPECT_INT(app_error(&solo.app), -1);
	desk_look(&solo.desk);
	wl_buffer_destroy(buffer);
	wl_surface_destroy(image);
	solo_finish(&solo);
}
