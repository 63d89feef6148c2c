/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/proxy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "appvm-proxy/arena.h"
#include "appvm-proxy/client.h"
#include "appvm-proxy/exec.h"
#include "appvm-proxy/listen.h"
#include "bridge/files.h"
#include "bridge/link.h"
#include "bridge/pipes.h"
#include "common/log.h"
#include "protocol/link.h"
#include "transport/pages.h"
#include "transport/transport.h"
#include "vmset/vmset.h"

// A link that lasted this long was a good one: the next is tried at once. Others are tried later
// each time.
#define LINK_GOOD_MS 1000
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 5000

static uint64_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct client *proxy_find_client(struct proxy *proxy, uint32_t untrusted_id) {
	return untrusted_id <= LIMIT_CLIENTS_PER_LINK ? proxy->clients_by_id[untrusted_id] : NULL;
}

static void proxy_handle_client_frame(struct proxy *proxy, const struct link_frame *frame) {
	struct client *client = proxy_find_client(proxy, frame->header.client);
	if (client == NULL) {
		link_fail(proxy->link, LINK_BYE_PROTOCOL,
				"frame of type %u for client %u, which is not there",
				frame->header.type, frame->header.client);
		return;
	}
	switch (frame->header.type) {
	case LINK_CLIENT_CLOSE:
		client_handle_close(client);
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
		file_set_handle_frame(proxy->files, frame);
		break;
	}
}

static void proxy_handle_arena_removed(struct proxy *proxy, uint32_t untrusted_id) {
	if (proxy->arenas == NULL || !arena_set_handle_removed(proxy->arenas, untrusted_id)) {
		link_fail(proxy->link, LINK_BYE_PROTOCOL, "arena %u was not to be removed",
				untrusted_id);
	}
}

static void proxy_handle_frame(struct link *link, const struct link_frame *frame, void *data) {
	struct proxy *proxy = data;
	ping_notify_traffic(&proxy->ping);
	switch (frame->header.type) {
	case LINK_PIPE_DATA:
	case LINK_PIPE_CREDIT:
	case LINK_PIPE_CLOSE:
		pipe_set_handle_frame(proxy->pipes, frame);
		break;
	case LINK_ARENA_REMOVE:
		proxy_handle_arena_removed(proxy, frame->header.arg);
		break;
	case LINK_PONG:
		ping_handle_pong(&proxy->ping, link, frame);
		break;
	case LINK_LAUNCH:
		exec_handle_launch(proxy->exec, frame);
		break;
	default:
		proxy_handle_client_frame(proxy, frame);
		break;
	}
}

static void proxy_open_client(struct proxy *proxy, struct client *client) {
	uint32_t id = id_pool_take(&proxy->client_ids);
	if (id == 0) {
		client_error(client, 1, 2, "too many applications");
		return;
	}
	proxy->clients_by_id[id] = client;
	client_open(client, id);
}

static void proxy_handle_opened(struct link *link, void *data) {
	struct proxy *proxy = data;
	proxy->link_open = true;
	ping_start(&proxy->ping, link, proxy->transport);
	proxy->told_waiting = false;
	log_info("connected to the GUI VM");
	struct client *client, *next;
	wl_list_for_each_safe (client, next, &proxy->clients, link) {
		if (client->state == CLIENT_WAITING) {
			proxy_open_client(proxy, client);
		}
	}
}

static void proxy_handle_writable(struct link *link, void *data) {
	struct proxy *proxy = data;
	pipe_set_handle_writable(proxy->pipes);
	struct client *client;
	wl_list_for_each (client, &proxy->clients, link) {
		client_clear_stall(client, CLIENT_STALL_LINK);
	}
}

void proxy_retry_memory(struct proxy *proxy) {
	struct client *client;
	wl_list_for_each (client, &proxy->clients, link) {
		client_clear_stall(client, CLIENT_STALL_MEMORY);
	}
}

static void proxy_handle_pages(struct pages *pages, void *data) {
	struct proxy *proxy = data;
	if (pages_connected(pages)) {
		proxy->pages_were_connected = true;
	} else if (proxy->pages_were_connected) {
		link_fail(proxy->link, LINK_BYE_INTERNAL, "memory can no longer be shared");
	}
	proxy_retry_memory(proxy);
}

/* Everything of the link but the link itself, which is being destroyed by the caller. */
static void proxy_drop_link_state(struct proxy *proxy) {
	struct client *client, *next;
	wl_list_for_each_safe (client, next, &proxy->clients, link) {
		if (client->state == CLIENT_WAITING) {
			continue;
		}
		if (client->state == CLIENT_OPEN) {
			client_error(client, 1, 3, "the connection to the GUI VM was lost");
		}
		client_destroy(client);
	}
	ping_stop(&proxy->ping);
	exec_handle_link_lost(proxy->exec);
	arena_set_destroy(proxy->arenas);
	proxy->arenas = NULL;
	pipe_set_destroy(proxy->pipes);
	proxy->pipes = NULL;
	file_set_destroy(proxy->files);
	proxy->files = NULL;
	pages_destroy(proxy->pages);
	proxy->pages = NULL;
	proxy->pages_were_connected = false;
	proxy->link_open = false;
}

static void proxy_handle_closed(struct link *link, const char *reason, void *data);

static const struct link_interface proxy_link_impl = {
		.opened = proxy_handle_opened,
		.frame = proxy_handle_frame,
		.writable = proxy_handle_writable,
		.closed = proxy_handle_closed,
};

static bool proxy_create_pages(struct proxy *proxy) {
	if (proxy->pixels == PIXELS_INLINE) {
		return true;
	}
	// What is handed over is the applications' own memory, which this VM's size bounds
	// already: the other end has the quota.
	uint64_t quota = proxy->pixels == PIXELS_HANDOVER ? UINT64_MAX : proxy->pages_bytes;
	proxy->pages = pages_create(proxy->transport, quota, proxy_handle_pages, proxy);
	if (proxy->pages == NULL) {
		return false;
	}
	if (proxy->pixels == PIXELS_ARENA) {
		proxy->arenas = arena_set_create(proxy->link, proxy->pages);
		return proxy->arenas != NULL;
	}
	return true;
}

static bool proxy_create_link(struct proxy *proxy) {
	proxy->link_since_ms = now_ms();
	proxy->link = link_create(
			proxy->loop, proxy->transport, LINK_END_APPVM, &proxy_link_impl, proxy);
	if (proxy->link == NULL) {
		return false;
	}
	proxy->files = file_set_create(proxy->link);
	proxy->pipes = pipe_set_create(proxy->loop, proxy->link, LINK_END_APPVM);
	if (proxy->files == NULL || proxy->pipes == NULL || !proxy_create_pages(proxy)) {
		int error = errno;
		proxy_drop_link_state(proxy);
		link_destroy(proxy->link);
		proxy->link = NULL;
		errno = error;
		return false;
	}
	return true;
}

static int proxy_handle_retry(void *data) {
	struct proxy *proxy = data;
	if (!proxy_create_link(proxy)) {
		log_errno("cannot look for the GUI VM at %s", transport_spec(proxy->transport));
		proxy->retry_ms = proxy->retry_ms * 2 < RETRY_MAX_MS ? proxy->retry_ms * 2
								     : RETRY_MAX_MS;
		wl_event_source_timer_update(proxy->retry_timer, (int)proxy->retry_ms);
	}
	return 0;
}

static void proxy_handle_closed(struct link *link, const char *reason, void *data) {
	struct proxy *proxy = data;
	bool was_good = proxy->link_open && now_ms() - proxy->link_since_ms >= LINK_GOOD_MS;
	log_info("the connection to the GUI VM is over: %s", reason);
	proxy_drop_link_state(proxy);
	link_destroy(link);
	proxy->link = NULL;
	if (was_good || proxy->retry_ms == 0) {
		proxy->retry_ms = RETRY_MIN_MS;
	} else {
		proxy->retry_ms = proxy->retry_ms * 2 < RETRY_MAX_MS ? proxy->retry_ms * 2
								     : RETRY_MAX_MS;
	}
	wl_event_source_timer_update(proxy->retry_timer, (int)proxy->retry_ms);
}

void proxy_add_connection(struct proxy *proxy, int fd) {
	struct client *client = client_create(proxy, fd);
	if (client == NULL) {
		log_errno("cannot take an application's connection");
		close(fd);
		return;
	}
	exec_handle_connection(proxy->exec, client->pid);
	if (proxy->n_clients > proxy->max_clients) {
		client_error(client, 1, 2, "too many applications: this VM may have %u",
				proxy->max_clients);
		return;
	}
	if (proxy->link_open) {
		proxy_open_client(proxy, client);
	} else if (!proxy->told_waiting) {
		proxy->told_waiting = true;
		log_info("applications wait: no GUI VM at %s yet",
				transport_spec(proxy->transport));
	}
}

static void proxy_handle_accepted(int fd, void *data) {
	proxy_add_connection(data, fd);
}

static enum pixels_mode pixels_mode_of(unsigned caps) {
	if ((caps & TRANSPORT_PAGES) == 0) {
		return PIXELS_INLINE;
	}
	return (caps & TRANSPORT_HANDOVER) != 0 ? PIXELS_HANDOVER : PIXELS_ARENA;
}

static void proxy_set_limits(struct proxy *proxy, const struct proxy_options *options) {
	uint32_t pages_mib = options->vm != NULL ? options->vm->limits.pages_mib
						 : LIMIT_PAGES_MIB_DEFAULT;
	proxy->pages_bytes = options->pages_bytes != 0 ? options->pages_bytes
						       : (uint64_t)pages_mib << 20;
	proxy->max_clients = options->vm != NULL ? options->vm->limits.clients
						 : LIMIT_CLIENTS_PER_VM_DEFAULT;
}

struct proxy *proxy_create(struct wl_event_loop *loop, struct transport *transport,
		const struct proxy_options *options) {
	struct proxy *proxy = calloc(1, sizeof(*proxy));
	if (proxy == NULL) {
		log_errno("cannot start");
		return NULL;
	}
	proxy->loop = loop;
	proxy->transport = transport;
	proxy->vm = options->vm;
	proxy->runner = options->runner;
	proxy->pixels = pixels_mode_of(transport_caps(transport));
	proxy_set_limits(proxy, options);
	wl_list_init(&proxy->clients);
	farewell_list_init(&proxy->farewells, loop);
	id_pool_init(&proxy->client_ids, 1, LIMIT_CLIENTS_PER_LINK + 1);

	proxy->exec = exec_create(proxy);
	proxy->retry_timer = wl_event_loop_add_timer(loop, proxy_handle_retry, proxy);
	if (proxy->exec == NULL || proxy->retry_timer == NULL) {
		log_errno("cannot start");
		goto error_proxy;
	}
	char error[256];
	proxy->listener = listener_create(
			loop, options->display, proxy_handle_accepted, proxy, error, sizeof(error));
	if (proxy->listener == NULL) {
		log_error("%s", error);
		goto error_proxy;
	}
	if (!proxy_create_link(proxy)) {
		log_errno("cannot look for the GUI VM at %s", transport_spec(transport));
		goto error_proxy;
	}
	return proxy;

error_proxy:
	proxy_destroy(proxy);
	return NULL;
}

void proxy_destroy(struct proxy *proxy) {
	if (proxy == NULL) {
		return;
	}
	listener_destroy(proxy->listener);
	if (proxy->link != NULL) {
		proxy_drop_link_state(proxy);
		link_shutdown(proxy->link, LINK_BYE_SHUTDOWN);
		link_destroy(proxy->link);
	}
	struct client *client, *next;
	wl_list_for_each_safe (client, next, &proxy->clients, link) {
		client_destroy(client);
	}
	farewell_list_finish(&proxy->farewells);
	exec_destroy(proxy->exec);
	if (proxy->retry_timer != NULL) {
		wl_event_source_remove(proxy->retry_timer);
	}
	id_pool_finish(&proxy->client_ids);
	free(proxy);
}

const char *proxy_display(const struct proxy *proxy) {
	return listener_display(proxy->listener);
}
