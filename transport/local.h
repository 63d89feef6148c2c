/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_LOCAL_H
#define ISTHMUS_TRANSPORT_LOCAL_H

#include <stddef.h>
#include <stdint.h>

#include "transport/backend.h"
#include "transport/rendezvous.h"
#include "transport/ring.h"

struct wl_event_source;

/*
 * The local backend: two processes of one kernel. The GUI side listens at DIR/vchan, the other
 * connects, and the GUI side answers with one message (struct local_hello) that carries two or
 * three descriptors: the memory of both rings, one end of a socket pair for page sharing, a bell.
 * So a vchan and the pages that belong to it come from the same peer whatever the order of calls,
 * and pages are connected before the first byte of the vchan can be.
 *
 * The connection itself stays: its end is the peer's, and each byte on it is a doorbell. If a third
 * descriptor came with the greeting, the application side rings that, an eventfd, which costs half
 * as much. Both ends share its open file description, so a hostile application side can make it
 * blocking (F_SETFL): the GUI side reads it with RWF_NOWAIT alone, and never writes it, since there
 * is no such flag for that and a full counter would hang it. MSG_DONTWAIT is the caller's own. A
 * pipe is no way out either: who writes memory that faults for ever keeps it locked meanwhile.
 */
#define LOCAL_HELLO_MAGIC 0x4d485349u /* "ISHM" */
#define LOCAL_HELLO_VERSION 2
#define LOCAL_RING_ORDER_MIN 12
#define LOCAL_RING_ORDER_MAX 24
#define LOCAL_RING_ORDER 18
#define LOCAL_RINGS_OFFSET 4096 /* where the rings' bytes begin; their indices are before */

struct local_hello {
	uint32_t magic;
	uint32_t version;
	uint32_t to_guivm_order; // log2 of the ring's size in bytes; this ring comes first
	uint32_t to_appvm_order;
};

/* The start of the shared memory. */
struct local_shared {
	struct ring_shared to_guivm;
	struct ring_shared to_appvm;
};

/* What a peer's arrival brings; each half is handed out once. Unset: fds -1, memory NULL. */
struct local_session {
	int doorbell_fd;
	int bell_fd; // eventfd that the application side rings, or -1: it rings doorbell_fd
	void *memory;
	size_t memory_size;
	uint32_t to_guivm_size, to_appvm_size;
	int pages_fd;
};

struct local {
	struct transport base;
	char *path; // DIR/vchan
	int listen_fd; // GUI side
	struct wl_event_source *source; // of listen_fd while waiting, or of peer_fd
	int peer_fd; // the other side: connected, hello not yet here
	struct rendezvous rendezvous; // the other side
	struct local_session session;
	struct wl_event_source *idle;
	uint64_t next_token; // sharer: names regions, never twice
};

/* Called by a vchan or pages that began or ceased to wait: looks for a peer or stops looking. */
void local_update(struct local *local);

/* An eventfd that this end can read without ever waiting, or -1. */
int vchan_local_make_bell(void);

/* Give the session's half to the one that waits, who owns its descriptors and memory then. */
void vchan_local_connect(struct vchan *vchan, struct local_session *session);
void pages_local_connect(struct pages *pages, int socket_fd);
/* Waiting is over without a peer. */
void pages_local_disconnect(struct pages *pages);

struct vchan *vchan_local_create(struct transport *transport);
struct pages *pages_local_create(struct transport *transport, uint64_t max_bytes);
bool pages_local_is_waiting(const struct pages *pages);

#endif
