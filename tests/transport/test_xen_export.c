/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "tests/harness/test.h"
#include "transport/pages.h"
#include "transport/ring.h"
#include "transport/xen.h"
#include "transport/xen_broker.h"
#include "transport/xen_exports.h"

/*
 * What Linux does with these requests (drivers/xen/gntdev-dmabuf.c), played by this program: a
 * dma-buf is the end of a pipe, which tells when nobody has it any more.
 */
#define PAGE XEN_PAGE_BYTES
#define PEER 3

struct exp_from_refs {
	uint32_t flags, count, fd, domid;
	uint32_t refs[1];
};
struct exp_wait_released {
	uint32_t fd, wait_to_ms;
};
#define EXP_FROM_REFS _IOC(_IOC_NONE, 'G', 9, 20)
#define EXP_WAIT_RELEASED _IOC(_IOC_NONE, 'G', 10, 8)

static struct exported {
	int gntdev_fd, number, other_end;
} exported[LIMIT_EXPORTS + 1];
static size_t n_exported;
static uint32_t last_refs[8];
static int failing_errno; // of exports; 0: none fails

static int fake_export(int fd, struct exp_from_refs *call) {
	int ends[2];
	EXPECT_INT(call->flags, 0);
	EXPECT_INT(call->domid, PEER);
	EXPECT(call->count > 0 && call->count <= 8);
	if (failing_errno != 0) {
		errno = failing_errno;
		return -1;
	}
	memcpy(last_refs, call->refs, call->count * sizeof(uint32_t));
	EXPECT_INT(pipe2(ends, O_CLOEXEC), 0);
	exported[n_exported++] = (struct exported){fd, ends[1], ends[0]};
	call->fd = (uint32_t)ends[1];
	return 0;
}

/* By its number, of those that this open file made. */
static int fake_wait(int fd, const struct exp_wait_released *call) {
	EXPECT_INT(call->wait_to_ms, 0);
	for (size_t i = 0; i < n_exported; i++) {
		struct pollfd poll_fd = {.fd = exported[i].other_end};
		if (exported[i].gntdev_fd != fd || exported[i].number != (int)call->fd) {
			continue;
		}
		bool gone = poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLHUP) != 0;
		errno = gone ? ENOENT : ETIMEDOUT;
		return -1;
	}
	EXPECT(false);
	return -1;
}

static int fake_ioctl(int fd, unsigned long request, void *argument) {
	switch (request) {
	case EXP_FROM_REFS:
		return fake_export(fd, argument);
	case EXP_WAIT_RELEASED:
		return fake_wait(fd, argument);
	}
	return 0; // a notification
}

static int open_gntdev(void) {
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int add(struct xen_exports *exports, uint32_t token) {
	static const uint32_t refs[] = {17, 4};
	int gntdev_fd = open_gntdev();
	int fd = xen_exports_add(exports, gntdev_fd, PEER, token, refs, 2);
	if (fd < 0) {
		int saved_errno = errno;
		EXPECT_INT(close(gntdev_fd), 0); // still the caller's
		errno = saved_errno;
	}
	return fd;
}

static void finish(struct xen_exports *exports) {
	xen_exports_finish(exports);
	EXPECT_INT(exports->n_exports, 0);
	for (size_t i = 0; i < n_exported; i++) {
		close(exported[i].other_end);
	}
}

TEST(the_end_of_a_dmabuf_is_told_when_nobody_has_it) {
	struct xen_exports exports = {0};
	xen_ioctl = fake_ioctl;
	int fd = add(&exports, 5), other = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	EXPECT(fd >= 0 && last_refs[0] == 17 && last_refs[1] == 4);
	close(fd);
	EXPECT_INT(xen_exports_next_gone(&exports), 0); // nobody asked for it
	xen_exports_watch(&exports, 5);
	EXPECT_INT(exports.n_watched, 1);
	EXPECT_INT(xen_exports_next_gone(&exports), 0);
	close(other);
	EXPECT_INT(xen_exports_next_gone(&exports), 5);
	EXPECT_INT(xen_exports_next_gone(&exports), 5); // until it is removed
	xen_exports_remove(&exports, 5);
	EXPECT_INT(exports.n_watched, 0);
	EXPECT_INT(xen_exports_next_gone(&exports), 0);
	EXPECT_INT(fcntl(exported[0].gntdev_fd, F_GETFD), -1);
	finish(&exports);
}

TEST(nobody_is_told_of_what_nobody_asked_for) {
	struct xen_exports exports = {0};
	xen_ioctl = fake_ioctl;
	int first = add(&exports, 1), second = add(&exports, 2);
	xen_exports_watch(&exports, 2);
	close(first);
	EXPECT_INT(xen_exports_next_gone(&exports), 0);
	close(second);
	EXPECT_INT(xen_exports_next_gone(&exports), 2);
	finish(&exports);
}

TEST(a_number_that_comes_back_is_another_dmabuf) {
	struct xen_exports exports = {0};
	xen_ioctl = fake_ioctl;
	int first = add(&exports, 1), kept = fcntl(first, F_DUPFD_CLOEXEC, 0);
	// As when a process gives it away and makes the next.
	close(first);
	int second = fcntl(add(&exports, 2), F_DUPFD_CLOEXEC, 0);
	close(exported[1].number);
	exported[1].number = exported[0].number;
	exports.exports[1].number = exports.exports[0].number;
	xen_exports_watch(&exports, 1);
	xen_exports_watch(&exports, 2);
	close(second);
	EXPECT_INT(xen_exports_next_gone(&exports), 2);
	xen_exports_remove(&exports, 2);
	EXPECT_INT(xen_exports_next_gone(&exports), 0);
	close(kept);
	EXPECT_INT(xen_exports_next_gone(&exports), 1);
	finish(&exports);
}

TEST(what_the_kernel_refuses_is_not_kept) {
	static const int errors[] = {ENOTTY, EINVAL, EOPNOTSUPP, ENOMEM};
	struct xen_exports exports = {0};
	xen_ioctl = fake_ioctl;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		failing_errno = errors[i];
		EXPECT_INT(add(&exports, 1), -1);
		EXPECT_INT(errno, errors[i]);
		EXPECT_INT(exports.n_exports, 0);
	}
	finish(&exports);
}

TEST(tokens_are_checked_and_dmabufs_counted) {
	struct xen_exports exports = {0};
	xen_ioctl = fake_ioctl;
	EXPECT_INT(add(&exports, 0), -1);
	EXPECT_INT(errno, EEXIST);
	for (uint32_t token = 1; token <= LIMIT_EXPORTS; token++) {
		int fd = add(&exports, token);
		EXPECT(fd >= 0);
		close(fd);
	}
	EXPECT_INT(add(&exports, 7), -1);
	EXPECT_INT(errno, EEXIST);
	EXPECT_INT(add(&exports, LIMIT_EXPORTS + 1), -1);
	EXPECT_INT(errno, ENOSPC);
	xen_exports_watch(&exports, LIMIT_EXPORTS + 1);
	xen_exports_watch(&exports, 7);
	xen_exports_watch(&exports, 7);
	EXPECT_INT(exports.n_watched, 1);
	xen_exports_remove(&exports, 7);
	xen_exports_remove(&exports, 7);
	EXPECT_INT(exports.n_watched, 0);
	int fd = add(&exports, LIMIT_EXPORTS + 1);
	EXPECT(fd >= 0);
	close(fd);
	finish(&exports);
}

/* Regions over them. A GUI side that is connected, without Xen: its broker is this test. */

static struct xen xen;
static struct xen_session session;
static struct ring acks; // the peer's end
static unsigned n_asked, n_watched;
static uint32_t watched_token;
static int broker_errno; // of exports; 0: none fails

void __wrap_xen_broker_look(struct xen_broker *broker, uint32_t serial);
int __wrap_xen_broker_map(struct xen_broker *broker, uint32_t directory, uint32_t n_pages);
int __wrap_xen_broker_export(struct xen_broker *broker, uint32_t directory, uint32_t n_pages,
		uint32_t token);
void __wrap_xen_broker_watch(struct xen_broker *broker, uint32_t token);

void __wrap_xen_broker_look(struct xen_broker *broker, uint32_t serial) {
}

int __wrap_xen_broker_map(struct xen_broker *broker, uint32_t directory, uint32_t n_pages) {
	return fd_memory("grants", n_pages * PAGE);
}

int __wrap_xen_broker_export(struct xen_broker *broker, uint32_t directory, uint32_t n_pages,
		uint32_t token) {
	n_asked++;
	errno = broker_errno;
	return broker_errno == 0 ? fd_memory("dmabuf", n_pages * PAGE) : -1;
}

void __wrap_xen_broker_watch(struct xen_broker *broker, uint32_t token) {
	n_watched++;
	watched_token = token;
}

static struct pages *open_pages(uint64_t max_bytes) {
	static _Alignas(PAGE) uint8_t acks_page[PAGE];
	static struct xen_vchan_page page;
	xen_ioctl = fake_ioctl;
	session = (struct xen_session){
		.refs = 3,
		.page = &page,
		.acks = (struct xen_acks_page *)acks_page,
		.generation = 99,
		.event_fd = -1,
	};
	xen = (struct xen){
		.base = {
			.base = {.loop = wl_event_loop_create(), .role = TRANSPORT_GUIVM},
			.impl = &session_xen_impl,
		},
		.session = &session,
		.gntalloc_fd = -1,
		.broker = (struct xen_broker *)&session, // never looked into
	};
	session.event_source = wl_event_loop_add_timer(xen.base.base.loop,
			(int (*)(void *))abort, NULL);
	struct pages *pages = pages_xen_create(&xen.base.base, max_bytes);
	EXPECT(pages != NULL);
	pages_xen_connect((struct pages_acked *)pages);
	ring_init(&acks, &session.acks->ring, acks_page + XEN_ACKS_RING_OFFSET,
		PAGE - XEN_ACKS_RING_OFFSET);
	return pages;
}

static void close_pages(struct pages *pages) {
	if (xen.session != NULL) {
		wl_event_source_remove(session.event_source);
		xen.session = NULL;
	}
	pages_destroy(pages);
	if (xen.base.idle != NULL) {
		wl_event_source_remove(xen.base.idle);
	}
	wl_event_loop_destroy(xen.base.base.loop);
}

/* Of n_pages that the peer says are granted for writing, or not. */
static struct pages_mapping map(struct pages *pages, uint32_t token, uint32_t n_pages,
		bool writable) {
	const struct pages_acked_ref ref = {
		.tag = 0x204e4558u,
		.token = token,
		.place = {40, n_pages | (writable ? 1u << 31 : 0)},
		.generation = 99,
	};
	struct pages_ref opaque;
	struct pages_mapping mapping;
	memcpy(&opaque, &ref, sizeof(opaque));
	EXPECT(pages_map(pages, &opaque, PAGE, &mapping));
	return mapping;
}

static uint32_t next_ack(void) {
	uint32_t token = 0;
	bool doorbell;
	EXPECT(ring_read(&acks, &token, sizeof(token), true, &doorbell) >= 0);
	return token;
}

TEST(a_region_with_a_dmabuf_is_acknowledged_when_that_is_gone) {
	struct pages *pages = open_pages(8 * PAGE);
	struct pages_mapping mapping = map(pages, 1, 2, true);
	int fd = pages_mapping_dmabuf(pages, &mapping);
	EXPECT(fd >= 0);
	EXPECT_INT(pages_bytes_used(pages), 4 * PAGE);
	EXPECT_INT(pages_mapping_dmabuf(pages, &mapping), -1);
	EXPECT_INT(errno, EBUSY);
	pages_acked_dmabuf_released((struct pages_acked *)pages, 1); // not yet
	pages_unmap(pages, &mapping);
	EXPECT(n_watched == 1 && watched_token == 1);
	EXPECT_INT(pages_bytes_used(pages), 4 * PAGE);
	EXPECT_INT(next_ack(), 0);
	pages_acked_dmabuf_released((struct pages_acked *)pages, 2); // another
	EXPECT_INT(next_ack(), 0);
	pages_acked_dmabuf_released((struct pages_acked *)pages, 1);
	EXPECT_INT(next_ack(), 1);
	EXPECT_INT(pages_bytes_used(pages), 0);
	pages_acked_dmabuf_released((struct pages_acked *)pages, 1); // once
	EXPECT_INT(next_ack(), 0);
	close(fd);
	close_pages(pages);
}

TEST(what_is_granted_for_reading_is_not_tried) {
	struct pages *pages = open_pages(8 * PAGE);
	struct pages_mapping mapping = map(pages, 1, 2, false);
	EXPECT(!mapping.can_dmabuf);
	EXPECT_INT(pages_mapping_dmabuf(pages, &mapping), -1);
	EXPECT_INT(errno, ENOTSUP);
	EXPECT_INT(n_asked, 0);
	pages_unmap(pages, &mapping);
	EXPECT_INT(next_ack(), 1);
	close_pages(pages);
}

TEST(a_kernel_that_cannot_is_asked_once) {
	struct pages *pages = open_pages(8 * PAGE);
	struct pages_mapping first = map(pages, 1, 1, true);
	broker_errno = ENOTTY;
	EXPECT_INT(pages_mapping_dmabuf(pages, &first), -1);
	EXPECT_INT(errno, ENOTTY);
	EXPECT_INT(pages_bytes_used(pages), PAGE);
	struct pages_mapping second = map(pages, 2, 1, true);
	EXPECT(!second.can_dmabuf);
	EXPECT_INT(n_asked, 1);
	pages_unmap(pages, &first);
	pages_unmap(pages, &second);
	EXPECT(next_ack() == 1 && next_ack() == 2);
	close_pages(pages);
}

TEST(a_region_that_fails_later_fails_alone) {
	struct pages *pages = open_pages(8 * PAGE);
	struct pages_mapping mappings[3] = {map(pages, 1, 1, true), map(pages, 2, 1, true)};
	close(pages_mapping_dmabuf(pages, &mappings[0]));
	broker_errno = EINVAL; // a wrong reference
	EXPECT_INT(pages_mapping_dmabuf(pages, &mappings[1]), -1);
	broker_errno = 0;
	mappings[2] = map(pages, 3, 1, true);
	close(pages_mapping_dmabuf(pages, &mappings[2]));
	EXPECT_INT(pages_bytes_used(pages), 5 * PAGE);
	for (size_t i = 0; i < 3; i++) {
		pages_unmap(pages, &mappings[i]);
	}
	EXPECT_INT(next_ack(), 2);
	EXPECT_INT(next_ack(), 0);
	close_pages(pages);
}

TEST(a_dmabuf_counts_like_another_region) {
	struct pages *pages = open_pages(3 * PAGE);
	struct pages_mapping mapping = map(pages, 1, 2, true);
	EXPECT_INT(pages_mapping_dmabuf(pages, &mapping), -1);
	EXPECT_INT(errno, ENOSPC);
	EXPECT_INT(n_asked, 0);
	EXPECT(mapping.can_dmabuf);
	pages_unmap(pages, &mapping);
	EXPECT_INT(next_ack(), 1);
	mapping = map(pages, 2, 1, true);
	int fd = pages_mapping_dmabuf(pages, &mapping);
	EXPECT(fd >= 0);
	pages_mapping_forget(pages, &mapping); // neither the mapping nor the dma-buf
	EXPECT_INT(pages_bytes_used(pages), 2 * PAGE);
	pages_unmap(pages, &mapping);
	const struct pages_acked_ref ref = {
		.tag = 0x204e4558u, .token = 3, .place = {40, 2}, .generation = 99};
	struct pages_ref opaque;
	memcpy(&opaque, &ref, sizeof(opaque));
	EXPECT(!pages_map(pages, &opaque, PAGE, &mapping)); // it is not gone yet
	EXPECT_INT(errno, ENOSPC);
	close(fd);
	close_pages(pages);
}

TEST(a_peer_that_dies_takes_its_dmabufs_with_it) {
	struct pages *pages = open_pages(8 * PAGE);
	struct pages_mapping mappings[] = {map(pages, 1, 1, true), map(pages, 2, 1, true),
		map(pages, 3, 1, true)};
	close(pages_mapping_dmabuf(pages, &mappings[0]));
	close(pages_mapping_dmabuf(pages, &mappings[1]));
	pages_unmap(pages, &mappings[0]);
	session_end(&xen.base, "the peer is gone");
	EXPECT(!pages_connected(pages));
	pages_acked_dmabuf_released((struct pages_acked *)pages, 1);
	EXPECT_INT(next_ack(), 0); // to nobody
	pages_unmap(pages, &mappings[1]);
	EXPECT_INT(n_watched, 1);
	EXPECT_INT(pages_mapping_dmabuf(pages, &mappings[2]), -1);
	EXPECT_INT(errno, ENOTCONN);
	pages_unmap(pages, &mappings[2]);
	EXPECT_INT(pages_bytes_used(pages), 0);
	close_pages(pages);
}
