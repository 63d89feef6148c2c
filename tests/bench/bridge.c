/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-bench-bridge: a unix socket through a vchan, for a program that knows only sockets. One
 * connection at a time; each has a vchan of its own.
 *
 *     listen SOCKET TRANSPORT    in the application VM: programs connect to SOCKET, once it said so
 *     connect SOCKET TRANSPORT   in the GUI VM: for each of them it connects to SOCKET there
 *
 * TRANSPORT as for appvm-proxy and guivm-relay. An end of file ends the connection both ways.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "transport/transport.h"
#include "transport/vchan.h"

#define CHUNK_BYTES (1u << 17) /* a whole ring of Xen's */

struct chunk {
	size_t begin, end; // what is left of bytes
	uint8_t bytes[CHUNK_BYTES];
};

struct bridge {
	struct wl_event_loop *loop;
	struct transport *transport;
	struct sockaddr_un address;
	int listener_fd, socket_fd; // listener_fd: -1 in the GUI VM
	struct wl_event_source *listener, *socket;
	struct vchan *vchan; // application VM: NULL while nobody is connected
	struct chunk to_vchan, to_socket;
};

_Noreturn static void fail(const char *what, const char *why) {
	fprintf(stderr, "isthmus-bench-bridge: %s: %s\n", what, why);
	exit(1);
}

/* false: the socket has ended, and everything has gone. */
static bool pass_to_vchan(struct bridge *bridge) {
	struct chunk *chunk = &bridge->to_vchan;
	for (;;) {
		if (chunk->begin == chunk->end) {
			ssize_t count = read(bridge->socket_fd, chunk->bytes, sizeof(chunk->bytes));
			if (count <= 0) {
				return count < 0 && errno == EAGAIN;
			}
			chunk->begin = 0;
			chunk->end = (size_t)count;
		}
		ssize_t written = vchan_write(bridge->vchan, chunk->bytes + chunk->begin,
				chunk->end - chunk->begin);
		if (written < 0) {
			return false;
		}
		chunk->begin += (size_t)written;
		if (chunk->begin < chunk->end) {
			return true; // the vchan tells when there is room
		}
	}
}

/* false: the vchan has ended, and everything has gone, or nobody wants it any more. */
static bool pass_to_socket(struct bridge *bridge) {
	struct chunk *chunk = &bridge->to_socket;
	for (;;) {
		if (chunk->begin == chunk->end) {
			ssize_t count = vchan_read(
					bridge->vchan, chunk->bytes, sizeof(chunk->bytes));
			if (count <= 0) {
				return count == 0;
			}
			chunk->begin = 0;
			chunk->end = (size_t)count;
		}
		ssize_t sent = send(bridge->socket_fd, chunk->bytes + chunk->begin,
				chunk->end - chunk->begin, MSG_NOSIGNAL);
		if (sent < 0) {
			return errno == EAGAIN;
		}
		chunk->begin += (size_t)sent;
	}
}

static void handle_vchan(struct vchan *vchan, void *data);

static void look_for_peer(struct bridge *bridge) {
	bridge->vchan = vchan_create(bridge->transport, handle_vchan, bridge);
	if (bridge->vchan == NULL) {
		fail("no vchan", strerror(errno));
	}
}

static void drop_socket_source(struct bridge *bridge) {
	if (bridge->socket != NULL) {
		wl_event_source_remove(bridge->socket);
		bridge->socket = NULL;
	}
}

/* Ends this connection, and is there for the next. */
static void end_connection(struct bridge *bridge) {
	drop_socket_source(bridge);
	fd_close(&bridge->socket_fd);
	vchan_destroy(bridge->vchan);
	bridge->vchan = NULL;
	bridge->to_vchan.begin = bridge->to_vchan.end = 0;
	bridge->to_socket.begin = bridge->to_socket.end = 0;
	if (bridge->listener != NULL) {
		wl_event_source_fd_update(bridge->listener, WL_EVENT_READABLE);
	} else {
		look_for_peer(bridge);
	}
}

static void pass(struct bridge *bridge) {
	bool open = pass_to_socket(bridge);
	if (open && vchan_state(bridge->vchan) == VCHAN_CONNECTED) {
		open = pass_to_vchan(bridge);
	}
	if (!open) {
		end_connection(bridge);
	} else if (bridge->socket != NULL) {
		const struct chunk *in = &bridge->to_vchan, *out = &bridge->to_socket;
		wl_event_source_fd_update(bridge->socket,
				(in->begin == in->end ? WL_EVENT_READABLE : 0) |
				(out->begin < out->end ? WL_EVENT_WRITABLE : 0));
	}
}

static int handle_socket(int fd, uint32_t mask, void *data) {
	struct bridge *bridge = data;
	if (vchan_state(bridge->vchan) == VCHAN_WAITING) {
		end_connection(bridge); // nothing but a hang-up is heard then
		return 0;
	}
	if ((mask & (WL_EVENT_HANGUP | WL_EVENT_ERROR)) != 0) {
		drop_socket_source(bridge); // what is left goes as the vchan has room
	}
	pass(bridge);
	return 0;
}

static void take_socket(struct bridge *bridge, int fd) {
	bridge->socket_fd = fd;
	bridge->socket = wl_event_loop_add_fd(bridge->loop, fd, 0, handle_socket, bridge);
	if (bridge->socket == NULL || !fd_set_nonblocking(fd, true)) {
		fail("no event source", strerror(errno));
	}
}

static int open_socket(const struct bridge *bridge) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		fail("no socket", strerror(errno));
	}
	return fd;
}

/* GUI VM. false: nobody listens. */
static bool connect_socket(struct bridge *bridge) {
	int fd = open_socket(bridge);
	if (connect(fd, (struct sockaddr *)&bridge->address, sizeof(bridge->address)) < 0) {
		fprintf(stderr, "isthmus-bench-bridge: %s: %s\n", bridge->address.sun_path,
				strerror(errno));
		close(fd);
		return false;
	}
	take_socket(bridge, fd);
	return true;
}

static void handle_vchan(struct vchan *vchan, void *data) {
	struct bridge *bridge = data;
	if (vchan_state(vchan) == VCHAN_WAITING) {
		return;
	}
	if (bridge->socket_fd < 0 && !connect_socket(bridge)) {
		end_connection(bridge);
		return;
	}
	pass(bridge);
}

static int handle_listener(int fd, uint32_t mask, void *data) {
	struct bridge *bridge = data;
	int socket_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (socket_fd < 0) {
		fail(bridge->address.sun_path, strerror(errno));
	}
	wl_event_source_fd_update(bridge->listener, 0);
	take_socket(bridge, socket_fd);
	look_for_peer(bridge);
	return 0;
}

/* Application VM. */
static void listen_to_programs(struct bridge *bridge) {
	bridge->listener_fd = open_socket(bridge);
	unlink(bridge->address.sun_path);
	if (bind(bridge->listener_fd, (struct sockaddr *)&bridge->address,
			    sizeof(bridge->address)) < 0 ||
			listen(bridge->listener_fd, 8) < 0) {
		fail(bridge->address.sun_path, strerror(errno));
	}
	bridge->listener = wl_event_loop_add_fd(bridge->loop, bridge->listener_fd,
			WL_EVENT_READABLE, handle_listener, bridge);
	if (bridge->listener == NULL) {
		fail("no event source", strerror(errno));
	}
	puts("listening");
	fflush(stdout);
}

int main(int argc, char **argv) {
	bool listens = argc == 4 && strcmp(argv[1], "listen") == 0;
	static struct bridge bridge = {.address.sun_family = AF_UNIX, .listener_fd = -1,
		.socket_fd = -1};
	if ((!listens && (argc != 4 || strcmp(argv[1], "connect") != 0)) ||
			strlen(argv[2]) >= sizeof(bridge.address.sun_path)) {
		fprintf(stderr, "usage: isthmus-bench-bridge listen|connect SOCKET TRANSPORT\n");
		return 2;
	}
	memcpy(bridge.address.sun_path, argv[2], strlen(argv[2]));
	bridge.loop = wl_event_loop_create();
	char error[256];
	bridge.transport = bridge.loop == NULL ? NULL : transport_open(bridge.loop, argv[3],
			listens ? TRANSPORT_APPVM : TRANSPORT_GUIVM, error, sizeof(error));
	if (bridge.transport == NULL) {
		fail(argv[3], bridge.loop != NULL ? error : strerror(errno));
	}
	if (listens) {
		listen_to_programs(&bridge);
	} else {
		look_for_peer(&bridge);
	}
	while (wl_event_loop_dispatch(bridge.loop, -1) >= 0 || errno == EINTR) {
	}
	fail("event loop", strerror(errno));
}
