/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/kvm_bell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "common/log.h"
#include "transport/backend.h"

#define RINGS_PER_WAKE 4096
#define WAKES_PER_LOOK 16 // a peer that rings without end must not keep us here

static bool parse(const char *text, enum kvm_bell_kind *kind, const char **path) {
	if (strncmp(text, "serial:", 7) == 0) {
		*kind = KVM_BELL_SERIAL;
		*path = text + 7;
		return true;
	}
	if (strncmp(text, "unix:", 5) == 0) {
		*kind = KVM_BELL_UNIX;
		*path = text + 5;
		return true;
	}
	return false;
}

bool kvm_bell_check(const char *text, char *error, size_t error_size) {
	enum kvm_bell_kind kind;
	const char *path;
	if (!parse(text, &kind, &path)) {
		return transport_error(error, error_size,
			"transport kvm: bell \"%s\" is not serial:PATH or unix:PATH", text);
	}
	if (*path == '\0') {
		return transport_error(error, error_size,
			"transport kvm: bell \"%s\": the path is missing", text);
	}
	return kind != KVM_BELL_UNIX || rendezvous_path_check(path, error, error_size);
}

/* serial */

static void watch_port(struct kvm_bell *bell) {
	// Room to write says that the other end came; later it would only wake us after each ring.
	struct epoll_event event = {.events = EPOLLET | EPOLLIN | (bell->up ? 0 : EPOLLOUT)};
	epoll_ctl(bell->epoll_fd, EPOLL_CTL_MOD, bell->fd, &event);
}

/* Whether anything was there to read. */
static bool drain(struct kvm_bell *bell) {
	bool rung = false;
	char bytes[RINGS_PER_WAKE];
	for (unsigned i = 0; i < WAKES_PER_LOOK; i++) {
		ssize_t count = read(bell->fd, bytes, sizeof(bytes));
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
	epoll_wait(bell->epoll_fd, &event, 1, 0);
	bool rung = drain(bell);
	struct pollfd poll_fd = {.fd = bell->fd, .events = POLLIN | POLLOUT};
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

static bool open_port(struct kvm_bell *bell, char *error, size_t error_size) {
	struct stat info;
	bell->fd = open(bell->path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (bell->fd < 0) {
		return transport_error(error, error_size, "%s: %s", bell->path, strerror(errno));
	}
	if (fstat(bell->fd, &info) < 0 || !S_ISCHR(info.st_mode)) {
		return transport_error(error, error_size, "%s: not a character device",
				bell->path);
	}
	make_raw(bell->fd);
	struct epoll_event event = {.events = EPOLLET | EPOLLIN | EPOLLOUT};
	bell->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (bell->epoll_fd >= 0 &&
			epoll_ctl(bell->epoll_fd, EPOLL_CTL_ADD, bell->fd, &event) == 0) {
		bell->source = wl_event_loop_add_fd(bell->loop, bell->epoll_fd, WL_EVENT_READABLE,
				handle_port, bell);
	}
	return bell->source != NULL || transport_error(error, error_size, "%s: %s", bell->path,
			strerror(errno));
}

/* unix */

static void look_for_peer(struct kvm_bell *bell);

static void lose_peer(struct kvm_bell *bell) {
	bool was_up = bell->up;
	wl_event_source_remove(bell->source);
	bell->source = NULL;
	fd_close(&bell->fd);
	bell->up = false;
	look_for_peer(bell);
	if (was_up) {
		bell->handle(bell->data);
	}
}

static int handle_socket(int fd, uint32_t mask, void *data) {
	struct kvm_bell *bell = data;
	char bytes[RINGS_PER_WAKE];
	ssize_t count = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
		lose_peer(bell);
	} else if (count > 0) {
		// The first one comes when the GUI side took us out of its queue.
		bell->up = true;
		bell->handle(bell->data);
	}
	return 0;
}

static bool watch_socket(struct kvm_bell *bell) {
	bell->source = wl_event_loop_add_fd(bell->loop, bell->fd, WL_EVENT_READABLE, handle_socket,
			bell);
	if (bell->source == NULL) {
		fd_close(&bell->fd);
		log_error("%s: out of memory", bell->path);
	}
	return bell->source != NULL;
}

static int handle_listening(int fd, uint32_t mask, void *data) {
	struct kvm_bell *bell = data;
	int peer_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (peer_fd < 0) {
		return 0;
	}
	wl_event_source_remove(bell->source);
	bell->source = NULL;
	bell->fd = peer_fd;
	if (watch_socket(bell)) {
		bell->up = true;
		kvm_bell_ring(bell);
		bell->handle(bell->data);
	} else {
		look_for_peer(bell);
	}
	return 0;
}

static void handle_found(int fd, void *data) {
	struct kvm_bell *bell = data;
	if (fd < 0) {
		log_errno("%s", bell->path);
		return;
	}
	bell->fd = fd;
	watch_socket(bell);
}

static void look_for_peer(struct kvm_bell *bell) {
	if (bell->role == TRANSPORT_APPVM) {
		if (!rendezvous_start(&bell->rendezvous)) {
			log_errno("%s", bell->path);
		}
		return;
	}
	bell->source = wl_event_loop_add_fd(bell->loop, bell->listen_fd, WL_EVENT_READABLE,
			handle_listening, bell);
	if (bell->source == NULL) {
		log_error("%s: out of memory", bell->path);
	}
}

static bool open_socket(struct kvm_bell *bell, char *error, size_t error_size) {
	if (bell->role == TRANSPORT_GUIVM) {
		bell->listen_fd = rendezvous_listen(bell->path, error, error_size);
		if (bell->listen_fd < 0) {
			return false;
		}
	}
	look_for_peer(bell);
	return true;
}

bool kvm_bell_open(struct kvm_bell *bell, struct wl_event_loop *loop, const char *text,
		enum transport_role role, char *error, size_t error_size) {
	const char *path = "";
	bell->role = role;
	bell->loop = loop;
	bell->fd = bell->listen_fd = bell->epoll_fd = -1;
	parse(text, &bell->kind, &path);
	bell->path = strdup(path);
	rendezvous_init(&bell->rendezvous, loop, bell->path, handle_found, bell);
	if (bell->path == NULL) {
		return transport_error(error, error_size, "transport kvm: out of memory");
	}
	bool ok = bell->kind == KVM_BELL_SERIAL ? open_port(bell, error, error_size)
						: open_socket(bell, error, error_size);
	if (!ok) {
		kvm_bell_close(bell);
	}
	return ok;
}

void kvm_bell_close(struct kvm_bell *bell) {
	if (bell->path == NULL) {
		return;
	}
	rendezvous_stop(&bell->rendezvous);
	if (bell->source != NULL) {
		wl_event_source_remove(bell->source);
		bell->source = NULL;
	}
	if (bell->listen_fd >= 0) {
		unlink(bell->path); // best effort, as in the local backend
	}
	fd_close(&bell->listen_fd);
	fd_close(&bell->epoll_fd);
	fd_close(&bell->fd);
	free(bell->path);
	bell->path = NULL;
	bell->up = false;
}

void kvm_bell_ring(struct kvm_bell *bell) {
	if (!bell->up) {
		return;
	}
	// EAGAIN: the other end has thousands of rings to come yet.
	ssize_t count = bell->kind == KVM_BELL_SERIAL
		? write(bell->fd, "", 1)
		: send(bell->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)count;
}
