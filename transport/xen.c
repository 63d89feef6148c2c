/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/xen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "common/log.h"
#include "transport/xen_broker.h"
#include "transport/xen_store.h"

/* "PEER:NAME[,grants=writable]" */

static bool parse_word(const char *text, size_t length, const char *what, char *word, char *error,
		size_t error_size) {
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-.";
	if (length == 0 || length >= XEN_NAME_BYTES) {
		return transport_error(error, error_size, "transport xen: the %s is %s", what,
			length == 0 ? "missing" : "too long");
	}
	memcpy(word, text, length);
	word[length] = '\0';
	return strspn(word, allowed) == length ||
		transport_error(error, error_size,
			"transport xen: the %s has other than letters, digits, '_', '-' and '.'",
			what);
}

static bool parse_tail(const char *tail, struct xen *xen, char *error, size_t error_size) {
	const char *colon = strchr(tail, ':');
	if (colon == NULL) {
		return transport_error(error, error_size,
			"transport \"xen:%s\": it is written xen:DOMAIN:NAME", tail);
	}
	const char *name = colon + 1;
	size_t length = strcspn(name, ",");
	if (name[length] != '\0' && strcmp(name + length, ",grants=writable") != 0) {
		return transport_error(error, error_size,
			"transport xen: \"%s\": the only option is grants=writable",
			name + length + 1);
	}
	xen->writable_grants = name[length] != '\0';
	return parse_word(tail, (size_t)(colon - tail), "domain", xen->peer, error, error_size) &&
		parse_word(name, length, "name", xen->name, error, error_size);
}

static bool xen_check(const char *tail, char *error, size_t error_size) {
	struct xen xen;
	return parse_tail(tail, &xen, error, error_size);
}

/* Sessions. */

struct xen_session *xen_session_ref(struct xen_session *session) {
	session->refs++;
	return session;
}

static void unmap_client(struct xen_session *session) {
	if (session->page != NULL) {
		munmap(session->page, XEN_PAGE_BYTES);
	}
	if (session->out_bytes != NULL) {
		munmap(session->out_bytes, session->out_size);
	}
	if (session->in_bytes != NULL) {
		munmap(session->in_bytes, session->in_size);
	}
	if (session->acks != NULL) {
		munmap(session->acks, XEN_PAGE_BYTES);
	}
	fd_close(&session->event_fd);
}

void xen_session_unref(struct xen *xen, struct xen_session *session) {
	if (session == NULL || --session->refs > 0) {
		return;
	}
	if (session->event_source != NULL) {
		wl_event_source_remove(session->event_source);
	}
	if (session->is_server) {
		xen_server_unmap(xen, session);
	} else {
		unmap_client(session);
	}
	free(session);
}

static void notify(const struct xen_session *session) {
	xen_event_notify(session->event_fd, session->event_port);
}

static void ring_bell(struct session_transport *transport) {
	notify(((struct xen *)transport)->session);
}

static uint8_t *own_live(const struct xen_session *session) {
	return session->is_server ? &session->page->server_live : &session->page->client_live;
}

static uint8_t load_peer_live(const struct xen_session *session) {
	uint8_t untrusted_live = __atomic_load_n(session->is_server ? &session->page->client_live
			: &session->page->server_live, __ATOMIC_ACQUIRE);
	return untrusted_live == XEN_LIVE || untrusted_live == XEN_WAITING ? untrusted_live
									   : XEN_GONE;
}

static void leave(struct session_transport *transport) {
	struct xen *xen = (struct xen *)transport;
	struct xen_session *session = xen->session;
	xen->session = NULL;
	if (xen->broker != NULL) {
		xen_broker_look(xen->broker, 0);
	}
	if (session == NULL) {
		return;
	}
	wl_event_source_remove(session->event_source);
	session->event_source = NULL;
	if (session->is_server) {
		xen_server_withdraw(xen, session);
	}
	__atomic_store_n(own_live(session), XEN_GONE, __ATOMIC_RELEASE);
	notify(session);
	xen_session_unref(xen, session);
}

/* The page of both ends; what the peer says of itself. */
static void check_peer(struct xen *xen) {
	struct xen_session *session = xen->session;
	uint8_t live = load_peer_live(session);
	if (!xen->base.connected) {
		if (live == XEN_WAITING) {
			return;
		}
		if (session->is_server) {
			xen_server_peer_lives(xen, session);
		}
		session_connect(&xen->base); // also when it left since: what it wrote can be read
	}
	if (live != XEN_LIVE) {
		session_end(&xen->base, "the peer closed");
	}
}

static int handle_event(int fd, uint32_t mask, void *data) {
	uint32_t ports[16];
	ssize_t size = read(fd, ports, sizeof(ports));
	// Written back, they can come again.
	if (size > 0 && write(fd, ports, (size_t)size) < 0) {
		log_debug("xen: event channel: errno %d", errno);
	}
	session_look(data);
	return 0;
}

static bool session_start(struct xen *xen, struct xen_session *session) {
	session->event_source = wl_event_loop_add_fd(xen->base.base.loop, session->event_fd,
			WL_EVENT_READABLE, handle_event, xen);
	if (session->event_source == NULL) {
		xen_session_unref(xen, session);
		return false;
	}
	xen->session = session;
	return true;
}

static void look(struct session_transport *transport) {
	struct xen *xen = (struct xen *)transport;
	if (xen->session == NULL && xen->store != NULL) {
		struct xen_session *session = xen_server_publish(xen);
		if (session != NULL) {
			session_start(xen, session);
		}
	}
	if (xen->session != NULL) {
		check_peer(xen);
	}
}

/* Application side, until it is connected. */
static int handle_timer(void *data) {
	struct xen *xen = data;
	if (xen->base.joined && !xen->base.connected) {
		wl_event_source_timer_update(xen->timer, XEN_LOOK_MS);
		if (xen->session != NULL && !xen_server_renew(xen)) {
			session_end(&xen->base, "the peer is another domain now");
			return 0;
		}
		session_look(&xen->base);
	}
	return 0;
}

static int handle_watch(int fd, uint32_t mask, void *data) {
	struct xen *xen = data;
	xen_store_drain(xen->store);
	if (xen->base.connected && !xen_server_peer_lives(xen, xen->session)) {
		session_end(&xen->base, "the peer's domain is gone");
	}
	return 0;
}

/* GUI side. */

static void *map(int fd, uint64_t index, size_t size, int protection) {
	void *bytes = mmap(NULL, size, protection, MAP_SHARED, fd, (off_t)index);
	return bytes != MAP_FAILED ? bytes : NULL;
}

/* event_fd is the session's from here on. */
static struct xen_session *map_offer(struct xen *xen, const struct xen_offer *offer, int gntdev_fd,
		int event_fd) {
	struct xen_session *session = calloc(1, sizeof(*session));
	if (session == NULL) {
		fd_close(&event_fd);
		return NULL;
	}
	session->refs = 1;
	session->event_fd = event_fd;
	session->event_port = offer->port;
	session->generation = offer->generation;
	session->out_size = 1u << offer->left_order;
	session->in_size = 1u << offer->right_order;
	session->page = map(gntdev_fd, offer->page_index, XEN_PAGE_BYTES, PROT_READ | PROT_WRITE);
	session->out_bytes = map(gntdev_fd, offer->left_index, session->out_size,
			PROT_READ | PROT_WRITE);
	session->in_bytes = map(gntdev_fd, offer->right_index, session->in_size, PROT_READ);
	if (offer->has_acks != 0) {
		session->acks = map(gntdev_fd, offer->acks_index, XEN_PAGE_BYTES,
				PROT_READ | PROT_WRITE);
	}
	if (session->page == NULL || session->out_bytes == NULL || session->in_bytes == NULL ||
			(offer->has_acks != 0 && session->acks == NULL) ||
			!fd_set_nonblocking(event_fd, true)) {
		log_errno("transport %s: cannot map the vchan", xen->base.base.spec);
		xen_session_unref(xen, session);
		return NULL;
	}
	return session;
}

static void take_offer(struct xen *xen, const struct xen_offer *offer, int gntdev_fd,
		int event_fd) {
	struct xen_session *session = map_offer(xen, offer, gntdev_fd, event_fd);
	if (session == NULL || !session_start(xen, session)) {
		return;
	}
	__atomic_store_n(&session->page->client_live, XEN_LIVE, __ATOMIC_RELEASE);
	notify(session);
	session_look(&xen->base);
}

static int handle_broker(int fd, uint32_t mask, void *data) {
	struct xen *xen = data;
	struct xen_offer offer;
	int gntdev_fd, event_fd;
	while (xen_broker_take(xen->broker, &offer, &gntdev_fd, &event_fd)) {
		bool mine = xen->base.joined && offer.serial == xen->serial;
		if (offer.released_token != 0) {
			log_debug("transport %s: nobody has a dma-buf any more",
					xen->base.base.spec);
			if (mine && xen->base.base.pages != NULL) {
				pages_acked_dmabuf_released(
					(struct pages_acked *)xen->base.base.pages,
					offer.released_token);
			}
		} else if (mine && offer.connected == 0 && xen->session != NULL) {
			session_end(&xen->base, "the peer closed");
		} else if (mine && offer.connected != 0 && xen->session == NULL) {
			take_offer(xen, &offer, gntdev_fd, event_fd);
			event_fd = -1;
		}
		fd_close(&gntdev_fd);
		fd_close(&event_fd);
	}
	if ((mask & WL_EVENT_HANGUP) != 0) {
		wl_event_source_remove(xen->source);
		xen->source = NULL;
		log_error("transport %s: the broker ended", xen->base.base.spec);
		session_end(&xen->base, "the broker ended");
	}
	return 0;
}

static bool begin(struct session_transport *transport) {
	struct xen *xen = (struct xen *)transport;
	xen->exported = xen->cannot_export = false;
	if (xen->broker != NULL) {
		xen->serial = xen->serial == UINT32_MAX ? 1 : xen->serial + 1;
		xen_broker_look(xen->broker, xen->serial);
	} else {
		wl_event_source_timer_update(xen->timer, XEN_LOOK_MS);
	}
	return true;
}

const struct session_impl session_xen_impl = {
	.begin = begin,
	.leave = leave,
	.look = look,
	.ring_bell = ring_bell,
	.connect_vchan = vchan_xen_connect,
	.connect_pages = pages_xen_connect,
};

/* The transport. */

static void xen_close(struct transport *transport) {
	struct xen *xen = (struct xen *)transport;
	session_finish(&xen->base);
	if (xen->timer != NULL) {
		wl_event_source_remove(xen->timer);
	}
	if (xen->source != NULL) {
		wl_event_source_remove(xen->source);
	}
	xen_broker_close(xen->broker);
	xen_server_close(xen);
	free(xen);
}

static bool open_role(struct xen *xen, enum transport_role role, char *error, size_t error_size) {
	if (role == TRANSPORT_APPVM) {
		if (!xen_server_open(xen, error, error_size)) {
			return false;
		}
		xen->source = wl_event_loop_add_fd(xen->base.base.loop, xen_store_fd(xen->store),
				WL_EVENT_READABLE, handle_watch, xen);
	} else {
		xen->broker = xen_broker_open(xen->peer, xen->name, error, error_size);
		if (xen->broker == NULL) {
			return false;
		}
		xen->base.base.ioctl_request = xen_event_notify_request;
		xen->source = wl_event_loop_add_fd(xen->base.base.loop, xen_broker_fd(xen->broker),
				WL_EVENT_READABLE, handle_broker, xen);
	}
	xen->timer = wl_event_loop_add_timer(xen->base.base.loop, handle_timer, xen);
	return (xen->source != NULL && xen->timer != NULL) ||
		transport_error(error, error_size, "transport xen: out of memory");
}

static struct transport *xen_open_transport(struct wl_event_loop *loop, const char *tail,
		enum transport_role role, char *error, size_t error_size) {
	struct xen *xen = calloc(1, sizeof(*xen));
	if (xen == NULL || !parse_tail(tail, xen, error, error_size)) {
		free(xen);
		return NULL;
	}
	xen->gntalloc_fd = -1;
	xen->dmabuf = (struct xen_dmabuf){.udmabuf_fd = -1, .gntdev_fd = -1};
	xen->base.base.loop = loop;
	xen->base.impl = &session_xen_impl;
	xen->base.base.role = role;
	xen->base.base.caps = TRANSPORT_PAGES;
	if (sysconf(_SC_PAGESIZE) != XEN_PAGE_BYTES) {
		transport_error(error, error_size,
			"transport xen: this kernel's pages are not 4 KiB");
		goto error;
	}
	if (!open_role(xen, role, error, error_size)) {
		goto error;
	}
	return &xen->base.base;
error:
	xen_close(&xen->base.base);
	return NULL;
}

const struct transport_backend transport_xen_backend = {
	.name = "xen",
	.check = xen_check,
	.open = xen_open_transport,
	.close = xen_close,
	.vchan_create = vchan_xen_create,
	.pages_create = pages_xen_create,
};
