/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_TOUCH_H
#define ISTHMUS_GUIVM_SERVER_TOUCH_H

struct server;
struct wlr_input_device;

/*
 * Touch screens. A finger on a client's surface is that client's until it is lifted; one on a frame
 * does what the pointer with its left button would.
 */
void touch_add_device(struct server *server, struct wlr_input_device *device);

#endif
