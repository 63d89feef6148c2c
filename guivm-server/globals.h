/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_GLOBALS_H
#define ISTHMUS_GUIVM_SERVER_GLOBALS_H

#include <stdbool.h>

struct server;

/*
 * Protocols that wlroots implements by itself. They live as long as the display. Which of them a
 * client gets to see is decided in vms.c. false on no memory.
 */
bool globals_create(struct server *server);

#endif
