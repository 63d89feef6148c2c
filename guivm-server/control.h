/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_CONTROL_H
#define ISTHMUS_GUIVM_SERVER_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

struct vms;

/*
 * The server side of isthmus_control_v1, for local clients. It keeps a copy of what was told to it
 * and sends what changed from an idle callback: any number of changes in one turn of the event loop
 * are one batch with one done.
 */
struct control;

enum control_window_flags { // isthmus_control_v1.window
	CONTROL_WINDOW_FOCUSED = 1,
	CONTROL_WINDOW_MAXIMIZED = 2,
	CONTROL_WINDOW_MINIMIZED = 4,
	CONTROL_WINDOW_FULLSCREEN = 8,
	CONTROL_WINDOW_POPUP = 16,
};

struct control_window {
	uint32_t id; // unique for the compositor's life
	const char *vm; // name; "" for the GUI VM's own
	const char *untrusted_app_id, *untrusted_title; // sanitised inside; NULL reads as ""
	int x, y, width, height; // the content, in layout coordinates
	uint32_t flags; // enum control_window_flags
};

/* NULL on no memory. */
struct control *control_create(struct wl_display *display, struct vms *vms);
void control_destroy(struct control *control);

/* A window was mapped, or something of it changed. Cheap when nothing did. Everything is copied. */
void control_window_update(struct control *control, const struct control_window *window);
void control_window_remove(struct control *control, uint32_t id);

#endif
