/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-test-window [--size WxH] [--windows N] [--seed S] [--once]
 *
 * Windows whose every pixel is known: tests/vm/machines.py computes the same picture. The first
 * is drawn for seed S, the next for S + 1. A key that is pressed draws the window for its seed plus
 * 100; a button leaves a white square around the pointer. Both are told on standard error. With
 * --once it ends when all windows are on the screen.
 */
#include <getopt.h>
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/window.h"
#include "tests/harness/ignore.h"

#define SEED_STEP 100
#define SQUARE 16

struct picture {
	uint32_t seed;
	bool has_square;
	int square_x, square_y;
};

static struct bench bench = {.width = 320, .height = 240, .n_windows = 1};
static struct picture pictures[MAX_WINDOWS];
static struct window *keyboard_focus, *pointer_focus;
static int pointer_x, pointer_y;

static void draw(struct window *window, uint32_t *pixels, uint32_t number) {
	const struct picture *picture = &pictures[window - bench.windows];
	uint32_t seed = picture->seed;
	for (int y = 0; y < bench.height; y++) {
		uint32_t green = (uint32_t)y * 11 + seed * 59;
		for (int x = 0; x < bench.width; x++) {
			uint32_t red = (uint32_t)x * 7 + seed * 37;
			uint32_t blue = (uint32_t)(x ^ y) + seed * 101;
			*pixels++ = (red & 0xff) << 16 | (green & 0xff) << 8 | (blue & 0xff);
		}
	}
	pixels -= (size_t)bench.width * (size_t)bench.height;
	for (int y = 0; picture->has_square && y < SQUARE; y++) {
		for (int x = 0; x < SQUARE; x++) {
			int at_x = picture->square_x - SQUARE / 2 + x;
			int at_y = picture->square_y - SQUARE / 2 + y;
			if (at_x >= 0 && at_x < bench.width && at_y >= 0 && at_y < bench.height) {
				pixels[at_y * bench.width + at_x] = 0xffffff;
			}
		}
	}
}

static struct window *window_of(struct wl_surface *surface) {
	for (int i = 0; i < bench.n_windows; i++) {
		if (bench.windows[i].surface == surface) {
			return &bench.windows[i];
		}
	}
	return NULL;
}

static void redraw(struct window *window) {
	while (!window_commit_frame(window, 0)) {
		bench_dispatch(&bench);
	}
}

static void handle_keymap(void *data, struct wl_keyboard *keyboard, uint32_t format, int32_t fd,
		uint32_t size) {
	close(fd);
}

static void handle_enter(void *data, struct wl_keyboard *keyboard, uint32_t serial,
		struct wl_surface *surface, struct wl_array *keys) {
	keyboard_focus = window_of(surface);
}

static void handle_leave(void *data, struct wl_keyboard *keyboard, uint32_t serial,
		struct wl_surface *surface) {
	keyboard_focus = NULL;
}

static void handle_key(void *data, struct wl_keyboard *keyboard, uint32_t serial, uint32_t time,
		uint32_t key, uint32_t state) {
	if (state == WL_KEYBOARD_KEY_STATE_PRESSED && keyboard_focus != NULL) {
		fprintf(stderr, "key %u\n", key);
		pictures[keyboard_focus - bench.windows].seed += SEED_STEP;
		redraw(keyboard_focus);
	}
}

static const struct wl_keyboard_listener keyboard_listener = {
		.keymap = handle_keymap,
		.enter = handle_enter,
		.leave = handle_leave,
		.key = handle_key,
		.modifiers = IGNORE,
};

static void handle_motion(void *data, struct wl_pointer *pointer, uint32_t time, wl_fixed_t x,
		wl_fixed_t y) {
	pointer_x = wl_fixed_to_int(x);
	pointer_y = wl_fixed_to_int(y);
}

static void handle_pointer_enter(void *data, struct wl_pointer *pointer, uint32_t serial,
		struct wl_surface *surface, wl_fixed_t x, wl_fixed_t y) {
	pointer_focus = window_of(surface);
	handle_motion(data, pointer, 0, x, y);
}

static void handle_pointer_leave(void *data, struct wl_pointer *pointer, uint32_t serial,
		struct wl_surface *surface) {
	pointer_focus = NULL;
}

static void handle_button(void *data, struct wl_pointer *pointer, uint32_t serial, uint32_t time,
		uint32_t button, uint32_t state) {
	if (state != WL_POINTER_BUTTON_STATE_PRESSED || button != BTN_LEFT ||
			pointer_focus == NULL) {
		return;
	}
	fprintf(stderr, "button %d %d\n", pointer_x, pointer_y);
	struct picture *picture = &pictures[pointer_focus - bench.windows];
	picture->has_square = true;
	picture->square_x = pointer_x;
	picture->square_y = pointer_y;
	redraw(pointer_focus);
}

static const struct wl_pointer_listener pointer_listener = {
		.enter = handle_pointer_enter,
		.leave = handle_pointer_leave,
		.motion = handle_motion,
		.button = handle_button,
		.axis = IGNORE,
};

static void show(uint32_t seed) {
	bench.draw = draw;
	bench.sealed = true;
	for (int i = 0; i < bench.n_windows; i++) {
		pictures[i].seed = seed + (uint32_t)i;
		window_init(&bench, &bench.windows[i]);
		window_commit_frame(&bench.windows[i], 0);
	}
	for (int i = 0; i < bench.n_windows; i++) {
		while (bench.windows[i].waiting) {
			bench_dispatch(&bench);
		}
	}
}

int main(int argc, char **argv) {
	static const struct option options[] = {
			{"size", required_argument, NULL, 's'},
			{"windows", required_argument, NULL, 'w'},
			{"seed", required_argument, NULL, 'e'},
			{"once", no_argument, NULL, 'o'},
			{0},
	};
	bool ok = true, once = false;
	uint32_t seed = 1;
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			ok &= sscanf(optarg, "%dx%d", &bench.width, &bench.height) == 2;
			break;
		case 'w':
			bench.n_windows = (int)strtol(optarg, NULL, 10);
			break;
		case 'e':
			seed = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'o':
			once = true;
			break;
		default:
			ok = false;
		}
	}
	if (!ok || optind != argc || bench.n_windows < 1 || bench.n_windows > MAX_WINDOWS) {
		fprintf(stderr, "usage: isthmus-test-window [--size WxH] [--windows N] [--seed S] "
				"[--once]\n");
		return 2;
	}
	bench.damage_width = bench.width;
	bench.damage_height = bench.height;
	bench_connect(&bench);
	if (bench.seat == NULL) {
		die("no seat");
	}
	wl_keyboard_add_listener(wl_seat_get_keyboard(bench.seat), &keyboard_listener, NULL);
	wl_pointer_add_listener(wl_seat_get_pointer(bench.seat), &pointer_listener, NULL);
	show(seed);
	while (!once) {
		bench_dispatch(&bench);
	}
	wl_display_disconnect(bench.display);
	return 0;
}
