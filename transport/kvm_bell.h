/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_KVM_BELL_H
#define ISTHMUS_TRANSPORT_KVM_BELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/rendezvous.h"
#include "transport/transport.h"
#include "transport/vfio.h"
#include "transport/vsock.h"

struct wl_event_loop;
struct wl_event_source;

/*
 * The bell of a kvm transport: a way for each end to say "look at the memory", and the knowledge
 * whether the other end is there.
 *
 *   serial:PATH     a character device, in virtual machines a virtio-serial port whose chardev is
 *                   joined to the other machine's. It is down while the other QEMU is not there.
 *                   That a process in the other machine ended, it does not tell.
 *   vsock:CID:PORT  a connection between the two machines; the GUI side listens, and accepts
 *                   connections of that CID only. It goes down with the other process, and with
 *                   the other machine as soon as the host's vsock device tells.
 *   doorbell:ADDRESS  interrupts of an ivshmem-doorbell device that is bound to vfio-pci. It is
 *                   always up: that the other machine ended it tells when isthmus-ivshmem-server is
 *                   the device's server, by going down for a moment; that a process ended, never.
 *   unix:PATH       a unix socket; the GUI side listens. For two processes of one machine (tests).
 */
struct kvm_bell;

struct kvm_bell_impl {
	const char *prefix; // with the ':'
	/* name is what follows the prefix, and not empty. Both write one line into error. */
	bool (*check)(const char *name, char *error, size_t error_size);
	bool (*open)(struct kvm_bell *bell, char *error, size_t error_size);
	/* Also undoes what an open() that failed had done. */
	void (*close)(struct kvm_bell *bell);
	void (*ring)(struct kvm_bell *bell);
};

/* serial */
struct bell_port {
	int fd;
	int epoll_fd; // for while the port is hung up: tells when it is not
};

/* doorbell */
struct bell_doorbell {
	struct vfio_device device;
	struct wl_event_source *left_source; // the other machine left
	struct wl_event_source *back; // idle: up again
};

/* unix, vsock */
struct bell_socket {
	int fd; // connected; -1
	int listen_fd; // GUI side
	struct wl_event_source *listen_source;
	struct rendezvous rendezvous; // unix, application side
	struct vsock_search search; // vsock, application side; its address on both
};

struct kvm_bell {
	const struct kvm_bell_impl *impl; // NULL: not open
	enum transport_role role;
	struct wl_event_loop *loop; // borrowed
	char *name; // owned
	/* Called from the event loop when the bell was rung or up changed. */
	void (*handle)(void *data);
	void *data;
	bool up;
	// By what number the other end is to ring this one, and where the other's is; 0: none.
	uint32_t own_id;
	const uint32_t *peer_id; // in shared memory, set by the caller
	struct wl_event_source *source; // of the port, the connected socket or the ring's interrupt
	union {
		struct bell_doorbell doorbell;
		struct bell_port port;
		struct bell_socket socket;
	};
};

/* Checks "KIND:NAME". One line in error. */
bool kvm_bell_check(const char *text, char *error, size_t error_size);

/* text was checked. bell->handle and data are the caller's. false with one line in error. */
bool kvm_bell_open(struct kvm_bell *bell, struct wl_event_loop *loop, const char *text,
		enum transport_role role, char *error, size_t error_size);
/* Harmless when it is not open. */
void kvm_bell_close(struct kvm_bell *bell);

/* Nothing happens while it is down. */
void kvm_bell_ring(struct kvm_bell *bell);

/* For kinds of bells: how many rings are taken at once at most, so that a peer which rings without
 * end does not keep us. */
#define KVM_BELL_RINGS_PER_WAKE 4096

extern const struct kvm_bell_impl kvm_bell_doorbell, kvm_bell_serial, kvm_bell_unix,
	kvm_bell_vsock;

/* The device of a bell that is one, or NULL. It lives as long as the bell is open. */
const struct vfio_device *kvm_bell_device(const struct kvm_bell *bell);

#endif
