/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "protocol/link.h"
#include "tests/fuzz/relay_bench.h"
#include "tests/harness/test.h"
#include "transport/pages.h"

/*
 * Arenas whose memory can be had as a dma-buf, which the transports between processes cannot: this
 * program stands between relay and transport. A dma-buf is the end of a pipe, which tells when
 * nobody has it any more.
 */
uint64_t fuzz_accepted;

static bool can; // whether mappings can have one
static int failing_errno; // of asking for it; 0: it works
static unsigned n_asked, n_unmapped;
static int other_end;
static struct stat dmabuf_info;

bool __real_pages_map(struct pages *pages, const struct pages_ref *ref, uint64_t min_size,
		struct pages_mapping *mapping);
bool __wrap_pages_map(struct pages *pages, const struct pages_ref *ref, uint64_t min_size,
		struct pages_mapping *mapping);
int __wrap_pages_mapping_dmabuf(struct pages *pages, struct pages_mapping *mapping);
void __real_pages_unmap(struct pages *pages, struct pages_mapping *mapping);
void __wrap_pages_unmap(struct pages *pages, struct pages_mapping *mapping);

bool __wrap_pages_map(struct pages *pages, const struct pages_ref *ref, uint64_t min_size,
		struct pages_mapping *mapping) {
	bool mapped = __real_pages_map(pages, ref, min_size, mapping);
	mapping->can_dmabuf = mapped && can;
	return mapped;
}

int __wrap_pages_mapping_dmabuf(struct pages *pages, struct pages_mapping *mapping) {
	int ends[2];
	n_asked++;
	if (failing_errno != 0) {
		errno = failing_errno;
		return -1;
	}
	EXPECT_INT(pipe2(ends, O_CLOEXEC), 0);
	EXPECT_INT(fstat(ends[1], &dmabuf_info), 0);
	other_end = ends[0];
	return ends[1];
}

static bool is_gone(void) {
	struct pollfd poll_fd = {.fd = other_end};
	return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLHUP) != 0;
}

void __wrap_pages_unmap(struct pages *pages, struct pages_mapping *mapping) {
	n_unmapped++;
	EXPECT(other_end == 0 || is_gone()); // nothing would be told before
	__real_pages_unmap(pages, mapping);
}

/* What the compositor is asked for its arenas. */

static char requests[8][32];
static unsigned n_requests;

static void log_request(void *data, enum wl_protocol_logger_type type,
		const struct wl_protocol_logger_message *message) {
	if (type != WL_PROTOCOL_LOGGER_REQUEST || strncmp(wl_resource_get_class(message->resource),
			"isthmus_arena", strlen("isthmus_arena")) != 0) {
		return;
	}
	EXPECT(n_requests < 8);
	snprintf(requests[n_requests++], sizeof(requests[0]), "%s", message->message->name);
	if (strcmp(message->message->name, "add_dmabuf") == 0) {
		struct stat info;
		EXPECT(fstat(message->arguments[0].h, &info) == 0);
		EXPECT(info.st_dev == dmabuf_info.st_dev && info.st_ino == dmabuf_info.st_ino);
	}
}

static struct relay_bench_peer peer;
static struct wl_protocol_logger *logger;

static void send(uint16_t type, uint32_t client, uint32_t arg, const void *body, size_t size) {
	uint8_t frame[256];
	struct link_header header = {.type = type, .client = client, .arg = arg};
	header.size = (uint32_t)(sizeof(header) + size);
	memcpy(frame, &header, sizeof(header));
	if (size > 0) {
		memcpy(frame + sizeof(header), body, size);
	}
	relay_bench_send(&peer, frame, header.size);
}

/* An application that knows the globals and has a buffer in arena 1, which is new. */
static void start(bool takes) {
	relay_bench_start();
	relay_bench_take_dmabufs(takes);
	logger = wl_display_add_protocol_logger(relay_bench_display(), log_request, NULL);
	relay_bench_connect(&peer);
	send(LINK_CLIENT_OPEN, 1, 0, NULL, 0);
	send(LINK_WAYLAND, 1, 0, (const uint32_t[]){1, 12 << 16 | 1, 2}, 12); // get_registry
	struct link_arena arena = {.size = RELAY_BENCH_ARENA_BYTES};
	const struct pages_ref ref = pages_region_ref(peer.region);
	memcpy(arena.ref, &ref, sizeof(ref));
	send(LINK_ARENA_ADD, 0, 1, &arena, sizeof(arena));
	const struct link_buffer buffer = {.arena = 1, .width = 8, .height = 8, .stride = 32};
	send(LINK_BUFFER_NEW, 1, LINK_BUFFER_ID_START, &buffer, sizeof(buffer));
}

static void remove_arena(void) {
	send(LINK_BUFFER_REMOVE, 1, LINK_BUFFER_ID_START, NULL, 0);
	send(LINK_WAYLAND, 1, 0, (const uint32_t[]){1, 12 << 16, 5}, 12); // sync
	EXPECT_INT(n_unmapped, 0);
	send(LINK_ARENA_REMOVE, 0, 1, NULL, 0);
	EXPECT_INT(n_unmapped, 1);
}

static void finish(void) {
	relay_bench_disconnect(&peer);
	wl_protocol_logger_destroy(logger);
	relay_bench_stop();
}

static void expect_requests(const char *second, const char *third) {
	EXPECT_STR(requests[0], "create_arena");
	EXPECT_STR(requests[1], second);
	EXPECT_STR(requests[2], third);
}

TEST(an_arenas_dmabuf_comes_before_its_first_buffer) {
	can = true;
	start(true);
	EXPECT_INT(n_asked, 1);
	expect_requests("add_dmabuf", "create_buffer");
	EXPECT(!is_gone()); // for the next application
	remove_arena();
	finish();
	close(other_end);
}

TEST(a_dmabuf_goes_with_the_link) {
	can = true;
	start(true);
	finish();
	EXPECT(is_gone());
	EXPECT_INT(n_unmapped, 1);
	close(other_end);
}

TEST(a_compositor_that_takes_none_gets_none) {
	can = true;
	start(false);
	EXPECT_INT(n_asked, 0);
	expect_requests("create_buffer", "");
	remove_arena();
	finish();
}

TEST(memory_that_cannot_be_one_is_not_asked_for) {
	start(true);
	EXPECT_INT(n_asked, 0);
	expect_requests("create_buffer", "");
	finish();
}

TEST(an_arena_whose_dmabuf_fails_is_mapped) {
	can = true;
	failing_errno = EINVAL;
	start(true);
	EXPECT_INT(n_asked, 1);
	expect_requests("create_buffer", "");
	remove_arena();
	finish();
}
