/* SPDX-License-Identifier: Apache-2.0 */
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_output.h>

#include "guivm-server/refresh.h"
#include "guivm-server/window.h"
#include "tests/guivm-server/desk.h"

#define SIDE 200
#define SOON_NS 30000000
#define MAX_LOG 64
#define DRAWN 0

/* A shown window. Its frames are told apart by their widths. */
struct fixture {
	struct desk desk;
	struct app app;
	struct app_window window;
	struct wp_fifo_v1 *fifo;
	struct wp_commit_timer_v1 *timer;
	struct wlr_surface *surface; // the server's
	int log[MAX_LOG]; // the width of what was applied, or DRAWN when the output was
	int n_log;
	int64_t applied_ns;
	struct wl_listener commit, output_commit;
};

static void note(struct fixture *f, int what) {
	EXPECT(f->n_log < MAX_LOG);
	f->log[f->n_log++] = what;
}

static void handle_commit(struct wl_listener *listener, void *data) {
	struct fixture *f = wl_container_of(listener, f, commit);
	note(f, f->surface->current.width);
	f->applied_ns = refresh_clock_ns();
}

static void handle_output_commit(struct wl_listener *listener, void *data) {
	struct fixture *f = wl_container_of(listener, f, output_commit);
	const struct wlr_output_event_commit *event = data;
	if (event->state->committed & WLR_OUTPUT_STATE_BUFFER) {
		note(f, DRAWN);
	}
}

static void fixture_init(struct fixture *f) {
	*f = (struct fixture){0};
	desk_init(&f->desk);
	app_connect(&f->app, &f->desk, "work");
	app_window_create(&f->window, &f->app);
	app_window_show(&f->window, SIDE, SIDE, 0xffff0000);
	f->fifo = wp_fifo_manager_v1_get_fifo(f->app.fifo_manager, f->window.surface);
	f->timer = wp_commit_timing_manager_v1_get_timer(f->app.timing_manager, f->window.surface);
	app_roundtrip(&f->app);
	f->surface = app_window_server(&f->window)->surface;
	f->commit.notify = handle_commit;
	wl_signal_add(&f->surface->events.commit, &f->commit);
	f->output_commit.notify = handle_output_commit;
	wl_signal_add(&f->desk.output->events.commit, &f->output_commit);
}

/* A synchronised subsurface of the window. */
struct child {
	struct wl_surface *surface;
	struct wl_subsurface *subsurface;
};

static void child_init(struct child *child, struct fixture *f) {
	child->surface = wl_compositor_create_surface(f->app.compositor);
	child->subsurface = wl_subcompositor_get_subsurface(
			f->app.subcompositor, child->surface, f->window.surface);
}

static void child_finish(struct child *child) {
	wl_subsurface_destroy(child->subsurface);
	wl_surface_destroy(child->surface);
}

/* Before what is watched goes. */
static void stop_log(struct fixture *f) {
	wl_list_remove(&f->commit.link);
	wl_list_init(&f->commit.link);
	wl_list_remove(&f->output_commit.link);
	wl_list_init(&f->output_commit.link);
}

static void fixture_finish(struct fixture *f) {
	stop_log(f);
	wp_fifo_v1_destroy(f->fifo);
	wp_commit_timer_v1_destroy(f->timer);
	app_disconnect(&f->app);
	desk_finish(&f->desk);
}

static void expect_error(struct fixture *f, int code) {
	stop_log(f);
	EXPECT_INT(app_error(&f->app), code);
}

/* Sends a frame, and asks for nothing. */
static void draw(struct fixture *f, struct wl_surface *surface, int width) {
	struct wl_buffer *buffer = app_buffer(&f->app, width, SIDE, 0xff00ff00);
	wl_surface_attach(surface, buffer, 0, 0);
	wl_surface_damage_buffer(surface, 0, 0, width, SIDE);
	wl_surface_commit(surface);
	wl_buffer_destroy(buffer);
}

static int64_t at(struct fixture *f, int64_t after_ns) {
	int64_t target_ns = refresh_clock_ns() + after_ns;
	uint64_t seconds = (uint64_t)target_ns / 1000000000;
	wp_commit_timer_v1_set_timestamp(f->timer, (uint32_t)(seconds >> 32), (uint32_t)seconds,
			(uint32_t)(target_ns % 1000000000));
	return target_ns;
}

static void turn(struct fixture *f) {
	wl_display_flush(f->app.display);
	wl_event_loop_dispatch(f->desk.server.loop, -1);
	wl_display_flush_clients(f->desk.server.display);
}

/* The server's surface has a frame of this width. */
static void await(struct fixture *f, int width) {
	while (f->surface->current.width != width) {
		turn(f);
	}
}

/* Where a width stands in the log; -1: nowhere. */
static int place(const struct fixture *f, int what) {
	for (int i = 0; i < f->n_log; i++) {
		if (f->log[i] == what) {
			return i;
		}
	}
	return -1;
}

static int drawn_between(const struct fixture *f, int first, int second) {
	int begin = place(f, first), end = place(f, second), n = 0;
	EXPECT(begin >= 0 && end > begin);
	for (int i = begin; i < end; i++) {
		n += f->log[i] == DRAWN;
	}
	return n;
}

static void set_output(struct fixture *f, bool enabled) {
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_enabled(&state, enabled);
	EXPECT(wlr_output_commit_state(f->desk.output, &state));
	wlr_output_state_finish(&state);
}

TEST(each_frame_behind_a_barrier_is_drawn_before_the_next) {
	struct fixture f;
	fixture_init(&f);
	for (int width = SIDE + 1; width <= SIDE + 5; width++) {
		wp_fifo_v1_wait_barrier(f.fifo);
		wp_fifo_v1_set_barrier(f.fifo);
		draw(&f, f.window.surface, width);
	}
	await(&f, SIDE + 5);
	for (int width = SIDE + 1; width < SIDE + 5; width++) {
		EXPECT(drawn_between(&f, width, width + 1) > 0);
	}
	fixture_finish(&f);
}

TEST(who_does_not_wait_passes_the_barrier) {
	struct fixture f;
	fixture_init(&f);
	wp_fifo_v1_set_barrier(f.fifo);
	draw(&f, f.window.surface, SIDE + 1);
	draw(&f, f.window.surface, SIDE + 2);
	await(&f, SIDE + 2);
	EXPECT_INT(drawn_between(&f, SIDE + 1, SIDE + 2), 0);
	fixture_finish(&f);
}

TEST(what_comes_after_a_waiting_commit_waits_behind_it) {
	struct fixture f;
	fixture_init(&f);
	at(&f, SOON_NS);
	draw(&f, f.window.surface, SIDE + 1);
	draw(&f, f.window.surface, SIDE + 2);
	wp_fifo_v1_set_barrier(f.fifo);
	draw(&f, f.window.surface, SIDE + 3);
	wp_fifo_v1_wait_barrier(f.fifo);
	draw(&f, f.window.surface, SIDE + 4);
	app_roundtrip(&f.app);
	await(&f, SIDE + 4);
	EXPECT_INT(place(&f, SIDE + 2), place(&f, SIDE + 1) + 1);
	EXPECT_INT(place(&f, SIDE + 3), place(&f, SIDE + 2) + 1);
	EXPECT(drawn_between(&f, SIDE + 3, SIDE + 4) > 0);
	fixture_finish(&f);
}

TEST(a_barrier_without_new_content_falls) {
	struct fixture f;
	fixture_init(&f);
	wp_fifo_v1_set_barrier(f.fifo);
	wl_surface_commit(f.window.surface);
	wp_fifo_v1_wait_barrier(f.fifo);
	draw(&f, f.window.surface, SIDE + 1);
	await(&f, SIDE + 1);
	fixture_finish(&f);
}

TEST(a_barrier_falls_without_an_output) {
	struct fixture f;
	fixture_init(&f);
	stop_log(&f);
	wlr_output_destroy(f.desk.output);
	for (int width = SIDE + 1; width <= SIDE + 5; width++) {
		wp_fifo_v1_wait_barrier(f.fifo);
		wp_fifo_v1_set_barrier(f.fifo);
		draw(&f, f.window.surface, width);
	}
	app_roundtrip(&f.app);
	await(&f, SIDE + 5);
	fixture_finish(&f);
}

TEST(a_barrier_falls_when_the_output_goes_off) {
	struct fixture f;
	fixture_init(&f);
	wp_fifo_v1_set_barrier(f.fifo);
	draw(&f, f.window.surface, SIDE + 1);
	await(&f, SIDE + 1);
	set_output(&f, false);
	wp_fifo_v1_wait_barrier(f.fifo);
	draw(&f, f.window.surface, SIDE + 2);
	await(&f, SIDE + 2);
	fixture_finish(&f);
}

TEST(a_barrier_falls_behind_another_window) {
	struct fixture f;
	fixture_init(&f);
	struct app_window above;
	app_window_create(&above, &f.app);
	xdg_toplevel_set_maximized(above.toplevel);
	app_roundtrip(&f.app);
	app_window_show(&above, above.width, above.height, 0xff0000ff);
	for (int width = SIDE + 1; width <= SIDE + 5; width++) {
		wp_fifo_v1_wait_barrier(f.fifo);
		wp_fifo_v1_set_barrier(f.fifo);
		draw(&f, f.window.surface, width);
	}
	await(&f, SIDE + 5);
	fixture_finish(&f);
}

TEST(a_commit_waits_for_its_time) {
	struct fixture f;
	fixture_init(&f);
	int64_t target_ns = at(&f, SOON_NS);
	draw(&f, f.window.surface, SIDE + 1);
	await(&f, SIDE + 1);
	EXPECT(f.applied_ns >= target_ns);
	at(&f, -1000000000);
	draw(&f, f.window.surface, SIDE + 2);
	app_roundtrip(&f.app);
	EXPECT_INT(f.surface->current.width, SIDE + 2);
	fixture_finish(&f);
}

TEST(a_commit_waits_for_its_time_without_an_output) {
	struct fixture f;
	fixture_init(&f);
	stop_log(&f);
	wl_signal_add(&f.surface->events.commit, &f.commit);
	wlr_output_destroy(f.desk.output);
	int64_t target_ns = at(&f, SOON_NS);
	draw(&f, f.window.surface, SIDE + 1);
	await(&f, SIDE + 1);
	EXPECT(f.applied_ns >= target_ns);
	fixture_finish(&f);
}

TEST(the_time_of_a_synchronised_subsurface_is_its_parents) {
	struct fixture f;
	struct child child;
	fixture_init(&f);
	child_init(&child, &f);
	wp_commit_timer_v1_destroy(f.timer);
	f.timer = wp_commit_timing_manager_v1_get_timer(f.app.timing_manager, child.surface);
	int64_t target_ns = at(&f, SOON_NS);
	draw(&f, child.surface, 10);
	draw(&f, child.surface, 11);
	draw(&f, f.window.surface, SIDE + 1);
	await(&f, SIDE + 1);
	EXPECT(f.applied_ns >= target_ns);
	/* Taken along, it counts no more. */
	draw(&f, f.window.surface, SIDE + 2);
	app_roundtrip(&f.app);
	EXPECT_INT(f.surface->current.width, SIDE + 2);
	child_finish(&child);
	fixture_finish(&f);
}

TEST(a_synchronised_subsurface_waits_for_no_barrier) {
	struct fixture f;
	struct child child;
	fixture_init(&f);
	child_init(&child, &f);
	wp_fifo_v1_destroy(f.fifo);
	f.fifo = wp_fifo_manager_v1_get_fifo(f.app.fifo_manager, child.surface);
	for (int width = 10; width < 15; width++) {
		wp_fifo_v1_set_barrier(f.fifo);
		wp_fifo_v1_wait_barrier(f.fifo);
		draw(&f, child.surface, width);
	}
	draw(&f, f.window.surface, SIDE + 1);
	app_roundtrip(&f.app);
	EXPECT_INT(f.surface->current.width, SIDE + 1);
	EXPECT(wl_list_empty(&f.surface->cached));
	child_finish(&child);
	fixture_finish(&f);
}

TEST(a_surface_goes_with_what_waits) {
	struct fixture f;
	fixture_init(&f);
	at(&f, 1000 * (int64_t)SOON_NS);
	draw(&f, f.window.surface, SIDE + 1);
	draw(&f, f.window.surface, SIDE + 2);
	app_roundtrip(&f.app);
	EXPECT_INT(f.surface->current.width, SIDE);
	stop_log(&f);
	app_window_destroy(&f.window);
	app_roundtrip(&f.app);
	EXPECT_INT(app_error(&f.app), -1);
	fixture_finish(&f);
}

TEST(a_client_goes_with_what_waits) {
	struct fixture f;
	fixture_init(&f);
	wp_fifo_v1_set_barrier(f.fifo);
	draw(&f, f.window.surface, SIDE + 1);
	wp_fifo_v1_wait_barrier(f.fifo);
	draw(&f, f.window.surface, SIDE + 2);
	at(&f, 1000 * (int64_t)SOON_NS);
	draw(&f, f.window.surface, SIDE + 3);
	app_roundtrip(&f.app);
	fixture_finish(&f);
}

TEST(nothing_waits_beyond_its_role) {
	struct fixture f;
	fixture_init(&f);
	at(&f, 1000 * (int64_t)SOON_NS);
	draw(&f, f.window.surface, SIDE + 1);
	draw(&f, f.window.surface, SIDE + 2);
	app_roundtrip(&f.app);
	EXPECT_INT(f.surface->current.width, SIDE);
	xdg_toplevel_destroy(f.window.toplevel);
	f.window.toplevel = NULL;
	app_roundtrip(&f.app);
	EXPECT_INT(f.surface->current.width, SIDE + 2);
	EXPECT(wl_list_empty(&f.surface->cached));
	fixture_finish(&f);
}

TEST(a_role_begins_anew_after_one_whose_commits_waited) {
	struct fixture f;
	fixture_init(&f);
	at(&f, 1000 * (int64_t)SOON_NS);
	wl_surface_attach(f.window.surface, NULL, 0, 0);
	wl_surface_commit(f.window.surface);
	app_roundtrip(&f.app);
	EXPECT(f.surface->mapped);
	xdg_toplevel_destroy(f.window.toplevel);
	f.window.toplevel = xdg_surface_get_toplevel(f.window.xdg_surface);
	wl_surface_commit(f.window.surface);
	app_roundtrip(&f.app);
	app_window_show(&f.window, SIDE + 1, SIDE, 0xff00ff00);
	EXPECT_INT(app_error(&f.app), -1);
	EXPECT(f.surface->mapped);
	EXPECT_INT(f.surface->current.width, SIDE + 1);
	fixture_finish(&f);
}

TEST(who_has_no_role_is_not_held) {
	struct fixture f;
	fixture_init(&f);
	struct wl_surface *surface = wl_compositor_create_surface(f.app.compositor);
	wp_commit_timer_v1_destroy(f.timer);
	f.timer = wp_commit_timing_manager_v1_get_timer(f.app.timing_manager, surface);
	at(&f, 1000 * (int64_t)SOON_NS);
	draw(&f, surface, 10);
	/* It has content by now, which a window must not have. */
	struct xdg_surface *xdg_surface = xdg_wm_base_get_xdg_surface(f.app.wm_base, surface);
	expect_error(&f, XDG_SURFACE_ERROR_UNCONFIGURED_BUFFER);
	xdg_surface_destroy(xdg_surface);
	wl_surface_destroy(surface);
	fixture_finish(&f);
}

/* wlroots would map it, and fail an assertion when it is unmapped again. */
TEST(a_window_does_not_come_back_unconfigured) {
	struct fixture f;
	fixture_init(&f);
	at(&f, SOON_NS);
	wl_surface_attach(f.window.surface, NULL, 0, 0);
	wl_surface_commit(f.window.surface);
	draw(&f, f.window.surface, SIDE + 1);
	expect_error(&f, XDG_SURFACE_ERROR_UNCONFIGURED_BUFFER);
	fixture_finish(&f);
}

TEST(a_window_may_be_hidden_at_a_time) {
	struct fixture f;
	fixture_init(&f);
	at(&f, SOON_NS);
	wl_surface_attach(f.window.surface, NULL, 0, 0);
	wl_surface_commit(f.window.surface);
	app_roundtrip(&f.app);
	EXPECT(f.surface->mapped);
	await(&f, 0);
	EXPECT(!f.surface->mapped);
	EXPECT_INT(app_error(&f.app), -1);
	fixture_finish(&f);
}

static void commit_many(struct fixture *f, int n) {
	for (int i = 0; i < n; i++) {
		wl_surface_commit(f->window.surface);
		if (i % 100 == 0) {
			app_roundtrip(&f->app);
		}
	}
}

TEST(a_thousand_commits_may_wait) {
	struct fixture f;
	fixture_init(&f);
	at(&f, 1000 * (int64_t)SOON_NS);
	commit_many(&f, 1000);
	EXPECT_INT(app_error(&f.app), -1);
	fixture_finish(&f);
}

TEST(commits_do_not_wait_without_end) {
	struct fixture f;
	fixture_init(&f);
	stop_log(&f);
	at(&f, 1000 * (int64_t)SOON_NS);
	int error = -1;
	for (int n = 0; error < 0 && n < 1000000; n += 1000) {
		commit_many(&f, 1000);
		error = app_error(&f.app);
	}
	EXPECT_INT(error, WL_DISPLAY_ERROR_NO_MEMORY);
	fixture_finish(&f);
}

/* Each of these counts for a sixtieth of what may wait. */
TEST(who_is_always_some_frames_ahead_does_not_pile_up) {
	enum { FRAMES = 150, AHEAD = 8 };
	struct fixture f;
	fixture_init(&f);
	stop_log(&f);
	struct wl_region *region = wl_compositor_create_region(f.app.compositor);
	for (int i = 0; i < 4000; i++) {
		wl_region_add(region, i, i, 1, 1);
	}
	wl_surface_set_input_region(f.window.surface, region);
	wl_region_destroy(region);
	for (int i = 1; i <= FRAMES + AHEAD; i++) {
		if (i <= FRAMES) {
			at(&f, 2 * SOON_NS);
			draw(&f, f.window.surface, SIDE + i);
		}
		while (f.surface->current.width < SIDE + i - AHEAD) {
			turn(&f);
			EXPECT_INT(app_error(&f.app), -1);
		}
	}
	EXPECT_INT(app_error(&f.app), -1);
	fixture_finish(&f);
}

TEST(a_second_fifo_is_an_error) {
	struct fixture f;
	fixture_init(&f);
	wp_fifo_v1_destroy(f.fifo);
	f.fifo = wp_fifo_manager_v1_get_fifo(f.app.fifo_manager, f.window.surface);
	EXPECT_INT(app_error(&f.app), -1);
	struct wp_fifo_v1 *second =
			wp_fifo_manager_v1_get_fifo(f.app.fifo_manager, f.window.surface);
	expect_error(&f, WP_FIFO_MANAGER_V1_ERROR_ALREADY_EXISTS);
	wp_fifo_v1_destroy(second);
	fixture_finish(&f);
}

TEST(a_second_timer_is_an_error) {
	struct fixture f;
	fixture_init(&f);
	wp_commit_timer_v1_destroy(f.timer);
	f.timer = wp_commit_timing_manager_v1_get_timer(f.app.timing_manager, f.window.surface);
	EXPECT_INT(app_error(&f.app), -1);
	struct wp_commit_timer_v1 *second = wp_commit_timing_manager_v1_get_timer(
			f.app.timing_manager, f.window.surface);
	expect_error(&f, WP_COMMIT_TIMING_MANAGER_V1_ERROR_COMMIT_TIMER_EXISTS);
	wp_commit_timer_v1_destroy(second);
	fixture_finish(&f);
}

TEST(a_barrier_of_a_destroyed_surface_is_an_error) {
	struct fixture f;
	fixture_init(&f);
	stop_log(&f);
	app_window_destroy(&f.window);
	wp_fifo_v1_set_barrier(f.fifo);
	expect_error(&f, WP_FIFO_V1_ERROR_SURFACE_DESTROYED);
	fixture_finish(&f);
}

TEST(a_timestamp_of_a_destroyed_surface_is_an_error) {
	struct fixture f;
	fixture_init(&f);
	stop_log(&f);
	app_window_destroy(&f.window);
	at(&f, SOON_NS);
	expect_error(&f, WP_COMMIT_TIMER_V1_ERROR_SURFACE_DESTROYED);
	fixture_finish(&f);
}

TEST(a_second_timestamp_is_an_error) {
	struct fixture f;
	fixture_init(&f);
	at(&f, -1);
	wl_surface_commit(f.window.surface);
	wp_commit_timer_v1_set_timestamp(f.timer, 0, 0, 0);
	EXPECT_INT(app_error(&f.app), -1);
	wp_commit_timer_v1_set_timestamp(f.timer, 0, 0, 1);
	expect_error(&f, WP_COMMIT_TIMER_V1_ERROR_TIMESTAMP_EXISTS);
	fixture_finish(&f);
}

TEST(a_second_has_a_thousand_million_nanoseconds) {
	struct fixture f;
	fixture_init(&f);
	wp_commit_timer_v1_set_timestamp(f.timer, 0, 0, 999999999);
	wl_surface_commit(f.window.surface);
	EXPECT_INT(app_error(&f.app), -1);
	wp_commit_timer_v1_set_timestamp(f.timer, 0, 0, 1000000000);
	expect_error(&f, WP_COMMIT_TIMER_V1_ERROR_INVALID_TIMESTAMP);
	fixture_finish(&f);
}

TEST(the_end_of_time_is_no_time_of_the_past) {
	struct fixture f;
	fixture_init(&f);
	wp_commit_timer_v1_set_timestamp(f.timer, UINT32_MAX, UINT32_MAX, 999999999);
	draw(&f, f.window.surface, SIDE + 1);
	app_roundtrip(&f.app);
	EXPECT_INT(f.surface->current.width, SIDE);
	fixture_finish(&f);
}
