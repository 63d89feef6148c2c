/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "common/fd.h"
#include "tests/harness/test.h"
#include "tests/hostile/peer.h"

/* What an application may not say. Each test: it alone ends, with a protocol error, and the link
 * goes on. */

#define APP 1
// enum client_error_code
#define INVALID_OBJECT 0
#define INVALID_METHOD 1
#define NO_MEMORY 2
// after peer_open_app()
#define REGISTRY 2
#define COMPOSITOR 3
#define SURFACE 4
// opcodes
#define REGISTRY_BIND 0
#define CREATE_SURFACE 0
#define CREATE_REGION 1
#define SURFACE_DESTROY 0
#define SURFACE_ATTACH 1
#define SURFACE_COMMIT 6
#define SURFACE_DAMAGE 2
#define REGION_DESTROY 0
#define REGION_ADD 1

static struct peer peer;

static void start_with_surface(void) {
	peer_start(&peer, PEER_HANDOVER);
	peer_open_app(&peer, APP);
	peer_call(&peer, APP, COMPOSITOR, CREATE_SURFACE, SURFACE);
	peer_wait_value(&peer, &peer.compositor.n_surfaces, 1);
}

static void expect_app_ends(uint32_t code) {
	peer_expect_app_error(&peer, APP, code);
	peer_wait_value(&peer, &peer.compositor.n_surfaces, 0);
	EXPECT_INT(peer_count_relay_fds(&peer), peer.relay_fds);
	peer_stop(&peer);
}

TEST(a_request_to_an_object_that_is_not_there)
{
	start_with_surface();
	peer_call0(&peer, APP, 77, 0);
	expect_app_ends(INVALID_OBJECT);
}

TEST(a_request_to_an_object_that_was_destroyed)
{
	start_with_surface();
	peer_call0(&peer, APP, SURFACE, SURFACE_DESTROY);
	peer_call0(&peer, APP, SURFACE, SURFACE_COMMIT);
	expect_app_ends(INVALID_OBJECT);
}

TEST(a_request_that_the_interface_does_not_have)
{
	start_with_surface();
	peer_call0(&peer, APP, SURFACE, 99);
	expect_app_ends(INVALID_METHOD);
}

TEST(a_request_of_a_later_version)
{
	start_with_surface();
	peer_call(&peer, APP, SURFACE, 10, 0, 0); // wl_surface.offset, since 5
	expect_app_ends(INVALID_METHOD);
}

TEST(a_request_that_ends_short)
{
	start_with_surface();
	peer_call(&peer, APP, SURFACE, SURFACE_ATTACH, 0, 0);
	expect_app_ends(INVALID_METHOD);
}

TEST(a_request_that_goes_on_too_long)
{
	start_with_surface();
	peer_call(&peer, APP, SURFACE, SURFACE_COMMIT, 0);
	expect_app_ends(INVALID_METHOD);
}

TEST(a_request_that_runs_past_its_frame_ends_the_link)
{
	start_with_surface();
	uint32_t message[2] = {SURFACE, 64u << 16 | SURFACE_COMMIT};
	peer_send(&peer, LINK_WAYLAND, APP, 0, message, sizeof(message));
	peer_expect_bye(&peer, LINK_BYE_PROTOCOL);
	peer_reconnect(&peer);
	peer_stop(&peer);
}

TEST(an_argument_of_another_type)
{
	start_with_surface();
	peer_call(&peer, APP, SURFACE, SURFACE_ATTACH, COMPOSITOR, 0, 0);
	expect_app_ends(INVALID_OBJECT);
}

TEST(an_argument_that_is_not_there)
{
	start_with_surface();
	peer_call(&peer, APP, SURFACE, SURFACE_ATTACH, 1234, 0, 0);
	expect_app_ends(INVALID_OBJECT);
}

TEST(an_id_that_is_in_use)
{
	start_with_surface();
	peer_call(&peer, APP, COMPOSITOR, CREATE_SURFACE, SURFACE);
	expect_app_ends(INVALID_OBJECT);
}

TEST(an_id_of_the_compositors_range)
{
	start_with_surface();
	peer_call(&peer, APP, COMPOSITOR, CREATE_SURFACE, 0xff000000);
	expect_app_ends(INVALID_OBJECT);
}

TEST(an_id_of_the_links_range)
{
	start_with_surface();
	peer_call(&peer, APP, COMPOSITOR, CREATE_SURFACE, LINK_BUFFER_ID_START);
	expect_app_ends(INVALID_OBJECT);
}

TEST(an_id_of_0)
{
	start_with_surface();
	peer_call(&peer, APP, COMPOSITOR, CREATE_SURFACE, 0);
	expect_app_ends(INVALID_METHOD);
}

static void bind_global(uint32_t name, const char *interface, uint32_t version, uint32_t id) {
	uint32_t words[32] = {name, (uint32_t)strlen(interface) + 1};
	size_t n = (strlen(interface) + 4) / 4;
	memcpy(words + 2, interface, strlen(interface) + 1);
	words[2 + n] = version;
	words[3 + n] = id;
	peer_request(&peer, APP, REGISTRY, REGISTRY_BIND, words, 4 + n);
}

TEST(a_global_that_was_not_announced)
{
	start_with_surface();
	bind_global(4242, "wl_seat", 1, 5);
	expect_app_ends(INVALID_METHOD);
}

TEST(a_global_that_was_hidden)
{
	start_with_surface();
	for (uint32_t name = 1; name < 8; name++) {
		bind_global(name, "wl_shell", 1, 5);
	}
	expect_app_ends(INVALID_METHOD);
}

TEST(a_version_that_was_not_announced)
{
	start_with_surface();
	bind_global(2, "wl_compositor", 5, 5); // 4 is announced
	expect_app_ends(INVALID_METHOD);
}

TEST(more_objects_than_the_limit)
{
	start_with_surface();
	for (uint32_t id = 5; id <= LIMIT_OBJECTS_PER_CLIENT; id += 1000) {
		peer_call(&peer, APP, COMPOSITOR, CREATE_REGION, id);
	}
	peer_call(&peer, APP, COMPOSITOR, CREATE_REGION, LIMIT_OBJECTS_PER_CLIENT + 1);
	expect_app_ends(NO_MEMORY);
}

TEST(more_rectangles_of_a_region_than_the_limit)
{
	start_with_surface();
	peer_call(&peer, APP, COMPOSITOR, CREATE_REGION, 5);
	for (uint32_t i = 0; i <= LIMIT_PILED_UP; i++) {
		peer_call(&peer, APP, 5, REGION_ADD, 2 * i, 0, 1, 1);
	}
	expect_app_ends(NO_MEMORY);
}

/* So many regions with so many rectangles, of 24 bytes each. */
static void add_rectangles(uint32_t n_regions, uint32_t n) {
	for (uint32_t region = 5; region < 5 + n_regions; region++) {
		peer_call(&peer, APP, 1, 0, 1000 + region); // sync: there is credit again
		peer_wait_event(&peer, APP, 1000 + region, 0);
		peer_call(&peer, APP, COMPOSITOR, CREATE_REGION, region);
		for (uint32_t i = 0; i < n; i++) {
			peer_call(&peer, APP, region, REGION_ADD, 2 * i, 0, 1, 1);
		}
	}
}

TEST(more_rectangles_of_all_regions_than_the_limit)
{
	start_with_surface();
	add_rectangles(LIMIT_PILED_UP_BYTES / 24 / 4000 + 1, 4000);
	expect_app_ends(NO_MEMORY);
}

TEST(rectangles_of_regions_that_are_gone_do_not_count)
{
	start_with_surface();
	add_rectangles(LIMIT_PILED_UP_BYTES / 24 / 4000, 4000);
	peer_call0(&peer, APP, 5, REGION_DESTROY);
	peer_wait_delete_id(&peer, APP, 5, 2000);
	peer_call(&peer, APP, COMPOSITOR, CREATE_REGION, 5);
	for (uint32_t i = 0; i < 4000; i++) {
		peer_call(&peer, APP, 5, REGION_ADD, 2 * i, 0, 1, 1);
	}
	peer_call0(&peer, APP, 77, 0);
	expect_app_ends(INVALID_OBJECT);
}

TEST(more_damage_without_a_commit_than_the_limit)
{
	start_with_surface();
	for (uint32_t i = 0; i <= LIMIT_PILED_UP; i++) {
		peer_call(&peer, APP, SURFACE, SURFACE_DAMAGE, 2 * i, 0, 1, 1);
	}
	expect_app_ends(NO_MEMORY);
}

TEST(damage_is_counted_from_the_last_commit)
{
	start_with_surface();
	for (uint32_t i = 0; i < LIMIT_PILED_UP + 10; i++) {
		peer_call(&peer, APP, SURFACE, SURFACE_DAMAGE, 2 * i, 0, 1, 1);
		if (i % 1000 == 0) {
			peer_call0(&peer, APP, SURFACE, SURFACE_COMMIT);
		}
	}
	peer_call0(&peer, APP, 77, 0);
	expect_app_ends(INVALID_OBJECT);
}

TEST(more_applications_than_the_limit)
{
	peer_start(&peer, PEER_HANDOVER);
	for (uint32_t i = 10; i < 18; i++) {
		peer_open_app(&peer, i);
	}
	peer_send(&peer, LINK_CLIENT_OPEN, APP, 0, NULL, 0);
	peer_wait(&peer, LINK_CLIENT_CLOSE, APP, NULL, 0);
	peer_send(&peer, LINK_CLIENT_CLOSE, APP, 0, NULL, 0);
	peer_send(&peer, LINK_CLIENT_CLOSE, 17, 0, NULL, 0);
	peer_wait(&peer, LINK_CLIENT_CLOSE, 17, NULL, 0);
	peer_expect_alive(&peer);
	peer_stop(&peer);
}

TEST(a_window_that_is_exceeded_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	peer_open_app(&peer, APP);
	static uint32_t burst[8 * 1024];
	for (size_t i = 0; i < sizeof(burst) / sizeof(burst[0]); i += 2) {
		burst[i] = SURFACE;
		burst[i + 1] = 8u << 16 | SURFACE_COMMIT;
	}
	peer_call(&peer, APP, COMPOSITOR, CREATE_SURFACE, SURFACE);
	// The socket to the compositor takes some of it before the window fills up.
	peer_freeze_compositor(&peer, true);
	for (unsigned i = 0; i < 4 * LIMIT_CLIENT_WINDOW_BYTES / sizeof(burst); i++) {
		peer_send(&peer, LINK_WAYLAND, APP, 0, burst, sizeof(burst));
	}
	peer_freeze_compositor(&peer, false);
	peer_expect_bye(&peer, LINK_BYE_LIMIT);
	peer_reconnect(&peer);
	peer_stop(&peer);
}

/* wl_shm as object 5, with the pool to be object 6 */
static void open_shm(void) {
	peer_start(&peer, PEER_HANDOVER);
	peer_open_app(&peer, APP);
	peer_call(&peer, APP, COMPOSITOR, CREATE_SURFACE, SURFACE);
	bind_global(1, "wl_shm", 1, 5);
}

static void create_pool(const struct link_fd *fd, int32_t size) {
	struct {
		struct link_fd fd;
		uint32_t message[4];
	} body = {.fd = *fd, .message = {5, 16u << 16, 6, (uint32_t)size}};
	peer_send(&peer, LINK_WAYLAND_FDS, APP, 1, &body, sizeof(body));
}

static struct link_fd share(size_t size) {
	int fd = fd_memory("hostile", size);
	struct pages_region *region = pages_share_fd(peer.pages, fd);
	EXPECT(region != NULL);
	struct link_fd out = {.kind = LINK_FD_PAGES};
	struct pages_ref ref = pages_region_ref(region);
	memcpy(out.ref, &ref, sizeof(ref));
	close(fd);
	return out;
}

TEST(a_pool_that_fits_is_passed_on)
{
	open_shm();
	struct link_fd fd = share(4096);
	create_pool(&fd, 4096);
	peer_call(&peer, APP, 6, 0, 7, 0, 4, 4, 16, 1); // create_buffer
	peer_call(&peer, APP, SURFACE, SURFACE_ATTACH, 7, 0, 0);
	peer_call0(&peer, APP, SURFACE, SURFACE_COMMIT);
	peer_wait_value(&peer, &peer.compositor.n_commits, 1);
	peer_wait_event(&peer, APP, 7, 0); // release
	peer_stop(&peer);
}

TEST(a_pool_larger_than_its_memory)
{
	open_shm();
	struct link_fd fd = share(4096);
	create_pool(&fd, 4097);
	expect_app_ends(INVALID_METHOD);
}

TEST(a_pool_of_negative_size)
{
	open_shm();
	struct link_fd fd = share(4096);
	create_pool(&fd, -1);
	expect_app_ends(INVALID_METHOD);
}

TEST(a_pool_whose_descriptor_is_a_pipe)
{
	open_shm();
	struct link_fd fd = {.kind = LINK_FD_PIPE, .id = 1};
	create_pool(&fd, 4096);
	expect_app_ends(INVALID_METHOD);
}

TEST(a_pool_without_a_descriptor)
{
	open_shm();
	peer_call(&peer, APP, 5, 0, 6, 4096);
	expect_app_ends(INVALID_METHOD);
}

TEST(a_descriptor_with_a_request_that_takes_none)
{
	open_shm();
	struct link_fd fd = share(4096);
	struct {
		struct link_fd fd;
		uint32_t message[2];
	} body = {.fd = fd, .message = {SURFACE, 8u << 16 | SURFACE_COMMIT}};
	peer_send(&peer, LINK_WAYLAND_FDS, APP, 1, &body, sizeof(body));
	expect_app_ends(INVALID_METHOD);
}

TEST(pages_that_were_not_shared_end_the_link)
{
	open_shm();
	struct link_fd fd = {.kind = LINK_FD_PAGES, .ref = {1, 2, 3}};
	create_pool(&fd, 4096);
	peer_expect_bye(&peer, LINK_BYE_PROTOCOL);
	peer_reconnect(&peer);
	peer_stop(&peer);
}

TEST(pages_that_were_used_before_end_the_link)
{
	open_shm();
	struct link_fd fd = share(4096);
	create_pool(&fd, 4096);
	create_pool(&fd, 4096);
	peer_expect_bye(&peer, LINK_BYE_PROTOCOL);
	peer_reconnect(&peer);
	peer_stop(&peer);
}

TEST(a_file_that_did_not_arrive_ends_the_link)
{
	open_shm();
	struct link_fd fd = {.kind = LINK_FD_FILE, .id = 9};
	create_pool(&fd, 4096);
	peer_expect_bye(&peer, LINK_BYE_PROTOCOL);
	peer_reconnect(&peer);
	peer_stop(&peer);
}

TEST(more_buffers_than_the_limit)
{
	open_shm();
	struct link_fd fd = share(4096);
	create_pool(&fd, 4096);
	for (uint32_t i = 0; i < LIMIT_BUFFERS_PER_LINK; i++) {
		peer_call(&peer, APP, 6, 0, 7 + i, 0, 4, 4, 16, 1);
	}
	expect_app_ends(NO_MEMORY);
}

TEST(a_keymap_arrives_as_a_file)
{
	peer_start(&peer, PEER_HANDOVER);
	peer_open_app(&peer, APP);
	bind_global(3, "wl_seat", 1, 4);
	peer_call(&peer, APP, 4, 1, 5); // get_keyboard
	struct {
		struct link_file head;
		char text[12];
	} file;
	uint32_t id = peer_wait(&peer, LINK_FILE, APP, &file, sizeof(file));
	EXPECT_INT(file.head.total, 9);
	EXPECT_STR(file.text, "a keymap");
	struct link_fd fd;
	peer_wait(&peer, LINK_WAYLAND_FDS, APP, &fd, sizeof(fd));
	EXPECT_INT(fd.kind, LINK_FD_FILE);
	EXPECT_INT(fd.id, id);
	peer_stop(&peer);
}

TEST(a_second_registry_speaks_under_its_own_id)
{
	start_with_surface();
	peer_call0(&peer, APP, SURFACE, SURFACE_DESTROY);
	peer_wait_delete_id(&peer, APP, SURFACE, 5);
	// The ids of application and relay differ from here on: 20 there is another one here.
	peer_call(&peer, APP, 1, 1, 20);
	peer_wait_event(&peer, APP, 20, 0);
	peer_stop(&peer);
}
