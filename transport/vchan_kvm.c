/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "transport/kvm.h"

void vchan_kvm_connect(struct vchan_rings *vchan) {
	struct kvm_header *header = ((struct kvm *)vchan->base.transport)->header;
	uint8_t *bytes = (uint8_t *)header + KVM_RINGS_OFFSET;
	uint32_t size = 1u << KVM_RING_ORDER;
	bool is_guivm = vchan->base.transport->role == TRANSPORT_GUIVM;
	ring_init(is_guivm ? &vchan->in : &vchan->out, &header->to_guivm, bytes, size);
	ring_init(is_guivm ? &vchan->out : &vchan->in, &header->to_appvm, bytes + size, size);
	vchan_rings_connect(vchan);
}

/* Messages tell of pixels that were written before. */
static void flush_pixels(void) {
	// Stores to write-combining memory pass later ones; a locked instruction waits for them.
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static const struct vchan_rings_impl vchan_kvm_impl = {
	.ring_bell = session_vchan_ring_bell,
	.leave = session_vchan_leave,
	.flush_writes = flush_pixels,
};

struct vchan *vchan_kvm_create(struct transport *transport) {
	struct vchan_rings *vchan = calloc(1, sizeof(*vchan));
	if (vchan == NULL || !session_add_vchan((struct session_transport *)transport, vchan,
			&vchan_kvm_impl)) {
		free(vchan);
		return NULL;
	}
	return &vchan->base;
}
