/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "appvm-proxy/client.h"
#include "appvm-proxy/pixels.h"
#include "appvm-proxy/proxy.h"
#include "bridge/files.h"
#include "bridge/link.h"
#include "bridge/pipes.h"
#include "common/fd.h"
#include "protocol/link.h"

/*
 * Events from the guivm end. It is the trusted side, but what it says is checked all the same: an
 * event that does not fit would make the application abort.
 */
enum event_result {
	EVENT_PASS,
	EVENT_DROP, // not for the application
	EVENT_REPLACE, // by event.replacement
	EVENT_BAD, // link_fail() was called
	EVENT_ENDED, // the client was closed
};

struct event {
	struct client *client;
	struct wire_header header;
	const uint8_t *bytes;
	uint32_t n_fds; // that came with it
	const struct wire_message *message;
	struct wire_value values[WIRE_MAX_ARGS];
	size_t replacement_size;
	uint8_t replacement[LIMIT_WAYLAND_MESSAGE_BYTES];
};

static enum event_result event_bad(struct event *event, const char *what) {
	link_fail(event->client->proxy->link, LINK_BYE_PROTOCOL,
			"client %u: object %u, event %u: %s", event->client->id,
			event->header.object, event->header.opcode, what);
	return EVENT_BAD;
}

static enum event_result event_delete_id(struct event *event) {
	struct client *client = event->client;
	uint32_t id = event->values[0].u;
	struct object *object = object_table_find(&client->objects, id);
	if (object == NULL || object->local || id >= WIRE_SERVER_ID_START || id == 1 ||
			!pixels_may_delete(object)) {
		return event_bad(event, "delete_id of an object that is not there");
	}
	bool pass = !pixels_object_is_slot(object);
	if (object->frame) {
		pace_handle_done(&client->pace);
	}
	client_object_finish(client, object);
	object_table_remove(&client->objects, id);
	return pass ? EVENT_PASS : EVENT_DROP;
}

/* Shows no global that the tables do not know or the transport cannot serve, and none in a version
 * that they do not know. */
static enum event_result event_global(struct event *event) {
	const struct wire_value *values = event->values;
	const struct wire_interface *interface =
			wire_interface_find(values[1].string.text, values[1].string.size);
	bool local = event->client->proxy->pixels == PIXELS_HANDOVER;
	if (interface == NULL || interface->max_version == 0 || (interface->local && !local)) {
		return EVENT_DROP;
	}
	if (values[2].u <= interface->max_version) {
		return EVENT_PASS;
	}
	event->replacement_size = wire_build(event->replacement, event->header.object,
			event->header.opcode, event->message, values[0].u, interface->name,
			interface->max_version);
	return EVENT_REPLACE;
}

static enum event_result event_insert_object(struct event *event, uint32_t version) {
	struct client *client = event->client;
	int new_id_arg = event->message->new_id_arg;
	uint32_t id = event->values[new_id_arg].id;
	if (id < WIRE_SERVER_ID_START) {
		return event_bad(event, "makes an object with an application's id");
	}
	struct object *object = object_table_find(&client->objects, id);
	if (object != NULL) {
		client_object_finish(client, object);
	}
	enum object_error error = object_table_insert(&client->objects, OBJECT_FROM_COMPOSITOR, id,
			event->message->args[new_id_arg].interface, version, &object);
	if (error == OBJECT_NO_MEMORY || error == OBJECT_LIMIT) {
		client_error(client, 1, 2, "too many objects made by events");
		return EVENT_ENDED;
	}
	return error == OBJECT_OK ? EVENT_PASS
				  : event_bad(event, "makes an object with an unusable id");
}

/* The time is the GUI VM's; the application compares it with its own. */
static enum event_result event_translate_time(struct event *event, bool frame_callback) {
	const struct ping *ping = &event->client->proxy->ping;
	memcpy(event->replacement, event->bytes, event->header.size);
	event->replacement_size = event->header.size;
	clock_translate(event->replacement, event->message, event->values, frame_callback,
			ping_offset_ns(ping), CLOCK_FROM_PEER);
	return EVENT_REPLACE;
}

static enum event_result event_handle(struct event *event) {
	struct object *object = object_table_find(&event->client->objects, event->header.object);
	if (object == NULL || object->local) {
		return event_bad(event, "for an object that is not there");
	}
	if (event->header.opcode >= object->interface->n_events) {
		return event_bad(event, "not one of its interface");
	}
	event->message = &object->interface->events[event->header.opcode];
	if (wire_parse(event->bytes, &event->header, event->message, object->version,
			    event->values) != WIRE_OK) {
		return event_bad(event, "malformed");
	}
	if (event->message->n_fds != event->n_fds) {
		return event_bad(event, "wrong number of descriptors");
	}
	if (event->message->special == WIRE_SPECIAL_DELETE_ID) {
		return event_delete_id(event);
	}
	if (event->message->special == WIRE_SPECIAL_GLOBAL) {
		return event_global(event);
	}
	bool frame_callback = object->frame;
	if (frame_callback) {
		object->frame = false;
		pace_handle_done(&event->client->pace);
	}
	if (!pixels_handle_event(event->client, object, event->message, event->values)) {
		return EVENT_DROP;
	}
	if (event->message->time_unit != WIRE_TIME_NONE &&
			ping_is_needed(&event->client->proxy->ping)) {
		return event_translate_time(event, frame_callback);
	}
	if (event->message->new_id_arg >= 0) {
		return event_insert_object(event, object->version);
	}
	return EVENT_PASS;
}

static bool client_owe(struct client *client, size_t size) {
	if (size > LIMIT_CLIENT_WINDOW_BYTES - client->owed) {
		link_fail(client->proxy->link, LINK_BYE_PROTOCOL,
				"client %u: events beyond the window", client->id);
		return false;
	}
	client->owed += (uint32_t)size;
	return true;
}

void client_handle_wayland(struct client *client, const struct link_frame *frame) {
	size_t size;
	const uint8_t *bytes = link_frame_wayland(frame, &size);
	if (client->state != CLIENT_OPEN || !client_owe(client, size)) {
		return;
	}
	// What is between pass_begin and at goes to the application in one piece.
	size_t pass_begin = 0, at = 0;
	struct event event; // no initialiser: it is large
	event.client = client;
	event.n_fds = 0;
	while (at < size) {
		event.bytes = bytes + at;
		if (wire_parse_header(event.bytes, size - at, &event.header) != WIRE_OK) {
			event_bad(&event, "malformed");
			return;
		}
		enum event_result result = event_handle(&event);
		if (result == EVENT_BAD || result == EVENT_ENDED) {
			return;
		}
		if (result != EVENT_PASS) {
			if (at > pass_begin && !client_queue(client, bytes + pass_begin,
							       at - pass_begin, NULL, 0)) {
				return;
			}
			pass_begin = at + event.header.size;
		}
		if (result == EVENT_REPLACE && !client_queue(client, event.replacement,
							       event.replacement_size, NULL, 0)) {
			return;
		}
		at += event.header.size;
	}
	if (at > pass_begin &&
			!client_queue(client, bytes + pass_begin, at - pass_begin, NULL, 0)) {
		return;
	}
	client_give_credit(client);
}

/* The descriptor that fd describes, the caller's, or -1 with errno: EPROTO when the other end
 * broke the protocol. */
static int client_take_link_fd(struct client *client, const struct link_fd *fd) {
	struct proxy *proxy = client->proxy;
	switch (fd->kind) {
	case LINK_FD_FILE: {
		int file = file_set_take(proxy->files, fd->id);
		if (file < 0) {
			errno = EPROTO;
		}
		return file;
	}
	case LINK_FD_PIPE:
		return pipe_set_import(proxy->pipes, fd->id);
	default:
		errno = EPROTO;
		return -1;
	}
}

static bool fd_kind_matches(uint32_t link_kind, uint8_t wire_kind) {
	return (link_kind == LINK_FD_FILE && wire_kind == WIRE_FD_FILE) ||
	       (link_kind == LINK_FD_PIPE && wire_kind == WIRE_FD_PIPE);
}

static void client_pass_event_with_fds(
		struct client *client, const struct link_frame *frame, int *fds, uint32_t n_fds) {
	size_t size;
	struct event event;
	event.client = client;
	event.n_fds = n_fds;
	event.bytes = link_frame_wayland(frame, &size);
	if (!client_owe(client, size)) {
		return;
	}
	if (wire_parse_header(event.bytes, size, &event.header) != WIRE_OK) {
		event_bad(&event, "malformed");
		return;
	}
	if (event_handle(&event) != EVENT_PASS) {
		return;
	}
	for (uint32_t i = 0; i < n_fds; i++) {
		if (!fd_kind_matches(link_frame_fd(frame, i).kind, event.message->fd_kind)) {
			event_bad(&event, "descriptor of the wrong kind");
			return;
		}
	}
	if (client_queue(client, event.bytes, size, fds, n_fds)) {
		for (uint32_t i = 0; i < n_fds; i++) {
			fds[i] = -1;
		}
		client_give_credit(client);
	}
}

void client_handle_wayland_fds(struct client *client, const struct link_frame *frame) {
	int fds[LIMIT_WAYLAND_FDS_PER_MESSAGE];
	uint32_t n_fds = frame->header.arg;
	uint32_t n_taken = 0;
	bool failed = false;
	if (n_fds > LIMIT_WAYLAND_FDS_PER_MESSAGE) {
		link_fail(client->proxy->link, LINK_BYE_PROTOCOL, "%u descriptors in one message",
				n_fds);
		return;
	}
	// Taken for a client that is closing as well, so that the other end's pipe sees an end.
	for (; n_taken < n_fds && !failed; n_taken++) {
		struct link_fd fd = link_frame_fd(frame, n_taken);
		fds[n_taken] = client_take_link_fd(client, &fd);
		failed = fds[n_taken] < 0;
	}
	if (failed && errno == EPROTO) {
		link_fail(client->proxy->link, LINK_BYE_PROTOCOL, "client %u: unusable descriptor",
				client->id);
	} else if (failed && client->state == CLIENT_OPEN) {
		client_error(client, 1, 2, "no memory for a descriptor");
	} else if (client->state == CLIENT_OPEN) {
		client_pass_event_with_fds(client, frame, fds, n_fds);
	}
	for (uint32_t i = 0; i < n_taken; i++) {
		fd_close(&fds[i]);
	}
}
