/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_BRIDGE_WLCONN_H
#define ISTHMUS_BRIDGE_WLCONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/fifo.h"
#include "protocol/wire.h"

struct wl_event_loop;
struct wl_event_source;

/*
 * One Wayland socket: bytes and descriptors in and out, in order, bounded. Used towards
 * applications by the proxy and towards the compositor by the relay. Knows where messages end,
 * nothing of what they mean.
 */
// descriptors received and not taken yet: enough for a full socket read
#define WLCONN_MAX_FDS_IN 256
struct wlconn;

struct wlconn_interface {
	/*
	 * Bytes arrived (see wlconn_next()). The handler may call wlconn_pause() and may destroy
	 * the connection.
	 */
	void (*readable)(struct wlconn *conn, void *data);
	/*
	 * What was queued is on its way in full: wlconn_queued() is 0 again after it was not. May
	 * be NULL.
	 */
	void (*drained)(struct wlconn *conn, void *data);
	/*
	 * Hung up or failed. Called at most once; data that came before was offered first. The
	 * owner destroys it.
	 */
	void (*closed)(struct wlconn *conn, void *data);
	/*
	 * Hung up while paused: what was said before is in the buffer, and closed() comes once that
	 * was offered after wlconn_resume(). The owner may destroy the connection instead of
	 * waiting for that. Called at most once. NULL: a hang-up is noticed when resumed.
	 */
	void (*hung_up)(struct wlconn *conn, void *data);
};

/*
 * Takes fd over on success. max_queue_bytes: cap of what wlconn_queue() holds back. NULL with
 * errno.
 */
struct wlconn *wlconn_create(struct wl_event_loop *loop, int fd, size_t max_queue_bytes,
		const struct wlconn_interface *impl, void *data);
void wlconn_destroy(struct wlconn *conn);

/* The same, but the socket stays open and is the caller's. What is queued and unwritten is lost. */
int wlconn_detach(struct wlconn *conn);

/*
 * The next whole message: returns its bytes (valid until wlconn_consume()) and header, or NULL with
 * *error WIRE_INCOMPLETE when there is none yet, or another error when the stream is broken for
 * good.
 */
const uint8_t *wlconn_next(struct wlconn *conn, struct wire_header *header, enum wire_error *error);
/* The same bytes, writable for ids to be rewritten in place. */
uint8_t *wlconn_next_mutable(
		struct wlconn *conn, struct wire_header *header, enum wire_error *error);
void wlconn_consume(struct wlconn *conn, size_t size);

/* The next received descriptor, now the caller's; -1 when there is none. */
int wlconn_take_fd(struct wlconn *conn);

/*
 * Stops (starts) reading from the socket. Whole messages that are in the buffer stay;
 * wlconn_resume() offers them again through readable(), from the event loop. A peer that is paused
 * is not read from: it stalls itself. Hang-up is noticed all the same once resumed.
 */
void wlconn_pause(struct wlconn *conn);
void wlconn_resume(struct wlconn *conn);

/*
 * Queues whole messages and the descriptors that belong to them. fds are duplicated by the kernel
 * when sent and closed here afterwards: ownership passes on success. false: over max_queue_bytes or
 * out of memory; nothing was taken. Written to the socket at the end of the loop's turn, or by
 * wlconn_flush().
 */
bool wlconn_queue(
		struct wlconn *conn, const void *bytes, size_t size, const int *fds, size_t n_fds);

/*
 * What is queued between lazy(true) and lazy(false) does not by itself cause a write at the end of
 * the turn: it goes with whatever is queued next otherwise, or with turn_defer_lazy()'s patience.
 */
void wlconn_lazy(struct wlconn *conn, bool lazy);

size_t wlconn_queued(const struct wlconn *conn);
void wlconn_flush(struct wlconn *conn);

/*
 * Total bytes ever written to the socket: the difference between two calls is what may be credited
 * to the sender.
 */
uint64_t wlconn_bytes_written(const struct wlconn *conn);

#endif
