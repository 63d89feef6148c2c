/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_PING_H
#define ISTHMUS_APPVM_PROXY_PING_H

#include <stdint.h>

#include "bridge/clock.h"

struct link;
struct link_frame;
struct transport;

/*
 * Measures the GUI VM's clock: a few round trips when a link opens, then one a second, but only
 * when there is traffic anyway. Nobody is woken up for it. The first answer is here before the
 * first event, since the GUI VM's end answers in order.
 */
struct ping {
	struct clock_offset clock;
	struct link *link; // NULL: no link, or both ends read the same clock
	uint32_t number; // of the last one
	int64_t sent_ns; // of the last one
	unsigned first_left; // of the first few
	bool waiting; // for its answer
};

/* The link is open. */
void ping_start(struct ping *ping, struct link *link, const struct transport *transport);
void ping_stop(struct ping *ping);

/* A frame arrived: measures again when it is time. */
void ping_notify_traffic(struct ping *ping);
/* LINK_PONG. Calls link_fail() on what is not valid. */
void ping_handle_pong(struct ping *ping, struct link *link, const struct link_frame *frame);

/* Whether times are to be translated at all, and by how much now. */
bool ping_is_needed(const struct ping *ping);
int64_t ping_offset_ns(const struct ping *ping);

#endif
