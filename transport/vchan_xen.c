/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "transport/xen.h"

#define NOTIFY_WRITE 1u
#define NOTIFY_READ 2u

struct vchan_xen {
	struct vchan base;
	struct xen_session *session; // once it was connected; held
	struct ring in, out;
};

static struct xen *xen_of(struct vchan_xen *vchan) {
	return (struct xen *)vchan->base.transport;
}

void vchan_xen_disconnect(struct vchan *base, const char *reason) {
	struct vchan_xen *vchan = (struct vchan_xen *)base;
	if (base->state == VCHAN_DISCONNECTED) {
		return;
	}
	if (vchan->session != NULL) {
		ring_close(&vchan->in);
	}
	vchan_set_state(base, VCHAN_DISCONNECTED, reason);
}

static void leave(struct xen *xen) {
	xen_leave(xen);
	if (xen->base.pages != NULL) {
		pages_xen_disconnect(xen->base.pages);
	}
}

/* Nothing in the rings can be believed any more, not even what the peer wrote before. */
static void fail_ring(struct vchan_xen *vchan) {
	vchan_xen_disconnect(&vchan->base, "ring index out of range");
	vchan->in.index = vchan->in.last;
	leave(xen_of(vchan));
}

/* Each end has a byte in which it asks to be notified of what the other does. */
void vchan_xen_connect(struct vchan *base) {
	struct vchan_xen *vchan = (struct vchan_xen *)base;
	if (base->state != VCHAN_WAITING) {
		return;
	}
	struct xen_session *session = xen_session_ref(xen_of(vchan)->session);
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
	ring_init_words(&vchan->in, in, session->in_bytes, session->in_size);
	ring_init_words(&vchan->out, out, session->out_bytes, session->out_size);
	vchan->session = session;
	vchan_set_state(base, VCHAN_CONNECTED, NULL);
}

void vchan_xen_look(struct vchan *base) {
	if (base->state == VCHAN_CONNECTED) {
		vchan_notify(base);
	}
}

static ssize_t xen_read(struct vchan *base, void *bytes, size_t size, bool all) {
	struct vchan_xen *vchan = (struct vchan_xen *)base;
	if (vchan->session == NULL) {
		errno = EPIPE;
		return -1;
	}
	bool doorbell = false;
	ssize_t count = ring_read(&vchan->in, bytes, size, all, &doorbell);
	if (count < 0 && base->state == VCHAN_CONNECTED) {
		fail_ring(vchan);
	}
	if (count <= 0 && base->state == VCHAN_DISCONNECTED && size > 0) {
		errno = EPIPE;
		return -1;
	}
	if (doorbell && base->state == VCHAN_CONNECTED) {
		xen_ring_bell(vchan->session);
	}
	return count;
}

static ssize_t xen_write(struct vchan *base, const void *bytes, size_t size, bool all) {
	struct vchan_xen *vchan = (struct vchan_xen *)base;
	bool doorbell = false;
	ssize_t count = ring_write(&vchan->out, bytes, size, all, &doorbell);
	if (count < 0) {
		fail_ring(vchan);
		errno = EPIPE;
		return -1;
	}
	if (doorbell) {
		xen_ring_bell(vchan->session);
	}
	return count;
}

static size_t count_or_fail(struct vchan_xen *vchan, ssize_t count) {
	if (count < 0 && vchan->base.state == VCHAN_CONNECTED) {
		fail_ring(vchan);
	}
	return count < 0 ? 0 : (size_t)count;
}

static size_t xen_data_ready(struct vchan *base) {
	struct vchan_xen *vchan = (struct vchan_xen *)base;
	return vchan->session != NULL ? count_or_fail(vchan, ring_readable(&vchan->in)) : 0;
}

static size_t xen_buffer_space(struct vchan *base) {
	struct vchan_xen *vchan = (struct vchan_xen *)base;
	return count_or_fail(vchan, ring_writable(&vchan->out));
}

static size_t xen_limit(struct vchan *base) {
	struct vchan_xen *vchan = (struct vchan_xen *)base;
	return vchan->session != NULL && vchan->in.size < vchan->out.size ? vchan->in.size
		: vchan->session != NULL ? vchan->out.size : XEN_RING_BYTES;
}

static void xen_destroy(struct vchan *base) {
	struct vchan_xen *vchan = (struct vchan_xen *)base;
	struct xen *xen = xen_of(vchan);
	vchan_finish(base);
	leave(xen);
	xen_session_unref(xen, vchan->session);
	free(vchan);
}

static const struct vchan_impl vchan_xen_impl = {
	.destroy = xen_destroy,
	.read = xen_read,
	.write = xen_write,
	.data_ready = xen_data_ready,
	.buffer_space = xen_buffer_space,
	.limit = xen_limit,
};

struct vchan *vchan_xen_create(struct transport *transport) {
	struct xen *xen = (struct xen *)transport;
	struct vchan_xen *vchan = calloc(1, sizeof(*vchan));
	if (vchan == NULL) {
		return NULL;
	}
	xen_join(xen, &xen->vchan_took); // first: it ends what there was before
	vchan_init(&vchan->base, &vchan_xen_impl, transport);
	if (xen_is_connected(xen)) {
		vchan_xen_connect(&vchan->base);
	}
	return &vchan->base;
}
