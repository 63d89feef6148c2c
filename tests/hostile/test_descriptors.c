/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <wayland-server.h>

#include "common/fd.h"
#include "linux-dmabuf-v1-server-protocol.h"
#include "linux-drm-syncobj-v1-server-protocol.h"
#include "tests/harness/test.h"
#include "tests/hostile/peer.h"

/*
 * Descriptors that cross as they are: GPU memory and fences. No GPU is needed: to the relay any
 * anonymous descriptor may be a syncobj, and that a dmabuf reaches the compositor is a test of its
 * own, in a virtual machine.
 */
#define APP 1
// enum client_error_code
#define INVALID_METHOD 1
#define NO_MEMORY 2
// objects; registries are others
#define SYNCOBJ 10
#define DMABUF 11
#define PARAMS 12
#define TIMELINE 20
// opcodes
#define SYNCOBJ_IMPORT_TIMELINE 2
#define TIMELINE_DESTROY 0
#define DMABUF_CREATE_PARAMS 1
#define PARAMS_ADD 1
#define PARAMS_CREATE 2
#define BUFFER_DESTROY 0
// event
#define BUFFER_RELEASE 0
// of the compositor's own
#define FIRST_SERVER_ID 0xff000000u

static struct peer peer;

/* What the compositor saw. */
static struct {
	unsigned n_timelines, n_planes; // imported and added so far
	int timeline_fd; // of the last import
} seen;

static void destroy_resource(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static const struct wp_linux_drm_syncobj_timeline_v1_interface timeline_impl = {
	.destroy = destroy_resource,
};

static void syncobj_import(
		struct wl_client *client, struct wl_resource *resource, uint32_t id, int32_t fd) {
	seen.n_timelines++;
	fd_close(&seen.timeline_fd);
	seen.timeline_fd = fd;
	struct wl_resource *timeline = wl_resource_create(
			client, &wp_linux_drm_syncobj_timeline_v1_interface, 1, id);
	wl_resource_set_implementation(timeline, &timeline_impl, NULL, NULL);
}

static const struct wp_linux_drm_syncobj_manager_v1_interface syncobj_impl = {
	.destroy = destroy_resource,
	.import_timeline = syncobj_import,
};

static void bind_syncobj(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct wl_resource *resource = wl_resource_create(
			client, &wp_linux_drm_syncobj_manager_v1_interface, (int)version, id);
	wl_resource_set_implementation(resource, &syncobj_impl, NULL, NULL);
}

static void params_add(struct wl_client *client, struct wl_resource *resource, int32_t fd,
		uint32_t plane, uint32_t offset, uint32_t stride, uint32_t hi, uint32_t lo) {
	seen.n_planes++;
	close(fd);
}

static const struct wl_buffer_interface buffer_impl = {
	.destroy = destroy_resource,
};

/* Makes a buffer of nothing, by an event, and lets go of it. */
static void params_create(struct wl_client *client, struct wl_resource *resource, int32_t width,
		int32_t height, uint32_t format, uint32_t flags) {
	struct wl_resource *buffer = wl_resource_create(client, &wl_buffer_interface, 1, 0);
	wl_resource_set_implementation(buffer, &buffer_impl, NULL, NULL);
	zwp_linux_buffer_params_v1_send_created(resource, buffer);
	wl_buffer_send_release(buffer);
}

static const struct zwp_linux_buffer_params_v1_interface params_impl = {
	.destroy = destroy_resource,
	.add = params_add,
	.create = params_create,
};

static void dmabuf_create_params(
		struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct wl_resource *params =
			wl_resource_create(client, &zwp_linux_buffer_params_v1_interface, 3, id);
	wl_resource_set_implementation(params, &params_impl, NULL, NULL);
}

static const struct zwp_linux_dmabuf_v1_interface dmabuf_impl = {
	.destroy = destroy_resource,
	.create_params = dmabuf_create_params,
};

static void bind_dmabuf(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct wl_resource *resource = wl_resource_create(
			client, &zwp_linux_dmabuf_v1_interface, (int)version, id);
	wl_resource_set_implementation(resource, &dmabuf_impl, NULL, NULL);
}

static void start(enum peer_mode mode) {
	seen.timeline_fd = -1;
	peer_start(&peer, mode);
	struct wl_display *display = peer.compositor.display;
	wl_global_create(display, &wp_linux_drm_syncobj_manager_v1_interface, 1, NULL,
			bind_syncobj);
	wl_global_create(display, &zwp_linux_dmabuf_v1_interface, 3, NULL, bind_dmabuf);
	peer_open_app(&peer, APP);
}

static void stop(void) {
	fd_close(&seen.timeline_fd);
	peer_stop(&peer);
}

static void bind_managers(void) {
	peer_bind(&peer, APP, 4, "wp_linux_drm_syncobj_manager_v1", 1, SYNCOBJ);
	peer_bind(&peer, APP, 5, "zwp_linux_dmabuf_v1", 3, DMABUF);
	peer_call(&peer, APP, DMABUF, DMABUF_CREATE_PARAMS, PARAMS);
}

static struct link_fd describe(struct pages_region *region, enum link_fd_kind kind) {
	EXPECT(region != NULL);
	struct link_fd description = {.kind = kind};
	struct pages_ref ref = pages_region_ref(region);
	memcpy(description.ref, ref.opaque, sizeof(description.ref));
	pages_release(region);
	return description;
}

static void import_as(const struct link_fd *fd, uint32_t id) {
	peer_request_fd(&peer, APP, fd, SYNCOBJ, SYNCOBJ_IMPORT_TIMELINE, (uint32_t[]){id}, 1);
}

static void import(int fd, uint32_t id) {
	struct pages_region *region = pages_pass_fd(peer.pages, fd);
	struct link_fd description = describe(region, LINK_FD_LOCAL);
	import_as(&description, id);
}

static void add_plane(int fd) {
	struct pages_region *region = pages_pass_fd(peer.pages, fd);
	struct link_fd description = describe(region, LINK_FD_LOCAL);
	peer_request_fd(&peer, APP, &description, PARAMS, PARAMS_ADD, (uint32_t[5]){0}, 5);
}

static void expect_app_ends(uint32_t code) {
	peer_expect_app_error(&peer, APP, code);
	EXPECT_INT(seen.n_timelines + seen.n_planes, 0);
	EXPECT_INT(peer_count_relay_fds(&peer), peer.relay_fds);
	stop();
}

TEST(an_anonymous_descriptor_reaches_the_compositor_as_a_syncobj)
{
	start(PEER_HANDOVER);
	bind_managers();
	int fd = eventfd(0, EFD_CLOEXEC);
	import(fd, TIMELINE);
	peer_wait_value(&peer, &seen.n_timelines, 1);
	uint64_t value = 77;
	EXPECT(write(fd, &value, sizeof(value)) == sizeof(value));
	value = 0;
	EXPECT(read(seen.timeline_fd, &value, sizeof(value)) == sizeof(value));
	EXPECT_INT(value, 77);
	close(fd);
	peer_expect_alive(&peer);
	stop();
}

TEST(a_buffer_that_the_compositor_makes_is_the_applications)
{
	start(PEER_HANDOVER);
	bind_managers();
	for (uint32_t i = 0; i < 3; i++) {
		peer_call(&peer, APP, PARAMS, PARAMS_CREATE, 4, 4, 0, 0);
		peer_wait_event(&peer, APP, FIRST_SERVER_ID, BUFFER_RELEASE);
		peer_call0(&peer, APP, FIRST_SERVER_ID, BUFFER_DESTROY);
	}
	peer_expect_alive(&peer);
	stop();
}

TEST(a_file_is_no_syncobj)
{
	start(PEER_HANDOVER);
	bind_managers();
	int fd = fd_memory("file", 4096);
	import(fd, TIMELINE);
	close(fd);
	expect_app_ends(INVALID_METHOD);
}

TEST(a_pipe_is_no_syncobj)
{
	start(PEER_HANDOVER);
	bind_managers();
	int ends[2];
	EXPECT(pipe(ends) == 0);
	import(ends[1], TIMELINE);
	close(ends[0]);
	close(ends[1]);
	expect_app_ends(INVALID_METHOD);
}

TEST(a_file_is_no_dmabuf)
{
	start(PEER_HANDOVER);
	bind_managers();
	int fd = fd_memory("file", 4096);
	add_plane(fd);
	close(fd);
	expect_app_ends(INVALID_METHOD);
}

TEST(an_anonymous_descriptor_is_no_dmabuf)
{
	start(PEER_HANDOVER);
	bind_managers();
	int fd = eventfd(0, EFD_CLOEXEC);
	add_plane(fd);
	close(fd);
	expect_app_ends(INVALID_METHOD);
}

TEST(memory_that_was_shared_is_no_passed_descriptor)
{
	start(PEER_HANDOVER);
	bind_managers();
	int fd = fd_memory("pool", 4096);
	struct pages_region *region = pages_share_fd(peer.pages, fd);
	struct link_fd description = describe(region, LINK_FD_LOCAL);
	import_as(&description, TIMELINE);
	close(fd);
	expect_app_ends(NO_MEMORY);
}

TEST(a_passed_descriptor_is_no_pool)
{
	start(PEER_HANDOVER);
	peer_bind(&peer, APP, 4, "wl_shm", 1, SYNCOBJ);
	int fd = fd_memory("pool", 4096);
	struct pages_region *region = pages_pass_fd(peer.pages, fd);
	struct link_fd description = describe(region, LINK_FD_PAGES);
	peer_request_fd(&peer, APP, &description, SYNCOBJ, 0, (uint32_t[]){TIMELINE, 4096}, 2);
	close(fd);
	expect_app_ends(NO_MEMORY);
}

TEST(another_kind_of_descriptor_than_the_messages)
{
	start(PEER_HANDOVER);
	bind_managers();
	int fd = fd_memory("pool", 4096);
	struct pages_region *region = pages_share_fd(peer.pages, fd);
	struct link_fd description = describe(region, LINK_FD_PAGES);
	import_as(&description, TIMELINE);
	close(fd);
	expect_app_ends(INVALID_METHOD);
}

TEST(a_reference_that_nothing_was_passed_with_ends_the_link)
{
	start(PEER_HANDOVER);
	bind_managers();
	import_as(&(struct link_fd){.kind = LINK_FD_LOCAL, .ref = {1, 2, 3}}, TIMELINE);
	peer_expect_bye(&peer, LINK_BYE_PROTOCOL);
	peer_reconnect(&peer);
	stop();
}

TEST(without_handover_there_is_no_gpu_memory)
{
	start(PEER_ARENA);
	EXPECT(peer_sees_global(&peer, APP, 4, "wl_seat"));
	EXPECT(!peer_sees_global(&peer, APP, 6, "zwp_linux_dmabuf_v1"));
	EXPECT(!peer_sees_global(&peer, APP, 8, "wp_linux_drm_syncobj_manager_v1"));
	import_as(&(struct link_fd){.kind = LINK_FD_LOCAL, .ref = {1, 2, 3}}, TIMELINE);
	peer_expect_bye(&peer, LINK_BYE_PROTOCOL);
	peer_reconnect(&peer);
	stop();
}

#define MOST (LIMIT_BUFFERS_PER_LINK / 4 * 3) // of one application: common/share.h

TEST(descriptors_that_the_compositor_holds_are_limited)
{
	start(PEER_HANDOVER);
	bind_managers();
	int fd = eventfd(0, EFD_CLOEXEC);
	for (uint32_t i = 0; i < MOST; i++) {
		import(fd, TIMELINE + i);
		// Not more on their way than the transport takes.
		if (i % 32 == 0) {
			peer_wait_value(&peer, &seen.n_timelines, i + 1);
		}
	}
	peer_wait_value(&peer, &seen.n_timelines, MOST);
	import(fd, TIMELINE + MOST);
	peer_expect_app_error(&peer, APP, NO_MEMORY);
	EXPECT_INT(seen.n_timelines, MOST);
	// What the application held is nobody's any more.
	peer_open_app(&peer, APP);
	bind_managers();
	import(fd, TIMELINE);
	peer_wait_value(&peer, &seen.n_timelines, MOST + 1);
	close(fd);
	stop();
}

TEST(what_was_destroyed_no_longer_counts)
{
	start(PEER_HANDOVER);
	bind_managers();
	int fd = eventfd(0, EFD_CLOEXEC);
	for (uint32_t i = 0; i < LIMIT_BUFFERS_PER_LINK + 8; i++) {
		import(fd, TIMELINE);
		peer_call0(&peer, APP, TIMELINE, TIMELINE_DESTROY);
		peer_wait_delete_id(&peer, APP, TIMELINE, 30 + i % 2);
	}
	EXPECT_INT(seen.n_timelines, LIMIT_BUFFERS_PER_LINK + 8);
	close(fd);
	stop();
}
