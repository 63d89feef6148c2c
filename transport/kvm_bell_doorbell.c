/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/eventfd.h>
#include <wayland-server-core.h>

#include "transport/backend.h"
#include "transport/kvm_bell.h"

/* Registers and their contents: QEMU's "Device Specification for Inter-VM shared memory device". */
#define REGISTER_POSITION 8
#define REGISTER_DOORBELL 12
#define PEERS_MOST 65536u

#define VECTOR_RING 0u
#define VECTOR_LEFT 1u /* of isthmus-ivshmem-server alone */

static bool doorbell_check(const char *name, char *error, size_t error_size) {
	return vfio_address_check(name) ||
		transport_error(error, error_size,
			"transport kvm: \"%s\" is not a PCI address such as 0000:00:05.0", name);
}

static int handle_ring(int fd, uint32_t mask, void *data) {
	struct kvm_bell *bell = data;
	eventfd_t count;
	if (eventfd_read(fd, &count) == 0) {
		bell->handle(bell->data);
	}
	return 0;
}

static void handle_back(void *data) {
	struct kvm_bell *bell = data;
	bell->doorbell.back = NULL;
	bell->up = true;
	bell->handle(bell->data);
}

/* Whoever comes in its place makes a session of its own: what counts is that this one is over. */
static int handle_left(int fd, uint32_t mask, void *data) {
	struct kvm_bell *bell = data;
	eventfd_t count;
	if (eventfd_read(fd, &count) < 0) {
		return 0;
	}
	if (bell->doorbell.back == NULL) {
		bell->doorbell.back = wl_event_loop_add_idle(bell->loop, handle_back, bell);
	}
	bell->up = bell->doorbell.back == NULL;
	bell->handle(bell->data);
	return 0;
}

static bool doorbell_open(struct kvm_bell *bell, char *error, size_t error_size) {
	struct bell_doorbell *doorbell = &bell->doorbell;
	uint32_t position;
	*doorbell = (struct bell_doorbell){0};
	if (!vfio_open(&doorbell->device, bell->name, error, error_size)) {
		return false;
	}
	if (!vfio_read_register(&doorbell->device, REGISTER_POSITION, &position) ||
			position >= PEERS_MOST) {
		return transport_error(error, error_size,
			"PCI device %s: no ivshmem-doorbell device with a server", bell->name);
	}
	bell->own_id = position + 1;
	bell->source = wl_event_loop_add_fd(bell->loop, doorbell->device.interrupts[VECTOR_RING],
			WL_EVENT_READABLE, handle_ring, bell);
	if (doorbell->device.interrupts[VECTOR_LEFT] >= 0) {
		doorbell->left_source = wl_event_loop_add_fd(bell->loop,
			doorbell->device.interrupts[VECTOR_LEFT], WL_EVENT_READABLE, handle_left,
			bell);
	}
	bell->up = true;
	return bell->source != NULL ||
		transport_error(error, error_size, "PCI device %s: out of memory", bell->name);
}

static void doorbell_close(struct kvm_bell *bell) {
	struct bell_doorbell *doorbell = &bell->doorbell;
	if (doorbell->back != NULL) {
		wl_event_source_remove(doorbell->back);
	}
	if (doorbell->left_source != NULL) {
		wl_event_source_remove(doorbell->left_source);
	}
	vfio_close(&doorbell->device);
}

static void doorbell_ring(struct kvm_bell *bell) {
	// Any number that the other end wrote: at worst it rings nobody, or a bell of its own.
	uint32_t untrusted_id = bell->peer_id != NULL
		? __atomic_load_n(bell->peer_id, __ATOMIC_RELAXED) : 0;
	if (untrusted_id == 0 || untrusted_id > PEERS_MOST || untrusted_id == bell->own_id) {
		return;
	}
	vfio_write_register(&bell->doorbell.device, REGISTER_DOORBELL,
		(untrusted_id - 1) << 16 | VECTOR_RING);
}

const struct kvm_bell_impl kvm_bell_doorbell = {
	.prefix = "doorbell:",
	.check = doorbell_check,
	.open = doorbell_open,
	.close = doorbell_close,
	.ring = doorbell_ring,
};
