/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bridge/clock.h"
#include "bridge/files.h"
#include "bridge/link.h"
#include "bridge/pipes.h"
#include "common/fd.h"
#include "common/log.h"
#include "guivm-server/relay/buffers.h"
#include "guivm-server/relay/error_text.h"
#include "guivm-server/relay/relay.h"

/* Events: from the compositor, with the application's ids, to the link. The compositor is trusted,
 * but not to be free of mistakes: what cannot be understood ends the application's connection. */

struct event {
	uint8_t *bytes; // in the connection's buffer
	struct wire_header header; // object: the relay id
	uint32_t link_id; // of the sender
	const struct wire_interface *interface;
	uint32_t version;
	const struct wire_message *message;
	struct wire_value values[WIRE_MAX_ARGS];
};

enum event_result {
	EVENT_DONE,
	EVENT_ENDED, // the application was ended
};

static enum event_result give_up(
		struct client *client, const struct event *event, const char *what) {
	log_error("client %u: event %s.%s of the compositor: %s", client->id,
			event->interface->name, event->message != NULL ? event->message->name : "?",
			what);
	client_error(client, ID_MAP_DISPLAY, CLIENT_IMPLEMENTATION,
			"the compositor sent what cannot be forwarded");
	return EVENT_ENDED;
}

/* The type of the sender. The relay's own objects need no entry in the application's table. */
static bool find_sender(struct client *client, struct event *event) {
	event->link_id = id_map_find(&client->ids, event->header.object);
	event->version = 1;
	switch (event->link_id) {
	case ID_MAP_OWN_REGISTRY:
		event->interface = wire_registry_interface;
		return true;
	case ID_MAP_OWN_SHM:
		event->interface = wire_shm_interface;
		return true;
	case ID_MAP_OWN_POOL:
		event->interface = wire_shm_pool_interface;
		return true;
	case ID_MAP_OWN_ARENA_MANAGER:
		event->interface = wire_arena_manager_interface;
		return true;
	case ID_MAP_OWN_ARENA:
		event->interface = wire_arena_interface;
		return true;
	case ID_MAP_OWN_CALLBACK:
		event->interface = wire_callback_interface;
		return true;
	}
	struct object *object = object_table_find(&client->objects, event->link_id);
	if (object == NULL) {
		return false;
	}
	event->interface = object->interface;
	event->version = object->version;
	if (object->frame) {
		object->frame = false; // done is all that it ever says
		pace_handle_done(&client->pace);
	}
	return true;
}

static void send(struct client *client, const void *bytes, size_t size) {
	client->event_window -= (uint32_t)size;
	link_send_wayland(client->relay->link, client->id, bytes, size);
}

static enum event_result handle_delete_id(struct client *client, struct event *event) {
	uint32_t relay_id = event->values[0].u;
	uint32_t link_id = id_map_find(&client->ids, relay_id);
	if (link_id == 0 || link_id == ID_MAP_DISPLAY || relay_id >= WIRE_SERVER_ID_START) {
		return give_up(client, event, "an id that is not in use");
	}
	id_map_give(&client->ids, relay_id);
	if (id_map_is_own(link_id)) {
		return EVENT_DONE;
	}
	if (link_id >= LINK_BUFFER_ID_START) {
		buffer_list_forget(client, link_id);
	}
	client_forget_object(client, link_id);
	wire_rewrite_id(event->bytes, event->values[0].offset, link_id);
	link_lazy(client->relay->link, true);
	send(client, event->bytes, event->header.size);
	link_lazy(client->relay->link, false);
	return EVENT_DONE;
}

/* The connection ends after it: the closed handler follows. */
static enum event_result handle_error(struct client *client, struct event *event) {
	char text[1024];
	error_text_rewrite(text, sizeof(text), event->values[2].string.text, &client->ids);
	uint32_t link_id = id_map_find(&client->ids, event->values[0].id);
	if (link_id == 0 || id_map_is_own(link_id)) {
		link_id = ID_MAP_DISPLAY;
	}
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t size = wire_build_error(message, link_id, event->values[1].u, text);
	if (size > 0 && size <= client->event_window) {
		send(client, message, size);
	}
	return EVENT_DONE;
}

/* Sent as it is, but for its sender. */
static enum event_result send_as_is(struct client *client, struct event *event) {
	wire_rewrite_id(event->bytes, 0, event->link_id);
	send(client, event->bytes, event->header.size);
	return EVENT_DONE;
}

static enum event_result handle_global(struct client *client, struct event *event) {
	if (strcmp(event->values[1].string.text, wire_arena_manager_interface->name) == 0) {
		client->arena_manager = event->values[0].u; // for the relay alone
		return EVENT_DONE;
	}
	const struct global *global = global_list_add(&client->globals, event->values[0].u,
			event->values[1].string.text, event->values[1].string.size,
			event->values[2].u);
	if (global == NULL) {
		return EVENT_DONE;
	}
	wire_rewrite_id(event->bytes, event->values[2].offset, global->version);
	return send_as_is(client, event);
}

static enum event_result handle_global_remove(struct client *client, struct event *event) {
	bool shown = global_list_remove(&client->globals, event->values[0].u);
	return shown ? send_as_is(client, event) : EVENT_DONE;
}

/* Times on the link are of CLOCK_MONOTONIC: applications are told that wp_presentation's are. */
static enum event_result handle_clock_id(struct client *client, struct event *event) {
	clockid_t clock = (clockid_t)event->values[0].u;
	struct timespec now;
	if (clock != CLOCK_MONOTONIC && clock_gettime(clock, &now) == 0) {
		client->presentation_clock = clock;
		wire_rewrite_id(event->bytes, event->values[0].offset, CLOCK_MONOTONIC);
	}
	return send_as_is(client, event);
}

static void translate_presented(struct client *client, struct event *event) {
	struct timespec now;
	if (client->presentation_clock == CLOCK_MONOTONIC ||
			clock_gettime(client->presentation_clock, &now) < 0) {
		return;
	}
	int64_t offset_ns = clock_now_ns() - (now.tv_sec * INT64_C(1000000000) + now.tv_nsec);
	clock_translate(event->bytes, event->message, event->values, false, offset_ns,
			CLOCK_FROM_PEER);
}

static bool insert_new_object(struct client *client, const struct event *event, uint32_t index) {
	const struct wire_interface *interface = event->message->args[index].interface;
	uint32_t id = event->values[index].id;
	struct object *object = object_table_find(&client->objects, id);
	if (object != NULL && id >= WIRE_SERVER_ID_START) {
		client_drop_fds(client, object);
	}
	if (interface == NULL || object_table_insert(&client->objects, OBJECT_FROM_COMPOSITOR, id,
						 interface, event->version, &object) != OBJECT_OK) {
		return false;
	}
	object->mapped_id = id;
	if (event->message->special == WIRE_SPECIAL_TAKES_FDS) {
		struct object *sender = object_table_find(&client->objects, event->link_id);
		object->held_fds = sender->held_fds;
		sender->held_fds = 0;
	}
	return true;
}

static bool translate(struct client *client, struct event *event) {
	wire_rewrite_id(event->bytes, 0, event->link_id);
	for (uint32_t i = 0; i < event->message->n_args; i++) {
		uint32_t id = event->values[i].id;
		switch (event->message->args[i].type) {
		case WIRE_NEW_ID:
			if (!insert_new_object(client, event, i)) {
				return false;
			}
			break;
		case WIRE_OBJECT:
			if (id == 0) {
				break;
			}
			id = id_map_find(&client->ids, id);
			if (object_table_find(&client->objects, id) == NULL) {
				return false;
			}
			wire_rewrite_id(event->bytes, event->values[i].offset, id);
			break;
		default:
			break;
		}
	}
	return true;
}

/* How many bytes of a file the message says there are; 0: it does not say. */
static uint64_t file_size(const struct event *event) {
	for (uint32_t i = 0; i + 1 < event->message->n_args; i++) {
		if (event->message->args[i].type == WIRE_FD &&
				event->message->args[i + 1].type == WIRE_UINT) {
			return event->values[i + 1].u;
		}
	}
	return 0;
}

/* Owns fd. A descriptor that cannot cross gets an id of 0. */
static bool send_fd(struct client *client, const struct event *event, int fd, struct link_fd *out) {
	struct relay *relay = client->relay;
	*out = (struct link_fd){0};
	switch ((enum wire_fd_kind)event->message->fd_kind) {
	case WIRE_FD_FILE:
		out->kind = LINK_FD_FILE;
		out->id = file_set_send(relay->files, client->id, fd, file_size(event));
		close(fd);
		return out->id != 0;
	case WIRE_FD_PIPE:
		out->kind = LINK_FD_PIPE;
		if (pipe_set_export(relay->pipes, client->id, fd, &out->id)) {
			return true;
		}
		break;
	case WIRE_FD_NONE:
	case WIRE_FD_POOL:
	case WIRE_FD_DMABUF:
	case WIRE_FD_SYNCOBJ:
		break;
	}
	close(fd);
	return false;
}

static enum event_result send_with_fds(struct client *client, struct event *event) {
	struct link_fd fds[LIMIT_WAYLAND_FDS_PER_MESSAGE];
	uint32_t n_fds = event->message->n_fds;
	for (uint32_t i = 0; i < n_fds; i++) {
		int fd = wlconn_take_fd(client->conn);
		if (fd < 0) {
			return give_up(client, event, "a descriptor is missing");
		}
		if (!send_fd(client, event, fd, &fds[i])) {
			if (event->message->fd_kind == WIRE_FD_PIPE) {
				// Whoever asked for the data reads end of file. The application is
				// none the wiser.
				return EVENT_DONE;
			}
			return give_up(client, event, "a descriptor that cannot cross");
		}
	}
	client->event_window -= event->header.size;
	link_send2(client->relay->link, LINK_WAYLAND_FDS, client->id, n_fds, fds,
			n_fds * sizeof(fds[0]), event->bytes, event->header.size);
	return EVENT_DONE;
}

static enum event_result forward(struct client *client, struct event *event) {
	if (!translate(client, event)) {
		return give_up(client, event, "an object that the application does not have");
	}
	if (event->message->n_fds > 0) {
		return send_with_fds(client, event);
	}
	bool lazy = event->message->special == WIRE_SPECIAL_BUFFER_RELEASE &&
			pace_may_wait(&client->pace);
	link_lazy(client->relay->link, lazy);
	send(client, event->bytes, event->header.size);
	link_lazy(client->relay->link, false);
	return EVENT_DONE;
}

static enum event_result handle_event(struct client *client, struct event *event) {
	if (!find_sender(client, event)) {
		event->interface = wire_display_interface;
		event->message = NULL;
		return give_up(client, event, "from an object that is not there");
	}
	event->message = wire_interface_event(event->interface, event->header.opcode);
	// The version is the compositor's to keep: one that is too new for the object is the
	// application's to judge.
	if (event->message == NULL || wire_parse(event->bytes, &event->header, event->message,
						      UINT32_MAX, event->values) != WIRE_OK) {
		return give_up(client, event, "not what its type says");
	}
	if (id_map_is_own(event->link_id)) {
		return EVENT_DONE;
	}
	switch ((enum wire_special)event->message->special) {
	case WIRE_SPECIAL_DELETE_ID:
		return handle_delete_id(client, event);
	case WIRE_SPECIAL_DISPLAY_ERROR:
		return handle_error(client, event);
	case WIRE_SPECIAL_GLOBAL:
		return handle_global(client, event);
	case WIRE_SPECIAL_GLOBAL_REMOVE:
		return handle_global_remove(client, event);
	case WIRE_SPECIAL_CLOCK_ID:
		return handle_clock_id(client, event);
	case WIRE_SPECIAL_PRESENTED:
		translate_presented(client, event);
		return forward(client, event);
	case WIRE_SPECIAL_BUFFER_RELEASE:
		// Above the link's buffers are the compositor's own: of GPU memory.
		if (event->link_id >= LINK_BUFFER_ID_START &&
				event->link_id < LINK_BUFFER_ID_END &&
				!buffer_list_handle_release(client, event->link_id)) {
			return EVENT_DONE;
		}
		return forward(client, event);
	default:
		return forward(client, event);
	}
}

void client_read_events(struct client *client) {
	struct event event;
	enum wire_error error;
	for (;;) {
		event.bytes = wlconn_next_mutable(client->conn, &event.header, &error);
		if (event.bytes == NULL) {
			break;
		}
		if (event.header.size > client->event_window ||
				!link_has_room(client->relay->link)) {
			wlconn_pause(client->conn);
			return;
		}
		if (handle_event(client, &event) == EVENT_ENDED || client->conn == NULL) {
			return;
		}
		wlconn_consume(client->conn, event.header.size);
	}
	if (error != WIRE_INCOMPLETE) {
		log_error("client %u: the compositor's stream is broken: %s", client->id,
				wire_error_text(error));
		client_error(client, ID_MAP_DISPLAY, CLIENT_IMPLEMENTATION,
				"the compositor's answer is not valid");
	}
}
