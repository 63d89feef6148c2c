/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_HIT_H
#define ISTHMUS_GUIVM_SERVER_HIT_H

#include "borders/geometry.h"

struct layer;
struct server;
struct window;
struct wlr_surface;

/* What lies at a place in the layout. */
struct hit {
	struct window *window; // NULL: none
	struct layer *layer; // NULL: none
	enum frame_part part; // of window's frame; FRAME_PART_CONTENT inside
	struct wlr_surface *surface; // that takes input here; NULL: none does
	double sx, sy; // in the surface
};

struct hit hit_test(struct server *server, double x, double y);

#endif
