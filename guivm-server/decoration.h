/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_DECORATION_H
#define ISTHMUS_GUIVM_SERVER_DECORATION_H

#include <stdbool.h>

struct decorations;
struct server;
struct wlr_xdg_toplevel;

/* xdg-decoration and KDE's older protocol: the answer is always that the server draws the frame. */
struct decorations *decorations_create(struct server *server);
void decorations_destroy(struct decorations *decorations);

/* With the first configure event of a toplevel. */
void decoration_configure(struct server *server, struct wlr_xdg_toplevel *toplevel);

#endif
