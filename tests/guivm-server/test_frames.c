/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <linux/input-event-codes.h>
#include <wlr/types/wlr_output.h>

#include "borders/trust.h"
#include "guivm-server/focus.h"
#include "guivm-server/output.h"
#include "tests/guivm-server/desk.h"

#define RED 0xffff0000
#define GREEN 0xff00ff00
#define RGB(argb) ((argb) & 0xffffff)

/* Every pixel of the ring around a window's content has its VM's colour. */
static void expect_frame(struct desk *desk, const struct window *window, uint32_t color) {
	const struct wlr_box *box = &window->box;
	struct frame_box bars[4];
	frame_bars(window->frame_state.kind, DESK_BORDER, box->width, box->height, bars);
	for (int i = 0; i < 4; i++) {
		for (int y = 0; y < bars[i].height; y++) {
			for (int x = 0; x < bars[i].width; x++) {
				int lx = box->x + bars[i].x + x, ly = box->y + bars[i].y + y;
				bool on_screen = lx >= 0 && ly >= 0 && lx < DESK_WIDTH &&
						 ly < DESK_HEIGHT;
				uint32_t pixel = on_screen ? desk_pixel(desk, lx, ly) : color;
				if (pixel != color) {
					test_fail(__FILE__, __LINE__,
							"%d,%d is %06x, expected %06x", lx, ly,
							pixel, color);
				}
			}
		}
	}
}

TEST(frame_exists_before_content_and_shows_nothing_until_then) {
	struct solo solo;
	solo_init(&solo, "untrusted");
	struct window *server_window = app_window_server(&solo.window);
	EXPECT(server_window != NULL);
	EXPECT(server_window->frame != NULL);
	EXPECT(!server_window->mapped);
	desk_look(&solo.desk);
	struct wlr_box screen = {0, 0, DESK_WIDTH, DESK_HEIGHT};
	EXPECT_INT(desk_count(&solo.desk, DESK_UNTRUSTED, &screen, true), 0);
	solo_finish(&solo);
}

TEST(frame_has_the_color_of_its_vm) {
	struct solo solo;
	solo_init(&solo, "untrusted");
	app_window_show(&solo.window, 300, 200, RED);
	struct window *server_window = app_window_server(&solo.window);
	desk_look(&solo.desk);
	expect_frame(&solo.desk, server_window, DESK_UNTRUSTED);
	EXPECT_INT(desk_count(&solo.desk, RGB(RED), &server_window->box, true), 300 * 200);
	solo_finish(&solo);
}

TEST(nothing_is_drawn_outside_the_window_geometry) {
	struct solo solo;
	solo_init(&solo, "work");
	xdg_surface_set_window_geometry(solo.window.xdg_surface, 40, 30, 200, 100);
	app_window_show(&solo.window, 300, 200, RED);
	struct window *server_window = app_window_server(&solo.window);
	EXPECT_INT(server_window->box.width, 200);
	EXPECT_INT(server_window->box.height, 100);
	desk_look(&solo.desk);
	expect_frame(&solo.desk, server_window, DESK_WORK);
	EXPECT_INT(desk_count(&solo.desk, RGB(RED), &server_window->box, true), 200 * 100);
	EXPECT_INT(desk_count(&solo.desk, RGB(RED), &server_window->box, false), 0);
	solo_finish(&solo);
}

TEST(a_later_geometry_is_clipped_to_as_well) {
	struct solo solo;
	solo_init(&solo, "work");
	app_window_show(&solo.window, 300, 200, RED);
	xdg_surface_set_window_geometry(solo.window.xdg_surface, 100, 50, 150, 60);
	wl_surface_commit(solo.window.surface);
	app_roundtrip(&solo.app);
	struct window *server_window = app_window_server(&solo.window);
	desk_look(&solo.desk);
	expect_frame(&solo.desk, server_window, DESK_WORK);
	EXPECT_INT(desk_count(&solo.desk, RGB(RED), &server_window->box, true), 150 * 60);
	EXPECT_INT(desk_count(&solo.desk, RGB(RED), &server_window->box, false), 0);
	solo_finish(&solo);
}

TEST(subsurfaces_are_clipped) {
	struct solo solo;
	solo_init(&solo, "work");
	xdg_surface_set_window_geometry(solo.window.xdg_surface, 0, 0, 300, 200);
	app_window_show(&solo.window, 300, 200, RED);
	struct wl_surface *child = wl_compositor_create_surface(solo.app.compositor);
	struct wl_subsurface *subsurface = wl_subcompositor_get_subsurface(
			solo.app.subcompositor, child, solo.window.surface);
	wl_subsurface_set_position(subsurface, -100, -100);
	wl_subsurface_set_desync(subsurface);
	app_paint(&solo.app, child, 600, 500, GREEN);
	wl_surface_commit(solo.window.surface);
	app_roundtrip(&solo.app);
	struct window *server_window = app_window_server(&solo.window);
	desk_look(&solo.desk);
	expect_frame(&solo.desk, server_window, DESK_WORK);
	EXPECT_INT(desk_count(&solo.desk, RGB(GREEN), &server_window->box, false), 0);
	EXPECT(desk_count(&solo.desk, RGB(GREEN), &server_window->box, true) > 0);
	wl_subsurface_destroy(subsurface);
	wl_surface_destroy(child);
	solo_finish(&solo);
}

/* A window, a subsurface of it, and one of that which is larger than all of them. */
struct nest {
	struct desk desk;
	struct app app;
	struct app_window window;
	struct wl_surface *middle, *inner;
	struct wl_subsurface *middle_role, *inner_role;
};

static void nest_init(struct nest *nest) {
	struct app *app = &nest->app;
	desk_init(&nest->desk);
	app_connect(app, &nest->desk, "work");
	app_window_create(&nest->window, app);
	xdg_surface_set_window_geometry(nest->window.xdg_surface, 0, 0, 300, 200);
	app_window_show(&nest->window, 300, 200, RED);
	nest->middle = wl_compositor_create_surface(app->compositor);
	nest->inner = wl_compositor_create_surface(app->compositor);
	nest->inner_role = wl_subcompositor_get_subsurface(
			app->subcompositor, nest->inner, nest->middle);
	wl_subsurface_set_position(nest->inner_role, -100, -100);
	wl_subsurface_set_desync(nest->inner_role);
}

static void nest_join(struct nest *nest) {
	nest->middle_role = wl_subcompositor_get_subsurface(
			nest->app.subcompositor, nest->middle, nest->window.surface);
	wl_subsurface_set_desync(nest->middle_role);
}

static void nest_paint(struct nest *nest) {
	app_paint(&nest->app, nest->inner, 600, 500, GREEN);
	app_paint(&nest->app, nest->middle, 50, 50, RED);
}

static void nest_expect_clipped(struct nest *nest) {
	wl_surface_commit(nest->window.surface);
	app_roundtrip(&nest->app);
	const struct window *window = app_window_server(&nest->window);
	desk_look(&nest->desk);
	expect_frame(&nest->desk, window, DESK_WORK);
	EXPECT_INT(desk_count(&nest->desk, RGB(GREEN), &window->box, false), 0);
	EXPECT(desk_count(&nest->desk, RGB(GREEN), &window->box, true) > 0);
}

static void nest_finish(struct nest *nest) {
	wl_subsurface_destroy(nest->inner_role);
	wl_subsurface_destroy(nest->middle_role);
	wl_surface_destroy(nest->inner);
	wl_surface_destroy(nest->middle);
	app_disconnect(&nest->app);
	desk_finish(&nest->desk);
}

TEST(subsurfaces_of_a_moving_subsurface_are_clipped) {
	static const int32_t places[][2] = {{250, 150}, {-60, -40}, {10000, 0}, {20, 30}};
	struct nest nest;
	nest_init(&nest);
	nest_join(&nest);
	nest_paint(&nest);
	nest_expect_clipped(&nest);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		wl_subsurface_set_position(nest.middle_role, places[i][0], places[i][1]);
		// Wherever its surface goes, it stays over the window.
		wl_subsurface_set_position(
				nest.inner_role, -100 - places[i][0], -100 - places[i][1]);
		wl_surface_commit(nest.middle);
		nest_expect_clipped(&nest);
	}
	for (int32_t x = 0; x < 90; x += 30) {
		wl_subsurface_set_position(nest.middle_role, x, x);
		nest_expect_clipped(&nest);
	}
	nest_finish(&nest);
}

TEST(subsurfaces_that_come_with_a_subsurface_are_clipped) {
	struct nest nest;
	nest_init(&nest);
	nest_paint(&nest);
	nest_join(&nest);
	nest_expect_clipped(&nest);
	wl_subsurface_destroy(nest.middle_role);
	nest_join(&nest);
	nest_expect_clipped(&nest);
	nest_finish(&nest);
}

TEST(extreme_geometry_keeps_the_frame) {
	struct solo solo;
	solo_init(&solo, "untrusted");
	static const int32_t values[][4] = {
		{INT_MIN, INT_MIN, INT_MAX, INT_MAX},
		{INT_MAX, INT_MAX, INT_MAX, INT_MAX},
		{-5000, -5000, 20000, 20000},
		{299, 199, 1, 1},
	};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const int32_t *v = values[i];
		xdg_surface_set_window_geometry(solo.window.xdg_surface, v[0], v[1], v[2], v[3]);
		app_window_show(&solo.window, 300, 200, RED);
		struct window *server_window = app_window_server(&solo.window);
		EXPECT(server_window->mapped);
		EXPECT(server_window->box.width >= VIEW_MIN_WIDTH);
		EXPECT(server_window->box.height >= VIEW_MIN_HEIGHT);
		EXPECT(server_window->box.width <= LIMIT_BUFFER_SIDE_PX);
		desk_look(&solo.desk);
		expect_frame(&solo.desk, server_window, DESK_UNTRUSTED);
		EXPECT_INT(desk_count(&solo.desk, RGB(RED), &server_window->box, false), 0);
	}
	solo_finish(&solo);
}

TEST(a_small_window_keeps_room_for_its_title) {
	struct solo solo;
	solo_init(&solo, "work");
	app_window_show(&solo.window, 2, 2, RED);
	struct window *server_window = app_window_server(&solo.window);
	EXPECT_INT(server_window->box.width, VIEW_MIN_WIDTH);
	desk_look(&solo.desk);
	expect_frame(&solo.desk, server_window, DESK_WORK);
	EXPECT_INT(desk_count(&solo.desk, RGB(RED), &server_window->box, true), 4);
	solo_finish(&solo);
}

TEST(another_vm_does_not_shine_through) {
	struct desk desk;
	struct app work, untrusted;
	struct app_window below, above;
	desk_init(&desk);
	app_connect(&untrusted, &desk, "untrusted");
	app_connect(&work, &desk, "work");
	app_window_create(&below, &untrusted);
	app_window_show(&below, 400, 300, GREEN);
	app_window_create(&above, &work);
	app_window_show(&above, 400, 300, 0); // fully transparent
	view_move(app_window_view(&above), 100, 100);
	view_move(app_window_view(&below), 100, 100);
	focus_set_view(&desk.server, app_window_view(&above));
	desk_look(&desk);
	EXPECT_INT(desk_count(&desk, RGB(GREEN), &app_window_server(&above)->box, true), 0);
	app_disconnect(&work);
	app_disconnect(&untrusted);
	desk_finish(&desk);
}

/* wlroots does not look again at what an opaque buffer hid when one with alpha takes its place. */
TEST(a_window_that_becomes_transparent_shows_its_own_backing) {
	struct solo solo;
	solo_init(&solo, "work");
	app_window_show(&solo.window, 300, 200, RED);
	desk_look(&solo.desk);
	app_paint(&solo.app, solo.window.surface, 300, 200, 0);
	app_roundtrip(&solo.app);
	struct window *server_window = app_window_server(&solo.window);
	desk_look(&solo.desk);
	EXPECT_INT(desk_count(&solo.desk, DESK_WORK, &server_window->box, true), 300 * 200);
	solo_finish(&solo);
}

TEST(popups_are_framed_and_clipped) {
	struct solo solo;
	struct app_window popup;
	solo_init(&solo, "personal");
	app_window_show(&solo.window, 300, 200, RED);
	app_popup_create(&popup, &solo.window, &(struct wlr_box){50, 150, 120, 90}, 0);
	struct window *server_popup = app_window_server(&popup);
	EXPECT(server_popup->frame != NULL);
	EXPECT(!server_popup->mapped);
	xdg_surface_set_window_geometry(popup.xdg_surface, 20, 20, 120, 90);
	app_window_show(&popup, 200, 200, GREEN);
	EXPECT(server_popup->mapped);
	EXPECT_INT(server_popup->frame_state.kind, FRAME_POPUP);
	desk_look(&solo.desk);
	expect_frame(&solo.desk, server_popup, DESK_PERSONAL);
	EXPECT_INT(desk_count(&solo.desk, RGB(GREEN), &server_popup->box, true), 120 * 90);
	EXPECT_INT(desk_count(&solo.desk, RGB(GREEN), &server_popup->box, false), 0);
	solo_finish(&solo);
}

TEST(popups_stay_on_the_screen_with_their_frame) {
	struct solo solo;
	struct app_window popup;
	solo_init(&solo, "untrusted");
	app_window_show(&solo.window, 300, 200, RED);
	static const struct wlr_box places[] = {{-5000, -5000, 100, 100}, {5000, 5000, 100, 100},
			{0, 0, 3000, 3000}, {INT_MAX, 0, 10, 10}};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		app_popup_create(&popup, &solo.window, &places[i], 0);
		int width = places[i].width, height = places[i].height;
		app_window_show(&popup, width, height, GREEN);
		struct wlr_box box = app_window_server(&popup)->box;
		EXPECT(box.x >= DESK_BORDER);
		EXPECT(box.y >= DESK_BORDER);
		EXPECT(box.x + box.width <= DESK_WIDTH - DESK_BORDER);
		EXPECT(box.y + box.height <= DESK_HEIGHT - DESK_BORDER);
		app_window_destroy(&popup);
	}
	solo_finish(&solo);
}

TEST(maximized_windows_keep_their_frame) {
	struct solo solo;
	solo_init(&solo, "untrusted");
	app_window_show(&solo.window, 300, 200, RED);
	xdg_toplevel_set_maximized(solo.window.toplevel);
	app_roundtrip(&solo.app);
	app_roundtrip(&solo.app);
	EXPECT(solo.window.maximized);
	struct frame_insets insets = frame_insets(FRAME_TOPLEVEL, DESK_BORDER);
	EXPECT_INT(solo.window.width, DESK_WIDTH - insets.left - insets.right);
	EXPECT_INT(solo.window.height, DESK_HEIGHT - insets.top - insets.bottom);
	// More than was asked for.
	app_window_show(&solo.window, 2 * DESK_WIDTH, 2 * DESK_HEIGHT, RED);
	desk_look(&solo.desk);
	expect_frame(&solo.desk, app_window_server(&solo.window), DESK_UNTRUSTED);
	EXPECT_INT(desk_pixel(&solo.desk, 0, 0), DESK_UNTRUSTED);
	EXPECT_INT(desk_pixel(&solo.desk, DESK_WIDTH - 1, DESK_HEIGHT - 1), DESK_UNTRUSTED);
	xdg_toplevel_unset_maximized(solo.window.toplevel);
	app_roundtrip(&solo.app);
	app_roundtrip(&solo.app);
	EXPECT_INT(solo.window.width, 300);
	EXPECT_INT(solo.window.height, 200);
	solo_finish(&solo);
}

TEST(fullscreen_windows_keep_a_frame_with_a_title) {
	struct solo solo;
	solo_init(&solo, "work");
	app_window_show(&solo.window, 300, 200, RED);
	xdg_toplevel_set_fullscreen(solo.window.toplevel, NULL);
	app_roundtrip(&solo.app);
	app_roundtrip(&solo.app);
	EXPECT(solo.window.fullscreen);
	app_window_show(&solo.window, 2 * DESK_WIDTH, 2 * DESK_HEIGHT, RED);
	struct window *server_window = app_window_server(&solo.window);
	EXPECT_INT(server_window->frame_state.kind, FRAME_FULLSCREEN);
	desk_look(&solo.desk);
	expect_frame(&solo.desk, server_window, DESK_WORK);
	EXPECT_INT(desk_pixel(&solo.desk, 0, 0), DESK_WORK);
	EXPECT_INT(desk_count(&solo.desk, RGB(RED), &server_window->box, false), 0);
	EXPECT(server_window->box.y >= FRAME_SLIM_TITLE_HEIGHT);
	solo_finish(&solo);
}

TEST(fullscreen_is_refused_where_the_vm_set_denies_it) {
	struct solo solo;
	solo_init(&solo, "untrusted");
	app_window_show(&solo.window, 300, 200, RED);
	xdg_toplevel_set_fullscreen(solo.window.toplevel, NULL);
	app_roundtrip(&solo.app);
	app_roundtrip(&solo.app);
	EXPECT(!solo.window.fullscreen);
	EXPECT(app_window_server(&solo.window)->frame_state.notice == NULL);
	solo_finish(&solo);
}

static void super_f(struct desk *desk) {
	desk_key(desk, KEY_LEFTMETA, true);
	desk_tap(desk, KEY_F);
	desk_key(desk, KEY_LEFTMETA, false);
}

TEST(fullscreen_waits_for_the_user_where_the_vm_set_asks) {
	struct solo solo;
	solo_init(&solo, "personal");
	app_window_show(&solo.window, 300, 200, RED);
	xdg_toplevel_set_fullscreen(solo.window.toplevel, NULL);
	app_roundtrip(&solo.app);
	app_roundtrip(&solo.app);
	EXPECT(!solo.window.fullscreen);
	EXPECT(app_window_server(&solo.window)->frame_state.notice != NULL);
	super_f(&solo.desk);
	app_roundtrip(&solo.app);
	EXPECT(solo.window.fullscreen);
	super_f(&solo.desk);
	app_roundtrip(&solo.app);
	EXPECT(!solo.window.fullscreen);
	solo_finish(&solo);
}

TEST(fullscreen_before_the_first_content_follows_the_policy_too) {
	struct desk desk;
	struct app app;
	struct app_window window;
	desk_init(&desk);
	app_connect(&app, &desk, "untrusted");
	app_window_init(&window, &app);
	window.toplevel = xdg_surface_get_toplevel(window.xdg_surface);
	xdg_toplevel_set_fullscreen(window.toplevel, NULL);
	wl_surface_commit(window.surface);
	app_roundtrip(&app);
	EXPECT(!app_window_view(&window)->fullscreen);
	app_disconnect(&app);
	desk_finish(&desk);
}

TEST(windows_move_to_a_remaining_output) {
	struct desk desk;
	struct app app;
	struct app_window window;
	desk_init(&desk);
	struct wlr_output *second = server_add_headless_output(&desk.server, 400, 300, 1.0f);
	app_connect(&app, &desk, "untrusted");
	app_window_create(&window, &app);
	app_window_show(&window, 300, 200, RED);
	struct view *view = app_window_view(&window);
	view_move(view, DESK_WIDTH + 50, 60);
	EXPECT(view->output->wlr_output == second);
	wlr_output_destroy(second);
	EXPECT(view->output->wlr_output == desk.output);
	desk_look(&desk);
	expect_frame(&desk, &view->window, DESK_UNTRUSTED);
	app_disconnect(&app);
	desk_finish(&desk);
}

TEST(windows_outlive_the_last_output) {
	struct solo solo;
	solo_init(&solo, "untrusted");
	app_window_show(&solo.window, 300, 200, RED);
	wlr_output_destroy(solo.desk.output);
	app_roundtrip(&solo.app);
	EXPECT(app_window_view(&solo.window)->output == NULL);
	solo.desk.output = server_add_headless_output(
			&solo.desk.server, DESK_WIDTH, DESK_HEIGHT, 1.0f);
	desk_turn(&solo.desk);
	EXPECT(app_window_view(&solo.window)->output != NULL);
	desk_look(&solo.desk);
	expect_frame(&solo.desk, app_window_server(&solo.window), DESK_UNTRUSTED);
	solo_finish(&solo);
}

TEST(a_window_cannot_be_moved_out_of_reach) {
	struct solo solo;
	solo_init(&solo, "work");
	app_window_show(&solo.window, 300, 200, RED);
	struct view *view = app_window_view(&solo.window);
	static const int places[][2] = {{-9999, -9999}, {9999, 9999}, {INT_MIN, INT_MAX}};
	for (size_t i = 0; i < 3; i++) {
		view_move(view, places[i][0], places[i][1]);
		struct frame_box title = frame_title(FRAME_TOPLEVEL, DESK_BORDER, 300);
		EXPECT(view->window.box.y + title.y >= 0);
		EXPECT(view->window.box.y <= DESK_HEIGHT);
		EXPECT(view->window.box.x + 300 >= 60);
		EXPECT(view->window.box.x <= DESK_WIDTH - 60);
	}
	solo_finish(&solo);
}

TEST(servers_come_and_go_in_one_process) {
	for (int i = 0; i < 20; i++) {
		struct desk desk;
		struct app app;
		struct app_window window, popup;
		desk_init(&desk);
		app_connect(&app, &desk, "work");
		app_window_create(&window, &app);
		app_window_show(&window, 300, 200, RED);
		app_popup_create(&popup, &window, &(struct wlr_box){50, 50, 60, 60}, 0);
		app_window_show(&popup, 60, 60, GREEN);
		if (i % 2 == 0) {
			app_disconnect(&app);
			desk_finish(&desk);
		} else {
			desk_finish(&desk); // with clients
			app.desk = NULL;
			app_disconnect(&app);
		}
	}
}
