/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_BRIDGE_HANGUP_H
#define ISTHMUS_BRIDGE_HANGUP_H

#include <stdint.h>

struct wl_event_loop;

/*
 * The end of a connection that the other side has to see: nothing is said on it any more, what
 * still comes is thrown away, descriptors included, until the other side closes it, too. A Wayland
 * compositor does so once it has read all requests and destroyed all objects of the client; an
 * application once it has read what was said last, which it would not if a socket with unread
 * requests in it were closed: the next one it sends would fail with ECONNRESET.
 */
struct hangup;

struct hangup_limits {
	int timeout_ms;
	uint64_t bytes; // that are read and thrown away
};

/*
 * Takes fd over, a non-blocking socket, on success. Calls ended once, from the event loop, when the
 * other side closed or failed, or at a limit; the socket is closed by then, and ended() may destroy
 * the hangup. NULL with errno.
 */
struct hangup *hangup_create(struct wl_event_loop *loop, int fd, const struct hangup_limits *limits,
		void (*ended)(void *data), void *data);

/* Closes the socket, if that is still to be done, and calls nobody. NULL is legal. */
void hangup_destroy(struct hangup *hangup);

#endif
