/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guivm-server/bench.h"

#include <sys/socket.h>
#include <unistd.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_primary_selection_v1.h>
#include <wlr/types/wlr_seat.h>

#include "guivm-server/control.h"
#include "guivm-server/selection.h"
#include "guivm-server/vm.h"
#include "tests/harness/test.h"

void bench_init(struct bench *bench, const char *vmset) {
	char path[512];
	snprintf(path, sizeof(path), "%s/vmset.json", test_dir());
	FILE *file = fopen(path, "w");
	EXPECT(file != NULL);
	fputs(vmset, file);
	fclose(file);
	struct vmset_errors errors;
	struct vmset *set = vmset_load(path, NULL, &errors);
	if (set == NULL) {
		vmset_errors_print(&errors, 2);
	}
	vmset_errors_finish(&errors);
	EXPECT(set != NULL);
	bench->display = wl_display_create();
	bench->loop = wl_display_get_event_loop(bench->display);
	bench->vms = vms_create(bench->display, set, path);
	EXPECT(bench->vms != NULL);
	bench->compositor = wlr_compositor_create(bench->display, 5, NULL);
	vms_watch_surfaces(bench->vms, bench->compositor);
	wlr_data_device_manager_create(bench->display);
	wlr_primary_selection_v1_device_manager_create(bench->display);
	bench->seat = wlr_seat_create(bench->display, "seat0");
	wlr_seat_set_capabilities(
			bench->seat, WL_SEAT_CAPABILITY_KEYBOARD | WL_SEAT_CAPABILITY_POINTER);
	bench->selection = selection_create(bench->seat, bench->vms);
	bench->control = control_create(bench->display, bench->vms);
}

void bench_finish(struct bench *bench) {
	wl_display_destroy_clients(bench->display);
	control_destroy(bench->control);
	selection_destroy(bench->selection);
	vms_destroy(bench->vms);
	wl_display_destroy(bench->display);
}

int bench_connect(struct bench *bench, const char *vm, struct wl_client **client) {
	int sockets[2];
	EXPECT_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	if (vm[0] == '\0') {
		*client = wl_client_create(bench->display, sockets[0]);
	} else {
		EXPECT(vm_create_client(vms_find(bench->vms, vm), sockets[0]));
		struct wl_list *clients = wl_display_get_client_list(bench->display);
		*client = wl_client_from_link(clients->prev);
	}
	EXPECT(*client != NULL);
	return sockets[1];
}

void bench_disconnect(struct wl_client *client) {
	wl_client_destroy(client);
}

void bench_turn(struct bench *bench) {
	wl_event_loop_dispatch(bench->loop, 0);
	wl_display_flush_clients(bench->display);
}

static enum wl_iterator_result find_surface(struct wl_resource *resource, void *data) {
	struct wlr_surface **surface = data;
	if (strcmp(wl_resource_get_class(resource), "wl_surface") == 0) {
		*surface = wlr_surface_from_resource(resource);
		return WL_ITERATOR_STOP;
	}
	return WL_ITERATOR_CONTINUE;
}

void bench_focus(struct bench *bench, struct wl_client *client) {
	struct wlr_surface *surface = NULL;
	wl_client_for_each_resource(client, find_surface, &surface);
	EXPECT(surface != NULL);
	struct wlr_keyboard_modifiers modifiers = {0};
	selection_enter(bench->selection, client);
	wlr_seat_keyboard_notify_enter(bench->seat, surface, NULL, 0, &modifiers);
}

uint32_t bench_selection_serial(const struct bench *bench) {
	return bench->seat->primary_selection_serial;
}
