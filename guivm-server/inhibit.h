/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_INHIBIT_H
#define ISTHMUS_GUIVM_SERVER_INHIBIT_H

#include <stdbool.h>

struct inhibit;
struct server;

/*
 * keyboard-shortcuts-inhibit: a window that has the keyboard may get Alt+Tab, if its VM's
 * inhibit_shortcuts says so (local windows always may). Everything with Super, and the keys that
 * switch terminals, stay the compositor's: they are how the user leaves any window.
 */
struct inhibit *inhibit_create(struct server *server);
/* After all clients are gone. NULL is legal. */
void inhibit_destroy(struct inhibit *inhibit);

bool inhibit_is_active(const struct server *server);

#endif
