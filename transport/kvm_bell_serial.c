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
#include "common/log.h"
#include "transport/backend.h"
#include "transport/kvm_bell.h"

/*
 * A port whose other end is there is watched as it is: one read for each ring. One whose other end
 * is not there is hung up until it is, and would wake us without end: it is watched through an
 * epoll that tells of changes only.
 */
static void watch_port(struct kvm_bell *bell);

static void take_rings(const struct kvm_bell *bell) {
	// What is left tells of itself.
	char bytes[KVM_BELL_RINGS_PER_WAKE];
	ssize_t count = read(bell->port.fd, bytes, sizeof(bytes));
	(void)count;
}

static int handle_up(int fd, uint32_t mask, void *data) {
	struct kvm_bell *bell = data;
	if ((mask & WL_EVENT_READABLE) != 0) {
		take_rings(bell);
	}
	if ((mask & (WL_EVENT_HANGUP | WL_EVENT_ERROR)) != 0) {
		bell->up = false;
		watch_port(bell);
	}
	bell->handle(bell->data);
	return 0;
}

static int handle_change(int fd, uint32_t mask, void *data) {
	struct kvm_bell *bell = data;
	struct epoll_event event;
	epoll_wait(bell->port.epoll_fd, &event, 1, 0);
	struct pollfd poll_fd = {.fd = bell->port.fd, .events = POLLIN | POLLOUT};
	if (poll(&poll_fd, 1, 0) < 0 || (poll_fd.revents & (POLLHUP | POLLERR)) == 0) {
		bell->up = true;
		watch_port(bell);
		bell->handle(bell->data);
	}
	return 0;
}

static void watch_port(struct kvm_bell *bell) {
	struct bell_port *port = &bell->port;
	if (bell->source != NULL) {
		wl_event_source_remove(bell->source);
	}
	if (bell->up) {
		epoll_ctl(port->epoll_fd, EPOLL_CTL_DEL, port->fd, NULL);
		bell->source = wl_event_loop_add_fd(bell->loop, port->fd, WL_EVENT_READABLE,
				handle_up, bell);
	} else {
		struct epoll_event event = {.events = EPOLLET | EPOLLIN | EPOLLOUT};
		epoll_ctl(port->epoll_fd, EPOLL_CTL_ADD, port->fd, &event);
		bell->source = wl_event_loop_add_fd(bell->loop, port->epoll_fd, WL_EVENT_READABLE,
				handle_change, bell);
	}
	if (bell->source == NULL) {
		log_error("%s: out of memory", bell->name);
	}
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
	port->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (port->epoll_fd >= 0) {
		watch_port(bell);
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
