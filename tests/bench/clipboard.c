/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-bench-clipboard: one end of a copy and paste of many bytes.
 *
 *     own BYTES    takes the selection at the first key pressed in its window, prints "begin" and
 *                  sends that many bytes to whoever asks
 *     read         asks for the selection that comes with the keyboard focus; prints one line of
 *                  JSON when all of it is there
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/window.h"
#include "tests/harness/ignore.h"

#define MIME_TYPE "application/octet-stream"
#define PIECE_BYTES (256 * 1024)

struct clipboard {
	struct bench bench;
	struct wl_data_device *device;
	struct wl_data_offer *offer; // the selection's
	uint64_t bytes;
	bool owns;
};

static void source_handle_send(void *data, struct wl_data_source *source, const char *mime_type,
		int32_t fd) {
	struct clipboard *clipboard = data;
	static char piece[PIECE_BYTES];
	uint64_t left = clipboard->bytes;
	while (left > 0) {
		ssize_t written = write(fd, piece, left < PIECE_BYTES ? left : PIECE_BYTES);
		if (written < 0) {
			die("write");
		}
		left -= (uint64_t)written;
	}
	close(fd);
}

static void source_handle_cancelled(void *data, struct wl_data_source *source) {
	wl_data_source_destroy(source);
}

static const struct wl_data_source_listener source_listener = {
		.target = IGNORE,
		.send = source_handle_send,
		.cancelled = source_handle_cancelled,
		.dnd_drop_performed = IGNORE,
		.dnd_finished = IGNORE,
		.action = IGNORE,
};

static void device_handle_selection(
		void *data, struct wl_data_device *device, struct wl_data_offer *offer) {
	struct clipboard *clipboard = data;
	clipboard->offer = offer;
}

static const struct wl_data_device_listener device_listener = {
		.data_offer = IGNORE,
		.enter = IGNORE,
		.leave = IGNORE,
		.motion = IGNORE,
		.drop = IGNORE,
		.selection = device_handle_selection,
};

static void handle_keymap(void *data, struct wl_keyboard *keyboard, uint32_t format, int32_t fd,
		uint32_t size) {
	close(fd);
}

static void handle_key(void *data, struct wl_keyboard *keyboard, uint32_t serial, uint32_t time,
		uint32_t key, uint32_t state) {
	struct clipboard *clipboard = data;
	if (clipboard->bytes == 0 || clipboard->owns) {
		return;
	}
	clipboard->owns = true;
	struct wl_data_source *source =
			wl_data_device_manager_create_data_source(clipboard->bench.data_devices);
	wl_data_source_add_listener(source, &source_listener, clipboard);
	wl_data_source_offer(source, MIME_TYPE);
	wl_data_device_set_selection(clipboard->device, source, serial);
}

static const struct wl_keyboard_listener keyboard_listener = {
		.keymap = handle_keymap,
		.enter = IGNORE,
		.leave = IGNORE,
		.key = handle_key,
		.modifiers = IGNORE,
};

_Noreturn static void run_owner(struct clipboard *clipboard) {
	while (!clipboard->owns) {
		bench_dispatch(&clipboard->bench);
	}
	wl_display_roundtrip(clipboard->bench.display);
	printf("begin\n");
	fflush(stdout);
	for (;;) {
		bench_dispatch(&clipboard->bench);
	}
}

static int run_reader(struct clipboard *clipboard) {
	while (clipboard->offer == NULL) {
		bench_dispatch(&clipboard->bench);
	}
	wait_for_driver("begin");
	int ends[2];
	if (pipe(ends) < 0) {
		die("pipe");
	}
	uint64_t start = now_ns();
	wl_data_offer_receive(clipboard->offer, MIME_TYPE, ends[1]);
	wl_display_flush(clipboard->bench.display);
	close(ends[1]);
	static char piece[PIECE_BYTES];
	uint64_t total = 0;
	ssize_t got;
	while ((got = read(ends[0], piece, sizeof(piece))) > 0) {
		total += (uint64_t)got;
	}
	double seconds = (double)(now_ns() - start) / 1e9;
	close(ends[0]);
	wait_for_driver("end");
	printf("{\"load\": \"clipboard\", \"bytes\": %llu, \"seconds\": %.6f, \"rate\": %.1f}\n",
			(unsigned long long)total, seconds, (double)total / seconds);
	return 0;
}

int main(int argc, char **argv) {
	struct clipboard clipboard = {
			.bench = {.width = 200, .height = 200, .n_windows = 1},
	};
	struct bench *bench = &clipboard.bench;
	bench->damage_width = bench->width;
	bench->damage_height = bench->height;
	if (argc == 3 && strcmp(argv[1], "own") == 0) {
		clipboard.bytes = strtoull(argv[2], NULL, 10);
	} else if (argc != 2 || strcmp(argv[1], "read") != 0) {
		fprintf(stderr, "usage: isthmus-bench-clipboard own BYTES | read\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	bench_connect(bench);
	if (bench->seat == NULL || bench->data_devices == NULL) {
		errno = ENOPROTOOPT;
		die("wl_seat or wl_data_device_manager is missing");
	}
	clipboard.device = wl_data_device_manager_get_data_device(bench->data_devices, bench->seat);
	wl_data_device_add_listener(clipboard.device, &device_listener, &clipboard);
	wl_keyboard_add_listener(wl_seat_get_keyboard(bench->seat), &keyboard_listener, &clipboard);
	window_init(bench, &bench->windows[0]);
	window_commit_frame(&bench->windows[0], clipboard.bytes > 0 ? 1 : 2);
	while (bench->windows[0].waiting) {
		bench_dispatch(bench);
	}
	if (clipboard.bytes > 0) {
		run_owner(&clipboard);
	}
	return run_reader(&clipboard);
}
