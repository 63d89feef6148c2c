/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/vm_sockets.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "common/log.h"
#include "transport/backend.h"
#include "transport/kvm_bell.h"

static void look_for_peer(struct kvm_bell *bell);

static bool is_vsock(const struct kvm_bell *bell) {
	return bell->impl == &kvm_bell_vsock;
}

static void stop_listening(struct kvm_bell *bell) {
	if (bell->socket.listen_source != NULL) {
		wl_event_source_remove(bell->socket.listen_source);
		bell->socket.listen_source = NULL;
	}
}

static void lose_peer(struct kvm_bell *bell) {
	bool was_up = bell->up;
	wl_event_source_remove(bell->source);
	bell->source = NULL;
	fd_close(&bell->socket.fd);
	bell->up = false;
	look_for_peer(bell);
	if (was_up) {
		bell->handle(bell->data);
	}
}

static int handle_socket(int fd, uint32_t mask, void *data) {
	struct kvm_bell *bell = data;
	char bytes[KVM_BELL_RINGS_PER_WAKE];
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
	bell->source = wl_event_loop_add_fd(bell->loop, bell->socket.fd, WL_EVENT_READABLE,
			handle_socket, bell);
	if (bell->source == NULL) {
		fd_close(&bell->socket.fd);
		log_error("%s: out of memory", bell->name);
	}
	return bell->source != NULL;
}

static int handle_listening(int fd, uint32_t mask, void *data) {
	struct kvm_bell *bell = data;
	if (bell->up) {
		// The next peer has to wait for the end of this one. Should this one's machine be
		// gone, and nobody told, then the one in its place answers the ring by a reset.
		stop_listening(bell);
		kvm_bell_ring(bell);
		return 0;
	}
	int peer_fd = is_vsock(bell) ? vsock_accept(fd, &bell->socket.search.address)
				     : accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (peer_fd < 0) {
		return 0;
	}
	bell->socket.fd = peer_fd;
	if (watch_socket(bell)) {
		bell->up = true;
		kvm_bell_ring(bell);
		bell->handle(bell->data);
	}
	return 0;
}

static void handle_found(int fd, void *data) {
	struct kvm_bell *bell = data;
	if (fd < 0) {
		log_errno("bell %s%s", bell->impl->prefix, bell->name);
		return;
	}
	bell->socket.fd = fd;
	watch_socket(bell);
}

static void look_for_peer(struct kvm_bell *bell) {
	struct bell_socket *socket = &bell->socket;
	if (bell->role == TRANSPORT_APPVM) {
		if (is_vsock(bell) ? !vsock_search_start(&socket->search)
				   : !rendezvous_start(&socket->rendezvous)) {
			log_errno("bell %s%s", bell->impl->prefix, bell->name);
		}
		return;
	}
	if (socket->listen_source == NULL) {
		socket->listen_source = wl_event_loop_add_fd(bell->loop, socket->listen_fd,
				WL_EVENT_READABLE, handle_listening, bell);
	}
	if (socket->listen_source == NULL) {
		log_error("%s: out of memory", bell->name);
	}
}

static void prepare(struct kvm_bell *bell) {
	struct bell_socket *socket = &bell->socket;
	socket->fd = socket->listen_fd = -1;
	socket->listen_source = NULL;
	rendezvous_init(&socket->rendezvous, bell->loop, bell->name, handle_found, bell);
	vsock_search_init(&socket->search, bell->loop, handle_found, bell);
}

static bool unix_check(const char *name, char *error, size_t error_size) {
	return rendezvous_path_check(name, error, error_size);
}

static bool unix_open(struct kvm_bell *bell, char *error, size_t error_size) {
	prepare(bell);
	if (bell->role == TRANSPORT_GUIVM) {
		bell->socket.listen_fd = rendezvous_listen(bell->name, error, error_size);
		if (bell->socket.listen_fd < 0) {
			return false;
		}
	}
	look_for_peer(bell);
	return true;
}

static bool vsock_check(const char *name, char *error, size_t error_size) {
	struct vsock_address address;
	return vsock_parse(name, "transport kvm: bell vsock", &address, error, error_size);
}

static bool vsock_open(struct kvm_bell *bell, char *error, size_t error_size) {
	prepare(bell);
	struct vsock_address *address = &bell->socket.search.address;
	vsock_parse(bell->name, "", address, error, error_size);
	if (bell->role == TRANSPORT_APPVM && address->cid == VMADDR_CID_ANY) {
		return transport_error(error, error_size,
			"transport kvm: bell \"vsock:%s\": the CID to connect to is missing",
			bell->name);
	}
	if (bell->role == TRANSPORT_GUIVM) {
		bell->socket.listen_fd = vsock_listen(address, error, error_size);
		if (bell->socket.listen_fd < 0) {
			return false;
		}
	}
	look_for_peer(bell);
	return true;
}

static void socket_close(struct kvm_bell *bell) {
	rendezvous_stop(&bell->socket.rendezvous);
	vsock_search_stop(&bell->socket.search);
	stop_listening(bell);
	if (bell->socket.listen_fd >= 0 && !is_vsock(bell)) {
		unlink(bell->name); // best effort, as in the local backend
	}
	fd_close(&bell->socket.listen_fd);
	fd_close(&bell->socket.fd);
}

static void socket_ring(struct kvm_bell *bell) {
	// EAGAIN: the other end has thousands of rings to come yet.
	ssize_t count = send(bell->socket.fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)count;
}

const struct kvm_bell_impl kvm_bell_unix = {
	.prefix = "unix:",
	.check = unix_check,
	.open = unix_open,
	.close = socket_close,
	.ring = socket_ring,
};

const struct kvm_bell_impl kvm_bell_vsock = {
	.prefix = "vsock:",
	.check = vsock_check,
	.open = vsock_open,
	.close = socket_close,
	.ring = socket_ring,
};
