/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/control/fake_server.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "isthmus-control-v1-server-protocol.h"
#include "tests/harness/test.h"

static void send_work(struct wl_resource *resource) {
	isthmus_control_v1_send_vm(resource, "work", "Work", 0x0050d0, 2,
			ISTHMUS_CONTROL_V1_VM_STATE_RUNNING, "", 2, 2, 4321, 1);
	isthmus_control_v1_send_application(resource, "work", "Editor", "Edits \"text\"", "editor",
			"Utility;TextEditor");
	isthmus_control_v1_send_application(resource, "work", "Mail", "", "", "");
}

static void send_desktop(struct wl_resource *resource) {
	isthmus_control_v1_send_desktop(resource, "9.8.7", 4, "/etc/set.json");
	send_work(resource);
	isthmus_control_v1_send_vm(resource, "personal", "Personal", 0x00a000, 1,
			ISTHMUS_CONTROL_V1_VM_STATE_FAILED, "its relay keeps failing", 0, 0, 0, 7);
	isthmus_control_v1_send_window(resource, 1, "work", "editor", "one", 10, 20, 300, 200, 1);
	isthmus_control_v1_send_window(resource, 2, "work", "mail", "two", -5, 0, 640, 480, 2);
	isthmus_control_v1_send_window(resource, 3, "work", "mail", "", 0, 0, 50, 50, 16);
	isthmus_control_v1_send_done(resource);
}

static void launch_handle_destroy(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static const struct isthmus_launch_v1_interface launch_impl = {
	.destroy = launch_handle_destroy,
};

static void control_handle_destroy(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static void control_handle_launch(struct wl_client *client, struct wl_resource *resource,
		uint32_t id, const char *vm, const char *application) {
	struct wl_resource *launch =
			wl_resource_create(client, &isthmus_launch_v1_interface, 1, id);
	wl_resource_set_implementation(launch, &launch_impl, NULL, NULL);
	bool known = strcmp(vm, "work") == 0;
	if (known && strcmp(application, "Editor") == 0) {
		isthmus_launch_v1_send_started(launch);
	} else if (known && strcmp(application, "close window") == 0) {
		isthmus_control_v1_send_window(resource, 1, "", "", "", 0, 0, 0, 0, 0);
		isthmus_control_v1_send_done(resource);
		isthmus_launch_v1_send_started(launch);
	} else if (known && strcmp(application, "rename window") == 0) {
		isthmus_control_v1_send_window(
				resource, 2, "work", "mail", "renamed", 1, 2, 3, 4, 0);
		isthmus_control_v1_send_done(resource);
		isthmus_launch_v1_send_started(launch);
	} else if (known && strcmp(application, "crash") == 0) {
		shutdown(wl_client_get_fd(client), SHUT_RDWR);
	} else if (!known || strcmp(application, "silence") != 0) {
		char message[256];
		snprintf(message, sizeof(message), "%s: there is no application \"%s\"", vm,
				application);
		isthmus_launch_v1_send_failed(launch, message);
	}
}

static void control_handle_reload(struct wl_client *client, struct wl_resource *resource) {
	struct fake_server *server = wl_resource_get_user_data(resource);
	if (server->reloads++ > 0) {
		isthmus_control_v1_send_reloaded(
				resource, 0, "set.json:1:2: vms: is missing\nand more\n");
		return;
	}
	isthmus_control_v1_send_reset(resource);
	send_work(resource);
	isthmus_control_v1_send_done(resource);
	isthmus_control_v1_send_reloaded(resource, 1, "");
}

static const struct isthmus_control_v1_interface control_impl = {
	.destroy = control_handle_destroy,
	.launch = control_handle_launch,
	.reload = control_handle_reload,
};

static void control_bind(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct wl_resource *resource =
			wl_resource_create(client, &isthmus_control_v1_interface, (int)version, id);
	wl_resource_set_implementation(resource, &control_impl, data, NULL);
	send_desktop(resource);
}

static int handle_stop(int fd, uint32_t mask, void *data) {
	struct fake_server *server = data;
	wl_display_terminate(server->display);
	return 0;
}

static void *run(void *data) {
	struct fake_server *server = data;
	wl_display_run(server->display);
	return NULL;
}

void fake_server_start(struct fake_server *server, bool with_control) {
	*server = (struct fake_server){.with_control = with_control};
	snprintf(server->path, sizeof(server->path), "%s/wayland", test_dir());
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	EXPECT(strlen(server->path) < sizeof(address.sun_path));
	memcpy(address.sun_path, server->path, strlen(server->path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	EXPECT(fd >= 0);
	EXPECT_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	EXPECT_INT(listen(fd, 4), 0);
	server->display = wl_display_create();
	EXPECT(server->display != NULL);
	EXPECT_INT(wl_display_add_socket_fd(server->display, fd), 0);
	server->stop_fd = eventfd(0, EFD_CLOEXEC);
	EXPECT(server->stop_fd >= 0);
	server->stop_source = wl_event_loop_add_fd(wl_display_get_event_loop(server->display),
			server->stop_fd, WL_EVENT_READABLE, handle_stop, server);
	if (with_control) {
		wl_global_create(server->display, &isthmus_control_v1_interface, 1, server,
				control_bind);
	}
	EXPECT_INT(pthread_create(&server->thread, NULL, run, server), 0);
}

void fake_server_stop(struct fake_server *server) {
	uint64_t one = 1;
	EXPECT_INT(write(server->stop_fd, &one, sizeof(one)), sizeof(one));
	EXPECT_INT(pthread_join(server->thread, NULL), 0);
	wl_event_source_remove(server->stop_source);
	wl_display_destroy_clients(server->display);
	wl_display_destroy(server->display);
	close(server->stop_fd);
	unlink(server->path);
}
