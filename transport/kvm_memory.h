/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_KVM_MEMORY_H
#define ISTHMUS_TRANSPORT_KVM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/transport.h"

/*
 * The memory of a kvm transport: one or more parts, one after the other in one range of offsets.
 *
 *   ivshmem:ADDRESS  BAR 2 of the ivshmem device at this PCI address, by its files in sysfs
 *   vfio:ADDRESS     BAR 2 of the bell's ivshmem device, bound to vfio-pci
 *   dax:PATH         a device-DAX character device (/dev/daxN.M), which maps cached
 *   file:PATH        a file; for two processes of one machine
 *
 * Every part begins with a head, where the layout is, and in the first one the rings; the rest of
 * it are arenas. Nothing lies across the border of two parts.
 */
#define KVM_PARTS 8 /* at most */

struct kvm_part {
	int fd; // what importers map; -1
	int64_t fd_offset; // where the part begins in it
	uint64_t start; // offset of the part in the whole memory, bytes
	uint64_t size; // bytes, whole units
	uint64_t arenas; // offset of its arenas in the part, whole units
	bool can_shrink; // a file that is not sealed
	uint8_t *head; // up to the arenas, readable and writable
	uint8_t *bytes; // application side: all of the part; the arenas are to be written here
};

struct kvm_memory {
	struct kvm_part parts[KVM_PARTS];
	size_t n_parts;
	uint64_t size; // bytes of all parts
	uint64_t unit; // what can be mapped begins and ends at multiples of it, bytes
};

/* Checks "KIND:NAME[+KIND:NAME...]". bell_device: the address of the bell's device, NULL where it
 * has none. One line in error. */
bool kvm_memory_check(const char *text, size_t length, const char *bell_device, char *error,
		size_t error_size);

struct vfio_device;

struct kvm_memory_spec {
	const char *text; // was checked
	size_t length;
	const struct vfio_device *device; // the bell's, NULL: none
	enum transport_role role;
};

/* false with one line in error; then nothing is open. */
bool kvm_memory_open(struct kvm_memory *memory, const struct kvm_memory_spec *spec, char *error,
		size_t error_size);
/* Harmless when nothing is open. */
void kvm_memory_close(struct kvm_memory *memory);

/* The part whose arenas hold all of [untrusted_offset, untrusted_offset + untrusted_size), or NULL.
 * Any numbers are legal. */
const struct kvm_part *kvm_memory_find(const struct kvm_memory *memory, uint64_t untrusted_offset,
		uint64_t untrusted_size);

#endif
