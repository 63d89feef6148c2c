/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_TABLET_PRIVATE_H
#define ISTHMUS_GUIVM_SERVER_TABLET_PRIVATE_H

#include <stdbool.h>
#include <wayland-server-core.h>

struct server;
struct wlr_surface;
struct wlr_tablet;
struct wlr_tablet_manager_v2;
struct wlr_tablet_tool;
struct wlr_tablet_v2_tablet;
struct wlr_tablet_v2_tablet_tool;

/* What tablet.c and tablet_pad.c share. */
struct tablets {
	struct server *server;
	struct wlr_tablet_manager_v2 *manager;
	struct wl_list list; // tablet.link
	struct wl_list pads; // pad.link
	struct wl_list tools; // tool.link
	struct wl_listener keyboard_focus;
};

struct tablet {
	struct tablets *tablets;
	struct wl_list link; // tablets.list
	struct wlr_tablet *device;
	struct wlr_tablet_v2_tablet *v2;
	struct wl_listener axis, proximity, tip, button, destroy;
};

/* A pen or its like: the same one may be used on several tablets. */
struct tool {
	struct tablets *tablets;
	struct wl_list link; // tablets.tools
	struct wlr_tablet_tool *wlr_tool;
	struct wlr_tablet_v2_tablet_tool *v2;
	struct tablet *tablet; // where it was seen last; NULL: that is gone
	bool plays_pointer; // its tip is down, as the pointer's left button
	double origin_x, origin_y; // layout position of the touched surface's corner
	struct wl_listener destroy;
};

void tablet_listen(
		struct wl_listener *listener, wl_notify_func_t notify, struct wl_signal *signal);

/* The keyboard has another focus, and pads follow it: what they do is much the same as keys. */
void tablet_pads_follow(struct tablets *tablets);
/* A tablet is there: pads of none are its own. */
void tablet_pads_adopt(struct tablet *tablet);
void tablet_pads_forget(struct tablet *tablet);
/* All of them, at the end. */
void tablet_pads_destroy(struct tablets *tablets);

#endif
