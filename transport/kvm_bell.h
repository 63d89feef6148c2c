/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_KVM_BELL_H
#define ISTHMUS_TRANSPORT_KVM_BELL_H

#include <stdbool.h>
#include <stddef.h>

#include "transport/rendezvous.h"
#include "transport/transport.h"

struct wl_event_loop;
struct wl_event_source;

/*
 * The bell of a kvm transport: a byte each way that says "look at the memory", and the knowledge
 * whether the other end is there.
 *
 *   serial:PATH  a character device, in virtual machines a virtio-serial port whose chardev is
 *                joined to the other machine's. It is down while the other QEMU is not there. That
 *                a process in the other machine ended, it does not tell.
 *   unix:PATH    a unix socket; the GUI side listens. For two processes of one machine (tests).
 */
enum kvm_bell_kind {
	KVM_BELL_SERIAL,
	KVM_BELL_UNIX,
};

struct kvm_bell {
	enum kvm_bell_kind kind;
	enum transport_role role;
	struct wl_event_loop *loop; // borrowed
	char *path; // owned
	/* Called from the event loop when the bell was rung or up changed. */
	void (*handle)(void *data);
	void *data;
	bool up;
	int fd; // the port, or the connected socket; -1
	int listen_fd; // KVM_BELL_UNIX, GUI side
	int epoll_fd; // KVM_BELL_SERIAL: a port without peer is hung up until it is not
	struct wl_event_source *source; // of fd, epoll_fd or listen_fd
	struct rendezvous rendezvous; // KVM_BELL_UNIX, application side
};

/* Checks "KIND:PATH". One line in error. */
bool kvm_bell_check(const char *text, char *error, size_t error_size);

/* text was checked. bell->handle and data are the caller's. false with one line in error. */
bool kvm_bell_open(struct kvm_bell *bell, struct wl_event_loop *loop, const char *text,
		enum transport_role role, char *error, size_t error_size);
void kvm_bell_close(struct kvm_bell *bell);

/* Nothing happens while it is down. */
void kvm_bell_ring(struct kvm_bell *bell);

#endif
