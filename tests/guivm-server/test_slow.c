/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "guivm-server/focus.h"
#include "input-method-unstable-v2-client-protocol.h"
#include "tests/guivm-server/desk.h"
#include "text-input-unstable-v3-client-protocol.h"

/* Programs of the GUI VM that do not read for a while, and VMs that make much for them to read. */

/* A task bar. Its protocol's XML is wlroots' own. */

static const struct wl_interface handle_interface;
static const struct wl_interface *no_types[8];
static const struct wl_interface *toplevel_types[] = {&handle_interface};
static const struct wl_message handle_events[] = {
	{"title", "s", no_types}, {"app_id", "s", no_types}, {"output_enter", "o", no_types},
	{"output_leave", "o", no_types}, {"state", "a", no_types}, {"done", "", no_types},
	{"closed", "", no_types}, {"parent", "3?o", no_types},
};
static const struct wl_interface handle_interface = {
	"zwlr_foreign_toplevel_handle_v1", 3, 0, NULL, 8, handle_events,
};
static const struct wl_message manager_events[] = {
	{"toplevel", "n", toplevel_types}, {"finished", "", no_types},
};
static const struct wl_interface manager_interface = {
	"zwlr_foreign_toplevel_manager_v1", 3, 0, NULL, 2, manager_events,
};

struct bar {
	struct app app;
	struct wl_registry *registry;
	struct wl_proxy *manager, *handle;
	char title[300];
	unsigned n_titles, n_handles;
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct bar *bar = data;
	if (strcmp(interface, manager_interface.name) == 0) {
		bar->manager = wl_registry_bind(registry, name, &manager_interface, 3);
	}
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

static int handle_event(const void *implementation, void *target, uint32_t opcode,
		const struct wl_message *message, union wl_argument *args) {
	struct bar *bar = wl_proxy_get_user_data(target);
	if (strcmp(message->name, "title") == 0) {
		snprintf(bar->title, sizeof(bar->title), "%s", args[0].s);
		bar->n_titles++;
	}
	return 0;
}

static int handle_manager_event(const void *implementation, void *target, uint32_t opcode,
		const struct wl_message *message, union wl_argument *args) {
	struct bar *bar = wl_proxy_get_user_data(target);
	if (strcmp(message->name, "toplevel") == 0) {
		bar->handle = (struct wl_proxy *)args[0].o;
		bar->n_handles++;
		wl_proxy_add_dispatcher(bar->handle, handle_event, NULL, bar);
	}
	return 0;
}

static void bar_init(struct bar *bar, struct desk *desk) {
	*bar = (struct bar){0};
	app_connect(&bar->app, desk, "");
	bar->registry = wl_display_get_registry(bar->app.display);
	wl_registry_add_listener(bar->registry, &registry_listener, bar);
	app_roundtrip(&bar->app);
	EXPECT(bar->manager != NULL);
	wl_proxy_add_dispatcher(bar->manager, handle_manager_event, NULL, bar);
	app_roundtrip(&bar->app);
}

static void bar_finish(struct bar *bar) {
	if (bar->handle != NULL) {
		wl_proxy_destroy(bar->handle);
	}
	wl_proxy_destroy(bar->manager);
	wl_registry_destroy(bar->registry);
	app_disconnect(&bar->app);
}

static void expect_title(struct bar *bar, const char *title) {
	while (strcmp(bar->title, title) != 0) {
		app_roundtrip(&bar->app);
		EXPECT_INT(wl_display_get_error(bar->app.display), 0);
	}
}

TEST(a_task_bar_that_reads_is_told_of_every_title) {
	struct desk desk;
	struct app work;
	struct app_window window;
	struct bar bar;
	desk_init(&desk);
	bar_init(&bar, &desk);
	app_connect(&work, &desk, "work");
	app_window_create(&window, &work);
	app_window_show(&window, 300, 200, 0xffffffff);
	expect_title(&bar, "[work] ");
	for (int i = 0; i < 20; i++) {
		char title[16], shown[32];
		snprintf(title, sizeof(title), "title %d", i);
		snprintf(shown, sizeof(shown), "[work] %s", title);
		xdg_toplevel_set_title(window.toplevel, title);
		app_roundtrip(&work);
		app_roundtrip(&bar.app);
		EXPECT_STR(bar.title, shown);
	}
	EXPECT_INT(bar.n_titles, 21);
	bar_finish(&bar);
	app_disconnect(&work);
	desk_finish(&desk);
}

TEST(a_task_bar_that_does_not_read_survives_a_flood_of_titles) {
	struct desk desk;
	struct app untrusted;
	struct app_window window;
	struct bar bar;
	desk_init(&desk);
	app_connect(&untrusted, &desk, "untrusted");
	app_window_create(&window, &untrusted);
	app_window_show(&window, 300, 200, 0xffffffff);
	bar_init(&bar, &desk);
	for (int i = 0; i < 3000; i++) {
		char title[256];
		snprintf(title, sizeof(title), "%0240d", i);
		xdg_toplevel_set_title(window.toplevel, title);
		xdg_toplevel_set_app_id(window.toplevel, title);
		app_roundtrip(&untrusted);
	}
	xdg_toplevel_set_title(window.toplevel, "the last one");
	app_roundtrip(&untrusted);
	expect_title(&bar, "[untrusted] the last one");
	EXPECT(bar.n_titles < 1000);
	EXPECT_INT(bar.n_handles, 1);
	bar_finish(&bar);
	app_disconnect(&untrusted);
	desk_finish(&desk);
}

/* An input method that does not read for a while, and an application with a text field. */
struct method {
	struct app app;
	struct wl_registry *registry;
	struct zwp_input_method_manager_v2 *manager;
	struct zwp_input_method_v2 *method;
	char text[4001];
	bool active;
	unsigned n_activations, n_done;
};

static void method_activate(void *data, struct zwp_input_method_v2 *proxy) {
	struct method *method = data;
	method->active = true;
	method->n_activations++;
	method->text[0] = '\0';
}

static void method_deactivate(void *data, struct zwp_input_method_v2 *proxy) {
	struct method *method = data;
	method->active = false;
}

static void method_surrounding_text(void *data, struct zwp_input_method_v2 *proxy,
		const char *text, uint32_t cursor, uint32_t anchor) {
	struct method *method = data;
	snprintf(method->text, sizeof(method->text), "%s", text);
}

static void method_text_change_cause(
		void *data, struct zwp_input_method_v2 *proxy, uint32_t cause) {
}

static void method_content_type(
		void *data, struct zwp_input_method_v2 *proxy, uint32_t hint, uint32_t purpose) {
}

static void method_done(void *data, struct zwp_input_method_v2 *proxy) {
	struct method *method = data;
	method->n_done++;
}

static void method_unavailable(void *data, struct zwp_input_method_v2 *proxy) {
}

static const struct zwp_input_method_v2_listener method_listener = {
	.activate = method_activate,
	.deactivate = method_deactivate,
	.surrounding_text = method_surrounding_text,
	.text_change_cause = method_text_change_cause,
	.content_type = method_content_type,
	.done = method_done,
	.unavailable = method_unavailable,
};

static void method_handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct method *method = data;
	if (strcmp(interface, zwp_input_method_manager_v2_interface.name) == 0) {
		method->manager = wl_registry_bind(
				registry, name, &zwp_input_method_manager_v2_interface, 1);
	}
}

static const struct wl_registry_listener method_registry_listener = {
	.global = method_handle_global,
	.global_remove = handle_global_remove,
};

static void method_init(struct method *method, struct desk *desk) {
	*method = (struct method){0};
	app_connect(&method->app, desk, "");
	method->registry = wl_display_get_registry(method->app.display);
	wl_registry_add_listener(method->registry, &method_registry_listener, method);
	app_roundtrip(&method->app);
	EXPECT(method->manager != NULL);
	method->method = zwp_input_method_manager_v2_get_input_method(
			method->manager, method->app.seat);
	zwp_input_method_v2_add_listener(method->method, &method_listener, method);
	app_roundtrip(&method->app);
}

static void method_finish(struct method *method) {
	zwp_input_method_v2_destroy(method->method);
	zwp_input_method_manager_v2_destroy(method->manager);
	wl_registry_destroy(method->registry);
	app_disconnect(&method->app);
}

struct writer {
	struct app app;
	struct app_window window;
	struct wl_registry *registry;
	struct zwp_text_input_manager_v3 *manager;
	struct zwp_text_input_v3 *input;
	bool entered;
	char committed[64];
};

static void input_enter(
		void *data, struct zwp_text_input_v3 *input, struct wl_surface *surface) {
	struct writer *writer = data;
	writer->entered = true;
}

static void input_leave(
		void *data, struct zwp_text_input_v3 *input, struct wl_surface *surface) {
	struct writer *writer = data;
	writer->entered = false;
}

static void input_preedit_string(void *data, struct zwp_text_input_v3 *input, const char *text,
		int32_t begin, int32_t end) {
}

static void input_commit_string(void *data, struct zwp_text_input_v3 *input, const char *text) {
	struct writer *writer = data;
	snprintf(writer->committed, sizeof(writer->committed), "%s", text);
}

static void input_delete_surrounding_text(
		void *data, struct zwp_text_input_v3 *input, uint32_t before, uint32_t after) {
}

static void input_done(void *data, struct zwp_text_input_v3 *input, uint32_t serial) {
}

static const struct zwp_text_input_v3_listener input_listener = {
	.enter = input_enter,
	.leave = input_leave,
	.preedit_string = input_preedit_string,
	.commit_string = input_commit_string,
	.delete_surrounding_text = input_delete_surrounding_text,
	.done = input_done,
};

static void writer_handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct writer *writer = data;
	if (strcmp(interface, zwp_text_input_manager_v3_interface.name) == 0) {
		writer->manager = wl_registry_bind(
				registry, name, &zwp_text_input_manager_v3_interface, 1);
	}
}

static const struct wl_registry_listener writer_registry_listener = {
	.global = writer_handle_global,
	.global_remove = handle_global_remove,
};

static void writer_init(struct writer *writer, struct desk *desk, const char *vm) {
	*writer = (struct writer){0};
	app_connect(&writer->app, desk, vm);
	writer->registry = wl_display_get_registry(writer->app.display);
	wl_registry_add_listener(writer->registry, &writer_registry_listener, writer);
	app_roundtrip(&writer->app);
	EXPECT(writer->manager != NULL);
	writer->input = zwp_text_input_manager_v3_get_text_input(
			writer->manager, writer->app.seat);
	zwp_text_input_v3_add_listener(writer->input, &input_listener, writer);
	app_window_create(&writer->window, &writer->app);
	app_window_show(&writer->window, 300, 200, 0xffffffff);
}

static void writer_finish(struct writer *writer) {
	zwp_text_input_v3_destroy(writer->input);
	zwp_text_input_manager_v3_destroy(writer->manager);
	wl_registry_destroy(writer->registry);
	app_disconnect(&writer->app);
}

static void writer_say(struct writer *writer, bool enable, const char *text) {
	if (enable) {
		zwp_text_input_v3_enable(writer->input);
	}
	zwp_text_input_v3_set_surrounding_text(writer->input, text, 0, 0);
	zwp_text_input_v3_commit(writer->input);
	app_roundtrip(&writer->app);
	EXPECT_INT(app_error(&writer->app), -1);
}

TEST(an_input_method_that_does_not_read_survives_a_flood_of_text) {
	struct desk desk;
	struct method method;
	struct writer writer;
	char text[3001];
	desk_init(&desk);
	method_init(&method, &desk);
	writer_init(&writer, &desk, "untrusted");
	EXPECT(writer.entered);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	writer_say(&writer, true, "first");
	while (strcmp(method.text, "first") != 0) {
		app_roundtrip(&method.app);
	}
	for (int i = 0; i < 600; i++) {
		writer_say(&writer, i % 3 == 0, text);
	}
	writer_say(&writer, false, "last");
	while (strcmp(method.text, "last") != 0) {
		app_roundtrip(&method.app);
		EXPECT_INT(wl_display_get_error(method.app.display), 0);
	}
	EXPECT(method.active);
	EXPECT(method.n_done < 300);
	// It still knows where the text goes.
	zwp_input_method_v2_commit_string(method.method, "composed");
	zwp_input_method_v2_commit(method.method, method.n_done);
	app_roundtrip(&method.app);
	app_roundtrip(&writer.app);
	EXPECT_STR(writer.committed, "composed");
	writer_finish(&writer);
	method_finish(&method);
	desk_finish(&desk);
}

TEST(text_for_a_field_that_was_left_does_not_reach_the_next_one) {
	struct desk desk;
	struct method method;
	struct writer work, untrusted;
	char text[3001];
	desk_init(&desk);
	method_init(&method, &desk);
	writer_init(&work, &desk, "work");
	writer_init(&untrusted, &desk, "untrusted");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	writer_say(&work, true, "first");
	while (strcmp(method.text, "first") != 0) {
		app_roundtrip(&method.app);
	}
	for (int i = 0; i < 200; i++) { // so that it does not hear of the change
		writer_say(&work, false, text);
	}
	focus_set_view(&desk.server, app_window_view(&untrusted.window));
	app_roundtrip(&untrusted.app);
	EXPECT(untrusted.entered);
	writer_say(&untrusted, true, "other");
	zwp_input_method_v2_commit_string(method.method, "secret");
	zwp_input_method_v2_commit(method.method, method.n_done);
	wl_display_flush(method.app.display);
	desk_turn(&desk);
	app_roundtrip(&untrusted.app);
	EXPECT_STR(untrusted.committed, "");
	while (strcmp(method.text, "other") != 0) {
		app_roundtrip(&method.app);
	}
	writer_finish(&work);
	writer_finish(&untrusted);
	method_finish(&method);
	desk_finish(&desk);
}
