/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "tests/transport/ends.h"
#include "transport/xen.h"
#include "transport/xen_broker.h"

/* Both ends in one domain of a booted Xen: pages by real grants, and hostile ends. */

#define PAGE XEN_PAGE_BYTES
#define QUOTA (512 * PAGE)

static void connect_ends(struct end *guivm, struct end *appvm) {
	ends_connect_pages(guivm, appvm, &backend_xen, QUOTA);
}

TEST(the_importer_sees_what_the_sharer_writes) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	connect_ends(&guivm, &appvm);
	struct pages_region *region = pages_alloc(appvm.pages, 5000);
	EXPECT(region != NULL);
	EXPECT_INT(pages_region_size(region), 2 * PAGE);
	struct pages_ref ref = pages_region_ref(region);
	EXPECT(pages_map(guivm.pages, &ref, 5000, &mapping));
	EXPECT_INT(mapping.size, 2 * PAGE);
	EXPECT(!mapping.writable && !mapping.can_shrink);
	char *bytes = mmap(NULL, mapping.size, PROT_READ, MAP_SHARED, mapping.fd, mapping.offset);
	EXPECT(bytes != MAP_FAILED);
	for (size_t i = 0; i < mapping.size; i++) {
		EXPECT_INT(bytes[i], 0);
	}
	((char *)pages_region_data(region))[4999] = 'x';
	EXPECT_INT(bytes[4999], 'x');
	munmap(bytes, mapping.size);
	pages_unmap(guivm.pages, &mapping);
	ends_close(&guivm, &appvm);
}

TEST(a_region_cannot_be_mapped_for_writing) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	connect_ends(&guivm, &appvm);
	struct pages_ref ref = pages_region_ref(pages_alloc(appvm.pages, PAGE));
	EXPECT(pages_map(guivm.pages, &ref, PAGE, &mapping));
	EXPECT(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mapping.fd, 0) ==
		MAP_FAILED);
	ends_close(&guivm, &appvm);
}

TEST(a_region_drains_until_the_importer_let_go) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	connect_ends(&guivm, &appvm);
	struct pages_region *region = pages_alloc(appvm.pages, PAGE);
	struct pages_ref ref = pages_region_ref(region);
	EXPECT(pages_map(guivm.pages, &ref, PAGE, &mapping));
	pages_release(region);
	EXPECT_INT(pages_bytes_used(appvm.pages), PAGE);
	unsigned calls = appvm.pages_calls;
	pages_unmap(guivm.pages, &mapping);
	END_DISPATCH_UNTIL(&appvm, appvm.pages_calls > calls);
	EXPECT_INT(pages_bytes_used(appvm.pages), 0);
	ends_close(&guivm, &appvm);
}

TEST(a_region_is_mapped_by_each_who_asks) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	connect_ends(&guivm, &appvm);
	struct pages_region *region = pages_alloc(appvm.pages, PAGE);
	((char *)pages_region_data(region))[7] = 'x';
	struct pages_ref ref = pages_region_ref(region);
	EXPECT(pages_map(guivm.pages, &ref, PAGE, &mapping));
	EXPECT(mapping.once);
	for (unsigned i = 0; i < 3; i++) {
		int fd = pages_mapping_fd(guivm.pages, &mapping);
		char *bytes = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, mapping.offset);
		EXPECT(bytes != MAP_FAILED);
		EXPECT_INT(bytes[7], 'x');
		munmap(bytes, PAGE);
		// As mapping.once says.
		EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
		close(fd);
		EXPECT_INT(pages_bytes_used(guivm.pages), (i + 1) * PAGE);
	}
	pages_mapping_forget(guivm.pages, &mapping);
	EXPECT_INT(pages_bytes_used(guivm.pages), 2 * PAGE);
	pages_unmap(guivm.pages, &mapping);
	EXPECT_INT(pages_bytes_used(guivm.pages), 0);
	ends_close(&guivm, &appvm);
}

TEST(what_is_still_mapped_is_never_given_out_again) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	connect_ends(&guivm, &appvm);
	struct pages_region *region = pages_alloc(appvm.pages, 64 * PAGE);
	uint8_t *shared = pages_region_data(region);
	memset(shared, 7, 64 * PAGE);
	struct pages_ref ref = pages_region_ref(region);
	EXPECT(pages_map(guivm.pages, &ref, PAGE, &mapping));
	uint8_t *bytes = mmap(NULL, mapping.size, PROT_READ, MAP_SHARED, mapping.fd,
			mapping.offset);
	EXPECT(bytes != MAP_FAILED);
	pages_release(region);
	unsigned calls = appvm.pages_calls;
	// Acknowledged although the compositor, whose mapping this stands for, still has it.
	pages_unmap(guivm.pages, &mapping);
	END_DISPATCH_UNTIL(&appvm, appvm.pages_calls > calls);
	region = pages_alloc(appvm.pages, 64 * PAGE);
	EXPECT(region != NULL);
	memset(pages_region_data(region), 9, 64 * PAGE);
	for (size_t i = 0; i < 64 * PAGE; i++) {
		EXPECT_INT(bytes[i], 7);
	}
	munmap(bytes, 64 * PAGE);
	ends_close(&guivm, &appvm);
}

TEST(a_reference_is_good_once_and_for_one_session) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	connect_ends(&guivm, &appvm);
	struct pages_ref ref = pages_region_ref(pages_alloc(appvm.pages, PAGE));
	struct pages_ref second = pages_region_ref(pages_alloc(appvm.pages, PAGE));
	EXPECT(pages_map(guivm.pages, &second, PAGE, &mapping));
	pages_unmap(guivm.pages, &mapping);
	end_expect_map_error(&guivm, &second, ENOENT);
	vchan_destroy(guivm.vchan);
	vchan_destroy(appvm.vchan);
	pages_destroy(guivm.pages);
	pages_destroy(appvm.pages);
	end_start_pages(&appvm, QUOTA);
	end_start(&appvm);
	end_start_pages(&guivm, QUOTA);
	end_start(&guivm);
	END_DISPATCH_UNTIL(&guivm, pages_connected(guivm.pages));
	end_expect_map_error(&guivm, &ref, ENOENT);
	ends_close(&guivm, &appvm);
}

TEST(the_importer_holds_the_sharer_to_quota_and_size) {
	struct end guivm, appvm;
	connect_ends(&guivm, &appvm);
	struct pages_mapping mapping;
	struct pages_ref ref = pages_region_ref(pages_alloc(appvm.pages, PAGE));
	EXPECT(!pages_map(guivm.pages, &ref, PAGE + 1, &mapping));
	EXPECT_INT(errno, ERANGE);
	pages_destroy(guivm.pages);
	end_start_pages(&guivm, PAGE);
	EXPECT(pages_alloc(appvm.pages, QUOTA) == NULL);
	ends_close(&guivm, &appvm);
}

/* As transport/pages_xen.c has it: that it may not change without notice is part of the test. */
struct xen_ref {
	uint32_t tag, token, directory, n_pages;
	uint64_t generation;
};

static void expect_bad_ref(struct end *guivm, struct xen_ref bytes) {
	struct pages_ref ref;
	struct pages_mapping mapping;
	memcpy(&ref, &bytes, sizeof(ref));
	// A directory that some grant stands for is found to name nothing when it is mapped.
	if (pages_map(guivm->pages, &ref, 1, &mapping)) {
		EXPECT(mmap(NULL, mapping.size, PROT_READ, MAP_SHARED, mapping.fd, 0) ==
			MAP_FAILED);
		pages_unmap(guivm->pages, &mapping);
	}
	EXPECT_INT(pages_bytes_used(guivm->pages), 0);
}

TEST(invented_references_map_nothing) {
	struct end guivm, appvm;
	connect_ends(&guivm, &appvm);
	struct pages_ref opaque = pages_region_ref(pages_alloc(appvm.pages, PAGE));
	struct xen_ref good, ref;
	memcpy(&good, &opaque, sizeof(good));
	static const uint32_t words[] = {0, 1, 8, 511, 512, 0x7fffffff, UINT32_MAX};
	ref = good;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		ref.token++;
		ref.directory = words[i];
		expect_bad_ref(&guivm, ref);
	}
	ref = good;
	ref.n_pages = 0;
	expect_bad_ref(&guivm, ref);
	ref.n_pages = XEN_MAP_MAX_PAGES + 1;
	expect_bad_ref(&guivm, ref);
	ref = good;
	ref.generation ^= 1;
	expect_bad_ref(&guivm, ref);
	EXPECT_INT(vchan_state(guivm.vchan), VCHAN_CONNECTED);
	ends_close(&guivm, &appvm);
}

TEST(a_directory_that_names_what_was_not_given_maps_nothing) {
	struct end guivm, appvm;
	connect_ends(&guivm, &appvm);
	struct pages_region *region = pages_alloc(appvm.pages, PAGE);
	struct pages_ref ref = pages_region_ref(region);
	// The directory lies behind the region.
	struct xen_directory *directory = (struct xen_directory *)
			((uint8_t *)pages_region_data(region) + PAGE);
	directory->refs[0] = UINT32_MAX;
	struct pages_mapping mapping;
	bool mapped = pages_map(guivm.pages, &ref, 1, &mapping);
	EXPECT(!mapped || mmap(NULL, PAGE, PROT_READ, MAP_SHARED, mapping.fd, 0) == MAP_FAILED);
	ends_close(&guivm, &appvm);
}

TEST(a_region_of_many_directory_pages_is_whole) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	struct wl_event_loop *loop = wl_event_loop_create();
	end_open(&guivm, &backend_xen, TRANSPORT_GUIVM, loop);
	end_open(&appvm, &backend_xen, TRANSPORT_APPVM, loop);
	uint64_t size = (uint64_t)8100 * PAGE; // 3840 by 2160
	end_start_pages(&guivm, size);
	end_start_pages(&appvm, size);
	END_DISPATCH_UNTIL(&guivm, pages_connected(guivm.pages) && pages_connected(appvm.pages));
	struct pages_region *region = pages_alloc(appvm.pages, size);
	if (region == NULL && errno == ENOSPC) {
		test_skip("xen_gntalloc's limit is too low");
	}
	uint32_t *words = pages_region_data(region);
	for (uint32_t i = 0; i < 8100; i++) {
		words[i * (PAGE / 4)] = i;
	}
	struct pages_ref ref = pages_region_ref(region);
	EXPECT(pages_map(guivm.pages, &ref, size, &mapping));
	uint32_t *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, mapping.fd, mapping.offset);
	EXPECT(bytes != MAP_FAILED);
	for (uint32_t i = 0; i < 8100; i++) {
		EXPECT_INT(bytes[i * (PAGE / 4)], i);
	}
	munmap(bytes, size);
	ends_close(&guivm, &appvm);
}

/* An application's pool, sealed as toolkits do it. */
static uint32_t *make_pool(size_t size, int *fd) {
	*fd = fd_memory("pool", size);
	EXPECT(fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	uint32_t *words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	EXPECT(words != MAP_FAILED);
	return words;
}

TEST(memory_of_an_application_is_read_where_it_lies) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	int fd;
	enum { PAGES = 2000, SKIPPED = 3, WORDS = PAGE / 4 };
	size_t size = (PAGES - SKIPPED) * PAGE;
	struct wl_event_loop *loop = wl_event_loop_create();
	end_open(&guivm, &backend_xen, TRANSPORT_GUIVM, loop);
	end_open(&appvm, &backend_xen, TRANSPORT_APPVM, loop);
	end_start_pages(&guivm, size);
	end_start_pages(&appvm, size);
	END_DISPATCH_UNTIL(&guivm, pages_connected(guivm.pages) && pages_connected(appvm.pages));
	uint32_t *pool = make_pool(PAGES * PAGE, &fd);
	struct pages_region *region = pages_share_memory(appvm.pages, fd, SKIPPED * PAGE, size);
	if (region == NULL && errno == ENOTSUP) {
		test_skip("this domain's kernel cannot grant memory where it lies");
	}
	EXPECT(region != NULL);
	struct pages_ref ref = pages_region_ref(region);
	EXPECT(pages_map(guivm.pages, &ref, size, &mapping));
	const uint32_t *seen = mmap(NULL, size, PROT_READ, MAP_SHARED, mapping.fd, mapping.offset);
	EXPECT(seen != MAP_FAILED);
	for (uint32_t i = SKIPPED; i < PAGES; i++) {
		pool[i * WORDS + i % WORDS] = i;
		EXPECT_INT(seen[(i - SKIPPED) * WORDS + i % WORDS], i);
	}
	// The file goes; what is shared stays until the importer let go.
	munmap(pool, PAGES * PAGE);
	close(fd);
	pages_release(region);
	EXPECT_INT(seen[(PAGES - 1 - SKIPPED) * WORDS + (PAGES - 1) % WORDS], PAGES - 1);
	munmap((void *)seen, size);
	unsigned calls = appvm.pages_calls;
	pages_unmap(guivm.pages, &mapping);
	END_DISPATCH_UNTIL(&appvm, appvm.pages_calls > calls);
	EXPECT_INT(pages_bytes_used(appvm.pages), 0);
	printf("# %u pages of an application were read where they lie\n", PAGES - SKIPPED);
	ends_close(&guivm, &appvm);
}

TEST(a_domain_that_would_lose_its_pages_is_refused) {
	const char *domid = getenv("ISTHMUS_TEST_DOMID");
	if (domid == NULL || xen_maps_own_grants()) {
		test_skip("not in a domain of Xen other than PV");
	}
	char spec[64], error[512] = "";
	struct wl_event_loop *loop = wl_event_loop_create();
	snprintf(spec, sizeof(spec), "xen:%s:refused", domid);
	EXPECT(transport_open(loop, spec, TRANSPORT_GUIVM, error, sizeof(error)) == NULL);
	EXPECT(strstr(error, "both ends in one domain") != NULL);
	wl_event_loop_destroy(loop);
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

static struct xen_vchan_page *page_of(struct end *appvm) {
	return ((struct xen *)appvm->transport)->session->page;
}

TEST(wild_indices_disconnect) {
	struct end guivm, appvm;
	connect_ends(&guivm, &appvm);
	page_of(&appvm)->left_consumer = 1u << 31;
	expect_ring_failure(&guivm);
	ends_close(&guivm, &appvm);
	connect_ends(&guivm, &appvm);
	page_of(&appvm)->right_producer = XEN_RING_BYTES + 1;
	expect_ring_failure(&guivm);
	ends_close(&guivm, &appvm);
}

TEST(orders_that_change_after_the_connection_change_nothing) {
	struct end guivm, appvm;
	connect_ends(&guivm, &appvm);
	page_of(&appvm)->left_order = page_of(&appvm)->right_order = 31;
	char text[4] = "";
	EXPECT_INT(vchan_send(appvm.vchan, "abc", 3), 3);
	EXPECT_INT(vchan_recv(guivm.vchan, text, 3), 3);
	EXPECT_STR(text, "abc");
	ends_close(&guivm, &appvm);
}

TEST(a_guivm_survives_random_scribbling) {
	struct end guivm, appvm;
	connect_ends(&guivm, &appvm);
	// Kept alive past the session: the peer may write there as long as it likes.
	struct xen *xen = (struct xen *)appvm.transport;
	struct xen_session *session = xen_session_ref(xen->session);
	for (unsigned i = 0; i < 5000; i++) {
		uint32_t *word = (uint32_t *)session->page + test_random_below(6);
		*word = test_random_below(4) == 0 ? test_random_below(UINT32_MAX)
						  : test_random_below(XEN_RING_BYTES);
		char bytes[64];
		vchan_read(guivm.vchan, bytes, sizeof(bytes));
		vchan_write(guivm.vchan, bytes, sizeof(bytes));
		wl_event_loop_dispatch(guivm.loop, 0);
	}
	xen_session_unref(xen, session);
	ends_close(&guivm, &appvm);
}

/* What a frame costs. */

static unsigned n_notifies, n_other_calls;

static int count_ioctl(int fd, unsigned long request, void *argument) {
	if (request == xen_event_notify_request) {
		n_notifies++;
	} else {
		n_other_calls++;
	}
	return ioctl(fd, request, argument);
}

#define FRAMES 200

TEST(a_frame_costs_no_operation_on_grants) {
	struct end guivm, appvm;
	struct pages_mapping mapping;
	connect_ends(&guivm, &appvm);
	xen_ioctl = count_ioctl;
	struct pages_region *region = pages_alloc(appvm.pages, QUOTA);
	struct pages_ref ref = pages_region_ref(region);
	EXPECT_INT(n_other_calls, 1); // all of its pages at once
	EXPECT(pages_map(guivm.pages, &ref, QUOTA, &mapping));
	uint32_t *seen = mmap(NULL, QUOTA, PROT_READ, MAP_SHARED, mapping.fd, mapping.offset);
	EXPECT(seen != MAP_FAILED);
	n_other_calls = n_notifies = 0;
	for (uint32_t i = 1; i <= FRAMES; i++) {
		uint32_t word;
		*(uint32_t *)pages_region_data(region) = i;
		EXPECT_INT(vchan_send(appvm.vchan, &i, sizeof(i)), sizeof(i));
		while (vchan_recv(guivm.vchan, &word, sizeof(word)) == 0) {
			end_dispatch(&guivm);
		}
		EXPECT_INT(seen[0], i);
		EXPECT_INT(vchan_send(guivm.vchan, &word, sizeof(word)), sizeof(word));
		while (vchan_recv(appvm.vchan, &word, sizeof(word)) == 0) {
			end_dispatch(&appvm);
		}
	}
	printf("# %u frames and answers: %u notifications, %u other calls\n", FRAMES, n_notifies,
		n_other_calls);
	EXPECT_INT(n_other_calls, 0);
	EXPECT(n_notifies <= 4 * FRAMES);
	munmap(seen, QUOTA);
	ends_close(&guivm, &appvm);
}

static uint64_t time_copies(uint8_t *to, const uint8_t *from, size_t size) {
	struct timespec start, end;
	clock_gettime(CLOCK_MONOTONIC, &start);
	memcpy(to, from, size);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (uint64_t)(end.tv_sec - start.tv_sec) * 1000000000u + (uint64_t)end.tv_nsec -
		(uint64_t)start.tv_nsec;
}

static int compare_times(const void *a, const void *b) {
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

#define ROUNDS 101

TEST(a_region_is_written_as_fast_as_other_memory) {
	struct end guivm, appvm;
	connect_ends(&guivm, &appvm);
	struct pages_region *region = pages_alloc(appvm.pages, QUOTA);
	uint8_t *from = malloc(QUOTA), *other = malloc(QUOTA);
	uint64_t shared_ns[ROUNDS], other_ns[ROUNDS];
	memset(from, 1, QUOTA);
	memset(other, 2, QUOTA);
	for (unsigned i = 0; i < ROUNDS; i++) {
		shared_ns[i] = time_copies(pages_region_data(region), from, QUOTA);
		other_ns[i] = time_copies(other, from, QUOTA);
	}
	qsort(shared_ns, ROUNDS, sizeof(uint64_t), compare_times);
	qsort(other_ns, ROUNDS, sizeof(uint64_t), compare_times);
	double ratio = (double)shared_ns[ROUNDS / 2] / (double)other_ns[ROUNDS / 2];
	printf("# a copy of %u KiB: %.2f times that into memory of its own (medians of %u)\n",
		QUOTA / 1024, ratio, ROUNDS);
	EXPECT(ratio < 3); // an uncached mapping is slower by an order of magnitude
	free(from);
	free(other);
	ends_close(&guivm, &appvm);
}
