/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_BACKGROUND_H
#define ISTHMUS_GUIVM_SERVER_BACKGROUND_H

#include <stdbool.h>

struct server;

/* Makes the rectangle behind everything, in the VM set's colour. It goes with the scene. */
bool background_create(struct server *server);
/* After a change of the output layout or of the VM set. */
void background_update(struct server *server);

/* 0xRRGGBB as scene nodes take it. */
void background_color(float color[4], unsigned rgb);

#endif
