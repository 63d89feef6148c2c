/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/clock.h"

#include <time.h>

#define NS_PER_MS 1000000
#define NS_PER_S 1000000000
// How much worse a sample gets with age: more than quartz drifts, 100 parts in a million.
#define DISTRUST_PER_NS 1e-4
// Drift is told from samples that are exact enough for how far they are apart, which is this far to
// twice as far, and never believed to be more than this.
#define FIRST_SAMPLES 4
#define DRIFT_BASE_NS (300ll * NS_PER_S)
#define DRIFT_DOUBT_MAX 2e-5
#define DRIFT_MAX 5e-4
// Times beyond this many years of uptime are nonsense, and would overflow.
#define TIME_MAX_NS (INT64_MAX / 4)

void clock_offset_init(struct clock_offset *clock) {
	*clock = (struct clock_offset){0};
}

static double sample_error(const struct clock_sample *sample, int64_t now_ns) {
	return (double)sample->round_trip_ns / 2 +
			(double)(now_ns - sample->at_ns) * DISTRUST_PER_NS;
}

static void measure_drift(struct clock_offset *clock) {
	// The first few are all there is to start from: the best of them.
	if (clock->n_samples < FIRST_SAMPLES) {
		clock->base = clock->next_base = clock->best;
		return;
	}
	int64_t apart_ns = clock->best.at_ns - clock->base.at_ns;
	double doubt_ns = (double)(clock->best.round_trip_ns + clock->base.round_trip_ns) / 2;
	if (doubt_ns < DRIFT_DOUBT_MAX * (double)apart_ns) {
		double drift = (double)(clock->best.offset_ns - clock->base.offset_ns) /
				(double)apart_ns;
		clock->drift = drift > DRIFT_MAX ? DRIFT_MAX
				: drift < -DRIFT_MAX ? -DRIFT_MAX : drift;
	}
	// Quartz follows the temperature: what was long ago says little.
	if (clock->best.at_ns - clock->next_base.at_ns > DRIFT_BASE_NS) {
		clock->base = clock->next_base;
		clock->next_base = clock->best;
	}
}

void clock_offset_add(struct clock_offset *clock, int64_t sent_ns, int64_t untrusted_peer_ns,
		int64_t received_ns) {
	if (untrusted_peer_ns < 0 || untrusted_peer_ns > TIME_MAX_NS || sent_ns < 0 ||
			received_ns < sent_ns || received_ns > TIME_MAX_NS) {
		return;
	}
	int64_t middle_ns = sent_ns + (received_ns - sent_ns) / 2;
	struct clock_sample sample = {
			.at_ns = middle_ns,
			.offset_ns = middle_ns - untrusted_peer_ns,
			.round_trip_ns = received_ns - sent_ns,
	};
	if (clock->n_samples == 0 || sample_error(&sample, received_ns) <=
					sample_error(&clock->best, received_ns)) {
		clock->best = sample;
	}
	clock->n_samples += clock->n_samples < FIRST_SAMPLES;
	measure_drift(clock);
}

bool clock_offset_known(const struct clock_offset *clock) {
	return clock->n_samples > 0;
}

int64_t clock_offset_at(const struct clock_offset *clock, int64_t now_ns) {
	return clock->best.offset_ns +
			(int64_t)(clock->drift * (double)(now_ns - clock->best.at_ns));
}

/* Rounded up or down: x / unit for unit > 0. */
static int64_t divide(int64_t x, int64_t unit, bool up) {
	int64_t quotient = x / unit, rest = x % unit;
	if (up && rest > 0) {
		return quotient + 1;
	}
	return !up && rest < 0 ? quotient - 1 : quotient;
}

static void put(uint8_t *bytes, const struct wire_value *value, uint64_t word) {
	wire_rewrite_id(bytes, value->offset, (uint32_t)word);
}

static void translate_ns(uint8_t *bytes, const struct wire_value *values, int64_t shift_ns) {
	uint64_t seconds = (uint64_t)values[0].u << 32 | values[1].u;
	uint32_t nanoseconds = values[2].u;
	if ((seconds == 0 && nanoseconds == 0) || nanoseconds >= NS_PER_S ||
			seconds > TIME_MAX_NS / NS_PER_S) {
		return; // none, or not valid: whoever reads it has words for that
	}
	int64_t time_ns = (int64_t)seconds * NS_PER_S + nanoseconds + shift_ns;
	time_ns = time_ns > 0 ? time_ns : 0;
	put(bytes, &values[0], (uint64_t)(time_ns / NS_PER_S) >> 32);
	put(bytes, &values[1], (uint64_t)(time_ns / NS_PER_S));
	put(bytes, &values[2], (uint64_t)(time_ns % NS_PER_S));
}

static void translate_us(uint8_t *bytes, const struct wire_value *values, int64_t shift_ns) {
	uint64_t time_us = (uint64_t)values[0].u << 32 | values[1].u;
	time_us += (uint64_t)divide(shift_ns, 1000, true);
	put(bytes, &values[0], time_us >> 32);
	put(bytes, &values[1], time_us);
}

static void translate_ms(uint8_t *bytes, const struct wire_value *value, int64_t shift_ns) {
	put(bytes, value, value->u + (uint64_t)divide(shift_ns, NS_PER_MS, true));
}

void clock_translate(uint8_t *bytes, const struct wire_message *message,
		const struct wire_value *values, bool frame_callback, int64_t offset_ns,
		enum clock_direction direction) {
	int64_t shift_ns = direction == CLOCK_FROM_PEER ? offset_ns : -offset_ns;
	const struct wire_value *time = &values[message->time_arg];
	switch ((enum wire_time_unit)message->time_unit) {
	case WIRE_TIME_NONE:
		break;
	case WIRE_TIME_FRAME:
		if (frame_callback) {
			translate_ms(bytes, time, shift_ns);
		}
		break;
	case WIRE_TIME_MS:
		translate_ms(bytes, time, shift_ns);
		break;
	case WIRE_TIME_US:
		translate_us(bytes, time, shift_ns);
		break;
	case WIRE_TIME_NS:
		translate_ns(bytes, time, shift_ns);
		break;
	}
}

int64_t clock_now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}
