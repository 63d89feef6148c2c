/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <wayland-server-core.h>

#include "appvm-proxy/arena.h"
#include "appvm-proxy/shm.h"
#include "appvm-proxy/slot.h"
#include "bridge/link.h"
#include "tests/harness/test.h"
#include "transport/pages.h"
#include "transport/transport.h"

#define MIB (1024 * 1024)

struct slots {
	struct wl_list list;
	struct slot slot[3];
};

static void slots_init(struct slots *slots) {
	memset(slots, 0, sizeof(*slots));
	wl_list_init(&slots->list);
	for (int i = 0; i < 3; i++) {
		slots->slot[i] = (struct slot){.width = 10, .height = 10};
		pixman_region32_init_rect(&slots->slot[i].stale, 0, 0, 10, 10);
		wl_list_insert(slots->list.prev, &slots->slot[i].link);
	}
}

static void slots_finish(struct slots *slots) {
	for (int i = 0; i < 3; i++) {
		pixman_region32_fini(&slots->slot[i].stale);
	}
}

TEST(the_slot_with_least_to_copy_is_chosen)
{
	struct slots slots;
	slots_init(&slots);
	struct shm_buffer buffer = {.width = 10, .height = 10};
	pixman_region32_clear(&slots.slot[1].stale);
	pixman_region32_union_rect(&slots.slot[1].stale, &slots.slot[1].stale, 0, 0, 2, 2);
	pixman_region32_clear(&slots.slot[2].stale);
	pixman_region32_union_rect(&slots.slot[2].stale, &slots.slot[2].stale, 0, 0, 2, 2);
	pixman_region32_union_rect(&slots.slot[2].stale, &slots.slot[2].stale, 5, 5, 2, 2);
	EXPECT_INT(slot_stale_pixels(&slots.slot[2]), 8);
	EXPECT(slot_choose(&slots.list, &buffer) == &slots.slot[1]);
	slots.slot[1].state = SLOT_BUSY;
	EXPECT(slot_choose(&slots.list, &buffer) == &slots.slot[2]);
	slots_finish(&slots);
}

TEST(a_busy_slot_or_one_of_another_size_or_format_is_never_chosen)
{
	struct slots slots;
	slots_init(&slots);
	struct shm_buffer buffer = {.width = 10, .height = 10};
	slots.slot[0].state = SLOT_BUSY;
	slots.slot[1].width = 11;
	slots.slot[2].format = 1;
	EXPECT(slot_choose(&slots.list, &buffer) == NULL);
	slots_finish(&slots);
}

struct arena_fixture {
	struct wl_event_loop *loop;
	struct transport *transport;
	struct link *link; // never opens: what is sent is dropped
	struct pages *pages;
	struct arena_set *set;
};

static const struct link_interface no_link_impl;

static void arena_fixture_init(struct arena_fixture *fixture, uint64_t quota) {
	char spec[256], error[256];
	snprintf(spec, sizeof(spec), "local:%s,pixels=arena", test_dir());
	fixture->loop = wl_event_loop_create();
	fixture->transport =
			transport_open(fixture->loop, spec, TRANSPORT_APPVM, error, sizeof(error));
	EXPECT(fixture->transport != NULL);
	fixture->link = link_create(
			fixture->loop, fixture->transport, LINK_END_APPVM, &no_link_impl, NULL);
	fixture->pages = pages_create(fixture->transport, quota, NULL, NULL);
	fixture->set = arena_set_create(fixture->link, fixture->pages);
	EXPECT(fixture->link != NULL && fixture->pages != NULL && fixture->set != NULL);
}

static void arena_fixture_finish(struct arena_fixture *fixture) {
	arena_set_destroy(fixture->set);
	link_destroy(fixture->link);
	pages_destroy(fixture->pages);
	transport_close(fixture->transport);
	wl_event_loop_destroy(fixture->loop);
}

TEST(places_do_not_overlap_and_are_writable)
{
	struct arena_fixture fixture;
	arena_fixture_init(&fixture, 64 * MIB);
	enum {
		COUNT = 40
	};
	struct arena_place *places[COUNT];
	for (int i = 0; i < COUNT; i++) {
		places[i] = arena_place_create(fixture.set, 1000 + (size_t)i * 7777);
		EXPECT(places[i] != NULL);
		EXPECT_INT(arena_place_offset(places[i]) % 4096, 0);
		memset(arena_place_data(places[i]), i, 1000 + (size_t)i * 7777);
	}
	for (int i = 0; i < COUNT; i++) {
		EXPECT_INT(arena_place_data(places[i])[0], i);
		EXPECT_INT(arena_place_data(places[i])[999 + i * 7777], i);
		arena_place_destroy(places[i]);
	}
	arena_fixture_finish(&fixture);
}

TEST(the_place_freed_last_is_used_first)
{
	struct arena_fixture fixture;
	arena_fixture_init(&fixture, 64 * MIB);
	struct arena_place *places[5];
	for (int i = 0; i < 5; i++) {
		places[i] = arena_place_create(fixture.set, MIB);
	}
	uint64_t last = arena_place_offset(places[1]);
	arena_place_destroy(places[3]);
	arena_place_destroy(places[1]);
	struct arena_place *next = arena_place_create(fixture.set, MIB);
	EXPECT_INT(arena_place_offset(next), last);
	arena_place_destroy(next);
	arena_place_destroy(places[0]);
	arena_place_destroy(places[2]);
	arena_place_destroy(places[4]);
	arena_fixture_finish(&fixture);
}

TEST(neighbours_that_are_free_become_one_place)
{
	struct arena_fixture fixture;
	arena_fixture_init(&fixture, 8 * MIB);
	struct arena_place *places[8];
	for (int i = 0; i < 8; i++) {
		places[i] = arena_place_create(fixture.set, MIB);
		EXPECT(places[i] != NULL);
	}
	for (int i = 0; i < 8; i += 2) {
		arena_place_destroy(places[i]);
	}
	for (int i = 1; i < 8; i += 2) {
		arena_place_destroy(places[i]);
	}
	struct arena_place *all = arena_place_create(fixture.set, 8 * MIB);
	EXPECT(all != NULL);
	arena_place_destroy(all);
	arena_fixture_finish(&fixture);
}

TEST(the_quota_is_a_limit_and_room_near_it_is_used)
{
	struct arena_fixture fixture;
	arena_fixture_init(&fixture, 20 * MIB);
	struct arena_place *a = arena_place_create(fixture.set, 7 * MIB);
	struct arena_place *b = arena_place_create(fixture.set, 6 * MIB);
	EXPECT(a != NULL && b != NULL);
	EXPECT(arena_place_create(fixture.set, 8 * MIB) == NULL);
	EXPECT_INT(errno, ENOSPC);
	EXPECT(pages_bytes_used(fixture.pages) <= 20 * MIB);
	arena_place_destroy(a);
	arena_place_destroy(b);
	arena_fixture_finish(&fixture);
}

TEST(empty_arenas_but_one_are_given_back)
{
	struct arena_fixture fixture;
	arena_fixture_init(&fixture, 64 * MIB);
	struct arena_place *a = arena_place_create(fixture.set, 8 * MIB);
	struct arena_place *b = arena_place_create(fixture.set, 20 * MIB);
	EXPECT(arena_place_arena(a) != arena_place_arena(b));
	uint32_t id_b = arena_place_arena(b), id_a = arena_place_arena(a);
	arena_place_destroy(b);
	EXPECT(!arena_set_handle_removed(fixture.set, id_b)); // kept
	arena_place_destroy(a);
	EXPECT(!arena_set_handle_removed(fixture.set, id_b));
	EXPECT(arena_set_handle_removed(fixture.set, id_a));
	EXPECT(!arena_set_handle_removed(fixture.set, id_a));
	arena_fixture_finish(&fixture);
}
