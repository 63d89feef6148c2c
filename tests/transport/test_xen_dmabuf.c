/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-server-core.h>
#include <xen/grant_table.h>
/* After the types that they use. */
#include <xen/gntalloc.h>
#include <xen/gntdev.h>

#include "common/fd.h"
#include "tests/harness/test.h"
#include "transport/pages.h"
#include "transport/xen.h"
#include "transport/xen_broker.h"

/*
 * What Linux does with these requests (drivers/dma-buf/udmabuf.c, drivers/xen/gntdev-dmabuf.c),
 * played by this program: a dma-buf is a duplicate of the memfd's descriptor.
 */
#define PAGE XEN_PAGE_BYTES
#define OWN_DOMID 7
#define PEER 3
#define MAX_SHARES 4
#define FIRST_REF 1000u /* a share's: FIRST_REF * (its place + 1) on */

struct imp_to_refs {
	uint32_t fd, count, domid, reserved;
	uint32_t refs[1];
};
#define IMP_TO_REFS _IOC(_IOC_NONE, 'G', 11, 20)
#define IMP_RELEASE _IOC(_IOC_NONE, 'G', 12, 8)

static struct share {
	int fd; // 0: none
	uint64_t offset;
	uint32_t count, domid;
} shares[MAX_SHARES];
static uint64_t created_offset, created_size; // of the last dma-buf
static unsigned n_granted; // pages of gntalloc
static unsigned long failing; // the request that fails, 0: none
static int failing_errno;
static unsigned failing_after; // calls of it that succeed
static bool paravirtual; // as a PV domain's: the grants are of other pages
static const char *missing; // a device

static int fake_open(const char *path) {
	if (missing != NULL && strcmp(path, missing) == 0) {
		errno = ENOENT;
		return -1;
	}
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int fake_create(const struct udmabuf_create *create) {
	int seals = fcntl((int)create->memfd, F_GET_SEALS);
	EXPECT((seals & F_SEAL_SHRINK) != 0 && (seals & F_SEAL_WRITE) == 0);
	EXPECT_INT(create->flags, UDMABUF_FLAGS_CLOEXEC);
	created_offset = create->offset;
	created_size = create->size;
	return fcntl((int)create->memfd, F_DUPFD_CLOEXEC, 0);
}

static struct share *find_share(uint32_t fd) {
	for (struct share *share = shares; share < shares + MAX_SHARES; share++) {
		if (share->fd == (int)fd) {
			return share;
		}
	}
	return NULL;
}

static int fake_imp_to_refs(struct imp_to_refs *call) {
	EXPECT_INT(call->count * PAGE, created_size);
	EXPECT_INT(call->reserved, 0);
	struct share *share = find_share(0);
	*share = (struct share){(int)call->fd, created_offset, call->count, call->domid};
	for (uint32_t i = 0; i < call->count; i++) {
		call->refs[i] = FIRST_REF * (uint32_t)(share - shares + 1) + i;
	}
	return 0;
}

static int fake_imp_release(uint32_t fd) {
	EXPECT(fcntl((int)fd, F_GETFD) >= 0); // its number is not another's yet
	struct share *share = find_share(fd);
	EXPECT(share != NULL);
	share->fd = 0;
	return 0;
}

static int fake_copy(const struct gntdev_grant_copy_segment *segment) {
	const struct share *share = &shares[segment->source.foreign.ref / FIRST_REF - 1];
	EXPECT_INT(share->domid, segment->source.foreign.domid);
	EXPECT_INT(pread(share->fd, segment->dest.virt, segment->len, (off_t)share->offset),
		segment->len);
	if (paravirtual) {
		((uint8_t *)segment->dest.virt)[0] ^= 1;
	}
	return 0;
}

static int fake_ioctl(int fd, unsigned long request, void *argument) {
	if (request == failing && failing_after-- == 0) {
		errno = failing_errno;
		return -1;
	}
	switch (request) {
	case UDMABUF_CREATE:
		return fake_create(argument);
	case IMP_TO_REFS:
		return fake_imp_to_refs(argument);
	case IMP_RELEASE:
		return fake_imp_release(*(uint32_t *)argument);
	case IOCTL_GNTDEV_GRANT_COPY: {
		struct ioctl_gntdev_grant_copy *call = argument;
		call->segments->status = GNTST_okay;
		return fake_copy(call->segments);
	}
	case IOCTL_GNTALLOC_ALLOC_GREF: {
		struct ioctl_gntalloc_alloc_gref *call = argument;
		call->index = 0;
		for (uint32_t i = 0; i < call->count; i++) {
			call->gref_ids[i] = 500 + i;
		}
		n_granted += call->count;
		return 0;
	}
	case IOCTL_GNTALLOC_DEALLOC_GREF:
		n_granted -= ((struct ioctl_gntalloc_dealloc_gref *)argument)->count;
		return 0;
	}
	errno = ENOTTY;
	return -1;
}

static void fake_kernel(void) {
	xen_open_file = fake_open;
	xen_ioctl = fake_ioctl;
}

static void fail(unsigned long request, int error, unsigned after) {
	failing = request;
	failing_errno = error;
	failing_after = after;
}

static int sealed_memory(size_t size, int seals) {
	int fd = fd_memory("pool", size);
	EXPECT(fcntl(fd, F_ADD_SEALS, seals) == 0);
	return fd;
}

static void expect_nothing_shared(void) {
	for (size_t i = 0; i < MAX_SHARES; i++) {
		EXPECT_INT(shares[i].fd, 0);
	}
}

TEST(memory_is_granted_where_it_lies) {
	struct xen_dmabuf dmabuf;
	uint32_t refs[3];
	int fd;
	fake_kernel();
	xen_dmabuf_open(&dmabuf, OWN_DOMID);
	EXPECT(dmabuf.gntdev_fd >= 0);
	expect_nothing_shared(); // what it looked at is taken back
	int memfd = sealed_memory(8 * PAGE, F_SEAL_SHRINK);
	EXPECT(xen_dmabuf_share(&dmabuf, memfd, 2 * PAGE, 3, PEER, refs, &fd));
	EXPECT_INT(shares[0].offset, 2 * PAGE);
	EXPECT_INT(shares[0].domid, PEER);
	EXPECT(refs[0] == FIRST_REF && refs[2] == FIRST_REF + 2);
	xen_dmabuf_unshare(&dmabuf, &fd);
	expect_nothing_shared();
	close(memfd);
	xen_dmabuf_close(&dmabuf);
}

static void expect_cannot(void) {
	struct xen_dmabuf dmabuf;
	uint32_t ref;
	int fd;
	xen_dmabuf_open(&dmabuf, OWN_DOMID);
	EXPECT(dmabuf.udmabuf_fd == -1 && dmabuf.gntdev_fd == -1);
	expect_nothing_shared();
	int memfd = sealed_memory(PAGE, F_SEAL_SHRINK);
	EXPECT(!xen_dmabuf_share(&dmabuf, memfd, 0, 1, PEER, &ref, &fd));
	EXPECT_INT(errno, ENOTSUP);
	close(memfd);
	xen_dmabuf_close(&dmabuf);
}

TEST(a_kernel_that_cannot_is_found_out) {
	fake_kernel();
	missing = "/dev/udmabuf";
	expect_cannot();
	missing = "/dev/xen/gntdev";
	expect_cannot();
	missing = NULL;
	fail(UDMABUF_CREATE, ENOTTY, 0);
	expect_cannot();
	fail(IMP_TO_REFS, ENOTTY, 0); // built without CONFIG_XEN_GNTDEV_DMABUF
	expect_cannot();
	fail(IMP_TO_REFS, EINVAL, 0);
	expect_cannot();
	fail(IOCTL_GNTDEV_GRANT_COPY, EINVAL, 0);
	expect_cannot();
}

TEST(grants_of_other_pages_are_found_out) {
	fake_kernel();
	paravirtual = true;
	expect_cannot();
}

static void expect_refused(struct xen_dmabuf *dmabuf, int memfd, int error) {
	uint32_t ref;
	int fd;
	EXPECT(!xen_dmabuf_share(dmabuf, memfd, 0, 1, PEER, &ref, &fd));
	EXPECT_INT(errno, error);
	expect_nothing_shared();
	close(memfd);
}

TEST(only_memory_that_stays_is_granted) {
	struct xen_dmabuf dmabuf;
	fake_kernel();
	xen_dmabuf_open(&dmabuf, OWN_DOMID);
	expect_refused(&dmabuf, fd_memory("pool", PAGE), EPERM);
	expect_refused(&dmabuf, sealed_memory(PAGE, F_SEAL_SHRINK | F_SEAL_WRITE), EPERM);
	expect_refused(&dmabuf, sealed_memory(PAGE, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE), EPERM);
	expect_refused(&dmabuf, open("/dev/zero", O_RDWR | O_CLOEXEC), EPERM);
	xen_dmabuf_close(&dmabuf);
}

TEST(what_the_kernel_refuses_leaves_nothing_behind) {
	static const int errors[] = {EINVAL, ENOMEM, ENOSPC, EBADFD};
	struct xen_dmabuf dmabuf;
	fake_kernel();
	xen_dmabuf_open(&dmabuf, OWN_DOMID);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		fail(UDMABUF_CREATE, errors[i], 0);
		expect_refused(&dmabuf, sealed_memory(PAGE, F_SEAL_SHRINK), errors[i]);
		fail(IMP_TO_REFS, errors[i], 0);
		expect_refused(&dmabuf, sealed_memory(PAGE, F_SEAL_SHRINK), errors[i]);
	}
	xen_dmabuf_close(&dmabuf);
}

TEST(a_dmabuf_that_cannot_be_taken_back_is_closed) {
	struct xen_dmabuf dmabuf;
	uint32_t ref;
	int fd;
	fake_kernel();
	xen_dmabuf_open(&dmabuf, OWN_DOMID);
	int memfd = sealed_memory(PAGE, F_SEAL_SHRINK);
	EXPECT(xen_dmabuf_share(&dmabuf, memfd, 0, 1, PEER, &ref, &fd));
	fail(IMP_RELEASE, ENOENT, 0);
	xen_dmabuf_unshare(&dmabuf, &fd);
	EXPECT_INT(fd, -1);
	close(memfd);
	xen_dmabuf_close(&dmabuf);
}

/* Regions over it. An application side whose vchan waits, without Xen. */

static struct xen xen;
static struct xen_session session;

static struct pages *open_pages(uint64_t max_bytes) {
	fake_kernel();
	xen = (struct xen){
		.base = {
			.base = {.loop = wl_event_loop_create(), .role = TRANSPORT_APPVM},
			.impl = &session_xen_impl,
		},
		.session = &session,
		.gntalloc_fd = fd_memory("gntalloc", 16 * PAGE),
		.domid = PEER,
	};
	xen.timer = wl_event_loop_add_timer(xen.base.base.loop, (int (*)(void *))abort, NULL);
	xen_dmabuf_open(&xen.dmabuf, OWN_DOMID);
	return pages_xen_create(&xen.base.base, max_bytes);
}

static void close_pages(struct pages *pages) {
	xen.session = NULL;
	pages_destroy(pages);
	expect_nothing_shared();
	EXPECT_INT(n_granted, 0);
	wl_event_source_remove(xen.base.idle);
	wl_event_source_remove(xen.timer);
	wl_event_loop_destroy(xen.base.base.loop);
	xen_dmabuf_close(&xen.dmabuf);
	close(xen.gntalloc_fd);
}

TEST(a_region_of_shared_memory_has_a_directory) {
	struct pages *pages = open_pages(16 * PAGE);
	int memfd = sealed_memory(8 * PAGE, F_SEAL_SHRINK);
	struct pages_region *region = pages_share_memory(pages, memfd, 4 * PAGE, 2 * PAGE);
	EXPECT(region != NULL && pages_region_data(region) == NULL);
	EXPECT_INT(pages_region_size(region), 2 * PAGE);
	EXPECT_INT(pages_bytes_used(pages), 2 * PAGE);
	EXPECT_INT(n_granted, 1); // the directory alone
	struct xen_directory directory;
	EXPECT_INT(pread(xen.gntalloc_fd, &directory, PAGE, 0), PAGE);
	EXPECT(directory.refs[0] == FIRST_REF && directory.refs[1] == FIRST_REF + 1);
	EXPECT_INT(directory.next, 0);
	pages_release(region);
	EXPECT_INT(pages_bytes_used(pages), 0);
	expect_nothing_shared();
	EXPECT(pages_share_memory(pages, memfd, 0, PAGE) != NULL); // taken back by its end
	close(memfd);
	close_pages(pages);
}

static void expect_no_region(struct pages *pages, int memfd, uint64_t offset, size_t size,
		int error) {
	EXPECT(pages_share_memory(pages, memfd, offset, size) == NULL);
	EXPECT_INT(errno, error);
	expect_nothing_shared();
	EXPECT_INT(n_granted, 0);
	EXPECT_INT(pages_bytes_used(pages), 0);
}

TEST(shared_memory_is_of_whole_pages_within_the_quota) {
	struct pages *pages = open_pages(4 * PAGE);
	int memfd = sealed_memory(8 * PAGE, F_SEAL_SHRINK);
	expect_no_region(pages, memfd, 1, PAGE, EINVAL);
	expect_no_region(pages, memfd, 0, PAGE + 1, EINVAL);
	expect_no_region(pages, memfd, 0, 0, EINVAL);
	expect_no_region(pages, memfd, 0, 5 * PAGE, ENOSPC);
	close(memfd);
	close_pages(pages);
}

TEST(shared_memory_without_room_for_its_directory_is_taken_back) {
	struct pages *pages = open_pages(4 * PAGE);
	int memfd = sealed_memory(8 * PAGE, F_SEAL_SHRINK);
	fail(IOCTL_GNTALLOC_ALLOC_GREF, ENOSPC, 0);
	expect_no_region(pages, memfd, 0, PAGE, ENOSPC);
	close(memfd);
	close_pages(pages);
}
