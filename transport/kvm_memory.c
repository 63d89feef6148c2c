/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/kvm_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/checked.h"
#include "common/fd.h"
#include "common/log.h"
#include "transport/kvm.h"
#include "transport/vfio.h"

#define IVSHMEM_ID "0x1af4 0x1110"
#define MIB ((uint64_t)1 << 20)
#define PART_MAX_BYTES ((uint64_t)64 << 30)
#define UNIT_MAX_BYTES ((uint64_t)1 << 30)

enum memory_kind {
	MEMORY_IVSHMEM,
	MEMORY_VFIO,
	MEMORY_DAX,
	MEMORY_FILE,
};

struct part_spec {
	enum memory_kind kind;
	char name[256]; // PCI address or path
};

static bool parse_part(const char *text, size_t length, struct part_spec *spec, char *error,
		size_t error_size) {
	static const char *const prefixes[] = {
		[MEMORY_IVSHMEM] = "ivshmem:", [MEMORY_VFIO] = "vfio:", [MEMORY_DAX] = "dax:",
		[MEMORY_FILE] = "file:"};
	char part[sizeof(spec->name)];
	if (length >= sizeof(part)) {
		return transport_error(error, error_size, "transport kvm: mem is too long");
	}
	memcpy(part, text, length);
	part[length] = '\0';
	size_t kind = 0, n_kinds = sizeof(prefixes) / sizeof(prefixes[0]);
	while (kind < n_kinds && strncmp(part, prefixes[kind], strlen(prefixes[kind])) != 0) {
		kind++;
	}
	if (kind == n_kinds) {
		return transport_error(error, error_size,
			"transport kvm: mem \"%s\" is not ivshmem:ADDRESS, vfio:ADDRESS, "
			"dax:PATH or file:PATH", part);
	}
	const char *name = part + strlen(prefixes[kind]);
	if (kind <= MEMORY_VFIO && !vfio_address_check(name)) {
		return transport_error(error, error_size,
			"transport kvm: \"%s\" is not a PCI address such as 0000:00:05.0", name);
	}
	if (*name == '\0') {
		return transport_error(error, error_size,
			"transport kvm: mem \"%s\": the path is missing", part);
	}
	spec->kind = (enum memory_kind)kind;
	memcpy(spec->name, name, strlen(name) + 1);
	return true;
}

/* specs: KVM_PARTS of them. 0: wrong, with one line in error. */
static size_t parse(const char *text, size_t length, struct part_spec *specs, char *error,
		size_t error_size) {
	size_t count = 0;
	for (const char *end = text + length; text <= end; count++) {
		const char *plus = memchr(text, '+', (size_t)(end - text));
		size_t part_length = (size_t)((plus != NULL ? plus : end) - text);
		if (count == KVM_PARTS) {
			transport_error(error, error_size,
				"transport kvm: mem has more than %d parts", KVM_PARTS);
			return 0;
		}
		if (!parse_part(text, part_length, &specs[count], error, error_size)) {
			return 0;
		}
		text += part_length + 1;
	}
	return count;
}

/* A device that is a bell is vfio-pci's: the kernel lets nobody else map its memory. */
static bool check_owner(const struct part_spec *spec, const char *bell_device, char *error,
		size_t error_size) {
	bool is_bell = bell_device != NULL && strcmp(bell_device, spec->name) == 0;
	if (spec->kind == MEMORY_VFIO && !is_bell) {
		return transport_error(error, error_size,
			"transport kvm: mem vfio:%s goes with bell doorbell:%s only", spec->name,
			spec->name);
	}
	if (spec->kind == MEMORY_IVSHMEM && is_bell) {
		return transport_error(error, error_size,
			"transport kvm: mem ivshmem:%s: that device is the bell, which has its "
			"memory to itself: write mem=vfio:%s, or take memory of another device",
			spec->name, spec->name);
	}
	return true;
}

bool kvm_memory_check(const char *text, size_t length, const char *bell_device, char *error,
		size_t error_size) {
	struct part_spec specs[KVM_PARTS];
	size_t count = parse(text, length, specs, error, error_size);
	for (size_t i = 0; i < count; i++) {
		if (!check_owner(&specs[i], bell_device, error, error_size)) {
			return false;
		}
	}
	return count > 0;
}

static bool sysfs_read(const char *directory, const char *name, char *text, size_t size) {
	char path[320];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count = fd >= 0 ? read(fd, text, size - 1) : -1;
	fd_close(&fd);
	text[count > 0 ? count : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return count > 0;
}

/* Needs privileges; where they are missing, whoever set the machine up did it. */
static void enable_device(const char *directory) {
	char path[320];
	snprintf(path, sizeof(path), "%s/enable", directory);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "1", 1) < 0) {
		log_debug("%s: errno %d", path, errno);
	}
	fd_close(&fd);
}

static bool check_device(const char *directory, const char *address, char *error,
		size_t error_size) {
	char vendor[16], device[16], id[40];
	if (!sysfs_read(directory, "vendor", vendor, sizeof(vendor)) ||
			!sysfs_read(directory, "device", device, sizeof(device))) {
		return transport_error(error, error_size, "PCI device %s: %s", address,
				strerror(errno));
	}
	snprintf(id, sizeof(id), "%s %s", vendor, device);
	return strcmp(id, IVSHMEM_ID) == 0 ||
		transport_error(error, error_size, "PCI device %s is no ivshmem device", address);
}

/* What stands for BAR 2, or for all of the other kinds. */
static void memory_path(const struct part_spec *spec, const char *file, char *path, size_t size) {
	if (spec->kind == MEMORY_IVSHMEM) {
		snprintf(path, size, "/sys/bus/pci/devices/%s/%s", spec->name, file);
	} else {
		snprintf(path, size, "%s", spec->name);
	}
}

/* How large a dax device is, and what its mappings must be aligned to. */
static bool measure_dax(struct kvm_part *part, uint64_t *unit) {
	struct stat info;
	char directory[64], size[32], align[32];
	if (fstat(part->fd, &info) < 0 || !S_ISCHR(info.st_mode)) {
		return false;
	}
	snprintf(directory, sizeof(directory), "/sys/dev/char/%u:%u", major(info.st_rdev),
		minor(info.st_rdev));
	if (!sysfs_read(directory, "size", size, sizeof(size)) ||
			!sysfs_read(directory, "align", align, sizeof(align))) {
		return false;
	}
	part->size = strtoull(size, NULL, 10);
	uint64_t alignment = strtoull(align, NULL, 10);
	if (alignment == 0 || alignment > UNIT_MAX_BYTES || (alignment & (alignment - 1)) != 0) {
		return false;
	}
	*unit = alignment > *unit ? alignment : *unit;
	return true;
}

static bool measure_file(struct kvm_part *part, bool is_device) {
	struct stat info;
	if (fstat(part->fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size < 0) {
		return false;
	}
	part->size = (uint64_t)info.st_size;
	int seals = fcntl(part->fd, F_GET_SEALS);
	part->can_shrink = !is_device && (seals < 0 || (seals & F_SEAL_SHRINK) == 0);
	return true;
}

static bool open_vfio(struct kvm_part *part, const struct vfio_device *device, char *error,
		size_t error_size) {
	if (device == NULL) {
		return transport_error(error, error_size,
			"memory of a device that is a bell cannot be had without it");
	}
	part->fd = fcntl(device->device_fd, F_DUPFD_CLOEXEC, 0);
	part->fd_offset = device->memory.offset;
	part->size = device->memory.size;
	return part->fd >= 0 ||
		transport_error(error, error_size, "transport kvm: %s", strerror(errno));
}

static bool open_part(struct kvm_part *part, const struct part_spec *spec, uint64_t *unit,
		char *error, size_t error_size) {
	char path[320], directory[64];
	if (spec->kind == MEMORY_IVSHMEM) {
		snprintf(directory, sizeof(directory), "/sys/bus/pci/devices/%.12s", spec->name);
		if (!check_device(directory, spec->name, error, error_size)) {
			return false;
		}
		enable_device(directory);
	}
	memory_path(spec, "resource2", path, sizeof(path));
	part->fd = open(path, O_RDWR | O_CLOEXEC);
	if (part->fd < 0) {
		return transport_error(error, error_size, "%s: %s", path, strerror(errno));
	}
	bool measured = spec->kind == MEMORY_DAX
		? measure_dax(part, unit) : measure_file(part, spec->kind == MEMORY_IVSHMEM);
	if (!measured) {
		return transport_error(error, error_size, "%s: not %s", path,
			spec->kind == MEMORY_DAX ? "a dax device" : "a file of memory");
	}
	return true;
}

static void *map(int fd, int64_t offset, size_t size) {
	void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	return bytes != MAP_FAILED ? bytes : NULL;
}

/* Pixels are written only, so they need not be uncached as the rest of a PCI BAR is. */
static void *map_for_writing(const struct kvm_part *part, const struct part_spec *spec) {
	char path[320];
	memory_path(spec, "resource2_wc", path, sizeof(path));
	int fd = spec->kind == MEMORY_IVSHMEM ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *bytes = fd >= 0 ? map(fd, 0, part->size) : NULL;
	fd_close(&fd);
	return bytes != NULL ? bytes : map(part->fd, part->fd_offset, part->size);
}

static bool map_part(struct kvm_part *part, const struct part_spec *spec, enum transport_role role,
		char *error, size_t error_size) {
	part->head = map(part->fd, part->fd_offset, part->arenas);
	if (part->head != NULL && role == TRANSPORT_APPVM) {
		part->bytes = map_for_writing(part, spec);
	}
	return (part->head != NULL && (part->bytes != NULL || role == TRANSPORT_GUIVM)) ||
		transport_error(error, error_size, "%s: %s", spec->name, strerror(errno));
}

bool kvm_memory_open(struct kvm_memory *memory, const struct kvm_memory_spec *spec, char *error,
		size_t error_size) {
	struct part_spec specs[KVM_PARTS];
	*memory = (struct kvm_memory){.unit = KVM_UNIT};
	size_t n_parts = parse(spec->text, spec->length, specs, error, error_size);
	bool ok = n_parts > 0;
	for (size_t i = 0; ok && i < n_parts; i++) {
		memory->parts[memory->n_parts++].fd = -1;
		struct kvm_part *part = &memory->parts[i];
		ok = specs[i].kind == MEMORY_VFIO
			? open_vfio(part, spec->device, error, error_size)
			: open_part(part, &specs[i], &memory->unit, error, error_size);
	}
	for (size_t i = 0; ok && i < n_parts; i++) {
		struct kvm_part *part = &memory->parts[i];
		part->arenas = align_up(i == 0 ? KVM_ARENAS_OFFSET : KVM_UNIT, memory->unit);
		if (part->size < part->arenas + memory->unit || part->size > PART_MAX_BYTES) {
			ok = transport_error(error, error_size,
				"%s: not memory of %" PRIu64 " MiB to 64 GiB", specs[i].name,
				(part->arenas + memory->unit + MIB - 1) / MIB);
			break;
		}
		part->size = part->size / memory->unit * memory->unit;
		part->start = memory->size;
		memory->size += part->size;
		ok = map_part(part, &specs[i], spec->role, error, error_size);
	}
	if (!ok) {
		kvm_memory_close(memory);
	}
	return ok;
}

void kvm_memory_close(struct kvm_memory *memory) {
	for (size_t i = 0; i < memory->n_parts; i++) {
		struct kvm_part *part = &memory->parts[i];
		if (part->head != NULL) {
			munmap(part->head, part->arenas);
		}
		if (part->bytes != NULL) {
			munmap(part->bytes, part->size);
		}
		fd_close(&part->fd);
	}
	memory->n_parts = 0;
}

const struct kvm_part *kvm_memory_find(const struct kvm_memory *memory, uint64_t untrusted_offset,
		uint64_t untrusted_size) {
	for (size_t i = 0; i < memory->n_parts; i++) {
		const struct kvm_part *part = &memory->parts[i];
		if (untrusted_offset >= part->start + part->arenas &&
				checked_range(untrusted_offset - part->start, untrusted_size,
					part->size)) {
			return part;
		}
	}
	return NULL;
}
