/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_BRIDGE_PAIR_H
#define ISTHMUS_TESTS_BRIDGE_PAIR_H

#include <stdbool.h>
#include <wayland-server-core.h>

#include "bridge/link.h"

struct transport;

/* Both ends of one link in one process, over the local transport. */
struct link_pair_end {
	struct transport *transport;
	struct link *link;
	bool opened, closed;
	char reason[160];
	void (*frame)(struct link_pair_end *end, const struct link_frame *frame); // may be NULL
	void (*writable)(struct link_pair_end *end); // may be NULL
	void *data;
	unsigned frames;
};

struct link_pair {
	struct wl_event_loop *loop;
	struct link_pair_end guivm, appvm;
};

/* Connected and past the hellos. */
void link_pair_init(struct link_pair *pair);
/* A new guivm end in place of one that was closed, waiting for a peer. */
void link_pair_reopen_guivm(struct link_pair *pair);
void link_pair_finish(struct link_pair *pair);

#endif
