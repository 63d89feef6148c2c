/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_REFRESH_H
#define ISTHMUS_GUIVM_SERVER_REFRESH_H

#include <stdbool.h>
#include <stdint.h>

/*
 * When an output shows what is drawn now, judged by when it showed what was drawn before. Times are
 * nanoseconds of CLOCK_MONOTONIC and arguments, so that tests need no clock.
 */
struct refresh {
	int64_t period_ns;
	int64_t begun_ns, drawn_ns; // when the last frame was begun and handed over; 0: none
	int64_t cost_ns; // how long drawing takes; falls slowly
	int64_t aim_ns; // the refresh before which drawing it was put off; 0: it was not
	int64_t doubt_ns; // grows when a frame misses what it aims at, falls slowly
	int64_t shown_ns; // the last frame that was; 0: none
	/*
	 * Shows a frame as soon as it has it: no screen at all, adaptive sync, or a driver that
	 * knows of no refresh. Otherwise frames are shown at multiples of the period, counted from
	 * shown_ns.
	 */
	bool immediate;
};

struct timespec;

int64_t refresh_clock_ns(void);
int64_t refresh_time_ns(const struct timespec *time);

void refresh_init(struct refresh *refresh, bool immediate);
/* In thousandths of a hertz; 0: unknown, taken for 60 Hz. */
void refresh_set_rate(struct refresh *refresh, int32_t rate_mhz);
/* A frame was handed over that its output will show at a refresh, not in the middle of one. */
void refresh_handle_drawn(struct refresh *refresh, int64_t begun_ns, int64_t now_ns);
/* What a frame took that is known to be more than that: the GPU's part. */
void refresh_handle_cost(struct refresh *refresh, int64_t cost_ns);
/*
 * The last drawn frame was shown at when_ns. One that is much too early tells an immediate output;
 * one that was put off and missed its refresh, that others have to be begun earlier.
 */
void refresh_handle_shown(struct refresh *refresh, int64_t when_ns);

/*
 * The soonest that an output shows what is there at now_ns. busy: the last drawn frame is not shown
 * yet, and the next is drawn after that.
 */
int64_t refresh_next(const struct refresh *refresh, int64_t now_ns, bool busy);
/* From when on refresh_next() is target_ns or later, of an output that is not busy. */
int64_t refresh_begin(const struct refresh *refresh, int64_t target_ns);

/*
 * When an output that has something to show should be drawn: as late as it will still be shown at
 * the next refresh, so that whoever commits until then is shown with it. now_ns where it is better
 * drawn at once: an immediate output, little time left, or no knowing when the next refresh is.
 */
int64_t refresh_put_off(struct refresh *refresh, int64_t now_ns);

#endif
