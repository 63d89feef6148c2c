/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_BELL_H
#define ISTHMUS_GUIVM_SERVER_BELL_H

struct bell;
struct server;

/* xdg-system-bell: the window that rings asks for attention; nothing is heard. NULL: no memory. */
struct bell *bell_create(struct server *server);
/* NULL is legal. */
void bell_destroy(struct bell *bell);

#endif
