/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "transport/xen.h"
#include "transport/xen_libxenvchan.h"
#include "transport/xen_store.h"

#define GNTALLOC_LIMIT "/sys/module/xen_gntalloc/parameters/limit"
/* Rings, and three frames of 1920 by 1080. */
#define PAGES_WANTED (2 * XEN_RING_BYTES / XEN_PAGE_BYTES + 2 + 3 * 2025)

static void node_path(const struct xen *xen, const char *node, char *path, size_t size) {
	snprintf(path, size, "data/vchan/%u/%s%s%s", xen->domid, xen->name,
		node[0] != '\0' ? "/" : "", node);
}

/* The module's default holds not even one frame. What does not fit goes through the ring. */
static void tell_limit(void) {
	char text[16] = "";
	int fd = open(GNTALLOC_LIMIT, O_RDONLY | O_CLOEXEC);
	ssize_t count = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	fd_close(&fd);
	unsigned long limit = strtoul(text, NULL, 10);
	if (count > 0 && limit < PAGES_WANTED) {
		log_info("only %lu pages of this VM can be shared: windows that do not fit are"
			 " copied through the vchan, at a higher cost. Write a larger number to "
			GNTALLOC_LIMIT ", as modprobe's option limit of xen-gntalloc does, and see"
			" max_grant_frames of xl.cfg", limit);
	}
}

bool xen_server_open(struct xen *xen, char *error, size_t error_size) {
	xen->gntalloc_fd = xen_open("gntalloc", error, error_size);
	int probe_fd = xen->gntalloc_fd >= 0 ? xen_open("evtchn", error, error_size) : -1;
	if (probe_fd < 0) {
		return false;
	}
	fd_close(&probe_fd);
	xen->store = xen_store_open(error, error_size);
	if (xen->store == NULL) {
		return false;
	}
	xen_store_watch(xen->store, NULL);
	xen_dmabuf_open(&xen->dmabuf, xen_store_own_domid(xen->store));
	tell_limit();
	return true;
}

void xen_server_close(struct xen *xen) {
	xen_store_close(xen->store);
	fd_close(&xen->gntalloc_fd);
	xen_dmabuf_close(&xen->dmabuf);
}

static bool alloc_acks(struct xen *xen, struct xen_session *session) {
	uint32_t ref;
	char path[XEN_STORE_PATH_BYTES];
	if (!xen_grants_alloc(xen->gntalloc_fd, xen->domid, true, 1, &session->acks_index, &ref)) {
		return false;
	}
	void *acks = mmap(NULL, XEN_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			xen->gntalloc_fd, (off_t)session->acks_index);
	if (acks == MAP_FAILED) {
		xen_grants_free(xen->gntalloc_fd, session->acks_index, 1);
		return false;
	}
	session->acks = acks;
	session->acks->magic = XEN_ACKS_MAGIC;
	session->acks->generation = session->generation;
	node_path(xen, "isthmus-pages", path, sizeof(path));
	return xen_store_publish(xen->store, path, ref, xen->domid);
}

static bool serve(struct xen *xen, struct xen_session *session) {
	char path[XEN_STORE_PATH_BYTES];
	struct xen_vchan_parts parts;
	node_path(xen, "", path, sizeof(path));
	session->server = xen_libxenvchan_serve(xen->domid, path, XEN_RING_BYTES, &parts);
	if (session->server == NULL) {
		return false;
	}
	session->page = parts.page;
	session->in_bytes = parts.in_bytes;
	session->out_bytes = parts.out_bytes;
	session->in_size = parts.in_size;
	session->out_size = parts.out_size;
	session->event_fd = parts.event_fd;
	session->event_port = parts.event_port;
	return fd_set_nonblocking(parts.event_fd, true);
}

static void presence_path(const struct xen *xen, char *path, size_t size) {
	snprintf(path, size, "/local/domain/%u/data/vchan-client/%u/%s", xen->domid,
		xen_store_own_domid(xen->store), xen->name);
}

static void tell_once(struct xen *xen, const char *what) {
	if (!xen->told) {
		xen->told = true;
		log_info("transport %s: %s: %s; trying again", xen->base.base.spec, what,
				strerror(errno));
	}
}

struct xen_session *xen_server_publish(struct xen *xen) {
	char path[XEN_STORE_PATH_BYTES];
	errno = ENOENT;
	if (!xen_store_find(xen->store, xen->peer, &xen->domid)) {
		tell_once(xen, "no such domain in XenStore");
		return NULL;
	}
	// Of two processes with the same spec the second waits until the first is gone.
	if (!xen_lock(xen->gntalloc_fd, xen->domid, xen->name)) {
		tell_once(xen, "another process serves it");
		return NULL;
	}
	struct xen_session *session = calloc(1, sizeof(*session));
	if (session == NULL) {
		return NULL;
	}
	session->refs = 1;
	session->is_server = true;
	session->event_fd = -1;
	if (getrandom(&session->generation, sizeof(session->generation), 0) < 0 ||
			!alloc_acks(xen, session) || !serve(xen, session)) {
		tell_once(xen, "no vchan");
		xen_session_unref(xen, session);
		return NULL;
	}
	presence_path(xen, path, sizeof(path));
	xen_store_watch(xen->store, path);
	xen->told = false;
	return session;
}

bool xen_server_renew(struct xen *xen) {
	static const char *const nodes[] = {"isthmus-pages", "ring-ref", "event-channel"};
	char path[XEN_STORE_PATH_BYTES];
	uint16_t domid;
	if (!xen_store_find(xen->store, xen->peer, &domid) || domid != xen->domid) {
		return false;
	}
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		node_path(xen, nodes[i], path, sizeof(path));
		xen_store_share(xen->store, path, xen->domid);
	}
	return true;
}

bool xen_server_peer_lives(struct xen *xen, struct xen_session *session) {
	uint32_t number;
	char path[XEN_STORE_PATH_BYTES];
	presence_path(xen, path, sizeof(path));
	bool there = xen_store_read(xen->store, path, &number);
	session->told_presence |= there;
	// A client that never told, such as libxenvchan's own, cannot be missed.
	return there || !session->told_presence;
}

void xen_server_withdraw(struct xen *xen, struct xen_session *session) {
	char path[XEN_STORE_PATH_BYTES];
	node_path(xen, "", path, sizeof(path));
	xen_store_remove(xen->store, path);
	if (session->server != NULL) {
		xen_libxenvchan_forget_path(session->server);
	}
}

void xen_server_unmap(struct xen *xen, struct xen_session *session) {
	if (session->acks != NULL) {
		munmap(session->acks, XEN_PAGE_BYTES);
		xen_grants_free(xen->gntalloc_fd, session->acks_index, 1);
	}
	if (session->server != NULL) {
		xen_libxenvchan_close(session->server);
	}
}
