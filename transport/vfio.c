/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/vfio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/fd.h"
#include "transport/backend.h"

#define CONTAINER "/dev/vfio/vfio"
#define PCI_ADDRESS_LENGTH 12 /* 0000:00:05.0 */

bool vfio_address_check(const char *text) {
	static const char pattern[] = "xxxx:xx:xx.x";
	if (strlen(text) != PCI_ADDRESS_LENGTH) {
		return false;
	}
	for (size_t i = 0; i < PCI_ADDRESS_LENGTH; i++) {
		bool fits = pattern[i] == 'x' ? strchr("0123456789abcdef", text[i]) != NULL
					      : text[i] == pattern[i];
		if (!fits) {
			return false;
		}
	}
	return true;
}

static bool open_container(struct vfio_device *device, char *error, size_t error_size) {
	device->container_fd = open(CONTAINER, O_RDWR | O_CLOEXEC);
	if (device->container_fd < 0) {
		return transport_error(error, error_size, CONTAINER ": %s", strerror(errno));
	}
	if (ioctl(device->container_fd, VFIO_GET_API_VERSION) != VFIO_API_VERSION ||
			ioctl(device->container_fd, VFIO_CHECK_EXTENSION,
				VFIO_TYPE1v2_IOMMU) <= 0) {
		return transport_error(error, error_size,
			CONTAINER ": no IOMMU of type 1 (the module vfio_iommu_type1)");
	}
	return true;
}

static bool open_group(struct vfio_device *device, const char *address, char *error,
		size_t error_size) {
	char link[128], target[PATH_MAX], path[64];
	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", address);
	ssize_t length = readlink(link, target, sizeof(target) - 1);
	if (length < 0) {
		return transport_error(error, error_size,
			"PCI device %s: no IOMMU group (the machine needs a virtual IOMMU): %s",
			address, strerror(errno));
	}
	target[length] = '\0';
	const char *slash = strrchr(target, '/');
	snprintf(path, sizeof(path), "/dev/vfio/%.16s", slash != NULL ? slash + 1 : target);
	device->group_fd = open(path, O_RDWR | O_CLOEXEC);
	struct vfio_group_status status = {.argsz = sizeof(status)};
	if (device->group_fd < 0) {
		return transport_error(error, error_size, "%s, of PCI device %s: %s%s", path,
			address, strerror(errno),
			errno == ENOENT ? " (it is not bound to vfio-pci)" : "");
	}
	if (ioctl(device->group_fd, VFIO_GROUP_GET_STATUS, &status) < 0 ||
			(status.flags & VFIO_GROUP_FLAGS_VIABLE) == 0) {
		return transport_error(error, error_size,
			"%s: PCI device %s shares its IOMMU group with what is not bound to "
			"vfio-pci", path, address);
	}
	return true;
}

static bool open_device(struct vfio_device *device, const char *address, char *error,
		size_t error_size) {
	if (ioctl(device->group_fd, VFIO_GROUP_SET_CONTAINER, &device->container_fd) < 0 ||
			ioctl(device->container_fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0) {
		return transport_error(error, error_size,
			"PCI device %s: its IOMMU is refused (does it remap interrupts?): %s",
			address, strerror(errno));
	}
	device->device_fd = ioctl(device->group_fd, VFIO_GROUP_GET_DEVICE_FD, address);
	return device->device_fd >= 0 ||
		transport_error(error, error_size, "PCI device %s: %s", address, strerror(errno));
}

static bool find_region(const struct vfio_device *device, unsigned index,
		struct vfio_region *region) {
	struct vfio_region_info info = {.argsz = sizeof(info), .index = index};
	if (ioctl(device->device_fd, VFIO_DEVICE_GET_REGION_INFO, &info) < 0) {
		return false;
	}
	*region = (struct vfio_region){.offset = (int64_t)info.offset, .size = info.size};
	return info.offset <= INT64_MAX;
}

/* Without the second of the two bits the device cannot raise interrupts. */
static bool enable(const struct vfio_device *device) {
	struct vfio_region config;
	uint16_t command;
	if (!find_region(device, VFIO_PCI_CONFIG_REGION_INDEX, &config) ||
			pread(device->device_fd, &command, sizeof(command),
				config.offset + PCI_COMMAND) != sizeof(command)) {
		return false;
	}
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	return pwrite(device->device_fd, &command, sizeof(command), config.offset + PCI_COMMAND) ==
		sizeof(command);
}

/* A store is cheaper than a system call. Where the registers share a page with those of another
 * device they cannot be mapped. */
static void map_registers(struct vfio_device *device) {
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	if (device->registers.size > size) {
		return;
	}
	void *registers = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, device->device_fd,
			device->registers.offset);
	if (registers != MAP_FAILED) {
		device->mapped_registers = registers;
		device->mapped_bytes = size;
	}
}

static bool take_interrupts(struct vfio_device *device) {
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = VFIO_PCI_MSIX_IRQ_INDEX};
	if (ioctl(device->device_fd, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0 || info.count == 0) {
		errno = ENODEV;
		return false;
	}
	union {
		struct vfio_irq_set set;
		char bytes[sizeof(struct vfio_irq_set) + VFIO_INTERRUPTS * sizeof(int)];
	} request = {.set = {
		.argsz = sizeof(request),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.count = info.count < VFIO_INTERRUPTS ? info.count : VFIO_INTERRUPTS,
	}};
	for (unsigned i = 0; i < request.set.count; i++) {
		device->interrupts[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (device->interrupts[i] < 0) {
			return false;
		}
		memcpy(&request.set.data[i * sizeof(int)], &device->interrupts[i], sizeof(int));
	}
	return ioctl(device->device_fd, VFIO_DEVICE_SET_IRQS, &request) == 0;
}

bool vfio_open(struct vfio_device *device, const char *address, char *error, size_t error_size) {
	*device = (struct vfio_device){
		.container_fd = -1,
		.group_fd = -1,
		.device_fd = -1,
		.interrupts = {-1, -1},
	};
	if (!open_container(device, error, error_size) ||
			!open_group(device, address, error, error_size) ||
			!open_device(device, address, error, error_size)) {
		return false;
	}
	if (!find_region(device, VFIO_PCI_BAR0_REGION_INDEX, &device->registers) ||
			!find_region(device, VFIO_PCI_BAR2_REGION_INDEX, &device->memory) ||
			!enable(device)) {
		return transport_error(error, error_size, "PCI device %s: %s", address,
				strerror(errno));
	}
	map_registers(device);
	return take_interrupts(device) ||
		transport_error(error, error_size, "PCI device %s: no interrupts: %s", address,
				strerror(errno));
}

void vfio_close(struct vfio_device *device) {
	if (device->mapped_bytes > 0) {
		munmap((void *)device->mapped_registers, device->mapped_bytes);
		device->mapped_bytes = 0;
	}
	for (unsigned i = 0; i < VFIO_INTERRUPTS; i++) {
		fd_close(&device->interrupts[i]);
	}
	fd_close(&device->device_fd);
	fd_close(&device->group_fd);
	fd_close(&device->container_fd);
}

bool vfio_read_register(const struct vfio_device *device, unsigned offset, uint32_t *value) {
	return pread(device->device_fd, value, sizeof(*value),
		device->registers.offset + offset) == sizeof(*value);
}

void vfio_write_register(const struct vfio_device *device, unsigned offset, uint32_t value) {
	if (offset + sizeof(value) <= device->mapped_bytes) {
		// What was written to memory before is there before the device hears of it.
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		device->mapped_registers[offset / sizeof(value)] = value;
		return;
	}
	ssize_t count = pwrite(device->device_fd, &value, sizeof(value),
		device->registers.offset + offset);
	(void)count;
}
