/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/request.h"

#include <errno.h>
#include <string.h>
#include <wayland-server-protocol.h>

#include "appvm-proxy/client.h"
#include "appvm-proxy/handover.h"
#include "appvm-proxy/pixels.h"
#include "appvm-proxy/proxy.h"
#include "bridge/files.h"
#include "bridge/link.h"
#include "bridge/pipes.h"
#include "bridge/wlconn.h"
#include "common/fd.h"
#include "protocol/link.h"

#define DISPLAY_ID 1

static enum request_result request_invalid_method(struct request *request, const char *what) {
	client_error(request->client, DISPLAY_ID, WL_DISPLAY_ERROR_INVALID_METHOD,
			"%s in %s#%u, request %u", what, request->object->interface->name,
			request->header.object, request->header.opcode);
	return REQUEST_ENDED;
}

/* Every object that the request names is alive and of the right interface. */
static bool request_check_objects(struct request *request) {
	const struct wire_message *message = request->message;
	for (int i = 0; i < message->n_args; i++) {
		uint32_t id = request->values[i].id;
		if (message->args[i].type != WIRE_OBJECT || id == 0) {
			continue;
		}
		struct object *object = object_table_find(&request->client->objects, id);
		if (object == NULL || object->destroyed ||
				(id >= LINK_BUFFER_ID_START && id < LINK_BUFFER_ID_END)) {
			return false;
		}
		if (message->args[i].interface != NULL &&
				object->interface != message->args[i].interface) {
			return false;
		}
	}
	return true;
}

static enum request_result request_refuse_new_id(
		struct request *request, enum object_error error, uint32_t id) {
	if (error == OBJECT_LIMIT || error == OBJECT_NO_MEMORY) {
		client_error(request->client, DISPLAY_ID, WL_DISPLAY_ERROR_NO_MEMORY,
				"too many objects");
	} else {
		client_error(request->client, DISPLAY_ID, WL_DISPLAY_ERROR_INVALID_OBJECT,
				"invalid new id %u", id);
	}
	return REQUEST_ENDED;
}

/* wl_registry.bind says itself what it makes. */
static bool request_bind_target(struct request *request, const struct wire_interface **interface,
		uint32_t *version) {
	const struct wire_value *values = request->values;
	*interface = wire_interface_find(values[1].string.text, values[1].string.size);
	*version = values[2].u;
	return *interface != NULL && *version > 0 && *version <= (*interface)->max_version;
}

enum request_result request_insert_new_object(struct request *request) {
	const struct wire_message *message = request->message;
	if (message->new_id_arg < 0) {
		return REQUEST_FORWARD;
	}
	const struct wire_interface *interface = message->args[message->new_id_arg].interface;
	uint32_t version = request->object->version;
	if (message->special == WIRE_SPECIAL_BIND &&
			!request_bind_target(request, &interface, &version)) {
		client_error(request->client, request->header.object,
				WL_DISPLAY_ERROR_INVALID_OBJECT, "invalid global %s (%u)",
				request->values[1].string.text, request->values[0].u);
		return REQUEST_ENDED;
	}
	if (interface == NULL) {
		return request_invalid_method(request, "new object of no known interface");
	}
	uint32_t id = request->values[message->new_id_arg].id;
	struct object *object;
	enum object_error error = object_table_insert(&request->client->objects, OBJECT_FROM_CLIENT,
			id, interface, version, &object);
	if (error != OBJECT_OK) {
		return request_refuse_new_id(request, error, id);
	}
	return REQUEST_FORWARD;
}

/* Moves the request's descriptors to client->held_fds, where they stay when it stalls. */
static bool request_take_fds(struct request *request) {
	struct client *client = request->client;
	while (client->n_held_fds < request->message->n_fds) {
		int fd = wlconn_take_fd(client->conn);
		if (fd < 0) {
			return false;
		}
		client->held_fds[client->n_held_fds++] = fd;
	}
	return true;
}

static void request_drop_fds(struct client *client) {
	for (uint32_t i = 0; i < client->n_held_fds; i++) {
		fd_close(&client->held_fds[i]);
	}
	client->n_held_fds = 0;
}

static enum request_result request_refuse_fd(struct request *request) {
	int error = errno;
	client_error(request->client, request->header.object,
			error == ENFILE || error == ENOMEM ? WL_DISPLAY_ERROR_NO_MEMORY
							   : WL_DISPLAY_ERROR_INVALID_METHOD,
			"%s: the descriptor cannot be forwarded: %s", request->message->name,
			strerror(error));
	return REQUEST_ENDED;
}

static bool request_describe_fd(struct request *request, int *fd, struct link_fd *description) {
	struct proxy *proxy = request->client->proxy;
	switch (request->message->fd_kind) {
	case WIRE_FD_FILE:
		description->kind = LINK_FD_FILE;
		description->id = file_set_send(proxy->files, request->client->id, *fd, 0);
		return description->id != 0;
	case WIRE_FD_PIPE:
		description->kind = LINK_FD_PIPE;
		if (!pipe_set_export(proxy->pipes, request->client->id, *fd,
				    &description->id)) {
			return false;
		}
		*fd = -1; // the set's now
		return true;
	default:
		errno = ENOTSUP;
		return false;
	}
}

static enum request_result request_forward_with_fds(struct request *request) {
	struct client *client = request->client;
	if (request->message->fd_kind == WIRE_FD_DMABUF ||
			request->message->fd_kind == WIRE_FD_SYNCOBJ) {
		enum request_result result = handover_pass_fd(request);
		if (result == REQUEST_DONE) {
			request_drop_fds(client);
		}
		return result;
	}
	struct link_fd descriptions[LIMIT_WAYLAND_FDS_PER_MESSAGE] = {0};
	for (uint32_t i = 0; i < request->message->n_fds; i++) {
		if (!request_describe_fd(request, &client->held_fds[i], &descriptions[i])) {
			return request_refuse_fd(request);
		}
	}
	enum request_result result = request_insert_new_object(request);
	if (result != REQUEST_FORWARD) {
		return result;
	}
	request_send_with_fds(request, descriptions);
	request_drop_fds(client);
	return REQUEST_DONE;
}

void request_send_with_fds(struct request *request, const struct link_fd *descriptions) {
	struct client *client = request->client;
	uint32_t n_fds = request->message->n_fds;
	client->window -= request->header.size;
	link_send2(client->proxy->link, LINK_WAYLAND_FDS, client->id, n_fds, descriptions,
			n_fds * sizeof(*descriptions), request->bytes, request->header.size);
}

enum request_result request_forward(struct request *request) {
	bool destructor = request->message->destructor;
	enum request_result result = request_insert_new_object(request);
	if (result != REQUEST_FORWARD) {
		return result;
	}
	if (destructor) {
		// Found again: the table may have moved.
		object_table_find(&request->client->objects, request->header.object)->destroyed =
				true;
	}
	if (request->message->special == WIRE_SPECIAL_SURFACE_FRAME) {
		object_table_find(&request->client->objects, request->values[0].id)->frame = true;
		pace_handle_frame(&request->client->pace);
	}
	const struct ping *ping = &request->client->proxy->ping;
	if (request->message->time_unit != WIRE_TIME_NONE && ping_is_needed(ping)) {
		clock_translate(request->bytes, request->message, request->values, false,
				ping_offset_ns(ping), CLOCK_TO_PEER);
	}
	client_forward(request->client, request->bytes, request->header.size);
	return REQUEST_DONE;
}

enum request_result request_handle(
		struct client *client, uint8_t *bytes, const struct wire_header *header) {
	// No initialiser: zeroing the values costs more than all the rest of a small request.
	struct request request;
	request.client = client;
	request.header = *header;
	request.bytes = bytes;
	request.object = object_table_find(&client->objects, header->object);
	if (request.object == NULL || request.object->destroyed ||
			(header->object >= LINK_BUFFER_ID_START &&
					header->object < LINK_BUFFER_ID_END)) {
		client_error(client, DISPLAY_ID, WL_DISPLAY_ERROR_INVALID_OBJECT,
				"invalid object %u", header->object);
		return REQUEST_ENDED;
	}
	if (header->opcode >= request.object->interface->n_requests) {
		return request_invalid_method(&request, "invalid method");
	}
	request.message = &request.object->interface->requests[header->opcode];
	enum wire_error error = wire_parse(
			bytes, header, request.message, request.object->version, request.values);
	if (error != WIRE_OK) {
		return request_invalid_method(&request, wire_error_text(error));
	}
	if (!request_check_objects(&request)) {
		return request_invalid_method(&request, "unknown object");
	}
	if (request.message->n_fds > 0 && !request_take_fds(&request)) {
		return request_invalid_method(&request, "descriptor expected");
	}
	if (request.message->special == WIRE_SPECIAL_SURFACE_COMMIT) {
		pace_handle_commit(&client->pace);
	}
	enum request_result result = pixels_handle_request(&request);
	if (result == REQUEST_FORWARD) {
		result = request.message->n_fds > 0 ? request_forward_with_fds(&request)
						    : request_forward(&request);
	} else if (result == REQUEST_DONE) {
		request_drop_fds(client);
	}
	return result;
}
