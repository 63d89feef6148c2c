/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/ping.h"

#include "bridge/link.h"
#include "protocol/link.h"
#include "transport/transport.h"

#define FIRST_PINGS 8
#define AGAIN_NS 1000000000

static void ping_send(struct ping *ping) {
	ping->sent_ns = clock_now_ns();
	ping->waiting = true;
	link_send(ping->link, LINK_PING, 0, ++ping->number, NULL, 0);
}

void ping_start(struct ping *ping, struct link *link, const struct transport *transport) {
	*ping = (struct ping){.first_left = FIRST_PINGS};
	clock_offset_init(&ping->clock);
	if ((transport_caps(transport) & TRANSPORT_SAME_CLOCK) == 0) {
		ping->link = link;
		ping_send(ping);
	}
}

void ping_stop(struct ping *ping) {
	ping->link = NULL;
}

void ping_notify_traffic(struct ping *ping) {
	if (ping->link != NULL && !ping->waiting && clock_now_ns() - ping->sent_ns >= AGAIN_NS) {
		ping_send(ping);
	}
}

void ping_handle_pong(struct ping *ping, struct link *link, const struct link_frame *frame) {
	if (!ping->waiting || frame->header.arg != ping->number) {
		link_fail(link, LINK_BYE_PROTOCOL, "an answer to no ping");
		return;
	}
	ping->waiting = false;
	clock_offset_add(&ping->clock, ping->sent_ns, (int64_t)link_frame_pong(frame).time_ns,
			clock_now_ns());
	if (ping->first_left > 0 && --ping->first_left > 0) {
		ping_send(ping);
	}
}

bool ping_is_needed(const struct ping *ping) {
	return ping->link != NULL && clock_offset_known(&ping->clock);
}

int64_t ping_offset_ns(const struct ping *ping) {
	return clock_offset_at(&ping->clock, clock_now_ns());
}
