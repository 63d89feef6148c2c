/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_SESSION_H
#define ISTHMUS_TRANSPORT_SESSION_H

#include "transport/backend.h"
#include "transport/pages_acked.h"
#include "transport/vchan_rings.h"

/*
 * What the backends between machines (kvm, xen) have in common. A session is what one vchan and one
 * pages of either end share: they find the peer together and lose it together. The first of the
 * two that is created joins: it begins to look for the peer's end; the other takes part in the
 * same session, but a second vchan, or second pages, ends it and begins the next.
 *
 *   session_add_vchan(), session_add_pages()  ->  begin(), later look()
 *   look(), the backend's other callbacks     ->  session_connect(), then session_end()
 *   either is destroyed, or the rings broken  ->  session_leave() or session_end()
 */
struct session_transport;

struct session_impl {
	/* Starts to offer a session, or to look for one. false with errno. */
	bool (*begin)(struct session_transport *transport);
	/* Undoes begin() and tells the peer. Calls no handler. */
	void (*leave)(struct session_transport *transport);
	/* Looks what the peer did; called from the event loop, between begin() and leave(). */
	void (*look)(struct session_transport *transport);
	/* Makes the peer look. */
	void (*ring_bell)(struct session_transport *transport);
	/* Sets up the rings, which are theirs until they are destroyed. Nothing, where the peer has
	 * none for pages. */
	void (*connect_vchan)(struct vchan_rings *vchan);
	void (*connect_pages)(struct pages_acked *pages);
};

/* First member of the backend's transport. */
struct session_transport {
	struct transport base;
	const struct session_impl *impl; // the backend fills it in
	bool joined; // takes part in a session, or looks for one
	bool connected;
	// Which of the two took part in it: a second one belongs to the next.
	bool vchan_took, pages_took;
	struct wl_event_source *idle; // a look that is due, or NULL
};

/* Leaves and drops the look that is due. */
void session_finish(struct session_transport *transport);

/* Make vchan or pages, which calloc() made, the transport's. false with errno, when nothing was
 * done to them. unit: what the sizes of regions are multiples of, in bytes. */
bool session_add_vchan(struct session_transport *transport, struct vchan_rings *vchan,
		const struct vchan_rings_impl *impl);
bool session_add_pages(struct session_transport *transport, struct pages_acked *pages,
		const struct pages_acked_impl *impl, size_t unit, uint64_t max_bytes);

/* The peer took part. Calls no handler. */
void session_connect(struct session_transport *transport);
/* Does what look() and the handlers do. The last thing that a source's callback does. */
void session_look(struct session_transport *transport);
/* Ends it on this side and tells the peer; does nothing where there is none. Calls no handler. */
void session_leave(struct session_transport *transport);
/* The same, and vchan and pages are lost. reason is static. */
void session_end(struct session_transport *transport, const char *reason);

/* For struct vchan_rings_impl. */
void session_vchan_ring_bell(struct vchan_rings *vchan);
void session_vchan_leave(struct vchan_rings *vchan);

#endif
