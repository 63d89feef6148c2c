/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_VCHAN_RINGS_H
#define ISTHMUS_TRANSPORT_VCHAN_RINGS_H

#include "transport/backend.h"
#include "transport/ring.h"

/*
 * The vchan of every backend whose bytes lie in two rings of shared memory (kvm, local, xen). The
 * backend finds the peer, knows where the rings lie and how the peer is woken.
 */
struct vchan_rings;

struct vchan_rings_impl {
	/* Wakes the peer. Only while connected. */
	void (*ring_bell)(struct vchan_rings *vchan);
	/* The connection is over on this side, for the peer to notice: the rings cannot be
	 * believed, or the vchan is being destroyed, also one that was never connected. */
	void (*leave)(struct vchan_rings *vchan);
	/* Frees what the backend added. The transport has no vchan any more. NULL: nothing. */
	void (*finish)(struct vchan_rings *vchan);
	/* Before bytes are written: what was stored before them comes first. NULL: it does. */
	void (*flush_writes)(void);
};

/* First member of the backend's vchan, which calloc() made. */
struct vchan_rings {
	struct vchan base;
	const struct vchan_rings_impl *impl;
	bool has_rings; // it was connected once: what the peer wrote can be read
	struct ring in, out;
};

/* Freed with free() by vchan_destroy(). */
void vchan_rings_init(struct vchan_rings *vchan, const struct vchan_rings_impl *impl,
		struct transport *transport);

/* The rings are set, and what they lie in stays until finish(). */
void vchan_rings_connect(struct vchan_rings *vchan);

/* reason is static. Does nothing to one that is disconnected. Calls no handler. */
void vchan_rings_disconnect(struct vchan_rings *vchan, const char *reason);

#endif
