/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "appvm-proxy/pixels.h"
#include "appvm-proxy/proxy.h"
#include "appvm-proxy/request.h"
#include "bridge/files.h"
#include "bridge/link.h"
#include "bridge/wlconn.h"
#include "common/fd.h"
#include "common/log.h"
#include "protocol/link.h"

// Events of the other end fill at most half of it; the rest is for what is answered here.
#define QUEUE_MAX_BYTES (2 * LIMIT_CLIENT_WINDOW_BYTES)
// Credit smaller than this waits: a frame and a wake-up for every event would cost more than it
// gives.
#define CREDIT_STEP_BYTES (LIMIT_CLIENT_WINDOW_BYTES / 4)
// What a request may become: itself and an attach before it.
#define REQUEST_SLACK_BYTES 64

void client_give_credit(struct client *client) {
	size_t held = wlconn_queued(client->conn);
	if (held > client->owed) {
		held = client->owed;
	}
	uint32_t credit = client->owed - (uint32_t)held;
	if (credit >= CREDIT_STEP_BYTES) {
		client->owed -= credit;
		link_send(client->proxy->link, LINK_CREDIT, client->id, credit, NULL, 0);
	}
}

static bool client_has_room(struct client *client, uint32_t size) {
	if (client->window < size + REQUEST_SLACK_BYTES) {
		client_set_stall(client, CLIENT_STALL_WINDOW);
	} else if (wlconn_queued(client->conn) > QUEUE_MAX_BYTES / 2) {
		client_set_stall(client, CLIENT_STALL_QUEUE);
	} else if (!link_has_room(client->proxy->link)) {
		client_set_stall(client, CLIENT_STALL_LINK);
	}
	return client->stall == 0;
}

static void client_handle_readable(struct wlconn *conn, void *data) {
	struct client *client = data;
	while (client->stall == 0) {
		struct wire_header header;
		enum wire_error error;
		uint8_t *bytes = wlconn_next_mutable(conn, &header, &error);
		if (bytes == NULL) {
			if (error != WIRE_INCOMPLETE) {
				client_error(client, 1, 1, "malformed message: %s",
						wire_error_text(error));
			}
			return;
		}
		if (!client_has_room(client, header.size)) {
			return;
		}
		if (request_handle(client, bytes, &header) != REQUEST_DONE) {
			return;
		}
		wlconn_consume(conn, header.size);
	}
}

static void client_handle_drained(struct wlconn *conn, void *data) {
	struct client *client = data;
	if (client->state == CLIENT_OPEN) {
		client_give_credit(client);
		client_clear_stall(client, CLIENT_STALL_QUEUE);
	}
}

static void client_handle_closed(struct wlconn *conn, void *data) {
	client_close(data);
}

/*
 * A stalled application that is gone. What it waits for may take long to come, and its window would
 * stay: that is worth more than the requests it still had in its socket.
 */
static void client_handle_hung_up(struct wlconn *conn, void *data) {
	struct client *client = data;
	if (client->stall & (CLIENT_STALL_NO_LINK | CLIENT_STALL_SLOT | CLIENT_STALL_MEMORY)) {
		client_close(client);
	}
}

static const struct wlconn_interface client_conn_impl = {
		.readable = client_handle_readable,
		.drained = client_handle_drained,
		.closed = client_handle_closed,
		.hung_up = client_handle_hung_up,
};

static pid_t socket_peer_pid(int fd) {
	struct ucred cred;
	socklen_t size = sizeof(cred);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0 ? cred.pid : 0;
}

struct client *client_create(struct proxy *proxy, int fd) {
	struct client *client = calloc(1, sizeof(*client));
	if (client == NULL) {
		return NULL;
	}
	client->proxy = proxy;
	client->pid = socket_peer_pid(fd);
	client->window = LIMIT_CLIENT_WINDOW_BYTES;
	if (!object_table_init(&client->objects)) {
		goto error_client;
	}
	client->conn = wlconn_create(proxy->loop, fd, QUEUE_MAX_BYTES, &client_conn_impl, client);
	if (client->conn == NULL) {
		goto error_objects;
	}
	id_pool_init(&client->buffer_ids, LINK_BUFFER_ID_START, LINK_BUFFER_ID_END);
	wl_list_insert(proxy->clients.prev, &client->link);
	proxy->n_clients++;
	client_set_stall(client, CLIENT_STALL_NO_LINK);
	return client;

error_objects:
	object_table_finish(&client->objects, NULL, NULL);
error_client:
	free(client);
	return NULL;
}

void client_open(struct client *client, uint32_t id) {
	client->id = id;
	client->state = CLIENT_OPEN;
	link_send(client->proxy->link, LINK_CLIENT_OPEN, id, 0, NULL, 0);
	client_clear_stall(client, CLIENT_STALL_NO_LINK);
}

static void client_visit_object(struct object *object, uint32_t id, void *data) {
	client_object_finish(data, object);
}

/* The application's side: its connection and what is kept for it. Slots stay: the compositor may
 * still read them. */
static void client_disconnect(struct client *client) {
	if (client->told_why) {
		farewell_list_add(&client->proxy->farewells, wlconn_detach(client->conn));
	} else {
		wlconn_destroy(client->conn);
	}
	client->conn = NULL;
	for (uint32_t i = 0; i < client->n_held_fds; i++) {
		fd_close(&client->held_fds[i]);
	}
	client->n_held_fds = 0;
}

void client_destroy(struct client *client) {
	if (client->conn != NULL) {
		client_disconnect(client);
	}
	struct proxy *proxy = client->proxy;
	object_table_finish(&client->objects, client_visit_object, client);
	id_pool_finish(&client->buffer_ids);
	if (client->id != 0) {
		proxy->clients_by_id[client->id] = NULL;
		id_pool_give(&proxy->client_ids, client->id);
		if (proxy->files != NULL) {
			file_set_forget_client(proxy->files, client->id);
		}
	}
	wl_list_remove(&client->link);
	proxy->n_clients--;
	free(client);
}

void client_close(struct client *client) {
	if (client->conn == NULL) {
		return;
	}
	client_disconnect(client);
	if (client->state == CLIENT_WAITING) {
		client_destroy(client);
		return;
	}
	client->state = CLIENT_CLOSING;
	if (!client->close_sent) {
		client->close_sent = true;
		link_send(client->proxy->link, LINK_CLIENT_CLOSE, client->id, 0, NULL, 0);
	}
}

void client_error(struct client *client, uint32_t object, uint32_t code, const char *format, ...) {
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t size = wire_build_error(message, object, code, text);
	log_debug("client %u: error %u on object %u: %s", client->id, code, object, text);
	// Best effort: one that does not read has lost its right to a reason.
	if (wlconn_queue(client->conn, message, size, NULL, 0)) {
		wlconn_flush(client->conn);
	}
	client->told_why = true;
	client_close(client);
}

bool client_queue(struct client *client, const void *bytes, size_t size, const int *fds,
		size_t n_fds) {
	if (!wlconn_queue(client->conn, bytes, size, fds, n_fds)) {
		log_error("client %u: no memory for its events", client->id);
		client_close(client);
		return false;
	}
	return true;
}

bool client_delete_local(struct client *client, uint32_t id) {
	object_table_remove(&client->objects, id);
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	return client_queue(client, message, wire_build_delete_id(message, id), NULL, 0);
}

void client_forward(struct client *client, const void *bytes, size_t size) {
	client->window -= (uint32_t)size;
	link_send_wayland(client->proxy->link, client->id, bytes, size);
}

void client_set_stall(struct client *client, enum client_stall reason) {
	client->stall |= reason;
	log_debug("client %u: stalled: %#x", client->id, client->stall);
	wlconn_pause(client->conn);
}

void client_clear_stall(struct client *client, enum client_stall reason) {
	if ((client->stall & reason) == 0 || client->conn == NULL) {
		return;
	}
	client->stall &= ~(unsigned)reason;
	if (client->stall == 0) {
		wlconn_resume(client->conn);
	}
}

void client_object_finish(struct client *client, struct object *object) {
	if (object->data != NULL) {
		pixels_object_finish(client, object);
		object->data = NULL;
	}
}

void client_handle_credit(struct client *client, uint32_t untrusted_bytes) {
	if (untrusted_bytes > LIMIT_CLIENT_WINDOW_BYTES - client->window) {
		link_fail(client->proxy->link, LINK_BYE_PROTOCOL, "credit beyond the window");
		return;
	}
	client->window += untrusted_bytes;
	client_clear_stall(client, CLIENT_STALL_WINDOW);
}

void client_handle_close(struct client *client) {
	if (client->state == CLIENT_OPEN) {
		// Whatever the compositor said last, an error above all, is in the queue.
		wlconn_flush(client->conn);
		client->told_why = true;
		client_close(client);
	}
	client_destroy(client);
}
