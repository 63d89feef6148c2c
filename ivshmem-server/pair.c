/* SPDX-License-Identifier: Apache-2.0 */
#include "ivshmem-server/pair.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "common/log.h"
#include "transport/backend.h"
#include "transport/rendezvous.h"

#define PROTOCOL_VERSION 0
#define MEMORY_ID (-1)
#define GREETINGS 3 /* version, id, memory */

/* What one QEMU was told of the vectors of one of the two. */
struct told {
	int64_t id;
	unsigned n_vectors;
};

struct side {
	struct pair *pair;
	enum pair_side index;
	const struct pair_socket *socket;
	int listen_fd;
	struct wl_event_source *listen_source;

	int fd; // connected; -1
	struct wl_event_source *source;
	int64_t id; // -1 while not connected
	int vectors[PAIR_VECTORS]; // -1 while not connected
	unsigned n_greetings; // sent
	struct told told[PAIR_SIDES];
};

struct pair {
	struct wl_event_loop *loop;
	int memory_fd;
	int64_t next_id;
	struct pair_socket sockets[PAIR_SIDES];
	struct side sides[PAIR_SIDES];
};

static const char *const names[PAIR_SIDES] = {"GUI VM", "application VM"};

static void drop(struct side *side, const char *reason);

struct message {
	int64_t number;
	int fd; // -1: none
	enum pair_side of; // the one whose vectors it is about, after the greetings
};

static bool next_vector(const struct side *side, enum pair_side of, struct message *message) {
	const struct side *other = &side->pair->sides[of];
	const struct told *told = &side->told[of];
	*message = (struct message){.number = told->id, .fd = -1, .of = of};
	if (told->n_vectors > 0 && told->id != other->id) {
		return true; // what it knew of left
	}
	if (other->fd < 0 || told->n_vectors == PAIR_VECTORS) {
		return false;
	}
	message->number = other->id;
	message->fd = other->vectors[told->n_vectors];
	return true;
}

static enum pair_side other_of(enum pair_side side) {
	return side == PAIR_GUIVM ? PAIR_APPVM : PAIR_GUIVM;
}

/* What this QEMU is to be told next; false when it knows everything. */
static bool next_message(const struct side *side, struct message *message) {
	const struct message greetings[GREETINGS] = {
		{.number = PROTOCOL_VERSION, .fd = -1},
		{.number = side->id, .fd = -1},
		{.number = MEMORY_ID, .fd = side->pair->memory_fd},
	};
	if (side->n_greetings < GREETINGS) {
		*message = greetings[side->n_greetings];
		return true;
	}
	return next_vector(side, other_of(side->index), message) ||
		next_vector(side, side->index, message);
}

static void note_sent(struct side *side, const struct message *message) {
	if (side->n_greetings < GREETINGS) {
		side->n_greetings++;
		return;
	}
	struct told *told = &side->told[message->of];
	told->id = message->number;
	told->n_vectors = message->fd >= 0 ? told->n_vectors + 1 : 0;
}

static void tell(struct side *side) {
	struct message message;
	while (side->fd >= 0 && next_message(side, &message)) {
		int64_t number = (int64_t)htole64((uint64_t)message.number);
		ssize_t sent = fd_send(side->fd, &number, sizeof(number), &message.fd,
				message.fd >= 0 ? 1 : 0);
		if (sent < 0 && errno == EAGAIN) {
			wl_event_source_fd_update(side->source,
				WL_EVENT_READABLE | WL_EVENT_WRITABLE);
			return;
		}
		if (sent != sizeof(number)) {
			drop(side, "cannot be sent to");
			return;
		}
		note_sent(side, &message);
	}
	if (side->fd >= 0) {
		wl_event_source_fd_update(side->source, WL_EVENT_READABLE);
	}
}

static void forget_connection(struct side *side) {
	if (side->source != NULL) {
		wl_event_source_remove(side->source);
		side->source = NULL;
	}
	fd_close(&side->fd);
	for (unsigned i = 0; i < PAIR_VECTORS; i++) {
		fd_close(&side->vectors[i]);
	}
	side->id = -1;
}

static void drop(struct side *side, const char *reason) {
	struct side *other = &side->pair->sides[other_of(side->index)];
	log_info("the %s's QEMU %s", names[side->index], reason);
	forget_connection(side);
	if (other->fd >= 0) {
		eventfd_write(other->vectors[PAIR_VECTOR_LEFT], 1);
		tell(other);
	}
}

/* Whether the connection is still there. */
static bool check_connection(struct side *side) {
	char byte;
	ssize_t count = recv(side->fd, &byte, sizeof(byte), MSG_DONTWAIT);
	if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
		return true;
	}
	drop(side, count > 0 ? "sent something, which it must not: dropped" : "left");
	return false;
}

static int handle_connection(int fd, uint32_t mask, void *data) {
	struct side *side = data;
	if (check_connection(side)) {
		tell(side);
	}
	return 0;
}

static bool connection_start(struct side *side, int fd) {
	side->fd = fd;
	side->id = side->pair->next_id++;
	side->n_greetings = 0;
	memset(side->told, 0, sizeof(side->told));
	for (unsigned i = 0; i < PAIR_VECTORS; i++) {
		side->vectors[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (side->vectors[i] < 0) {
			return false;
		}
	}
	side->source = wl_event_loop_add_fd(side->pair->loop, fd, WL_EVENT_READABLE,
			handle_connection, side);
	return side->source != NULL;
}

static bool is_allowed(struct side *side, int fd, struct ucred *peer) {
	socklen_t size = sizeof(*peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) < 0) {
		return false;
	}
	if (peer->uid != side->socket->uid) {
		log_error("%s: a connection of user %u was refused", side->socket->path,
			(unsigned)peer->uid);
		return false;
	}
	// One that was killed may not have been seen to be gone yet.
	if (side->fd >= 0 && check_connection(side)) {
		log_error("%s: a second connection was refused", side->socket->path);
		return false;
	}
	if (side->pair->sides[other_of(side->index)].fd < 0) {
		side->pair->next_id = 0;
	}
	if (side->pair->next_id >= PAIR_IDS) {
		log_error("%s: no more connections until both QEMUs ended", side->socket->path);
		return false;
	}
	return true;
}

static int handle_listening(int listen_fd, uint32_t mask, void *data) {
	struct side *side = data;
	struct ucred peer;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 || !is_allowed(side, fd, &peer)) {
		fd_close(&fd);
		return 0;
	}
	if (!connection_start(side, fd)) {
		log_errno("%s", side->socket->path);
		forget_connection(side);
		return 0;
	}
	log_info("the %s's QEMU connected, process %d", names[side->index], (int)peer.pid);
	tell(side);
	tell(&side->pair->sides[other_of(side->index)]);
	return 0;
}

static bool side_listen(struct side *side, char *error, size_t error_size) {
	// Nobody else, from the first moment on; who may connect at all is told by the user below.
	mode_t mask = umask(0177);
	side->listen_fd = rendezvous_listen(side->socket->path, error, error_size);
	umask(mask);
	if (side->listen_fd < 0) {
		return false;
	}
	if (side->socket->uid != geteuid() && chmod(side->socket->path, 0666) < 0) {
		return transport_error(error, error_size, "%s: %s", side->socket->path,
				strerror(errno));
	}
	side->listen_source = wl_event_loop_add_fd(side->pair->loop, side->listen_fd,
			WL_EVENT_READABLE, handle_listening, side);
	return side->listen_source != NULL ||
		transport_error(error, error_size, "%s: out of memory", side->socket->path);
}

static bool make_memory(struct pair *pair, uint64_t size, char *error, size_t error_size) {
	if (size < PAIR_MEMORY_LEAST || size > PAIR_MEMORY_MOST || (size & (size - 1)) != 0) {
		return transport_error(error, error_size,
			"memory of %llu bytes: not a power of two from 2M to 1G",
			(unsigned long long)size);
	}
	pair->memory_fd = fd_memory("isthmus-ivshmem", size);
	if (pair->memory_fd < 0 || fcntl(pair->memory_fd, F_ADD_SEALS,
			F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		return transport_error(error, error_size, "memory of %llu bytes: %s",
				(unsigned long long)size, strerror(errno));
	}
	return true;
}

struct pair *pair_create(struct wl_event_loop *loop, uint64_t memory_bytes,
		const struct pair_socket sockets[PAIR_SIDES], char *error, size_t error_size) {
	struct pair *pair = calloc(1, sizeof(*pair));
	if (pair == NULL) {
		transport_error(error, error_size, "out of memory");
		return NULL;
	}
	pair->loop = loop;
	pair->memory_fd = -1;
	for (unsigned i = 0; i < PAIR_SIDES; i++) {
		pair->sockets[i] = sockets[i];
		pair->sides[i] = (struct side){
			.pair = pair,
			.index = i,
			.id = -1,
			.socket = &pair->sockets[i],
			.listen_fd = -1,
			.fd = -1,
			.vectors = {-1, -1},
		};
	}
	bool ok = make_memory(pair, memory_bytes, error, error_size);
	for (unsigned i = 0; ok && i < PAIR_SIDES; i++) {
		ok = side_listen(&pair->sides[i], error, error_size);
	}
	if (!ok) {
		pair_destroy(pair);
		return NULL;
	}
	return pair;
}

void pair_destroy(struct pair *pair) {
	if (pair == NULL) {
		return;
	}
	for (unsigned i = 0; i < PAIR_SIDES; i++) {
		struct side *side = &pair->sides[i];
		forget_connection(side);
		if (side->listen_source != NULL) {
			wl_event_source_remove(side->listen_source);
		}
		if (side->listen_fd >= 0) {
			unlink(side->socket->path);
		}
		fd_close(&side->listen_fd);
	}
	fd_close(&pair->memory_fd);
	free(pair);
}
