/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "appvm-proxy/direct.h"
#include "appvm-proxy/proxy.h"
#include "common/fd.h"
#include "tests/appvm-proxy/guivm.h"
#include "tests/harness/test.h"
#include "transport/backend.h"
#include "vmset/vmset.h"

/* Buffers whose own memory is shared, over a transport that is made to say that it can. */

#define SIDE 320
#define STRIDE (SIDE * 4)
#define OFFSET (5 * 4096 + 512)
#define POOL_BYTES (OFFSET + STRIDE * SIDE)
#define SKIP 512
#define XRGB8888 1

enum {
	POOL_CREATE_BUFFER = 0,
	BUFFER_DESTROY = 0,
	SURFACE_ATTACH = 1,
	SURFACE_COMMIT = 6,
	POOL = APP_FREE,
	BUFFER,
	SMALL,
};

static struct bench bench;
static struct app app;
static size_t seen; // frames looked at
static struct pages_impl impl;
static unsigned n_asked; // for memory to be shared
static int refuse_errno; // 0: it is shared
static uint64_t asked_offset;
static size_t asked_size;

static struct vmset_vm vm = {.limits = {.pages_mib = 64, .clients = 8, .surfaces = 10}};

/* What is in it does not matter here: nobody but the transport looks. */
static struct pages_region *share_memory(struct pages *pages, int fd, uint64_t offset,
		size_t size) {
	n_asked++;
	asked_offset = offset;
	asked_size = size;
	errno = refuse_errno;
	return refuse_errno == 0 ? pages_alloc(pages, size) : NULL;
}

static void setup(int error) {
	bench_init(&bench, "local:%s,pixels=arena", &vm);
	bench_connect(&bench);
	impl = *bench.proxy->pages->impl;
	impl.share_memory = share_memory;
	bench.proxy->pages->impl = &impl;
	refuse_errno = error;
	n_asked = 0;
	app_init(&app, &bench);
	app_start(&app);
	app_request_fd(&app, fd_memory("pool", POOL_BYTES), wire_shm_interface, APP_SHM, 0, POOL,
			POOL_BYTES);
	app_request(&app, wire_shm_pool_interface, POOL, POOL_CREATE_BUFFER, BUFFER, OFFSET, SIDE,
			SIDE, STRIDE, XRGB8888);
	seen = 0;
}

static void finish(void) {
	app_finish(&app);
	bench_finish(&bench);
}

/* The link buffer that the commit attaches. */
static uint32_t commit(uint32_t buffer) {
	app_request(&app, wire_surface_interface, APP_SURFACE, SURFACE_ATTACH, buffer, 0, 0);
	app_request_bare(&app, APP_SURFACE, SURFACE_COMMIT);
	return bench_expect_attach(&bench, &seen, APP_SURFACE);
}

/* As above; the application has its buffer back at once. */
static uint32_t commit_copied(uint32_t buffer) {
	uint32_t id = commit(buffer);
	app_expect_event(&app, &bench, buffer, 0);
	app.n_bytes = 0;
	return id;
}

static void send_release(uint32_t id) {
	uint8_t message[8];
	uint32_t words[2] = {id, WIRE_HEADER_BYTES << 16};
	memcpy(message, words, sizeof(message));
	bench_send_wayland(&bench, 1, message, sizeof(message));
}

static struct link_frame last_frame(enum link_type type) {
	size_t n = bench_count(&bench, type), from = 0;
	EXPECT(n > 0);
	struct link_frame frame;
	while (n-- > 0) {
		frame = bench_expect_frame(&bench, &from, type);
	}
	return frame;
}

TEST(a_buffer_committed_again_is_shown_where_it_lies) {
	setup(0);
	uint32_t copy = commit_copied(BUFFER);
	EXPECT_INT(n_asked, 0);
	uint32_t id = commit(BUFFER);
	EXPECT(id != copy);
	EXPECT_INT(asked_offset, OFFSET - SKIP);
	EXPECT_INT(asked_size, (STRIDE * SIDE + SKIP + 4095) / 4096 * 4096);
	struct link_frame arena = last_frame(LINK_ARENA_ADD), buffer = last_frame(LINK_BUFFER_NEW);
	EXPECT_INT(link_frame_arena(&arena).size, asked_size);
	EXPECT_INT(buffer.header.arg, id);
	struct link_buffer body = link_frame_buffer(&buffer);
	EXPECT_INT(body.arena, arena.header.arg);
	EXPECT_INT(body.offset, SKIP);
	EXPECT_INT(body.stride, STRIDE);
	EXPECT(body.width == SIDE && body.height == SIDE && body.format == XRGB8888);
	// What it was copied into is not needed any more.
	EXPECT_INT(last_frame(LINK_BUFFER_REMOVE).header.arg, copy);
	finish();
}

TEST(it_is_released_when_the_compositor_releases_it) {
	setup(0);
	commit_copied(BUFFER);
	uint32_t id = commit(BUFFER);
	for (int i = 0; i < 20; i++) {
		wl_event_loop_dispatch(bench.loop, 0);
	}
	EXPECT(!app_has_event(&app, BUFFER, 0));
	send_release(id);
	app_expect_event(&app, &bench, BUFFER, 0);
	EXPECT_INT(commit(BUFFER), id);
	EXPECT_INT(n_asked, 1); // once per buffer, not per frame
	EXPECT_INT(bench_count(&bench, LINK_BUFFER_NEW), 2);
	finish();
}

static void send_delete_id(uint32_t id) {
	uint8_t message[64];
	bench_send_wayland(&bench, 1, message, wire_build_delete_id(message, id));
}

TEST(memory_of_a_destroyed_buffer_is_held_until_the_compositor_lets_go) {
	setup(0);
	commit_copied(BUFFER);
	uint32_t id = commit(BUFFER);
	uint32_t arena = last_frame(LINK_ARENA_ADD).header.arg;
	app_request_bare(&app, BUFFER, BUFFER_DESTROY);
	while (last_frame(LINK_BUFFER_REMOVE).header.arg != id) {
		bench_turn(&bench);
	}
	uint64_t used = pages_bytes_used(bench.proxy->pages);
	send_release(id); // is nobody's business any more
	send_delete_id(id);
	EXPECT_INT(bench_expect_frame(&bench, &seen, LINK_ARENA_REMOVE).header.arg, arena);
	EXPECT(!app_has_event(&app, BUFFER, 0));
	// Never mapped in this test, so it drains until the link ends.
	EXPECT_INT(pages_bytes_used(bench.proxy->pages), used);
	finish();
}

TEST(what_cannot_be_shared_is_copied) {
	setup(EPERM);
	for (int i = 0; i < 4; i++) {
		send_release(commit_copied(BUFFER));
	}
	EXPECT_INT(n_asked, 1);
	EXPECT(bench_count(&bench, LINK_BUFFER_NEW) <= LIMIT_SLOTS_PER_SURFACE);
	finish();
}

TEST(where_there_is_no_room_it_is_tried_again) {
	setup(ENOSPC);
	commit_copied(BUFFER);
	send_release(commit_copied(BUFFER));
	send_release(commit_copied(BUFFER));
	refuse_errno = 0;
	uint32_t id = commit(BUFFER);
	EXPECT_INT(n_asked, 3);
	EXPECT_INT(last_frame(LINK_BUFFER_NEW).header.arg, id);
	finish();
}

TEST(a_small_buffer_is_copied) {
	setup(0);
	app_request(&app, wire_shm_pool_interface, POOL, POOL_CREATE_BUFFER, SMALL, 0, 64,
			DIRECT_MIN_BYTES / 256 - 1, 256, XRGB8888);
	for (int i = 0; i < 3; i++) {
		send_release(commit_copied(SMALL));
	}
	EXPECT_INT(n_asked, 0);
	finish();
}

static void create_buffer(uint32_t id) {
	app_request(&app, wire_shm_pool_interface, POOL, POOL_CREATE_BUFFER, id, OFFSET, SIDE,
			SIDE, STRIDE, XRGB8888);
}

/* Arenas of applications' own memory: others are larger than a buffer. */
static size_t count_adopted(void) {
	size_t count = 0, from = 0;
	for (size_t n = bench_count(&bench, LINK_ARENA_ADD); n > 0; n--) {
		struct link_frame frame = bench_expect_frame(&bench, &from, LINK_ARENA_ADD);
		count += link_frame_arena(&frame).size == asked_size;
	}
	return count;
}

TEST(more_buffers_than_may_be_shared_are_copied) {
	setup(0);
	uint32_t last = SMALL + LIMIT_ARENAS_ADOPTED;
	for (uint32_t id = SMALL; id < last; id++) {
		create_buffer(id);
		uint32_t copy = commit_copied(id);
		send_release(copy);
		commit(id);
		send_delete_id(copy);
	}
	EXPECT_INT(count_adopted(), LIMIT_ARENAS_ADOPTED);
	uint64_t used = pages_bytes_used(bench.proxy->pages);
	create_buffer(last);
	for (int i = 0; i < 3; i++) {
		send_release(commit(last));
		EXPECT_INT(count_adopted(), LIMIT_ARENAS_ADOPTED);
	}
	// What is shared and not used would count until the link ends.
	EXPECT_INT(n_asked, LIMIT_ARENAS_ADOPTED);
	EXPECT_INT(pages_bytes_used(bench.proxy->pages), used);
	finish();
}
