/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_STREAM_H
#define ISTHMUS_TRANSPORT_STREAM_H

#include "common/fifo.h"
#include "transport/backend.h"
#include "transport/rendezvous.h"
#include "transport/vsock.h"

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
	int listen_fd; // GUI side
	int given_fd; // STREAM_FD, until the first vchan took it
	struct wl_event_source *source; // of listen_fd
	struct wl_event_source *idle;
	struct rendezvous rendezvous; // STREAM_UNIX, application side
	struct vsock_search search; // STREAM_VSOCK, application side; its address on both
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
