/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/test.h"
#include "tests/hostile/peer.h"

/* Arenas and the buffers over them. */

#define APP 1
#define COMPOSITOR 3
#define SURFACE 4
#define CREATE_SURFACE 0
#define SURFACE_DESTROY 0
#define SURFACE_ATTACH 1
#define SURFACE_COMMIT 6
#define BUFFER LINK_BUFFER_ID_START
#define ARENA_BYTES 65536
#define XRGB8888 1

static struct peer peer;
static struct pages_region *region;

static struct link_arena arena_of(struct pages_region *shared, uint64_t size) {
	struct link_arena arena = {.size = size};
	struct pages_ref ref = pages_region_ref(shared);
	memcpy(arena.ref, &ref, sizeof(ref));
	return arena;
}

static void start(void) {
	peer_start(&peer, PEER_ARENA);
	peer_open_app(&peer, APP);
	peer_call(&peer, APP, COMPOSITOR, CREATE_SURFACE, SURFACE);
	region = pages_alloc(peer.pages, ARENA_BYTES);
	EXPECT(region != NULL);
	*(uint32_t *)pages_region_data(region) = 0x00112233;
	struct link_arena arena = arena_of(region, ARENA_BYTES);
	peer_send(&peer, LINK_ARENA_ADD, 0, 1, &arena, sizeof(arena));
}

static struct link_buffer small_buffer(void) {
	return (struct link_buffer){
			.arena = 1, .format = XRGB8888, .width = 16, .height = 16, .stride = 64};
}

static void send_buffer(struct link_buffer buffer) {
	peer_send(&peer, LINK_BUFFER_NEW, APP, BUFFER, &buffer, sizeof(buffer));
}

static void expect_link_ends(enum link_bye reason) {
	peer_expect_bye(&peer, reason);
	peer_reconnect(&peer);
	peer_expect_alive(&peer);
	peer_stop(&peer);
}

static void show_buffer(void) {
	peer_call(&peer, APP, SURFACE, SURFACE_ATTACH, BUFFER, 0, 0);
	peer_call0(&peer, APP, SURFACE, SURFACE_COMMIT);
	peer_wait_value(&peer, &peer.compositor.n_commits, peer.compositor.n_commits + 1);
}

TEST(the_compositor_sees_the_arenas_pixels)
{
	start();
	send_buffer(small_buffer());
	show_buffer();
	EXPECT_INT(peer.compositor.pixel, 0x00112233);
	peer_wait_event(&peer, APP, BUFFER, 0); // release
	peer_stop(&peer);
}

TEST(a_buffer_that_is_shown_is_kept_until_its_release)
{
	start();
	peer.compositor.holds_buffers = true;
	send_buffer(small_buffer());
	show_buffer();
	peer_send(&peer, LINK_BUFFER_REMOVE, APP, BUFFER, NULL, 0);
	peer_expect_alive(&peer);
	EXPECT_INT(peer.compositor.n_shown_destroyed, 0);
	test_compositor_release(&peer.compositor);
	peer_wait_value(&peer, &peer.compositor.n_shown_destroyed, 1);
	peer_wait_delete_id(&peer, APP, BUFFER, 5);
	peer_stop(&peer);
}

TEST(a_buffer_that_is_attached_only_is_kept_until_it_is_replaced)
{
	start();
	send_buffer(small_buffer());
	peer_call(&peer, APP, SURFACE, SURFACE_ATTACH, BUFFER, 0, 0);
	peer_send(&peer, LINK_BUFFER_REMOVE, APP, BUFFER, NULL, 0);
	peer_expect_alive(&peer);
	peer_call(&peer, APP, SURFACE, SURFACE_ATTACH, 0, 0, 0);
	peer_wait_delete_id(&peer, APP, BUFFER, 5);
	peer_stop(&peer);
}

TEST(a_buffer_that_was_never_used_goes_at_once)
{
	start();
	send_buffer(small_buffer());
	peer_send(&peer, LINK_BUFFER_REMOVE, APP, BUFFER, NULL, 0);
	peer_wait_delete_id(&peer, APP, BUFFER, 5);
	peer_send(&peer, LINK_ARENA_REMOVE, 0, 1, NULL, 0);
	EXPECT_INT(peer_wait(&peer, LINK_ARENA_REMOVE, 0, NULL, 0), 1);
	peer_stop(&peer);
}

TEST(a_buffer_of_a_surface_that_went_comes_back_without_a_release)
{
	start();
	peer.compositor.holds_buffers = true;
	send_buffer(small_buffer());
	show_buffer();
	peer_send(&peer, LINK_BUFFER_REMOVE, APP, BUFFER, NULL, 0);
	peer_call0(&peer, APP, SURFACE, SURFACE_DESTROY);
	peer_wait_delete_id(&peer, APP, SURFACE, 5);
	EXPECT_INT(peer.compositor.n_shown_destroyed, 0);
	peer_wait_value(&peer, &peer.compositor.n_shown_destroyed, 1);
	peer_wait_delete_id(&peer, APP, BUFFER, 6);
	peer_stop(&peer);
}

TEST(an_arena_is_taken_back_and_added_again)
{
	start();
	for (unsigned i = 0; i < 3; i++) {
		send_buffer(small_buffer());
		peer_send(&peer, LINK_BUFFER_REMOVE, APP, BUFFER, NULL, 0);
		peer_wait_delete_id(&peer, APP, BUFFER, 5);
		peer_send(&peer, LINK_ARENA_REMOVE, 0, 1, NULL, 0);
		peer_wait(&peer, LINK_ARENA_REMOVE, 0, NULL, 0);
		region = pages_alloc(peer.pages, ARENA_BYTES);
		struct link_arena arena = arena_of(region, ARENA_BYTES);
		peer_send(&peer, LINK_ARENA_ADD, 0, 1, &arena, sizeof(arena));
	}
	peer_stop(&peer);
}

TEST(a_buffer_beyond_its_arena_ends_the_link)
{
	start();
	struct link_buffer buffer = small_buffer();
	buffer.offset = ARENA_BYTES - 16 * 64 + 4;
	send_buffer(buffer);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(a_buffer_that_ends_with_its_arena_is_fine)
{
	start();
	struct link_buffer buffer = small_buffer();
	buffer.offset = ARENA_BYTES - 16 * 64;
	send_buffer(buffer);
	show_buffer();
	peer_stop(&peer);
}

TEST(a_buffer_whose_offset_wraps_ends_the_link)
{
	start();
	struct link_buffer buffer = small_buffer();
	buffer.offset = UINT64_MAX - 3;
	send_buffer(buffer);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(a_buffer_with_a_stride_below_its_width_ends_the_link)
{
	start();
	struct link_buffer buffer = small_buffer();
	buffer.stride = 60;
	send_buffer(buffer);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(a_buffer_whose_size_wraps_ends_the_link)
{
	start();
	struct link_buffer buffer = small_buffer();
	buffer.height = 16384;
	buffer.stride = 0x40000;
	send_buffer(buffer);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(a_buffer_of_an_arena_that_is_not_there_ends_the_link)
{
	start();
	struct link_buffer buffer = small_buffer();
	buffer.arena = 2;
	send_buffer(buffer);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(an_arena_larger_than_its_memory_ends_the_link)
{
	start();
	struct pages_region *page = pages_alloc(peer.pages, 1);
	struct link_arena arena = arena_of(page, pages_region_size(page) + 1);
	peer_send(&peer, LINK_ARENA_ADD, 0, 2, &arena, sizeof(arena));
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(an_arena_over_the_quota_ends_the_link)
{
	start();
	struct link_arena arena = arena_of(pages_alloc(peer.pages, 32 * 1024 * 1024), 4096);
	peer_send(&peer, LINK_ARENA_ADD, 0, 2, &arena, sizeof(arena));
	expect_link_ends(LINK_BYE_LIMIT);
}

TEST(an_arena_id_that_is_in_use_ends_the_link)
{
	start();
	struct link_arena arena = arena_of(pages_alloc(peer.pages, 4096), 4096);
	peer_send(&peer, LINK_ARENA_ADD, 0, 1, &arena, sizeof(arena));
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(an_arena_id_beyond_the_limit_ends_the_link)
{
	start();
	struct link_arena arena = arena_of(pages_alloc(peer.pages, 4096), 4096);
	peer_send(&peer, LINK_ARENA_ADD, 0, LIMIT_ARENAS_PER_LINK + 1, &arena, sizeof(arena));
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(an_arena_that_is_in_use_cannot_be_removed)
{
	start();
	send_buffer(small_buffer());
	peer_send(&peer, LINK_ARENA_REMOVE, 0, 1, NULL, 0);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(a_buffer_id_that_is_in_use_ends_the_link)
{
	start();
	send_buffer(small_buffer());
	send_buffer(small_buffer());
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(removing_a_buffer_twice_ends_the_link)
{
	start();
	peer.compositor.holds_buffers = true;
	send_buffer(small_buffer());
	show_buffer();
	peer_send(&peer, LINK_BUFFER_REMOVE, APP, BUFFER, NULL, 0);
	peer_send(&peer, LINK_BUFFER_REMOVE, APP, BUFFER, NULL, 0);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(removing_an_object_that_is_no_link_buffer_ends_the_link)
{
	start();
	peer_send(&peer, LINK_BUFFER_REMOVE, APP, SURFACE, NULL, 0);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(a_request_to_a_link_buffer_ends_the_application)
{
	start();
	send_buffer(small_buffer());
	peer_call0(&peer, APP, BUFFER, 0);
	peer_expect_app_error(&peer, APP, 0);
	peer_stop(&peer);
}

TEST(attaching_a_buffer_that_was_removed_ends_the_application)
{
	start();
	peer.compositor.holds_buffers = true;
	send_buffer(small_buffer());
	show_buffer();
	peer_send(&peer, LINK_BUFFER_REMOVE, APP, BUFFER, NULL, 0);
	peer_call(&peer, APP, SURFACE, SURFACE_ATTACH, BUFFER, 0, 0);
	peer_expect_app_error(&peer, APP, 0);
	peer_stop(&peer);
}

static void send_pixels(struct link_pixels area, size_t rows_bytes) {
	static uint8_t body[sizeof(struct link_pixels) + 16384];
	memset(body, 0x55, sizeof(body));
	memcpy(body, &area, sizeof(area));
	peer_send(&peer, LINK_PIXELS, APP, BUFFER, body, sizeof(area) + rows_bytes);
}

static struct link_buffer inline_buffer(void) {
	return (struct link_buffer){.format = XRGB8888, .width = 16, .height = 16, .stride = 64};
}

TEST(inline_pixels_are_shown)
{
	start();
	send_buffer(inline_buffer());
	send_pixels((struct link_pixels){.width = 16, .height = 16}, 16 * 64);
	show_buffer();
	EXPECT_INT(peer.compositor.pixel, 0x55555555);
	peer_stop(&peer);
}

TEST(inline_pixels_go_where_they_belong)
{
	start();
	send_buffer(inline_buffer());
	send_pixels((struct link_pixels){.x = 1, .y = 1, .width = 15, .height = 15}, 15 * 60);
	show_buffer();
	EXPECT_INT(peer.compositor.pixel, 0);
	peer_stop(&peer);
}

TEST(pixels_right_of_the_buffer_end_the_link)
{
	start();
	send_buffer(inline_buffer());
	send_pixels((struct link_pixels){.x = 1, .width = 16, .height = 1}, 64);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(pixels_below_the_buffer_end_the_link)
{
	start();
	send_buffer(inline_buffer());
	send_pixels((struct link_pixels){.y = 16, .width = 1, .height = 1}, 4);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(pixels_whose_place_wraps_end_the_link)
{
	start();
	send_buffer(inline_buffer());
	send_pixels((struct link_pixels){.x = UINT32_MAX, .width = 2, .height = 1}, 8);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(fewer_pixels_than_said_end_the_link)
{
	start();
	send_buffer(inline_buffer());
	send_pixels((struct link_pixels){.width = 16, .height = 16}, 16 * 64 - 4);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(pixels_for_an_arena_end_the_link)
{
	start();
	send_buffer(small_buffer());
	send_pixels((struct link_pixels){.width = 1, .height = 1}, 4);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(inline_memory_over_the_quota_ends_the_application)
{
	start();
	struct link_buffer buffer = {
			.format = XRGB8888, .width = 4096, .height = 4096, .stride = 16384};
	send_buffer(buffer);
	peer_expect_app_error(&peer, APP, 2);
	peer_stop(&peer);
}

static void expect_close_waits_for_the_compositor(void)
{
	peer_expect_not_closed(&peer, APP);
	EXPECT_INT(peer.compositor.n_surfaces, 1);
	peer_freeze_compositor(&peer, false);
	peer_wait(&peer, LINK_CLIENT_CLOSE, APP, NULL, 0);
	EXPECT_INT(peer.compositor.n_surfaces, 0);
}

TEST(places_of_an_application_that_went_are_free_when_the_compositor_saw_it)
{
	start();
	send_buffer(small_buffer());
	show_buffer();
	peer_freeze_compositor(&peer, true);
	peer_send(&peer, LINK_CLIENT_CLOSE, APP, 0, NULL, 0);
	expect_close_waits_for_the_compositor();
	peer_send(&peer, LINK_ARENA_REMOVE, 0, 1, NULL, 0);
	peer_wait(&peer, LINK_ARENA_REMOVE, 0, NULL, 0);
	peer_open_app(&peer, APP);
	peer_stop(&peer);
}

TEST(places_of_an_application_that_was_ended_are_free_when_the_compositor_saw_it)
{
	start();
	send_buffer(small_buffer());
	show_buffer();
	peer_freeze_compositor(&peer, true);
	peer_call0(&peer, APP, 77, 0);
	peer_send(&peer, LINK_CLIENT_CLOSE, APP, 0, NULL, 0);
	expect_close_waits_for_the_compositor();
	peer_open_app(&peer, APP);
	peer_stop(&peer);
}

TEST(an_application_of_which_the_compositor_holds_nothing_closes_at_once)
{
	start();
	peer_freeze_compositor(&peer, true);
	peer_send(&peer, LINK_CLIENT_CLOSE, APP, 0, NULL, 0);
	peer_wait(&peer, LINK_CLIENT_CLOSE, APP, NULL, 0);
	peer_freeze_compositor(&peer, false);
	peer_stop(&peer);
}

TEST(a_compositor_that_does_not_hang_up_is_not_waited_for_for_ever)
{
	start();
	send_buffer(small_buffer());
	show_buffer();
	peer_freeze_compositor(&peer, true);
	peer_send(&peer, LINK_CLIENT_CLOSE, APP, 0, NULL, 0);
	peer_expect_not_closed(&peer, APP);
	peer_wait(&peer, LINK_CLIENT_CLOSE, APP, NULL, 0);
	EXPECT_INT(peer.compositor.n_surfaces, 1);
	peer_freeze_compositor(&peer, false);
	peer_expect_alive(&peer);
	peer_stop(&peer);
}

TEST(a_closing_application_is_closed_once)
{
	start();
	send_buffer(small_buffer());
	peer_freeze_compositor(&peer, true);
	peer_send(&peer, LINK_CLIENT_CLOSE, APP, 0, NULL, 0);
	peer_send(&peer, LINK_CLIENT_CLOSE, APP, 0, NULL, 0);
	peer_expect_bye(&peer, LINK_BYE_PROTOCOL);
	peer_freeze_compositor(&peer, false);
	peer_reconnect(&peer);
	peer_stop(&peer);
}

TEST(the_number_of_a_closing_application_is_not_free)
{
	start();
	send_buffer(small_buffer());
	peer_freeze_compositor(&peer, true);
	peer_send(&peer, LINK_CLIENT_CLOSE, APP, 0, NULL, 0);
	peer_send(&peer, LINK_CLIENT_OPEN, APP, 0, NULL, 0);
	peer_expect_bye(&peer, LINK_BYE_PROTOCOL);
	peer_freeze_compositor(&peer, false);
	peer_reconnect(&peer);
	peer_stop(&peer);
}
