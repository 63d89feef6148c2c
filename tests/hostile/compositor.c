/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hostile/compositor.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-server.h>

#include "common/fd.h"
#include "isthmus-relay-v1-server-protocol.h"
#include "tests/harness/test.h"

struct test_surface {
	struct test_compositor *compositor;
	struct wl_resource *buffer; // attached
	struct wl_listener buffer_destroy;
};

static void destroy_resource(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static void surface_set_buffer(struct test_surface *surface, struct wl_resource *buffer) {
	wl_list_remove(&surface->buffer_destroy.link);
	wl_list_init(&surface->buffer_destroy.link);
	surface->buffer = buffer;
	if (buffer != NULL) {
		wl_resource_add_destroy_listener(buffer, &surface->buffer_destroy);
	}
}

static void handle_shown_destroy(struct wl_listener *listener, void *data) {
	struct test_compositor *compositor = wl_container_of(listener, compositor, shown_destroy);
	compositor->n_shown_destroyed++;
	wl_list_remove(&compositor->shown_destroy.link);
	wl_list_init(&compositor->shown_destroy.link);
	compositor->shown = NULL;
}

static void show(struct test_compositor *compositor, struct wl_resource *buffer) {
	wl_list_remove(&compositor->shown_destroy.link);
	wl_resource_add_destroy_listener(buffer, &compositor->shown_destroy);
	compositor->shown = buffer;
}

static void surface_handle_buffer_destroy(struct wl_listener *listener, void *data) {
	struct test_surface *surface = wl_container_of(listener, surface, buffer_destroy);
	surface_set_buffer(surface, NULL);
}

static void surface_attach(struct wl_client *client, struct wl_resource *resource,
		struct wl_resource *buffer, int32_t x, int32_t y) {
	surface_set_buffer(wl_resource_get_user_data(resource), buffer);
}

static void surface_damage(struct wl_client *client, struct wl_resource *resource, int32_t x,
		int32_t y, int32_t width, int32_t height) {
}

static void surface_frame(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct wl_resource *callback = wl_resource_create(client, &wl_callback_interface, 1, id);
	wl_callback_send_done(callback, 0);
	wl_resource_destroy(callback);
}

static void surface_set_region(struct wl_client *client, struct wl_resource *resource,
		struct wl_resource *region) {
}

static void surface_commit(struct wl_client *client, struct wl_resource *resource) {
	struct test_surface *surface = wl_resource_get_user_data(resource);
	struct test_compositor *compositor = surface->compositor;
	compositor->n_commits++;
	if (surface->buffer == NULL) {
		return;
	}
	struct wl_shm_buffer *shm = wl_shm_buffer_get(surface->buffer);
	EXPECT(shm != NULL);
	wl_shm_buffer_begin_access(shm);
	memcpy(&compositor->pixel, wl_shm_buffer_get_data(shm), sizeof(compositor->pixel));
	wl_shm_buffer_end_access(shm);
	if (compositor->holds_buffers) {
		show(compositor, surface->buffer);
	} else {
		wl_buffer_send_release(surface->buffer);
	}
}

static const struct wl_surface_interface surface_impl = {
		.destroy = destroy_resource,
		.attach = surface_attach,
		.damage = surface_damage,
		.frame = surface_frame,
		.set_opaque_region = surface_set_region,
		.set_input_region = surface_set_region,
		.commit = surface_commit,
};

static void surface_handle_destroy(struct wl_resource *resource) {
	struct test_surface *surface = wl_resource_get_user_data(resource);
	wl_list_remove(&surface->buffer_destroy.link);
	surface->compositor->n_surfaces--;
	free(surface);
}

static void compositor_create_surface(
		struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct test_surface *surface = calloc(1, sizeof(*surface));
	surface->compositor = wl_resource_get_user_data(resource);
	surface->buffer_destroy.notify = surface_handle_buffer_destroy;
	wl_list_init(&surface->buffer_destroy.link);
	surface->compositor->n_surfaces++;
	struct wl_resource *created = wl_resource_create(
			client, &wl_surface_interface, wl_resource_get_version(resource), id);
	wl_resource_set_implementation(created, &surface_impl, surface, surface_handle_destroy);
}

static void region_change(struct wl_client *client, struct wl_resource *resource, int32_t x,
		int32_t y, int32_t width, int32_t height) {
}

static const struct wl_region_interface region_impl = {
		.destroy = destroy_resource,
		.add = region_change,
		.subtract = region_change,
};

static void compositor_create_region(
		struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct wl_resource *region = wl_resource_create(client, &wl_region_interface, 1, id);
	wl_resource_set_implementation(region, &region_impl, NULL, NULL);
}

static const struct wl_compositor_interface compositor_impl = {
		.create_surface = compositor_create_surface,
		.create_region = compositor_create_region,
};

static void bind_compositor(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct wl_resource *resource =
			wl_resource_create(client, &wl_compositor_interface, (int)version, id);
	wl_resource_set_implementation(resource, &compositor_impl, data, NULL);
}

static void seat_get_pointer(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	wl_resource_create(client, &wl_pointer_interface, 1, id);
}

static void seat_get_keyboard(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	static const char keymap[] = "a keymap";
	struct wl_resource *keyboard = wl_resource_create(client, &wl_keyboard_interface, 1, id);
	int fd = fd_sealed_file("keymap", keymap, sizeof(keymap));
	wl_keyboard_send_keymap(keyboard, WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1, fd, sizeof(keymap));
	close(fd);
}

static void seat_get_touch(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	wl_resource_create(client, &wl_touch_interface, 1, id);
}

static const struct wl_seat_interface seat_impl = {
		.get_pointer = seat_get_pointer,
		.get_keyboard = seat_get_keyboard,
		.get_touch = seat_get_touch,
};

static void bind_seat(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct wl_resource *resource =
			wl_resource_create(client, &wl_seat_interface, (int)version, id);
	wl_resource_set_implementation(resource, &seat_impl, data, NULL);
}

static void bind_hidden(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	test_fail(__FILE__, __LINE__, "a VM bound what it must not see");
}

static void relay_create_client(
		struct wl_client *client, struct wl_resource *resource, int32_t fd) {
	struct test_compositor *compositor = wl_resource_get_user_data(resource);
	EXPECT(wl_client_create(compositor->display, fd) != NULL);
}

static void relay_set_state(struct wl_client *client, struct wl_resource *resource, uint32_t state,
		uint32_t reason) {
	struct test_compositor *compositor = wl_resource_get_user_data(resource);
	compositor->n_states++;
	compositor->state = state;
	compositor->reason = reason;
}

static void relay_launch_result(struct wl_client *client, struct wl_resource *resource,
		uint32_t serial, uint32_t status, uint32_t detail) {
	struct test_compositor *compositor = wl_resource_get_user_data(resource);
	compositor->n_launch_results++;
	compositor->launch_serial = serial;
	compositor->launch_status = status;
}

static const struct isthmus_relay_v1_interface relay_impl = {
		.create_client = relay_create_client,
		.set_state = relay_set_state,
		.launch_result = relay_launch_result,
};

static void relay_handle_destroy(struct wl_resource *resource) {
	struct test_compositor *compositor = wl_resource_get_user_data(resource);
	compositor->relay = NULL;
}

static void bind_relay(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct test_compositor *compositor = data;
	EXPECT(compositor->relay == NULL);
	compositor->relay =
			wl_resource_create(client, &isthmus_relay_v1_interface, (int)version, id);
	wl_resource_set_implementation(
			compositor->relay, &relay_impl, compositor, relay_handle_destroy);
}

struct test_client_listener {
	struct wl_listener destroy;
	struct test_compositor *compositor;
};

static void client_handle_destroy(struct wl_listener *listener, void *data) {
	struct test_client_listener *entry = wl_container_of(listener, entry, destroy);
	entry->compositor->n_clients--;
	wl_list_remove(&entry->destroy.link);
	free(entry);
}

struct created_listener {
	struct wl_listener listener;
	struct test_compositor *compositor;
};

static struct created_listener created;

static void handle_client_created(struct wl_listener *listener, void *data) {
	struct test_client_listener *entry = calloc(1, sizeof(*entry));
	entry->destroy.notify = client_handle_destroy;
	entry->compositor = created.compositor;
	entry->compositor->n_clients++;
	wl_client_add_destroy_listener(data, &entry->destroy);
}

void test_compositor_start(struct test_compositor *compositor, const char *dir) {
	*compositor = (struct test_compositor){.display = wl_display_create()};
	EXPECT(compositor->display != NULL);
	compositor->shown_destroy.notify = handle_shown_destroy;
	wl_list_init(&compositor->shown_destroy.link);
	snprintf(compositor->socket, sizeof(compositor->socket), "%s/wayland", dir);
	EXPECT(setenv("XDG_RUNTIME_DIR", dir, 1) == 0);
	EXPECT(wl_display_add_socket(compositor->display, "wayland") == 0);
	EXPECT(wl_display_init_shm(compositor->display) == 0);
	wl_global_create(compositor->display, &wl_compositor_interface, 4, compositor,
			bind_compositor);
	wl_global_create(compositor->display, &wl_seat_interface, 1, compositor, bind_seat);
	wl_global_create(compositor->display, &wl_shell_interface, 1, compositor, bind_hidden);
	created = (struct created_listener){
			.listener.notify = handle_client_created, .compositor = compositor};
	wl_display_add_client_created_listener(compositor->display, &created.listener);
}

void test_compositor_stop(struct test_compositor *compositor) {
	wl_display_destroy_clients(compositor->display);
	wl_list_remove(&created.listener.link);
	wl_display_destroy(compositor->display);
}

int test_compositor_make_manager(struct test_compositor *compositor) {
	int pair[2];
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	EXPECT(fd_set_cloexec(pair[0], true));
	EXPECT(wl_client_create(compositor->display, pair[0]) != NULL);
	wl_global_create(compositor->display, &isthmus_relay_v1_interface, 1, compositor,
			bind_relay);
	return pair[1];
}

void test_compositor_release(struct test_compositor *compositor) {
	EXPECT(compositor->shown != NULL);
	wl_buffer_send_release(compositor->shown);
}
