/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bridge/files.h"
#include "bridge/hangup.h"
#include "bridge/link.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/share.h"
#include "guivm-server/relay/buffers.h"
#include "guivm-server/relay/relay.h"
#include "guivm-server/relay/upstream.h"

// A window of requests, and what the relay itself adds for the application's buffers.
#define CLIENT_QUEUE_BYTES (LIMIT_CLIENT_WINDOW_BYTES + 256 * 1024)
// Credit is given in large pieces: it only has to arrive before the window is used up.
#define CLIENT_CREDIT_BYTES (LIMIT_CLIENT_WINDOW_BYTES / 4)

static void free_object_data(struct object *object, uint32_t id, void *data) {
	if (object->interface == wire_surface_interface) {
		free(object->data);
	}
}

/* What counts for as long as the compositor may hold it. */
static void client_let_go(struct client *client) {
	hangup_destroy(client->hangup);
	client->hangup = NULL;
	buffer_list_destroy(client->buffers, client->relay);
	client->buffers = NULL;
	client->relay->n_shared -= client->n_shared;
	client->n_shared = 0;
	client->relay->n_clients--;
}

static void client_say_closed(struct client *client) {
	link_send(client->relay->link, LINK_CLIENT_CLOSE, client->id, 0, NULL, 0);
	if (client->peer_closed) {
		client_destroy(client);
	}
}

static void client_handle_hangup(void *data) {
	struct client *client = data;
	client_let_go(client);
	client_say_closed(client);
}

/* Everything but what the compositor may hold, and the place in the relay's list. */
static void client_close(struct client *client) {
	int fd = -1;
	if (client->conn != NULL) {
		// What the application said last should still count; what does not fit any more is
		// lost with it.
		wlconn_flush(client->conn);
		fd = wlconn_detach(client->conn);
		client->conn = NULL;
	}
	if (client->buffers != NULL) {
		const struct hangup_limits limits = {LIMIT_HANGUP_MS, UINT64_MAX};
		client->hangup = hangup_create(client->relay->loop, fd, &limits,
				client_handle_hangup, client);
	}
	if (client->hangup == NULL) {
		fd_close(&fd);
		client_let_go(client);
	}
	client->relay->n_closing++;
	object_table_finish(&client->objects, free_object_data, NULL);
	id_map_finish(&client->ids);
	global_list_finish(&client->globals);
}

static void client_send_error(
		struct client *client, uint32_t object, uint32_t code, const char *text) {
	log_info("client %u: ended: %s", client->id, text);
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t size = wire_build_error(message, object, code, text);
	// The window holds for this message, too. Who fills it up hears no reason.
	if (size > 0 && size <= client->event_window) {
		link_send_wayland(client->relay->link, client->id, message, size);
	}
}

/*
 * Ends the application from this side: closes its connection and says LINK_CLIENT_CLOSE. As that
 * tells the peer that the places of its buffers are free, it waits for the compositor to hang up,
 * too, where there are any. It lives on, deaf, until the peer says the same. Nothing happens when
 * it was ended before.
 */
static void client_end(struct client *client) {
	if (client->conn == NULL) {
		return;
	}
	client_close(client);
	if (client->hangup == NULL) {
		client_say_closed(client);
	}
}

/* Gives back what the compositor's socket took. */
static void client_send_credit(struct client *client) {
	size_t queued = wlconn_queued(client->conn);
	if (client->uncredited < CLIENT_CREDIT_BYTES ||
			client->uncredited - CLIENT_CREDIT_BYTES < queued) {
		return;
	}
	// queued may hold messages of the relay's own, which errs on the side of less credit.
	uint32_t bytes = (uint32_t)(client->uncredited - queued);
	client->uncredited = queued;
	link_send(client->relay->link, LINK_CREDIT, client->id, bytes, NULL, 0);
}

static void conn_handle_readable(struct wlconn *conn, void *data) {
	client_read_events(data);
}

static void conn_handle_drained(struct wlconn *conn, void *data) {
	client_send_credit(data);
}

static void conn_handle_closed(struct wlconn *conn, void *data) {
	struct client *client = data;
	log_debug("client %u: the compositor closed its connection", client->id);
	client_end(client);
}

static const struct wlconn_interface conn_impl = {
		.readable = conn_handle_readable,
		.drained = conn_handle_drained,
		.closed = conn_handle_closed,
};

/* A compositor that does not take one more connection costs this application, not the link. */
static void client_refuse(struct client *client) {
	client_send_error(client, ID_MAP_DISPLAY, CLIENT_NO_MEMORY,
			"no connection to the compositor");
	client_close(client);
	client_say_closed(client);
}

static void client_connect(struct client *client) {
	struct relay *relay = client->relay;
	int fd = upstream_connect(relay->upstream);
	if (fd >= 0) {
		client->conn = wlconn_create(
				relay->loop, fd, CLIENT_QUEUE_BYTES, &conn_impl, client);
	}
	if (fd >= 0 && client->conn == NULL) {
		fd_close(&fd);
	}
}

struct client *client_create(struct relay *relay, uint32_t id) {
	struct client *client = calloc(1, sizeof(*client));
	if (client == NULL) {
		return NULL;
	}
	client->relay = relay;
	client->id = id;
	client->event_window = LIMIT_CLIENT_WINDOW_BYTES;
	client->presentation_clock = CLOCK_MONOTONIC;
	client->globals.local = relay->arenas == NULL;
	id_map_init(&client->ids);
	if (!object_table_init(&client->objects)) {
		goto error_client;
	}
	// The appvm end answers for pools and buffers itself where pixels are copied.
	client->objects.sparse = true;
	object_table_find(&client->objects, ID_MAP_DISPLAY)->mapped_id = ID_MAP_DISPLAY;
	wl_list_insert(&relay->clients, &client->link);
	relay->n_clients++;
	client_connect(client);
	if (client->conn == NULL) {
		client_refuse(client);
	}
	return client;

error_client:
	id_map_finish(&client->ids);
	free(client);
	return NULL;
}

void client_destroy(struct client *client) {
	if (client->conn != NULL) {
		client_close(client);
	}
	if (client->hangup != NULL) {
		client_let_go(client);
	}
	client->relay->n_closing--;
	wl_list_remove(&client->link);
	free(client);
}

void client_handle_close(struct client *client) {
	if (client->conn == NULL && client->hangup == NULL) {
		client_destroy(client);
		return;
	}
	client->peer_closed = true;
	client_end(client);
}

void client_error(struct client *client, uint32_t object, uint32_t code, const char *format, ...) {
	if (client->conn == NULL) {
		return;
	}
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	client_send_error(client, object, code, text);
	client_end(client);
}

bool client_queue(struct client *client, const void *bytes, size_t size, const int *fds,
		size_t n_fds) {
	if (wlconn_queue(client->conn, bytes, size, fds, n_fds)) {
		return true;
	}
	for (size_t i = 0; i < n_fds; i++) {
		close(fds[i]);
	}
	client_error(client, ID_MAP_DISPLAY, CLIENT_NO_MEMORY,
			"more requests than its window allows");
	return false;
}

void client_handle_credit(struct client *client, uint32_t untrusted_bytes) {
	if (client->conn == NULL) {
		return;
	}
	if (untrusted_bytes > LIMIT_CLIENT_WINDOW_BYTES - client->event_window) {
		link_fail(client->relay->link, LINK_BYE_PROTOCOL,
				"client %u: credit for what was not sent", client->id);
		return;
	}
	client->event_window += untrusted_bytes;
	wlconn_resume(client->conn);
}

void client_handle_link_writable(struct client *client) {
	if (client->conn != NULL) {
		wlconn_resume(client->conn);
	}
}

bool client_hold_fds(struct client *client, struct object *object, uint32_t count) {
	if (!share_fits(LIMIT_BUFFERS_PER_LINK, client->relay->n_shared, client->n_shared,
			    count)) {
		return false;
	}
	object->held_fds += (uint8_t)count;
	client->n_shared += count;
	client->relay->n_shared += count;
	return true;
}

void client_drop_fds(struct client *client, struct object *object) {
	client->n_shared -= object->held_fds;
	client->relay->n_shared -= object->held_fds;
	object->held_fds = 0;
}

void client_forget_object(struct client *client, uint32_t link_id) {
	struct object *object = object_table_find(&client->objects, link_id);
	client_drop_fds(client, object);
	client->piled_bytes -= object->piled_bytes;
	if (object->frame) {
		pace_handle_done(&client->pace);
	}
	free(object->data);
	object_table_remove(&client->objects, link_id);
}
