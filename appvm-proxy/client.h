/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_CLIENT_H
#define ISTHMUS_APPVM_PROXY_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <wayland-util.h>

#include "bridge/pace.h"
#include "common/limits.h"
#include "protocol/objects.h"
#include "protocol/wire.h"

struct link_frame;
struct proxy;
struct wlconn;

enum client_state {
	CLIENT_WAITING, // accepted, not read from: there is no link
	CLIENT_OPEN,
	CLIENT_CLOSING, // the application is gone; the other end has not said LINK_CLIENT_CLOSE yet
};

/* Why an application is not read from. The request at hand stays unconsumed and is handled again
 * from the start. */
enum client_stall {
	CLIENT_STALL_NO_LINK = 1 << 0,
	CLIENT_STALL_WINDOW = 1 << 1, // LIMIT_CLIENT_WINDOW_BYTES are on their way
	CLIENT_STALL_LINK = 1 << 2, // the link's queue is long
	CLIENT_STALL_QUEUE = 1 << 3, // it does not read its own events
	CLIENT_STALL_SLOT = 1 << 4, // a commit waits for a release
	CLIENT_STALL_MEMORY = 1 << 5, // memory is being given back
};

/* One application's connection. */
struct client {
	struct wl_list link; // struct proxy.clients
	struct proxy *proxy;
	struct wlconn *conn; // NULL when CLIENT_CLOSING
	uint32_t id; // on the link; 0 when CLIENT_WAITING
	enum client_state state;
	unsigned stall; // enum client_stall; the connection is paused when not 0
	bool close_sent;
	bool told_why; // it was ended, and may still be reading the reason
	pid_t pid; // of who connected, for launches

	struct object_table objects;
	struct id_pool buffer_ids; // LINK_BUFFER_ID_START..LINK_BUFFER_ID_END

	struct pace pace;
	uint32_t n_commits; // of all surfaces
	uint32_t n_tree_changes; // subsurfaces that became desynchronized or lost their role

	uint32_t window; // bytes that may still be sent
	uint32_t owed; // bytes received and not credited yet

	int held_fds[LIMIT_WAYLAND_FDS_PER_MESSAGE]; // of the stalled request at hand
	uint32_t n_held_fds;
};

/* Takes fd over on success. NULL with errno. */
struct client *client_create(struct proxy *proxy, int fd);

/* The link is open: gives the client its id, from now on it is read from. */
void client_open(struct client *client, uint32_t id);

/* Frees at once, without a word to either side. */
void client_destroy(struct client *client);

/* The application is gone or has to go: closes its connection and tells the other end. The client
 * must not be used by the caller afterwards, though it lives on until the other end answered. */
void client_close(struct client *client);

/* Posts wl_display.error, then client_close(). */
void client_error(struct client *client, uint32_t object, uint32_t code, const char *format, ...)
		__attribute__((format(printf, 4, 5)));

/* Queues Wayland messages to the application, fds pass on success. On failure the client was
 * closed. */
bool client_queue(struct client *client, const void *bytes, size_t size, const int *fds,
		size_t n_fds);

/* wl_display.delete_id for an object that the other end does not know, and removes it. false: the
 * client was closed. */
bool client_delete_local(struct client *client, uint32_t id);

/* Sends one message on the link and takes it off the window. */
void client_forward(struct client *client, const void *bytes, size_t size);

/* Credits what was passed on, once it is worth a frame. */
void client_give_credit(struct client *client);

void client_set_stall(struct client *client, enum client_stall reason);
/* The reason is gone: reads on when no other is left. */
void client_clear_stall(struct client *client, enum client_stall reason);

/* Frees what hooks attached to the object. */
void client_object_finish(struct client *client, struct object *object);

/* LINK_CREDIT, LINK_CLIENT_CLOSE, LINK_WAYLAND, LINK_WAYLAND_FDS. */
void client_handle_credit(struct client *client, uint32_t untrusted_bytes);
/* May destroy the client. */
void client_handle_close(struct client *client);
void client_handle_wayland(struct client *client, const struct link_frame *frame);
void client_handle_wayland_fds(struct client *client, const struct link_frame *frame);

#endif
