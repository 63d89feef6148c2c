/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_FAREWELL_H
#define ISTHMUS_APPVM_PROXY_FAREWELL_H

#include <wayland-util.h>

struct wl_event_loop;

/*
 * Sockets of applications that were ended and told why. They stay open until the application has
 * read that and hung up, as far as LIMIT_HANGUP_MS, LIMIT_FAREWELL_BYTES and LIMIT_FAREWELLS allow:
 * of more, the oldest is closed.
 */
struct farewell_list {
	struct wl_event_loop *loop; // borrowed
	struct wl_list farewells; // struct farewell.link, the oldest first
	unsigned count;
};

void farewell_list_init(struct farewell_list *list, struct wl_event_loop *loop);
/* Closes all. */
void farewell_list_finish(struct farewell_list *list);

/* Takes fd over, a non-blocking socket. */
void farewell_list_add(struct farewell_list *list, int fd);

#endif
