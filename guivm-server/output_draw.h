/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_OUTPUT_DRAW_H
#define ISTHMUS_GUIVM_SERVER_OUTPUT_DRAW_H

#include <stdbool.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_scene.h>

#include "guivm-server/refresh.h"

struct output;

/*
 * When an output is drawn. A screen is drawn as late as its next refresh allows, so that what is
 * committed until then is shown with it; frame callbacks go out at the refresh. Where there are no
 * refreshes to foresee (headless, inside another desktop, adaptive sync, tearing) it is drawn as
 * soon as it may be, and callbacks go out then.
 */
struct output_draw {
	struct refresh refresh;
	struct wlr_scene_timer gpu; // of the last frame
	struct wl_event_source *timer; // set while waits
	bool waits; // until it is time to draw
	bool unshown; // was drawn, and its callbacks wait for the refresh
	struct wl_listener frame, commit, present;
};

/* output has its wlr_output, and gets its scene_output before the first frame. false: no memory. */
bool output_draw_init(struct output *output);
void output_draw_finish(struct output *output);

#endif
