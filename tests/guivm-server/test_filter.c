/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <wayland-client.h>

#include "tests/guivm-server/bench.h"
#include "tests/harness/ignore.h"
#include "tests/harness/test.h"

#define ONE_VM \
	"{\"version\": 1, \"vms\": {\"work\": {\"color\": \"#1565c0\", " \
	"\"transport\": \"local:/tmp/w\", \"limits\": {\"surfaces\": 3}}}}"
#define SHARED \
	"{\"version\": 1, \"vms\": {\"work\": {\"color\": \"#1565c0\", " \
	"\"transport\": \"local:/tmp/w\", \"limits\": {\"surfaces\": 16}}}}"
#define MOST_OF_SHARED 12

static struct wl_compositor *compositor;

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	char *names = data;
	size_t used = strlen(names);
	snprintf(names + used, 1024 - used, "%s ", interface);
	if (strcmp(interface, "wl_compositor") == 0) {
		compositor = wl_registry_bind(registry, name, &wl_compositor_interface, 4);
	}
}

static const struct wl_registry_listener registry_listener = {handle_global, IGNORE};

static void handle_synced(void *data, struct wl_callback *callback, uint32_t serial) {
	*(bool *)data = true;
}

static const struct wl_callback_listener sync_listener = {handle_synced};

/* Returns whether the connection still stands. */
static bool sync_with(struct bench *bench, struct wl_display *display) {
	bool done = false, alive = true;
	struct wl_callback *callback = wl_display_sync(display);
	wl_callback_add_listener(callback, &sync_listener, &done);
	while (!done && alive) {
		wl_display_flush(display);
		bench_turn(bench);
		struct pollfd poll_fd = {.fd = wl_display_get_fd(display), .events = POLLIN};
		if (poll(&poll_fd, 1, 0) > 0) {
			alive = wl_display_dispatch(display) >= 0;
		}
	}
	wl_callback_destroy(callback);
	return alive;
}

static void list_globals(struct bench *bench, const char *vm, char names[1024]) {
	struct wl_client *client;
	struct wl_display *display = wl_display_connect_to_fd(bench_connect(bench, vm, &client));
	struct wl_registry *registry = wl_display_get_registry(display);
	names[0] = '\0';
	wl_registry_add_listener(registry, &registry_listener, names);
	EXPECT(sync_with(bench, display));
	wl_compositor_destroy(compositor);
	wl_registry_destroy(registry);
	wl_display_disconnect(display);
}

TEST(a_vm_sees_the_allow_list_only)
{
	struct bench bench;
	char names[1024];
	bench_init(&bench, ONE_VM);
	list_globals(&bench, "work", names);
	EXPECT(strstr(names, "wl_compositor ") != NULL);
	EXPECT(strstr(names, "wl_seat ") != NULL);
	EXPECT(strstr(names, "isthmus_") == NULL);
	EXPECT(strstr(names, "zwlr_") == NULL);
	bench_finish(&bench);
}

TEST(a_local_client_sees_all_but_the_relays_protocol)
{
	struct bench bench;
	char names[1024];
	bench_init(&bench, ONE_VM);
	list_globals(&bench, "", names);
	EXPECT(strstr(names, "isthmus_control_v1 ") != NULL);
	EXPECT(strstr(names, "isthmus_relay_v1 ") == NULL);
	bench_finish(&bench);
}

TEST(a_client_that_goes_over_its_vms_surfaces_is_disconnected)
{
	struct bench bench;
	struct wl_client *client;
	struct wl_surface *surfaces[4];
	char names[1024] = "";
	bench_init(&bench, ONE_VM);
	struct wl_display *display =
			wl_display_connect_to_fd(bench_connect(&bench, "work", &client));
	struct wl_registry *registry = wl_display_get_registry(display);
	wl_registry_add_listener(registry, &registry_listener, names);
	EXPECT(sync_with(&bench, display));
	for (int i = 0; i < 3; i++) {
		surfaces[i] = wl_compositor_create_surface(compositor);
	}
	EXPECT(sync_with(&bench, display));
	wl_surface_destroy(surfaces[2]);
	surfaces[2] = wl_compositor_create_surface(compositor);
	EXPECT(sync_with(&bench, display));
	surfaces[3] = wl_compositor_create_surface(compositor);
	EXPECT(!sync_with(&bench, display));
	for (int i = 0; i < 4; i++) {
		wl_surface_destroy(surfaces[i]);
	}
	wl_compositor_destroy(compositor);
	wl_registry_destroy(registry);
	wl_display_disconnect(display);
	bench_finish(&bench);
}

/* An application of the VM that makes so many surfaces. Returns whether it was let. */
static bool make_surfaces(struct bench *bench, int count, struct wl_display **display) {
	struct wl_client *client;
	char names[1024] = "";
	*display = wl_display_connect_to_fd(bench_connect(bench, "work", &client));
	struct wl_registry *registry = wl_display_get_registry(*display);
	wl_registry_add_listener(registry, &registry_listener, names);
	EXPECT(sync_with(bench, *display));
	for (int i = 0; i < count; i++) {
		wl_proxy_destroy((struct wl_proxy *)wl_compositor_create_surface(compositor));
	}
	bool alive = sync_with(bench, *display);
	wl_compositor_destroy(compositor);
	wl_registry_destroy(registry);
	return alive;
}

TEST(one_application_leaves_surfaces_for_others_of_its_vm)
{
	struct bench bench;
	struct wl_display *greedy, *modest, *next;
	bench_init(&bench, SHARED);
	EXPECT(make_surfaces(&bench, MOST_OF_SHARED, &greedy));
	EXPECT(make_surfaces(&bench, 1, &modest));
	EXPECT(!make_surfaces(&bench, MOST_OF_SHARED, &next));
	wl_display_disconnect(next);
	wl_display_disconnect(modest);
	wl_display_disconnect(greedy);
	bench_turn(&bench);
	EXPECT(!make_surfaces(&bench, MOST_OF_SHARED + 1, &greedy));
	wl_display_disconnect(greedy);
	bench_finish(&bench);
}
