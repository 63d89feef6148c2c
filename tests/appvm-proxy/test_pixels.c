/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "appvm-proxy/proxy.h"
#include "bridge/link.h"
#include "common/fd.h"
#include "tests/appvm-proxy/guivm.h"
#include "tests/harness/test.h"
#include "vmset/vmset.h"

#define ARENA "local:%s,pixels=arena"
#define STREAM "stream:unix:%s/link"
#define WIDTH 40
#define HEIGHT 30
#define STRIDE (WIDTH * 4)
#define SIZE (STRIDE * HEIGHT)
#define XRGB8888 1
#define NO_MEMORY 2
#define INVALID_FD 2
#define INVALID_STRIDE 1

enum {
	POOL_CREATE_BUFFER = 0,
	POOL_DESTROY = 1,
	BUFFER_DESTROY = 0,
	SURFACE_DESTROY = 0,
	SURFACE_ATTACH = 1,
	SURFACE_DAMAGE = 2,
	SURFACE_COMMIT = 6,
	POOL = APP_FREE,
	BUFFER,
};

static struct bench bench;
static struct app app;
static int pool_fd; // the application's own copy
static uint32_t *pixels; // of the pool
static size_t seen; // frames looked at

static struct vmset_vm vm = {.limits = {.pages_mib = 64, .clients = 8, .surfaces = 10}};

static void setup(const char *transport) {
	bench_init(&bench, transport, &vm);
	bench_connect(&bench);
	app_init(&app, &bench);
	app_start(&app);
	pool_fd = fd_memory("pool", SIZE);
	pixels = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, pool_fd, 0);
	app_request_fd(&app, dup(pool_fd), wire_shm_interface, APP_SHM, 0, POOL, SIZE);
	app_request(&app, wire_shm_pool_interface, POOL, POOL_CREATE_BUFFER, BUFFER, 0, WIDTH,
			HEIGHT, STRIDE, XRGB8888);
	seen = 0;
}

static void finish(void) {
	app_finish(&app);
	munmap(pixels, SIZE);
	close(pool_fd);
	bench_finish(&bench);
}

static void attach_and_commit(void) {
	app_request(&app, wire_surface_interface, APP_SURFACE, SURFACE_ATTACH, BUFFER, 0, 0);
	app_request_bare(&app, APP_SURFACE, SURFACE_COMMIT);
}

static void damage(int x, int y, int width, int height) {
	app_request(&app, wire_surface_interface, APP_SURFACE, SURFACE_DAMAGE, x, y, width, height);
}

static void fill(uint32_t value) {
	for (int i = 0; i < WIDTH * HEIGHT; i++) {
		pixels[i] = value;
	}
}

static void send_release(uint32_t id) {
	uint8_t message[8];
	uint32_t words[2] = {id, WIRE_HEADER_BYTES << 16};
	memcpy(message, words, sizeof(message));
	bench_send_wayland(&bench, 1, message, sizeof(message));
}

static void send_delete_id(uint32_t id) {
	uint8_t message[64];
	bench_send_wayland(&bench, 1, message, wire_build_delete_id(message, id));
}

struct mapped_arena {
	struct pages_mapping mapping;
	const uint8_t *bytes;
};

static struct mapped_arena map_arena(void) {
	size_t from = 0;
	struct link_frame frame = bench_expect_frame(&bench, &from, LINK_ARENA_ADD);
	struct link_arena body = link_frame_arena(&frame);
	struct pages_ref ref;
	memcpy(&ref, body.ref, sizeof(ref));
	struct mapped_arena arena;
	EXPECT(pages_map(bench.pages, &ref, body.size, &arena.mapping));
	arena.bytes = mmap(NULL, body.size, PROT_READ, MAP_SHARED, arena.mapping.fd,
			arena.mapping.offset);
	EXPECT(arena.bytes != MAP_FAILED);
	return arena;
}

static void unmap_arena(struct mapped_arena *arena) {
	munmap((void *)arena->bytes, arena->mapping.size);
	pages_unmap(bench.pages, &arena->mapping);
}

static struct link_buffer find_buffer(uint32_t id) {
	size_t from = 0;
	for (;;) {
		struct link_frame frame = bench_expect_frame(&bench, &from, LINK_BUFFER_NEW);
		if (frame.header.arg == id) {
			return link_frame_buffer(&frame);
		}
	}
}

static uint32_t arena_pixel(const struct mapped_arena *arena, uint32_t id, uint32_t x, uint32_t y) {
	struct link_buffer buffer = find_buffer(id);
	uint32_t value;
	memcpy(&value, arena->bytes + buffer.offset + (size_t)y * buffer.stride + x * 4,
			sizeof(value));
	return value;
}

TEST(a_commit_copies_the_buffer_and_releases_it)
{
	setup(ARENA);
	fill(0x123456);
	pixels[WIDTH * 3 + 7] = 0xabcdef;
	attach_and_commit();
	uint32_t id = bench_expect_attach(&bench, &seen, APP_SURFACE);
	app_expect_event(&app, &bench, BUFFER, 0);
	struct link_buffer buffer = find_buffer(id);
	EXPECT_INT(buffer.width, WIDTH);
	EXPECT_INT(buffer.height, HEIGHT);
	EXPECT_INT(buffer.format, XRGB8888);
	struct mapped_arena arena = map_arena();
	EXPECT_INT(arena_pixel(&arena, id, 7, 3), 0xabcdef);
	EXPECT_INT(arena_pixel(&arena, id, WIDTH - 1, HEIGHT - 1), 0x123456);
	unmap_arena(&arena);
	finish();
}

TEST(only_what_is_stale_is_copied_into_a_slot_used_again)
{
	setup(ARENA);
	fill(1);
	attach_and_commit();
	uint32_t first = bench_expect_attach(&bench, &seen, APP_SURFACE);
	fill(2);
	damage(10, 10, 5, 5);
	attach_and_commit();
	uint32_t second = bench_expect_attach(&bench, &seen, APP_SURFACE);
	EXPECT(first != second);
	struct mapped_arena arena = map_arena();
	EXPECT_INT(arena_pixel(&arena, second, 0, 0), 2); // a new slot is all stale
	send_release(first);
	fill(3);
	damage(20, 20, 5, 5);
	attach_and_commit();
	EXPECT_INT(bench_expect_attach(&bench, &seen, APP_SURFACE), first);
	EXPECT_INT(arena_pixel(&arena, first, 0, 0), 1);
	EXPECT_INT(arena_pixel(&arena, first, 12, 12), 3); // damaged by the frame it missed
	EXPECT_INT(arena_pixel(&arena, first, 24, 24), 3);
	EXPECT_INT(arena_pixel(&arena, first, 25, 24), 1);
	unmap_arena(&arena);
	finish();
}

TEST(a_commit_that_finds_no_slot_waits_for_a_release)
{
	setup(ARENA);
	uint32_t ids[LIMIT_SLOTS_PER_SURFACE];
	for (int i = 0; i < LIMIT_SLOTS_PER_SURFACE; i++) {
		damage(0, 0, 1, 1);
		attach_and_commit();
		ids[i] = bench_expect_attach(&bench, &seen, APP_SURFACE);
	}
	attach_and_commit();
	app_request(&app, wire_display_interface, APP_DISPLAY, 0, BUFFER + 1);
	for (int i = 0; i < 20; i++) {
		wl_event_loop_dispatch(bench.loop, 0);
	}
	EXPECT_INT(bench_count(&bench, LINK_BUFFER_NEW), LIMIT_SLOTS_PER_SURFACE);
	size_t frames = bench.n_frames;
	send_release(ids[2]);
	EXPECT_INT(bench_expect_attach(&bench, &seen, APP_SURFACE), ids[2]);
	bench_expect_request(&bench, &frames, 1, APP_DISPLAY, 0);
	finish();
}

static void expect_whole(const struct mapped_arena *arena, uint32_t id, uint32_t value) {
	for (uint32_t y = 0; y < HEIGHT; y++) {
		for (uint32_t x = 0; x < WIDTH; x++) {
			EXPECT_INT(arena_pixel(arena, id, x, y), value);
		}
	}
}

/* No tearing: whatever the order of releases, and while a commit waits for one. */
TEST(a_slot_is_not_written_before_its_release)
{
	setup(ARENA);
	struct held {
		uint32_t id, value;
	} held[LIMIT_SLOTS_PER_SURFACE];
	uint32_t n_held = 0;
	struct mapped_arena arena = {0};
	for (uint32_t frame = 1; frame <= 60; frame++) {
		fill(frame);
		damage(0, 0, WIDTH, HEIGHT);
		attach_and_commit();
		if (n_held == LIMIT_SLOTS_PER_SURFACE) {
			for (int i = 0; i < 5; i++) {
				wl_event_loop_dispatch(bench.loop, 0);
			}
			for (uint32_t i = 0; i < n_held; i++) {
				expect_whole(&arena, held[i].id, held[i].value);
			}
			uint32_t which = frame % LIMIT_SLOTS_PER_SURFACE;
			send_release(held[which].id);
			held[which] = held[--n_held];
		}
		uint32_t attached = bench_expect_attach(&bench, &seen, APP_SURFACE);
		held[n_held++] = (struct held){attached, frame};
		app_expect_event(&app, &bench, BUFFER, 0);
		if (arena.bytes == NULL) {
			arena = map_arena();
		}
		for (uint32_t i = 0; i < n_held; i++) {
			expect_whole(&arena, held[i].id, held[i].value);
		}
		app.n_bytes = 0; // the next release is a new one
	}
	unmap_arena(&arena);
	finish();
}

TEST(an_application_that_ends_while_its_commit_waits_is_closed) {
	setup(ARENA);
	for (int i = 0; i <= LIMIT_SLOTS_PER_SURFACE; i++) {
		attach_and_commit();
	}
	while (bench_count(&bench, LINK_BUFFER_NEW) < LIMIT_SLOTS_PER_SURFACE) {
		bench_turn(&bench);
	}
	app_finish(&app);
	bench_expect_frame(&bench, &seen, LINK_CLIENT_CLOSE);
	finish();
}

TEST(another_size_gets_new_slots_and_the_old_places_wait_for_delete_id)
{
	setup(ARENA);
	attach_and_commit();
	uint32_t first = bench_expect_attach(&bench, &seen, APP_SURFACE);
	app_request(&app, wire_shm_pool_interface, POOL, POOL_CREATE_BUFFER, BUFFER + 1, 0,
			WIDTH / 2, HEIGHT, STRIDE, XRGB8888);
	app_request(&app, wire_surface_interface, APP_SURFACE, SURFACE_ATTACH, BUFFER + 1, 0, 0);
	app_request_bare(&app, APP_SURFACE, SURFACE_COMMIT);
	size_t from = 0;
	EXPECT_INT(bench_expect_frame(&bench, &from, LINK_BUFFER_REMOVE).header.arg, first);
	uint32_t second = bench_expect_attach(&bench, &seen, APP_SURFACE);
	EXPECT(find_buffer(second).offset != find_buffer(first).offset);
	// Its id and its place are free from here on: the first to be used again.
	send_delete_id(first);
	send_release(second);
	wl_event_loop_dispatch(bench.loop, 0);
	attach_and_commit();
	seen = bench.n_frames;
	EXPECT_INT(bench_expect_attach(&bench, &seen, APP_SURFACE), first);
	EXPECT_INT(bench_count(&bench, LINK_BUFFER_NEW), 3);
	finish();
}

enum {
	SUBCOMPOSITOR = BUFFER + 1,
	PARENT,
	SUBSURFACE,
	SMALL,
	GRANDPARENT,
	PARENT_SUBSURFACE,
};

#define SET_DESYNC 5

/* The surface becomes a subsurface of PARENT; SMALL is a buffer of another size. */
static void make_subsurface(void) {
	app_request(&app, wire_registry_interface, APP_REGISTRY, 0, 3, "wl_subcompositor", 1,
			SUBCOMPOSITOR);
	const struct wire_interface *compositor = wire_interface_find("wl_compositor", 13);
	app_request(&app, compositor, APP_COMPOSITOR, 0, PARENT);
	const struct wire_interface *subcompositor = wire_interface_find("wl_subcompositor", 16);
	app_request(&app, subcompositor, SUBCOMPOSITOR, 1, SUBSURFACE, APP_SURFACE, PARENT);
	app_request(&app, wire_shm_pool_interface, POOL, POOL_CREATE_BUFFER, SMALL, 0, WIDTH / 2,
			HEIGHT, STRIDE, XRGB8888);
}

/* The compositor keeps each of them until the parent commits. */
TEST(a_synchronized_subsurface_never_waits_for_its_own_next_request)
{
	setup(ARENA);
	make_subsurface();
	for (int i = 0; i < 50; i++) {
		app_request(&app, wire_surface_interface, APP_SURFACE, SURFACE_ATTACH,
				i % 2 == 0 ? BUFFER : SMALL, 0, 0);
		app_request_bare(&app, APP_SURFACE, SURFACE_COMMIT);
		bench_expect_attach(&bench, &seen, APP_SURFACE);
	}
	EXPECT_INT(bench_count(&bench, LINK_BUFFER_NEW), 50);
	finish();
}

TEST(a_synchronized_subsurface_waits_for_a_release_once_its_parent_committed)
{
	setup(ARENA);
	make_subsurface();
	uint32_t id = 0;
	for (int i = 0; i < LIMIT_SLOTS_PER_SURFACE; i++) {
		attach_and_commit();
		id = bench_expect_attach(&bench, &seen, APP_SURFACE);
		app_request_bare(&app, PARENT, SURFACE_COMMIT);
	}
	attach_and_commit();
	app_request(&app, wire_display_interface, APP_DISPLAY, 0, SMALL + 1);
	for (int i = 0; i < 20; i++) {
		wl_event_loop_dispatch(bench.loop, 0);
	}
	EXPECT_INT(bench_count(&bench, LINK_BUFFER_NEW), LIMIT_SLOTS_PER_SURFACE);
	send_release(id);
	EXPECT_INT(bench_expect_attach(&bench, &seen, APP_SURFACE), id);
	finish();
}

/* Nor does wlroots show what it kept when an ancestor is desynchronized: with the next commit. */
TEST(a_subsurface_that_was_synchronized_from_above_does_not_wait_either) {
	setup(ARENA);
	make_subsurface();
	app_request(&app, wire_interface_find("wl_compositor", 13), APP_COMPOSITOR, 0, GRANDPARENT);
	app_request(&app, wire_interface_find("wl_subcompositor", 16), SUBCOMPOSITOR, 1,
			PARENT_SUBSURFACE, PARENT, GRANDPARENT);
	app_request_bare(&app, SUBSURFACE, SET_DESYNC);
	for (int i = 0; i <= 5; i++) {
		if (i == 5) {
			app_request_bare(&app, PARENT_SUBSURFACE, SET_DESYNC);
		}
		app_request(&app, wire_surface_interface, APP_SURFACE, SURFACE_ATTACH,
				i % 2 == 0 ? BUFFER : SMALL, 0, 0);
		app_request_bare(&app, APP_SURFACE, SURFACE_COMMIT);
		bench_expect_attach(&bench, &seen, APP_SURFACE);
	}
	finish();
}

TEST(slots_are_removed_with_their_surface)
{
	setup(ARENA);
	attach_and_commit();
	uint32_t id = bench_expect_attach(&bench, &seen, APP_SURFACE);
	app_request_bare(&app, APP_SURFACE, SURFACE_DESTROY);
	EXPECT_INT(bench_expect_frame(&bench, &seen, LINK_BUFFER_REMOVE).header.arg, id);
	send_release(id);
	send_delete_id(id);
	wl_event_loop_dispatch(bench.loop, 0);
	EXPECT(!app_has_event(&app, APP_DISPLAY, 1)); // no business of the application's
	finish();
}

TEST(pools_and_buffers_are_answered_for_here)
{
	setup(ARENA);
	app_request_bare(&app, POOL, POOL_DESTROY);
	fill(9);
	attach_and_commit(); // buffers outlive their pool
	uint32_t id = bench_expect_attach(&bench, &seen, APP_SURFACE);
	app_request_bare(&app, BUFFER, BUFFER_DESTROY);
	app_expect_event(&app, &bench, APP_DISPLAY, 1);
	struct mapped_arena arena = map_arena();
	EXPECT_INT(arena_pixel(&arena, id, 5, 5), 9);
	unmap_arena(&arena);
	EXPECT_INT(bench_count(&bench, LINK_WAYLAND_FDS), 0);
	finish();
}

TEST(a_buffer_destroyed_between_attach_and_commit_is_none)
{
	setup(ARENA);
	fill(5);
	app_request(&app, wire_surface_interface, APP_SURFACE, SURFACE_ATTACH, BUFFER, 0, 0);
	app_request_bare(&app, BUFFER, BUFFER_DESTROY);
	app_request_bare(&app, APP_SURFACE, SURFACE_COMMIT);
	EXPECT_INT(bench_expect_attach(&bench, &seen, APP_SURFACE), 0);
	EXPECT(!app_has_event(&app, BUFFER, 0));
	finish();
}

TEST(a_truncated_pool_ends_the_application_alone)
{
	setup(ARENA);
	struct app other;
	app_init(&other, &bench);
	EXPECT(ftruncate(pool_fd, 0) == 0);
	attach_and_commit();
	app_expect_error(&app, &bench, BUFFER, INVALID_FD);
	app_start(&other);
	bench_expect_request(&bench, &seen, 2, APP_COMPOSITOR, 0);
	app_finish(&other);
	finish();
}

TEST(a_pool_truncated_after_it_was_mapped_ends_the_application_alone)
{
	setup(ARENA);
	attach_and_commit();
	bench_expect_attach(&bench, &seen, APP_SURFACE);
	attach_and_commit();
	bench_expect_attach(&bench, &seen, APP_SURFACE);
	EXPECT(ftruncate(pool_fd, 0) == 0);
	damage(0, 0, WIDTH, HEIGHT);
	attach_and_commit();
	app_expect_error(&app, &bench, BUFFER, INVALID_FD);
	finish();
}

TEST(a_buffer_beyond_its_pool_is_refused)
{
	setup(ARENA);
	app_request(&app, wire_shm_pool_interface, POOL, POOL_CREATE_BUFFER, BUFFER + 1, 4, WIDTH,
			HEIGHT, STRIDE, XRGB8888);
	app_expect_error(&app, &bench, POOL, INVALID_STRIDE);
	finish();
}

TEST(more_than_the_quota_is_no_memory)
{
	setup(ARENA);
	int fd = fd_memory("large", 1);
	EXPECT(ftruncate(fd, 128 << 20) == 0);
	app_request_fd(&app, fd, wire_shm_interface, APP_SHM, 0, BUFFER + 1, 128 << 20);
	app_request(&app, wire_shm_pool_interface, BUFFER + 1, POOL_CREATE_BUFFER, BUFFER + 2, 0,
			8192, 4096, 8192 * 4, XRGB8888);
	app_request(&app, wire_surface_interface, APP_SURFACE, SURFACE_ATTACH, BUFFER + 2, 0, 0);
	app_request_bare(&app, APP_SURFACE, SURFACE_COMMIT);
	app_expect_error(&app, &bench, APP_DISPLAY, NO_MEMORY);
	finish();
}

TEST(deleting_a_slot_in_use_ends_the_link)
{
	setup(ARENA);
	attach_and_commit();
	send_delete_id(bench_expect_attach(&bench, &seen, APP_SURFACE));
	while (!bench.closed) {
		bench_turn(&bench);
	}
	finish();
}

TEST(without_shared_memory_the_stale_rows_travel)
{
	setup(STREAM);
	fill(1);
	pixels[WIDTH * 2 + 3] = 77;
	attach_and_commit();
	size_t from = 0;
	struct link_frame frame = bench_expect_frame(&bench, &from, LINK_BUFFER_NEW);
	struct link_buffer buffer = link_frame_buffer(&frame);
	EXPECT_INT(buffer.arena, 0);
	EXPECT_INT(buffer.stride, STRIDE);
	frame = bench_expect_frame(&bench, &from, LINK_PIXELS);
	const uint8_t *bytes;
	struct link_pixels rect = link_frame_pixels(&frame, &bytes);
	EXPECT_INT(rect.width * rect.height, WIDTH * HEIGHT);
	EXPECT(memcmp(bytes, pixels, SIZE) == 0);
	uint32_t first = bench_expect_attach(&bench, &seen, APP_SURFACE);
	app_expect_event(&app, &bench, BUFFER, 0);
	send_release(first);
	wl_event_loop_dispatch(bench.loop, 0);
	pixels[WIDTH * 7 + 5] = 88;
	damage(5, 7, 2, 1);
	attach_and_commit();
	frame = bench_expect_frame(&bench, &from, LINK_PIXELS);
	rect = link_frame_pixels(&frame, &bytes);
	EXPECT_INT(rect.x, 5);
	EXPECT_INT(rect.y, 7);
	EXPECT_INT(rect.width, 2);
	EXPECT_INT(rect.height, 1);
	EXPECT(memcmp(bytes, &pixels[WIDTH * 7 + 5], 8) == 0);
	EXPECT_INT(bench_expect_attach(&bench, &seen, APP_SURFACE), first);
	finish();
}

TEST(a_large_buffer_travels_in_pieces_before_its_commit)
{
	setup(STREAM);
	enum {
		SIDE = 2000,
		BYTES = SIDE * SIDE * 4
	};
	int fd = fd_memory("large", BYTES);
	uint32_t *large = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint8_t *copy = calloc(1, BYTES);
	for (uint32_t i = 0; i < SIDE * SIDE; i++) {
		large[i] = i * 2654435761u;
	}
	app_request_fd(&app, fd, wire_shm_interface, APP_SHM, 0, BUFFER + 1, BYTES);
	app_request(&app, wire_shm_pool_interface, BUFFER + 1, POOL_CREATE_BUFFER, BUFFER + 2, 0,
			SIDE, SIDE, SIDE * 4, XRGB8888);
	app_request(&app, wire_surface_interface, APP_SURFACE, SURFACE_ATTACH, BUFFER + 2, 0, 0);
	app_request_bare(&app, APP_SURFACE, SURFACE_COMMIT);
	bench_expect_attach(&bench, &seen, APP_SURFACE);
	for (size_t from = 0; from < bench.n_frames;) {
		const struct recorded_frame *recorded = &bench.frames[from++];
		if (recorded->header.type != LINK_PIXELS) {
			continue;
		}
		struct link_frame frame = {.header = recorded->header,
				.body = recorded->body,
				.body_size = recorded->body_size};
		const uint8_t *bytes;
		struct link_pixels rect = link_frame_pixels(&frame, &bytes);
		for (uint32_t y = 0; y < rect.height; y++) {
			memcpy(copy + ((rect.y + y) * (size_t)SIDE + rect.x) * 4,
					bytes + (size_t)y * rect.width * 4, rect.width * 4);
		}
	}
	EXPECT(memcmp(copy, large, BYTES) == 0);
	munmap(large, BYTES);
	free(copy);
	finish();
}
