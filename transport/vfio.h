/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_VFIO_H
#define ISTHMUS_TRANSPORT_VFIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A PCI device that the kernel hands to this process (vfio-pci, by its IOMMU group: the group's
 * file in /dev/vfio is all that the process needs). One process has it at a time. Everything that
 * takes an ioctl is done when it is opened; what follows is pread, pwrite and mmap on device_fd,
 * stores to registers where they can be mapped, and read on the interrupts' eventfds. Source: the
 * kernel's Documentation/driver-api/vfio.rst.
 */
#define VFIO_INTERRUPTS 2

struct vfio_region {
	int64_t offset; // in device_fd
	uint64_t size;
};

struct vfio_device {
	int container_fd, group_fd, device_fd;
	struct vfio_region registers, memory; // BAR 0 and BAR 2
	volatile uint32_t *mapped_registers; // of BAR 0, where mapped_bytes is not 0
	size_t mapped_bytes;
	int interrupts[VFIO_INTERRUPTS]; // eventfds of MSI-X vectors; -1 where the device has none
};

/* Checks an address such as 0000:00:05.0. */
bool vfio_address_check(const char *text);

/* false with one line in error; vfio_close() is harmless then. */
bool vfio_open(struct vfio_device *device, const char *address, char *error, size_t error_size);
void vfio_close(struct vfio_device *device);

/* Registers of BAR 0. */
bool vfio_read_register(const struct vfio_device *device, unsigned offset, uint32_t *value);
void vfio_write_register(const struct vfio_device *device, unsigned offset, uint32_t value);

#endif
