/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_TIMING_PRIVATE_H
#define ISTHMUS_GUIVM_SERVER_TIMING_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_compositor.h>

/* Shared by timing.c, which holds commits, and timing_protocol.c, which is told which. */

struct timing {
	struct server *server;
	struct wl_list surfaces; // timed.link
	struct wl_list raised; // timed.raised_link: whose barrier is up
	struct wl_list held; // timed.held_link: with commits that wait here
	int timer_fd;
	struct wl_event_source *timer;
	int64_t timer_ns; // when it rings; 0: it does not
	struct wl_listener new_surface;
};

/* What travels with a commit until it is applied. */
struct timed_state {
	bool set_barrier;
};

/* A surface. */
struct timed {
	struct timing *timing;
	struct wlr_surface *surface;
	struct wl_list link;
	struct wl_list raised_link; // in timing.raised while its barrier is up, else empty
	struct wl_list held_link;
	struct wl_resource *fifo, *timer; // NULL: none

	/* Of the commit that the client is making. */
	bool wait_barrier, has_timestamp;
	int64_t target_ns; // 0: none
	struct timed_state pending, current;
	struct wlr_surface_synced synced;

	int64_t raised_ns; // since when the barrier is up
	int64_t parent_target_ns; // of commits that the parent's will take along; 0: none
	struct wl_list waiting; // struct waiting.link, in the order of commits
	/* When all is applied that waits: has content; was unmapped in between. */
	bool will_show, will_unmap;
	struct wl_listener client_commit, destroy, role_destroy;
};

/* timing_protocol.c. Both globals live as long as the display. */
bool timing_protocol_create(struct timing *timing);
/* timing.c. NULL: none could be made, for want of memory. */
struct timed *timed_from_surface(struct wlr_surface *surface);

#endif
