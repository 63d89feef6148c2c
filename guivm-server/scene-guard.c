/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/scene-guard.h"

#include <dlfcn.h>
#include <math.h>
#include <string.h>
#include <wlr/types/wlr_scene.h>

/*
 * wlroots 0.20 works out which part of a rotated and clipped buffer is seen, and asserts that the
 * result lies inside the buffer: which it misses by 1e-14 for some sizes. A client may choose those
 * sizes, and the assertion would end the compositor. The library calls its own function by name, so
 * this one stands in front of it and removes the rounding error.
 */
#define GRID 65536.0 // per pixel; wl_fixed has 256

static void (*set_source_box)(struct wlr_scene_buffer *buffer, const struct wlr_fbox *box);

static void snap(double *position, double *size) {
	double begin = round(*position * GRID) / GRID;
	double end = round((*position + *size) * GRID) / GRID;
	*position = begin > 0 ? begin : 0;
	*size = end > *position ? end - *position : 0;
}

void wlr_scene_buffer_set_source_box(
		struct wlr_scene_buffer *scene_buffer, const struct wlr_fbox *box) {
	struct wlr_fbox snapped;
	if (box != NULL) {
		snapped = *box;
		snap(&snapped.x, &snapped.width);
		snap(&snapped.y, &snapped.height);
		box = &snapped;
	}
	set_source_box(scene_buffer, box);
}

bool scene_guard_init(void) {
	void *symbol = dlsym(RTLD_NEXT, "wlr_scene_buffer_set_source_box");
	memcpy(&set_source_box, &symbol, sizeof(symbol));
	return symbol != NULL;
}
