/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/refresh.h"

#include <time.h>

#define NS_PER_S 1000000000
#define DEFAULT_RATE_MHZ 60000
/* Kept free before a refresh, besides what drawing takes: timers and other processes are late. */
#define MARGIN_NS 1500000
/* Less to wait for than this is not worth a timer. */
#define WORTHWHILE_NS 1000000
/*
 * With each frame one of so many parts is forgotten. Of the cost that is most of it in a second, of
 * the doubt in half a minute, since each time that it is too small a frame is late.
 */
#define COST_FORGET 64
#define DOUBT_FORGET 1024
/* A prediction over more periods than this may have drifted by a quarter of one. */
#define SURE_PERIODS 100

int64_t refresh_clock_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return refresh_time_ns(&now);
}

int64_t refresh_time_ns(const struct timespec *time) {
	return (int64_t)time->tv_sec * NS_PER_S + time->tv_nsec;
}

void refresh_init(struct refresh *refresh, bool immediate) {
	*refresh = (struct refresh){.immediate = immediate};
	refresh_set_rate(refresh, 0);
}

void refresh_set_rate(struct refresh *refresh, int32_t rate_mhz) {
	if (rate_mhz <= 0) {
		rate_mhz = DEFAULT_RATE_MHZ;
	}
	refresh->period_ns = (int64_t)NS_PER_S * 1000 / rate_mhz;
}

/* The first multiple of the period after now_ns. */
static int64_t next_multiple(const struct refresh *refresh, int64_t now_ns) {
	if (now_ns < refresh->shown_ns) {
		return refresh->shown_ns;
	}
	int64_t into_ns = (now_ns - refresh->shown_ns) % refresh->period_ns;
	return now_ns - into_ns + refresh->period_ns;
}

void refresh_handle_cost(struct refresh *refresh, int64_t cost_ns) {
	if (cost_ns > refresh->cost_ns) {
		refresh->cost_ns = cost_ns;
	}
}

void refresh_handle_drawn(struct refresh *refresh, int64_t begun_ns, int64_t now_ns) {
	refresh->begun_ns = begun_ns;
	refresh->drawn_ns = now_ns;
	refresh->cost_ns -= refresh->cost_ns / COST_FORGET;
	refresh_handle_cost(refresh, now_ns - begun_ns);
}

static void refresh_judge(struct refresh *refresh, int64_t when_ns) {
	if (when_ns < next_multiple(refresh, refresh->begun_ns) - refresh->period_ns / 4) {
		refresh->immediate = true;
	}
	refresh->doubt_ns -= refresh->doubt_ns / DOUBT_FORGET;
	if (refresh->aim_ns > 0 && when_ns > refresh->aim_ns + refresh->period_ns / 2) {
		/* None is put off any more until some of it is forgotten. */
		refresh->doubt_ns += refresh->period_ns;
		if (refresh->doubt_ns > 2 * refresh->period_ns) {
			refresh->doubt_ns = 2 * refresh->period_ns;
		}
	}
}

static bool refresh_is_sure(const struct refresh *refresh, int64_t at_ns) {
	return refresh->shown_ns > 0 && at_ns >= refresh->shown_ns &&
		at_ns - refresh->shown_ns < SURE_PERIODS * refresh->period_ns;
}

void refresh_handle_shown(struct refresh *refresh, int64_t when_ns) {
	if (refresh_is_sure(refresh, refresh->begun_ns)) {
		refresh_judge(refresh, when_ns);
	}
	refresh->shown_ns = when_ns;
	refresh->aim_ns = 0;
}

int64_t refresh_next(const struct refresh *refresh, int64_t now_ns, bool busy) {
	if (refresh->immediate || refresh->shown_ns == 0) {
		return now_ns;
	}
	if (busy) {
		int64_t before_ns = next_multiple(refresh, refresh->drawn_ns);
		if (before_ns > now_ns) {
			now_ns = before_ns;
		}
	}
	return next_multiple(refresh, now_ns);
}

int64_t refresh_begin(const struct refresh *refresh, int64_t target_ns) {
	if (refresh->immediate || refresh->shown_ns == 0 || target_ns <= refresh->shown_ns) {
		return target_ns;
	}
	/* The multiple that is the target's or the first after it, and from then a period back. */
	int64_t into_ns = (target_ns - refresh->shown_ns) % refresh->period_ns;
	return into_ns > 0 ? target_ns - into_ns : target_ns - refresh->period_ns;
}

int64_t refresh_put_off(struct refresh *refresh, int64_t now_ns) {
	refresh->aim_ns = 0;
	if (refresh->immediate || refresh->cost_ns == 0 || !refresh_is_sure(refresh, now_ns)) {
		return now_ns;
	}
	int64_t aim_ns = next_multiple(refresh, now_ns);
	int64_t draw_ns = aim_ns - refresh->cost_ns - MARGIN_NS - refresh->doubt_ns;
	if (draw_ns < now_ns + WORTHWHILE_NS) {
		return now_ns;
	}
	refresh->aim_ns = aim_ns;
	return draw_ns;
}
