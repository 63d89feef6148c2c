/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "common/log.h"

#define RING_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static bool vchan_is_waiting(const struct local *local) {
	return local->base.vchan != NULL && local->base.vchan->state == VCHAN_WAITING;
}

static bool pages_is_waiting(const struct local *local) {
	return local->base.pages != NULL && pages_local_is_waiting(local->base.pages);
}

static void session_finish(struct local_session *session) {
	fd_close(&session->doorbell_fd);
	fd_close(&session->bell_fd);
	fd_close(&session->pages_fd);
	if (session->memory != NULL) {
		munmap(session->memory, session->memory_size);
		session->memory = NULL;
	}
}

static struct local_session session_unset(void) {
	return (struct local_session){.doorbell_fd = -1, .bell_fd = -1, .pages_fd = -1};
}

static size_t session_layout(struct local_session *session, const struct local_hello *hello) {
	session->to_guivm_size = 1u << hello->to_guivm_order;
	session->to_appvm_size = 1u << hello->to_appvm_order;
	size_t rings_size = (size_t)session->to_guivm_size + session->to_appvm_size;
	session->memory_size = LOCAL_RINGS_OFFSET + rings_size;
	return session->memory_size;
}

static bool session_map(struct local_session *session, int fd) {
	void *memory = mmap(NULL, session->memory_size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_POPULATE, fd, 0);
	session->memory = memory != MAP_FAILED ? memory : NULL;
	return session->memory != NULL;
}

/* Those who wait are told that it is of no use. They decide whether to begin anew. */
static void local_fail(struct local *local, const char *reason) {
	log_error("transport %s: %s", local->base.spec, reason);
	if (vchan_is_waiting(local)) {
		vchan_set_state(local->base.vchan, VCHAN_DISCONNECTED, reason);
	}
	if (pages_is_waiting(local)) {
		pages_local_disconnect(local->base.pages);
	}
	local_update(local);
}

/* Hands out what is there to those who wait. Calls no handler. */
static void local_deliver(struct local *local) {
	struct local_session *session = &local->session;
	if (pages_is_waiting(local) && session->pages_fd >= 0) {
		int fd = session->pages_fd;
		session->pages_fd = -1;
		pages_local_connect(local->base.pages, fd);
	}
	if (vchan_is_waiting(local) && session->memory != NULL) {
		vchan_local_connect(local->base.vchan, session);
		session->memory = NULL;
		session->doorbell_fd = -1;
		session->bell_fd = -1;
	}
	local_update(local);
}

static void local_begin_session(struct local *local, const struct local_session *session) {
	// A half that nobody took belongs to a peer that is gone or will never be asked for it.
	session_finish(&local->session);
	local->session = *session;
	local_deliver(local);
}

static bool make_rings(struct local_session *session, int *ring_fd,
		const struct local_hello *hello) {
	*ring_fd = fd_memory("isthmus-vchan", session_layout(session, hello));
	if (*ring_fd < 0 || fcntl(*ring_fd, F_ADD_SEALS, RING_SEALS) < 0 ||
			!session_map(session, *ring_fd)) {
		fd_close(ring_fd);
		return false;
	}
	return true;
}

static bool set_up_peer(struct local_session *session) {
	struct local_hello hello = {
		.magic = LOCAL_HELLO_MAGIC,
		.version = LOCAL_HELLO_VERSION,
		.to_guivm_order = LOCAL_RING_ORDER,
		.to_appvm_order = LOCAL_RING_ORDER,
	};
	int fds[3] = {-1, -1, -1};
	int pair[2] = {-1, -1};
	if (!make_rings(session, &fds[0], &hello)) {
		return false;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
		fd_close(&fds[0]);
		return false;
	}
	session->pages_fd = pair[0];
	fds[1] = pair[1];
	session->bell_fd = vchan_local_make_bell();
	fds[2] = session->bell_fd;
	ssize_t sent = fd_send(session->doorbell_fd, &hello, sizeof(hello), fds,
			session->bell_fd >= 0 ? 3 : 2);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	return sent == sizeof(hello);
}

static int handle_listening(int fd, uint32_t mask, void *data) {
	struct local *local = data;
	struct local_session session = session_unset();
	session.doorbell_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (session.doorbell_fd >= 0 && set_up_peer(&session)) {
		local_begin_session(local, &session);
		return 0;
	}
	bool peer_is_gone = errno == EPIPE || errno == ECONNRESET || errno == ECONNABORTED ||
		errno == EAGAIN || errno == EINTR;
	session_finish(&session);
	if (!peer_is_gone) {
		log_errno("transport %s: cannot set up the link", local->base.spec);
		local_fail(local, "no memory or descriptors for the rings");
	}
	return 0;
}

static bool check_ring_memory(const struct local_session *session, int untrusted_fd) {
	struct stat info;
	int seals = fcntl(untrusted_fd, F_GET_SEALS);
	return seals >= 0 && (seals & RING_SEALS) == RING_SEALS &&
		fd_stat(untrusted_fd, &info) == 0 && S_ISREG(info.st_mode) &&
		info.st_size == (off_t)session->memory_size;
}

static bool check_pages_socket(int untrusted_fd) {
	int domain = 0, type = 0;
	socklen_t size = sizeof(int);
	return getsockopt(untrusted_fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
		getsockopt(untrusted_fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
		domain == AF_UNIX && type == SOCK_SEQPACKET;
}

/* An inode without a type, as eventfds have. */
static bool check_bell(int untrusted_fd) {
	struct stat info;
	return fstat(untrusted_fd, &info) == 0 && (info.st_mode & S_IFMT) == 0;
}

static bool is_order(uint32_t order) {
	return order >= LOCAL_RING_ORDER_MIN && order <= LOCAL_RING_ORDER_MAX;
}

/* Takes over fds in any case. NULL when all is well, else what is wrong. */
static const char *take_hello(struct local_session *session,
		const struct local_hello *untrusted_hello, ssize_t size, int *fds, size_t n_fds) {
	const char *wrong = NULL;
	if (size != sizeof(*untrusted_hello) || untrusted_hello->magic != LOCAL_HELLO_MAGIC) {
		wrong = "what listens there is not the GUI side of a link";
	} else if (untrusted_hello->version != LOCAL_HELLO_VERSION) {
		wrong = "the GUI side speaks another version of the local transport";
	} else if (n_fds < 2 || n_fds > 3 || !is_order(untrusted_hello->to_guivm_order) ||
			!is_order(untrusted_hello->to_appvm_order)) {
		wrong = "the GUI side's greeting is malformed";
	} else {
		session_layout(session, untrusted_hello);
		if (!check_ring_memory(session, fds[0]) || !check_pages_socket(fds[1]) ||
				(n_fds == 3 && !check_bell(fds[2]))) {
			wrong = "the GUI side's descriptors are not what they should be";
		} else if (!session_map(session, fds[0])) {
			wrong = "no memory for the rings";
		} else {
			session->pages_fd = fds[1];
			fds[1] = -1;
			if (n_fds == 3) {
				session->bell_fd = fds[2];
				fds[2] = -1;
			}
		}
	}
	for (size_t i = 0; i < n_fds; i++) {
		fd_close(&fds[i]);
	}
	return wrong;
}

static void forget_peer(struct local *local) {
	if (local->source != NULL) {
		wl_event_source_remove(local->source);
		local->source = NULL;
	}
	fd_close(&local->peer_fd);
}

static int handle_hello(int fd, uint32_t mask, void *data) {
	struct local *local = data;
	struct local_hello untrusted_hello = {0};
	int fds[4]; // one more than wanted, so that a surplus shows
	size_t n_fds = 4;
	ssize_t size = fd_receive(fd, &untrusted_hello, sizeof(untrusted_hello), fds, &n_fds);
	if (size < 0 && errno == EAGAIN) {
		return 0;
	}
	if (size <= 0) {
		// The listener ended while we stood in its queue: wait for the next one.
		forget_peer(local);
		local_update(local);
		return 0;
	}
	struct local_session session = session_unset();
	const char *wrong = take_hello(&session, &untrusted_hello, size, fds, n_fds);
	if (wrong != NULL) {
		forget_peer(local);
		local_fail(local, wrong);
		return 0;
	}
	session.doorbell_fd = local->peer_fd;
	local->peer_fd = -1;
	forget_peer(local);
	local_begin_session(local, &session);
	return 0;
}

static void handle_found(int fd, void *data) {
	struct local *local = data;
	if (fd < 0) {
		log_errno("%s", local->path);
		local_fail(local, "cannot connect to the GUI side");
		return;
	}
	local->peer_fd = fd;
	local->source = wl_event_loop_add_fd(local->base.loop, fd, WL_EVENT_READABLE, handle_hello,
			local);
	if (local->source == NULL) {
		forget_peer(local);
		local_fail(local, "out of memory");
	}
}

static void handle_idle(void *data) {
	struct local *local = data;
	local->idle = NULL;
	local_deliver(local);
}

static void deliver_later(struct local *local) {
	if (local->idle == NULL) {
		local->idle = wl_event_loop_add_idle(local->base.loop, handle_idle, local);
	}
}

static void look_for_peer(struct local *local) {
	if (local->base.role == TRANSPORT_GUIVM) {
		if (local->source == NULL) {
			local->source = wl_event_loop_add_fd(local->base.loop, local->listen_fd,
				WL_EVENT_READABLE, handle_listening, local);
		}
	} else if (local->peer_fd < 0 && !rendezvous_start(&local->rendezvous)) {
		local_fail(local, "cannot watch for the GUI side");
	}
}

static void stop_looking(struct local *local) {
	rendezvous_stop(&local->rendezvous);
	forget_peer(local);
}

void local_update(struct local *local) {
	bool vchan_waits = vchan_is_waiting(local), pages_wait = pages_is_waiting(local);
	if ((vchan_waits && local->session.memory != NULL) ||
			(pages_wait && local->session.pages_fd >= 0)) {
		deliver_later(local);
	} else if (vchan_waits || pages_wait) {
		look_for_peer(local);
	} else {
		stop_looking(local);
	}
}

/* Splits "DIR[,pixels=WAY]". */
static bool parse_tail(const char *tail, size_t *dir_length, unsigned *caps, char *error,
		size_t error_size) {
	const char *option = strchr(tail, ',');
	*dir_length = option != NULL ? (size_t)(option - tail) : strlen(tail);
	*caps = TRANSPORT_PAGES | TRANSPORT_SAME_CLOCK | TRANSPORT_HANDOVER;
	if (*dir_length == 0) {
		return transport_error(error, error_size,
				"transport \"local:%s\": the folder is missing", tail);
	}
	if (option == NULL || strcmp(option, ",pixels=handover") == 0) {
		return true;
	}
	*caps &= ~(unsigned)TRANSPORT_HANDOVER;
	if (strcmp(option, ",pixels=arena") == 0) {
		return true;
	}
	return transport_error(error, error_size,
		"transport \"local:%s\": \"%s\" is not pixels=handover or pixels=arena", tail,
		option + 1);
}

static char *make_path(const char *tail, size_t dir_length) {
	char *path = NULL;
	return asprintf(&path, "%.*s/vchan", (int)dir_length, tail) < 0 ? NULL : path;
}

static bool local_check(const char *tail, char *error, size_t error_size) {
	size_t dir_length;
	unsigned caps;
	if (!parse_tail(tail, &dir_length, &caps, error, error_size)) {
		return false;
	}
	char *path = make_path(tail, dir_length);
	bool ok = path != NULL && rendezvous_path_check(path, error, error_size);
	if (path == NULL) {
		transport_error(error, error_size, "transport \"local:%s\": out of memory", tail);
	}
	free(path);
	return ok;
}

static bool listen_in_dir(struct local *local, size_t dir_length, char *error, size_t error_size) {
	local->path[dir_length] = '\0';
	bool ok = mkdir(local->path, 0700) == 0 || errno == EEXIST;
	if (!ok) {
		transport_error(error, error_size, "%s: %s", local->path, strerror(errno));
	}
	local->path[dir_length] = '/';
	if (ok) {
		local->listen_fd = rendezvous_listen(local->path, error, error_size);
	}
	return ok && local->listen_fd >= 0;
}

static struct transport *local_open(struct wl_event_loop *loop, const char *tail,
		enum transport_role role, char *error, size_t error_size) {
	size_t dir_length;
	unsigned caps;
	if (!parse_tail(tail, &dir_length, &caps, error, error_size)) {
		return NULL;
	}
	struct local *local = calloc(1, sizeof(*local));
	char *path = make_path(tail, dir_length);
	if (local == NULL || path == NULL ||
			getrandom(&local->next_token, sizeof(local->next_token), 0) < 0) {
		transport_error(error, error_size, "transport \"local:%s\": %s", tail,
				strerror(errno));
		goto error;
	}
	local->base.loop = loop;
	local->base.caps = caps;
	local->path = path;
	local->listen_fd = -1;
	local->peer_fd = -1;
	local->session = session_unset();
	rendezvous_init(&local->rendezvous, loop, path, handle_found, local);
	if (role == TRANSPORT_GUIVM && !listen_in_dir(local, dir_length, error, error_size)) {
		goto error;
	}
	return &local->base;
error:
	free(path);
	free(local);
	return NULL;
}

static void local_close(struct transport *transport) {
	struct local *local = (struct local *)transport;
	stop_looking(local);
	if (local->idle != NULL) {
		wl_event_source_remove(local->idle);
	}
	session_finish(&local->session);
	if (local->listen_fd >= 0) {
		// Best effort: a sandbox may forbid it, and the next to open replaces the name.
		unlink(local->path);
		fd_close(&local->listen_fd);
	}
	free(local->path);
	free(local);
}

const struct transport_backend transport_local_backend = {
	.name = "local",
	.check = local_check,
	.open = local_open,
	.close = local_close,
	.vchan_create = vchan_local_create,
	.pages_create = pages_local_create,
};
