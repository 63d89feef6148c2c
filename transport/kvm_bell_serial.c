/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "transport/backend.h"
#include "transport/kvm_bell.h"

#define WAKES_PER_LOOK 16

static void watch_port(struct kvm_bell *bell) {
	// Room to write says that the other end came; later it would only wake us after each ring.
	struct epoll_event event = {.events = EPOLLET | EPOLLIN | (bell->up ? 0 : EPOLLOUT)};
	epoll_ctl(bell->port.epoll_fd, EPOLL_CTL_MOD, bell->port.fd, &event);
}

/* Whether anything was there to read. */
static bool drain(struct kvm_bell *bell) {
	bool rung = false;
	char bytes[KVM_BELL_RINGS_PER_WAKE];
	for (unsigned i = 0; i < WAKES_PER_LOOK; i++) {
		ssize_t count = read(bell->port.fd, bytes, sizeof(bytes));
		if (count < 0 && errno == EINTR) {
			continue;
		}
		if (count <= 0) {
			return rung;
		}
		rung = true;
	}
	// Not empty yet: edges come no more by themselves.
	watch_port(bell);
	return true;
}

static int handle_port(int fd, uint32_t mask, void *data) {
	struct kvm_bell *bell = data;
	struct epoll_event event;
	epoll_wait(bell->port.epoll_fd, &event, 1, 0);
	bool rung = drain(bell);
	struct pollfd poll_fd = {.fd = bell->port.fd, .events = POLLIN | POLLOUT};
	bool up = poll(&poll_fd, 1, 0) < 0 || (poll_fd.revents & (POLLHUP | POLLERR)) == 0;
	bool changed = up != bell->up;
	if (changed) {
		bell->up = up;
		watch_port(bell);
	}
	if (rung || changed) {
		bell->handle(bell->data);
	}
	return 0;
}

static void make_raw(int fd) {
	struct termios settings;
	if (tcgetattr(fd, &settings) == 0) {
		cfmakeraw(&settings);
		tcsetattr(fd, TCSANOW, &settings);
	}
}

static bool port_open(struct kvm_bell *bell, char *error, size_t error_size) {
	struct bell_port *port = &bell->port;
	struct stat info;
	port->epoll_fd = -1;
	port->fd = open(bell->name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (port->fd < 0) {
		return transport_error(error, error_size, "%s: %s", bell->name, strerror(errno));
	}
	if (fstat(port->fd, &info) < 0 || !S_ISCHR(info.st_mode)) {
		return transport_error(error, error_size, "%s: not a character device",
				bell->name);
	}
	make_raw(port->fd);
	struct epoll_event event = {.events = EPOLLET | EPOLLIN | EPOLLOUT};
	port->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (port->epoll_fd >= 0 &&
			epoll_ctl(port->epoll_fd, EPOLL_CTL_ADD, port->fd, &event) == 0) {
		bell->source = wl_event_loop_add_fd(bell->loop, port->epoll_fd, WL_EVENT_READABLE,
				handle_port, bell);
	}
	return bell->source != NULL || transport_error(error, error_size, "%s: %s", bell->name,
			strerror(errno));
}

static void port_close(struct kvm_bell *bell) {
	fd_close(&bell->port.epoll_fd);
	fd_close(&bell->port.fd);
}

static void port_ring(struct kvm_bell *bell) {
	// EAGAIN: the other end has thousands of rings to come yet.
	ssize_t count = write(bell->port.fd, "", 1);
	(void)count;
}

const struct kvm_bell_impl kvm_bell_serial = {
	.prefix = "serial:",
	.open = port_open,
	.close = port_close,
	.ring = port_ring,
};
