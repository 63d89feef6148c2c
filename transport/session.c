/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/session.h"

#include <wayland-server-core.h>

static void connect_vchan(struct session_transport *transport) {
	struct vchan_rings *vchan = (struct vchan_rings *)transport->base.vchan;
	if (vchan != NULL && vchan->base.state == VCHAN_WAITING) {
		transport->impl->connect_vchan(vchan);
	}
}

static void connect_pages(struct session_transport *transport) {
	struct pages_acked *pages = (struct pages_acked *)transport->base.pages;
	if (pages != NULL && !pages->base.connected && !pages->lost) {
		transport->impl->connect_pages(pages);
	}
}

void session_connect(struct session_transport *transport) {
	transport->connected = true;
	connect_vchan(transport);
	connect_pages(transport);
}

void session_leave(struct session_transport *transport) {
	if (transport->joined) {
		transport->joined = transport->connected = false;
		transport->impl->leave(transport);
	}
}

void session_end(struct session_transport *transport, const char *reason) {
	session_leave(transport);
	if (transport->base.vchan != NULL) {
		vchan_rings_disconnect((struct vchan_rings *)transport->base.vchan, reason);
	}
	if (transport->base.pages != NULL) {
		pages_acked_disconnect((struct pages_acked *)transport->base.pages);
	}
}

void session_look(struct session_transport *transport) {
	if (transport->joined) {
		transport->impl->look(transport);
	}
	if (transport->base.pages != NULL) {
		pages_acked_look((struct pages_acked *)transport->base.pages);
	}
	if (transport->connected && transport->base.vchan != NULL &&
			transport->base.vchan->state == VCHAN_CONNECTED) {
		vchan_notify(transport->base.vchan);
	}
}

static void handle_idle(void *data) {
	struct session_transport *transport = data;
	transport->idle = NULL;
	session_look(transport);
}

static void look_later(struct session_transport *transport) {
	if (transport->idle == NULL) {
		transport->idle = wl_event_loop_add_idle(transport->base.loop, handle_idle,
				transport);
	}
}

static bool join(struct session_transport *transport, bool *took) {
	if (*took || !transport->joined) {
		session_end(transport, "the peer closed");
		if (!transport->impl->begin(transport)) {
			return false;
		}
		transport->joined = true;
		transport->vchan_took = transport->pages_took = false;
	}
	*took = true;
	look_later(transport);
	return true;
}

bool session_add_vchan(struct session_transport *transport, struct vchan_rings *vchan,
		const struct vchan_rings_impl *impl) {
	// First: it ends what there was before.
	if (!join(transport, &transport->vchan_took)) {
		return false;
	}
	vchan_rings_init(vchan, impl, &transport->base);
	if (transport->connected) {
		connect_vchan(transport);
	}
	return true;
}

bool session_add_pages(struct session_transport *transport, struct pages_acked *pages,
		const struct pages_acked_impl *impl, size_t unit, uint64_t max_bytes) {
	if (!join(transport, &transport->pages_took)) {
		return false;
	}
	pages_acked_init(pages, impl, &transport->base, unit, max_bytes);
	if (transport->connected) {
		connect_pages(transport);
	}
	return true;
}

void session_finish(struct session_transport *transport) {
	session_leave(transport);
	if (transport->idle != NULL) {
		wl_event_source_remove(transport->idle);
		transport->idle = NULL;
	}
}

void session_vchan_ring_bell(struct vchan_rings *vchan) {
	struct session_transport *transport = (struct session_transport *)vchan->base.transport;
	transport->impl->ring_bell(transport);
}

void session_vchan_leave(struct vchan_rings *vchan) {
	session_end((struct session_transport *)vchan->base.transport, "the peer closed");
}
