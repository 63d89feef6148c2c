/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_GESTURES_H
#define ISTHMUS_GUIVM_SERVER_GESTURES_H

struct gestures;
struct server;

/* Touchpad gestures, for whoever has the pointer. After the cursor is there. NULL on no memory. */
struct gestures *gestures_create(struct server *server);
/* Before the cursor goes. NULL is legal. */
void gestures_destroy(struct gestures *gestures);

#endif
