/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/vchan.h"

#include <errno.h>
#include <wayland-server-core.h>

#include "transport/backend.h"

void vchan_init(struct vchan *vchan, const struct vchan_impl *impl, struct transport *transport) {
	vchan->impl = impl;
	vchan->transport = transport;
	vchan->state = VCHAN_WAITING;
	vchan->reason = "";
	transport->vchan = vchan;
}

void vchan_finish(struct vchan *vchan) {
	if (vchan->idle != NULL) {
		wl_event_source_remove(vchan->idle);
	}
	vchan->transport->vchan = NULL;
}

void vchan_notify(struct vchan *vchan) {
	vchan->handler(vchan, vchan->data);
}

static void vchan_handle_idle(void *data) {
	struct vchan *vchan = data;
	// The loop frees the source after this callback, and the handler may free the vchan.
	vchan->idle = NULL;
	vchan_notify(vchan);
}

/* For all that is not itself at a callback's end. */
static void vchan_notify_later(struct vchan *vchan) {
	if (vchan->idle == NULL) {
		vchan->idle = wl_event_loop_add_idle(vchan->transport->loop, vchan_handle_idle,
				vchan);
	}
}

void vchan_set_state(struct vchan *vchan, enum vchan_state state, const char *reason) {
	vchan->state = state;
	vchan->reason = reason != NULL ? reason : "";
	vchan_notify_later(vchan);
}

struct vchan *vchan_create(struct transport *transport, vchan_handler_func_t handler, void *data) {
	if (transport->vchan != NULL) {
		errno = EBUSY;
		return NULL;
	}
	struct vchan *vchan = transport->backend->vchan_create(transport);
	if (vchan != NULL) {
		vchan->handler = handler;
		vchan->data = data;
	}
	return vchan;
}

void vchan_destroy(struct vchan *vchan) {
	if (vchan != NULL) {
		vchan->impl->destroy(vchan);
	}
}

enum vchan_state vchan_state(struct vchan *vchan) {
	return vchan->state;
}

const char *vchan_reason(struct vchan *vchan) {
	return vchan->reason;
}

static ssize_t vchan_transfer_in(struct vchan *vchan, void *bytes, size_t size, bool all) {
	if (vchan->state == VCHAN_WAITING) {
		errno = ENOTCONN;
		return -1;
	}
	if (all && size > vchan->impl->limit(vchan)) {
		errno = EMSGSIZE;
		return -1;
	}
	return vchan->impl->read(vchan, bytes, size, all);
}

static ssize_t vchan_transfer_out(struct vchan *vchan, const void *bytes, size_t size, bool all) {
	if (vchan->state != VCHAN_CONNECTED) {
		errno = vchan->state == VCHAN_WAITING ? ENOTCONN : EPIPE;
		return -1;
	}
	if (all && size > vchan->impl->limit(vchan)) {
		errno = EMSGSIZE;
		return -1;
	}
	return vchan->impl->write(vchan, bytes, size, all);
}

ssize_t vchan_read(struct vchan *vchan, void *bytes, size_t size) {
	return vchan_transfer_in(vchan, bytes, size, false);
}

ssize_t vchan_write(struct vchan *vchan, const void *bytes, size_t size) {
	return vchan_transfer_out(vchan, bytes, size, false);
}

ssize_t vchan_recv(struct vchan *vchan, void *bytes, size_t size) {
	return vchan_transfer_in(vchan, bytes, size, true);
}

ssize_t vchan_send(struct vchan *vchan, const void *bytes, size_t size) {
	return vchan_transfer_out(vchan, bytes, size, true);
}

size_t vchan_data_ready(struct vchan *vchan) {
	return vchan->state == VCHAN_WAITING ? 0 : vchan->impl->data_ready(vchan);
}

size_t vchan_buffer_space(struct vchan *vchan) {
	return vchan->state != VCHAN_CONNECTED ? 0 : vchan->impl->buffer_space(vchan);
}
