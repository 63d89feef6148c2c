/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/relay.h"

#include <errno.h>
#include <string.h>

#include "bridge/clock.h"
#include "bridge/files.h"
#include "bridge/link.h"
#include "bridge/pipes.h"
#include "common/log.h"
#include "guivm-server/relay/buffers.h"
#include "guivm-server/relay/client.h"
#include "guivm-server/relay/upstream.h"
#include "isthmus-relay-v1-client-protocol.h"
#include "transport/pages.h"
#include "transport/transport.h"

static struct client *find_client(struct relay *relay, uint32_t untrusted_id) {
	struct client *client;
	wl_list_for_each (client, &relay->clients, link) {
		if (client->id != untrusted_id) {
			continue;
		}
		// Frames of one application come in runs.
		if (relay->clients.next != &client->link) {
			wl_list_remove(&client->link);
			wl_list_insert(&relay->clients, &client->link);
		}
		return client;
	}
	return NULL;
}

static void handle_client_open(struct relay *relay, uint32_t untrusted_id) {
	if (untrusted_id == 0 || find_client(relay, untrusted_id) != NULL) {
		link_fail(relay->link, LINK_BYE_PROTOCOL, "client %u is not new", untrusted_id);
		return;
	}
	if (relay->n_closing >= LIMIT_CLIENTS_PER_LINK) {
		link_fail(relay->link, LINK_BYE_LIMIT, "too many clients are half closed");
		return;
	}
	struct client *client = client_create(relay, untrusted_id);
	if (client == NULL) {
		link_fail(relay->link, LINK_BYE_INTERNAL, "out of memory");
		return;
	}
	log_debug("client %u: open", untrusted_id);
	if (relay->n_clients > relay->options.max_clients) {
		client_error(client, ID_MAP_DISPLAY, CLIENT_NO_MEMORY,
				"more than %u applications of this VM", relay->options.max_clients);
	}
}

static void handle_client_close(struct relay *relay, struct client *client) {
	log_debug("client %u: closed", client->id);
	file_set_forget_client(relay->files, client->id);
	client_handle_close(client);
}

static void handle_client_frame(struct relay *relay, const struct link_frame *frame) {
	struct client *client = find_client(relay, frame->header.client);
	if (client == NULL || client->peer_closed) {
		link_fail(relay->link, LINK_BYE_PROTOCOL, "there is no client %u",
				frame->header.client);
		return;
	}
	switch (frame->header.type) {
	case LINK_CLIENT_CLOSE:
		handle_client_close(relay, client);
		break;
	case LINK_WAYLAND:
		client_handle_wayland(client, frame);
		break;
	case LINK_WAYLAND_FDS:
		client_handle_wayland_fds(client, frame);
		break;
	case LINK_CREDIT:
		client_handle_credit(client, frame->header.arg);
		break;
	case LINK_FILE:
		file_set_handle_frame(relay->files, frame);
		break;
	default:
		buffer_list_handle_frame(client, frame);
		break;
	}
}

static void handle_ping(struct relay *relay, const struct link_frame *frame) {
	struct link_pong pong = {.time_ns = (uint64_t)clock_now_ns()};
	link_send(relay->link, LINK_PONG, 0, frame->header.arg, &pong, sizeof(pong));
}

static uint32_t launch_status(uint32_t status) {
	static const uint32_t statuses[LINK_LAUNCH_COUNT] = {
			[LINK_LAUNCH_STARTED] = ISTHMUS_RELAY_V1_LAUNCH_STATUS_STARTED,
			[LINK_LAUNCH_UNKNOWN] = ISTHMUS_RELAY_V1_LAUNCH_STATUS_UNKNOWN,
			[LINK_LAUNCH_FAILED] = ISTHMUS_RELAY_V1_LAUNCH_STATUS_FAILED,
			[LINK_LAUNCH_EXITED] = ISTHMUS_RELAY_V1_LAUNCH_STATUS_EXITED,
	};
	return statuses[status];
}

static void handle_launch_result(struct relay *relay, const struct link_frame *frame) {
	struct link_launch_result result = link_frame_launch_result(frame);
	if (result.status >= LINK_LAUNCH_COUNT ||
			!launch_list_take(&relay->launches, frame->header.arg)) {
		link_fail(relay->link, LINK_BYE_PROTOCOL, "an answer to no launch");
		return;
	}
	upstream_launch_result(relay->upstream, frame->header.arg, launch_status(result.status),
			result.detail);
}

static void relay_handle_frame(struct link *link, const struct link_frame *frame, void *data) {
	struct relay *relay = data;
	switch ((enum link_type)frame->header.type) {
	case LINK_CLIENT_OPEN:
		handle_client_open(relay, frame->header.client);
		break;
	case LINK_CLIENT_CLOSE:
	case LINK_WAYLAND:
	case LINK_WAYLAND_FDS:
	case LINK_CREDIT:
	case LINK_FILE:
	case LINK_BUFFER_NEW:
	case LINK_BUFFER_REMOVE:
	case LINK_PIXELS:
		handle_client_frame(relay, frame);
		break;
	case LINK_PIPE_DATA:
	case LINK_PIPE_CREDIT:
	case LINK_PIPE_CLOSE:
		pipe_set_handle_frame(relay->pipes, frame);
		break;
	case LINK_ARENA_ADD:
	case LINK_ARENA_REMOVE:
		arena_list_handle_frame(relay, frame);
		break;
	case LINK_PING:
		handle_ping(relay, frame);
		break;
	case LINK_LAUNCH_RESULT:
		handle_launch_result(relay, frame);
		break;
	case LINK_HELLO:
	case LINK_BYE:
	case LINK_LAUNCH:
	case LINK_PONG:
	case LINK_TYPE_COUNT:
		link_fail(link, LINK_BYE_PROTOCOL, "frame of type %u", frame->header.type);
		break;
	}
}

static void relay_handle_opened(struct link *link, void *data) {
	struct relay *relay = data;
	log_info("the VM is connected");
	upstream_set_state(relay->upstream, UPSTREAM_CONNECTED, ISTHMUS_RELAY_V1_REASON_NONE);
}

static void relay_handle_writable(struct link *link, void *data) {
	struct relay *relay = data;
	struct client *client;
	wl_list_for_each (client, &relay->clients, link) {
		client_handle_link_writable(client);
	}
	pipe_set_handle_writable(relay->pipes);
}

static void drop_link(struct relay *relay) {
	struct client *client, *next;
	wl_list_for_each_safe (client, next, &relay->clients, link) {
		client_destroy(client);
	}
	for (uint32_t i = 0; i < relay->launches.count; i++) {
		upstream_launch_result(relay->upstream, relay->launches.serials[i],
				ISTHMUS_RELAY_V1_LAUNCH_STATUS_NO_LINK, 0);
	}
	relay->launches.count = 0;
	arena_list_destroy(relay->arenas, relay);
	relay->arenas = NULL;
	pipe_set_destroy(relay->pipes);
	relay->pipes = NULL;
	file_set_destroy(relay->files);
	relay->files = NULL;
	link_destroy(relay->link);
	relay->link = NULL;
	pages_destroy(relay->pages);
	relay->pages = NULL;
}

static uint32_t lost_reason(const struct link *link) {
	switch (link_closed_reason(link)) {
	case LINK_BYE_VERSION:
		return ISTHMUS_RELAY_V1_REASON_VERSION;
	case LINK_BYE_PROTOCOL:
		return ISTHMUS_RELAY_V1_REASON_PROTOCOL;
	case LINK_BYE_LIMIT:
		return ISTHMUS_RELAY_V1_REASON_LIMIT;
	case LINK_BYE_SHUTDOWN:
	case LINK_BYE_INTERNAL:
	case LINK_BYE_COUNT:
		break;
	}
	return ISTHMUS_RELAY_V1_REASON_CLOSED;
}

static void relay_handle_closed(struct link *link, const char *reason, void *data) {
	struct relay *relay = data;
	log_info("the VM is gone: %s", reason);
	uint32_t lost = lost_reason(link);
	drop_link(relay);
	upstream_set_state(relay->upstream, UPSTREAM_WAITING, lost);
	if (!relay_start(relay)) {
		log_errno("cannot wait for the VM again");
		relay->stopping = true;
	}
}

static const struct link_interface link_impl = {
		.opened = relay_handle_opened,
		.frame = relay_handle_frame,
		.writable = relay_handle_writable,
		.closed = relay_handle_closed,
};

void relay_init(struct relay *relay, const struct relay_options *options,
		struct wl_event_loop *loop, struct transport *transport) {
	*relay = (struct relay){.options = *options, .loop = loop, .transport = transport};
	wl_list_init(&relay->clients);
}

static const struct wire_message *find_request(const char *interface_name, const char *name) {
	const struct wire_interface *interface =
			wire_interface_find(interface_name, (uint32_t)strlen(interface_name));
	for (uint32_t i = 0; interface != NULL && i < interface->n_requests; i++) {
		if (strcmp(interface->requests[i].name, name) == 0) {
			return &interface->requests[i];
		}
	}
	return NULL;
}

void relay_set_upstream(struct relay *relay, struct upstream *upstream) {
	relay->upstream = upstream;
	if (upstream_needs_title_prefix(upstream)) {
		relay->title_request = find_request("xdg_toplevel", "set_title");
	}
}

bool relay_start(struct relay *relay) {
	unsigned caps = transport_caps(relay->transport);
	if (caps & TRANSPORT_PAGES) {
		relay->pages = pages_create(
				relay->transport, relay->options.max_pages_bytes, NULL, NULL);
		if (relay->pages == NULL) {
			return false;
		}
	}
	relay->link = link_create(relay->loop, relay->transport, LINK_END_GUIVM, &link_impl, relay);
	if (relay->link == NULL) {
		goto error;
	}
	relay->files = file_set_create(relay->link);
	relay->pipes = pipe_set_create(relay->loop, relay->link, LINK_END_GUIVM);
	if (!(caps & TRANSPORT_HANDOVER)) {
		relay->arenas = arena_list_create(relay->options.max_pages_bytes);
	}
	if (relay->files == NULL || relay->pipes == NULL ||
			(relay->arenas == NULL && !(caps & TRANSPORT_HANDOVER))) {
		errno = ENOMEM;
		goto error;
	}
	return true;

error:;
	int saved_errno = errno;
	drop_link(relay);
	errno = saved_errno;
	return false;
}

void relay_stop(struct relay *relay) {
	relay->stopping = true;
	if (relay->link != NULL) {
		link_shutdown(relay->link, LINK_BYE_SHUTDOWN);
	}
}

void relay_finish(struct relay *relay) {
	drop_link(relay);
}

void relay_launch(struct relay *relay, uint32_t serial, const char *application) {
	uint32_t size = (uint32_t)strlen(application);
	uint32_t status = ISTHMUS_RELAY_V1_LAUNCH_STATUS_NO_LINK;
	if (relay->link != NULL && link_is_open(relay->link)) {
		status = ISTHMUS_RELAY_V1_LAUNCH_STATUS_FAILED;
		if (size <= LIMIT_APP_NAME_BYTES && launch_list_add(&relay->launches, serial)) {
			struct link_bytes head = {.count = size};
			link_send2(relay->link, LINK_LAUNCH, 0, serial, &head, sizeof(head),
					application, size);
			return;
		}
	}
	upstream_launch_result(relay->upstream, serial, status, EAGAIN);
}
