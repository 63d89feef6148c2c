/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/clock.h"
#include "protocol/interface.h"
#include "tests/harness/test.h"

#define MS 1000000ll
#define S (1000 * MS)
#define HOUR (3600 * S)

/* The other end's clock: behind by hours, and off by so many parts in a million. */
struct peer {
	int64_t behind_ns;
	double drift;
};

static int64_t peer_time(const struct peer *peer, int64_t now_ns) {
	return now_ns - peer->behind_ns + (int64_t)(peer->drift * (double)now_ns);
}

static int64_t error_at(
		const struct clock_offset *clock, const struct peer *peer, int64_t now_ns) {
	int64_t error = peer_time(peer, now_ns) + clock_offset_at(clock, now_ns) - now_ns;
	return error < 0 ? -error : error;
}

static void ping(struct clock_offset *clock, const struct peer *peer, int64_t now_ns,
		int64_t there_ns, int64_t back_ns) {
	clock_offset_add(clock, now_ns, peer_time(peer, now_ns + there_ns),
			now_ns + there_ns + back_ns);
}

TEST(one_round_trip_tells_the_offset_to_half_of_it) {
	struct peer peer = {.behind_ns = 5 * HOUR};
	struct clock_offset clock;
	clock_offset_init(&clock);
	EXPECT(!clock_offset_known(&clock));
	EXPECT_INT(clock_offset_at(&clock, HOUR), 0);
	ping(&clock, &peer, 9 * HOUR, 300000, 100000);
	EXPECT(clock_offset_known(&clock));
	EXPECT(error_at(&clock, &peer, 9 * HOUR) <= 200000);
}

TEST(the_shortest_round_trip_counts) {
	struct peer peer = {.behind_ns = -3 * HOUR};
	struct clock_offset clock;
	clock_offset_init(&clock);
	ping(&clock, &peer, 9 * HOUR, 40 * MS, 10000);
	ping(&clock, &peer, 9 * HOUR + S, 20000, 20000);
	ping(&clock, &peer, 9 * HOUR + 2 * S, 10000, 90 * MS);
	EXPECT(error_at(&clock, &peer, 9 * HOUR + 2 * S) <= 20000);
}

TEST(clocks_that_drift_stay_within_a_millisecond) {
	static const double drifts[] = {-200e-6, -20e-6, 0, 20e-6, 200e-6};
	for (size_t i = 0; i < sizeof(drifts) / sizeof(drifts[0]); i++) {
		struct peer peer = {.behind_ns = 7 * HOUR, .drift = drifts[i]};
		struct clock_offset clock;
		clock_offset_init(&clock);
		/* Every tenth answer is prompt, others are late by up to 20 ms, one way. */
		for (int64_t s = 0; s < 3600; s++) {
			int64_t now_ns = 8 * HOUR + s * S;
			int64_t late_ns = s % 10 == 0 ? 0 : (s * 7919 % 20) * MS;
			ping(&clock, &peer, now_ns, 30000 + late_ns, 50000);
			if (s > 20) {
				EXPECT(error_at(&clock, &peer, now_ns + S) < MS);
			}
		}
	}
}

TEST(an_hour_without_traffic_costs_less_than_a_millisecond) {
	struct peer peer = {.behind_ns = 2 * HOUR, .drift = 50e-6};
	struct clock_offset clock;
	clock_offset_init(&clock);
	int64_t now_ns = 3 * HOUR;
	for (; now_ns < 3 * HOUR + 600 * S; now_ns += S) {
		ping(&clock, &peer, now_ns, 40000, 40000);
	}
	EXPECT(error_at(&clock, &peer, now_ns + HOUR) < MS);
}

TEST(times_that_cannot_be_are_ignored) {
	struct clock_offset clock;
	clock_offset_init(&clock);
	clock_offset_add(&clock, 5, -1, 6);
	clock_offset_add(&clock, 5, INT64_MAX, 6);
	clock_offset_add(&clock, 6, 5, 5);
	clock_offset_add(&clock, 5, 5, INT64_MAX);
	EXPECT(!clock_offset_known(&clock));
}

static const struct wire_message *find(const char *interface, bool request, const char *name) {
	const struct wire_interface *found =
			wire_interface_find(interface, (uint32_t)strlen(interface));
	EXPECT(found != NULL);
	uint32_t n = request ? found->n_requests : found->n_events;
	for (uint32_t i = 0; i < n; i++) {
		const struct wire_message *message = request ? &found->requests[i]
							     : &found->events[i];
		if (strcmp(message->name, name) == 0) {
			return message;
		}
	}
	test_fail(__FILE__, __LINE__, "%s.%s", interface, name);
}

static void translate(uint8_t *bytes, size_t size, const struct wire_message *message,
		bool frame_callback, int64_t offset_ns, enum clock_direction direction,
		struct wire_value *values) {
	struct wire_header header;
	EXPECT_INT(wire_parse_header(bytes, size, &header), WIRE_OK);
	EXPECT_INT(wire_parse(bytes, &header, message, 99, values), WIRE_OK);
	clock_translate(bytes, message, values, frame_callback, offset_ns, direction);
	EXPECT_INT(wire_parse(bytes, &header, message, 99, values), WIRE_OK);
}

TEST(milliseconds_are_shifted_and_wrap_around) {
	const struct wire_message *message = find("wl_pointer", false, "motion");
	uint8_t bytes[64];
	struct wire_value values[WIRE_MAX_ARGS];
	size_t size = wire_build(bytes, 3, 2, message, 0xfffffff0u, 5, 6);
	translate(bytes, size, message, false, 31 * MS + 1, CLOCK_FROM_PEER, values);
	EXPECT_INT(values[0].u, 16);
	EXPECT_INT(values[1].fixed, 5);
	translate(bytes, size, message, false, -32 * MS - 1, CLOCK_FROM_PEER, values);
	EXPECT_INT(values[0].u, 0xfffffff0u);
}

TEST(a_frame_callback_has_a_time_and_a_sync_has_none) {
	const struct wire_message *message = find("wl_callback", false, "done");
	uint8_t bytes[64];
	struct wire_value values[WIRE_MAX_ARGS];
	size_t size = wire_build(bytes, 3, 0, message, 1000u);
	translate(bytes, size, message, false, 5 * MS, CLOCK_FROM_PEER, values);
	EXPECT_INT(values[0].u, 1000);
	translate(bytes, size, message, true, 5 * MS, CLOCK_FROM_PEER, values);
	EXPECT_INT(values[0].u, 1005);
}

TEST(microseconds_carry_into_the_high_word) {
	const struct wire_message *message = find("zwp_relative_pointer_v1", false,
			"relative_motion");
	uint8_t bytes[64];
	struct wire_value values[WIRE_MAX_ARGS];
	size_t size = wire_build(bytes, 3, 0, message, 0u, 0xffffffffu, 0, 0, 0, 0);
	translate(bytes, size, message, false, 2000, CLOCK_FROM_PEER, values);
	EXPECT_INT(values[0].u, 1);
	EXPECT_INT(values[1].u, 1);
}

TEST(nanoseconds_go_there_and_back) {
	const struct wire_message *presented = find("wp_presentation_feedback", false, "presented");
	const struct wire_message *set = find("wp_commit_timer_v1", true, "set_timestamp");
	uint8_t bytes[64];
	struct wire_value values[WIRE_MAX_ARGS];
	size_t size = wire_build(
			bytes, 3, 1, presented, 0u, 100u, 999999999u, 16666666u, 0u, 7u, 1u);
	translate(bytes, size, presented, false, 4 * HOUR + 1, CLOCK_FROM_PEER, values);
	EXPECT_INT(values[0].u, 0);
	EXPECT_INT(values[1].u, 100 + 4 * 3600 + 1);
	EXPECT_INT(values[2].u, 0);
	EXPECT_INT(values[3].u, 16666666); // not a time: how long a frame is
	size = wire_build(bytes, 3, 0, set, values[0].u, values[1].u, values[2].u);
	translate(bytes, size, set, false, 4 * HOUR + 1, CLOCK_TO_PEER, values);
	EXPECT_INT(values[1].u, 100);
	EXPECT_INT(values[2].u, 999999999);
}

TEST(a_time_that_is_none_or_not_valid_stays) {
	const struct wire_message *message = find("wp_commit_timer_v1", true, "set_timestamp");
	uint8_t bytes[64];
	struct wire_value values[WIRE_MAX_ARGS];
	size_t size = wire_build(bytes, 3, 0, message, 0u, 0u, 0u);
	translate(bytes, size, message, false, HOUR, CLOCK_TO_PEER, values);
	EXPECT(values[0].u == 0 && values[1].u == 0 && values[2].u == 0);
	size = wire_build(bytes, 3, 0, message, 0u, 7u, 1000000000u);
	translate(bytes, size, message, false, HOUR, CLOCK_TO_PEER, values);
	EXPECT(values[1].u == 7 && values[2].u == 1000000000u);
	size = wire_build(bytes, 3, 0, message, 0xffffffffu, 7u, 0u);
	translate(bytes, size, message, false, HOUR, CLOCK_TO_PEER, values);
	EXPECT_INT(values[0].u, 0xffffffffu);
}
