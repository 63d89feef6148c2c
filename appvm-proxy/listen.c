/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "common/log.h"

#define MAX_DISPLAYS 32
#define BACKLOG 128
#define LISTEN_FDS_START 3 // sd_listen_fds(3)
#define RETRY_MS 1000

struct listener {
	int fd, lock_fd; // lock_fd is -1 for a socket that was handed in
	struct sockaddr_un address;
	char display[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char lock_path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 8];
	struct wl_event_source *source, *retry;
	listener_func_t accepted;
	void *data;
};

static int listener_handle_readable(int fd, uint32_t mask, void *data) {
	struct listener *listener = data;
	for (;;) {
		int client_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (client_fd >= 0) {
			listener->accepted(client_fd, listener->data);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED) {
			continue;
		}
		if (errno != EAGAIN && errno != EWOULDBLOCK) {
			// Out of descriptors, most likely. The socket stays readable: look away
			// for a while.
			log_errno("cannot accept an application's connection");
			wl_event_source_fd_update(listener->source, 0);
			wl_event_source_timer_update(listener->retry, RETRY_MS);
		}
		return 0;
	}
}

static int listener_handle_retry(void *data) {
	struct listener *listener = data;
	wl_event_source_fd_update(listener->source, WL_EVENT_READABLE);
	return 0;
}

/* A whole decimal number, or -1. */
static long environment_number(const char *name) {
	const char *text = getenv(name);
	if (text == NULL || text[0] < '0' || text[0] > '9') {
		return -1;
	}
	char *end;
	errno = 0;
	long value = strtol(text, &end, 10);
	return errno == 0 && *end == '\0' ? value : -1;
}

/*
 * How many sockets the service manager handed to this process; 0 where there are none or they are
 * another's, whose environment was inherited. Children are not told.
 */
static long activated_sockets(void) {
	long count = environment_number("LISTEN_PID") == (long)getpid()
			? environment_number("LISTEN_FDS") : 0;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_PIDFDID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return count;
}

static bool is_listening(int fd) {
	int type = 0, listening = 0;
	socklen_t type_size = sizeof(type), listening_size = sizeof(listening);
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 &&
			getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening,
					&listening_size) == 0 &&
			type == SOCK_STREAM && listening != 0;
}

static bool listener_adopt(struct listener *listener, long count, char *error, size_t error_size) {
	if (count != 1) {
		snprintf(error, error_size, "socket activation needs exactly one socket");
		return false;
	}
	int fd = LISTEN_FDS_START;
	socklen_t size = sizeof(listener->address);
	if (getsockname(fd, (struct sockaddr *)&listener->address, &size) < 0 ||
			listener->address.sun_family != AF_UNIX ||
			listener->address.sun_path[0] != '/' || !is_listening(fd) ||
			!fd_set_cloexec(fd, true) || !fd_set_nonblocking(fd, true)) {
		snprintf(error, error_size,
				"descriptor %d from socket activation is no unix socket with a "
				"path that listens for streams",
				fd);
		return false;
	}
	snprintf(listener->display, sizeof(listener->display), "%s", listener->address.sun_path);
	listener->fd = fd;
	return true;
}

/* As libwayland: whoever holds the lock owns the name, and a socket without a holder is stale. */
static bool listener_lock(struct listener *listener) {
	snprintf(listener->lock_path, sizeof(listener->lock_path), "%s.lock",
			listener->address.sun_path);
	listener->lock_fd = open(listener->lock_path, O_CREAT | O_CLOEXEC | O_RDWR, 0660);
	if (listener->lock_fd < 0) {
		return false;
	}
	struct stat st;
	if (flock(listener->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		goto error_lock;
	}
	if (lstat(listener->address.sun_path, &st) == 0 &&
			(st.st_mode & (S_IWUSR | S_IWGRP)) != 0) {
		unlink(listener->address.sun_path);
	}
	return true;

error_lock:
	fd_close(&listener->lock_fd);
	return false;
}

static bool listener_bind(struct listener *listener) {
	if (!listener_lock(listener)) {
		return false;
	}
	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0 ||
			bind(listener->fd, (struct sockaddr *)&listener->address,
					sizeof(listener->address)) < 0 ||
			listen(listener->fd, BACKLOG) < 0) {
		fd_close(&listener->fd);
		unlink(listener->lock_path);
		fd_close(&listener->lock_fd);
		return false;
	}
	return true;
}

static bool listener_bind_name(struct listener *listener, const char *directory, const char *name) {
	struct sockaddr_un *address = &listener->address;
	address->sun_family = AF_UNIX;
	int length = name[0] == '/' ? snprintf(address->sun_path, sizeof(address->sun_path), "%s",
						      name)
				    : snprintf(address->sun_path, sizeof(address->sun_path),
						      "%s/%s", directory, name);
	if (length < 0 || (size_t)length >= sizeof(address->sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	snprintf(listener->display, sizeof(listener->display), "%s", name);
	return listener_bind(listener);
}

static bool listener_open(
		struct listener *listener, const char *display, char *error, size_t error_size) {
	const char *directory = getenv("XDG_RUNTIME_DIR");
	if (directory == NULL && (display == NULL || display[0] != '/')) {
		snprintf(error, error_size, "XDG_RUNTIME_DIR is not set");
		return false;
	}
	if (display != NULL) {
		if (listener_bind_name(listener, directory, display)) {
			return true;
		}
		snprintf(error, error_size, "cannot listen on %s: %s", display,
				errno == EWOULDBLOCK ? "it is in use" : strerror(errno));
		return false;
	}
	for (int i = 0; i < MAX_DISPLAYS; i++) {
		char name[32];
		snprintf(name, sizeof(name), "wayland-isthmus-%d", i);
		if (listener_bind_name(listener, directory, name)) {
			return true;
		}
	}
	snprintf(error, error_size, "cannot listen on any of wayland-isthmus-0 to %d in %s: %s",
			MAX_DISPLAYS - 1, directory, strerror(errno));
	return false;
}

struct listener *listener_create(struct wl_event_loop *loop, const char *display,
		listener_func_t accepted, void *data, char *error, size_t error_size) {
	struct listener *listener = calloc(1, sizeof(*listener));
	if (listener == NULL) {
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	*listener = (struct listener){.fd = -1, .lock_fd = -1, .accepted = accepted, .data = data};
	long activated = activated_sockets();
	bool open = activated != 0 ? listener_adopt(listener, activated, error, error_size)
				   : listener_open(listener, display, error, error_size);
	if (!open) {
		goto error_listener;
	}
	listener->source = wl_event_loop_add_fd(
			loop, listener->fd, WL_EVENT_READABLE, listener_handle_readable, listener);
	listener->retry = wl_event_loop_add_timer(loop, listener_handle_retry, listener);
	if (listener->source == NULL || listener->retry == NULL) {
		snprintf(error, error_size, "out of memory");
		goto error_listener;
	}
	return listener;

error_listener:
	listener_destroy(listener);
	return NULL;
}

void listener_destroy(struct listener *listener) {
	if (listener == NULL) {
		return;
	}
	if (listener->source != NULL) {
		wl_event_source_remove(listener->source);
	}
	if (listener->retry != NULL) {
		wl_event_source_remove(listener->retry);
	}
	if (listener->lock_fd >= 0) {
		unlink(listener->address.sun_path);
		unlink(listener->lock_path);
	}
	fd_close(&listener->fd);
	fd_close(&listener->lock_fd);
	free(listener);
}

const char *listener_display(const struct listener *listener) {
	return listener->display;
}
