/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "isthmus-control-v1-client-protocol.h"
#include "tests/guivm-server/desk.h"
#include "tests/harness/ignore.h"

/* What a launcher knows after a done event. */
struct watcher {
	struct app app;
	struct wl_registry *registry;
	struct isthmus_control_v1 *control;
	char title[300];
	size_t n_done, n_resets, n_window_events;
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct watcher *watcher = data;
	if (strcmp(interface, isthmus_control_v1_interface.name) == 0) {
		watcher->control = wl_registry_bind(
				registry, name, &isthmus_control_v1_interface, 1);
	}
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = IGNORE,
};

static void handle_reset(void *data, struct isthmus_control_v1 *control) {
	struct watcher *watcher = data;
	watcher->n_resets++;
	watcher->title[0] = '\0';
}

static void handle_window(void *data, struct isthmus_control_v1 *control, uint32_t id,
		const char *vm, const char *app_id, const char *title, int32_t x, int32_t y,
		int32_t width, int32_t height, uint32_t flags) {
	struct watcher *watcher = data;
	snprintf(watcher->title, sizeof(watcher->title), "%s", title);
	watcher->n_window_events++;
}

static void handle_done(void *data, struct isthmus_control_v1 *control) {
	struct watcher *watcher = data;
	watcher->n_done++;
}

static const struct isthmus_control_v1_listener control_listener = {
	.reset = handle_reset,
	.vm = IGNORE,
	.application = IGNORE,
	.window = handle_window,
	.desktop = IGNORE,
	.done = handle_done,
	.reloaded = IGNORE,
};

static void watcher_init(struct watcher *watcher, struct desk *desk) {
	*watcher = (struct watcher){0};
	app_connect(&watcher->app, desk, "");
	watcher->registry = wl_display_get_registry(watcher->app.display);
	wl_registry_add_listener(watcher->registry, &registry_listener, watcher);
	app_roundtrip(&watcher->app);
	EXPECT(watcher->control != NULL);
	isthmus_control_v1_add_listener(watcher->control, &control_listener, watcher);
	app_roundtrip(&watcher->app);
	app_roundtrip(&watcher->app);
	EXPECT_INT(watcher->n_done, 1);
}

static void watcher_finish(struct watcher *watcher) {
	wl_proxy_destroy((struct wl_proxy *)watcher->control);
	wl_registry_destroy(watcher->registry);
	app_disconnect(&watcher->app);
}

static void flood(struct app_window *window, int n_titles, const char *last) {
	char title[256];
	for (int i = 0; i < n_titles; i++) {
		snprintf(title, sizeof(title), "%0200d", i);
		xdg_toplevel_set_title(window->toplevel, title);
		app_roundtrip(window->app);
	}
	xdg_toplevel_set_title(window->toplevel, last);
	app_roundtrip(window->app);
}

TEST(a_launcher_is_told_of_every_title_while_it_reads) {
	struct desk desk;
	struct app app;
	struct app_window window;
	struct watcher watcher;
	desk_init(&desk);
	app_connect(&app, &desk, "work");
	app_window_create(&window, &app);
	app_window_show(&window, 300, 200, 0xffffffff);
	watcher_init(&watcher, &desk);
	for (int i = 0; i < 20; i++) {
		char title[16];
		snprintf(title, sizeof(title), "title %d", i);
		xdg_toplevel_set_title(window.toplevel, title);
		app_roundtrip(&app);
		app_roundtrip(&watcher.app);
		EXPECT_STR(watcher.title, title);
	}
	EXPECT_INT(watcher.n_resets, 0);
	watcher_finish(&watcher);
	app_disconnect(&app);
	desk_finish(&desk);
}

/* It draws, say, or was stopped; more comes than its queue holds. */
TEST(a_launcher_that_does_not_read_for_a_while_survives_a_flood_of_titles) {
	struct desk desk;
	struct app app;
	struct app_window window;
	struct watcher watcher;
	desk_init(&desk);
	app_connect(&app, &desk, "untrusted");
	app_window_create(&window, &app);
	app_window_show(&window, 300, 200, 0xffffffff);
	watcher_init(&watcher, &desk);
	flood(&window, 8000, "the last one");
	while (strcmp(watcher.title, "the last one") != 0) {
		app_roundtrip(&watcher.app);
		EXPECT_INT(wl_display_get_error(watcher.app.display), 0);
	}
	EXPECT(watcher.n_window_events < 2000);
	EXPECT_INT(watcher.n_resets, 1);
	watcher_finish(&watcher);
	app_disconnect(&app);
	desk_finish(&desk);
}
