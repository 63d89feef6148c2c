/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/client.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bridge/files.h"
#include "bridge/link.h"
#include "bridge/pipes.h"
#include "common/fd.h"
#include "guivm-server/relay/buffers.h"
#include "guivm-server/relay/local_fd.h"
#include "guivm-server/relay/relay.h"
#include "guivm-server/relay/title.h"
#include "transport/pages.h"

/* Requests: from the link, through every check, to the compositor. */

struct request_fd {
	enum link_fd_kind kind;
	int fd; // -1: it was refused, for a reason that is the application's
	uint64_t size; // LINK_FD_PAGES: bytes, measured
};

struct request {
	uint8_t bytes[LIMIT_WAYLAND_MESSAGE_BYTES];
	struct wire_header header; // object: the link id
	const struct wire_message *message;
	const struct wire_interface *interface; // of the sender
	uint32_t version; // of the sender
	uint32_t sender; // relay id
	struct wire_value values[WIRE_MAX_ARGS];
	struct request_fd fds[LIMIT_WAYLAND_FDS_PER_MESSAGE];
	uint32_t n_fds;
};

static bool refuse(struct client *client, const struct request *request, uint32_t code,
		const char *what) {
	client_error(client, request->header.object, code, "%s.%s: %s", request->interface->name,
			request->message->name, what);
	return false;
}

/* Sender, opcode, arguments: what needs no state but the object's type. */
static bool check_shape(struct client *client, struct request *request) {
	uint32_t untrusted_id = request->header.object;
	struct object *object = object_table_find(&client->objects, untrusted_id);
	if (object == NULL || object->destroyed) {
		client_error(client, ID_MAP_DISPLAY, CLIENT_INVALID_OBJECT,
				"request to an object %u that is not there", untrusted_id);
		return false;
	}
	request->interface = object->interface;
	request->version = object->version;
	request->sender = object->mapped_id;
	request->message = wire_interface_request(object->interface, request->header.opcode);
	enum wire_error error = WIRE_BAD_OPCODE;
	if (request->message != NULL) {
		error = wire_parse(request->bytes, &request->header, request->message,
				request->version, request->values);
	}
	if (error != WIRE_OK) {
		client_error(client, untrusted_id, CLIENT_INVALID_METHOD, "%s: request %u: %s",
				object->interface->name, request->header.opcode,
				wire_error_text(error));
		return false;
	}
	return true;
}

/* Without this a few bytes of requests at a time would fill the compositor's memory. */
static bool check_pile(struct client *client, const struct request *request) {
	struct object *object = object_table_find(&client->objects, request->header.object);
	switch ((enum wire_special)request->message->special) {
	case WIRE_SPECIAL_SURFACE_COMMIT:
		object->piled_up = 0;
		client->piled_bytes -= object->piled_bytes;
		object->piled_bytes = 0;
		return true;
	case WIRE_SPECIAL_SURFACE_DAMAGE:
	case WIRE_SPECIAL_SURFACE_DAMAGE_BUFFER:
	case WIRE_SPECIAL_PILES_UP:
		break;
	default:
		return true;
	}
	if (object->piled_up == LIMIT_PILED_UP ||
			client->piled_bytes + request->header.size > LIMIT_PILED_UP_BYTES) {
		return refuse(client, request, CLIENT_NO_MEMORY, "too many of these at once");
	}
	object->piled_up++;
	object->piled_bytes += request->header.size;
	client->piled_bytes += request->header.size;
	return true;
}

static bool translate_object(struct client *client, struct request *request, uint32_t index) {
	const struct wire_arg *arg = &request->message->args[index];
	uint32_t untrusted_id = request->values[index].id;
	if (untrusted_id == 0) {
		return true; // wire_parse() saw that it is nullable
	}
	struct object *object = object_table_find(&client->objects, untrusted_id);
	if (object == NULL || object->destroyed) {
		return refuse(client, request, CLIENT_INVALID_OBJECT, "an argument is no object");
	}
	if (arg->interface != NULL && object->interface != arg->interface) {
		return refuse(client, request, CLIENT_INVALID_OBJECT,
				"an argument is an object of another type");
	}
	wire_rewrite_id(request->bytes, request->values[index].offset, object->mapped_id);
	return true;
}

/* What the new object is. NULL: the bind is refused. */
static const struct wire_interface *new_object_type(
		struct client *client, struct request *request, uint32_t *version) {
	const struct wire_interface *interface =
			request->message->args[request->message->new_id_arg].interface;
	*version = request->version;
	if (interface != NULL) {
		return interface;
	}
	if (request->message->special != WIRE_SPECIAL_BIND) {
		return NULL;
	}
	const struct global *global = global_list_check_bind(&client->globals, request->values[0].u,
			request->values[1].string.text, request->values[2].u);
	if (global == NULL) {
		return NULL;
	}
	*version = request->values[2].u;
	return global->interface;
}

static bool has_local_fds(const struct request *request) {
	return request->message->fd_kind == WIRE_FD_DMABUF ||
			request->message->fd_kind == WIRE_FD_SYNCOBJ;
}

/* A wl_buffer or its pool holds a descriptor in the compositor, which has only so many; what a
 * descriptor was sent with holds that one. object: the new one. */
static bool count_new_object(struct client *client, struct request *request,
		struct object *object) {
	bool shared = object->interface == wire_shm_pool_interface ||
			object->interface == wire_buffer_interface;
	uint32_t count = (shared ? 1 : 0) + (has_local_fds(request) ? request->n_fds : 0);
	if (!client_hold_fds(client, object, count)) {
		return refuse(client, request, CLIENT_NO_MEMORY, "too many buffers");
	}
	if (request->message->special == WIRE_SPECIAL_TAKES_FDS) {
		struct object *sender = object_table_find(
				&client->objects, request->header.object);
		object->held_fds += sender->held_fds;
		sender->held_fds = 0;
	}
	return true;
}

/* Without a new object it is the receiver's: a plane of a buffer that is still to be made. */
static bool count_local_fds(struct client *client, struct request *request) {
	if (!has_local_fds(request) || request->message->new_id_arg >= 0) {
		return true;
	}
	struct object *sender = object_table_find(&client->objects, request->header.object);
	if (sender->held_fds + request->n_fds > LIMIT_FDS_PER_OBJECT ||
			!client_hold_fds(client, sender, request->n_fds)) {
		return refuse(client, request, CLIENT_NO_MEMORY, "too many descriptors");
	}
	return true;
}

static bool insert_new_object(struct client *client, struct request *request) {
	if (request->message->new_id_arg < 0) {
		return true;
	}
	const struct wire_value *value = &request->values[request->message->new_id_arg];
	uint32_t version;
	const struct wire_interface *interface = new_object_type(client, request, &version);
	if (interface == NULL) {
		return refuse(client, request, CLIENT_INVALID_METHOD,
				"no such global of that interface and version");
	}
	struct object *object;
	enum object_error error = object_table_insert(&client->objects, OBJECT_FROM_CLIENT,
			value->id, interface, version, &object);
	if (error == OBJECT_LIMIT || error == OBJECT_NO_MEMORY) {
		return refuse(client, request, CLIENT_NO_MEMORY, "too many objects");
	}
	if (error != OBJECT_OK) {
		return refuse(client, request, CLIENT_INVALID_OBJECT, "an id that is not free");
	}
	object->mapped_id = id_map_take(&client->ids, value->id);
	if (object->mapped_id == 0) {
		return refuse(client, request, CLIENT_NO_MEMORY, "out of memory");
	}
	wire_rewrite_id(request->bytes, value->offset, object->mapped_id);
	return count_new_object(client, request, object);
}

static bool translate(struct client *client, struct request *request) {
	const struct wire_message *message = request->message;
	wire_rewrite_id(request->bytes, 0, request->sender);
	for (uint32_t i = 0; i < message->n_args; i++) {
		if (message->args[i].type == WIRE_OBJECT && !translate_object(client, request, i)) {
			return false;
		}
	}
	return count_local_fds(client, request) && insert_new_object(client, request);
}

static enum link_fd_kind fd_kind_on_link(const struct wire_message *message) {
	switch ((enum wire_fd_kind)message->fd_kind) {
	case WIRE_FD_POOL:
		return LINK_FD_PAGES;
	case WIRE_FD_FILE:
		return LINK_FD_FILE;
	case WIRE_FD_PIPE:
		return LINK_FD_PIPE;
	case WIRE_FD_DMABUF:
	case WIRE_FD_SYNCOBJ:
		return LINK_FD_LOCAL;
	case WIRE_FD_NONE:
		break;
	}
	return 0;
}

static bool check_fds(struct client *client, struct request *request) {
	if (request->n_fds != request->message->n_fds) {
		return refuse(client, request, CLIENT_INVALID_METHOD,
				"another number of descriptors");
	}
	for (uint32_t i = 0; i < request->n_fds; i++) {
		if (request->fds[i].kind != fd_kind_on_link(request->message)) {
			return refuse(client, request, CLIENT_INVALID_METHOD,
					"another kind of descriptor");
		}
		if (request->fds[i].fd < 0) {
			return refuse(client, request, CLIENT_NO_MEMORY,
					"its descriptor cannot be passed on");
		}
		if (has_local_fds(request) && !local_fd_check(request->fds[i].fd,
							      request->message->fd_kind)) {
			return refuse(client, request, CLIENT_INVALID_METHOD,
					"its descriptor is something else");
		}
	}
	if (request->message->special == WIRE_SPECIAL_CREATE_POOL) {
		int32_t untrusted_size = request->values[2].i;
		// The compositor checks it as well, but does not say so in terms of the
		// application.
		if (untrusted_size <= 0 || (uint64_t)untrusted_size > request->fds[0].size) {
			return refuse(client, request, CLIENT_INVALID_METHOD,
					"larger than its memory");
		}
	}
	return true;
}

/* Which VM a window belongs to must be visible where the compositor cannot say it. */
static size_t prefix_title(struct client *client, struct request *request) {
	char title[LIMIT_WAYLAND_MESSAGE_BYTES - 64]; // longer ones are cut, not refused
	title_prefix(title, sizeof(title), client->relay->options.vm,
			request->values[0].string.text);
	return wire_build(request->bytes, request->sender, request->header.opcode, request->message,
			title);
}

static bool is_destructor(const struct request *request) {
	return request->message->destructor;
}

static bool handle_request(struct client *client, struct request *request) {
	if (!check_shape(client, request) || !check_pile(client, request) ||
			!check_fds(client, request) ||
			!buffer_list_check_request(client, request->header.object, request->message,
					request->values) ||
			!translate(client, request)) {
		return false;
	}
	if (is_destructor(request)) {
		struct object *sender = object_table_find(
				&client->objects, request->header.object);
		sender->destroyed = true;
		if (request->header.object >= WIRE_SERVER_ID_START) {
			client_drop_fds(client, sender); // no delete_id will come
		}
	}
	if (request->message->special == WIRE_SPECIAL_SURFACE_FRAME) {
		object_table_find(&client->objects, request->values[0].id)->frame = true;
		pace_handle_frame(&client->pace);
	} else if (request->message->special == WIRE_SPECIAL_SURFACE_COMMIT) {
		pace_handle_commit(&client->pace);
	}
	size_t size = request->header.size;
	if (request->message == client->relay->title_request) {
		size = prefix_title(client, request);
	}
	int fds[LIMIT_WAYLAND_FDS_PER_MESSAGE];
	uint32_t n_fds = request->n_fds;
	for (uint32_t i = 0; i < n_fds; i++) {
		fds[i] = request->fds[i].fd;
		request->fds[i].fd = -1;
	}
	return client_queue(client, request->bytes, size, fds, n_fds);
}

/* The next message of untrusted_bytes into request->bytes. false: the application was ended. */
static bool next_message(struct client *client, const uint8_t *untrusted_bytes, size_t size,
		struct request *request) {
	enum wire_error error = wire_parse_header(untrusted_bytes, size, &request->header);
	if (error != WIRE_OK) {
		client_error(client, ID_MAP_DISPLAY, CLIENT_INVALID_METHOD,
				"a request is cut off: %s", wire_error_text(error));
		return false;
	}
	memcpy(request->bytes, untrusted_bytes, request->header.size);
	return true;
}

/* Notes that they arrived. false: the sender went over its window, and the link is over. */
static bool take_window(struct client *client, size_t size) {
	client->uncredited += size;
	if (client->uncredited > LIMIT_CLIENT_WINDOW_BYTES) {
		link_fail(client->relay->link, LINK_BYE_LIMIT,
				"client %u: more requests than its window allows", client->id);
		return false;
	}
	return true;
}

void client_handle_wayland(struct client *client, const struct link_frame *frame) {
	size_t size;
	const uint8_t *bytes = link_frame_wayland(frame, &size);
	if (client->conn == NULL || !take_window(client, size)) {
		return;
	}
	struct request request;
	request.n_fds = 0;
	while (size > 0) {
		if (!next_message(client, bytes, size, &request) ||
				!handle_request(client, &request)) {
			return;
		}
		bytes += request.header.size;
		size -= request.header.size;
	}
}

/* A write end that nobody reads: what the application gets for a pipe that there was no room for.
 */
static int dead_pipe(void) {
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0) {
		return -1;
	}
	close(ends[0]);
	return ends[1];
}

static bool take_pipe(struct relay *relay, uint32_t untrusted_id, struct request_fd *out) {
	out->fd = pipe_set_import(relay->pipes, untrusted_id);
	if (out->fd < 0 && errno == EPROTO) {
		link_fail(relay->link, LINK_BYE_PROTOCOL, "pipe %#x is not new", untrusted_id);
		return false;
	}
	if (out->fd < 0) {
		out->fd = dead_pipe();
	}
	return true;
}

static bool take_pages(struct relay *relay, const uint8_t *untrusted_ref, struct request_fd *out) {
	struct pages_ref ref;
	memcpy(&ref, untrusted_ref, sizeof(ref));
	struct pages_mapping mapping;
	errno = ENOENT;
	if (relay->pages == NULL || !pages_map(relay->pages, &ref, 0, &mapping)) {
		if (errno == ENOENT) {
			link_fail(relay->link, LINK_BYE_PROTOCOL,
					"a reference to pages that were not shared");
			return false;
		}
		return true;
	}
	out->size = mapping.size;
	// A pool is mapped from the start of its descriptor.
	if (mapping.offset == 0 && mapping.writable) {
		out->fd = fcntl(mapping.fd, F_DUPFD_CLOEXEC, 0);
	}
	pages_unmap(relay->pages, &mapping);
	return true;
}

static bool take_local(struct relay *relay, const uint8_t *untrusted_ref, struct request_fd *out) {
	struct pages_ref ref;
	memcpy(&ref, untrusted_ref, sizeof(ref));
	errno = ENOENT;
	out->fd = relay->pages != NULL ? pages_take_fd(relay->pages, &ref) : -1;
	if (out->fd < 0 && errno == ENOENT) {
		link_fail(relay->link, LINK_BYE_PROTOCOL,
				"a reference to a descriptor that was not passed");
		return false;
	}
	return true;
}

static bool take_fd(
		struct relay *relay, const struct link_fd *untrusted_fd, struct request_fd *out) {
	*out = (struct request_fd){.kind = untrusted_fd->kind, .fd = -1};
	switch (untrusted_fd->kind) {
	case LINK_FD_FILE:
		out->fd = file_set_take(relay->files, untrusted_fd->id);
		if (out->fd < 0) {
			link_fail(relay->link, LINK_BYE_PROTOCOL, "file %u did not arrive",
					untrusted_fd->id);
			return false;
		}
		return true;
	case LINK_FD_PIPE:
		return take_pipe(relay, untrusted_fd->id, out);
	case LINK_FD_LOCAL:
		return take_local(relay, untrusted_fd->ref, out);
	default:
		return take_pages(relay, untrusted_fd->ref, out);
	}
}

/* Descriptors are taken in any case, also when the application is closed or its message is not
 * valid: the peer counts on it. */
static bool take_fds(struct relay *relay, const struct link_frame *frame, struct request *request) {
	for (request->n_fds = 0; request->n_fds < frame->header.arg; request->n_fds++) {
		struct link_fd untrusted_fd = link_frame_fd(frame, request->n_fds);
		if (!take_fd(relay, &untrusted_fd, &request->fds[request->n_fds])) {
			return false;
		}
	}
	return true;
}

void client_handle_wayland_fds(struct client *client, const struct link_frame *frame) {
	assert(frame->header.arg <= LIMIT_WAYLAND_FDS_PER_MESSAGE);
	struct request request;
	size_t size;
	const uint8_t *bytes = link_frame_wayland(frame, &size);
	bool valid = take_fds(client->relay, frame, &request);
	if (valid && client->conn != NULL && take_window(client, size) &&
			next_message(client, bytes, size, &request)) {
		if (request.header.size != size) {
			client_error(client, ID_MAP_DISPLAY, CLIENT_INVALID_METHOD,
					"descriptors of more than one request");
		} else {
			handle_request(client, &request);
		}
	}
	for (uint32_t i = 0; i < request.n_fds; i++) {
		fd_close(&request.fds[i].fd);
	}
}
