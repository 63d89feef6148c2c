/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-bench-photon X Y COUNT: from a key to its pixels.
 *
 * Presses a key on a virtual keyboard and waits, by ext-image-copy-capture, until the output's
 * pixel at X, Y has another colour than before; the application with the keyboard focus is expected
 * to draw itself anew for every key. Connects to the compositor itself, whichever way the
 * application took, so that only that way differs. Prints one line of JSON.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <wayland-client.h>
#include <xkbcommon/xkbcommon.h>

#include "common/fd.h"
#include "ext-image-capture-source-v1-client-protocol.h"
#include "ext-image-copy-capture-v1-client-protocol.h"
#include "tests/harness/ignore.h"
#include "virtual-keyboard-unstable-v1-client-protocol.h"

#define KEY 30 // KEY_A
#define WARM_UP 5

struct photon {
	struct wl_display *display;
	struct wl_seat *seat;
	struct wl_shm *shm;
	struct wl_output *output;
	struct zwp_virtual_keyboard_manager_v1 *keyboards;
	struct zwp_virtual_keyboard_v1 *keyboard;
	struct ext_image_copy_capture_manager_v1 *captures;
	struct ext_output_image_capture_source_manager_v1 *sources;
	struct ext_image_copy_capture_session_v1 *session;
	struct wl_buffer *buffer;
	uint32_t *pixels;
	uint32_t width, height, format;
	bool has_format, ready_for_frames, ready;
	uint32_t x, y;
};

static uint64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

_Noreturn static void die(const char *what) {
	fprintf(stderr, "isthmus-bench-photon: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct photon *photon = data;
	if (strcmp(interface, wl_seat_interface.name) == 0) {
		photon->seat = wl_registry_bind(registry, name, &wl_seat_interface, 1);
	} else if (strcmp(interface, wl_shm_interface.name) == 0) {
		photon->shm = wl_registry_bind(registry, name, &wl_shm_interface, 1);
	} else if (strcmp(interface, wl_output_interface.name) == 0) {
		photon->output = wl_registry_bind(registry, name, &wl_output_interface, 1);
	} else if (strcmp(interface, zwp_virtual_keyboard_manager_v1_interface.name) == 0) {
		photon->keyboards = wl_registry_bind(
				registry, name, &zwp_virtual_keyboard_manager_v1_interface, 1);
	} else if (strcmp(interface, ext_image_copy_capture_manager_v1_interface.name) == 0) {
		photon->captures = wl_registry_bind(
				registry, name, &ext_image_copy_capture_manager_v1_interface, 1);
	} else if (strcmp(interface, ext_output_image_capture_source_manager_v1_interface.name) ==
			0) {
		photon->sources = wl_registry_bind(registry, name,
				&ext_output_image_capture_source_manager_v1_interface, 1);
	}
}

static const struct wl_registry_listener registry_listener = {
		.global = handle_global,
		.global_remove = IGNORE,
};

static void session_handle_buffer_size(void *data,
		struct ext_image_copy_capture_session_v1 *session, uint32_t width,
		uint32_t height) {
	struct photon *photon = data;
	photon->width = width;
	photon->height = height;
}

static void session_handle_shm_format(void *data,
		struct ext_image_copy_capture_session_v1 *session, uint32_t format) {
	struct photon *photon = data;
	if (!photon->has_format) {
		photon->format = format;
		photon->has_format = true;
	}
}

static void session_handle_done(void *data, struct ext_image_copy_capture_session_v1 *session) {
	struct photon *photon = data;
	photon->ready_for_frames = true;
}

static void session_handle_stopped(void *data, struct ext_image_copy_capture_session_v1 *session) {
	die("the capture was stopped");
}

static const struct ext_image_copy_capture_session_v1_listener session_listener = {
		.buffer_size = session_handle_buffer_size,
		.shm_format = session_handle_shm_format,
		.dmabuf_device = IGNORE,
		.dmabuf_format = IGNORE,
		.done = session_handle_done,
		.stopped = session_handle_stopped,
};

static void frame_handle_ready(void *data, struct ext_image_copy_capture_frame_v1 *frame) {
	struct photon *photon = data;
	photon->ready = true;
	ext_image_copy_capture_frame_v1_destroy(frame);
}

static void frame_handle_failed(void *data, struct ext_image_copy_capture_frame_v1 *frame,
		uint32_t reason) {
	die("the capture failed");
}

static const struct ext_image_copy_capture_frame_v1_listener frame_listener = {
		.transform = IGNORE,
		.damage = IGNORE,
		.presentation_time = IGNORE,
		.ready = frame_handle_ready,
		.failed = frame_handle_failed,
};

static void send_keymap(struct photon *photon) {
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	struct xkb_keymap *keymap = xkb_keymap_new_from_names(
			context, &(struct xkb_rule_names){.layout = "us"}, 0);
	char *text = keymap != NULL
			? xkb_keymap_get_as_string(keymap, XKB_KEYMAP_FORMAT_TEXT_V1) : NULL;
	int fd = text != NULL ? fd_sealed_file("keymap", text, strlen(text) + 1) : -1;
	if (fd < 0) {
		die("keymap");
	}
	photon->keyboard = zwp_virtual_keyboard_manager_v1_create_virtual_keyboard(
			photon->keyboards, photon->seat);
	zwp_virtual_keyboard_v1_keymap(photon->keyboard, WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1, fd,
			(uint32_t)strlen(text) + 1);
	wl_display_roundtrip(photon->display);
	close(fd);
	free(text);
	xkb_keymap_unref(keymap);
	xkb_context_unref(context);
}

static void create_buffer(struct photon *photon) {
	size_t size = (size_t)photon->width * 4 * photon->height;
	int fd = fd_memory("photon", size);
	void *pixels = fd >= 0 ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
			       : MAP_FAILED;
	if (pixels == MAP_FAILED || photon->x >= photon->width || photon->y >= photon->height) {
		die("image");
	}
	photon->pixels = pixels;
	struct wl_shm_pool *pool = wl_shm_create_pool(photon->shm, fd, (int32_t)size);
	photon->buffer = wl_shm_pool_create_buffer(pool, 0, (int32_t)photon->width,
			(int32_t)photon->height, (int32_t)photon->width * 4, photon->format);
	wl_shm_pool_destroy(pool);
	close(fd);
}

static void start_session(struct photon *photon) {
	struct ext_image_capture_source_v1 *source =
			ext_output_image_capture_source_manager_v1_create_source(
					photon->sources, photon->output);
	photon->session = ext_image_copy_capture_manager_v1_create_session(
			photon->captures, source, 0);
	ext_image_copy_capture_session_v1_add_listener(
			photon->session, &session_listener, photon);
	while (!photon->ready_for_frames) {
		if (wl_display_dispatch(photon->display) < 0) {
			die("no session");
		}
	}
	create_buffer(photon);
}

/* Asks for the next frame with damage. Only what changed is copied: the buffer stays the same. */
static void request_frame(struct photon *photon, bool first) {
	struct ext_image_copy_capture_frame_v1 *frame =
			ext_image_copy_capture_session_v1_create_frame(photon->session);
	ext_image_copy_capture_frame_v1_add_listener(frame, &frame_listener, photon);
	ext_image_copy_capture_frame_v1_attach_buffer(frame, photon->buffer);
	if (first) {
		ext_image_copy_capture_frame_v1_damage_buffer(
				frame, 0, 0, (int32_t)photon->width, (int32_t)photon->height);
	}
	ext_image_copy_capture_frame_v1_capture(frame);
	photon->ready = false;
}

static void await_frame(struct photon *photon) {
	while (!photon->ready) {
		if (wl_display_dispatch(photon->display) < 0) {
			die("the compositor went away");
		}
	}
}

static uint32_t pixel(const struct photon *photon) {
	return photon->pixels[(size_t)photon->y * photon->width + photon->x] & 0xffffff;
}

static double measure_key(struct photon *photon) {
	uint32_t before = pixel(photon);
	request_frame(photon, false);
	wl_display_roundtrip(photon->display);
	uint64_t start = now_ns();
	uint32_t time_ms = (uint32_t)(start / 1000000);
	zwp_virtual_keyboard_v1_key(photon->keyboard, time_ms, KEY, 1);
	wl_display_flush(photon->display);
	await_frame(photon);
	while (pixel(photon) == before) {
		request_frame(photon, false);
		await_frame(photon);
	}
	double us = (double)(now_ns() - start) / 1000;
	zwp_virtual_keyboard_v1_key(photon->keyboard, time_ms + 1, KEY, 0);
	wl_display_roundtrip(photon->display);
	return us;
}

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv) {
	unsigned long count = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	double *samples = count > 0 ? calloc(count, sizeof(double)) : NULL;
	if (samples == NULL) {
		fprintf(stderr, "usage: isthmus-bench-photon X Y COUNT\n");
		return 2;
	}
	struct photon photon = {
			.x = (uint32_t)strtoul(argv[1], NULL, 10),
			.y = (uint32_t)strtoul(argv[2], NULL, 10),
	};
	photon.display = wl_display_connect(NULL);
	if (photon.display == NULL) {
		die("no compositor");
	}
	wl_registry_add_listener(
			wl_display_get_registry(photon.display), &registry_listener, &photon);
	wl_display_roundtrip(photon.display);
	if (photon.seat == NULL || photon.output == NULL || photon.keyboards == NULL ||
			photon.captures == NULL || photon.sources == NULL || photon.shm == NULL) {
		errno = ENOPROTOOPT;
		die("the compositor lacks a protocol");
	}
	send_keymap(&photon);
	start_session(&photon);
	request_frame(&photon, true);
	await_frame(&photon);
	for (int i = 0; i < WARM_UP; i++) {
		measure_key(&photon);
	}
	for (unsigned long i = 0; i < count; i++) {
		samples[i] = measure_key(&photon);
	}
	qsort(samples, count, sizeof(double), compare);
	printf("{\"load\": \"keys\", \"count\": %lu, \"p50_us\": %.1f, \"p95_us\": %.1f, "
	       "\"p99_us\": %.1f, \"rate\": %.1f}\n",
			count, samples[(count - 1) / 2], samples[(count - 1) * 95 / 100],
			samples[(count - 1) * 99 / 100], 1e6 / samples[(count - 1) / 2]);
	wl_display_disconnect(photon.display);
	free(samples);
	return 0;
}
