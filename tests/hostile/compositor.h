/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_HOSTILE_COMPOSITOR_H
#define ISTHMUS_TESTS_HOSTILE_COMPOSITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

/*
 * The smallest compositor that a relay can stand in front of: libwayland-server with wl_compositor,
 * wl_shm, wl_seat with a keyboard, wl_data_device_manager and one global that no VM may see. It
 * runs in the test's own event loop and notes what reaches it.
 */
struct test_compositor {
	struct wl_display *display;
	char socket[128]; // absolute path
	unsigned n_clients; // connected now, the relay's control connection included
	unsigned n_surfaces; // alive
	unsigned n_commits;
	uint32_t pixel; // the first one of the buffer that was committed last
	bool holds_buffers; // does not release at commit
	struct wl_resource *shown; // wl_buffer that was committed last and not released
	struct wl_listener shown_destroy;
	unsigned n_shown_destroyed; // how often that happened to what was shown

	struct wl_resource *relay; // isthmus_relay_v1, when the relay is managed
	unsigned n_states;
	uint32_t state, reason; // last set_state
	unsigned n_launch_results;
	uint32_t launch_serial, launch_status;
};

/* dir: where the socket goes. Ends the test on failure. */
void test_compositor_start(struct test_compositor *compositor, const char *dir);
void test_compositor_stop(struct test_compositor *compositor);

/* A manager connection: isthmus_relay_v1 is offered on it alone. Returns the relay's end, the
 * caller's. */
int test_compositor_make_manager(struct test_compositor *compositor);

/* Sends wl_buffer.release for what is shown. */
void test_compositor_release(struct test_compositor *compositor);

#endif
