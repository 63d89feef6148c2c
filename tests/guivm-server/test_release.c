/* SPDX-License-Identifier: Apache-2.0 */
#include <wlr/types/wlr_output.h>

#include "tests/guivm-server/desk.h"

#define N_BUFFERS 4
#define SIDE 50

/* A shown window without outputs: no frame ever comes. */
struct fixture {
	struct desk desk;
	struct app app;
	struct app_window window;
	struct wl_buffer *buffers[N_BUFFERS];
	bool released[N_BUFFERS];
};

static void handle_release(void *data, struct wl_buffer *buffer) {
	bool *released = data;
	EXPECT(!*released);
	*released = true;
}

static const struct wl_buffer_listener buffer_listener = {.release = handle_release};

static void fixture_init(struct fixture *f) {
	*f = (struct fixture){0};
	desk_init(&f->desk);
	app_connect(&f->app, &f->desk, "work");
	app_window_create(&f->window, &f->app);
	app_window_show(&f->window, SIDE, SIDE, 0xffff0000);
	wlr_output_destroy(f->desk.output);
	app_roundtrip(&f->app);
	for (int i = 0; i < N_BUFFERS; i++) {
		f->buffers[i] = app_buffer(&f->app, SIDE, SIDE, 0xff000000 + (uint32_t)i);
		wl_buffer_add_listener(f->buffers[i], &buffer_listener, &f->released[i]);
	}
}

static void fixture_finish(struct fixture *f) {
	for (int i = 0; i < N_BUFFERS; i++) {
		wl_buffer_destroy(f->buffers[i]);
	}
	app_disconnect(&f->app);
	desk_finish(&f->desk);
}

static struct wl_callback *draw(struct fixture *f, int number, bool frame) {
	struct wl_surface *surface = f->window.surface;
	struct wl_callback *callback = frame ? wl_surface_frame(surface) : NULL;
	wl_surface_attach(surface, f->buffers[number], 0, 0);
	wl_surface_damage_buffer(surface, 0, 0, SIDE, SIDE);
	wl_surface_commit(surface);
	app_roundtrip(&f->app);
	return callback;
}

TEST(a_buffer_is_released_at_once_to_who_asks_for_no_frame) {
	struct fixture f;
	fixture_init(&f);
	draw(&f, 0, false);
	draw(&f, 1, false);
	EXPECT(f.released[0]);
	EXPECT(!f.released[1]);
	fixture_finish(&f);
}

TEST(a_buffer_is_released_with_the_frame_to_who_asks_for_it) {
	struct fixture f;
	fixture_init(&f);
	draw(&f, 0, false);
	struct wl_callback *callback = draw(&f, 1, true);
	EXPECT(!f.released[0]);
	f.desk.output = server_add_headless_output(&f.desk.server, DESK_WIDTH, DESK_HEIGHT, 1.0f);
	while (!f.released[0]) {
		app_roundtrip(&f.app);
	}
	EXPECT(!f.released[1]);
	wl_callback_destroy(callback);
	fixture_finish(&f);
}

TEST(who_draws_ahead_waits_for_no_release) {
	struct fixture f;
	fixture_init(&f);
	draw(&f, 0, false);
	struct wl_callback *callbacks[2] = {draw(&f, 1, true), draw(&f, 2, true)};
	EXPECT(f.released[0]);
	EXPECT(f.released[1]);
	EXPECT(!f.released[2]);
	wl_callback_destroy(callbacks[0]);
	wl_callback_destroy(callbacks[1]);
	fixture_finish(&f);
}

TEST(a_surface_may_go_with_a_buffer_that_waits) {
	struct fixture f;
	fixture_init(&f);
	draw(&f, 0, false);
	struct wl_callback *callback = draw(&f, 1, true);
	wl_callback_destroy(callback);
	app_window_destroy(&f.window);
	app_roundtrip(&f.app);
	EXPECT(f.released[0]);
	fixture_finish(&f);
}
