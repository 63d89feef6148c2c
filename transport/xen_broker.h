/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_XEN_BROKER_H
#define ISTHMUS_TRANSPORT_XEN_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A process beside the one that reads a VM's rings, with the privileges that the latter gives up.
 * It finds the VM's vchan in XenStore and maps what that VM granted, for the domain that its name
 * stands for and no other, whatever it is asked: so a relay that is taken over reaches nothing of
 * another VM's. It ends when the other closes its sockets.
 *
 * Of what the VM wrote it reads the two numbers in XenStore, the head of the vchan's page and the
 * directories of page references, all copied first; they are grant references, a port and two
 * orders, and all that they can name is what the VM itself granted to this domain.
 */
struct xen_broker;

/* A connection's descriptors and where in gntdev_fd each part lies; or, with released_token, what
 * became of one of its exports. */
struct xen_offer {
	uint32_t serial; // of the xen_broker_look() that it answers
	uint32_t released_token; // not 0: nobody has that dma-buf any more, and nothing else counts
	uint32_t connected; // 0: that connection is over
	uint32_t left_order, right_order;
	uint32_t port;
	uint32_t has_acks;
	uint64_t page_index, left_index, right_index, acks_index;
	uint64_t generation; // of the peer's acks page
};

/* Forks it. peer, name: as in struct xen. NULL: error as in transport_open(). */
struct xen_broker *xen_broker_open(const char *peer, const char *name, char *error,
		size_t error_size);
void xen_broker_close(struct xen_broker *broker);

/* Readable when xen_broker_take() has something. */
int xen_broker_fd(const struct xen_broker *broker);
/* false: nothing now. With offer->connected gntdev_fd and event_fd are the caller's. */
bool xen_broker_take(struct xen_broker *broker, struct xen_offer *offer, int *gntdev_fd,
		int *event_fd);

/* Looks for the next connection, which will have this serial; ends the last one. 0: for none. */
void xen_broker_look(struct xen_broker *broker, uint32_t serial);
/* Maps n_pages pages of the VM, named by a directory: a descriptor to be mapped at 0 by one process
 * at a time, or -1 with errno. Waits for the answer. */
int xen_broker_map(struct xen_broker *broker, uint32_t untrusted_directory, uint32_t n_pages);

/* The same as a dma-buf, the caller's, which token (not 0) names among this connection's. Where no
 * pages were exported on this connection yet, a failure is all that will ever come of it. */
int xen_broker_export(struct xen_broker *broker, uint32_t untrusted_directory, uint32_t n_pages,
		uint32_t token);
/* An offer comes with released_token as soon as nobody has that dma-buf any more. */
void xen_broker_watch(struct xen_broker *broker, uint32_t token);

/* A page of a directory: references, and the next one's own (0: none). */
#define XEN_DIRECTORY_REFS 1023u
struct xen_directory {
	uint32_t next;
	uint32_t refs[XEN_DIRECTORY_REFS];
};

#endif
