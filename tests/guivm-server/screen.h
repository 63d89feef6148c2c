/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_GUIVM_SERVER_SCREEN_H
#define ISTHMUS_TESTS_GUIVM_SERVER_SCREEN_H

#include <wlr/types/wlr_output.h>

#include "tests/guivm-server/desk.h"

/* An output that shows what it is given at its next refresh, as a screen does. */
struct screen {
	struct wlr_output output;
	struct wl_event_source *timer;
	int64_t period_ns, start_ns;
	int64_t flip_ns; // when what it was given is shown
	uint32_t seq;
	int n_drawn, n_shown;
};

/* In place of the desk's output. */
void screen_init(struct screen *screen, struct desk *desk, int64_t period_ns);
void screen_finish(struct screen *screen);

#endif
