/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_OUTPUT_H
#define ISTHMUS_GUIVM_SERVER_OUTPUT_H

#include <stdbool.h>
#include <wayland-server-core.h>
#include <wlr/util/box.h>

#include "guivm-server/output_draw.h"

struct server;
struct wlr_output;

struct output {
	struct server *server;
	struct wl_list link; // server.outputs
	struct wlr_output *wlr_output;
	struct wlr_scene_output *scene_output;
	struct wlr_box box; // in the layout; empty while it is off
	struct wlr_box usable; // without layer surfaces' exclusive zones
	struct wl_list layers; // layer.link
	struct output_draw draw;
	struct wl_listener request_state, destroy;
};

/* Starts taking in the backend's outputs. */
void output_watch(struct server *server);
void output_unwatch(struct server *server);

/* The output at a place in the layout, the one nearest to it, or NULL when none is on. */
struct output *output_at(struct server *server, double x, double y);
struct output *output_from_wlr(struct server *server, struct wlr_output *wlr_output);
/* Where the pointer is: new windows go there. */
struct output *output_current(struct server *server);

#endif
