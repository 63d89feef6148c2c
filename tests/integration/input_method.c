/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-test-input-method: an input method of the GUI VM. When a text field becomes active it
 * says "active"; the lines it reads are composed:
 *
 *     preedit TEXT    shown at the cursor, not yet part of the text
 *     commit TEXT     becomes part of it, in place of what was shown
 *
 * Answers every line with "ok".
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wayland-client.h>

#include "input-method-unstable-v2-client-protocol.h"
#include "tests/harness/ignore.h"

struct composer {
	struct wl_display *display;
	struct wl_seat *seat;
	struct zwp_input_method_manager_v2 *manager;
	struct zwp_input_method_v2 *method;
	uint32_t serial;
	bool activated;
};

static void handle_activate(void *data, struct zwp_input_method_v2 *method) {
	struct composer *composer = data;
	composer->activated = true;
}

static void handle_done(void *data, struct zwp_input_method_v2 *method) {
	struct composer *composer = data;
	composer->serial++;
	if (composer->activated) {
		composer->activated = false;
		puts("active");
		fflush(stdout);
	}
}

static void handle_unavailable(void *data, struct zwp_input_method_v2 *method) {
	puts("unavailable");
	fflush(stdout);
}

static const struct zwp_input_method_v2_listener method_listener = {
		.activate = handle_activate,
		.deactivate = IGNORE,
		.surrounding_text = IGNORE,
		.text_change_cause = IGNORE,
		.content_type = IGNORE,
		.done = handle_done,
		.unavailable = handle_unavailable,
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct composer *composer = data;
	if (strcmp(interface, wl_seat_interface.name) == 0) {
		composer->seat = wl_registry_bind(registry, name, &wl_seat_interface, 1);
	} else if (strcmp(interface, zwp_input_method_manager_v2_interface.name) == 0) {
		composer->manager = wl_registry_bind(
				registry, name, &zwp_input_method_manager_v2_interface, 1);
	}
}

static const struct wl_registry_listener registry_listener = {
		.global = handle_global,
		.global_remove = IGNORE,
};

static bool compose(struct composer *composer, char *line) {
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "preedit ", 8) == 0) {
		int32_t end = (int32_t)strlen(line + 8);
		zwp_input_method_v2_set_preedit_string(composer->method, line + 8, end, end);
	} else if (strncmp(line, "commit ", 7) == 0) {
		zwp_input_method_v2_commit_string(composer->method, line + 7);
	} else {
		return false;
	}
	zwp_input_method_v2_commit(composer->method, composer->serial);
	return true;
}

int main(void) {
	struct composer composer = {.display = wl_display_connect(NULL)};
	if (composer.display == NULL) {
		return 1;
	}
	struct wl_registry *registry = wl_display_get_registry(composer.display);
	wl_registry_add_listener(registry, &registry_listener, &composer);
	wl_display_roundtrip(composer.display);
	if (composer.seat == NULL || composer.manager == NULL) {
		return 1;
	}
	composer.method = zwp_input_method_manager_v2_get_input_method(
			composer.manager, composer.seat);
	zwp_input_method_v2_add_listener(composer.method, &method_listener, &composer);
	wl_display_roundtrip(composer.display);
	puts("ready");
	fflush(stdout);
	struct pollfd fds[] = {
			{.fd = wl_display_get_fd(composer.display), .events = POLLIN},
			{.fd = 0, .events = POLLIN},
	};
	setvbuf(stdin, NULL, _IONBF, 0); // poll() has to see every line
	while (wl_display_flush(composer.display) >= 0 && poll(fds, 2, -1) > 0) {
		char line[256];
		if (fds[0].revents != 0 && wl_display_dispatch(composer.display) < 0) {
			return 1;
		}
		if (fds[1].revents == 0) {
			continue;
		}
		if (fgets(line, sizeof(line), stdin) == NULL) {
			break;
		}
		bool ok = compose(&composer, line);
		wl_display_roundtrip(composer.display);
		puts(ok ? "ok" : "bad line");
		fflush(stdout);
	}
	wl_display_disconnect(composer.display);
	return 0;
}
