/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-test-input: a virtual pointer and keyboard for tests, driven by lines on standard input:
 *
 *     move X Y            pointer to a point of the layout, in logical pixels
 *     button CODE 0|1     release or press, CODE as in linux/input-event-codes.h (272 left)
 *     axis VALUE          vertical scrolling
 *     key CODE 0|1        a key, evdev code
 *     mods MASK           depressed modifiers of the us keymap: 1 shift, 4 control, 8 alt, 64 super
 *     type TEXT           the rest of the line, ASCII, as key presses
 *
 * Answers every line with "ok" once the compositor handled it (a round trip later).
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wayland-client.h>
#include <xkbcommon/xkbcommon.h>

#include "common/fd.h"
#include "tests/harness/ignore.h"
#include "virtual-keyboard-unstable-v1-client-protocol.h"
#include "wlr-virtual-pointer-unstable-v1-client-protocol.h"

struct input {
	struct wl_display *display;
	struct wl_seat *seat;
	struct zwlr_virtual_pointer_manager_v1 *pointer_manager;
	struct zwp_virtual_keyboard_manager_v1 *keyboard_manager;
	struct zwlr_virtual_pointer_v1 *pointer;
	struct zwp_virtual_keyboard_v1 *keyboard;
	struct xkb_keymap *keymap;
	uint32_t extent_width, extent_height; // of the layout
};

static uint32_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct input *input = data;
	if (strcmp(interface, wl_seat_interface.name) == 0) {
		input->seat = wl_registry_bind(registry, name, &wl_seat_interface, 1);
	} else if (strcmp(interface, zwlr_virtual_pointer_manager_v1_interface.name) == 0) {
		input->pointer_manager = wl_registry_bind(
				registry, name, &zwlr_virtual_pointer_manager_v1_interface, 2);
	} else if (strcmp(interface, zwp_virtual_keyboard_manager_v1_interface.name) == 0) {
		input->keyboard_manager = wl_registry_bind(
				registry, name, &zwp_virtual_keyboard_manager_v1_interface, 1);
	}
}

static const struct wl_registry_listener registry_listener = {
		.global = handle_global,
		.global_remove = IGNORE,
};

static bool send_keymap(struct input *input) {
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	input->keymap = xkb_keymap_new_from_names(
			context, &(struct xkb_rule_names){.layout = "us"}, 0);
	xkb_context_unref(context);
	if (input->keymap == NULL) {
		return false;
	}
	char *text = xkb_keymap_get_as_string(input->keymap, XKB_KEYMAP_FORMAT_TEXT_V1);
	int fd = text != NULL ? fd_sealed_file("keymap", text, strlen(text) + 1) : -1;
	if (fd >= 0) {
		zwp_virtual_keyboard_v1_keymap(input->keyboard, WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1,
				fd, (uint32_t)strlen(text) + 1);
		wl_display_roundtrip(input->display);
		close(fd);
	}
	free(text);
	return fd >= 0;
}

static void send_key(struct input *input, uint32_t code, uint32_t state) {
	zwp_virtual_keyboard_v1_key(input->keyboard, now_ms(), code, state);
}

/* The evdev code and whether shift is needed for a character, looked up in the keymap. */
static bool find_key(struct input *input, char character, uint32_t *code, bool *shift) {
	xkb_keysym_t wanted = character == '\n' ? XKB_KEY_Return
						: xkb_utf32_to_keysym((uint32_t)character);
	for (xkb_keycode_t key = xkb_keymap_min_keycode(input->keymap);
			key <= xkb_keymap_max_keycode(input->keymap); key++) {
		for (xkb_level_index_t level = 0; level < 2; level++) {
			const xkb_keysym_t *syms;
			int n = xkb_keymap_key_get_syms_by_level(
					input->keymap, key, 0, level, &syms);
			if (n == 1 && syms[0] == wanted) {
				*code = key - 8;
				*shift = level == 1;
				return true;
			}
		}
	}
	return false;
}

static bool type_text(struct input *input, const char *text) {
	for (; *text != '\0'; text++) {
		uint32_t code;
		bool shift;
		if (!find_key(input, *text, &code, &shift)) {
			return false;
		}
		zwp_virtual_keyboard_v1_modifiers(input->keyboard, shift ? 1 : 0, 0, 0, 0);
		send_key(input, code, 1);
		send_key(input, code, 0);
		zwp_virtual_keyboard_v1_modifiers(input->keyboard, 0, 0, 0, 0);
	}
	return true;
}

static bool run_line(struct input *input, char *line) {
	uint32_t a, b;
	int value;
	if (sscanf(line, "move %u %u", &a, &b) == 2) {
		zwlr_virtual_pointer_v1_motion_absolute(input->pointer, now_ms(), a, b,
				input->extent_width, input->extent_height);
		zwlr_virtual_pointer_v1_frame(input->pointer);
	} else if (sscanf(line, "button %u %u", &a, &b) == 2) {
		zwlr_virtual_pointer_v1_button(input->pointer, now_ms(), a, b);
		zwlr_virtual_pointer_v1_frame(input->pointer);
	} else if (sscanf(line, "axis %d", &value) == 1) {
		zwlr_virtual_pointer_v1_axis(input->pointer, now_ms(), 0, wl_fixed_from_int(value));
		zwlr_virtual_pointer_v1_frame(input->pointer);
	} else if (sscanf(line, "key %u %u", &a, &b) == 2) {
		send_key(input, a, b);
	} else if (sscanf(line, "mods %u", &a) == 1) {
		zwp_virtual_keyboard_v1_modifiers(input->keyboard, a, 0, 0, 0);
	} else if (strncmp(line, "type ", 5) == 0) {
		return type_text(input, line + 5);
	} else if (strcmp(line, "enter") == 0) {
		return type_text(input, "\n");
	} else {
		return false;
	}
	return true;
}

static bool input_init(struct input *input) {
	input->display = wl_display_connect(NULL);
	if (input->display == NULL) {
		fprintf(stderr, "isthmus-test-input: no compositor: %s\n", strerror(errno));
		return false;
	}
	struct wl_registry *registry = wl_display_get_registry(input->display);
	wl_registry_add_listener(registry, &registry_listener, input);
	wl_display_roundtrip(input->display);
	if (input->seat == NULL || input->pointer_manager == NULL ||
			input->keyboard_manager == NULL) {
		fprintf(stderr, "isthmus-test-input: the compositor offers no virtual input\n");
		return false;
	}
	input->pointer = zwlr_virtual_pointer_manager_v1_create_virtual_pointer(
			input->pointer_manager, input->seat);
	input->keyboard = zwp_virtual_keyboard_manager_v1_create_virtual_keyboard(
			input->keyboard_manager, input->seat);
	return send_keymap(input);
}

int main(int argc, char **argv) {
	if (argc != 3) {
		fprintf(stderr, "usage: isthmus-test-input LAYOUT_WIDTH LAYOUT_HEIGHT\n");
		return 2;
	}
	struct input input = {
			.extent_width = (uint32_t)strtoul(argv[1], NULL, 10),
			.extent_height = (uint32_t)strtoul(argv[2], NULL, 10),
	};
	if (!input_init(&input)) {
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	char line[4096];
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		bool ok = run_line(&input, line);
		if (wl_display_roundtrip(input.display) < 0) {
			fprintf(stderr, "isthmus-test-input: the compositor went away\n");
			return 1;
		}
		printf(ok ? "ok\n" : "bad line\n");
		fflush(stdout);
	}
	xkb_keymap_unref(input.keymap);
	wl_display_disconnect(input.display);
	return 0;
}
