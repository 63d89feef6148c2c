/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_WLCS_FIND_H
#define ISTHMUS_TESTS_WLCS_FIND_H

struct wl_display;
struct wl_surface;

/*
 * WLCS names a surface by the client's own object, and the server must know which of its surfaces
 * that is. Object ids do not tell: the relay chooses its own. The order of creation would be a
 * guess. So the client itself says it, over its own connection and by a protocol that goes through
 * the bridge like any other: it asks for an xdg-activation token for that surface, and the server
 * looks the token up. This holds for every lane and transport and needs no test code in the bridge.
 *
 * Uses an event queue of its own: the client's own events stay where they are. Returns the token
 * (free()), NULL when the connection has failed.
 */
char *find_token(struct wl_display *display, struct wl_surface *surface);

#endif
