/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_XEN_H
#define ISTHMUS_TRANSPORT_XEN_H

#include <stddef.h>
#include <stdint.h>

#include "transport/ring.h"
#include "transport/session.h"
#include "transport/xen_dev.h"
#include "transport/xen_dmabuf.h"

struct libxenvchan;
struct wl_event_source;
struct xen_broker;
struct xen_store;

/*
 * The xen backend: libxenvchan's vchan, and memory shared by grants.
 *
 * The application VM is the vchan's server, by libxenvchan itself: it gives pages of its own memory
 * and the GUI VM maps them. So the GUI VM never gives a page of its memory to a VM that it does not
 * trust, cannot be kept from taking one back, and pays for nothing but the mappings.
 *
 * The GUI side is a client that speaks libxenvchan's protocol by itself, in two processes. What
 * needs privileges (XenStore, mapping grants, binding event channels) a broker does (xen_broker.h),
 * for one domain only and before a byte of that domain's is believed; the process that reads the
 * rings gets descriptors from it and needs but one request of ioctl(). libxenvchan would have that
 * process open devices and all of XenStore at every connection, trusts its own index from shared
 * memory and stalls for ever at an impossible one.
 *
 * XenStore, below the application domain's data/vchan/<GUI domid>/NAME:
 *   ring-ref, event-channel   libxenvchan's
 *   isthmus-pages             the grant of struct xen_acks_page, where pages are shared
 * and below the GUI domain's: data/vchan-client/<application domid>/NAME, which is there as long as
 * the GUI side's domain lives: a vchan does not tell that the other domain is gone.
 */
#define XEN_RING_BYTES (1u << 17) /* each way; libxenvchan's may have 4 KiB to 1 MiB */
#define XEN_RING_ORDER_MIN 12
#define XEN_RING_ORDER_MAX 20
#define XEN_LOOK_MS 1000
#define XEN_NAME_BYTES 64 /* of a domain or of a vchan, with the NUL */

/* libxenvchan's page (Xen, public/io/libxenvchan.h). left: from client to server. */
#define XEN_VCHAN_GRANTS ((XEN_PAGE_BYTES - 24) / sizeof(uint32_t))
struct xen_vchan_page {
	uint32_t left_consumer, left_producer, right_consumer, right_producer;
	uint16_t left_order, right_order;
	uint8_t client_live, server_live;
	uint8_t client_notify, server_notify;
	uint32_t grants[XEN_VCHAN_GRANTS]; // left, then right
};
_Static_assert(offsetof(struct xen_vchan_page, grants) == 24 &&
		sizeof(struct xen_vchan_page) == XEN_PAGE_BYTES, "as libxenvchan has it");

enum {
	XEN_GONE = 0,
	XEN_LIVE = 1,
	XEN_WAITING = 2, // client_live only
};

/* Acknowledgements, of the application side's memory: written by the GUI side. */
#define XEN_ACKS_MAGIC 0x414e4558u /* "XENA" */
#define XEN_ACKS_RING_OFFSET 2048u
struct xen_acks_page {
	struct ring_shared ring;
	uint32_t magic;
	uint32_t reserved;
	uint64_t generation; // random; references carry it
};
_Static_assert(sizeof(struct xen_acks_page) <= XEN_ACKS_RING_OFFSET, "the ring lies behind");

/* What one connection maps. It outlives the connection as long as something is read from it. */
struct xen_session {
	unsigned refs;
	bool is_server;
	struct xen_vchan_page *page;
	uint8_t *in_bytes, *out_bytes;
	uint32_t in_size, out_size;
	struct xen_acks_page *acks; // NULL: a peer that shares no pages
	uint64_t generation;
	int event_fd;
	uint32_t event_port;
	struct wl_event_source *event_source;

	struct libxenvchan *server; // server: owns what is above but acks
	uint64_t acks_index; // server: of the transport's gntalloc_fd
	bool told_presence; // server: the client's domain tells whether it is there
};

struct xen {
	struct session_transport base;
	char peer[XEN_NAME_BYTES], name[XEN_NAME_BYTES];
	bool writable_grants;
	struct wl_event_source *timer, *source; // source: watches, or the broker's word

	struct xen_session *session; // the one it takes part in, once there is one

	struct xen_store *store; // application side
	int gntalloc_fd;
	struct xen_dmabuf dmabuf; // where the kernel can
	uint16_t domid; // of the GUI VM, once found
	bool told; // of what keeps it from publishing

	struct xen_broker *broker; // GUI side
	uint32_t serial; // of what it was asked last
	bool exported; // a dma-buf was made of this session's pages
	bool cannot_export; // the first that was tried was not
};

struct xen_session *xen_session_ref(struct xen_session *session);
void xen_session_unref(struct xen *xen, struct xen_session *session);

/* Application side (xen_server.c). */
bool xen_server_open(struct xen *xen, char *error, size_t error_size);
void xen_server_close(struct xen *xen);
/* A session that waits for its client. NULL: not now, look again. */
struct xen_session *xen_server_publish(struct xen *xen);
/* While it waits: allows the client's domain anew. false: that is another domain by now. */
bool xen_server_renew(struct xen *xen);
/* Whether the client's domain is there, as far as it tells. */
bool xen_server_peer_lives(struct xen *xen, struct xen_session *session);
/* Takes it out of XenStore. */
void xen_server_withdraw(struct xen *xen, struct xen_session *session);
void xen_server_unmap(struct xen *xen, struct xen_session *session);

struct vchan *vchan_xen_create(struct transport *transport);
struct pages *pages_xen_create(struct transport *transport, uint64_t max_bytes);

extern const struct session_impl session_xen_impl;

/* Its parts in other files. */
void vchan_xen_connect(struct vchan_rings *vchan);
void pages_xen_connect(struct pages_acked *pages);

#endif
