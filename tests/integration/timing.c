/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-test-timing COUNT STEP_MS: a window that commits a frame and COUNT more at once, each of
 * which waits for the barrier of the one before and, where STEP_MS is not 0, for a time that is
 * STEP_MS later.
 * Says "shown N US" as each is, US being how long after its time, and "lost N" for one that is not.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <wayland-client.h>

#include "commit-timing-v1-client-protocol.h"
#include "fifo-v1-client-protocol.h"
#include "presentation-time-client-protocol.h"
#include "tests/harness/ignore.h"
#include "tests/harness/say.h"
#include "xdg-shell-client-protocol.h"

#define SECOND_NS INT64_C(1000000000)
#define SIDE 100
#define MAX_FRAMES 100

static struct wl_compositor *compositor;
static struct wl_shm *shm;
static struct xdg_wm_base *wm_base;
static struct wp_presentation *presentation;
static struct wp_fifo_manager_v1 *fifo_manager;
static struct wp_commit_timing_manager_v1 *timing_manager;

static const struct {
	const struct wl_interface *interface;
	void *proxy;
} globals[] = {
	{&wl_compositor_interface, &compositor},
	{&wl_shm_interface, &shm},
	{&xdg_wm_base_interface, &wm_base},
	{&wp_presentation_interface, &presentation},
	{&wp_fifo_manager_v1_interface, &fifo_manager},
	{&wp_commit_timing_manager_v1_interface, &timing_manager},
};

static struct wl_surface *surface;
static struct wp_fifo_v1 *fifo;
static struct wp_commit_timer_v1 *timer;
static struct wl_buffer *buffers[2];

static struct frame {
	int number; // 0: the first, which has no time
	int64_t target_ns; // 0: none
} frames[MAX_FRAMES + 1];
static int n_frames, n_left;
static int64_t step_ns;

static void frame_handle_end(struct wp_presentation_feedback *feedback) {
	wp_presentation_feedback_destroy(feedback);
	if (--n_left == 0) {
		say("all");
	}
}

static void handle_presented(void *data, struct wp_presentation_feedback *feedback, uint32_t hi,
		uint32_t lo, uint32_t nsec, uint32_t refresh, uint32_t seq_hi, uint32_t seq_lo,
		uint32_t flags) {
	const struct frame *frame = data;
	int64_t shown_ns = (int64_t)((uint64_t)hi << 32 | lo) * SECOND_NS + (int64_t)nsec;
	say("shown %d %" PRId64, frame->number, (shown_ns - frame->target_ns) / 1000);
	frame_handle_end(feedback);
}

static void handle_discarded(void *data, struct wp_presentation_feedback *feedback) {
	const struct frame *frame = data;
	say("lost %d", frame->number);
	frame_handle_end(feedback);
}

static const struct wp_presentation_feedback_listener feedback_listener = {
	.sync_output = IGNORE,
	.presented = handle_presented,
	.discarded = handle_discarded,
};

static void commit(int number) {
	struct frame *frame = &frames[number];
	frame->number = number;
	wp_presentation_feedback_add_listener(
			wp_presentation_feedback(presentation, surface), &feedback_listener, frame);
	wl_surface_attach(surface, buffers[number % 2], 0, 0);
	wl_surface_damage_buffer(surface, 0, 0, SIDE, SIDE);
	wp_fifo_v1_wait_barrier(fifo);
	wp_fifo_v1_set_barrier(fifo);
	wl_surface_commit(surface);
	n_left++;
}

static void commit_frames(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t target_ns = (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
	for (int i = 1; i <= n_frames; i++) {
		if (step_ns > 0) {
			target_ns += step_ns;
			frames[i].target_ns = target_ns;
			wp_commit_timer_v1_set_timestamp(timer,
					(uint32_t)((uint64_t)(target_ns / SECOND_NS) >> 32),
					(uint32_t)(target_ns / SECOND_NS),
					(uint32_t)(target_ns % SECOND_NS));
		}
		commit(i);
	}
}

static void handle_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	xdg_surface_ack_configure(xdg_surface, serial);
	static bool configured;
	if (!configured) {
		configured = true;
		commit(0);
		commit_frames();
	}
}

static const struct xdg_surface_listener xdg_surface_listener = {handle_configure};

static void handle_ping(void *data, struct xdg_wm_base *of, uint32_t serial) {
	xdg_wm_base_pong(of, serial);
}

static const struct xdg_wm_base_listener wm_base_listener = {handle_ping};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		if (strcmp(interface, globals[i].interface->name) == 0) {
			uint32_t wanted = globals[i].interface == &wl_compositor_interface ? 4 : 1;
			*(void **)globals[i].proxy = wl_registry_bind(
					registry, name, globals[i].interface, wanted);
		}
	}
}

static const struct wl_registry_listener registry_listener = {handle_global, IGNORE};

static void make_buffers(void) {
	size_t size = SIDE * SIDE * 4;
	int fd = memfd_create("pixels", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)(2 * size)) != 0) {
		exit(2);
	}
	struct wl_shm_pool *pool = wl_shm_create_pool(shm, fd, (int32_t)(2 * size));
	for (int i = 0; i < 2; i++) {
		buffers[i] = wl_shm_pool_create_buffer(pool, (int32_t)(size * (size_t)i), SIDE,
				SIDE, SIDE * 4, WL_SHM_FORMAT_XRGB8888);
	}
	wl_shm_pool_destroy(pool);
	close(fd);
}

static void make_window(void) {
	surface = wl_compositor_create_surface(compositor);
	fifo = wp_fifo_manager_v1_get_fifo(fifo_manager, surface);
	timer = wp_commit_timing_manager_v1_get_timer(timing_manager, surface);
	struct xdg_surface *xdg_surface = xdg_wm_base_get_xdg_surface(wm_base, surface);
	xdg_surface_add_listener(xdg_surface, &xdg_surface_listener, NULL);
	xdg_surface_get_toplevel(xdg_surface);
	wl_surface_commit(surface);
}

int main(int argc, char **argv) {
	if (argc != 3) {
		return 2;
	}
	n_frames = (int)strtol(argv[1], NULL, 10);
	step_ns = strtol(argv[2], NULL, 10) * INT64_C(1000000);
	struct wl_display *display = wl_display_connect(NULL);
	if (display == NULL || n_frames < 1 || n_frames > MAX_FRAMES) {
		return 2;
	}
	wl_registry_add_listener(wl_display_get_registry(display), &registry_listener, NULL);
	wl_display_roundtrip(display);
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		if (*(void **)globals[i].proxy == NULL) {
			fprintf(stderr, "no %s\n", globals[i].interface->name);
			return 2;
		}
	}
	xdg_wm_base_add_listener(wm_base, &wm_base_listener, NULL);
	say("ready");
	make_buffers();
	make_window();
	do {
		if (wl_display_dispatch(display) < 0) {
			say("connection lost");
			return 1;
		}
	} while (n_left > 0 || frames[1].number == 0);
	wl_display_disconnect(display);
	return 0;
}
