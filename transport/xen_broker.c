/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/xen_broker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "transport/backend.h"
#include "transport/xen.h"
#include "transport/xen_exports.h"
#include "transport/xen_store.h"

#define READY_BYTES 256 /* one line of text, "" when all is well */

enum call_kind {
	CALL_LOOK, // for a connection; serial 0: for none
	CALL_MAP, // answered
	CALL_EXPORT, // answered
	CALL_WATCH,
};

/* From the relay to the broker. */
struct broker_call {
	uint32_t kind; // enum call_kind
	uint32_t serial; // CALL_LOOK
	uint32_t directory, n_pages; // CALL_MAP, CALL_EXPORT
	uint32_t token; // CALL_EXPORT, CALL_WATCH
};

struct broker_answer {
	int32_t error; // 0: the descriptor comes with it
};

struct xen_broker {
	int calls_fd, offers_fd;
};

/* The broker's own side. */
struct broker {
	int calls_fd, offers_fd;
	int lock_fd; // gntdev, for xen_lock(): two relays would share one ring
	struct xen_store *store;
	const char *peer, *name;
	uint16_t domid; // of what was found last
	uint32_t serial; // of the look that is under way, 0 none
	bool connected;
	uint32_t connected_port; // as the peer published it
	struct xen_exports exports; // of this connection
};

static void vchan_path(const struct broker *broker, const char *node, char *path, size_t size) {
	snprintf(path, size, "/local/domain/%u/data/vchan/%u/%s/%s", broker->domid,
		xen_store_own_domid(broker->store), broker->name, node);
}

static void presence_path(const struct broker *broker, char *path, size_t size) {
	snprintf(path, size, "data/vchan-client/%u/%s", broker->domid, broker->name);
}

static bool read_node(struct broker *broker, const char *node, uint32_t *untrusted_number) {
	char path[XEN_STORE_PATH_BYTES];
	vchan_path(broker, node, path, sizeof(path));
	return xen_store_read(broker->store, path, untrusted_number);
}

/* Mapping. */

static bool is_order(uint16_t untrusted_order) {
	return untrusted_order >= XEN_RING_ORDER_MIN && untrusted_order <= XEN_RING_ORDER_MAX;
}

/* head is a copy. A vchan that some client had before is not taken: its indices are not known. */
static bool check_head(const struct xen_vchan_page *untrusted, struct xen_offer *offer) {
	if (untrusted->server_live != XEN_LIVE || untrusted->client_live != XEN_WAITING ||
			!is_order(untrusted->left_order) || !is_order(untrusted->right_order)) {
		return false;
	}
	offer->left_order = untrusted->left_order;
	offer->right_order = untrusted->right_order;
	uint32_t n_refs = (1u << (offer->left_order - 12)) + (1u << (offer->right_order - 12));
	return n_refs <= XEN_VCHAN_GRANTS;
}

static bool map_rings(struct broker *broker, int gntdev_fd, uint32_t untrusted_ref,
		struct xen_offer *offer) {
	struct xen_vchan_page head;
	if (!xen_grants_copy(gntdev_fd, broker->domid, untrusted_ref, &head, sizeof(head)) ||
			!check_head(&head, offer)) {
		return false;
	}
	uint32_t n_left = 1u << (offer->left_order - 12), n_right = 1u << (offer->right_order - 12);
	return xen_grants_map(gntdev_fd, broker->domid, &untrusted_ref, 1, &offer->page_index) &&
		xen_grants_map(gntdev_fd, broker->domid, head.grants, n_left, &offer->left_index) &&
		xen_grants_map(gntdev_fd, broker->domid, head.grants + n_left, n_right,
			&offer->right_index);
}

/* A peer without pages is no error: libxenvchan's own tools have none. */
static void map_acks(struct broker *broker, int gntdev_fd, struct xen_offer *offer) {
	uint32_t untrusted_ref;
	struct xen_acks_page acks;
	if (read_node(broker, "isthmus-pages", &untrusted_ref) &&
			xen_grants_copy(gntdev_fd, broker->domid, untrusted_ref, &acks,
				sizeof(acks)) && acks.magic == XEN_ACKS_MAGIC &&
			xen_grants_map(gntdev_fd, broker->domid, &untrusted_ref, 1,
				&offer->acks_index)) {
		offer->has_acks = 1;
		offer->generation = acks.generation;
	}
}

static bool connect_now(struct broker *broker, int gntdev_fd, int event_fd) {
	struct xen_offer offer = {.serial = broker->serial, .connected = 1};
	uint32_t untrusted_ref, untrusted_port;
	if (!read_node(broker, "ring-ref", &untrusted_ref) ||
			!read_node(broker, "event-channel", &untrusted_port) ||
			!map_rings(broker, gntdev_fd, untrusted_ref, &offer)) {
		return false;
	}
	map_acks(broker, gntdev_fd, &offer);
	char path[XEN_STORE_PATH_BYTES];
	presence_path(broker, path, sizeof(path));
	if (!xen_event_bind(event_fd, broker->domid, untrusted_port, &offer.port) ||
			!xen_grants_notify(gntdev_fd, offer.page_index +
				offsetof(struct xen_vchan_page, client_live), offer.port) ||
			!xen_store_publish(broker->store, path, broker->serial, broker->domid)) {
		return false;
	}
	broker->connected_port = untrusted_port;
	int fds[] = {gntdev_fd, event_fd};
	return fd_send(broker->offers_fd, &offer, sizeof(offer), fds, 2) == sizeof(offer);
}

/* One that both ends would be in, and lose the pages that they share. */
static bool is_impossible(const struct broker *broker) {
	return broker->domid == xen_store_own_domid(broker->store) && !xen_maps_own_grants();
}

static void try_connect(struct broker *broker) {
	char error[READY_BYTES], path[XEN_STORE_PATH_BYTES];
	if (!xen_store_find(broker->store, broker->peer, &broker->domid) ||
			is_impossible(broker) ||
			!xen_lock(broker->lock_fd, broker->domid, broker->name)) {
		return;
	}
	vchan_path(broker, "event-channel", path, sizeof(path));
	xen_store_watch(broker->store, path);
	int gntdev_fd = xen_open("gntdev", error, sizeof(error));
	int event_fd = xen_open("evtchn", error, sizeof(error));
	broker->connected = gntdev_fd >= 0 && event_fd >= 0 &&
		connect_now(broker, gntdev_fd, event_fd);
	// The other process has them now: when it ends, the peer is told.
	fd_close(&gntdev_fd);
	fd_close(&event_fd);
}

/* Its node went, or names another vchan: the domain or the server in it is gone. */
static void check_peer(struct broker *broker) {
	uint32_t untrusted_port;
	if (read_node(broker, "event-channel", &untrusted_port) &&
			untrusted_port == broker->connected_port) {
		return;
	}
	struct xen_offer over = {.serial = broker->serial};
	xen_exports_finish(&broker->exports);
	broker->connected = false;
	broker->serial = 0;
	fd_send(broker->offers_fd, &over, sizeof(over), NULL, 0);
}

/* References of all pages, from a chain of directories, each copied before it is read. */
static bool read_directory(struct broker *broker, int gntdev_fd, uint32_t untrusted_directory,
		uint32_t *refs, uint32_t n_pages) {
	struct xen_directory untrusted;
	for (uint32_t done = 0; done < n_pages;) {
		if (!xen_grants_copy(gntdev_fd, broker->domid, untrusted_directory, &untrusted,
				sizeof(untrusted))) {
			return false;
		}
		uint32_t count = n_pages - done < XEN_DIRECTORY_REFS ? n_pages - done
								     : XEN_DIRECTORY_REFS;
		memcpy(refs + done, untrusted.refs, count * sizeof(uint32_t));
		done += count;
		untrusted_directory = untrusted.next;
	}
	return true;
}

/* Opens gntdev anew, for pages that a directory names: their references, to be freed. NULL with
 * errno. */
static uint32_t *open_pages(struct broker *broker, const struct broker_call *call, int *gntdev_fd) {
	char error[READY_BYTES];
	if (!broker->connected || call->n_pages == 0 || call->n_pages > XEN_MAP_MAX_PAGES) {
		errno = broker->connected ? ENOSPC : ENOTCONN;
		return NULL;
	}
	uint32_t *refs = calloc(call->n_pages, sizeof(*refs));
	*gntdev_fd = refs != NULL ? xen_open("gntdev", error, sizeof(error)) : -1;
	if (*gntdev_fd >= 0 && read_directory(broker, *gntdev_fd, call->directory, refs,
			call->n_pages)) {
		return refs;
	}
	fd_close(gntdev_fd);
	free(refs);
	return NULL;
}

/* A descriptor, or -1 with errno. */
static int map_pages(struct broker *broker, const struct broker_call *call) {
	int gntdev_fd;
	uint64_t index;
	uint32_t *refs = open_pages(broker, call, &gntdev_fd);
	if (refs == NULL) {
		return -1;
	}
	if (!xen_grants_map(gntdev_fd, broker->domid, refs, call->n_pages, &index) || index != 0) {
		fd_close(&gntdev_fd);
	}
	free(refs);
	return gntdev_fd;
}

/* The same. */
static int export_pages(struct broker *broker, const struct broker_call *call) {
	int gntdev_fd;
	uint32_t *refs = open_pages(broker, call, &gntdev_fd);
	if (refs == NULL) {
		return -1;
	}
	int fd = xen_exports_add(&broker->exports, gntdev_fd, broker->domid, call->token, refs,
			call->n_pages);
	if (fd < 0) {
		fd_close(&gntdev_fd);
	}
	free(refs);
	return fd;
}

static bool answer(struct broker *broker, int fd) {
	struct broker_answer answer = {.error = fd < 0 ? errno : 0};
	bool ok = fd_send(broker->calls_fd, &answer, sizeof(answer), &fd, fd < 0 ? 0 : 1) ==
		sizeof(answer);
	fd_close(&fd);
	return ok;
}

/* false: the other process is gone, or does not keep to the rules. */
static bool handle_call(struct broker *broker) {
	struct broker_call call;
	ssize_t size = recv(broker->calls_fd, &call, sizeof(call), 0);
	if (size != sizeof(call)) {
		return size < 0 && errno == EINTR;
	}
	switch ((enum call_kind)call.kind) {
	case CALL_LOOK:
		xen_exports_finish(&broker->exports);
		broker->serial = call.serial;
		broker->connected = false;
		if (call.serial != 0) {
			try_connect(broker);
		}
		return true;
	case CALL_MAP:
		return answer(broker, map_pages(broker, &call));
	case CALL_EXPORT:
		return answer(broker, export_pages(broker, &call));
	case CALL_WATCH:
		xen_exports_watch(&broker->exports, call.token);
		return true;
	}
	return false;
}

/* Says so of each, but never waits for the other process, which may wait for an answer. */
static void tell_released(struct broker *broker) {
	struct xen_offer offer = {.serial = broker->serial};
	while ((offer.released_token = xen_exports_next_gone(&broker->exports)) != 0 &&
			send(broker->offers_fd, &offer, sizeof(offer),
				MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(offer)) {
		xen_exports_remove(&broker->exports, offer.released_token);
	}
}

/* How long to wait for events: -1 for ever. */
static int wait_ms(const struct broker *broker) {
	if (broker->exports.n_watched > 0) {
		return XEN_EXPORTS_LOOK_MS;
	}
	return broker->serial != 0 && !broker->connected ? XEN_LOOK_MS : -1;
}

static void run(struct broker *broker) {
	struct pollfd fds[] = {
		{.fd = broker->calls_fd, .events = POLLIN},
		{.fd = xen_store_fd(broker->store), .events = POLLIN},
	};
	while (true) {
		if (poll(fds, 2, wait_ms(broker)) < 0 && errno != EINTR) {
			return;
		}
		if (fds[0].revents != 0 && !handle_call(broker)) {
			return;
		}
		if (fds[1].revents != 0) {
			xen_store_drain(broker->store);
		}
		tell_released(broker);
		if (broker->connected) {
			check_peer(broker);
		} else if (broker->serial != 0) {
			try_connect(broker);
		}
	}
}

/* error stays as it is when the peer may be looked for, though it is not there yet. */
static void check_place(const struct broker *broker, char *error, size_t error_size) {
	if (is_impossible(broker)) {
		snprintf(error, error_size, "xen:%s:%s: both ends in one domain, which is not PV:"
			" Xen would take the pages that they share from it", broker->peer,
			broker->name);
	} else if (!xen_lock(broker->lock_fd, broker->domid, broker->name)) {
		snprintf(error, error_size, "xen:%s:%s: another process listens there",
			broker->peer, broker->name);
	}
}

static void open_and_run(struct broker *broker) {
	char error[READY_BYTES] = "", path[XEN_STORE_PATH_BYTES];
	broker->lock_fd = xen_open("gntdev", error, sizeof(error));
	int probe_fd = broker->lock_fd >= 0 ? xen_open("evtchn", error, sizeof(error)) : -1;
	broker->store = probe_fd >= 0 ? xen_store_open(error, sizeof(error)) : NULL;
	fd_close(&probe_fd);
	if (broker->store != NULL && xen_store_find(broker->store, broker->peer,
			&broker->domid)) {
		check_place(broker, error, sizeof(error));
	}
	send(broker->calls_fd, error, sizeof(error), MSG_NOSIGNAL);
	if (error[0] != '\0') {
		return;
	}
	xen_store_watch(broker->store, NULL);
	run(broker);
	presence_path(broker, path, sizeof(path));
	xen_store_remove(broker->store, path);
}

/* The other process. */

static _Noreturn void become_broker(int calls_fd, int offers_fd, const char *peer,
		const char *name) {
	// Nothing of what the other process holds. Out of the way first.
	int calls = fcntl(calls_fd, F_DUPFD_CLOEXEC, 5), offers = fcntl(offers_fd, F_DUPFD, 5);
	if (calls < 0 || offers < 0 || dup3(calls, 3, O_CLOEXEC) < 0 ||
			dup3(offers, 4, O_CLOEXEC) < 0) {
		_exit(1);
	}
	close_range(5, ~0u, 0);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "xen-broker");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	struct broker broker = {
		.calls_fd = 3, .offers_fd = 4, .lock_fd = -1, .peer = peer, .name = name};
	open_and_run(&broker);
	_exit(0);
}

/* Twice, so that the broker is nobody's child. */
static bool fork_broker(const int calls[2], const int offers[2], const char *peer,
		const char *name) {
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		pid = fork();
		if (pid == 0) {
			become_broker(calls[1], offers[1], peer, name);
		}
		_exit(pid < 0 ? 1 : 0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return false;
		}
	}
	return pid > 0 && status == 0;
}

struct xen_broker *xen_broker_open(const char *peer, const char *name, char *error,
		size_t error_size) {
	struct xen_broker *broker = calloc(1, sizeof(*broker));
	int calls[2] = {-1, -1}, offers[2] = {-1, -1};
	char told[READY_BYTES] = "";
	bool ok = broker != NULL &&
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, calls) == 0 &&
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, offers) == 0 &&
		fork_broker(calls, offers, peer, name);
	fd_close(&calls[1]);
	fd_close(&offers[1]);
	if (!ok || recv(calls[0], told, sizeof(told), 0) != sizeof(told)) {
		transport_error(error, error_size, "xen: no broker: %s", strerror(errno));
		goto error;
	}
	if (told[0] != '\0') {
		transport_error(error, error_size, "%.*s", READY_BYTES - 1, told);
		goto error;
	}
	if (!fd_set_nonblocking(offers[0], true)) {
		transport_error(error, error_size, "xen: %s", strerror(errno));
		goto error;
	}
	*broker = (struct xen_broker){.calls_fd = calls[0], .offers_fd = offers[0]};
	return broker;
error:
	fd_close(&calls[0]);
	fd_close(&offers[0]);
	free(broker);
	return NULL;
}

void xen_broker_close(struct xen_broker *broker) {
	char byte;
	if (broker == NULL) {
		return;
	}
	// Until the broker ended: only then a successor can have its place.
	shutdown(broker->calls_fd, SHUT_WR);
	while (recv(broker->calls_fd, &byte, 1, 0) > 0) {
	}
	fd_close(&broker->calls_fd);
	fd_close(&broker->offers_fd);
	free(broker);
}

int xen_broker_fd(const struct xen_broker *broker) {
	return broker->offers_fd;
}

bool xen_broker_take(struct xen_broker *broker, struct xen_offer *offer, int *gntdev_fd,
		int *event_fd) {
	int fds[2] = {-1, -1};
	size_t n_fds = 2;
	ssize_t size = fd_receive(broker->offers_fd, offer, sizeof(*offer), fds, &n_fds);
	*gntdev_fd = fds[0];
	*event_fd = fds[1];
	if (size == sizeof(*offer) && (offer->connected == 0 || n_fds == 2)) {
		return true;
	}
	fd_close(gntdev_fd);
	fd_close(event_fd);
	return false;
}

void xen_broker_look(struct xen_broker *broker, uint32_t serial) {
	struct broker_call call = {.kind = CALL_LOOK, .serial = serial};
	if (send(broker->calls_fd, &call, sizeof(call), MSG_NOSIGNAL) < 0) {
		log_errno("xen: the broker is gone");
	}
}

/* A descriptor, or -1 with errno. */
static int ask(struct xen_broker *broker, const struct broker_call *call) {
	struct broker_answer answer;
	struct pollfd poll_fd = {.fd = broker->calls_fd, .events = POLLIN};
	int fd = -1;
	size_t n_fds = 1;
	bool sent = send(broker->calls_fd, call, sizeof(*call), MSG_NOSIGNAL) == sizeof(*call);
	while (sent && poll(&poll_fd, 1, -1) < 0 && errno == EINTR) {
	}
	if (!sent || fd_receive(broker->calls_fd, &answer, sizeof(answer), &fd, &n_fds) !=
				sizeof(answer)) {
		fd_close(&fd);
		errno = ENOTCONN;
		return -1;
	}
	if (answer.error != 0 || n_fds == 0) {
		fd_close(&fd);
		errno = answer.error != 0 ? answer.error : EIO;
		return -1;
	}
	return fd;
}

int xen_broker_map(struct xen_broker *broker, uint32_t untrusted_directory, uint32_t n_pages) {
	return ask(broker, &(struct broker_call){
		.kind = CALL_MAP, .directory = untrusted_directory, .n_pages = n_pages});
}

int xen_broker_export(struct xen_broker *broker, uint32_t untrusted_directory, uint32_t n_pages,
		uint32_t token) {
	return ask(broker, &(struct broker_call){.kind = CALL_EXPORT,
		.directory = untrusted_directory, .n_pages = n_pages, .token = token});
}

void xen_broker_watch(struct xen_broker *broker, uint32_t token) {
	struct broker_call call = {.kind = CALL_WATCH, .token = token};
	// Where the broker ended, so does the connection.
	(void)send(broker->calls_fd, &call, sizeof(call), MSG_NOSIGNAL);
}
