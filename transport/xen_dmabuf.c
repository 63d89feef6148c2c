/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/xen_dmabuf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <xen/grant_table.h>
/* After the types that it uses. */
#include <xen/gntdev.h>

#include "common/fd.h"
#include "common/log.h"
#include "transport/xen_dev.h"

/* As Linux has them (include/uapi/xen/gntdev.h); Xen's own header does not. */
struct imp_to_refs {
	uint32_t fd, count, domid, reserved;
	uint32_t refs[1]; // count of them
};
struct imp_release {
	uint32_t fd, reserved;
};
#define GNTDEV_IMP_TO_REFS _IOC(_IOC_NONE, 'G', 11, sizeof(struct imp_to_refs))
#define GNTDEV_IMP_RELEASE _IOC(_IOC_NONE, 'G', 12, sizeof(struct imp_release))

#define PROBE_BYTES 64

static bool is_sealed_right(int memfd) {
	int seals = fcntl(memfd, F_GET_SEALS);
	return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 &&
		(seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) == 0;
}

static bool grant(const struct xen_dmabuf *dmabuf, int fd, uint32_t n_pages, uint16_t domid,
		uint32_t *refs) {
	struct imp_to_refs *call = calloc(1, sizeof(*call) + n_pages * sizeof(uint32_t));
	if (call == NULL) {
		return false;
	}
	call->fd = (uint32_t)fd;
	call->count = n_pages;
	call->domid = domid;
	bool ok = xen_ioctl(dmabuf->gntdev_fd, GNTDEV_IMP_TO_REFS, call) == 0;
	if (ok) {
		memcpy(refs, call->refs, n_pages * sizeof(uint32_t));
	}
	free(call);
	return ok;
}

bool xen_dmabuf_share(struct xen_dmabuf *dmabuf, int memfd, uint64_t offset, uint32_t n_pages,
		uint16_t domid, uint32_t *refs, int *fd) {
	if (dmabuf->gntdev_fd < 0) {
		errno = ENOTSUP;
		return false;
	}
	if (!is_sealed_right(memfd)) {
		errno = EPERM;
		return false;
	}
	struct udmabuf_create create = {
		.memfd = (uint32_t)memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.offset = offset,
		.size = (uint64_t)n_pages * XEN_PAGE_BYTES,
	};
	*fd = xen_ioctl(dmabuf->udmabuf_fd, UDMABUF_CREATE, &create);
	if (*fd < 0) {
		return false;
	}
	if (!grant(dmabuf, *fd, n_pages, domid, refs)) {
		fd_close(fd);
		return false;
	}
	return true;
}

void xen_dmabuf_unshare(struct xen_dmabuf *dmabuf, int *fd) {
	struct imp_release call = {.fd = (uint32_t)*fd};
	// gntdev knows it by its number, which is free for another only after this.
	if (xen_ioctl(dmabuf->gntdev_fd, GNTDEV_IMP_RELEASE, &call) < 0) {
		log_errno("xen: cannot take back shared memory");
	}
	fd_close(fd);
}

/* What is granted is what is read through the grant. */
static bool shares_what_it_should(struct xen_dmabuf *dmabuf, uint16_t own_domid, int memfd) {
	uint8_t written[PROBE_BYTES], found[PROBE_BYTES] = {0};
	uint32_t ref;
	int fd;
	if (fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK) < 0 ||
			getrandom(written, sizeof(written), 0) != sizeof(written) ||
			pwrite(memfd, written, sizeof(written), 0) != sizeof(written) ||
			!xen_dmabuf_share(dmabuf, memfd, 0, 1, own_domid, &ref, &fd)) {
		return false;
	}
	bool same = xen_grants_copy(dmabuf->gntdev_fd, own_domid, ref, found, sizeof(found)) &&
		memcmp(written, found, sizeof(found)) == 0;
	xen_dmabuf_unshare(dmabuf, &fd);
	return same;
}

void xen_dmabuf_open(struct xen_dmabuf *dmabuf, uint16_t own_domid) {
	*dmabuf = (struct xen_dmabuf){.udmabuf_fd = -1, .gntdev_fd = -1};
	dmabuf->udmabuf_fd = xen_open_file("/dev/udmabuf");
	dmabuf->gntdev_fd = dmabuf->udmabuf_fd >= 0 ? xen_open_file("/dev/xen/gntdev") : -1;
	int memfd = dmabuf->gntdev_fd >= 0 ? fd_memory("isthmus probe", XEN_PAGE_BYTES) : -1;
	bool can = memfd >= 0 && shares_what_it_should(dmabuf, own_domid, memfd);
	fd_close(&memfd);
	if (!can) {
		xen_dmabuf_close(dmabuf);
	}
	log_debug("xen: applications' memory is %s", can ? "shared where it lies" : "copied");
}

void xen_dmabuf_close(struct xen_dmabuf *dmabuf) {
	fd_close(&dmabuf->udmabuf_fd);
	fd_close(&dmabuf->gntdev_fd);
}
