/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "transport/local.h"

#define DOORBELLS_PER_WAKE 4096

struct vchan_local {
	struct vchan base;
	int doorbell_fd; // -1 unless connected
	struct wl_event_source *source;
	void *memory; // struct local_shared, NULL while waiting
	size_t memory_size;
	struct ring in, out;
};

static void hang_up(struct vchan_local *vchan) {
	if (vchan->source != NULL) {
		wl_event_source_remove(vchan->source);
		vchan->source = NULL;
	}
	fd_close(&vchan->doorbell_fd);
}

static void fail(struct vchan_local *vchan, const char *reason) {
	hang_up(vchan);
	vchan_set_state(&vchan->base, VCHAN_DISCONNECTED, reason);
}

/* Nothing in the rings can be believed any more, not even what the peer wrote before. */
static void fail_ring(struct vchan_local *vchan) {
	ring_close(&vchan->in);
	vchan->in.index = vchan->in.last;
	fail(vchan, "ring index out of range");
}

static void ring_doorbell(struct vchan_local *vchan) {
	// EAGAIN: the peer has thousands of doorbells to come yet. EPIPE: the loop will tell.
	(void)send(vchan->doorbell_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int handle_doorbell(int fd, uint32_t mask, void *data) {
	struct vchan_local *vchan = data;
	char bytes[DOORBELLS_PER_WAKE];
	ssize_t size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
		ring_close(&vchan->in);
		fail(vchan, "the peer closed");
	} else if (size > 0) {
		vchan_notify(&vchan->base);
	}
	return 0;
}

void vchan_local_connect(struct vchan *base, struct local_session *session) {
	struct vchan_local *vchan = (struct vchan_local *)base;
	struct local_shared *shared = session->memory;
	uint8_t *bytes = (uint8_t *)session->memory + LOCAL_RINGS_OFFSET;
	bool is_guivm = base->transport->role == TRANSPORT_GUIVM;
	struct ring *to_guivm = is_guivm ? &vchan->in : &vchan->out;
	struct ring *to_appvm = is_guivm ? &vchan->out : &vchan->in;
	ring_init(to_guivm, &shared->to_guivm, bytes, session->to_guivm_size);
	ring_init(to_appvm, &shared->to_appvm, bytes + session->to_guivm_size,
			session->to_appvm_size);
	vchan->memory = session->memory;
	vchan->memory_size = session->memory_size;
	vchan->doorbell_fd = session->doorbell_fd;
	vchan->source = wl_event_loop_add_fd(base->transport->loop, vchan->doorbell_fd,
			WL_EVENT_READABLE, handle_doorbell, vchan);
	if (vchan->source == NULL) {
		fail(vchan, "out of memory");
		return;
	}
	vchan_set_state(base, VCHAN_CONNECTED, NULL);
}

static ssize_t local_read(struct vchan *base, void *bytes, size_t size, bool all) {
	struct vchan_local *vchan = (struct vchan_local *)base;
	if (vchan->memory == NULL) {
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
	if (doorbell && vchan->doorbell_fd >= 0) {
		ring_doorbell(vchan);
	}
	return count;
}

static ssize_t local_write(struct vchan *base, const void *bytes, size_t size, bool all) {
	struct vchan_local *vchan = (struct vchan_local *)base;
	bool doorbell = false;
	ssize_t count = ring_write(&vchan->out, bytes, size, all, &doorbell);
	if (count < 0) {
		fail_ring(vchan);
		errno = EPIPE;
		return -1;
	}
	if (doorbell) {
		ring_doorbell(vchan);
	}
	return count;
}

static size_t count_or_fail(struct vchan_local *vchan, ssize_t count) {
	if (count < 0 && vchan->base.state == VCHAN_CONNECTED) {
		fail_ring(vchan);
	}
	return count < 0 ? 0 : (size_t)count;
}

static size_t local_data_ready(struct vchan *base) {
	struct vchan_local *vchan = (struct vchan_local *)base;
	return vchan->memory == NULL ? 0 : count_or_fail(vchan, ring_readable(&vchan->in));
}

static size_t local_buffer_space(struct vchan *base) {
	struct vchan_local *vchan = (struct vchan_local *)base;
	return count_or_fail(vchan, ring_writable(&vchan->out));
}

static size_t local_limit(struct vchan *base) {
	struct vchan_local *vchan = (struct vchan_local *)base;
	return vchan->in.size < vchan->out.size ? vchan->in.size : vchan->out.size;
}

static void local_destroy(struct vchan *base) {
	struct vchan_local *vchan = (struct vchan_local *)base;
	struct local *local = (struct local *)base->transport;
	hang_up(vchan);
	if (vchan->memory != NULL) {
		munmap(vchan->memory, vchan->memory_size);
	}
	vchan_finish(base);
	free(vchan);
	local_update(local);
}

static const struct vchan_impl vchan_local_impl = {
	.destroy = local_destroy,
	.read = local_read,
	.write = local_write,
	.data_ready = local_data_ready,
	.buffer_space = local_buffer_space,
	.limit = local_limit,
};

struct vchan *vchan_local_create(struct transport *transport) {
	struct vchan_local *vchan = calloc(1, sizeof(*vchan));
	if (vchan == NULL) {
		return NULL;
	}
	vchan->doorbell_fd = -1;
	vchan_init(&vchan->base, &vchan_local_impl, transport);
	local_update((struct local *)transport);
	return &vchan->base;
}
