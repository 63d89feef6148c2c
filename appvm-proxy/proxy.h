/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_PROXY_H
#define ISTHMUS_APPVM_PROXY_PROXY_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-util.h>

#include "appvm-proxy/farewell.h"
#include "appvm-proxy/ping.h"
#include "common/limits.h"
#include "protocol/objects.h"

struct arena_set;
struct client;
struct exec;
struct file_set;
struct link;
struct link_frame;
struct listener;
struct pages;
struct pipe_set;
struct transport;
struct vmset_vm;
struct wl_event_loop;
struct wl_event_source;

/* How pixels cross, from what the transport can do. */
enum pixels_mode {
	PIXELS_HANDOVER, // the application's own memory is shared
	PIXELS_ARENA, // copied into shared arenas
	PIXELS_INLINE, // copied into the link
};

struct proxy_options {
	const char *vm_name; // for messages; may be NULL
	const char *display; // socket name or absolute path; NULL: the first free wayland-isthmus-N
	const struct vmset_vm *vm; // what may be launched, limits; NULL: nothing, defaults
	const char *runner; // program that launches run in front of the command; NULL: none
	uint64_t pages_bytes; // quota of shared pixels; 0: the VM's
};

/*
 * The appvm end: applications on one side, one link on the other. The listening socket is there
 * from the start; links come and go.
 */
struct proxy {
	struct wl_event_loop *loop;
	struct transport *transport;
	const struct vmset_vm *vm; // may be NULL
	const char *runner; // may be NULL
	enum pixels_mode pixels;
	uint64_t pages_bytes;
	uint32_t max_clients;

	struct listener *listener;
	struct exec *exec;

	struct link *link; // NULL between two links
	bool link_open;
	bool told_waiting; // that applications wait for it
	uint64_t link_since_ms; // when it was created
	uint32_t retry_ms; // wait before the next one
	struct wl_event_source *retry_timer;

	// These live as long as a link.
	struct pages *pages; // NULL without TRANSPORT_PAGES
	bool pages_were_connected;
	struct arena_set *arenas; // NULL but with PIXELS_ARENA
	struct file_set *files;
	struct pipe_set *pipes;
	struct ping ping;
	uint32_t n_slots_returning; // removed slots whose memory is sure to come back
	uint64_t inline_bytes; // PIXELS_INLINE: what the guivm end holds for this VM's slots

	struct wl_list clients; // struct client.link
	uint32_t n_clients;
	struct client *clients_by_id[LIMIT_CLIENTS_PER_LINK + 1];
	struct id_pool client_ids;
	struct farewell_list farewells;
};

/* loop, transport and what options point to are borrowed. Opens the socket and looks for the peer.
 * NULL after logging why. */
struct proxy *proxy_create(struct wl_event_loop *loop, struct transport *transport,
		const struct proxy_options *options);

/* Says goodbye to the peer, ends every application's connection. NULL is legal. */
void proxy_destroy(struct proxy *proxy);

/* What WAYLAND_DISPLAY is for applications. */
const char *proxy_display(const struct proxy *proxy);

/* Takes over fd, an application's connection. */
void proxy_add_connection(struct proxy *proxy, int fd);

/* Places came back or the peer took regions: clients that wait for memory try again. */
void proxy_retry_memory(struct proxy *proxy);

#endif
