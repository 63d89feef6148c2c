/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_CONTROL_FAKE_SERVER_H
#define ISTHMUS_TESTS_CONTROL_FAKE_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <wayland-server-core.h>

/*
 * The compositor's side of isthmus_control_v1, in a thread, with a desktop that changes only by
 * what a client asks for: VMs "work" (running, applications "Editor" and "Mail", windows 1 and 2
 * and popup 3) and "personal" (failed). Starts in work:
 *     "Editor"         started
 *     "close window"   window 1 goes, then started
 *     "rename window"  window 2 is called "renamed", then started
 *     "crash"          the connection ends without an answer
 *     "silence"        nothing
 *     anything else    failed, with its name in the message
 * reload: answered with a reset and work alone the first time, and with an error then.
 */
struct fake_server {
	char path[512]; // for wl_display_connect()
	struct wl_display *display;
	pthread_t thread;
	int stop_fd;
	struct wl_event_source *stop_source;
	bool with_control; // offers isthmus_control_v1
	unsigned reloads;
};

void fake_server_start(struct fake_server *server, bool with_control);
void fake_server_stop(struct fake_server *server);

#endif
