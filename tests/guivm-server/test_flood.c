/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <wlr/types/wlr_compositor.h>

#include "common/limits.h"
#include "guivm-server/server.h"
#include "tests/guivm-server/desk.h"

/* What a client that asks for more and more costs the compositor. */

#define WHITE 0xffffffff
#define STRIPES 2048 // across as many others, four million rectangles
#define AT_ONCE 100 // requests between two round trips

static void show(struct solo *f) {
	solo_init(f, "work");
	app_window_show(&f->window, 300, 200, WHITE);
}

/* Returns its error, or -1. */
static int ask(struct solo *f, int i) {
	return i % AT_ONCE == 0 ? app_error(&f->app) : -1;
}

static struct wlr_surface *server_surface(struct solo *f) {
	return app_window_server(&f->window)->surface;
}

TEST(damage_of_many_stripes_becomes_the_box_around_it)
{
	struct solo f;
	show(&f);
	for (int i = 0; i < STRIPES; i++) {
		wl_surface_damage_buffer(f.window.surface, 2 * i, 0, 1, 2 * STRIPES);
		wl_surface_damage(f.window.surface, 2 * i, 0, 1, 2 * STRIPES);
		EXPECT_INT(ask(&f, i), -1);
	}
	for (int i = 0; i < STRIPES; i++) {
		wl_surface_damage_buffer(f.window.surface, 0, 2 * i, 2 * STRIPES, 1);
		wl_surface_damage(f.window.surface, 0, 2 * i, 2 * STRIPES, 1);
		EXPECT_INT(ask(&f, i), -1);
	}
	EXPECT_INT(app_error(&f.app), -1);
	const struct wlr_surface_state *pending = &server_surface(&f)->pending;
	EXPECT(pixman_region32_n_rects(&pending->buffer_damage) <= 2 * LIMIT_DAMAGE_RECTS);
	EXPECT(pixman_region32_n_rects(&pending->surface_damage) <= 2 * LIMIT_DAMAGE_RECTS);
	// Nothing of it is lost.
	pixman_box32_t all = {0, 0, 2 * STRIPES - 1, 2 * STRIPES - 1};
	pixman_box32_t box = *pixman_region32_extents(&pending->buffer_damage);
	EXPECT(box.x1 == 0 && box.y1 == 0 && box.x2 >= all.x2 && box.y2 >= all.y2);
	solo_finish(&f);
}

TEST(a_region_of_many_rectangles_ends_its_client)
{
	struct solo f;
	show(&f);
	struct wl_region *region = wl_compositor_create_region(f.app.compositor);
	int error = -1;
	for (int i = 0; i < STRIPES && error < 0; i++) {
		wl_region_add(region, 2 * i, 0, 1, 2 * STRIPES);
		error = ask(&f, i);
	}
	EXPECT_INT(error, -1);
	for (int i = 0; i < STRIPES && error < 0; i++) {
		wl_region_subtract(region, 0, 2 * i, 2 * STRIPES, 1);
		error = ask(&f, i);
	}
	EXPECT_INT(error, WL_DISPLAY_ERROR_NO_MEMORY);
	wl_region_destroy(region);
	solo_finish(&f);
}

/* Makes so many rectangles of the window opaque. Returns how many the compositor took for it. */
static int show_opaque(struct solo *f, int n) {
	struct wl_region *region = wl_compositor_create_region(f->app.compositor);
	for (int i = 0; i < n; i++) {
		wl_region_add(region, 0, 2 * i, 10, 1);
	}
	wl_surface_set_opaque_region(f->window.surface, region);
	wl_surface_commit(f->window.surface);
	wl_region_destroy(region);
	EXPECT_INT(app_error(&f->app), -1);
	return pixman_region32_n_rects(&server_surface(f)->current.opaque);
}

TEST(what_is_opaque_in_too_many_pieces_is_not)
{
	struct solo f;
	show(&f);
	EXPECT_INT(show_opaque(&f, LIMIT_OPAQUE_RECTS), LIMIT_OPAQUE_RECTS);
	EXPECT_INT(show_opaque(&f, LIMIT_OPAQUE_RECTS + 1), 0);
	EXPECT_INT(show_opaque(&f, 1), 1);
	solo_finish(&f);
}

TEST(a_region_of_a_round_window_is_fine)
{
	struct solo f;
	show(&f);
	struct wl_region *region = wl_compositor_create_region(f.app.compositor);
	for (int i = 0; i < STRIPES; i++) { // one rectangle in each line
		wl_region_add(region, STRIPES - i, i, 2 * i, 1);
		EXPECT_INT(ask(&f, i), -1);
	}
	wl_surface_set_input_region(f.window.surface, region);
	wl_surface_commit(f.window.surface);
	EXPECT_INT(app_error(&f.app), -1);
	wl_region_destroy(region);
	solo_finish(&f);
}

static struct wl_surface *add_child(struct solo *f, struct wl_subsurface **role) {
	struct wl_surface *child = wl_compositor_create_surface(f->app.compositor);
	*role = wl_subcompositor_get_subsurface(f->app.subcompositor, child, f->window.surface);
	wl_surface_commit(f->window.surface);
	return child;
}

TEST(commits_that_wait_for_a_parent_are_not_kept_without_end)
{
	struct solo f;
	show(&f);
	struct wl_subsurface *role;
	struct wl_surface *child = add_child(&f, &role);
	int error = -1, n = 0;
	size_t before = mallinfo2().uordblks;
	while (error < 0 && n < 1000000) {
		wl_surface_commit(child);
		error = ask(&f, ++n);
	}
	EXPECT_INT(error, WL_DISPLAY_ERROR_NO_MEMORY);
	EXPECT(n > 1000);
	EXPECT(mallinfo2().uordblks < before + 4 * LIMIT_WAITING_COMMIT_BYTES);
	wl_subsurface_destroy(role);
	wl_surface_destroy(child);
	solo_finish(&f);
}

TEST(commits_that_wait_count_with_their_regions)
{
	struct solo f;
	show(&f);
	struct wl_subsurface *role;
	struct wl_surface *child = add_child(&f, &role);
	struct wl_region *region = wl_compositor_create_region(f.app.compositor);
	for (int i = 0; i < 1000; i++) {
		wl_region_add(region, 0, 2 * i, 1, 1);
	}
	int error = -1, n = 0;
	size_t before = mallinfo2().uordblks;
	while (error < 0 && n < 1000000) {
		wl_surface_set_input_region(child, region);
		wl_surface_commit(child);
		error = ask(&f, ++n);
	}
	EXPECT_INT(error, WL_DISPLAY_ERROR_NO_MEMORY);
	EXPECT(mallinfo2().uordblks < before + 4 * LIMIT_WAITING_COMMIT_BYTES);
	wl_region_destroy(region);
	wl_subsurface_destroy(role);
	wl_surface_destroy(child);
	solo_finish(&f);
}

TEST(commits_that_waited_no_longer_count)
{
	struct solo f;
	show(&f);
	struct wl_subsurface *role;
	struct wl_surface *child = add_child(&f, &role);
	// In all many more than may wait at once; the last are still waiting when the next come.
	for (int i = 0; i < 50; i++) {
		for (int j = 0; j < 1000; j++) {
			wl_surface_commit(child);
			EXPECT_INT(ask(&f, j), -1);
		}
		wl_surface_commit(f.window.surface);
	}
	EXPECT_INT(app_error(&f.app), -1);
	wl_subsurface_destroy(role);
	wl_surface_destroy(child);
	solo_finish(&f);
}

/* Without end, without acknowledging any. */
TEST(configure_events_that_are_not_acknowledged_are_not_kept_without_end)
{
	struct solo f;
	show(&f);
	struct app_window second;
	app_window_create(&second, &f.app);
	app_window_show(&second, 300, 200, WHITE);
	f.window.deaf = second.deaf = true;
	int error = -1, n = 0;
	size_t before = mallinfo2().uordblks;
	while (error < 0 && n < 2 * LIMIT_UNACKED_CONFIGURES) {
		struct xdg_toplevel *toplevel = n % 2 == 0 ? f.window.toplevel : second.toplevel;
		xdg_toplevel_set_maximized(toplevel);
		error = app_error(&f.app);
		n++;
	}
	EXPECT_INT(error, WL_DISPLAY_ERROR_IMPLEMENTATION);
	EXPECT(n >= LIMIT_UNACKED_CONFIGURES);
	EXPECT(mallinfo2().uordblks < before + 512 * LIMIT_UNACKED_CONFIGURES);
	solo_finish(&f);
}

TEST(configure_events_that_were_acknowledged_no_longer_count)
{
	struct solo f;
	show(&f);
	for (int i = 0; i < LIMIT_UNACKED_CONFIGURES + 100; i++) {
		f.window.deaf = i % 100 != 0;
		xdg_toplevel_set_maximized(f.window.toplevel);
		EXPECT_INT(app_error(&f.app), -1);
	}
	solo_finish(&f);
}
