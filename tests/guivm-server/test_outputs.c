/* SPDX-License-Identifier: Apache-2.0 */
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_output_layout.h>

#include "guivm-server/window.h"
#include "tests/guivm-server/desk.h"

#define WIDTH 300
#define HEIGHT 200

struct fixture {
	struct desk desk;
	struct app app;
	struct app_window window;
};

static void fixture_init(struct fixture *f) {
	desk_init(&f->desk);
	app_connect(&f->app, &f->desk, "work");
	app_window_create(&f->window, &f->app);
	app_window_show(&f->window, WIDTH, HEIGHT, 0xffffffff);
}

static void fixture_finish(struct fixture *f) {
	app_disconnect(&f->app);
	desk_finish(&f->desk);
}

/* As output management does it for the user. */
static void set_enabled(struct desk *desk, bool enabled) {
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_enabled(&state, enabled);
	EXPECT(wlr_output_commit_state(desk->output, &state));
	wlr_output_state_finish(&state);
	if (enabled) {
		wlr_output_layout_add(desk->server.output_layout, desk->output, 0, 0);
	} else {
		wlr_output_layout_remove(desk->server.output_layout, desk->output);
	}
}

static void set_size(struct desk *desk, int width, int height) {
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_custom_mode(&state, width, height, 0);
	EXPECT(wlr_output_commit_state(desk->output, &state));
	wlr_output_state_finish(&state);
}

TEST(a_window_that_draws_while_no_output_is_on_keeps_its_size) {
	struct fixture f;
	fixture_init(&f);
	struct wlr_box before = app_window_server(&f.window)->box;
	set_enabled(&f.desk, false);
	app_paint(&f.app, f.window.surface, WIDTH, HEIGHT, 0xff00ff00);
	app_roundtrip(&f.app);
	EXPECT(wlr_box_equal(&app_window_server(&f.window)->box, &before));
	set_enabled(&f.desk, true);
	app_roundtrip(&f.app);
	EXPECT(wlr_box_equal(&app_window_server(&f.window)->box, &before));
	fixture_finish(&f);
}

TEST(a_window_that_comes_while_no_output_is_on_is_shown_when_one_is) {
	struct fixture f;
	fixture_init(&f);
	set_enabled(&f.desk, false);
	struct app_window other;
	app_window_create(&other, &f.app);
	app_window_show(&other, WIDTH, HEIGHT, 0xff00ff00);
	set_enabled(&f.desk, true);
	app_roundtrip(&f.app);
	desk_look(&f.desk);
	EXPECT_INT(app_window_server(&other)->box.width, WIDTH);
	EXPECT(desk_pixel(&f.desk, app_window_server(&other)->box.x + WIDTH / 2,
			app_window_server(&other)->box.y + HEIGHT / 2) == 0x00ff00);
	fixture_finish(&f);
}

TEST(a_window_is_cut_to_what_a_smaller_mode_has_room_for_at_once) {
	struct fixture f;
	fixture_init(&f);
	set_size(&f.desk, 240, 180);
	struct wlr_box box = app_window_server(&f.window)->box;
	EXPECT(box.width <= 240 - 2 * DESK_BORDER);
	EXPECT(box.height <= 180 - 2 * DESK_BORDER);
	set_size(&f.desk, DESK_WIDTH, DESK_HEIGHT);
	EXPECT_INT(app_window_server(&f.window)->box.width, WIDTH);
	EXPECT_INT(app_window_server(&f.window)->box.height, HEIGHT);
	fixture_finish(&f);
}
