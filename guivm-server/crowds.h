/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_CROWDS_H
#define ISTHMUS_GUIVM_SERVER_CROWDS_H

struct crowds;
struct server;

/*
 * Bounds how many objects a client has of the kinds that are gone through for others, such as each
 * text input when the focus moves, and of those that keep text. A client that makes more is
 * disconnected. NULL on no memory.
 */
struct crowds *crowds_create(struct server *server);
void crowds_destroy(struct crowds *crowds);

#endif
