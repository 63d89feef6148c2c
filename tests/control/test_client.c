/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <wayland-client.h>

#include "control/client.h"
#include "tests/control/fake_server.h"
#include "tests/harness/test.h"

struct fixture {
	struct fake_server server;
	struct wl_display *display;
	struct control *control;
	unsigned n_changed;
	bool reload_done, reload_ok;
	char reload_message[128];
};

static void handle_changed(struct control *control, void *data) {
	struct fixture *fixture = data;
	fixture->n_changed++;
}

static void handle_reloaded(struct control *control, bool ok, const char *message, void *data) {
	struct fixture *fixture = data;
	fixture->reload_done = true;
	fixture->reload_ok = ok;
	snprintf(fixture->reload_message, sizeof(fixture->reload_message), "%s", message);
}

static const struct control_listener listener = {
	.changed = handle_changed,
	.reloaded = handle_reloaded,
};

static void setup(struct fixture *fixture) {
	*fixture = (struct fixture){0};
	fake_server_start(&fixture->server, true);
	fixture->display = wl_display_connect(fixture->server.path);
	EXPECT(fixture->display != NULL);
	fixture->control = control_create(fixture->display, &listener, fixture);
	EXPECT(fixture->control != NULL);
	EXPECT(control_wait_ready(fixture->control, fixture->display));
}

static void finish(struct fixture *fixture) {
	control_destroy(fixture->control);
	wl_display_disconnect(fixture->display);
	fake_server_stop(&fixture->server);
}

struct result {
	bool done;
	char error[128]; // "": started
};

static void handle_result(const char *error, void *data) {
	struct result *result = data;
	EXPECT(!result->done);
	result->done = true;
	snprintf(result->error, sizeof(result->error), "%s", error != NULL ? error : "");
}

static void launch(struct fixture *fixture, const char *application, struct result *result) {
	*result = (struct result){0};
	EXPECT(control_launch(fixture->control, "work", application, handle_result, result));
	while (!result->done) {
		EXPECT(wl_display_dispatch(fixture->display) >= 0);
	}
}

TEST(the_first_picture_is_complete) {
	struct fixture f;
	setup(&f);
	EXPECT_STR(f.control->version, "9.8.7");
	EXPECT_STR(f.control->vmset_path, "/etc/set.json");
	EXPECT_INT(f.control->border_width, 4);
	EXPECT_INT(wl_list_length(&f.control->vms), 2);
	EXPECT_INT(wl_list_length(&f.control->windows), 3);
	struct control_vm *work = control_find_vm(f.control, "work");
	EXPECT(work != NULL && f.control->vms.next == &work->link);
	EXPECT_STR(work->label, "Work");
	EXPECT_INT(work->color, 0x0050d0);
	EXPECT_INT(work->trust, 2);
	EXPECT_INT(work->state, CONTROL_VM_RUNNING);
	EXPECT_INT(work->relay_pid, 4321);
	EXPECT_INT(work->relay_restarts, 1);
	struct control_application *editor = control_find_application(work, "Editor");
	EXPECT(editor != NULL && work->applications.next == &editor->link);
	EXPECT_STR(editor->description, "Edits \"text\"");
	EXPECT_STR(editor->icon, "editor");
	EXPECT_STR(editor->categories, "Utility;TextEditor");
	EXPECT_STR(control_find_vm(f.control, "personal")->message, "its relay keeps failing");
	EXPECT(control_find_vm(f.control, "nobody") == NULL);
	EXPECT(control_find_application(work, "nothing") == NULL);
	EXPECT(!f.control->out_of_memory);
	finish(&f);
}

TEST(changed_is_called_once_per_set_of_changes) {
	struct fixture f;
	setup(&f);
	EXPECT_INT(f.n_changed, 1);
	struct result result;
	launch(&f, "rename window", &result);
	EXPECT_INT(f.n_changed, 2);
	finish(&f);
}

TEST(a_window_that_changes_stays_one_window) {
	struct fixture f;
	setup(&f);
	struct result result;
	launch(&f, "rename window", &result);
	EXPECT_INT(wl_list_length(&f.control->windows), 3);
	struct control_window *window =
			wl_container_of(f.control->windows.next->next, window, link);
	EXPECT_INT(window->id, 2);
	EXPECT_STR(window->title, "renamed");
	EXPECT_INT(window->height, 4);
	finish(&f);
}

TEST(a_window_without_width_is_gone) {
	struct fixture f;
	setup(&f);
	struct result result;
	launch(&f, "close window", &result);
	EXPECT_INT(wl_list_length(&f.control->windows), 2);
	struct control_window *window = wl_container_of(f.control->windows.next, window, link);
	EXPECT_INT(window->id, 2);
	finish(&f);
}

TEST(a_start_that_succeeds_has_no_error) {
	struct fixture f;
	setup(&f);
	struct result result;
	launch(&f, "Editor", &result);
	EXPECT_STR(result.error, "");
	EXPECT(wl_list_empty(&f.control->launches));
	finish(&f);
}

TEST(a_start_that_fails_says_why) {
	struct fixture f;
	setup(&f);
	struct result result;
	launch(&f, "Doom", &result);
	EXPECT_STR(result.error, "work: there is no application \"Doom\"");
	finish(&f);
}

TEST(a_start_without_a_callback_is_possible) {
	struct fixture f;
	setup(&f);
	EXPECT(control_launch(f.control, "work", "Editor", NULL, NULL));
	EXPECT(wl_display_roundtrip(f.display) >= 0);
	EXPECT(wl_list_empty(&f.control->launches));
	finish(&f);
}

TEST(starts_still_open_are_not_called_back_after_destroy) {
	struct fixture f;
	setup(&f);
	struct result result = {0};
	EXPECT(control_launch(f.control, "work", "Editor", handle_result, &result));
	control_destroy(f.control);
	f.control = NULL;
	EXPECT(wl_display_roundtrip(f.display) >= 0);
	EXPECT(!result.done);
	finish(&f);
}

TEST(a_reload_replaces_the_picture) {
	struct fixture f;
	setup(&f);
	control_reload(f.control);
	while (!f.reload_done) {
		EXPECT(wl_display_dispatch(f.display) >= 0);
	}
	EXPECT(f.reload_ok);
	EXPECT_STR(f.reload_message, "");
	EXPECT_INT(wl_list_length(&f.control->vms), 1);
	EXPECT_INT(wl_list_length(&control_find_vm(f.control, "work")->applications), 2);
	EXPECT(wl_list_empty(&f.control->windows));
	finish(&f);
}

TEST(a_reload_that_fails_keeps_the_picture_and_says_why) {
	struct fixture f;
	setup(&f);
	f.server.reloads = 1; // the server's thread reads it after the request
	control_reload(f.control);
	while (!f.reload_done) {
		EXPECT(wl_display_dispatch(f.display) >= 0);
	}
	EXPECT(!f.reload_ok);
	EXPECT_STR(f.reload_message, "set.json:1:2: vms: is missing\nand more\n");
	EXPECT_INT(wl_list_length(&f.control->vms), 2);
	finish(&f);
}

TEST(another_compositor_is_told_apart) {
	struct fake_server server;
	fake_server_start(&server, false);
	struct wl_display *display = wl_display_connect(server.path);
	EXPECT(display != NULL);
	EXPECT(control_create(display, NULL, NULL) == NULL);
	EXPECT_INT(errno, ENOPROTOOPT);
	wl_display_disconnect(display);
	fake_server_stop(&server);
}

TEST(a_lost_connection_ends_waiting) {
	struct fixture f;
	setup(&f);
	struct result result = {0};
	EXPECT(control_launch(f.control, "work", "crash", handle_result, &result));
	while (wl_display_dispatch(f.display) >= 0) {
		EXPECT(!result.done);
	}
	EXPECT(!result.done);
	finish(&f);
}

TEST(a_listener_is_not_needed) {
	struct fake_server server;
	fake_server_start(&server, true);
	struct wl_display *display = wl_display_connect(server.path);
	EXPECT(display != NULL);
	struct control *control = control_create(display, NULL, NULL);
	EXPECT(control != NULL);
	EXPECT(control_wait_ready(control, display));
	control_destroy(control);
	wl_display_disconnect(display);
	fake_server_stop(&server);
}

TEST(destroying_nothing_is_legal) {
	control_destroy(NULL);
}
