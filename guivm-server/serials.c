/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/serials.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <wayland-server-core.h>

static uint64_t last; // of the process: serials of two displays may as well be different

static uint64_t now_ticks(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) >> SERIAL_TICK_SHIFT;
}

/* These two stand in front of libwayland's, also for wlroots. */

uint32_t wl_display_next_serial(struct wl_display *display) {
	uint64_t ticks = now_ticks();
	last = ticks > last ? ticks : last + 1;
	if ((uint32_t)last == 0) {
		last++; // which is no serial
	}
	return (uint32_t)last;
}

/* Not the last one, which would tell when it was made. */
uint32_t wl_display_get_serial(const struct wl_display *display) {
	uint64_t ticks = now_ticks();
	return (uint32_t)(ticks > last ? ticks : last);
}

static bool finds(const char *name, const void *function) { // points to a function pointer
	void *symbol = dlsym(RTLD_DEFAULT, name);
	return memcmp(&symbol, function, sizeof(symbol)) == 0;
}

bool serials_init(void) {
	uint32_t (*const next)(struct wl_display *) = wl_display_next_serial;
	uint32_t (*const get)(const struct wl_display *) = wl_display_get_serial;
	return finds("wl_display_next_serial", &next) && finds("wl_display_get_serial", &get);
}
