/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/xen_dev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <xen/grant_table.h>
/* After the types that they use. */
#include <xen/evtchn.h>
#include <xen/gntalloc.h>
#include <xen/gntdev.h>

#include "common/fd.h"
#include "transport/backend.h"

/* As Linux has them (include/uapi/xen/gntdev.h); Xen's own header does not. */
struct exp_from_refs {
	uint32_t flags, count, fd, domid;
	uint32_t refs[1]; // count of them
};
struct exp_wait_released {
	uint32_t fd, wait_to_ms;
};
#define GNTDEV_EXP_FROM_REFS _IOC(_IOC_NONE, 'G', 9, sizeof(struct exp_from_refs))
#define GNTDEV_EXP_WAIT_RELEASED _IOC(_IOC_NONE, 'G', 10, sizeof(struct exp_wait_released))

static int call_ioctl(int fd, unsigned long request, void *argument) {
	return ioctl(fd, request, argument);
}

static int call_open(const char *path) {
	return open(path, O_RDWR | O_CLOEXEC);
}

int (*xen_ioctl)(int fd, unsigned long request, void *argument) = call_ioctl;
int (*xen_open_file)(const char *path) = call_open;
const unsigned long xen_event_notify_request = IOCTL_EVTCHN_NOTIFY;

bool xen_maps_own_grants(void) {
	char type[8] = "";
	int fd = open("/sys/hypervisor/guest_type", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd >= 0 ? read(fd, type, sizeof(type) - 1) : -1;
	fd_close(&fd);
	return size > 0 && strcmp(type, "PV\n") == 0;
}

int xen_open(const char *name, char *error, size_t error_size) {
	char path[64];
	snprintf(path, sizeof(path), "/dev/xen/%s", name);
	int fd = xen_open_file(path);
	if (fd < 0 && errno == ENOENT) {
		transport_error(error, error_size,
			"%s is not there: no Xen, or its module xen-%s is not loaded", path, name);
	} else if (fd < 0) {
		transport_error(error, error_size, "%s: %s", path, strerror(errno));
	}
	return fd;
}

bool xen_lock(int fd, uint16_t domid, const char *name) {
	uint32_t hash = 2166136261u; // FNV-1a: one byte of a file that has none
	for (const char *c = name; *c != '\0'; c++) {
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	}
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = ((off_t)domid << 32) + hash,
		.l_len = 1,
	};
	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool xen_grants_alloc(int fd, uint16_t domid, bool writable, uint32_t n_pages, uint64_t *index,
		uint32_t *refs) {
	struct ioctl_gntalloc_alloc_gref *call = calloc(1,
			sizeof(*call) + n_pages * sizeof(uint32_t));
	if (call == NULL) {
		return false;
	}
	call->domid = domid;
	call->flags = writable ? GNTALLOC_FLAG_WRITABLE : 0;
	call->count = n_pages;
	bool ok = xen_ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, call) == 0;
	if (ok) {
		*index = call->index;
		memcpy(refs, call->gref_ids, n_pages * sizeof(uint32_t));
	}
	free(call);
	return ok;
}

void xen_grants_free(int fd, uint64_t index, uint32_t n_pages) {
	struct ioctl_gntalloc_dealloc_gref call = {.index = index, .count = n_pages};
	xen_ioctl(fd, IOCTL_GNTALLOC_DEALLOC_GREF, &call);
}

bool xen_grants_map(int fd, uint16_t domid, const uint32_t *untrusted_refs, uint32_t n_pages,
		uint64_t *index) {
	struct ioctl_gntdev_map_grant_ref *call = calloc(1,
			sizeof(*call) + n_pages * sizeof(struct ioctl_gntdev_grant_ref));
	if (call == NULL) {
		return false;
	}
	call->count = n_pages;
	for (uint32_t i = 0; i < n_pages; i++) {
		call->refs[i] = (struct ioctl_gntdev_grant_ref){
			.domid = domid, .ref = untrusted_refs[i]};
	}
	bool ok = xen_ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, call) == 0;
	*index = call->index;
	free(call);
	return ok;
}

bool xen_grants_notify(int fd, uint64_t index, uint32_t port) {
	struct ioctl_gntdev_unmap_notify call = {
		.index = index,
		.action = UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT,
		.event_channel_port = port,
	};
	return xen_ioctl(fd, IOCTL_GNTDEV_SET_UNMAP_NOTIFY, &call) == 0;
}

bool xen_grants_copy(int fd, uint16_t domid, uint32_t untrusted_ref, void *bytes, uint16_t size) {
	struct gntdev_grant_copy_segment segment = {
		.source.foreign = {.ref = untrusted_ref, .domid = domid},
		.dest.virt = bytes,
		.len = size,
		.flags = GNTCOPY_source_gref,
	};
	struct ioctl_gntdev_grant_copy call = {.count = 1, .segments = &segment};
	if (xen_ioctl(fd, IOCTL_GNTDEV_GRANT_COPY, &call) < 0) {
		return false;
	}
	errno = EFAULT;
	return segment.status == GNTST_okay;
}

bool xen_grants_export(int fd, uint16_t domid, const uint32_t *untrusted_refs, uint32_t n_pages,
		int *dmabuf_fd) {
	struct exp_from_refs *call = calloc(1, sizeof(*call) + n_pages * sizeof(uint32_t));
	if (call == NULL) {
		return false;
	}
	call->count = n_pages;
	call->domid = domid;
	memcpy(call->refs, untrusted_refs, n_pages * sizeof(uint32_t));
	bool ok = xen_ioctl(fd, GNTDEV_EXP_FROM_REFS, call) == 0;
	*dmabuf_fd = ok ? (int)call->fd : -1;
	free(call);
	return ok;
}

bool xen_grants_export_is_gone(int fd, int dmabuf_fd) {
	struct exp_wait_released call = {.fd = (uint32_t)dmabuf_fd};
	// ENOENT: it went before anybody asked.
	return xen_ioctl(fd, GNTDEV_EXP_WAIT_RELEASED, &call) == 0 || errno == ENOENT;
}

bool xen_event_bind(int fd, uint16_t domid, uint32_t untrusted_port, uint32_t *port) {
	struct ioctl_evtchn_restrict_domid restrict_call = {.domid = domid};
	struct ioctl_evtchn_bind_interdomain call = {
		.remote_domain = domid, .remote_port = untrusted_port};
	// The kernel does not restrict anybody to dom0, which has everything anyway.
	if (domid != 0 && xen_ioctl(fd, IOCTL_EVTCHN_RESTRICT_DOMID, &restrict_call) < 0) {
		return false;
	}
	int result = xen_ioctl(fd, IOCTL_EVTCHN_BIND_INTERDOMAIN, &call);
	*port = (uint32_t)result;
	return result >= 0;
}

void xen_event_notify(int fd, uint32_t port) {
	struct ioctl_evtchn_notify call = {.port = port};
	// Fails when the other end is gone, which is noticed elsewhere.
	(void)xen_ioctl(fd, IOCTL_EVTCHN_NOTIFY, &call);
}
