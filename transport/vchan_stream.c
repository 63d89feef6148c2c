/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "transport/stream.h"

#define CHUNK_BYTES 65536
#define SOCKET_QUEUE_BYTES (1024 * 1024)

/*
 * MSG_DONTWAIT throughout and never O_NONBLOCK: a socket that was handed in may be shared with
 * somebody who turns that off.
 */
struct vchan_stream {
	struct vchan base;
	int fd; // stays open after a disconnect until drained; -1 while waiting
	struct wl_event_source *source; // only while connected
	uint32_t mask;
	bool read_armed, write_armed; // the handler wants to hear of data or room
	struct fifo in, out; // their blocks are kept: there is one of these for a VM
};

static void set_mask(struct vchan_stream *vchan, uint32_t mask) {
	if (vchan->source != NULL && vchan->mask != mask) {
		wl_event_source_fd_update(vchan->source, mask);
		vchan->mask = mask;
	}
}

static void unwatch(struct vchan_stream *vchan) {
	if (vchan->source != NULL) {
		wl_event_source_remove(vchan->source);
		vchan->source = NULL;
	}
}

/* The socket stays open for what the peer sent before. */
static void lose(struct vchan_stream *vchan, const char *reason) {
	unwatch(vchan);
	if (vchan->base.state != VCHAN_DISCONNECTED) {
		vchan_set_state(&vchan->base, VCHAN_DISCONNECTED, reason);
	}
}

/* recv(2) with 0 for nothing now; -1 for the end, after which fd is -1. */
static ssize_t receive(struct vchan_stream *vchan, void *bytes, size_t size) {
	if (vchan->fd < 0) {
		return -1;
	}
	ssize_t count = recv(vchan->fd, bytes, size, MSG_DONTWAIT);
	if (count > 0) {
		return count;
	}
	if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
		return 0;
	}
	lose(vchan, "the peer closed");
	fd_close(&vchan->fd);
	return -1;
}

static void fill(struct vchan_stream *vchan) {
	ssize_t count = 1;
	while (count > 0 && fifo_room(&vchan->in) > 0) {
		size_t room = fifo_room(&vchan->in);
		size_t size = room < CHUNK_BYTES ? room : CHUNK_BYTES;
		uint8_t *space = fifo_reserve(&vchan->in, size);
		if (space == NULL) {
			lose(vchan, "out of memory");
			return;
		}
		count = receive(vchan, space, size);
		if (count > 0) {
			fifo_commit(&vchan->in, (size_t)count);
		}
	}
}

static void arm_read(struct vchan_stream *vchan) {
	vchan->read_armed = true;
	set_mask(vchan, vchan->mask | WL_EVENT_READABLE);
}

static size_t take(struct vchan_stream *vchan, void *bytes, size_t size) {
	size_t queued = fifo_size(&vchan->in);
	size_t count = queued < size ? queued : size;
	if (count > 0) {
		memcpy(bytes, fifo_peek(&vchan->in), count);
		fifo_consume(&vchan->in, count);
	}
	return count;
}

/* What to answer when nothing can be read. */
static ssize_t nothing_to_read(struct vchan_stream *vchan) {
	if (vchan->base.state == VCHAN_DISCONNECTED) {
		errno = EPIPE;
		return -1;
	}
	arm_read(vchan);
	return 0;
}

static ssize_t stream_read(struct vchan *base, void *bytes, size_t size, bool all) {
	struct vchan_stream *vchan = (struct vchan_stream *)base;
	if (size == 0) {
		return 0;
	}
	if (all && fifo_size(&vchan->in) < size) {
		fill(vchan);
	}
	if (fifo_size(&vchan->in) >= (all ? size : 1)) {
		return (ssize_t)take(vchan, bytes, size);
	}
	ssize_t count = all ? 0 : receive(vchan, bytes, size);
	return count > 0 ? count : nothing_to_read(vchan);
}

/* send(2) with 0 for no room now; -1 with EPIPE for the end. */
static ssize_t transmit(struct vchan_stream *vchan, const void *bytes, size_t size) {
	ssize_t count = send(vchan->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (count >= 0 || errno == EAGAIN || errno == EINTR) {
		return count > 0 ? count : 0;
	}
	lose(vchan, "the peer closed");
	errno = EPIPE;
	return -1;
}

static bool flush_out(struct vchan_stream *vchan) {
	while (fifo_size(&vchan->out) > 0) {
		ssize_t count = transmit(vchan, fifo_peek(&vchan->out), fifo_size(&vchan->out));
		if (count <= 0) {
			return count == 0;
		}
		fifo_consume(&vchan->out, (size_t)count);
	}
	return true;
}

static bool enqueue(struct vchan_stream *vchan, const void *bytes, size_t size) {
	if (size == 0) {
		return true;
	}
	if (!fifo_push(&vchan->out, bytes, size)) {
		lose(vchan, "out of memory");
		errno = EPIPE;
		return false;
	}
	set_mask(vchan, vchan->mask | WL_EVENT_WRITABLE);
	return true;
}

static ssize_t stream_write(struct vchan *base, const void *bytes, size_t size, bool all) {
	struct vchan_stream *vchan = (struct vchan_stream *)base;
	ssize_t sent = 0;
	if (fifo_size(&vchan->out) == 0) {
		sent = transmit(vchan, bytes, size);
		if (sent < 0) {
			return -1;
		}
	}
	size_t rest = size - (size_t)sent, room = fifo_room(&vchan->out);
	if (rest > room) {
		vchan->write_armed = true;
		rest = all ? 0 : room;
	}
	if (!enqueue(vchan, (const uint8_t *)bytes + sent, rest)) {
		return -1;
	}
	return sent + (ssize_t)rest;
}

static size_t stream_data_ready(struct vchan *base) {
	struct vchan_stream *vchan = (struct vchan_stream *)base;
	fill(vchan);
	arm_read(vchan);
	return fifo_size(&vchan->in);
}

static size_t stream_buffer_space(struct vchan *base) {
	struct vchan_stream *vchan = (struct vchan_stream *)base;
	vchan->write_armed = true;
	return fifo_room(&vchan->out);
}

static size_t stream_limit(struct vchan *base) {
	return STREAM_QUEUE_BYTES;
}

/* Whether the handler wants to know. */
static bool handle_writable(struct vchan_stream *vchan) {
	if (!flush_out(vchan)) {
		return false;
	}
	if (fifo_size(&vchan->out) == 0) {
		set_mask(vchan, vchan->mask & ~(uint32_t)WL_EVENT_WRITABLE);
	}
	bool wanted = vchan->write_armed && fifo_room(&vchan->out) > 0;
	vchan->write_armed = vchan->write_armed && !wanted;
	return wanted;
}

static bool handle_readable(struct vchan_stream *vchan) {
	if (!vchan->read_armed) {
		// The handler stopped reading. The socket holds what comes, then stalls the peer.
		set_mask(vchan, vchan->mask & ~(uint32_t)WL_EVENT_READABLE);
		return false;
	}
	vchan->read_armed = false;
	return true; // who reads gets it from the socket, with no copy in between
}

static int handle_ready(int fd, uint32_t mask, void *data) {
	struct vchan_stream *vchan = data;
	bool notify = false;
	if ((mask & WL_EVENT_WRITABLE) != 0) {
		notify = handle_writable(vchan);
	}
	if ((mask & WL_EVENT_READABLE) != 0) {
		notify = handle_readable(vchan) || notify;
	}
	if ((mask & (WL_EVENT_HANGUP | WL_EVENT_ERROR)) != 0) {
		lose(vchan, "the peer closed");
	}
	if (notify) {
		vchan_notify(&vchan->base);
	}
	return 0;
}

/*
 * Pixels go from the application side, megabytes in each frame: the less fits into the socket at
 * once, the more often both ends wake up. Best effort, as far as the system lets us.
 */
static void widen(int fd) {
	const int bytes = SOCKET_QUEUE_BYTES;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

void vchan_stream_connect(struct vchan *base, int fd) {
	struct vchan_stream *vchan = (struct vchan_stream *)base;
	if (base->transport->role == TRANSPORT_APPVM) {
		widen(fd);
	}
	vchan->fd = fd;
	vchan->mask = WL_EVENT_READABLE;
	vchan->read_armed = true;
	vchan->source = wl_event_loop_add_fd(base->transport->loop, fd, vchan->mask, handle_ready,
			vchan);
	if (vchan->source == NULL) {
		lose(vchan, "out of memory");
		return;
	}
	vchan_set_state(base, VCHAN_CONNECTED, NULL);
}

static void stream_destroy(struct vchan *base) {
	struct vchan_stream *vchan = (struct vchan_stream *)base;
	struct stream *stream = (struct stream *)base->transport;
	unwatch(vchan);
	if (base->state == VCHAN_CONNECTED && flush_out(vchan) && fifo_size(&vchan->out) > 0) {
		stream_linger(stream, vchan->fd, &vchan->out);
		vchan->fd = -1;
	}
	fd_close(&vchan->fd);
	fifo_finish(&vchan->in);
	fifo_finish(&vchan->out);
	vchan_finish(base);
	free(vchan);
	stream_update(stream);
}

static const struct vchan_impl vchan_stream_impl = {
	.destroy = stream_destroy,
	.read = stream_read,
	.write = stream_write,
	.data_ready = stream_data_ready,
	.buffer_space = stream_buffer_space,
	.limit = stream_limit,
};

struct vchan *vchan_stream_create(struct transport *transport) {
	struct vchan_stream *vchan = calloc(1, sizeof(*vchan));
	if (vchan == NULL) {
		return NULL;
	}
	vchan->fd = -1;
	fifo_init(&vchan->in, STREAM_QUEUE_BYTES);
	fifo_init(&vchan->out, STREAM_QUEUE_BYTES);
	vchan_init(&vchan->base, &vchan_stream_impl, transport);
	stream_update((struct stream *)transport);
	return &vchan->base;
}
