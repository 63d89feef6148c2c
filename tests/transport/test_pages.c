/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/limits.h"
#include "tests/transport/ends.h"
#include "transport/local.h"

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))
#define QUOTA (64 * PAGE)

/* Both ends on one loop, with vchan and pages up. */
static void pages_connect(struct end *guivm, struct end *appvm, const char *options) {
	struct wl_event_loop *loop = wl_event_loop_create();
	char spec[128];
	snprintf(spec, sizeof(spec), "local:%s%s", test_dir(), options);
	end_open_spec(guivm, spec, TRANSPORT_GUIVM, loop);
	end_open_spec(appvm, spec, TRANSPORT_APPVM, loop);
	ends_start_pages(guivm, appvm, QUOTA);
}

TEST(the_importer_sees_what_the_sharer_writes) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	pages_connect(&guivm, &appvm, "");
	struct pages_region *region = pages_alloc(appvm.pages, PAGE + 904);
	EXPECT_INT(pages_region_size(region), 2 * PAGE);
	struct pages_ref ref = pages_region_ref(region);
	EXPECT(pages_map(guivm.pages, &ref, PAGE + 904, &mapping));
	EXPECT_INT(mapping.size, 2 * PAGE);
	EXPECT(mapping.writable && !mapping.can_shrink);
	char *bytes = mmap(NULL, mapping.size, PROT_READ, MAP_SHARED, mapping.fd, mapping.offset);
	EXPECT(bytes != MAP_FAILED);
	for (size_t i = 0; i < mapping.size; i++) {
		EXPECT_INT(bytes[i], 0);
	}
	memcpy((char *)pages_region_data(region) + 4999, "x", 1);
	EXPECT_INT(bytes[4999], 'x');
	munmap(bytes, mapping.size);
	pages_unmap(guivm.pages, &mapping);
	ends_close(&guivm, &appvm);
}

TEST(a_region_drains_until_the_importer_let_go) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	pages_connect(&guivm, &appvm, "");
	struct pages_region *region = pages_alloc(appvm.pages, PAGE);
	struct pages_ref ref = pages_region_ref(region);
	EXPECT(pages_map(guivm.pages, &ref, PAGE, &mapping));
	pages_release(region);
	EXPECT_INT(pages_bytes_used(appvm.pages), PAGE);
	EXPECT_INT(pages_bytes_used(guivm.pages), PAGE);
	unsigned calls = appvm.pages_calls;
	pages_unmap(guivm.pages, &mapping);
	EXPECT_INT(pages_bytes_used(guivm.pages), 0);
	END_DISPATCH_UNTIL(&appvm, appvm.pages_calls > calls);
	EXPECT_INT(pages_bytes_used(appvm.pages), 0);
	ends_close(&guivm, &appvm);
}

TEST(a_region_released_after_the_importer_let_go_is_free_at_once) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	pages_connect(&guivm, &appvm, "");
	struct pages_region *region = pages_alloc(appvm.pages, PAGE);
	struct pages_ref ref = pages_region_ref(region);
	EXPECT(pages_map(guivm.pages, &ref, PAGE, &mapping));
	unsigned calls = appvm.pages_calls;
	pages_unmap(guivm.pages, &mapping);
	END_DISPATCH_UNTIL(&appvm, appvm.pages_calls > calls);
	EXPECT_INT(pages_bytes_used(appvm.pages), PAGE);
	pages_release(region);
	EXPECT_INT(pages_bytes_used(appvm.pages), 0);
	ends_close(&guivm, &appvm);
}

TEST(a_region_released_before_it_is_mapped_can_still_be_mapped) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	pages_connect(&guivm, &appvm, "");
	struct pages_region *region = pages_alloc(appvm.pages, PAGE);
	struct pages_ref ref = pages_region_ref(region);
	pages_release(region);
	EXPECT(pages_map(guivm.pages, &ref, PAGE, &mapping));
	pages_unmap(guivm.pages, &mapping);
	END_DISPATCH_UNTIL(&appvm, pages_bytes_used(appvm.pages) == 0);
	ends_close(&guivm, &appvm);
}

TEST(the_sharer_keeps_to_its_quota) {
	struct end guivm, appvm;
	pages_connect(&guivm, &appvm, "");
	struct pages_region *region = pages_alloc(appvm.pages, QUOTA);
	EXPECT(region != NULL);
	EXPECT(pages_alloc(appvm.pages, 1) == NULL);
	EXPECT_INT(errno, ENOSPC);
	EXPECT(pages_alloc(appvm.pages, SIZE_MAX) == NULL);
	EXPECT_INT(errno, ENOSPC);
	EXPECT(pages_alloc(appvm.pages, 0) == NULL);
	EXPECT_INT(errno, EINVAL);
	ends_close(&guivm, &appvm);
}

TEST(the_importer_holds_the_sharer_to_the_quota) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	pages_connect(&guivm, &appvm, "");
	pages_destroy(guivm.pages);
	vchan_destroy(guivm.vchan);
	END_DISPATCH_UNTIL(&appvm, vchan_state(appvm.vchan) == VCHAN_DISCONNECTED);
	vchan_destroy(appvm.vchan);
	pages_destroy(appvm.pages);
	end_start_pages(&guivm, PAGE);
	end_start_pages(&appvm, QUOTA);
	END_DISPATCH_UNTIL(&appvm, pages_connected(appvm.pages));
	guivm.vchan = appvm.vchan = NULL;
	struct pages_ref small = pages_region_ref(pages_alloc(appvm.pages, PAGE));
	struct pages_ref large = pages_region_ref(pages_alloc(appvm.pages, PAGE + 1));
	end_expect_map_error(&guivm, &large, ENOSPC);
	EXPECT(pages_map(guivm.pages, &small, PAGE, &mapping));
	EXPECT_INT(pages_bytes_used(guivm.pages), PAGE);
	ends_close(&guivm, &appvm);
}

TEST(a_reference_is_good_once) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	pages_connect(&guivm, &appvm, "");
	struct pages_ref ref = pages_region_ref(pages_alloc(appvm.pages, PAGE));
	EXPECT(pages_map(guivm.pages, &ref, PAGE, &mapping));
	end_expect_map_error(&guivm, &ref, ENOENT);
	ends_close(&guivm, &appvm);
}

TEST(an_invented_reference_is_unknown) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	pages_connect(&guivm, &appvm, "");
	struct pages_ref ref = pages_region_ref(pages_alloc(appvm.pages, PAGE));
	for (size_t i = 0; i < sizeof(ref); i++) {
		struct pages_ref wrong = ref;
		wrong.opaque[i] ^= 1;
		end_expect_map_error(&guivm, &wrong, ENOENT);
	}
	EXPECT(pages_map(guivm.pages, &ref, PAGE, &mapping));
	ends_close(&guivm, &appvm);
}

static void reconnect(struct end *guivm, struct end *appvm) {
	vchan_destroy(guivm->vchan);
	vchan_destroy(appvm->vchan);
	pages_destroy(guivm->pages);
	pages_destroy(appvm->pages);
	end_start_pages(appvm, QUOTA);
	end_start(appvm);
	end_start(guivm);
	end_start_pages(guivm, QUOTA);
	END_DISPATCH_UNTIL(guivm, vchan_state(guivm->vchan) == VCHAN_CONNECTED &&
		vchan_state(appvm->vchan) == VCHAN_CONNECTED);
	EXPECT(pages_connected(guivm->pages) && pages_connected(appvm->pages));
}

TEST(a_reference_of_an_earlier_connection_is_refused) {
	struct end guivm, appvm;
	pages_connect(&guivm, &appvm, "");
	struct pages_ref stale = pages_region_ref(pages_alloc(appvm.pages, PAGE));
	reconnect(&guivm, &appvm);
	EXPECT(pages_alloc(appvm.pages, PAGE) != NULL);
	end_expect_map_error(&guivm, &stale, ENOENT);
	ends_close(&guivm, &appvm);
}

TEST(what_is_shared_before_the_peer_comes_is_offered_when_it_comes) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	struct wl_event_loop *loop = wl_event_loop_create();
	end_open(&guivm, &backend_local, TRANSPORT_GUIVM, loop);
	end_open(&appvm, &backend_local, TRANSPORT_APPVM, loop);
	end_start_pages(&appvm, (uint64_t)PAGE * (LIMIT_PAGES_UNCLAIMED + 1));
	struct pages_ref refs[LIMIT_PAGES_UNCLAIMED];
	for (unsigned i = 0; i < LIMIT_PAGES_UNCLAIMED; i++) {
		refs[i] = pages_region_ref(pages_alloc(appvm.pages, PAGE));
	}
	EXPECT(pages_alloc(appvm.pages, PAGE) == NULL);
	EXPECT_INT(errno, EAGAIN);
	end_start_pages(&guivm, (uint64_t)PAGE * LIMIT_PAGES_UNCLAIMED);
	END_DISPATCH_UNTIL(&guivm, pages_connected(guivm.pages) && pages_connected(appvm.pages));
	for (unsigned i = LIMIT_PAGES_UNCLAIMED; i-- > 0;) {
		EXPECT(pages_map(guivm.pages, &refs[i], PAGE, &mapping));
	}
	ends_close(&guivm, &appvm);
}

TEST(the_peers_death_frees_what_drains_and_keeps_what_is_held) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	pages_connect(&guivm, &appvm, "");
	struct pages_region *held = pages_alloc(appvm.pages, PAGE);
	pages_release(pages_alloc(appvm.pages, PAGE));
	pages_destroy(guivm.pages);
	guivm.pages = NULL;
	END_DISPATCH_UNTIL(&appvm, !pages_connected(appvm.pages));
	EXPECT_INT(pages_bytes_used(appvm.pages), PAGE);
	memset(pages_region_data(held), 1, PAGE);
	EXPECT(pages_alloc(appvm.pages, PAGE) == NULL);
	EXPECT_INT(errno, EPIPE);
	pages_release(held);
	EXPECT_INT(pages_bytes_used(appvm.pages), 0);
	EXPECT_INT(pages_map(appvm.pages, &(struct pages_ref){0}, 1, &mapping), false);
	ends_close(&guivm, &appvm);
}

TEST(mappings_outlive_the_sharer) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	pages_connect(&guivm, &appvm, "");
	struct pages_region *region = pages_alloc(appvm.pages, PAGE);
	struct pages_ref ref = pages_region_ref(region), late;
	memset(pages_region_data(region), 7, PAGE);
	EXPECT(pages_map(guivm.pages, &ref, PAGE, &mapping));
	late = pages_region_ref(pages_alloc(appvm.pages, PAGE));
	pages_destroy(appvm.pages);
	appvm.pages = NULL;
	END_DISPATCH_UNTIL(&guivm, !pages_connected(guivm.pages));
	char byte = 0;
	EXPECT_INT(pread(mapping.fd, &byte, 1, PAGE - 1), 1);
	EXPECT_INT(byte, 7);
	end_expect_map_error(&guivm, &late, ENOTCONN);
	pages_unmap(guivm.pages, &mapping);
	EXPECT_INT(pages_bytes_used(guivm.pages), 0);
	ends_close(&guivm, &appvm);
}

/* Handed-over descriptors. */

static bool share_and_map(struct end *guivm, struct end *appvm, int fd, uint64_t min_size,
		struct pages_mapping *mapping) {
	struct pages_region *region = pages_share_fd(appvm->pages, fd);
	EXPECT(region != NULL);
	struct pages_ref ref = pages_region_ref(region);
	return pages_map(guivm->pages, &ref, min_size, mapping);
}

TEST(a_handed_over_memfd_is_the_same_memory) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	pages_connect(&guivm, &appvm, "");
	int fd = fd_memory("client", 3 * PAGE);
	EXPECT(share_and_map(&guivm, &appvm, fd, 2 * PAGE, &mapping));
	EXPECT_INT(mapping.size, 3 * PAGE);
	EXPECT(mapping.writable && mapping.can_shrink);
	struct stat before, after;
	EXPECT(fstat(fd, &before) == 0 && fstat(mapping.fd, &after) == 0);
	EXPECT_INT(before.st_ino, after.st_ino);
	pages_unmap(guivm.pages, &mapping);
	close(fd);
	ends_close(&guivm, &appvm);
}

TEST(handed_over_memory_does_not_use_up_the_quota) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	pages_connect(&guivm, &appvm, "");
	int fd = fd_memory("sparse", 512u * 1024 * 1024);
	EXPECT(share_and_map(&guivm, &appvm, fd, 1, &mapping));
	EXPECT_INT(pages_bytes_used(guivm.pages) + pages_bytes_used(appvm.pages), 0);
	close(fd);
	ends_close(&guivm, &appvm);
}

TEST(seals_and_access_mode_are_told) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	pages_connect(&guivm, &appvm, "");
	int fd = fd_memory("client", PAGE);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int read_only = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT(share_and_map(&guivm, &appvm, read_only, 1, &mapping));
	EXPECT(!mapping.writable);
	EXPECT(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE) == 0);
	EXPECT(share_and_map(&guivm, &appvm, fd, 1, &mapping));
	EXPECT(!mapping.writable && !mapping.can_shrink);
	close(read_only);
	close(fd);
	ends_close(&guivm, &appvm);
}

TEST(a_region_that_shrank_before_it_was_mapped_is_too_small) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	pages_connect(&guivm, &appvm, "");
	int fd = fd_memory("client", 2 * PAGE);
	struct pages_ref ref = pages_region_ref(pages_share_fd(appvm.pages, fd));
	EXPECT(ftruncate(fd, PAGE) == 0);
	EXPECT(!pages_map(guivm.pages, &ref, 2 * PAGE, &mapping));
	EXPECT_INT(errno, ERANGE);
	close(fd);
	ends_close(&guivm, &appvm);
}

TEST(a_passed_descriptor_is_the_same_thing) {
	struct end guivm, appvm;
	pages_connect(&guivm, &appvm, "");
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int before = fd_count_open();
	for (uint64_t i = 1; i <= 3 * LIMIT_PAGES_UNCLAIMED; i++) {
		struct pages_region *region = pages_pass_fd(appvm.pages, fd);
		EXPECT(region != NULL);
		struct pages_ref ref = pages_region_ref(region);
		pages_release(region);
		unsigned calls = appvm.pages_calls;
		int taken = pages_take_fd(guivm.pages, &ref);
		uint64_t value = 0;
		EXPECT(write(fd, &i, sizeof(i)) == sizeof(i));
		EXPECT(read(taken, &value, sizeof(value)) == sizeof(value));
		EXPECT_INT(value, i);
		EXPECT((fcntl(taken, F_GETFD) & FD_CLOEXEC) != 0);
		EXPECT_INT(pages_take_fd(guivm.pages, &ref), -1);
		EXPECT_INT(errno, ENOENT);
		close(taken);
		END_DISPATCH_UNTIL(&appvm, appvm.pages_calls > calls);
	}
	EXPECT_INT(fd_count_open(), before);
	close(fd);
	ends_close(&guivm, &appvm);
}

TEST(a_passed_descriptor_is_not_mapped_and_memory_not_taken) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	pages_connect(&guivm, &appvm, "");
	int fd = fd_memory("client", PAGE);
	struct pages_ref passed = pages_region_ref(pages_pass_fd(appvm.pages, fd));
	struct pages_ref shared = pages_region_ref(pages_share_fd(appvm.pages, fd));
	EXPECT(!pages_map(guivm.pages, &passed, 1, &mapping));
	EXPECT_INT(errno, EINVAL);
	EXPECT_INT(pages_take_fd(guivm.pages, &shared), -1);
	EXPECT_INT(errno, EINVAL);
	close(fd);
	ends_close(&guivm, &appvm);
}

static void expect_share_refused(struct end *appvm, int fd, int expected) {
	EXPECT(fd >= 0);
	EXPECT(pages_share_fd(appvm->pages, fd) == NULL);
	EXPECT_INT(errno, expected);
	close(fd);
}

TEST(what_cannot_be_mapped_is_not_offered) {
	struct end guivm, appvm;
	pages_connect(&guivm, &appvm, "");
	int pipe_fds[2];
	EXPECT(pipe2(pipe_fds, O_CLOEXEC) == 0);
	expect_share_refused(&appvm, pipe_fds[0], EINVAL);
	close(pipe_fds[1]);
	expect_share_refused(&appvm, open("/proc/version", O_RDONLY), EINVAL);
	expect_share_refused(&appvm, open("/dev/zero", O_RDWR), EINVAL);
	expect_share_refused(&appvm, fd_memory("empty", 0), EINVAL);
	ends_close(&guivm, &appvm);
}

TEST(without_handover_no_descriptor_can_be_shared) {
	struct end guivm, appvm;
	pages_connect(&guivm, &appvm, ",pixels=arena");
	expect_share_refused(&appvm, fd_memory("client", PAGE), ENOTSUP);
	int fd = eventfd(0, EFD_CLOEXEC);
	EXPECT(pages_pass_fd(appvm.pages, fd) == NULL);
	EXPECT_INT(errno, ENOTSUP);
	close(fd);
	EXPECT_INT(pages_take_fd(guivm.pages, &(struct pages_ref){{1}}), -1);
	EXPECT_INT(errno, ENOENT);
	ends_close(&guivm, &appvm);
}

/* A hostile sharer, against a real importer. The layout is repeated here: that it may not change
 * without notice is part of the test. */
struct offer {
	uint32_t magic, op;
	uint64_t token;
	struct pages_ref ref;
	uint32_t flags, zero;
};

struct sharer {
	int socket_fd, pages_fd;
};

static struct offer offer_named(uint8_t name, bool allocated) {
	return (struct offer){
		.magic = 0x50485349,
		.op = 1,
		.ref.opaque = {name},
		.flags = allocated ? 1 : 0,
	};
}

static struct sharer sharer_connect(struct end *guivm, const char *options) {
	char spec[128];
	snprintf(spec, sizeof(spec), "local:%s%s", test_dir(), options);
	end_open_spec(guivm, spec, TRANSPORT_GUIVM, NULL);
	end_start_pages(guivm, QUOTA);
	struct sharer sharer = {.socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/vchan", test_dir());
	EXPECT(connect(sharer.socket_fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	END_DISPATCH_UNTIL(guivm, pages_connected(guivm->pages));
	struct local_hello hello;
	int fds[2];
	size_t n_fds = 2;
	EXPECT_INT(fd_receive(sharer.socket_fd, &hello, sizeof(hello), fds, &n_fds), sizeof(hello));
	close(fds[0]);
	sharer.pages_fd = fds[1];
	return sharer;
}

static void sharer_close(struct sharer *sharer, struct end *guivm) {
	fd_close(&sharer->socket_fd);
	fd_close(&sharer->pages_fd);
	end_close(guivm);
}

static void send_offer(struct sharer *sharer, const struct offer *offer, int fd) {
	EXPECT_INT(fd_send(sharer->pages_fd, offer, sizeof(*offer), &fd, 1), sizeof(*offer));
}

static void expect_offer_refused(const char *options, bool allocated, int fd, int expected) {
	struct end guivm;
	struct sharer sharer = sharer_connect(&guivm, options);
	struct offer offer = offer_named(1, allocated);
	EXPECT(fd >= 0);
	send_offer(&sharer, &offer, fd);
	close(fd);
	end_expect_map_error(&guivm, &offer.ref, expected);
	EXPECT(pages_connected(guivm.pages));
	struct offer ack;
	EXPECT_INT(recv(sharer.pages_fd, &ack, sizeof(ack), 0), sizeof(ack));
	EXPECT_INT(ack.op, 2);
	sharer_close(&sharer, &guivm);
}

TEST(an_allocated_region_must_be_sealed) {
	expect_offer_refused("", true, fd_memory("unsealed", PAGE), EINVAL);
}

TEST(a_file_of_another_file_system_is_refused) {
	// A regular file that is not empty and never on tmpfs.
	int fd = open("/sys/kernel/uevent_seqnum", O_RDONLY);
	if (fd < 0) {
		test_skip("no sysfs");
	}
	struct stat info;
	EXPECT(fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0);
	expect_offer_refused("", false, fd, EINVAL);
}

TEST(a_device_is_refused) {
	expect_offer_refused("", false, open("/dev/zero", O_RDWR), EINVAL);
}

TEST(a_write_only_descriptor_is_refused) {
	int fd = fd_memory("memory", PAGE);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int write_only = open(path, O_WRONLY);
	close(fd);
	expect_offer_refused("", false, write_only, EINVAL);
}

TEST(a_descriptor_of_a_path_only_is_refused) {
	int fd = fd_memory("memory", PAGE);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int path_only = open(path, O_PATH);
	close(fd);
	expect_offer_refused("", false, path_only, EINVAL);
}

TEST(an_empty_region_is_refused) {
	expect_offer_refused("", false, fd_memory("memory", 0), EINVAL);
}

TEST(without_handover_an_unsealed_region_is_refused) {
	expect_offer_refused(",pixels=arena", false, fd_memory("memory", PAGE), EINVAL);
}

static void expect_cut_off(struct end *guivm) {
	end_expect_map_error(guivm, &(struct pages_ref){.opaque = {99}}, ENOTCONN);
	EXPECT(!pages_connected(guivm->pages));
	END_DISPATCH_UNTIL(guivm, guivm->pages_calls > 0);
}

static void expect_message_cuts_off(const struct offer *offer, size_t size, size_t n_fds) {
	struct end guivm;
	struct sharer sharer = sharer_connect(&guivm, "");
	int fds[3];
	for (size_t i = 0; i < 3; i++) {
		fds[i] = fd_memory("memory", PAGE);
	}
	char bytes[256] = "";
	memcpy(bytes, offer, sizeof(*offer));
	EXPECT_INT(fd_send(sharer.pages_fd, bytes, size, fds, n_fds), size);
	expect_cut_off(&guivm);
	for (size_t i = 0; i < 3; i++) {
		close(fds[i]);
	}
	sharer_close(&sharer, &guivm);
}

TEST(a_malformed_offer_cuts_off) {
	struct offer good = offer_named(1, false), offer = good;
	expect_message_cuts_off(&good, sizeof(good) - 1, 1);
	expect_message_cuts_off(&good, sizeof(good) + 1, 1);
	expect_message_cuts_off(&good, sizeof(good), 0);
	expect_message_cuts_off(&good, sizeof(good), 2);
	expect_message_cuts_off(&good, sizeof(good), 3);
	offer.magic = 1;
	expect_message_cuts_off(&offer, sizeof(offer), 1);
	offer = good;
	offer.op = 2;
	expect_message_cuts_off(&offer, sizeof(offer), 1);
	offer = good;
	offer.flags = 3; // more than one kind
	expect_message_cuts_off(&offer, sizeof(offer), 1);
	offer = good;
	offer.zero = 1;
	expect_message_cuts_off(&offer, sizeof(offer), 1);
}

TEST(a_flood_of_offers_that_nobody_named_cuts_off) {
	struct end guivm;
	struct sharer sharer = sharer_connect(&guivm, "");
	int fd = fd_memory("memory", PAGE);
	struct offer offer = offer_named(1, false);
	for (unsigned i = 0; i < LIMIT_PAGES_UNCLAIMED; i++) {
		send_offer(&sharer, &offer, fd);
	}
	end_expect_map_error(&guivm, &(struct pages_ref){.opaque = {99}}, ENOENT);
	EXPECT(pages_connected(guivm.pages));
	send_offer(&sharer, &offer, fd);
	expect_cut_off(&guivm);
	close(fd);
	sharer_close(&sharer, &guivm);
}

TEST(a_sharer_that_reads_no_acknowledgements_is_cut_off) {
	struct end guivm;
	struct sharer sharer = sharer_connect(&guivm, "");
	int fd = fd_memory("memory", PAGE);
	struct offer offer = offer_named(1, false);
	struct pages_mapping mapping;
	unsigned rounds = 0;
	while (pages_connected(guivm.pages)) {
		send_offer(&sharer, &offer, fd);
		EXPECT(pages_map(guivm.pages, &offer.ref, 1, &mapping));
		pages_unmap(guivm.pages, &mapping);
		rounds++;
	}
	EXPECT(rounds > LIMIT_PAGES_REGIONS);
	close(fd);
	sharer_close(&sharer, &guivm);
}

TEST(the_sharer_is_told_when_the_importer_does_not_keep_up) {
	struct end guivm, appvm;
	pages_connect(&guivm, &appvm, "");
	int fd = fd_memory("client", PAGE);
	struct pages_region *region;
	struct pages_ref refs[LIMIT_PAGES_REGIONS];
	unsigned shared = 0;
	while ((region = pages_share_fd(appvm.pages, fd)) != NULL) {
		refs[shared++] = pages_region_ref(region);
		pages_release(region);
	}
	EXPECT_INT(errno, EAGAIN);
	EXPECT(shared >= LIMIT_PAGES_UNCLAIMED);
	unsigned calls = appvm.pages_calls;
	for (unsigned i = 0; i < shared; i++) {
		struct pages_mapping mapping;
		EXPECT(pages_map(guivm.pages, &refs[i], 1, &mapping));
		pages_unmap(guivm.pages, &mapping);
	}
	END_DISPATCH_UNTIL(&appvm, appvm.pages_calls > calls);
	EXPECT(pages_share_fd(appvm.pages, fd) != NULL);
	close(fd);
	ends_close(&guivm, &appvm);
}

TEST(nothing_leaks_over_1000_rounds) {
	struct end guivm, appvm;
	pages_connect(&guivm, &appvm, "");
	int client = fd_memory("client", PAGE);
	int before = fd_count_open();
	for (unsigned i = 0; i < 1000; i++) {
		struct pages_mapping mapping;
		struct pages_region *region = i % 2 == 0 ? pages_alloc(appvm.pages, PAGE)
			: pages_share_fd(appvm.pages, client);
		struct pages_ref ref = pages_region_ref(region);
		EXPECT(pages_map(guivm.pages, &ref, 1, &mapping));
		pages_release(region);
		pages_unmap(guivm.pages, &mapping);
		unsigned calls = appvm.pages_calls;
		END_DISPATCH_UNTIL(&appvm, appvm.pages_calls > calls);
	}
	EXPECT_INT(fd_count_open(), before);
	EXPECT_INT(pages_bytes_used(appvm.pages) + pages_bytes_used(guivm.pages), 0);
	close(client);
	ends_close(&guivm, &appvm);
}

static void destroy_pages(struct pages *pages, void *data) {
	struct end *end = data;
	pages_destroy(pages);
	end->pages = NULL;
}

TEST(the_handler_may_destroy_the_pages) {
	struct end guivm, appvm;
	struct wl_event_loop *loop = wl_event_loop_create();
	end_open(&guivm, &backend_local, TRANSPORT_GUIVM, loop);
	end_open(&appvm, &backend_local, TRANSPORT_APPVM, loop);
	guivm.pages = pages_create(guivm.transport, QUOTA, destroy_pages, &guivm);
	end_start_pages(&appvm, QUOTA);
	END_DISPATCH_UNTIL(&guivm, guivm.pages == NULL && appvm.pages_calls > 0 &&
		!pages_connected(appvm.pages));
	ends_close(&guivm, &appvm);
}

TEST(a_transport_without_memory_has_no_pages) {
	struct end end;
	end_open(&end, &backend_stream_unix, TRANSPORT_APPVM, NULL);
	EXPECT(pages_create(end.transport, QUOTA, NULL, NULL) == NULL);
	EXPECT_INT(errno, ENOTSUP);
	end_close(&end);
}

TEST(a_second_pages_at_a_time_is_refused) {
	struct end end;
	end_open(&end, &backend_local, TRANSPORT_APPVM, NULL);
	end_start_pages(&end, QUOTA);
	EXPECT(pages_create(end.transport, QUOTA, NULL, NULL) == NULL);
	EXPECT_INT(errno, EBUSY);
	end_close(&end);
}
