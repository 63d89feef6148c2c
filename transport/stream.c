/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/stream.h"

#include <errno.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "common/log.h"

static bool is_waiting(const struct stream *stream) {
	return stream->base.vchan != NULL && stream->base.vchan->state == VCHAN_WAITING;
}

static void stop_source(struct wl_event_source **source) {
	if (*source != NULL) {
		wl_event_source_remove(*source);
		*source = NULL;
	}
}

static void stop_looking(struct stream *stream) {
	stop_source(&stream->source);
	stop_source(&stream->idle);
	rendezvous_stop(&stream->rendezvous);
	vsock_search_stop(&stream->search);
}

static void fail(struct stream *stream, const char *reason) {
	log_error("transport %s: %s", stream->base.spec, reason);
	stop_looking(stream);
	if (is_waiting(stream)) {
		vchan_set_state(stream->base.vchan, VCHAN_DISCONNECTED, reason);
	}
}

static void connected(struct stream *stream, int fd) {
	stop_looking(stream);
	vchan_stream_connect(stream->base.vchan, fd);
}

/* The GUI side. */

static int handle_listening(int fd, uint32_t mask, void *data) {
	struct stream *stream = data;
	int peer_fd = stream->kind == STREAM_VSOCK
		? vsock_accept(fd, &stream->search.address)
		: accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (peer_fd >= 0) {
		connected(stream, peer_fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		log_errno("transport %s: cannot accept", stream->base.spec);
		fail(stream, "cannot accept a connection");
	}
	return 0;
}

/* The application side. */

static void handle_found(int fd, void *data) {
	struct stream *stream = data;
	if (fd < 0) {
		log_errno("transport %s", stream->base.spec);
		fail(stream, "cannot connect to the GUI side");
		return;
	}
	connected(stream, fd);
}

/* A socket that is there already is still handed over from the event loop only. */
static void handle_idle(void *data) {
	struct stream *stream = data;
	stream->idle = NULL;
	int fd = stream->given_fd;
	stream->given_fd = -1;
	if (fd < 0) {
		fail(stream, "its one connection was used");
		return;
	}
	connected(stream, fd);
}

static void look_for_peer(struct stream *stream) {
	if (stream->listen_fd >= 0) {
		if (stream->source == NULL) {
			stream->source = wl_event_loop_add_fd(stream->base.loop, stream->listen_fd,
				WL_EVENT_READABLE, handle_listening, stream);
		}
	} else if (stream->kind == STREAM_UNIX) {
		if (!rendezvous_start(&stream->rendezvous)) {
			fail(stream, "cannot watch for the GUI side");
		}
	} else if (stream->kind == STREAM_VSOCK) {
		if (!vsock_search_start(&stream->search)) {
			fail(stream, "out of memory");
		}
	} else if (stream->idle == NULL) {
		stream->idle = wl_event_loop_add_idle(stream->base.loop, handle_idle, stream);
	}
}

void stream_update(struct stream *stream) {
	if (is_waiting(stream)) {
		look_for_peer(stream);
	} else {
		stop_looking(stream);
	}
}

static void linger_finish(struct stream_linger *linger) {
	stop_source(&linger->source);
	fd_close(&linger->fd);
	fifo_finish(&linger->out);
}

static int handle_linger(int fd, uint32_t mask, void *data) {
	struct stream_linger *linger = data;
	ssize_t count = send(fd, fifo_peek(&linger->out), fifo_size(&linger->out),
		MSG_DONTWAIT | MSG_NOSIGNAL);
	if (count > 0) {
		fifo_consume(&linger->out, (size_t)count);
	}
	bool over = (mask & (WL_EVENT_HANGUP | WL_EVENT_ERROR)) != 0 ||
		(count < 0 && errno != EAGAIN && errno != EINTR);
	if (over || fifo_size(&linger->out) == 0) {
		linger_finish(linger);
	}
	return 0;
}

void stream_linger(struct stream *stream, int fd, struct fifo *out) {
	struct stream_linger *linger = &stream->linger;
	linger_finish(linger);
	linger->fd = fd;
	linger->out = *out;
	fifo_init(out, STREAM_QUEUE_BYTES);
	linger->source = wl_event_loop_add_fd(stream->base.loop, fd, WL_EVENT_WRITABLE,
			handle_linger, linger);
	if (linger->source == NULL) {
		linger_finish(linger);
	}
}

/* Opening. */

struct stream_spec {
	enum stream_kind kind;
	const char *path;
	struct vsock_address vsock;
	int fd;
};

static bool parse_vsock(const char *tail, const char *address, struct stream_spec *spec,
		char *error, size_t error_size) {
	char what[128];
	snprintf(what, sizeof(what), "transport \"stream:%s\"", tail);
	spec->kind = STREAM_VSOCK;
	return vsock_parse(address, what, &spec->vsock, error, error_size);
}

static bool parse_fd(const char *tail, const char *text, struct stream_spec *spec, char *error,
		size_t error_size) {
	unsigned fd;
	if (!transport_parse_number(text, text + strlen(text), 1ul << 20, &fd)) {
		return transport_error(error, error_size,
			"transport \"stream:%s\": \"%s\" is not the number of a descriptor",
			tail, text);
	}
	spec->kind = STREAM_FD;
	spec->fd = (int)fd;
	return true;
}

static bool parse_tail(const char *tail, struct stream_spec *spec, char *error, size_t error_size) {
	*spec = (struct stream_spec){.fd = -1};
	if (strncmp(tail, "unix:", 5) == 0) {
		spec->kind = STREAM_UNIX;
		spec->path = tail + 5;
		if (spec->path[0] == '\0') {
			return transport_error(error, error_size,
				"transport \"stream:%s\": the path is missing", tail);
		}
		return rendezvous_path_check(spec->path, error, error_size);
	}
	if (strncmp(tail, "vsock:", 6) == 0) {
		return parse_vsock(tail, tail + 6, spec, error, error_size);
	}
	if (strncmp(tail, "fd:", 3) == 0) {
		return parse_fd(tail, tail + 3, spec, error, error_size);
	}
	return transport_error(error, error_size,
		"transport \"stream:%s\": what follows stream: is not unix:PATH, vsock:CID:PORT, "
		"vsock:PORT or fd:N", tail);
}

static bool stream_check(const char *tail, char *error, size_t error_size) {
	struct stream_spec spec;
	return parse_tail(tail, &spec, error, error_size);
}

static bool check_given(int fd, char *error, size_t error_size) {
	int type = 0;
	socklen_t size = sizeof(type);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0) {
		return transport_error(error, error_size, "descriptor %d: %s", fd, strerror(errno));
	}
	struct sockaddr_storage address;
	size = sizeof(address);
	if (type != SOCK_STREAM || getpeername(fd, (struct sockaddr *)&address, &size) < 0) {
		return transport_error(error, error_size,
			"descriptor %d is not a connected stream socket", fd);
	}
	return fd_set_cloexec(fd, true);
}

static bool open_end(struct stream *stream, const struct stream_spec *spec,
		enum transport_role role, char *error, size_t error_size) {
	if (spec->kind == STREAM_FD) {
		if (!check_given(spec->fd, error, error_size)) {
			return false;
		}
		stream->given_fd = spec->fd;
		return true;
	}
	if (spec->kind == STREAM_VSOCK && role == TRANSPORT_APPVM) {
		return spec->vsock.cid != VMADDR_CID_ANY ||
			transport_error(error, error_size,
				"transport \"stream:vsock:any:%u\": the CID to connect to "
				"is missing", spec->vsock.port);
	}
	if (role == TRANSPORT_GUIVM) {
		stream->listen_fd = spec->kind == STREAM_UNIX
			? rendezvous_listen(spec->path, error, error_size)
			: vsock_listen(&spec->vsock, error, error_size);
		return stream->listen_fd >= 0;
	}
	return true;
}

static struct transport *stream_open(struct wl_event_loop *loop, const char *tail,
		enum transport_role role, char *error, size_t error_size) {
	struct stream_spec spec;
	if (!parse_tail(tail, &spec, error, error_size)) {
		return NULL;
	}
	struct stream *stream = calloc(1, sizeof(*stream));
	char *path = spec.path != NULL ? strdup(spec.path) : NULL;
	if (stream == NULL || (spec.path != NULL && path == NULL)) {
		transport_error(error, error_size, "transport \"stream:%s\": out of memory", tail);
		goto error;
	}
	stream->base.loop = loop;
	stream->kind = spec.kind;
	stream->path = path;
	stream->listen_fd = -1;
	stream->given_fd = -1;
	stream->linger.fd = -1;
	vsock_search_init(&stream->search, loop, handle_found, stream);
	stream->search.address = spec.vsock;
	rendezvous_init(&stream->rendezvous, loop, path, handle_found, stream);
	if (!open_end(stream, &spec, role, error, error_size)) {
		goto error;
	}
	return &stream->base;
error:
	free(path);
	free(stream);
	return NULL;
}

static void stream_close(struct transport *transport) {
	struct stream *stream = (struct stream *)transport;
	stop_looking(stream);
	linger_finish(&stream->linger);
	if (stream->listen_fd >= 0 && stream->kind == STREAM_UNIX) {
		// Best effort, as in the local backend.
		unlink(stream->path);
	}
	fd_close(&stream->listen_fd);
	fd_close(&stream->given_fd);
	free(stream->path);
	free(stream);
}

const struct transport_backend transport_stream_backend = {
	.name = "stream",
	.check = stream_check,
	.open = stream_open,
	.close = stream_close,
	.vchan_create = vchan_stream_create,
};
