/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "transport/local.h"
#include "transport/vchan_rings.h"

#define DOORBELLS_PER_WAKE 4096

struct vchan_local {
	struct vchan_rings base;
	int doorbell_fd; // -1 unless connected
	int bell_fd; // the application side rings it; -1: it rings doorbell_fd
	struct wl_event_source *source;
	struct wl_event_source *bell_source; // GUI side
	void *memory; // struct local_shared, NULL while waiting
	size_t memory_size;
};

static void hang_up(struct vchan_rings *base) {
	struct vchan_local *vchan = (struct vchan_local *)base;
	if (vchan->source != NULL) {
		wl_event_source_remove(vchan->source);
		vchan->source = NULL;
	}
	if (vchan->bell_source != NULL) {
		wl_event_source_remove(vchan->bell_source);
		vchan->bell_source = NULL;
	}
	fd_close(&vchan->doorbell_fd);
	fd_close(&vchan->bell_fd);
}

static void fail(struct vchan_local *vchan, const char *reason) {
	hang_up(&vchan->base);
	vchan_rings_disconnect(&vchan->base, reason);
}

static bool is_guivm(const struct vchan_local *vchan) {
	return vchan->base.base.transport->role == TRANSPORT_GUIVM;
}

static void ring_doorbell(struct vchan_rings *base) {
	struct vchan_local *vchan = (struct vchan_local *)base;
	if (vchan->bell_fd >= 0 && !is_guivm(vchan)) {
		// EAGAIN: the counter is full, so it is not 0.
		uint64_t one = 1;
		(void)!write(vchan->bell_fd, &one, sizeof(one));
		return;
	}
	// EAGAIN: the peer has thousands of doorbells to come yet. EPIPE: the loop will tell.
	(void)send(vchan->doorbell_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int handle_doorbell(int fd, uint32_t mask, void *data) {
	struct vchan_local *vchan = data;
	char bytes[DOORBELLS_PER_WAKE];
	ssize_t size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
		fail(vchan, "the peer closed");
	} else if (size > 0) {
		vchan_notify(&vchan->base.base);
	}
	return 0;
}

/* Whatever the peer did to the descriptor: see transport/local.h. */
static ssize_t read_bell(int fd) {
	uint64_t count;
	struct iovec iov = {.iov_base = &count, .iov_len = sizeof(count)};
	return preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
}

int vchan_local_make_bell(void) {
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	// Linux before 5.8 cannot.
	if (fd >= 0 && (read_bell(fd) >= 0 || errno != EAGAIN)) {
		fd_close(&fd);
	}
	return fd;
}

static int handle_bell(int fd, uint32_t mask, void *data) {
	struct vchan_local *vchan = data;
	if (read_bell(fd) > 0) {
		vchan_notify(&vchan->base.base);
	}
	return 0;
}

static bool watch(struct vchan_local *vchan) {
	struct wl_event_loop *loop = vchan->base.base.transport->loop;
	vchan->source = wl_event_loop_add_fd(loop, vchan->doorbell_fd, WL_EVENT_READABLE,
			handle_doorbell, vchan);
	if (vchan->source != NULL && vchan->bell_fd >= 0 && is_guivm(vchan)) {
		vchan->bell_source = wl_event_loop_add_fd(loop, vchan->bell_fd, WL_EVENT_READABLE,
				handle_bell, vchan);
		return vchan->bell_source != NULL;
	}
	return vchan->source != NULL;
}

void vchan_local_connect(struct vchan *base, struct local_session *session) {
	struct vchan_local *vchan = (struct vchan_local *)base;
	struct local_shared *shared = session->memory;
	uint8_t *bytes = (uint8_t *)session->memory + LOCAL_RINGS_OFFSET;
	struct ring *to_guivm = is_guivm(vchan) ? &vchan->base.in : &vchan->base.out;
	struct ring *to_appvm = is_guivm(vchan) ? &vchan->base.out : &vchan->base.in;
	ring_init(to_guivm, &shared->to_guivm, bytes, session->to_guivm_size);
	ring_init(to_appvm, &shared->to_appvm, bytes + session->to_guivm_size,
			session->to_appvm_size);
	vchan->memory = session->memory;
	vchan->memory_size = session->memory_size;
	vchan->doorbell_fd = session->doorbell_fd;
	vchan->bell_fd = session->bell_fd;
	if (!watch(vchan)) {
		fail(vchan, "out of memory");
		return;
	}
	vchan_rings_connect(&vchan->base);
}

static void local_finish(struct vchan_rings *base) {
	struct vchan_local *vchan = (struct vchan_local *)base;
	if (vchan->memory != NULL) {
		munmap(vchan->memory, vchan->memory_size);
	}
	local_update((struct local *)base->base.transport);
}

static const struct vchan_rings_impl vchan_local_impl = {
	.ring_bell = ring_doorbell,
	.leave = hang_up,
	.finish = local_finish,
};

struct vchan *vchan_local_create(struct transport *transport) {
	struct vchan_local *vchan = calloc(1, sizeof(*vchan));
	if (vchan == NULL) {
		return NULL;
	}
	vchan->doorbell_fd = -1;
	vchan->bell_fd = -1;
	vchan_rings_init(&vchan->base, &vchan_local_impl, transport);
	local_update((struct local *)transport);
	return &vchan->base.base;
}
