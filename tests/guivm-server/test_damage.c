/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <wlr/interfaces/wlr_output.h>
#include <wlr/types/wlr_output.h>

#include "guivm-server/window.h"
#include "tests/guivm-server/desk.h"
#include "viewporter-client-protocol.h"

#define WIDTH 200
#define HEIGHT 150

/* A shown window that everything was drawn of, and what was painted since. */
struct fixture {
	struct desk desk;
	struct app app;
	struct app_window window;
	struct wl_listener commit;
	unsigned frames; // put on the output with something new
	pixman_region32_t damage; // of these
};

static void handle_commit(struct wl_listener *listener, void *data) {
	struct fixture *f = wl_container_of(listener, f, commit);
	const struct wlr_output_event_commit *event = data;
	// A frame callback takes a frame even where nothing is new: one without damage.
	if (event->state->committed & WLR_OUTPUT_STATE_BUFFER) {
		EXPECT(event->state->committed & WLR_OUTPUT_STATE_DAMAGE);
		f->frames += !pixman_region32_empty(&event->state->damage);
		pixman_region32_union(&f->damage, &f->damage, &event->state->damage);
	}
}

static void handle_done(void *data, struct wl_callback *callback, uint32_t time) {
	bool *done = data;
	*done = true;
	wl_callback_destroy(callback);
}

static const struct wl_callback_listener callback_listener = {.done = handle_done};

/* Commits what is pending and waits for the output's next frame. */
static void commit(struct fixture *f, struct app_window *window) {
	bool done = false;
	wl_callback_add_listener(wl_surface_frame(window->surface), &callback_listener, &done);
	wl_surface_commit(window->surface);
	while (!done) {
		app_roundtrip(&f->app);
	}
}

static void forget(struct fixture *f) {
	f->frames = 0;
	pixman_region32_clear(&f->damage);
}

static void settle(struct fixture *f) {
	do {
		forget(f);
		commit(f, &f->window);
	} while (f->frames > 0);
}

static void fixture_init(struct fixture *f) {
	*f = (struct fixture){0};
	desk_init(&f->desk);
	app_connect(&f->app, &f->desk, "work");
	app_window_create(&f->window, &f->app);
	app_window_show(&f->window, WIDTH, HEIGHT, 0xffff0000);
	pixman_region32_init(&f->damage);
	f->commit.notify = handle_commit;
	wl_signal_add(&f->desk.output->events.commit, &f->commit);
	settle(f);
}

static void fixture_finish(struct fixture *f) {
	wl_list_remove(&f->commit.link);
	pixman_region32_fini(&f->damage);
	app_disconnect(&f->app);
	desk_finish(&f->desk);
}

/* To be destroyed after the commit. */
static struct wl_buffer *attach(struct fixture *f) {
	struct wl_buffer *buffer = app_buffer(&f->app, WIDTH, HEIGHT, 0xff00ff00);
	wl_surface_attach(f->window.surface, buffer, 0, 0);
	return buffer;
}

static void expect_damage(struct fixture *f, int x, int y, int width, int height) {
	const pixman_box32_t *box = pixman_region32_extents(&f->damage);
	EXPECT_INT(box->x1, x);
	EXPECT_INT(box->y1, y);
	EXPECT_INT(box->x2 - box->x1, width);
	EXPECT_INT(box->y2 - box->y1, height);
}

TEST(a_commit_repaints_what_it_damaged_and_no_more) {
	struct fixture f;
	fixture_init(&f);
	const struct wlr_box *box = &app_window_server(&f.window)->box;
	struct wl_buffer *buffer = attach(&f);
	wl_surface_damage_buffer(f.window.surface, 10, 20, 30, 40);
	commit(&f, &f.window);
	wl_buffer_destroy(buffer);
	EXPECT_INT(f.frames, 1);
	expect_damage(&f, box->x + 10, box->y + 20, 30, 40);
	fixture_finish(&f);
}

TEST(a_commit_without_damage_repaints_nothing) {
	struct fixture f;
	fixture_init(&f);
	commit(&f, &f.window);
	EXPECT_INT(f.frames, 0);
	struct wl_buffer *buffer = attach(&f);
	commit(&f, &f.window);
	wl_buffer_destroy(buffer);
	EXPECT_INT(f.frames, 0);
	fixture_finish(&f);
}

TEST(a_new_title_repaints_the_title_bar_alone) {
	struct fixture f;
	fixture_init(&f);
	const struct window *window = app_window_server(&f.window);
	xdg_toplevel_set_title(f.window.toplevel, "another");
	commit(&f, &f.window);
	EXPECT_INT(f.frames, 1);
	const pixman_box32_t *box = pixman_region32_extents(&f.damage);
	EXPECT(box->y1 >= window->box.y - window_insets(window).top);
	EXPECT(box->y2 <= window->box.y);
	fixture_finish(&f);
}

TEST(a_title_that_stays_repaints_nothing) {
	struct fixture f;
	fixture_init(&f);
	xdg_toplevel_set_title(f.window.toplevel, "the same");
	settle(&f);
	xdg_toplevel_set_title(f.window.toplevel, "the same");
	commit(&f, &f.window);
	EXPECT_INT(f.frames, 0);
	fixture_finish(&f);
}

TEST(what_is_covered_is_not_repainted) {
	struct fixture f;
	fixture_init(&f);
	struct app_window above;
	app_window_create(&above, &f.app);
	app_window_show(&above, 2 * WIDTH, 2 * HEIGHT, 0xff0000ff);
	view_move(app_window_view(&above), 100, 100);
	view_move(app_window_view(&f.window), 150, 150);
	do {
		forget(&f);
		commit(&f, &above);
	} while (f.frames > 0);
	struct wl_buffer *buffer = attach(&f);
	wl_surface_damage_buffer(f.window.surface, 0, 0, WIDTH, HEIGHT);
	wl_surface_commit(f.window.surface);
	commit(&f, &above); // the covered one gets no frame callback
	wl_buffer_destroy(buffer);
	EXPECT_INT(f.frames, 0);
	fixture_finish(&f);
}

static void registry_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct wp_viewporter **viewporter = data;
	if (strcmp(interface, "wp_viewporter") == 0) {
		*viewporter = wl_registry_bind(registry, name, &wp_viewporter_interface, 1);
	}
}

static void registry_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
	.global = registry_global,
	.global_remove = registry_global_remove,
};

static struct wp_viewport *viewport_create(struct fixture *f, struct wl_surface *surface) {
	struct wp_viewporter *viewporter = NULL;
	struct wl_registry *registry = wl_display_get_registry(f->app.display);
	wl_registry_add_listener(registry, &registry_listener, &viewporter);
	app_roundtrip(&f->app);
	wl_registry_destroy(registry);
	struct wp_viewport *viewport = wp_viewporter_get_viewport(viewporter, surface);
	wp_viewporter_destroy(viewporter);
	return viewport;
}

/* Shows a part of the buffer, and then what is damaged of it alone. */
static void damage_cropped(struct fixture *f, const double source[4], int width, int height) {
	struct wp_viewport *viewport = viewport_create(f, f->window.surface);
	wp_viewport_set_source(viewport, wl_fixed_from_double(source[0]),
			wl_fixed_from_double(source[1]), wl_fixed_from_double(source[2]),
			wl_fixed_from_double(source[3]));
	wp_viewport_set_destination(viewport, width, height);
	settle(f);
	struct wl_buffer *buffer = attach(f);
	wl_surface_damage_buffer(f->window.surface, 50, 60, 10, 20);
	commit(f, &f->window);
	wl_buffer_destroy(buffer);
	wp_viewport_destroy(viewport);
}

/* wlroots counts by whole pixels from where the part begins, and forgets what is beside it. */
TEST(a_part_that_is_scaled_or_between_pixels_is_repainted_whole) {
	const double sources[][4] = {{0.5, 0, 100, 100}, {0, 0, 100.5, 100}, {10, 20, 90, 100}};
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct fixture f;
		fixture_init(&f);
		damage_cropped(&f, sources[i], 100, 100);
		const struct wlr_box *box = &app_window_server(&f.window)->box;
		EXPECT_INT(f.frames, 1);
		expect_damage(&f, box->x, box->y, 100, 100);
		fixture_finish(&f);
	}
}

TEST(a_part_of_whole_pixels_is_repainted_where_it_is_damaged) {
	struct fixture f;
	fixture_init(&f);
	damage_cropped(&f, (double[]){10, 20, 100, 100}, 100, 100);
	const struct wlr_box *box = &app_window_server(&f.window)->box;
	EXPECT_INT(f.frames, 1);
	expect_damage(&f, box->x + 40, box->y + 40, 10, 20);
	fixture_finish(&f);
}

/* A subsurface that is scaled and begins above its window, all of it damaged after it was drawn. */
static void damage_clipped(struct fixture *f, int buffer_size, int size, int y) {
	// By itself the window would grow with what it shows.
	xdg_surface_set_window_geometry(f->window.xdg_surface, 0, 0, WIDTH, HEIGHT);
	struct wl_surface *surface = wl_compositor_create_surface(f->app.compositor);
	struct wl_subsurface *subsurface = wl_subcompositor_get_subsurface(
			f->app.subcompositor, surface, f->window.surface);
	wl_subsurface_set_position(subsurface, 10, y);
	wl_subsurface_set_desync(subsurface);
	struct wp_viewport *viewport = viewport_create(f, surface);
	wp_viewport_set_destination(viewport, size, size);
	for (uint32_t i = 0; i < 2; i++) {
		struct wl_buffer *buffer = app_buffer(
				&f->app, buffer_size, buffer_size, 0xff00ff00 + i);
		wl_surface_attach(surface, buffer, 0, 0);
		wl_surface_damage_buffer(surface, 0, 0, buffer_size, buffer_size);
		wl_surface_commit(surface);
		wl_buffer_destroy(buffer);
		if (i == 0) {
			settle(f);
		}
	}
	commit(f, &f->window);
	wp_viewport_destroy(viewport);
	wl_subsurface_destroy(subsurface);
	wl_surface_destroy(surface);
}

TEST(a_pixel_that_is_stretched_over_the_window_s_edge_is_repainted) {
	struct fixture f;
	fixture_init(&f);
	damage_clipped(&f, 1, 80, -5);
	const struct wlr_box *box = &app_window_server(&f.window)->box;
	EXPECT_INT(f.frames, 1);
	expect_damage(&f, box->x + 10, box->y, 80, 75);
	fixture_finish(&f);
}

/* The window cuts off three quarters of a row of pixels, and so what is left lies between two. */
TEST(what_is_cut_off_between_pixels_is_repainted_whole) {
	struct fixture f;
	fixture_init(&f);
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_scale(&state, 1.25f);
	EXPECT(wlr_output_commit_state(f.desk.output, &state));
	wlr_output_state_finish(&state);
	settle(&f);
	damage_clipped(&f, 100, 80, -1);
	const struct wlr_box *box = &app_window_server(&f.window)->box;
	EXPECT_INT(f.frames, 1);
	int x = (int)round((box->x + 10) * 1.25), y = (int)round(box->y * 1.25);
	pixman_box32_t shown = {x, y, x + 100, y + 99};
	EXPECT_INT(pixman_region32_contains_rectangle(&f.damage, &shown), PIXMAN_REGION_IN);
	fixture_finish(&f);
}
