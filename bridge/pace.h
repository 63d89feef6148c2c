/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_BRIDGE_PACE_H
#define ISTHMUS_BRIDGE_PACE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether an application draws at the pace of its frame callbacks. One that does so has no use for
 * a wl_buffer.release before the callback comes, and is not woken for it alone; nor is anybody on
 * the way. One that commits again before the callback came, or asks for none, gets its releases at
 * once.
 */
struct pace {
	uint32_t pending; // frame callbacks asked for and not done
	uint32_t fresh; // of these, since the last commit
	bool ahead; // the last commit did not wait for those before it
};

static inline void pace_handle_frame(struct pace *pace) {
	pace->pending++;
	pace->fresh++;
}

static inline void pace_handle_commit(struct pace *pace) {
	pace->ahead = pace->pending > pace->fresh;
	pace->fresh = 0;
}

/* A callback was done, or will never be. */
static inline void pace_handle_done(struct pace *pace) {
	if (pace->pending > 0) {
		pace->pending--;
	}
	if (pace->fresh > pace->pending) {
		pace->fresh = pace->pending;
	}
}

static inline bool pace_may_wait(const struct pace *pace) {
	return pace->pending > 0 && !pace->ahead;
}

#endif
