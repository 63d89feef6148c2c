/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/limits.h"
#include "tests/transport/ends.h"
#include "transport/kvm.h"

#define QUOTA (32 * KVM_UNIT)

static void connect_ends(struct end *guivm, struct end *appvm) {
	ends_connect_pages(guivm, appvm, &backend_kvm, QUOTA);
}

static void reconnect(struct end *guivm, struct end *appvm) {
	vchan_destroy(guivm->vchan);
	vchan_destroy(appvm->vchan);
	pages_destroy(guivm->pages);
	pages_destroy(appvm->pages);
	end_start(appvm);
	end_start_pages(appvm, QUOTA);
	end_start_pages(guivm, QUOTA);
	end_start(guivm);
	END_DISPATCH_UNTIL(guivm, vchan_state(guivm->vchan) == VCHAN_CONNECTED &&
		vchan_state(appvm->vchan) == VCHAN_CONNECTED);
	EXPECT(pages_connected(guivm->pages) && pages_connected(appvm->pages));
}

/* The memory as a hostile end has it. */
static struct kvm_header *map_header(void) {
	char path[200];
	snprintf(path, sizeof(path), "%s/memory", test_dir());
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *header = mmap(NULL, KVM_ARENAS_OFFSET, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(fd >= 0 && header != MAP_FAILED);
	close(fd);
	return header;
}

TEST(the_importer_sees_what_the_sharer_writes) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	connect_ends(&guivm, &appvm);
	pages_alloc(appvm.pages, 1);
	struct pages_region *region = pages_alloc(appvm.pages, KVM_UNIT + 1);
	EXPECT_INT(pages_region_size(region), 2 * KVM_UNIT);
	struct pages_ref ref = pages_region_ref(region);
	EXPECT(pages_map(guivm.pages, &ref, KVM_UNIT + 1, &mapping));
	EXPECT_INT(mapping.size, 2 * KVM_UNIT);
	EXPECT_INT(mapping.offset, KVM_ARENAS_OFFSET + KVM_UNIT);
	char *bytes = mmap(NULL, mapping.size, PROT_READ, MAP_SHARED, mapping.fd, mapping.offset);
	EXPECT(bytes != MAP_FAILED);
	((char *)pages_region_data(region))[KVM_UNIT] = 'x';
	EXPECT_INT(bytes[KVM_UNIT], 'x');
	munmap(bytes, mapping.size);
	pages_unmap(guivm.pages, &mapping);
	ends_close(&guivm, &appvm);
}

TEST(a_place_is_reused_only_when_the_importer_let_go_and_zeroed) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	connect_ends(&guivm, &appvm);
	struct pages_region *region = pages_alloc(appvm.pages, 1);
	uint8_t *bytes = pages_region_data(region);
	bytes[5] = 7;
	struct pages_ref ref = pages_region_ref(region);
	EXPECT(pages_map(guivm.pages, &ref, 1, &mapping));
	pages_release(region);
	EXPECT_INT(pages_bytes_used(appvm.pages), KVM_UNIT);
	region = pages_alloc(appvm.pages, 1);
	EXPECT(pages_region_data(region) == bytes + KVM_UNIT);
	unsigned calls = appvm.pages_calls;
	pages_unmap(guivm.pages, &mapping);
	END_DISPATCH_UNTIL(&appvm, appvm.pages_calls > calls);
	EXPECT_INT(pages_bytes_used(appvm.pages), KVM_UNIT);
	region = pages_alloc(appvm.pages, 1);
	EXPECT(pages_region_data(region) == bytes);
	EXPECT_INT(bytes[5], 0);
	ends_close(&guivm, &appvm);
}

TEST(a_reference_is_good_once) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	connect_ends(&guivm, &appvm);
	struct pages_ref ref = pages_region_ref(pages_alloc(appvm.pages, 1));
	EXPECT(pages_map(guivm.pages, &ref, 1, &mapping));
	end_expect_map_error(&guivm, &ref, ENOENT);
	pages_unmap(guivm.pages, &mapping);
	end_expect_map_error(&guivm, &ref, ENOENT);
	ends_close(&guivm, &appvm);
}

TEST(references_may_come_in_any_order) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	connect_ends(&guivm, &appvm);
	struct pages_ref first = pages_region_ref(pages_alloc(appvm.pages, 1));
	struct pages_ref second = pages_region_ref(pages_alloc(appvm.pages, 1));
	EXPECT(pages_map(guivm.pages, &second, 1, &mapping));
	EXPECT(pages_map(guivm.pages, &first, 1, &mapping));
	ends_close(&guivm, &appvm);
}

/* As transport/pages_kvm.c has it: that it may not change without notice is part of the test. */
struct kvm_ref {
	uint32_t tag, token, offset_units, size_units;
	uint64_t generation;
};

static void expect_bad_ref(struct end *guivm, struct kvm_ref bytes, int expected) {
	struct pages_ref ref;
	memcpy(&ref, &bytes, sizeof(ref));
	end_expect_map_error(guivm, &ref, expected);
}

TEST(references_beyond_the_arenas_are_refused) {
	struct end guivm, appvm;
	connect_ends(&guivm, &appvm);
	struct pages_ref opaque = pages_region_ref(pages_alloc(appvm.pages, 1));
	struct kvm_ref good, ref;
	memcpy(&good, &opaque, sizeof(good));
	uint32_t end = (8 << 20) / KVM_UNIT, start = KVM_ARENAS_OFFSET / KVM_UNIT;
	static const uint32_t far[][2] = {{0, 1}, {1, UINT32_MAX}, {UINT32_MAX, 1}, {UINT32_MAX, 2},
		{0x10000, 0xffff0001}};
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		ref = good;
		ref.offset_units = far[i][0];
		ref.size_units = far[i][1];
		expect_bad_ref(&guivm, ref, ENOENT);
	}
	ref = good;
	ref.offset_units = start - 1;
	expect_bad_ref(&guivm, ref, ENOENT);
	ref.offset_units = end;
	expect_bad_ref(&guivm, ref, ENOENT);
	ref.offset_units = end - 1;
	ref.size_units = 2;
	expect_bad_ref(&guivm, ref, ENOENT);
	ref.size_units = 0;
	expect_bad_ref(&guivm, ref, ENOENT);
	ref = good;
	ref.tag ^= 1;
	expect_bad_ref(&guivm, ref, ENOENT);
	ref = good;
	ref.token = 0;
	expect_bad_ref(&guivm, ref, ENOENT);
	ref = good;
	ref.generation ^= 1;
	expect_bad_ref(&guivm, ref, ENOENT);
	ref = good;
	ref.offset_units = end - 1;
	struct pages_mapping mapping;
	memcpy(&opaque, &ref, sizeof(opaque));
	EXPECT(pages_map(guivm.pages, &opaque, KVM_UNIT, &mapping));
	ends_close(&guivm, &appvm);
}

TEST(a_reference_smaller_than_asked_or_over_the_quota_is_refused) {
	struct end guivm, appvm;
	connect_ends(&guivm, &appvm);
	struct pages_mapping mapping;
	struct pages_ref opaque = pages_region_ref(pages_alloc(appvm.pages, 1));
	EXPECT(!pages_map(guivm.pages, &opaque, KVM_UNIT + 1, &mapping));
	EXPECT_INT(errno, ERANGE);
	struct kvm_ref ref;
	memcpy(&ref, &opaque, sizeof(ref));
	ref.token++;
	ref.size_units = QUOTA / KVM_UNIT + 1;
	expect_bad_ref(&guivm, ref, ENOSPC);
	EXPECT_INT(pages_bytes_used(guivm.pages), 0);
	ends_close(&guivm, &appvm);
}

TEST(a_reference_of_an_earlier_session_is_refused) {
	struct end guivm, appvm;
	connect_ends(&guivm, &appvm);
	struct pages_ref stale = pages_region_ref(pages_alloc(appvm.pages, 1));
	reconnect(&guivm, &appvm);
	EXPECT(pages_alloc(appvm.pages, 1) != NULL);
	end_expect_map_error(&guivm, &stale, ENOENT);
	ends_close(&guivm, &appvm);
}

TEST(the_sharer_keeps_to_its_quota_and_to_the_memory) {
	struct end guivm, appvm;
	connect_ends(&guivm, &appvm);
	EXPECT(pages_alloc(appvm.pages, 0) == NULL);
	EXPECT_INT(errno, EINVAL);
	EXPECT(pages_alloc(appvm.pages, SIZE_MAX) == NULL);
	EXPECT_INT(errno, ENOSPC);
	EXPECT(pages_alloc(appvm.pages, QUOTA) != NULL);
	EXPECT(pages_alloc(appvm.pages, 1) == NULL);
	EXPECT_INT(errno, ENOSPC);
	pages_destroy(appvm.pages);
	end_start_pages(&appvm, 1u << 30);
	EXPECT(pages_alloc(appvm.pages, 8 << 20) == NULL);
	EXPECT_INT(errno, ENOSPC);
	EXPECT(pages_alloc(appvm.pages, (8 << 20) - KVM_ARENAS_OFFSET) != NULL);
	ends_close(&guivm, &appvm);
}

TEST(the_peers_end_frees_what_drains) {
	struct end guivm, appvm;
	connect_ends(&guivm, &appvm);
	struct pages_region *held = pages_alloc(appvm.pages, 1);
	pages_release(pages_alloc(appvm.pages, 1));
	vchan_destroy(guivm.vchan);
	guivm.vchan = NULL;
	END_DISPATCH_UNTIL(&appvm, !pages_connected(appvm.pages));
	EXPECT_INT(pages_bytes_used(appvm.pages), KVM_UNIT);
	EXPECT(pages_alloc(appvm.pages, 1) == NULL);
	EXPECT_INT(errno, EPIPE);
	pages_release(held);
	EXPECT_INT(pages_bytes_used(appvm.pages), 0);
	ends_close(&guivm, &appvm);
}

static void expect_ring_failure(struct end *end) {
	char byte;
	while (vchan_state(end->vchan) == VCHAN_CONNECTED) {
		vchan_read(end->vchan, &byte, 1);
		vchan_write(end->vchan, "x", 1);
	}
	EXPECT_STR(vchan_reason(end->vchan), "ring index out of range");
	EXPECT(!pages_connected(end->pages));
}

TEST(wild_indices_disconnect_and_the_next_session_is_clean) {
	struct end guivm, appvm;
	connect_ends(&guivm, &appvm);
	struct kvm_header *header = map_header();
	header->to_guivm.producer += (1u << KVM_RING_ORDER) + 1;
	expect_ring_failure(&guivm);
	END_DISPATCH_UNTIL(&appvm, vchan_state(appvm.vchan) == VCHAN_DISCONNECTED);
	reconnect(&guivm, &appvm);
	char text[4] = "";
	EXPECT_INT(vchan_read(guivm.vchan, text, 3), 0);
	header->to_appvm.consumer = 1u << 31;
	expect_ring_failure(&guivm);
	reconnect(&guivm, &appvm);
	EXPECT_INT(vchan_write(appvm.vchan, "abc", 3), 3);
	EXPECT_INT(vchan_read(guivm.vchan, text, 3), 3);
	EXPECT_STR(text, "abc");
	munmap(header, KVM_ARENAS_OFFSET);
	ends_close(&guivm, &appvm);
}

TEST(a_guivm_survives_random_scribbling) {
	struct end guivm, appvm;
	connect_ends(&guivm, &appvm);
	struct kvm_header *header = map_header();
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t *word = (uint32_t *)header + test_random_below(sizeof(*header) / 4);
		*word = test_random_below(4) == 0 ? test_random_below(UINT32_MAX)
						  : test_random_below(1u << KVM_RING_ORDER);
		char bytes[64];
		if (vchan_state(guivm.vchan) == VCHAN_DISCONNECTED) {
			vchan_destroy(guivm.vchan);
			pages_destroy(guivm.pages);
			end_start(&guivm);
			end_start_pages(&guivm, QUOTA);
		}
		vchan_read(guivm.vchan, bytes, sizeof(bytes));
		vchan_write(guivm.vchan, bytes, sizeof(bytes));
		wl_event_loop_dispatch(guivm.loop, 0);
	}
	munmap(header, KVM_ARENAS_OFFSET);
	ends_close(&guivm, &appvm);
}

static void expect_layout_refused(size_t offset, uint32_t value, const char *part) {
	struct wl_event_loop *loop = wl_event_loop_create();
	struct end guivm, appvm;
	end_open(&guivm, &backend_kvm, TRANSPORT_GUIVM, loop);
	struct kvm_header *header = map_header();
	end_start(&guivm);
	wl_event_loop_dispatch_idle(loop);
	memcpy((uint8_t *)&header->layout + offset, &value, sizeof(value));
	end_open(&appvm, &backend_kvm, TRANSPORT_APPVM, loop);
	end_start(&appvm);
	END_DISPATCH_UNTIL(&appvm, vchan_state(appvm.vchan) == VCHAN_DISCONNECTED);
	EXPECT(strstr(vchan_reason(appvm.vchan), part) != NULL);
	munmap(header, KVM_ARENAS_OFFSET);
	ends_close(&guivm, &appvm);
}

TEST(memory_of_something_else_is_refused) {
	expect_layout_refused(offsetof(struct kvm_layout, magic), 1, "not laid out");
}

TEST(another_version_is_refused) {
	expect_layout_refused(
			offsetof(struct kvm_layout, version), KVM_VERSION - 1, "another version");
}

TEST(another_size_is_refused) {
	expect_layout_refused(offsetof(struct kvm_layout, size), 1, "another way");
}

TEST(another_order_of_the_rings_is_refused) {
	expect_layout_refused(offsetof(struct kvm_layout, ring_order), 31, "another way");
}

static void expect_open_refused(const char *memory, const char *bell, const char *part) {
	char spec[300], error[300] = "";
	struct wl_event_loop *loop = wl_event_loop_create();
	snprintf(spec, sizeof(spec), "kvm:mem=%s,bell=%s", memory, bell);
	EXPECT(transport_open(loop, spec, TRANSPORT_APPVM, error, sizeof(error)) == NULL);
	if (strstr(error, part) == NULL) {
		test_fail(__FILE__, __LINE__, "%s: \"%s\" does not say %s", spec, error, part);
	}
	wl_event_loop_destroy(loop);
}

TEST(what_is_no_memory_or_no_bell_is_refused) {
	char small[200], bell[200];
	snprintf(small, sizeof(small), "file:%s/small", test_dir());
	snprintf(bell, sizeof(bell), "unix:%s/bell", test_dir());
	int fd = open(small + 5, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT(ftruncate(fd, KVM_ARENAS_OFFSET) == 0);
	close(fd);
	expect_open_refused(small, bell, "2 MiB");
	expect_open_refused("file:/dev/null", bell, "/dev/null");
	expect_open_refused("file:/nonexistent/memory", bell, "/nonexistent/memory");
	expect_open_refused("ivshmem:ffff:ff:1f.7", bell, "ffff:ff:1f.7");
	expect_open_refused(small, "serial:/nonexistent/port", "/nonexistent/port");
	expect_open_refused(small, "doorbell:ffff:ff:1f.7", "vfio");
	expect_open_refused(small, "serial:/proc/self/maps", "/proc/self/maps");
}

/* A GUI side with a terminal for a port, and a peer that is this test. */

struct port_peer {
	struct end guivm;
	struct kvm_header *header;
	int port;
};

static void port_peer_open(struct port_peer *peer) {
	char spec[400], ignored[256];
	peer->port = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (peer->port < 0 || grantpt(peer->port) < 0 || unlockpt(peer->port) < 0) {
		test_skip("no pseudo terminals");
	}
	backend_kvm.spec(TRANSPORT_GUIVM, ignored, sizeof(ignored));
	peer->header = map_header();
	snprintf(spec, sizeof(spec), "kvm:mem=file:%s/memory,bell=serial:%s", test_dir(),
		ptsname(peer->port));
	end_open_spec(&peer->guivm, spec, TRANSPORT_GUIVM, NULL);
	end_start(&peer->guivm);
}

static void port_peer_connect(struct port_peer *peer) {
	END_DISPATCH_UNTIL(&peer->guivm, peer->header->guivm.generation != 0);
	peer->header->appvm.generation = 42;
	peer->header->appvm.accepts = peer->header->guivm.generation;
	END_DISPATCH_UNTIL(&peer->guivm, vchan_state(peer->guivm.vchan) == VCHAN_CONNECTED);
	EXPECT_INT(peer->header->guivm.accepts, 42);
}

static void port_peer_close(struct port_peer *peer) {
	munmap(peer->header, KVM_ARENAS_OFFSET);
	fd_close(&peer->port);
	end_close(&peer->guivm);
}

TEST(a_peer_whose_rings_get_lost_is_seen_all_the_same) {
	struct port_peer peer;
	port_peer_open(&peer);
	port_peer_connect(&peer);
	memcpy((uint8_t *)peer.header + KVM_RINGS_OFFSET, "abc", 3);
	wl_event_loop_dispatch_idle(peer.guivm.loop);
	for (uint32_t i = 1; i <= 3; i++) {
		unsigned calls = peer.guivm.vchan_calls;
		peer.header->to_guivm.producer = i;
		END_DISPATCH_UNTIL(&peer.guivm, peer.guivm.vchan_calls > calls);
		EXPECT_INT(vchan_data_ready(peer.guivm.vchan), i);
	}
	port_peer_close(&peer);
}

TEST(a_port_is_rung_and_wakes) {
	struct port_peer peer;
	port_peer_open(&peer);
	port_peer_connect(&peer);
	char bytes[64];
	while (read(peer.port, bytes, sizeof(bytes)) > 0) {
	}
	peer.header->to_appvm.reader_wants = 1;
	EXPECT_INT(vchan_write(peer.guivm.vchan, "x", 1), 1);
	struct pollfd poll_fd = {.fd = peer.port, .events = POLLIN};
	EXPECT_INT(poll(&poll_fd, 1, -1), 1);
	EXPECT_INT(read(peer.port, bytes, sizeof(bytes)), 1);
	unsigned calls = peer.guivm.vchan_calls;
	EXPECT_INT(write(peer.port, "", 1), 1);
	END_DISPATCH_UNTIL(&peer.guivm, peer.guivm.vchan_calls > calls);
	port_peer_close(&peer);
}

TEST(a_port_that_hangs_up_ends_the_session_and_costs_nothing) {
	struct port_peer peer;
	port_peer_open(&peer);
	port_peer_connect(&peer);
	fd_close(&peer.port);
	END_DISPATCH_UNTIL(&peer.guivm, vchan_state(peer.guivm.vchan) == VCHAN_DISCONNECTED);
	EXPECT_STR(vchan_reason(peer.guivm.vchan), "the peer closed");
	for (unsigned i = 0; i < 10; i++) {
		wl_event_loop_dispatch(peer.guivm.loop, 0);
	}
	struct pollfd poll_fd = {.fd = wl_event_loop_get_fd(peer.guivm.loop), .events = POLLIN};
	EXPECT_INT(poll(&poll_fd, 1, 0), 0);
	port_peer_close(&peer);
}

TEST(a_peer_that_starts_again_ends_the_session) {
	struct port_peer peer;
	port_peer_open(&peer);
	port_peer_connect(&peer);
	peer.header->appvm.generation = 43;
	END_DISPATCH_UNTIL(&peer.guivm, vchan_state(peer.guivm.vchan) == VCHAN_DISCONNECTED);
	EXPECT_INT(peer.header->guivm.generation, 0);
	port_peer_close(&peer);
}

/* Several parts. */

#define SMALL_PART (4 << 20)

static void make_file(const char *name, size_t size) {
	char path[200];
	snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	close(fd);
}

/* order: the names of files, such as "ab": 8 MiB and SMALL_PART. */
static void open_parts(struct end *end, const char *order, enum transport_role role,
		struct wl_event_loop *loop) {
	char spec[800] = "kvm:mem=";
	make_file("a", 8 << 20);
	make_file("b", SMALL_PART);
	for (size_t i = 0; order[i] != '\0'; i++) {
		size_t used = strlen(spec);
		snprintf(spec + used, sizeof(spec) - used, "%sfile:%s/%c", i > 0 ? "+" : "",
			test_dir(), order[i]);
	}
	size_t used = strlen(spec);
	snprintf(spec + used, sizeof(spec) - used, ",bell=unix:%s/bell", test_dir());
	end_open_spec(end, spec, role, loop);
}

static void connect_parts(struct end *guivm, struct end *appvm) {
	struct wl_event_loop *loop = wl_event_loop_create();
	open_parts(guivm, "ab", TRANSPORT_GUIVM, loop);
	open_parts(appvm, "ab", TRANSPORT_APPVM, loop);
	end_start(guivm);
	end_start_pages(guivm, 1u << 30);
	end_start_pages(appvm, 1u << 30);
	end_start(appvm);
	END_DISPATCH_UNTIL(guivm, vchan_state(guivm->vchan) == VCHAN_CONNECTED &&
		vchan_state(appvm->vchan) == VCHAN_CONNECTED);
}

/* Maps it as the compositor does and compares a byte at each end. */
static void expect_shared(struct end *guivm, struct pages_region *region) {
	struct pages_mapping mapping;
	struct pages_ref ref = pages_region_ref(region);
	size_t size = pages_region_size(region);
	EXPECT(pages_map(guivm->pages, &ref, size, &mapping));
	uint8_t *bytes = pages_region_data(region);
	uint8_t *seen = mmap(NULL, size, PROT_READ, MAP_SHARED, mapping.fd, mapping.offset);
	EXPECT(seen != MAP_FAILED);
	bytes[0] = (uint8_t)test_random();
	bytes[size - 1] = (uint8_t)test_random();
	EXPECT(seen[0] == bytes[0] && seen[size - 1] == bytes[size - 1]);
	munmap(seen, size);
	pages_unmap(guivm->pages, &mapping);
}

TEST(regions_lie_in_all_parts_and_across_no_border) {
	struct end guivm, appvm;
	connect_parts(&guivm, &appvm);
	size_t first = (8 << 20) - KVM_ARENAS_OFFSET, second = SMALL_PART - KVM_UNIT;
	EXPECT(pages_alloc(appvm.pages, first + 1) == NULL);
	EXPECT_INT(errno, ENOSPC);
	struct pages_region *in_first = pages_alloc(appvm.pages, first - 2 * KVM_UNIT);
	struct pages_region *in_second = pages_alloc(appvm.pages, second - KVM_UNIT);
	struct pages_region *rest = pages_alloc(appvm.pages, 2 * KVM_UNIT);
	EXPECT(in_first != NULL && in_second != NULL && rest != NULL);
	EXPECT(pages_alloc(appvm.pages, 2 * KVM_UNIT) == NULL);
	struct pages_region *last = pages_alloc(appvm.pages, 1);
	EXPECT(last != NULL);
	EXPECT(pages_alloc(appvm.pages, 1) == NULL);
	struct pages_region *all[] = {in_first, in_second, rest, last};
	for (size_t i = 0; i < 4; i++) {
		expect_shared(&guivm, all[i]);
	}
	// A hole in the first part is found before the second.
	unsigned calls = appvm.pages_calls;
	pages_release(rest);
	END_DISPATCH_UNTIL(&appvm, appvm.pages_calls > calls);
	rest = pages_alloc(appvm.pages, 1);
	EXPECT(rest != NULL);
	expect_shared(&guivm, rest);
	ends_close(&guivm, &appvm);
}

TEST(references_to_the_head_of_a_part_or_across_a_border_are_refused) {
	struct end guivm, appvm;
	connect_parts(&guivm, &appvm);
	struct pages_ref opaque = pages_region_ref(pages_alloc(appvm.pages, 1));
	struct kvm_ref ref;
	memcpy(&ref, &opaque, sizeof(ref));
	uint32_t border = (8 << 20) / KVM_UNIT, end = border + SMALL_PART / KVM_UNIT;
	ref.offset_units = border;
	expect_bad_ref(&guivm, ref, ENOENT);
	ref.offset_units = border - 1;
	ref.size_units = 3;
	expect_bad_ref(&guivm, ref, ENOENT);
	ref.offset_units = border + 1;
	ref.size_units = end - border;
	expect_bad_ref(&guivm, ref, ENOENT);
	ref.size_units--;
	struct pages_mapping mapping;
	memcpy(&opaque, &ref, sizeof(opaque));
	EXPECT(pages_map(guivm.pages, &opaque, KVM_UNIT, &mapping));
	EXPECT_INT(mapping.offset, KVM_UNIT);
	ends_close(&guivm, &appvm);
}

static void expect_parts_refused(const char *guivm_order, const char *appvm_order) {
	struct wl_event_loop *loop = wl_event_loop_create();
	struct end guivm, appvm;
	open_parts(&guivm, guivm_order, TRANSPORT_GUIVM, loop);
	open_parts(&appvm, appvm_order, TRANSPORT_APPVM, loop);
	end_start(&guivm);
	end_start(&appvm);
	END_DISPATCH_UNTIL(&appvm, vchan_state(appvm.vchan) == VCHAN_DISCONNECTED);
	EXPECT(strstr(vchan_reason(appvm.vchan), "another way") != NULL);
	ends_close(&guivm, &appvm);
}

TEST(parts_that_only_one_end_has_are_refused) {
	expect_parts_refused("ab", "a");
}

TEST(parts_that_the_other_end_lacks_are_refused) {
	struct end guivm, appvm;
	struct wl_event_loop *loop = wl_event_loop_create();
	open_parts(&guivm, "a", TRANSPORT_GUIVM, loop);
	open_parts(&appvm, "ab", TRANSPORT_APPVM, loop);
	end_start(&guivm);
	end_start(&appvm);
	END_DISPATCH_UNTIL(&appvm, vchan_state(appvm.vchan) == VCHAN_DISCONNECTED);
	ends_close(&guivm, &appvm);
}

/* A process that is killed. */

static void open_terminal(int *port, enum transport_role role, struct end *end) {
	char spec[400];
	*port = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (*port < 0 || grantpt(*port) < 0 || unlockpt(*port) < 0) {
		test_skip("no pseudo terminals");
	}
	snprintf(spec, sizeof(spec), "kvm:mem=file:%s/memory,bell=serial:%s", test_dir(),
		ptsname(*port));
	end_open_spec(end, spec, role, NULL);
	end_start(end);
}

/* A process with the other role, until it is killed. */
static _Noreturn void run_peer(enum transport_role role) {
	int port;
	struct end end;
	open_terminal(&port, role, &end);
	while (true) {
		end_dispatch(&end);
	}
}

static void expect_death_to_be_noticed(enum transport_role role) {
	char ignored[256];
	struct end own;
	int port;
	backend_kvm.spec(role, ignored, sizeof(ignored)); // makes the memory
	pid_t pid = fork();
	EXPECT(pid >= 0);
	if (pid == 0) {
		run_peer(role == TRANSPORT_GUIVM ? TRANSPORT_APPVM : TRANSPORT_GUIVM);
	}
	open_terminal(&port, role, &own);
	END_DISPATCH_UNTIL(&own, vchan_state(own.vchan) == VCHAN_CONNECTED);
	EXPECT_INT(kill(pid, SIGKILL), 0);
	// Its port is still there, as that of a machine that lives on.
	END_DISPATCH_UNTIL(&own, vchan_state(own.vchan) == VCHAN_DISCONNECTED);
	EXPECT_STR(vchan_reason(own.vchan), "the peer closed");
	EXPECT_INT(waitpid(pid, NULL, 0), pid);
	end_close(&own);
	close(port);
}

TEST(a_killed_application_side_is_noticed_without_a_successor) {
	expect_death_to_be_noticed(TRANSPORT_GUIVM);
}

TEST(a_killed_gui_side_is_noticed_without_a_successor) {
	expect_death_to_be_noticed(TRANSPORT_APPVM);
}

/* What generation is after the process with that of a session ended, and then its watcher. */
static uint64_t watch_end(uint64_t generation, uint64_t session) {
	uint64_t *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT(shared != MAP_FAILED);
	struct kvm_watcher watcher;
	*shared = generation;
	EXPECT_INT(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	EXPECT(kvm_watcher_start(&watcher, shared));
	kvm_watcher_set(&watcher, session);
	kvm_watcher_stop(&watcher);
	EXPECT(waitpid(-1, NULL, 0) > 0);
	uint64_t result = *shared;
	munmap(shared, sizeof(*shared));
	return result;
}

TEST(a_watcher_ends_its_own_session_and_no_successors) {
	EXPECT_INT(watch_end(7, 7), 0);
	EXPECT_INT(watch_end(8, 7), 8);
	EXPECT_INT(watch_end(8, 0), 8);
}
