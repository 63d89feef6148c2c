/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-bench-client: one measured load on a Wayland compositor.
 *
 *     frames      --size WxH [--damage WxH] [--windows N] [--buffer-per-frame]  --count N
 *     roundtrips  --count N
 *     storm       --count N        small requests, one round trip at the end
 *     start       --count 1        ends after its first frame
 *     idle        --windows N --count 1        maps windows, says "begin" and sits still
 *     keys        --size WxH --count 1         draws all of its window anew for every key pressed
 *
 * The first three warm up with a tenth of the count, print "begin" and wait for a line on standard
 * input, run, print "end" and wait again (so that a driver can read counters on both sides), then
 * print one line of JSON with their own figures. Times in microseconds.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/window.h"
#include "tests/harness/ignore.h"

/* Every window commits its next frame as soon as its callback came. */
static void run_frames(struct bench *bench, uint32_t count) {
	bench->frames = 0;
	while (bench->frames < count) {
		for (int i = 0; i < bench->n_windows; i++) {
			if (!bench->windows[i].waiting) {
				window_commit_frame(&bench->windows[i], bench->frames);
			}
		}
		bench_dispatch(bench);
	}
	for (int i = 0; i < bench->n_windows; i++) {
		while (bench->windows[i].waiting) {
			bench_dispatch(bench);
		}
	}
}

static void run_roundtrips(struct bench *bench, uint32_t count) {
	for (uint32_t i = 0; i < count; i++) {
		uint64_t start = now_ns();
		if (wl_display_roundtrip(bench->display) < 0) {
			die("round trip");
		}
		if (i < bench->n_samples) {
			bench->samples_us[i] = (double)(now_ns() - start) / 1000;
		}
	}
	bench->frames = count;
}

static void run_storm(struct bench *bench, uint32_t count) {
	struct wl_surface *surface = wl_compositor_create_surface(bench->compositor);
	for (uint32_t i = 0; i < count; i++) {
		wl_surface_set_buffer_scale(surface, 1);
		if (i % 4096 == 4095 && wl_display_flush(bench->display) < 0 && errno != EAGAIN) {
			die("flush");
		}
	}
	wl_surface_destroy(surface);
	if (wl_display_roundtrip(bench->display) < 0) {
		die("round trip");
	}
	bench->frames = count;
}

static void first_frames(struct bench *bench) {
	for (int i = 0; i < bench->n_windows; i++) {
		window_init(bench, &bench->windows[i]);
		window_commit_frame(&bench->windows[i], 0);
	}
	for (int i = 0; i < bench->n_windows; i++) {
		while (bench->windows[i].waiting) {
			bench_dispatch(bench);
		}
	}
}

static int run_start(struct bench *bench) {
	first_frames(bench);
	printf("frame\n");
	wl_display_disconnect(bench->display);
	free(bench->samples_us);
	return 0;
}

/* Until the driver ends it: it does not even look at its standard input. */
_Noreturn static void run_idle(struct bench *bench) {
	first_frames(bench);
	printf("begin\n");
	fflush(stdout);
	for (;;) {
		bench_dispatch(bench);
	}
}

static void handle_keymap(void *data, struct wl_keyboard *keyboard, uint32_t format, int32_t fd,
		uint32_t size) {
	close(fd);
}

static void handle_key(void *data, struct wl_keyboard *keyboard, uint32_t serial, uint32_t time,
		uint32_t key, uint32_t state) {
	struct bench *bench = data;
	if (state == WL_KEYBOARD_KEY_STATE_PRESSED) {
		window_commit_frame(&bench->windows[0], ++bench->frames);
	}
}

static const struct wl_keyboard_listener keyboard_listener = {
		.keymap = handle_keymap,
		.enter = IGNORE,
		.leave = IGNORE,
		.key = handle_key,
		.modifiers = IGNORE,
};

_Noreturn static void run_keys(struct bench *bench) {
	if (bench->seat == NULL) {
		die("no seat");
	}
	wl_keyboard_add_listener(wl_seat_get_keyboard(bench->seat), &keyboard_listener, bench);
	run_idle(bench);
}

static void run(struct bench *bench, uint32_t count) {
	if (strcmp(bench->load, "frames") == 0) {
		run_frames(bench, count);
	} else if (strcmp(bench->load, "roundtrips") == 0) {
		run_roundtrips(bench, count);
	} else {
		run_storm(bench, count);
	}
}

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double percentile(const struct bench *bench, uint32_t samples, double part) {
	return samples > 0 ? bench->samples_us[(uint32_t)((samples - 1) * part)] : 0;
}

static void print_figures(struct bench *bench, double seconds) {
	uint32_t samples = strcmp(bench->load, "storm") == 0 ? 0
			: bench->frames < bench->n_samples   ? bench->frames
							     : bench->n_samples;
	qsort(bench->samples_us, samples, sizeof(double), compare);
	printf("{\"load\": \"%s\", \"count\": %u, \"seconds\": %.6f, \"rate\": %.1f, "
	       "\"p50_us\": %.1f, \"p95_us\": %.1f, \"p99_us\": %.1f, \"stalls\": %llu}\n",
			bench->load, bench->frames, seconds, bench->frames / seconds,
			percentile(bench, samples, 0.5), percentile(bench, samples, 0.95),
			percentile(bench, samples, 0.99), (unsigned long long)bench->stalls);
}

static int usage(void) {
	fprintf(stderr,
			"usage: isthmus-bench-client frames|roundtrips|storm|start|idle|keys "
			"--count N [--size WxH] [--damage WxH] "
			"[--windows N] [--buffer-per-frame]\n");
	return 2;
}

static bool parse_size(const char *text, int *width, int *height) {
	return sscanf(text, "%dx%d", width, height) == 2 && *width > 0 && *height > 0;
}

static bool parse_options(struct bench *bench, int argc, char **argv) {
	static const struct option options[] = {
			{"size", required_argument, NULL, 's'},
			{"damage", required_argument, NULL, 'd'},
			{"windows", required_argument, NULL, 'w'},
			{"count", required_argument, NULL, 'c'},
			{"buffer-per-frame", no_argument, NULL, 'b'},
			{0},
	};
	int option;
	bool ok = true;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			ok &= parse_size(optarg, &bench->width, &bench->height);
			break;
		case 'd':
			ok &= parse_size(optarg, &bench->damage_width, &bench->damage_height);
			break;
		case 'w':
			bench->n_windows = (int)strtol(optarg, NULL, 10);
			break;
		case 'c':
			bench->count = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'b':
			bench->buffer_per_frame = true;
			break;
		default:
			ok = false;
		}
	}
	if (bench->damage_width == 0) {
		bench->damage_width = bench->width;
		bench->damage_height = bench->height;
	}
	bench->load = optind == argc - 1 ? argv[optind] : "";
	static const char *const loads[] = {
			"frames", "roundtrips", "storm", "start", "idle", "keys"};
	bool known = false;
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		known |= strcmp(bench->load, loads[i]) == 0;
	}
	return ok && known && bench->count > 0 && bench->n_windows >= 1 &&
			bench->n_windows <= MAX_WINDOWS &&
			bench->damage_width <= bench->width &&
			bench->damage_height <= bench->height;
}

int main(int argc, char **argv) {
	struct bench bench = {.width = 1600, .height = 900, .n_windows = 1};
	if (!parse_options(&bench, argc, argv)) {
		return usage();
	}
	bench.n_samples = bench.count;
	bench.samples_us = calloc(bench.count, sizeof(double));
	if (bench.samples_us == NULL) {
		die("memory");
	}
	bench_connect(&bench);
	if (strcmp(bench.load, "start") == 0) {
		return run_start(&bench);
	} else if (strcmp(bench.load, "idle") == 0) {
		run_idle(&bench);
	} else if (strcmp(bench.load, "keys") == 0) {
		run_keys(&bench);
	}
	if (strcmp(bench.load, "frames") == 0) {
		for (int i = 0; i < bench.n_windows; i++) {
			window_init(&bench, &bench.windows[i]);
		}
	}
	run(&bench, bench.count / 10 + 1);
	wait_for_driver("begin");
	uint64_t start = now_ns();
	run(&bench, bench.count);
	double seconds = (double)(now_ns() - start) / 1e9;
	wait_for_driver("end");
	print_figures(&bench, seconds);
	wl_display_disconnect(bench.display);
	free(bench.samples_us);
	return 0;
}
