/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_RELAY_RELAY_H
#define ISTHMUS_GUIVM_SERVER_RELAY_RELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-util.h>

#include "guivm-server/relay/launch.h"

struct arena_list;
struct client;
struct file_set;
struct link;
struct pages;
struct pipe_set;
struct transport;
struct upstream;
struct wire_message;
struct wl_event_loop;

/*
 * The process: one VM's link on one side, the compositor on the other. Whatever arrives on the link
 * is hostile. When the link ends, the VM's applications end, and the relay waits for the next peer;
 * when the compositor goes, the process does.
 */
struct relay_options {
	const char *vm;
	uint64_t max_pages_bytes;
	uint32_t max_clients;
};

struct relay {
	struct relay_options options;
	struct wl_event_loop *loop; // borrowed
	struct transport *transport; // borrowed
	struct upstream *upstream; // borrowed
	const struct wire_message *title_request; // titles get a prefix; NULL: they do not
	bool stopping;

	struct link *link;
	struct pages *pages; // NULL when the transport has none
	struct file_set *files;
	struct pipe_set *pipes;
	struct arena_list *arenas; // NULL when the link has no LINK_BUFFER_NEW (handover)
	struct wl_list clients; // struct client.link, the last used first
	uint32_t n_clients; // open ones, and those that the compositor has yet to hang up
	uint32_t n_closing; // closed here, the peer or the compositor has yet to do so
	uint32_t n_shared; // sum of the clients'
	struct launch_list launches;
};

/* Everything is borrowed. Then relay_start(). */
void relay_init(struct relay *relay, const struct relay_options *options,
		struct wl_event_loop *loop, struct transport *transport);
void relay_finish(struct relay *relay);

void relay_set_upstream(struct relay *relay, struct upstream *upstream);

/* Starts to wait for a peer. false with errno. */
bool relay_start(struct relay *relay);

/* Says goodbye to the peer and stops; relay.stopping is true. */
void relay_stop(struct relay *relay);

/* upstream_interface.launch */
void relay_launch(struct relay *relay, uint32_t serial, const char *application);

#endif
