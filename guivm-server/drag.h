/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_DRAG_H
#define ISTHMUS_GUIVM_SERVER_DRAG_H

#include <stdbool.h>

struct server;
struct wlr_surface;

/*
 * Drag and drop: the icon is framed like everything of a VM's, and a drag sees only surfaces of its
 * own VM. seat.c calls watch and unwatch.
 */
void drag_watch(struct server *server);
void drag_unwatch(struct server *server);

void drag_move_icon(struct server *server);
/* Whether the pointer may enter a surface: always without a drag. */
bool drag_allows(struct server *server, struct wlr_surface *surface);
/* A drag that fingers make is over: they were none. */
void drag_cancel_touch(struct server *server);

#endif
