/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_UNACKED_H
#define ISTHMUS_GUIVM_SERVER_UNACKED_H

struct server;
struct unacked;

/*
 * Counts the configure events that wlroots keeps until their client acknowledges them. A client
 * that has more than LIMIT_UNACKED_CONFIGURES of them, for all its windows and popups, is
 * disconnected. Needs the server's xdg shell. NULL on no memory.
 */
struct unacked *unacked_create(struct server *server);
void unacked_destroy(struct unacked *unacked);

#endif
