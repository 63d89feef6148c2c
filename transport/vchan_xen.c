/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "transport/xen.h"

#define NOTIFY_WRITE 1u
#define NOTIFY_READ 2u

struct vchan_xen {
	struct vchan_rings base;
	struct xen_session *session; // once it was connected; held
};

static struct xen *xen_of(struct vchan_rings *vchan) {
	return (struct xen *)vchan->base.transport;
}

/* Each end has a byte in which it asks to be notified of what the other does. */
void vchan_xen_connect(struct vchan_rings *base) {
	struct vchan_xen *vchan = (struct vchan_xen *)base;
	struct xen_session *session = xen_session_ref(xen_of(base)->session);
	struct xen_vchan_page *page = session->page;
	uint8_t *ours = session->is_server ? &page->client_notify : &page->server_notify;
	uint8_t *theirs = session->is_server ? &page->server_notify : &page->client_notify;
	struct ring_words left = {.producer = &page->left_producer,
		.consumer = &page->left_consumer};
	struct ring_words right = {.producer = &page->right_producer,
		.consumer = &page->right_consumer};
	struct ring_words *in = session->is_server ? &left : &right;
	struct ring_words *out = session->is_server ? &right : &left;
	in->reader_wants = (struct ring_wish){ours, NOTIFY_WRITE};
	in->writer_wants = (struct ring_wish){theirs, NOTIFY_READ};
	out->reader_wants = (struct ring_wish){theirs, NOTIFY_WRITE};
	out->writer_wants = (struct ring_wish){ours, NOTIFY_READ};
	ring_init_words(&base->in, in, session->in_bytes, session->in_size);
	ring_init_words(&base->out, out, session->out_bytes, session->out_size);
	vchan->session = session;
	vchan_rings_connect(base);
}

static void xen_finish(struct vchan_rings *base) {
	xen_session_unref(xen_of(base), ((struct vchan_xen *)base)->session);
}

static const struct vchan_rings_impl vchan_xen_impl = {
	.ring_bell = session_vchan_ring_bell,
	.leave = session_vchan_leave,
	.finish = xen_finish,
};

struct vchan *vchan_xen_create(struct transport *transport) {
	struct vchan_xen *vchan = calloc(1, sizeof(*vchan));
	if (vchan == NULL || !session_add_vchan((struct session_transport *)transport,
			&vchan->base, &vchan_xen_impl)) {
		free(vchan);
		return NULL;
	}
	return &vchan->base.base;
}
