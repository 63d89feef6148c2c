/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/rendezvous.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "common/log.h"
#include "transport/backend.h"

#define TEMPORARY_SUFFIX ".new"
#define WATCH_MASK \
	(IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

bool rendezvous_path_check(const char *path, char *error, size_t error_size) {
	size_t most = sizeof((struct sockaddr_un){0}.sun_path) - sizeof(TEMPORARY_SUFFIX);
	if (strlen(path) > most) {
		return transport_error(error, error_size,
			"%s: %zu bytes are too long for a unix socket, at most %zu", path,
			strlen(path), most);
	}
	return true;
}

static struct sockaddr_un make_address(const char *path) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return address;
}

/*
 * Whether a process has a socket bound at path. Asks with a socket of another type: the kernel says
 * EPROTOTYPE where a stream socket lives and ECONNREFUSED where only its name is left, and the
 * listener sees nothing.
 */
static bool is_alive(const char *path) {
	struct sockaddr_un address = make_address(path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool alive = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 &&
		errno == EPROTOTYPE;
	fd_close(&fd);
	return alive;
}

int rendezvous_listen(const char *path, char *error, size_t error_size) {
	if (is_alive(path)) {
		transport_error(error, error_size, "%s: another process listens here already",
				path);
		return -1;
	}
	char temporary[sizeof((struct sockaddr_un){0}.sun_path)];
	snprintf(temporary, sizeof(temporary), "%s" TEMPORARY_SUFFIX, path);
	struct sockaddr_un address = make_address(temporary);
	unlink(temporary);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
			listen(fd, SOMAXCONN) < 0 || rename(temporary, path) < 0) {
		transport_error(error, error_size, "%s: %s", path, strerror(errno));
		unlink(temporary);
		fd_close(&fd);
	}
	return fd;
}

/* Cuts the last component off folder. "/" and "." end it. */
static bool cut_component(char *folder) {
	if (strcmp(folder, "/") == 0 || strcmp(folder, ".") == 0) {
		return false;
	}
	char *slash = strrchr(folder, '/');
	if (slash == NULL) {
		memcpy(folder, ".", sizeof("."));
	} else if (slash == folder) {
		folder[1] = '\0';
	} else {
		*slash = '\0';
	}
	return true;
}

/* Watches the folder of path or, while that is missing, the nearest one above it that exists. */
static int watch_nearest(struct rendezvous *rendezvous) {
	snprintf(rendezvous->prefix, strlen(rendezvous->path) + 2, "%s", rendezvous->path);
	int watch = -1;
	while (watch < 0 && cut_component(rendezvous->prefix)) {
		watch = inotify_add_watch(rendezvous->inotify_fd, rendezvous->prefix, WATCH_MASK);
		if (watch < 0 && errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
			break;
		}
	}
	return watch;
}

/* Repeats until the answer is stable: what appeared before its watch was there makes no event. */
static bool watch_settle(struct rendezvous *rendezvous) {
	for (;;) {
		int watch = watch_nearest(rendezvous);
		if (watch < 0) {
			return false;
		}
		if (watch == rendezvous->watch) {
			return true;
		}
		if (rendezvous->watch >= 0) {
			inotify_rm_watch(rendezvous->inotify_fd, rendezvous->watch);
		}
		rendezvous->watch = watch;
	}
}

static int try_connect(const char *path) {
	struct sockaddr_un address = make_address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		fd_close(&fd);
	}
	return fd;
}

static bool is_worth_waiting(int error) {
	return error == ENOENT || error == ENOTDIR || error == ECONNREFUSED || error == EACCES;
}

static void attempt(struct rendezvous *rendezvous) {
	int fd = -1;
	if (watch_settle(rendezvous)) {
		fd = try_connect(rendezvous->path);
		if (fd < 0 && is_worth_waiting(errno)) {
			return;
		}
	}
	int saved_errno = errno;
	rendezvous_stop(rendezvous);
	errno = saved_errno;
	rendezvous->found(fd, rendezvous->data);
}

static void handle_idle(void *data) {
	struct rendezvous *rendezvous = data;
	rendezvous->idle = NULL;
	attempt(rendezvous);
}

/* The name whose appearance in the watched folder matters. */
static bool is_next_component(const struct rendezvous *rendezvous, const char *name) {
	const char *rest = rendezvous->path;
	if (strcmp(rendezvous->prefix, ".") != 0) {
		rest += strlen(rendezvous->prefix);
	}
	rest += strspn(rest, "/");
	size_t length = strcspn(rest, "/");
	return strlen(name) == length && memcmp(rest, name, length) == 0;
}

static int handle_inotify(int fd, uint32_t mask, void *data) {
	struct rendezvous *rendezvous = data;
	_Alignas(struct inotify_event) char buffer[4096];
	ssize_t size = read(fd, buffer, sizeof(buffer));
	bool matters = false;
	for (ssize_t at = 0; at < size;) {
		const struct inotify_event *event = (const struct inotify_event *)(buffer + at);
		// IN_IGNORED: the folder went away, or it is the last word of a removed watch.
		if (event->wd == rendezvous->watch &&
				(event->mask & (IN_IGNORED | IN_MOVE_SELF)) != 0) {
			inotify_rm_watch(fd, event->wd);
			rendezvous->watch = -1;
			matters = true;
		}
		matters = matters || (event->mask & IN_Q_OVERFLOW) != 0 || event->len == 0 ||
			is_next_component(rendezvous, event->name);
		at += (ssize_t)sizeof(*event) + event->len;
	}
	if (matters) {
		attempt(rendezvous);
	}
	return 0;
}

void rendezvous_init(struct rendezvous *rendezvous, struct wl_event_loop *loop, const char *path,
		void (*found)(int fd, void *data), void *data) {
	*rendezvous = (struct rendezvous){
		.loop = loop,
		.path = path,
		.found = found,
		.data = data,
		.inotify_fd = -1,
		.watch = -1,
	};
}

bool rendezvous_start(struct rendezvous *rendezvous) {
	if (rendezvous->inotify_fd >= 0) {
		return true;
	}
	rendezvous->prefix = malloc(strlen(rendezvous->path) + 2);
	rendezvous->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (rendezvous->prefix == NULL || rendezvous->inotify_fd < 0) {
		goto error;
	}
	rendezvous->source = wl_event_loop_add_fd(rendezvous->loop, rendezvous->inotify_fd,
			WL_EVENT_READABLE, handle_inotify, rendezvous);
	rendezvous->idle = wl_event_loop_add_idle(rendezvous->loop, handle_idle, rendezvous);
	if (rendezvous->source == NULL || rendezvous->idle == NULL) {
		goto error;
	}
	return true;
error:
	log_errno("%s: cannot watch for it", rendezvous->path);
	rendezvous_stop(rendezvous);
	return false;
}

void rendezvous_stop(struct rendezvous *rendezvous) {
	if (rendezvous->source != NULL) {
		wl_event_source_remove(rendezvous->source);
		rendezvous->source = NULL;
	}
	if (rendezvous->idle != NULL) {
		wl_event_source_remove(rendezvous->idle);
		rendezvous->idle = NULL;
	}
	fd_close(&rendezvous->inotify_fd);
	rendezvous->watch = -1;
	free(rendezvous->prefix);
	rendezvous->prefix = NULL;
}
