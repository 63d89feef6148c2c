/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/limits.h"
#include "guivm-server/server.h"
#include "tests/guivm-server/desk.h"
#include "tests/harness/ignore.h"

#include "idle-inhibit-unstable-v1-client-protocol.h"
#include "pointer-gestures-unstable-v1-client-protocol.h"
#include "primary-selection-unstable-v1-client-protocol.h"
#include "relative-pointer-unstable-v1-client-protocol.h"
#include "text-input-unstable-v3-client-protocol.h"
#include "xdg-foreign-unstable-v1-client-protocol.h"
#include "xdg-foreign-unstable-v2-client-protocol.h"
#include "xdg-toplevel-icon-v1-client-protocol.h"

/* What the compositor goes through for each of its clients, and how many of it one can make. */

#define WHITE 0xffffffff
#define AT_ONCE 100 // requests between two round trips

struct fixture {
	struct desk desk;
	struct app app;
	struct app_window window;
	uint32_t name; // of the global that is looked for
	const char *interface;
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct fixture *f = data;
	f->name = strcmp(interface, f->interface) == 0 ? name : f->name;
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = IGNORE,
};

static void *bind(struct fixture *f, const struct wl_interface *interface, uint32_t version) {
	f->name = 0;
	f->interface = interface->name;
	struct wl_registry *registry = wl_display_get_registry(f->app.display);
	wl_registry_add_listener(registry, &registry_listener, f);
	app_roundtrip(&f->app);
	EXPECT(f->name != 0);
	void *global = wl_registry_bind(registry, f->name, interface, version);
	wl_registry_destroy(registry);
	return global;
}

static void fixture_init(struct fixture *f) {
	desk_init(&f->desk);
	app_connect(&f->app, &f->desk, "work");
	app_window_create(&f->window, &f->app);
	app_window_show(&f->window, 300, 200, WHITE);
}

static void fixture_finish(struct fixture *f) {
	app_disconnect(&f->app);
	desk_finish(&f->desk);
}

typedef void *(*make_t)(struct fixture *f, void *global);

/* The client may have so many and no more. */
static void expect_limit(const struct wl_interface *interface, uint32_t version, make_t make,
		unsigned limit) {
	static void *made[LIMIT_OUTPUT_OBJECTS + 1];
	struct fixture f;
	fixture_init(&f);
	void *global = bind(&f, interface, version);
	for (unsigned i = 0; i < limit; i++) {
		made[i] = make(&f, global);
		EXPECT_INT(i % AT_ONCE == 0 ? app_error(&f.app) : -1, -1);
	}
	EXPECT_INT(app_error(&f.app), -1);
	made[limit] = make(&f, global);
	EXPECT_INT(app_error(&f.app), WL_DISPLAY_ERROR_IMPLEMENTATION);
	for (unsigned i = 0; i <= limit; i++) {
		wl_proxy_destroy(made[i]);
	}
	wl_proxy_destroy(global);
	fixture_finish(&f);
}

static void *make_inhibitor(struct fixture *f, void *global) {
	return zwp_idle_inhibit_manager_v1_create_inhibitor(global, f->window.surface);
}

static void *make_swipe(struct fixture *f, void *global) {
	return zwp_pointer_gestures_v1_get_swipe_gesture(global, f->app.pointer);
}

static void *make_pinch(struct fixture *f, void *global) {
	return zwp_pointer_gestures_v1_get_pinch_gesture(global, f->app.pointer);
}

static void *make_hold(struct fixture *f, void *global) {
	return zwp_pointer_gestures_v1_get_hold_gesture(global, f->app.pointer);
}

static void *make_primary(struct fixture *f, void *global) {
	return zwp_primary_selection_device_manager_v1_get_device(global, f->app.seat);
}

static void *make_data_device(struct fixture *f, void *global) {
	return wl_data_device_manager_get_data_device(global, f->app.seat);
}

static void *make_relative(struct fixture *f, void *global) {
	return zwp_relative_pointer_manager_v1_get_relative_pointer(global, f->app.pointer);
}

static void *make_text_input(struct fixture *f, void *global) {
	return zwp_text_input_manager_v3_get_text_input(global, f->app.seat);
}

static void *make_exported_v1(struct fixture *f, void *global) {
	return zxdg_exporter_v1_export(global, f->window.surface);
}

static void *make_exported_v2(struct fixture *f, void *global) {
	return zxdg_exporter_v2_export_toplevel(global, f->window.surface);
}

static void *make_icon(struct fixture *f, void *global) {
	return xdg_toplevel_icon_manager_v1_create_icon(global);
}

static void *make_token(struct fixture *f, void *global) {
	return xdg_activation_v1_get_activation_token(global);
}

TEST(objects_that_all_clients_share_a_list_of_are_bounded) {
	const struct {
		const struct wl_interface *interface;
		uint32_t version;
		make_t make;
	} kinds[] = {
		{&zwp_idle_inhibit_manager_v1_interface, 1, make_inhibitor},
		{&zwp_pointer_gestures_v1_interface, 3, make_swipe},
		{&zwp_pointer_gestures_v1_interface, 3, make_pinch},
		{&zwp_pointer_gestures_v1_interface, 3, make_hold},
		{&zwp_primary_selection_device_manager_v1_interface, 1, make_primary},
		{&wl_data_device_manager_interface, 3, make_data_device},
		{&zwp_relative_pointer_manager_v1_interface, 1, make_relative},
		{&zwp_text_input_manager_v3_interface, 1, make_text_input},
		{&zxdg_exporter_v1_interface, 1, make_exported_v1},
		{&zxdg_exporter_v2_interface, 1, make_exported_v2},
		{&xdg_toplevel_icon_manager_v1_interface, 1, make_icon},
		{&xdg_activation_v1_interface, 1, make_token},
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		expect_limit(kinds[i].interface, kinds[i].version, kinds[i].make, LIMIT_OF_A_KIND);
	}
	desk_close_random();
}

/* A global that is bound again and again. */
static int bind_outputs(struct fixture *f, unsigned count) {
	static void *made[LIMIT_OUTPUT_OBJECTS + 1];
	struct wl_registry *registry = wl_display_get_registry(f->app.display);
	f->interface = wl_output_interface.name;
	wl_registry_add_listener(registry, &registry_listener, f);
	app_roundtrip(&f->app);
	for (unsigned i = 0; i < count; i++) {
		made[i] = wl_registry_bind(registry, f->name, &wl_output_interface, 4);
		EXPECT_INT(i % AT_ONCE == 0 ? app_error(&f->app) : -1, -1);
	}
	int error = app_error(&f->app);
	for (unsigned i = 0; i < count; i++) {
		if (error < 0) {
			wl_output_release(made[i]);
		} else {
			wl_proxy_destroy(made[i]);
		}
	}
	wl_registry_destroy(registry);
	return error;
}

TEST(an_output_is_not_bound_without_end) {
	struct fixture f;
	fixture_init(&f);
	EXPECT_INT(bind_outputs(&f, LIMIT_OUTPUT_OBJECTS), -1);
	EXPECT_INT(bind_outputs(&f, LIMIT_OUTPUT_OBJECTS), -1); // the others were released
	EXPECT_INT(bind_outputs(&f, LIMIT_OUTPUT_OBJECTS + 1), WL_DISPLAY_ERROR_IMPLEMENTATION);
	fixture_finish(&f);
}

TEST(objects_that_were_destroyed_do_not_count) {
	struct fixture f;
	fixture_init(&f);
	void *global = bind(&f, &zwp_text_input_manager_v3_interface, 1);
	for (int i = 0; i < 2 * LIMIT_OF_A_KIND; i++) {
		zwp_text_input_v3_destroy(make_text_input(&f, global));
		xdg_activation_token_v1_destroy(make_token(&f, f.app.activation));
	}
	EXPECT_INT(app_error(&f.app), -1);
	wl_proxy_destroy(global);
	fixture_finish(&f);
}

/* What is left of it is bounded by the number of tokens of its VM. */
TEST(a_token_that_was_committed_does_not_count) {
	static struct xdg_activation_token_v1 *tokens[2 * LIMIT_OF_A_KIND];
	struct fixture f;
	fixture_init(&f);
	for (int i = 0; i < 2 * LIMIT_OF_A_KIND; i++) {
		tokens[i] = make_token(&f, f.app.activation);
		xdg_activation_token_v1_commit(tokens[i]);
		EXPECT_INT(app_error(&f.app), -1);
	}
	for (int i = 0; i < 2 * LIMIT_OF_A_KIND; i++) {
		wl_proxy_destroy((struct wl_proxy *)tokens[i]);
	}
	fixture_finish(&f);
	desk_close_random();
}

TEST(an_icon_has_so_many_buffers_and_no_more) {
	struct fixture f;
	fixture_init(&f);
	void *global = bind(&f, &xdg_toplevel_icon_manager_v1_interface, 1);
	struct xdg_toplevel_icon_v1 *icon = make_icon(&f, global);
	struct wl_buffer *buffer = app_buffer(&f.app, 16, 16, WHITE);
	for (int i = 0; i < LIMIT_ICON_BUFFERS; i++) {
		xdg_toplevel_icon_v1_add_buffer(icon, buffer, i + 1);
	}
	EXPECT_INT(app_error(&f.app), -1);
	xdg_toplevel_icon_v1_add_buffer(icon, buffer, LIMIT_ICON_BUFFERS + 1);
	EXPECT_INT(app_error(&f.app), WL_DISPLAY_ERROR_IMPLEMENTATION);
	wl_buffer_destroy(buffer);
	wl_proxy_destroy((struct wl_proxy *)icon);
	wl_proxy_destroy(global);
	fixture_finish(&f);
}
