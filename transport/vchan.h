/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_VCHAN_H
#define ISTHMUS_TRANSPORT_VCHAN_H

#include <stddef.h>
#include <sys/types.h>

struct transport;

/*
 * A vchan is a reliable byte stream with a peer in another VM, with the contract of libxenvchan
 * (Xen, tools/include/libxenvchan.h) but for one point: instead of a descriptor to select() on and
 * a wait call, it puts its own sources into the event loop and calls back.
 *
 * Everything is non-blocking. Whatever the peer does to shared memory, no call reads or writes
 * outside the rings, blocks, or aborts: an impossible index is a disconnect.
 */
enum vchan_state {
	VCHAN_DISCONNECTED = 0, // final. Bytes that the peer sent before can still be read
	VCHAN_CONNECTED = 1,
	VCHAN_WAITING = 2, // the peer has not come yet
};

struct vchan;

/*
 * Called from the event loop when the state changed, data may have become readable, or space may
 * have become writable. A hint: calls may be coalesced and may be spurious. The handler may destroy
 * the vchan. Lost wake-ups are impossible for a handler that reads until vchan_read() returns 0
 * and, while it has something left to send, writes until vchan_write() returns less than it was
 * given.
 */
typedef void (*vchan_handler_func_t)(struct vchan *vchan, void *data);

/*
 * Starts to look for the peer; never waits for it. One vchan per transport at a time; after
 * DISCONNECTED destroy it and create the next. NULL with errno when resources are out (EBUSY: there
 * is one). The first callback comes from the event loop, not from within this call, even when the
 * peer is there already.
 */
struct vchan *vchan_create(struct transport *transport, vchan_handler_func_t handler, void *data);

/* Tells the peer, frees. Bytes already written remain readable for it. NULL is legal. */
void vchan_destroy(struct vchan *vchan);

enum vchan_state vchan_state(struct vchan *vchan);

/* Why it is DISCONNECTED, for the log: a static string such as "the peer closed" or "ring index out
 * of range". "" otherwise. */
const char *vchan_reason(struct vchan *vchan);

/*
 * read: up to size bytes. 0: nothing now; the handler is called when there is more. 0 is not end of
 * file: ask vchan_state(). -1 with EPIPE: disconnected and drained; -1 with ENOTCONN: waiting.
 * write: as many bytes as fit, possibly 0; the handler is called when there is space. -1 with EPIPE
 * or ENOTCONN.
 * recv, send: all of size or nothing (0). -1 with EMSGSIZE when size can never fit in the ring.
 * After a disconnect recv of more than is left is -1 with EPIPE too; read gets the rest.
 * At most one doorbell is rung per call, and none while the peer is known to be looking.
 */
ssize_t vchan_read(struct vchan *vchan, void *bytes, size_t size);
ssize_t vchan_write(struct vchan *vchan, const void *bytes, size_t size);
ssize_t vchan_recv(struct vchan *vchan, void *bytes, size_t size);
ssize_t vchan_send(struct vchan *vchan, const void *bytes, size_t size);

/* Bytes readable and writable now. They also ask for a callback at the next change. 0 when not
 * connected (data_ready keeps counting what is left after a disconnect). */
size_t vchan_data_ready(struct vchan *vchan);
size_t vchan_buffer_space(struct vchan *vchan);

#endif
