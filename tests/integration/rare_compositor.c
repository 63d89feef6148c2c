/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-test-rare-compositor SOCKET: offers what wlroots 0.20 does not have, for guivm-relay in
 * drop-in mode and isthmus-test-rare: input timestamps, commit timing, fifo, ICC profiles, and a
 * wp_presentation with another clock. Says in lines what reaches it.
 *
 * Every 20 ms a turn begins: the time of an input event is sent, and the application answers with a
 * commit that is timed for a second after its own now. It must arrive as a time between the turn's
 * begin and now, and a second.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <wayland-server.h>

#include "color-management-v1-rare-server-protocol.h"
#include "commit-timing-v1-rare-server-protocol.h"
#include "fifo-v1-rare-server-protocol.h"
#include "input-timestamps-unstable-v1-rare-server-protocol.h"
#include "presentation-time-rare-server-protocol.h"
#include "tests/harness/say.h"

#define TURN_MS 20
#define SECOND_NS INT64_C(1000000000)

static struct wl_event_source *turn;
static struct wl_resource *timestamps, *pointer, *feedback;
static int64_t turn_ns; // when the last turn began

static int64_t now_ns(clockid_t clock) {
	struct timespec now;
	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

static uint32_t hi(int64_t ns) {
	return (uint32_t)((uint64_t)(ns / SECOND_NS) >> 32);
}

static uint32_t lo(int64_t ns) {
	return (uint32_t)(ns / SECOND_NS);
}

static uint32_t rest(int64_t ns) {
	return (uint32_t)(ns % SECOND_NS);
}

static void destroy_resource(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static struct wl_resource *make(struct wl_client *client, const struct wl_interface *interface,
		uint32_t id, const void *implementation) {
	struct wl_resource *resource = wl_resource_create(client, interface, 1, id);
	wl_resource_set_implementation(resource, implementation, NULL, NULL);
	return resource;
}

static int begin_turn(void *data) {
	if (timestamps != NULL && pointer != NULL) {
		turn_ns = now_ns(CLOCK_MONOTONIC);
		zwp_input_timestamps_v1_send_timestamp(
				timestamps, hi(turn_ns), lo(turn_ns), rest(turn_ns));
		wl_pointer_send_motion(pointer, (uint32_t)(turn_ns / 1000000), 0, 0);
	}
	return 0;
}

static void surface_commit(struct wl_client *client, struct wl_resource *resource) {
	say("commit");
	if (feedback != NULL) {
		int64_t shown_ns = now_ns(CLOCK_REALTIME);
		wp_presentation_feedback_send_presented(feedback, hi(shown_ns), lo(shown_ns),
				rest(shown_ns), 0, 0, 0, 0);
		wl_resource_destroy(feedback);
		feedback = NULL;
	}
	wl_event_source_timer_update(turn, TURN_MS);
}

static const struct wl_surface_interface surface_impl = {
	.destroy = destroy_resource, .commit = surface_commit};

static void create_surface(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	make(client, &wl_surface_interface, id, &surface_impl);
}

static const struct wl_compositor_interface compositor_impl = {.create_surface = create_surface};

static void get_pointer(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	pointer = make(client, &wl_pointer_interface, id, NULL);
}

static const struct wl_seat_interface seat_impl = {.get_pointer = get_pointer};

static void get_pointer_timestamps(struct wl_client *client, struct wl_resource *resource,
		uint32_t id, struct wl_resource *of) {
	timestamps = make(client, &zwp_input_timestamps_v1_interface, id, NULL);
	begin_turn(NULL);
}

static const struct zwp_input_timestamps_manager_v1_interface timestamps_impl = {
	.destroy = destroy_resource, .get_pointer_timestamps = get_pointer_timestamps};

static void set_timestamp(struct wl_client *client, struct wl_resource *resource, uint32_t sec_hi,
		uint32_t sec_lo, uint32_t nsec) {
	int64_t at_ns = (int64_t)((uint64_t)sec_hi << 32 | sec_lo) * SECOND_NS + (int64_t)nsec;
	int64_t sent_ns = at_ns - SECOND_NS;
	say("timed %" PRId64 " %" PRId64, (turn_ns - sent_ns) / 1000,
			(sent_ns - now_ns(CLOCK_MONOTONIC)) / 1000);
}

static const struct wp_commit_timer_v1_interface timer_impl = {
	.set_timestamp = set_timestamp, .destroy = destroy_resource};

static void get_timer(struct wl_client *client, struct wl_resource *resource, uint32_t id,
		struct wl_resource *surface) {
	make(client, &wp_commit_timer_v1_interface, id, &timer_impl);
}

static const struct wp_commit_timing_manager_v1_interface timing_impl = {
	.destroy = destroy_resource, .get_timer = get_timer};

static void set_barrier(struct wl_client *client, struct wl_resource *resource) {
	say("fifo set");
}

static void wait_barrier(struct wl_client *client, struct wl_resource *resource) {
	say("fifo wait");
}

static const struct wp_fifo_v1_interface fifo_impl = {
	.set_barrier = set_barrier, .wait_barrier = wait_barrier, .destroy = destroy_resource};

static void get_fifo(struct wl_client *client, struct wl_resource *resource, uint32_t id,
		struct wl_resource *surface) {
	make(client, &wp_fifo_v1_interface, id, &fifo_impl);
}

static const struct wp_fifo_manager_v1_interface fifo_manager_impl = {
	.destroy = destroy_resource, .get_fifo = get_fifo};

static void get_feedback(struct wl_client *client, struct wl_resource *resource,
		struct wl_resource *surface, uint32_t id) {
	feedback = make(client, &wp_presentation_feedback_interface, id, NULL);
}

static const struct wp_presentation_interface presentation_impl = {
	.destroy = destroy_resource, .feedback = get_feedback};

/* A profile is handed back to whoever asks for information of its description. */
static int profile_fd = -1;
static uint32_t profile_bytes;

static void get_information(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct wl_resource *info = make(client, &wp_image_description_info_v1_interface, id, NULL);
	wp_image_description_info_v1_send_icc_file(info, profile_fd, profile_bytes);
	wp_image_description_info_v1_send_done(info);
	wl_resource_destroy(info);
}

static const struct wp_image_description_v1_interface description_impl = {
	.destroy = destroy_resource, .get_information = get_information};

static void set_icc_file(struct wl_client *client, struct wl_resource *resource, int32_t fd,
		uint32_t offset, uint32_t length) {
	uint32_t sum = 0;
	const uint8_t *bytes = mmap(NULL, offset + length, PROT_READ, MAP_PRIVATE, fd, 0);
	for (uint32_t i = 0; bytes != MAP_FAILED && i < length; i++) {
		sum = sum * 31 + bytes[offset + i];
	}
	say("profile %u %u %u", offset, length, sum);
	profile_fd = fd;
	profile_bytes = offset + length;
}

static void create_description(
		struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	wp_image_description_v1_send_ready(
			make(client, &wp_image_description_v1_interface, id, &description_impl), 1);
	wl_resource_destroy(resource);
}

static const struct wp_image_description_creator_icc_v1_interface creator_impl = {
	.create = create_description, .set_icc_file = set_icc_file};

static void create_icc_creator(
		struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	make(client, &wp_image_description_creator_icc_v1_interface, id, &creator_impl);
}

static const struct wp_color_manager_v1_interface color_impl = {
	.destroy = destroy_resource, .create_icc_creator = create_icc_creator};

static const struct offered {
	const struct wl_interface *interface;
	const void *implementation;
} offers[] = {
	{&wl_compositor_interface, &compositor_impl},
	{&wl_seat_interface, &seat_impl},
	{&zwp_input_timestamps_manager_v1_interface, &timestamps_impl},
	{&wp_commit_timing_manager_v1_interface, &timing_impl},
	{&wp_fifo_manager_v1_interface, &fifo_manager_impl},
	{&wp_presentation_interface, &presentation_impl},
	{&wp_color_manager_v1_interface, &color_impl},
};

static void bind(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	const struct offered *offered = data;
	struct wl_resource *resource =
			make(client, offered->interface, id, offered->implementation);
	if (offered->interface == &wp_presentation_interface) {
		wp_presentation_send_clock_id(resource, CLOCK_REALTIME);
	}
}

int main(int argc, char **argv) {
	struct wl_display *display = wl_display_create();
	if (argc != 2 || wl_display_add_socket(display, argv[1]) < 0) {
		return 2;
	}
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		wl_global_create(display, offers[i].interface, 1, (void *)&offers[i], bind);
	}
	turn = wl_event_loop_add_timer(wl_display_get_event_loop(display), begin_turn, NULL);
	say("ready");
	wl_display_run(display);
	return 0;
}
