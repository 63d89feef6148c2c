/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-test-rare TURNS: the application of isthmus-test-rare-compositor. Says in lines how early
 * and how late, in microseconds of its own clock, each time is that it is told.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <wayland-client.h>

#include "color-management-v1-rare-client-protocol.h"
#include "commit-timing-v1-rare-client-protocol.h"
#include "fifo-v1-rare-client-protocol.h"
#include "input-timestamps-unstable-v1-rare-client-protocol.h"
#include "presentation-time-rare-client-protocol.h"
#include "tests/harness/ignore.h"
#include "tests/harness/say.h"

#define SECOND_NS INT64_C(1000000000)
#define PROFILE_BYTES 300000
#define PROFILE_OFFSET 12

static struct wl_display *display;
static struct wl_compositor *compositor;
static struct wl_seat *seat;
static struct zwp_input_timestamps_manager_v1 *timestamps;
static struct wp_commit_timing_manager_v1 *timing;
static struct wp_fifo_manager_v1 *fifos;
static struct wp_presentation *presentation;
static struct wp_color_manager_v1 *color;

static struct wl_surface *surface;
static struct wp_commit_timer_v1 *timer;
static struct wp_fifo_v1 *fifo;
static int turns_left;
static int64_t committed_ns; // when the last commit was sent

static int64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* It happened after the last commit, which caused it, and before now. */
static void judge(const char *what, int64_t at_ns) {
	say("%s %" PRId64 " %" PRId64, what, (committed_ns - at_ns) / 1000,
			(at_ns - now_ns()) / 1000);
}

static int64_t join(uint32_t hi, uint32_t lo, uint32_t nsec) {
	return (int64_t)((uint64_t)hi << 32 | lo) * SECOND_NS + (int64_t)nsec;
}

static void handle_clock(void *data, struct wp_presentation *of, uint32_t clock) {
	say("clock %u", clock);
}

static const struct wp_presentation_listener presentation_listener = {handle_clock};

static void handle_presented(void *data, struct wp_presentation_feedback *feedback, uint32_t hi,
		uint32_t lo, uint32_t nsec, uint32_t refresh, uint32_t seq_hi, uint32_t seq_lo,
		uint32_t flags) {
	judge("presented", join(hi, lo, nsec));
	wp_presentation_feedback_destroy(feedback);
}

static const struct wp_presentation_feedback_listener feedback_listener = {
	.sync_output = IGNORE, .presented = handle_presented, .discarded = IGNORE};

static void commit(void) {
	wp_presentation_feedback_add_listener(wp_presentation_feedback(presentation, surface),
			&feedback_listener, NULL);
	committed_ns = now_ns();
	int64_t at_ns = committed_ns + SECOND_NS;
	wp_commit_timer_v1_set_timestamp(timer, (uint32_t)((uint64_t)(at_ns / SECOND_NS) >> 32),
			(uint32_t)(at_ns / SECOND_NS), (uint32_t)(at_ns % SECOND_NS));
	wp_fifo_v1_set_barrier(fifo);
	wp_fifo_v1_wait_barrier(fifo);
	wl_surface_commit(surface);
}

static void handle_timestamp(void *data, struct zwp_input_timestamps_v1 *of, uint32_t hi,
		uint32_t lo, uint32_t nsec) {
	judge("input", join(hi, lo, nsec));
}

static const struct zwp_input_timestamps_v1_listener timestamps_listener = {handle_timestamp};

static void handle_motion(void *data, struct wl_pointer *pointer, uint32_t time_ms, wl_fixed_t x,
		wl_fixed_t y) {
	say("motion %d", (int32_t)(time_ms - (uint32_t)(now_ns() / 1000000)));
	if (turns_left-- > 0) {
		commit();
	}
}

static const struct wl_pointer_listener pointer_listener = {
	.enter = IGNORE,
	.leave = IGNORE,
	.motion = handle_motion,
	.button = IGNORE,
	.axis = IGNORE,
};

static const struct {
	const struct wl_interface *interface;
	void **place;
} wanted[] = {
	{&wl_compositor_interface, (void **)&compositor},
	{&wl_seat_interface, (void **)&seat},
	{&zwp_input_timestamps_manager_v1_interface, (void **)&timestamps},
	{&wp_commit_timing_manager_v1_interface, (void **)&timing},
	{&wp_fifo_manager_v1_interface, (void **)&fifos},
	{&wp_presentation_interface, (void **)&presentation},
	{&wp_color_manager_v1_interface, (void **)&color},
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (strcmp(interface, wanted[i].interface->name) == 0) {
			*wanted[i].place = wl_registry_bind(registry, name, wanted[i].interface, 1);
		}
	}
	if (strcmp(interface, wp_presentation_interface.name) == 0) {
		wp_presentation_add_listener(presentation, &presentation_listener, NULL);
	}
}

static const struct wl_registry_listener registry_listener = {handle_global, IGNORE};

static void handle_profile(
		void *data, struct wp_image_description_info_v1 *info, int32_t fd, uint32_t size) {
	const uint8_t *sent = data;
	uint8_t *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	bool same = size == PROFILE_BYTES && bytes != MAP_FAILED && memcmp(bytes, sent, size) == 0;
	say("profile %s", same ? "came back" : "is another");
	close(fd);
}

static const struct wp_image_description_info_v1_listener info_listener = {
	.done = IGNORE,
	.icc_file = handle_profile,
	.primaries = IGNORE,
	.primaries_named = IGNORE,
	.tf_power = IGNORE,
	.tf_named = IGNORE,
	.luminances = IGNORE,
	.target_primaries = IGNORE,
	.target_luminance = IGNORE,
	.target_max_cll = IGNORE,
	.target_max_fall = IGNORE,
};

/* There and back again. */
static void send_profile(void) {
	uint8_t *profile = malloc(PROFILE_BYTES);
	int fd = memfd_create("profile", MFD_CLOEXEC);
	uint32_t sum = 0;
	if (profile == NULL || fd < 0) {
		exit(2);
	}
	for (uint32_t i = 0; i < PROFILE_BYTES; i++) {
		profile[i] = (uint8_t)(i * 2654435761u >> 24);
		sum = i >= PROFILE_OFFSET ? sum * 31 + profile[i] : 0;
	}
	if (write(fd, profile, PROFILE_BYTES) != PROFILE_BYTES) {
		exit(2);
	}
	struct wp_image_description_creator_icc_v1 *creator =
			wp_color_manager_v1_create_icc_creator(color);
	wp_image_description_creator_icc_v1_set_icc_file(
			creator, fd, PROFILE_OFFSET, PROFILE_BYTES - PROFILE_OFFSET);
	say("profile %u %u %u", PROFILE_OFFSET, PROFILE_BYTES - PROFILE_OFFSET, sum);
	wp_image_description_info_v1_add_listener(wp_image_description_v1_get_information(
			wp_image_description_creator_icc_v1_create(creator)), &info_listener,
			profile);
	wl_display_roundtrip(display);
}

int main(int argc, char **argv) {
	display = wl_display_connect(NULL);
	if (display == NULL || argc != 2) {
		return 2;
	}
	turns_left = (int)strtol(argv[1], NULL, 10);
	wl_registry_add_listener(wl_display_get_registry(display), &registry_listener, NULL);
	wl_display_roundtrip(display);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (*wanted[i].place == NULL) {
			say("no %s", wanted[i].interface->name);
			return 1;
		}
	}
	send_profile();
	surface = wl_compositor_create_surface(compositor);
	timer = wp_commit_timing_manager_v1_get_timer(timing, surface);
	fifo = wp_fifo_manager_v1_get_fifo(fifos, surface);
	struct wl_pointer *pointer = wl_seat_get_pointer(seat);
	wl_pointer_add_listener(pointer, &pointer_listener, NULL);
	committed_ns = now_ns();
	zwp_input_timestamps_v1_add_listener(
			zwp_input_timestamps_manager_v1_get_pointer_timestamps(timestamps, pointer),
			&timestamps_listener, NULL);
	while (turns_left >= 0) {
		if (wl_display_dispatch(display) < 0) {
			say("connection lost");
			return 1;
		}
	}
	say("done");
	return 0;
}
