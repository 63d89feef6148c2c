/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/vchan_rings.h"

#include <errno.h>
#include <stdlib.h>

void vchan_rings_connect(struct vchan_rings *vchan) {
	vchan->has_rings = true;
	vchan_set_state(&vchan->base, VCHAN_CONNECTED, NULL);
}

void vchan_rings_disconnect(struct vchan_rings *vchan, const char *reason) {
	if (vchan->base.state == VCHAN_DISCONNECTED) {
		return;
	}
	if (vchan->has_rings) {
		ring_close(&vchan->in);
	}
	vchan_set_state(&vchan->base, VCHAN_DISCONNECTED, reason);
}

/* Nothing in the rings can be believed any more, not even what the peer wrote before. */
static void fail(struct vchan_rings *vchan) {
	vchan_rings_disconnect(vchan, "ring index out of range");
	vchan->in.index = vchan->in.last;
	vchan->impl->leave(vchan);
}

static ssize_t rings_read(struct vchan *base, void *bytes, size_t size, bool all) {
	struct vchan_rings *vchan = (struct vchan_rings *)base;
	if (!vchan->has_rings) {
		errno = EPIPE;
		return -1;
	}
	bool doorbell = false;
	ssize_t count = ring_read(&vchan->in, bytes, size, all, &doorbell);
	if (count < 0 && base->state == VCHAN_CONNECTED) {
		fail(vchan);
	}
	if (count <= 0 && base->state == VCHAN_DISCONNECTED && size > 0) {
		errno = EPIPE;
		return -1;
	}
	if (doorbell && base->state == VCHAN_CONNECTED) {
		vchan->impl->ring_bell(vchan);
	}
	return count;
}

static ssize_t rings_write(struct vchan *base, const void *bytes, size_t size, bool all) {
	struct vchan_rings *vchan = (struct vchan_rings *)base;
	bool doorbell = false;
	if (vchan->impl->flush_writes != NULL) {
		vchan->impl->flush_writes();
	}
	ssize_t count = ring_write(&vchan->out, bytes, size, all, &doorbell);
	if (count < 0) {
		fail(vchan);
		errno = EPIPE;
		return -1;
	}
	if (doorbell) {
		vchan->impl->ring_bell(vchan);
	}
	return count;
}

static size_t count_or_fail(struct vchan_rings *vchan, ssize_t count) {
	if (count < 0 && vchan->base.state == VCHAN_CONNECTED) {
		fail(vchan);
	}
	return count < 0 ? 0 : (size_t)count;
}

static size_t rings_data_ready(struct vchan *base) {
	struct vchan_rings *vchan = (struct vchan_rings *)base;
	return vchan->has_rings ? count_or_fail(vchan, ring_readable(&vchan->in)) : 0;
}

static size_t rings_buffer_space(struct vchan *base) {
	struct vchan_rings *vchan = (struct vchan_rings *)base;
	return count_or_fail(vchan, ring_writable(&vchan->out));
}

static size_t rings_limit(struct vchan *base) {
	struct vchan_rings *vchan = (struct vchan_rings *)base;
	size_t least = vchan->in.size < vchan->out.size ? vchan->in.size : vchan->out.size;
	// Without rings it says that it is disconnected, whatever the size.
	return vchan->has_rings ? least : SIZE_MAX;
}

static void rings_destroy(struct vchan *base) {
	struct vchan_rings *vchan = (struct vchan_rings *)base;
	vchan_finish(base);
	vchan->impl->leave(vchan);
	if (vchan->impl->finish != NULL) {
		vchan->impl->finish(vchan);
	}
	free(vchan);
}

static const struct vchan_impl vchan_rings_impl = {
	.destroy = rings_destroy,
	.read = rings_read,
	.write = rings_write,
	.data_ready = rings_data_ready,
	.buffer_space = rings_buffer_space,
	.limit = rings_limit,
};

void vchan_rings_init(struct vchan_rings *vchan, const struct vchan_rings_impl *impl,
		struct transport *transport) {
	vchan->impl = impl;
	vchan_init(&vchan->base, &vchan_rings_impl, transport);
}
