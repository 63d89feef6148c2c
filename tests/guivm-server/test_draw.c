/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "guivm-server/output.h"
#include "guivm-server/refresh.h"
#include "tests/guivm-server/screen.h"

#define SLOW_NS INT64_C(500000000) // so slow that much can be done between two refreshes
#define FAST_NS INT64_C(50000000) // where that does not matter
#define SIDE 200

/* Two windows on a screen that showed both. */
struct fixture {
	struct desk desk;
	struct screen screen;
	struct app app;
	struct app_window windows[2];
	struct wl_callback *pending[8]; // frame callbacks, NULL: none
	int n_done;
};

static struct wl_callback **find_pending(struct fixture *f, const struct wl_callback *callback) {
	const int n = sizeof(f->pending) / sizeof(f->pending[0]);
	for (int i = 0; i < n; i++) {
		if (f->pending[i] == callback) {
			return &f->pending[i];
		}
	}
	abort();
}

static void handle_done(void *data, struct wl_callback *callback, uint32_t time_ms) {
	struct fixture *f = data;
	f->n_done++;
	*find_pending(f, callback) = NULL;
	wl_callback_destroy(callback);
}

static const struct wl_callback_listener callback_listener = {.done = handle_done};

/* For a frame callback. */
static void ask(struct fixture *f, struct wl_surface *surface) {
	struct wl_callback *callback = wl_surface_frame(surface);
	wl_callback_add_listener(callback, &callback_listener, f);
	*find_pending(f, NULL) = callback;
}

static void turn(struct fixture *f) {
	wl_event_loop_dispatch(f->desk.server.loop, -1);
	app_roundtrip(&f->app);
}

static void until_shown(struct fixture *f, int n) {
	while (f->screen.n_shown < n) {
		turn(f);
	}
}

static void draw(struct fixture *f, int number) {
	struct wl_surface *surface = f->windows[number].surface;
	ask(f, surface);
	struct wl_buffer *buffer = app_buffer(&f->app, SIDE, SIDE, 0xff00ff00);
	wl_surface_attach(surface, buffer, 0, 0);
	wl_surface_damage_buffer(surface, 0, 0, SIDE, SIDE);
	wl_surface_commit(surface);
	wl_buffer_destroy(buffer);
	app_roundtrip(&f->app);
}

static void fixture_init(struct fixture *f, int64_t period_ns) {
	*f = (struct fixture){0};
	desk_init(&f->desk);
	screen_init(&f->screen, &f->desk, period_ns);
	app_connect(&f->app, &f->desk, "work");
	for (int i = 0; i < 2; i++) {
		app_window_create(&f->windows[i], &f->app);
		app_window_show(&f->windows[i], SIDE, SIDE, 0xffff0000);
	}
	/* All is drawn that there is, and when it is shown is known. */
	while (f->screen.n_shown == 0 || f->screen.n_shown < f->screen.n_drawn) {
		turn(f);
	}
	draw(f, 0);
	until_shown(f, f->screen.n_shown + 1);
}

/*
 * The window is drawn and shown, and it is known how long that takes: on a machine that stands
 * still now and then, frames are rightly not put off.
 */
static struct output *show(struct fixture *f) {
	draw(f, 0);
	until_shown(f, f->screen.n_shown + 1);
	struct output *output = output_from_wlr(&f->desk.server, &f->screen.output);
	output->draw.refresh.cost_ns = f->screen.period_ns / 100;
	output->draw.refresh.doubt_ns = 0;
	return output;
}

static void fixture_finish(struct fixture *f) {
	for (size_t i = 0; i < sizeof(f->pending) / sizeof(f->pending[0]); i++) {
		if (f->pending[i] != NULL) {
			wl_callback_destroy(f->pending[i]);
		}
	}
	app_disconnect(&f->app);
	screen_finish(&f->screen);
	desk_finish(&f->desk);
}

TEST(commits_before_a_refresh_are_shown_with_it) {
	struct fixture f;
	fixture_init(&f, SLOW_NS);
	bool in_time;
	do {
		show(&f);
		int drawn = f.screen.n_drawn;
		int64_t shown_ns = f.screen.flip_ns;
		draw(&f, 0);
		int after_first = f.screen.n_drawn;
		draw(&f, 1);
		int after_second = f.screen.n_drawn;
		in_time = refresh_clock_ns() - shown_ns < SLOW_NS / 2;
		if (in_time) {
			EXPECT_INT(after_first, drawn);
			EXPECT_INT(after_second, drawn);
		}
		until_shown(&f, f.screen.n_shown + 1);
		if (in_time) {
			EXPECT_INT(f.screen.n_drawn, drawn + 1);
		}
	} while (!in_time);
	fixture_finish(&f);
}

TEST(frame_callbacks_come_with_the_refresh) {
	struct fixture f;
	fixture_init(&f, SLOW_NS);
	for (int i = 0; i < 3; i++) {
		int shown = f.screen.n_shown, done = f.n_done;
		draw(&f, 0);
		while (f.n_done == done) {
			EXPECT_INT(f.screen.n_shown, shown);
			turn(&f);
		}
		EXPECT_INT(f.screen.n_shown, shown + 1);
	}
	fixture_finish(&f);
}

TEST(a_callback_comes_where_nothing_is_to_be_drawn) {
	struct fixture f;
	fixture_init(&f, FAST_NS);
	int done = f.n_done;
	struct wl_surface *surface = f.windows[0].surface;
	ask(&f, surface);
	wl_surface_commit(surface);
	app_roundtrip(&f.app);
	while (f.n_done == done) {
		turn(&f);
	}
	fixture_finish(&f);
}

TEST(a_screen_at_rest_sets_no_timer) {
	struct fixture f;
	fixture_init(&f, FAST_NS);
	draw(&f, 0);
	until_shown(&f, f.screen.n_shown + 1);
	app_roundtrip(&f.app);
	const struct output *output = output_from_wlr(&f.desk.server, &f.screen.output);
	EXPECT(!output->draw.waits);
	EXPECT(!f.screen.output.frame_pending);
	fixture_finish(&f);
}

TEST(a_screen_goes_while_it_waits_to_be_drawn) {
	struct fixture f;
	fixture_init(&f, SLOW_NS);
	const struct output *output;
	do {
		output = show(&f);
		draw(&f, 0);
	} while (!output->draw.waits);
	screen_finish(&f.screen);
	app_roundtrip(&f.app);
	fixture_finish(&f);
}

TEST(a_screen_is_switched_off_while_it_waits_to_be_drawn) {
	struct fixture f;
	fixture_init(&f, SLOW_NS);
	struct output *output;
	do {
		output = show(&f);
		draw(&f, 0);
	} while (!output->draw.waits);
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_enabled(&state, false);
	EXPECT(wlr_output_commit_state(&f.screen.output, &state));
	int drawn = f.screen.n_drawn;
	while (output->draw.waits) {
		turn(&f);
	}
	EXPECT_INT(f.screen.n_drawn, drawn);
	wlr_output_state_set_enabled(&state, true);
	EXPECT(wlr_output_commit_state(&f.screen.output, &state));
	wlr_output_state_finish(&state);
	int shown = f.screen.n_shown;
	draw(&f, 0);
	until_shown(&f, shown + 1);
	fixture_finish(&f);
}
