/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/upstream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <wayland-client.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "common/log.h"
#include "isthmus-arena-v1-client-protocol.h"
#include "isthmus-relay-v1-client-protocol.h"
#include "security-context-v1-client-protocol.h"
#include "transport/pages.h"

#define SECURITY_BACKLOG 64

struct upstream {
	const struct upstream_interface *impl;
	void *data;
	struct wl_event_loop *loop;
	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_event_source *source;
	bool gone;
	bool blocked; // the compositor reads less than it is sent

	struct isthmus_relay_v1 *relay; // managed, else NULL
	struct isthmus_arena_manager_v1 *arenas; // likewise
	bool takes_dmabufs;
	struct wp_security_context_manager_v1 *security; // drop-in, NULL where not offered
	int security_close_fd; // while open, the security context's listening socket lives
	int security_listen_fd;
	struct sockaddr_un address; // drop-in: where applications' connections go
	socklen_t address_size;
};

static void upstream_lost(struct upstream *upstream) {
	if (upstream->gone) {
		return;
	}
	upstream->gone = true;
	wl_event_source_remove(upstream->source);
	upstream->source = NULL;
	upstream->impl->gone(upstream->data);
}

static void upstream_flush(struct upstream *upstream) {
	if (upstream->gone) {
		return;
	}
	upstream->blocked = wl_display_flush(upstream->display) < 0 && errno == EAGAIN;
	uint32_t mask = WL_EVENT_READABLE | (upstream->blocked ? WL_EVENT_WRITABLE : 0);
	// Other errors show when reading, after what the compositor still had to say.
	wl_event_source_fd_update(upstream->source, mask);
}

static int upstream_handle_event(int fd, uint32_t mask, void *data) {
	struct upstream *upstream = data;
	int result = 0;
	if (mask & (WL_EVENT_READABLE | WL_EVENT_HANGUP | WL_EVENT_ERROR)) {
		if (wl_display_prepare_read(upstream->display) == 0) {
			result = wl_display_read_events(upstream->display);
		}
		if (result >= 0) {
			result = wl_display_dispatch_pending(upstream->display);
		}
	}
	if (result < 0) {
		upstream_lost(upstream);
		return 0;
	}
	upstream_flush(upstream);
	return 0;
}

static void relay_handle_launch(void *data, struct isthmus_relay_v1 *relay, uint32_t serial,
		const char *application) {
	struct upstream *upstream = data;
	upstream->impl->launch(serial, application, upstream->data);
}

static const struct isthmus_relay_v1_listener relay_listener = {
		.launch = relay_handle_launch,
};

static void arenas_handle_dmabuf(void *data, struct isthmus_arena_manager_v1 *arenas) {
	struct upstream *upstream = data;
	upstream->takes_dmabufs = true;
}

static const struct isthmus_arena_manager_v1_listener arenas_listener = {
		.dmabuf = arenas_handle_dmabuf,
};

static void registry_handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct upstream *upstream = data;
	if (strcmp(interface, isthmus_relay_v1_interface.name) == 0 && upstream->relay == NULL) {
		upstream->relay = wl_registry_bind(registry, name, &isthmus_relay_v1_interface, 1);
		isthmus_relay_v1_add_listener(upstream->relay, &relay_listener, upstream);
	} else if (strcmp(interface, isthmus_arena_manager_v1_interface.name) == 0 &&
			upstream->arenas == NULL) {
		upstream->arenas = wl_registry_bind(
				registry, name, &isthmus_arena_manager_v1_interface, 1);
		isthmus_arena_manager_v1_add_listener(
				upstream->arenas, &arenas_listener, upstream);
	} else if (strcmp(interface, wp_security_context_manager_v1_interface.name) == 0 &&
			upstream->security == NULL) {
		upstream->security = wl_registry_bind(
				registry, name, &wp_security_context_manager_v1_interface, 1);
	}
}

static void registry_handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
		.global = registry_handle_global,
		.global_remove = registry_handle_global_remove,
};

__attribute__((format(printf, 3, 4))) static void set_error(
		char *error, size_t error_size, const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(error, error_size, format, args);
	va_end(args);
}

static struct upstream *upstream_open(struct wl_event_loop *loop, const char *display,
		const struct upstream_interface *impl, void *data, char *error, size_t error_size) {
	struct upstream *upstream = calloc(1, sizeof(*upstream));
	if (upstream == NULL) {
		set_error(error, error_size, "%s", strerror(errno));
		return NULL;
	}
	upstream->impl = impl;
	upstream->data = data;
	upstream->loop = loop;
	upstream->security_close_fd = -1;
	upstream->security_listen_fd = -1;
	upstream->display = wl_display_connect(display);
	if (upstream->display == NULL) {
		set_error(error, error_size, "cannot connect to the compositor%s%s: %s",
				display != NULL ? " at " : "", display != NULL ? display : "",
				strerror(errno));
		goto error;
	}
	upstream->registry = wl_display_get_registry(upstream->display);
	wl_registry_add_listener(upstream->registry, &registry_listener, upstream);
	// What is there, and then what that has to say.
	if (wl_display_roundtrip(upstream->display) < 0 ||
			(upstream->arenas != NULL &&
					wl_display_roundtrip(upstream->display) < 0)) {
		set_error(error, error_size, "the compositor closed the connection");
		goto error;
	}
	upstream->source = wl_event_loop_add_fd(loop, wl_display_get_fd(upstream->display),
			WL_EVENT_READABLE, upstream_handle_event, upstream);
	if (upstream->source == NULL) {
		set_error(error, error_size, "event loop: %s", strerror(errno));
		goto error;
	}
	return upstream;

error:
	upstream_close(upstream);
	return NULL;
}

struct upstream *upstream_open_managed(struct wl_event_loop *loop,
		const struct upstream_interface *impl, void *data, char *error, size_t error_size) {
	struct upstream *upstream = upstream_open(loop, NULL, impl, data, error, error_size);
	if (upstream != NULL && upstream->relay == NULL) {
		set_error(error, error_size,
				"the compositor at WAYLAND_SOCKET offers no isthmus_relay_v1");
		upstream_close(upstream);
		return NULL;
	}
	return upstream;
}

/* Where wl_display_connect(display) goes, too. */
static bool find_socket(struct upstream *upstream, const char *display) {
	const char *dir = getenv("XDG_RUNTIME_DIR");
	struct sockaddr_un *address = &upstream->address;
	address->sun_family = AF_UNIX;
	int length;
	if (display[0] == '/') {
		length = snprintf(address->sun_path, sizeof(address->sun_path), "%s", display);
	} else {
		length = snprintf(address->sun_path, sizeof(address->sun_path), "%s/%s",
				dir != NULL ? dir : "", display);
	}
	if (length < 0 || (size_t)length >= sizeof(address->sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	upstream->address_size = sizeof(*address);
	return true;
}

/*
 * A listening socket that only this process and the compositor know. It has an abstract,
 * kernel-chosen name, because connect() to it must work inside the sandbox, where no file can be
 * reached, and because nothing is left behind after a crash.
 */
static bool listen_abstract(struct upstream *upstream) {
	struct sockaddr_un *address = &upstream->address;
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	upstream->address_size = sizeof(*address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return false;
	}
	if (bind(fd, (struct sockaddr *)address, sizeof(address->sun_family)) < 0 ||
			listen(fd, SECURITY_BACKLOG) < 0 ||
			getsockname(fd, (struct sockaddr *)address, &upstream->address_size) < 0) {
		fd_close(&fd);
		return false;
	}
	upstream->security_listen_fd = fd;
	return true;
}

static bool enter_security_context(struct upstream *upstream, const char *vm) {
	int close_pipe[2];
	if (!listen_abstract(upstream) || pipe2(close_pipe, O_CLOEXEC) < 0) {
		return false;
	}
	upstream->security_close_fd = close_pipe[1];
	char instance[64];
	snprintf(instance, sizeof(instance), "%s-%d", vm, (int)getpid());
	struct wp_security_context_v1 *context = wp_security_context_manager_v1_create_listener(
			upstream->security, upstream->security_listen_fd, close_pipe[0]);
	wp_security_context_v1_set_sandbox_engine(context, "isthmus");
	wp_security_context_v1_set_app_id(context, vm);
	wp_security_context_v1_set_instance_id(context, instance);
	wp_security_context_v1_commit(context);
	wp_security_context_v1_destroy(context);
	int result = wl_display_roundtrip(upstream->display);
	close(close_pipe[0]);
	fd_close(&upstream->security_listen_fd);
	return result >= 0;
}

struct upstream *upstream_open_dropin(struct wl_event_loop *loop, const char *display,
		const char *vm, const struct upstream_interface *impl, void *data, char *error,
		size_t error_size) {
	struct upstream *upstream = upstream_open(loop, display, impl, data, error, error_size);
	if (upstream == NULL) {
		return NULL;
	}
	bool ready = upstream->security != NULL ? enter_security_context(upstream, vm)
						: find_socket(upstream, display);
	if (!ready) {
		set_error(error, error_size, "cannot make connections to the compositor at %s: %s",
				display, strerror(errno));
		upstream_close(upstream);
		return NULL;
	}
	log_debug("applications connect %s", upstream->security != NULL
							     ? "through wp_security_context_v1"
							     : "as ordinary clients: no "
							       "wp_security_context_v1 is offered");
	return upstream;
}

void upstream_close(struct upstream *upstream) {
	if (upstream == NULL) {
		return;
	}
	if (upstream->source != NULL) {
		wl_event_source_remove(upstream->source);
	}
	fd_close(&upstream->security_listen_fd);
	fd_close(&upstream->security_close_fd);
	if (upstream->security != NULL) {
		wp_security_context_manager_v1_destroy(upstream->security);
	}
	if (upstream->arenas != NULL) {
		isthmus_arena_manager_v1_destroy(upstream->arenas);
	}
	if (upstream->relay != NULL) {
		isthmus_relay_v1_destroy(upstream->relay);
	}
	if (upstream->registry != NULL) {
		wl_registry_destroy(upstream->registry);
	}
	if (upstream->display != NULL) {
		wl_display_disconnect(upstream->display);
	}
	free(upstream);
}

static int connect_pair(struct upstream *upstream) {
	int pair[2];
	if (upstream->blocked) {
		upstream_flush(upstream);
	}
	if (upstream->blocked) {
		errno = EAGAIN; // descriptors that nobody takes are not to pile up here
		return -1;
	}
	if (upstream->gone || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
					      pair) < 0) {
		return -1;
	}
	// libwayland duplicates the descriptor.
	isthmus_relay_v1_create_client(upstream->relay, pair[1]);
	close(pair[1]);
	upstream_flush(upstream);
	return pair[0];
}

static int connect_address(struct upstream *upstream) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	// Non-blocking: a compositor that hangs costs this application, not the link (EAGAIN).
	if (fd >= 0 && connect(fd, (struct sockaddr *)&upstream->address, upstream->address_size) <
					0) {
		fd_close(&fd);
	}
	return fd;
}

int upstream_connect(struct upstream *upstream) {
	return upstream->relay != NULL ? connect_pair(upstream) : connect_address(upstream);
}

bool upstream_needs_title_prefix(const struct upstream *upstream) {
	return upstream->relay == NULL && upstream->security == NULL;
}

bool upstream_connects(const struct upstream *upstream) {
	return upstream->relay == NULL;
}

bool upstream_maps_arenas(const struct upstream *upstream) {
	return upstream->relay != NULL;
}

bool upstream_takes_dmabufs(const struct upstream *upstream) {
	return upstream->takes_dmabufs;
}

struct isthmus_arena_v1 *upstream_hold(
		struct upstream *upstream, const struct pages_mapping *mapping) {
	if (upstream->arenas == NULL || upstream->gone) {
		return NULL;
	}
	uint64_t offset = (uint64_t)mapping->offset;
	struct isthmus_arena_v1 *held = isthmus_arena_manager_v1_create_arena(upstream->arenas,
			mapping->fd, (uint32_t)(offset >> 32), (uint32_t)offset,
			(uint32_t)mapping->size);
	// Before any application can have mapped it and be gone.
	upstream_flush(upstream);
	return held;
}

void upstream_let_go(struct upstream *upstream, struct isthmus_arena_v1 *held) {
	if (held != NULL) {
		isthmus_arena_v1_destroy(held);
		upstream_flush(upstream);
	}
}

void upstream_set_state(struct upstream *upstream, enum upstream_state state, uint32_t reason) {
	if (upstream->relay != NULL && !upstream->gone) {
		isthmus_relay_v1_set_state(upstream->relay, state, reason);
		upstream_flush(upstream);
	}
}

void upstream_launch_result(
		struct upstream *upstream, uint32_t serial, uint32_t status, uint32_t detail) {
	if (upstream->relay != NULL && !upstream->gone) {
		isthmus_relay_v1_launch_result(upstream->relay, serial, status, detail);
		upstream_flush(upstream);
	}
}
