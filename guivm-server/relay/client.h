/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_RELAY_CLIENT_H
#define ISTHMUS_GUIVM_SERVER_RELAY_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <wayland-util.h>

#include "bridge/pace.h"
#include "bridge/wlconn.h"
#include "guivm-server/relay/globals.h"
#include "guivm-server/relay/id_map.h"
#include "protocol/link.h"
#include "protocol/objects.h"

struct relay;
struct buffer_list;
struct hangup;

/*
 * One application of the VM: its Wayland connection as it arrives on the link, and the connection
 * to the compositor that stands for it. Every request is checked against the interface tables and
 * the application's own objects before the compositor sees it.
 */
struct client {
	struct relay *relay;
	struct wl_list link; // relay.clients
	uint32_t id; // on the link
	struct wlconn *conn; // to the compositor; NULL: closed, waits for the compositor to see
			     // that, or for the peer's LINK_CLIENT_CLOSE
	struct hangup *hangup; // what is left of conn; NULL: the compositor holds nothing any more
	bool peer_closed; // the peer said LINK_CLIENT_CLOSE
	struct object_table objects; // by link id
	struct id_map ids; // by relay id
	struct global_list globals;
	uint32_t arena_manager; // name of isthmus_arena_manager_v1; 0: not offered
	struct buffer_list *buffers; // link buffers, NULL until the first
	uint32_t n_shared; // descriptors of the compositor's that its objects may hold: sum of
			   // their held_fds, and the relay's own pools
	size_t piled_bytes; // of its objects: LIMIT_PILED_UP_BYTES
	struct pace pace;
	clockid_t presentation_clock; // that the compositor's wp_presentation tells times of
	size_t uncredited; // bytes of requests that arrived and were not credited yet
	uint32_t event_window; // bytes of events that may still be sent
};

/* Connects it. NULL: out of memory. Without a connection it is ended, as by client_error(). */
struct client *client_create(struct relay *relay, uint32_t id);

/* Frees it at once; tells nobody. */
void client_destroy(struct client *client);

/* The peer's LINK_CLIENT_CLOSE, the first one: ends it, if that was not done, and frees it as soon
 * as LINK_CLIENT_CLOSE was said here, too. */
void client_handle_close(struct client *client);

/*
 * Ends the application from this side, after a wl_display.error about object (a link id): closes
 * its connection and says LINK_CLIENT_CLOSE, once the compositor hung up where that has buffers. It
 * lives on, deaf, until the peer says the same. Nothing happens when it was ended before.
 */
void client_error(struct client *client, uint32_t object, uint32_t code, const char *format, ...)
		__attribute__((format(printf, 4, 5)));

/* enum wl_display_error, in words that say whose they are. */
enum client_error_code {
	CLIENT_INVALID_OBJECT = 0,
	CLIENT_INVALID_METHOD = 1,
	CLIENT_NO_MEMORY = 2,
	CLIENT_IMPLEMENTATION = 3,
};

/* Frames that arrived for it, closed or not. LINK_WAYLAND and LINK_WAYLAND_FDS: client_request.c.
 */
void client_handle_wayland(struct client *client, const struct link_frame *frame);
void client_handle_wayland_fds(struct client *client, const struct link_frame *frame);
void client_handle_credit(struct client *client, uint32_t untrusted_bytes);

/* The link has room again. */
void client_handle_link_writable(struct client *client);

/* Events are there to be read: client_event.c. */
void client_read_events(struct client *client);

/* Queues a request that was checked, or is the relay's own. false: the connection was ended. fds
 * pass in any case. */
bool client_queue(struct client *client, const void *bytes, size_t size, const int *fds,
		size_t n_fds);

/* The compositor holds count more descriptors because of the object, or none any more. false: too
 * many for one VM, nothing changed. */
bool client_hold_fds(struct client *client, struct object *object, uint32_t count);
void client_drop_fds(struct client *client, struct object *object);

/* A live object went, by delete_id or by the end of the application. */
void client_forget_object(struct client *client, uint32_t link_id);

#endif
