/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_TABLET_H
#define ISTHMUS_GUIVM_SERVER_TABLET_H

struct server;
struct tablets;
struct wlr_input_device;

/*
 * Drawing tablets, tools and pads (tablet v2). A tool points and focuses as the pointer does; over
 * a frame, and over surfaces that do not know tablets, it plays the pointer. Pads go with the
 * keyboard's focus.
 */
struct tablets *tablets_create(struct server *server);
/* After all clients are gone. NULL is legal. */
void tablets_destroy(struct tablets *tablets);

/* They leave when the device is destroyed. */
void tablet_add(struct server *server, struct wlr_input_device *device);
void tablet_add_pad(struct server *server, struct wlr_input_device *device);

#endif
