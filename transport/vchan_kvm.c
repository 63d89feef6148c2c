/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "transport/kvm.h"

struct vchan_kvm {
	struct vchan base;
	bool has_rings; // it was connected once: what the peer wrote can be read
	struct ring in, out;
};

static struct kvm *kvm_of(struct vchan_kvm *vchan) {
	return (struct kvm *)vchan->base.transport;
}

void vchan_kvm_disconnect(struct vchan *base, const char *reason) {
	struct vchan_kvm *vchan = (struct vchan_kvm *)base;
	if (base->state == VCHAN_DISCONNECTED) {
		return;
	}
	if (vchan->has_rings) {
		ring_close(&vchan->in);
	}
	vchan_set_state(base, VCHAN_DISCONNECTED, reason);
}

/* Nothing in the rings can be believed any more, not even what the peer wrote before. */
static void fail_ring(struct vchan_kvm *vchan) {
	vchan_kvm_disconnect(&vchan->base, "ring index out of range");
	vchan->in.index = vchan->in.last;
	struct kvm *kvm = kvm_of(vchan);
	kvm_leave(kvm);
	if (kvm->base.pages != NULL) {
		pages_kvm_disconnect(kvm->base.pages);
	}
}

void vchan_kvm_connect(struct vchan *base) {
	struct vchan_kvm *vchan = (struct vchan_kvm *)base;
	if (base->state != VCHAN_WAITING) {
		return;
	}
	struct kvm_header *header = kvm_of(vchan)->header;
	uint8_t *bytes = (uint8_t *)header + KVM_RINGS_OFFSET;
	uint32_t size = 1u << KVM_RING_ORDER;
	bool is_guivm = base->transport->role == TRANSPORT_GUIVM;
	ring_init(is_guivm ? &vchan->in : &vchan->out, &header->to_guivm, bytes, size);
	ring_init(is_guivm ? &vchan->out : &vchan->in, &header->to_appvm, bytes + size, size);
	vchan->has_rings = true;
	vchan_set_state(base, VCHAN_CONNECTED, NULL);
}

void vchan_kvm_look(struct vchan *base) {
	if (base->state == VCHAN_CONNECTED) {
		vchan_notify(base);
	}
}

static ssize_t kvm_read(struct vchan *base, void *bytes, size_t size, bool all) {
	struct vchan_kvm *vchan = (struct vchan_kvm *)base;
	if (!vchan->has_rings) {
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
		kvm_bell_ring(&kvm_of(vchan)->bell);
	}
	return count;
}

static ssize_t kvm_write(struct vchan *base, const void *bytes, size_t size, bool all) {
	struct vchan_kvm *vchan = (struct vchan_kvm *)base;
	bool doorbell = false;
	// Messages tell of pixels that were written before.
	kvm_flush_writes();
	ssize_t count = ring_write(&vchan->out, bytes, size, all, &doorbell);
	if (count < 0) {
		fail_ring(vchan);
		errno = EPIPE;
		return -1;
	}
	if (doorbell) {
		kvm_bell_ring(&kvm_of(vchan)->bell);
	}
	return count;
}

static size_t count_or_fail(struct vchan_kvm *vchan, ssize_t count) {
	if (count < 0 && vchan->base.state == VCHAN_CONNECTED) {
		fail_ring(vchan);
	}
	return count < 0 ? 0 : (size_t)count;
}

static size_t kvm_data_ready(struct vchan *base) {
	struct vchan_kvm *vchan = (struct vchan_kvm *)base;
	return vchan->has_rings ? count_or_fail(vchan, ring_readable(&vchan->in)) : 0;
}

static size_t kvm_buffer_space(struct vchan *base) {
	struct vchan_kvm *vchan = (struct vchan_kvm *)base;
	return count_or_fail(vchan, ring_writable(&vchan->out));
}

static size_t kvm_limit(struct vchan *base) {
	return 1u << KVM_RING_ORDER;
}

static void kvm_destroy(struct vchan *base) {
	struct kvm *kvm = (struct kvm *)base->transport;
	vchan_finish(base);
	free(base);
	kvm_leave(kvm);
	if (kvm->base.pages != NULL) {
		pages_kvm_disconnect(kvm->base.pages);
	}
}

static const struct vchan_impl vchan_kvm_impl = {
	.destroy = kvm_destroy,
	.read = kvm_read,
	.write = kvm_write,
	.data_ready = kvm_data_ready,
	.buffer_space = kvm_buffer_space,
	.limit = kvm_limit,
};

struct vchan *vchan_kvm_create(struct transport *transport) {
	struct kvm *kvm = (struct kvm *)transport;
	struct vchan_kvm *vchan = calloc(1, sizeof(*vchan));
	if (vchan == NULL || !kvm_join(kvm, &kvm->vchan_took)) {
		free(vchan);
		return NULL;
	}
	vchan_init(&vchan->base, &vchan_kvm_impl, transport);
	if (kvm->connected) {
		vchan_kvm_connect(&vchan->base);
	}
	return &vchan->base;
}
