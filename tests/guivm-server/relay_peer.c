/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-client.h>

#include "isthmus-relay-v1-client-protocol.h"
#include "tests/harness/ignore.h"

/*
 * A relay that says what the test wants: RELAY_PEER in the environment names what it does once it
 * is connected, and the application's name how it answers a launch.
 */
static struct isthmus_relay_v1 *relay;
static char globals[4096];

static void handle_launch(void *data, struct isthmus_relay_v1 *proxy, uint32_t serial,
		const char *application) {
	if (strcmp(application, "unknown") == 0) {
		isthmus_relay_v1_launch_result(
				proxy, serial, ISTHMUS_RELAY_V1_LAUNCH_STATUS_UNKNOWN, 0);
	} else if (strcmp(application, "failed") == 0) {
		isthmus_relay_v1_launch_result(
				proxy, serial, ISTHMUS_RELAY_V1_LAUNCH_STATUS_FAILED, 2);
	} else if (strcmp(application, "exited") == 0) {
		isthmus_relay_v1_launch_result(
				proxy, serial, ISTHMUS_RELAY_V1_LAUNCH_STATUS_EXITED, 3 << 8);
	} else if (strcmp(application, "no link") == 0) {
		isthmus_relay_v1_launch_result(
				proxy, serial, ISTHMUS_RELAY_V1_LAUNCH_STATUS_NO_LINK, 0);
	} else if (strcmp(application, "wrong serial") == 0) {
		isthmus_relay_v1_launch_result(
				proxy, serial + 1, ISTHMUS_RELAY_V1_LAUNCH_STATUS_STARTED, 0);
	} else if (strcmp(application, "die") == 0) {
		_exit(5);
	} else {
		isthmus_relay_v1_launch_result(
				proxy, serial, ISTHMUS_RELAY_V1_LAUNCH_STATUS_STARTED, 0);
	}
}

static const struct isthmus_relay_v1_listener relay_listener = {handle_launch};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	strncat(globals, interface, sizeof(globals) - strlen(globals) - 2);
	strncat(globals, " ", 2);
	if (strcmp(interface, isthmus_relay_v1_interface.name) == 0) {
		relay = wl_registry_bind(registry, name, &isthmus_relay_v1_interface, 1);
		isthmus_relay_v1_add_listener(relay, &relay_listener, NULL);
	}
}

static const struct wl_registry_listener registry_listener = {handle_global, IGNORE};

static void act(struct wl_display *display, const char *action) {
	int sockets[2] = {-1, -1};
	isthmus_relay_v1_set_state(
			relay, ISTHMUS_RELAY_V1_STATE_CONNECTED, ISTHMUS_RELAY_V1_REASON_NONE);
	if (strcmp(action, "client") == 0 &&
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0) {
		isthmus_relay_v1_create_client(relay, sockets[0]);
	} else if (strcmp(action, "file") == 0) {
		isthmus_relay_v1_create_client(relay, open("/dev/null", O_RDONLY | O_CLOEXEC));
	} else if (strcmp(action, "state") == 0) {
		isthmus_relay_v1_set_state(relay, 7, 0);
	} else if (strcmp(action, "protocol") == 0) {
		isthmus_relay_v1_set_state(relay, ISTHMUS_RELAY_V1_STATE_WAITING,
				ISTHMUS_RELAY_V1_REASON_PROTOCOL);
	}
	wl_display_flush(display);
}

int main(int argc, char *argv[]) {
	struct wl_display *display = wl_display_connect(NULL);
	const char *action = getenv("RELAY_PEER");
	if (display == NULL || action == NULL) {
		return 3;
	}
	wl_registry_add_listener(wl_display_get_registry(display), &registry_listener, NULL);
	if (wl_display_roundtrip(display) < 0 || relay == NULL) {
		return 4;
	}
	if (strcmp(globals, "isthmus_relay_v1 ") != 0) {
		fprintf(stderr, "a relay is shown: %s\n", globals);
		return 6;
	}
	act(display, action);
	while (wl_display_dispatch(display) >= 0) {
	}
	return 0;
}
