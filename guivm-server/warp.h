/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_WARP_H
#define ISTHMUS_GUIVM_SERVER_WARP_H

#include <stdbool.h>

struct server;

/*
 * wp_pointer_warp_v1: the client that has the pointer may move it inside the surface that has it.
 * The global lives as long as the display. false on no memory.
 */
bool warp_create(struct server *server);

#endif
