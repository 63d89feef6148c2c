/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_BRIDGE_CLOCK_H
#define ISTHMUS_BRIDGE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/wire.h"

/*
 * How far CLOCK_MONOTONIC of the other end of a link is from this end's: from round trips
 * (LINK_PING), of which the shortest tell most, and from how the distance changed over time. Times
 * are arguments, so that tests need no clock. After Cristian, Probabilistic clock synchronization
 * (1989): a round trip of r tells the offset to within r/2.
 */

struct clock_sample {
	int64_t at_ns; // this end's clock, in the middle of the round trip
	int64_t offset_ns; // this end's clock minus the other's
	int64_t round_trip_ns;
};

struct clock_offset {
	struct clock_sample best; // the latest that is exact for its age
	struct clock_sample base, next_base; // where the drift is measured from
	size_t n_samples; // up to as many as it takes to begin with
	double drift; // change of the offset per nanosecond; 0 until it is known
};

void clock_offset_init(struct clock_offset *clock);

/* A ping left at sent_ns, and its answer, made at peer_ns of the other clock, came at
 * received_ns. What cannot be is ignored. */
void clock_offset_add(struct clock_offset *clock, int64_t sent_ns, int64_t untrusted_peer_ns,
		int64_t received_ns);

/* False before the first round trip: then there is no offset, and 0 is used. */
bool clock_offset_known(const struct clock_offset *clock);
/* This end's clock minus the other's, at now_ns of this end's. */
int64_t clock_offset_at(const struct clock_offset *clock, int64_t now_ns);

enum clock_direction {
	CLOCK_FROM_PEER, // an event of the other end
	CLOCK_TO_PEER, // a request of this end
};

/*
 * Rewrites the time of a message in place, when it has one (message->time_unit). frame_callback:
 * the object is one (WIRE_TIME_FRAME). Milliseconds are rounded up, so that the error stays below
 * one: the sender rounded down. A time of 0 seconds and 0 nanoseconds stays: it means none.
 */
void clock_translate(uint8_t *bytes, const struct wire_message *message,
		const struct wire_value *values, bool frame_callback, int64_t offset_ns,
		enum clock_direction direction);

/* CLOCK_MONOTONIC. */
int64_t clock_now_ns(void);

#endif
