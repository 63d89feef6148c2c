/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/vsock.h"

#include <errno.h>
#include <linux/vm_sockets.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "common/log.h"
#include "transport/backend.h"

#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS 2000

bool vsock_parse(const char *text, const char *what, struct vsock_address *address, char *error,
		size_t error_size) {
	const char *colon = strchr(text, ':');
	if (colon == NULL) {
		return transport_error(error, error_size,
			"%s: the other side's CID is missing: CID:PORT, or any:PORT where every "
			"VM that gets there may pass for this one", what);
	}
	const char *port = colon + 1;
	address->cid = VMADDR_CID_ANY;
	if (strncmp(text, "any:", 4) != 0 && !transport_parse_number(text, colon,
			VMADDR_CID_ANY - 1ul, &address->cid)) {
		return transport_error(error, error_size,
			"%s: the CID \"%.*s\" is not a number below 2^32 - 1", what,
			(int)(colon - text), text);
	}
	if (!transport_parse_number(port, port + strlen(port), VMADDR_PORT_ANY - 1ul,
			&address->port)) {
		return transport_error(error, error_size,
			"%s: the port \"%s\" is not a number below 2^32 - 1", what, port);
	}
	return true;
}

int vsock_listen(const struct vsock_address *address, char *error, size_t error_size) {
	struct sockaddr_vm own = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = address->port,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		transport_error(error, error_size, "this machine has no vsock: %s",
				strerror(errno));
	} else if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0 ||
			listen(fd, SOMAXCONN) < 0) {
		transport_error(error, error_size, "vsock port %u: %s", address->port,
				strerror(errno));
		fd_close(&fd);
	}
	return fd;
}

int vsock_accept(int listen_fd, const struct vsock_address *address) {
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct sockaddr_vm peer = {0};
	socklen_t size = sizeof(peer);
	if (fd < 0 || address->cid == VMADDR_CID_ANY) {
		return fd;
	}
	if (getpeername(fd, (struct sockaddr *)&peer, &size) < 0 || peer.svm_family != AF_VSOCK ||
			peer.svm_cid != address->cid) {
		log_error("vsock port %u: a connection from CID %u was refused", address->port,
			peer.svm_cid);
		fd_close(&fd);
		errno = ECONNABORTED;
	}
	return fd;
}

/* The search. */

static void connect_now(struct vsock_search *search);

static int64_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void stop_source(struct wl_event_source **source) {
	if (*source != NULL) {
		wl_event_source_remove(*source);
		*source = NULL;
	}
}

static void end(struct vsock_search *search, int fd) {
	int saved_errno = errno;
	if (fd >= 0) {
		search->fd = -1;
		search->found_ms = now_ms();
	}
	vsock_search_stop(search);
	errno = saved_errno;
	search->found(fd, search->data);
}

static int handle_retry(void *data) {
	connect_now(data);
	return 0;
}

/* No event says that a port of another VM is listened at now: ask again, less and less often. */
static bool start_retry(struct vsock_search *search) {
	if (search->retry == NULL) {
		search->retry = wl_event_loop_add_timer(search->loop, handle_retry, search);
	}
	if (search->retry == NULL ||
			wl_event_source_timer_update(search->retry, search->retry_ms) < 0) {
		return false;
	}
	int doubled = search->retry_ms * 2;
	search->retry_ms = doubled < RETRY_MOST_MS ? doubled : RETRY_MOST_MS;
	return true;
}

static void retry_later(struct vsock_search *search) {
	stop_source(&search->source);
	fd_close(&search->fd);
	if (!start_retry(search)) {
		end(search, -1);
	}
}

static int handle_connecting(int fd, uint32_t mask, void *data) {
	struct vsock_search *search = data;
	int error = 0;
	socklen_t size = sizeof(error);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0) {
		retry_later(search);
		return 0;
	}
	end(search, fd);
	return 0;
}

static void connect_now(struct vsock_search *search) {
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = search->address.cid,
		.svm_port = search->address.port,
	};
	search->fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (search->fd < 0) {
		end(search, -1);
		return;
	}
	if (connect(search->fd, (struct sockaddr *)&address, sizeof(address)) < 0 &&
			errno != EINPROGRESS) {
		retry_later(search);
		return;
	}
	search->source = wl_event_loop_add_fd(search->loop, search->fd, WL_EVENT_WRITABLE,
			handle_connecting, search);
	if (search->source == NULL) {
		end(search, -1);
	}
}

static void handle_idle(void *data) {
	struct vsock_search *search = data;
	search->idle = NULL;
	connect_now(search);
}

void vsock_search_init(struct vsock_search *search, struct wl_event_loop *loop,
		void (*found)(int fd, void *data), void *data) {
	*search = (struct vsock_search){
		.loop = loop,
		.found = found,
		.data = data,
		.fd = -1,
		.retry_ms = RETRY_FIRST_MS,
	};
}

bool vsock_search_start(struct vsock_search *search) {
	if (search->idle != NULL || search->fd >= 0 || search->retry != NULL) {
		return true;
	}
	// A host that passes connections on may accept one before it knows that nobody takes it.
	if (search->found_ms != 0 && now_ms() - search->found_ms < RETRY_MOST_MS) {
		return start_retry(search);
	}
	search->retry_ms = RETRY_FIRST_MS;
	search->idle = wl_event_loop_add_idle(search->loop, handle_idle, search);
	return search->idle != NULL;
}

void vsock_search_stop(struct vsock_search *search) {
	stop_source(&search->source);
	stop_source(&search->retry);
	stop_source(&search->idle);
	fd_close(&search->fd);
}
