/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_STREAM_H
#define ISTHMUS_TRANSPORT_STREAM_H

#include "common/fifo.h"
#include "transport/backend.h"
#include "transport/rendezvous.h"

/* The stream backend: a vchan over any connected stream socket. */

#define STREAM_QUEUE_BYTES (256 * 1024) /* per direction, beside the kernel's */

enum stream_kind {
	STREAM_UNIX,
	STREAM_VSOCK,
	STREAM_FD,
};

/* What a destroyed vchan had accepted and the socket not yet. At most one at a time. */
struct stream_linger {
	int fd; // -1 when there is nothing
	struct fifo out;
	struct wl_event_source *source;
};

struct stream {
	struct transport base;
	enum stream_kind kind;
	char *path; // STREAM_UNIX
	unsigned cid, port; // STREAM_VSOCK; cid of the other side or VMADDR_CID_ANY
	int listen_fd; // GUI side
	int given_fd; // STREAM_FD, until the first vchan took it
	int connecting_fd; // STREAM_VSOCK
	struct wl_event_source *source; // of listen_fd or connecting_fd
	struct wl_event_source *retry;
	int retry_ms;
	struct wl_event_source *idle;
	struct rendezvous rendezvous;
	struct stream_linger linger;
};

/* Called by the vchan when it began or ceased to wait. */
void stream_update(struct stream *stream);
/* Takes over fd and what is queued in out, which is empty then, and sends it in the background. */
void stream_linger(struct stream *stream, int fd, struct fifo *out);

/* Gives a connected socket to the vchan that waits for it. */
void vchan_stream_connect(struct vchan *vchan, int fd);
struct vchan *vchan_stream_create(struct transport *transport);

#endif
