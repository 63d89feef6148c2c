/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_XEN_DEV_H
#define ISTHMUS_TRANSPORT_XEN_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The kernel's devices for grants and event channels (/dev/xen/gntalloc, gntdev and evtchn). Grants
 * are whole pages of XEN_PAGE_BYTES. What is called domid is a domain's number, never taken from a
 * peer. All fail with errno.
 */
#define XEN_PAGE_BYTES 4096u
/* Of one call, as gntdev has it by default. */
#define XEN_MAP_MAX_PAGES 65536u

/* The seam for tests: everything below goes through these. ioctl() and open() but for tests. */
extern int (*xen_ioctl)(int fd, unsigned long request, void *argument);
extern int (*xen_open_file)(const char *path);
/* The ioctl request of xen_event_notify(), for the sandbox. */
extern const unsigned long xen_event_notify_request;

/*
 * Whether this domain may map what it granted itself: a PV domain only. From any other Xen takes
 * the pages away where they were before (p2m_add_page()): there they read as ones, what is written
 * is lost, and so it stays when the kernel uses them for something else.
 */
bool xen_maps_own_grants(void);

/* name: "gntalloc", "gntdev", "evtchn". -1 when it fails; error as in transport_open(). */
int xen_open(const char *name, char *error, size_t error_size);

/* Of all processes of this domain only one can have the lock of domid and name on the same device,
 * until its descriptor is closed. false: another has it. */
bool xen_lock(int fd, uint16_t domid, const char *name);

/* Pages of this domain, zeroed, that domid may map: at *index of fd (gntalloc), their references in
 * refs. ENOSPC: a limit is reached. */
bool xen_grants_alloc(int fd, uint16_t domid, bool writable, uint32_t n_pages, uint64_t *index,
		uint32_t *refs);
/* Those that the other domain still maps stay its to read until it lets go; the kernel reuses none
 * before. */
void xen_grants_free(int fd, uint64_t index, uint32_t n_pages);

/* Pages of domid, to be mapped by mmap() at *index of fd (gntdev) by one process at a time. */
bool xen_grants_map(int fd, uint16_t domid, const uint32_t *untrusted_refs, uint32_t n_pages,
		uint64_t *index);
/* When the pages are let go of, the byte at index becomes 0 and port is notified. */
bool xen_grants_notify(int fd, uint64_t index, uint32_t port);
/* Copies size bytes from the start of a page of domid. */
bool xen_grants_copy(int fd, uint16_t domid, uint32_t untrusted_ref, void *bytes, uint16_t size);

/*
 * The same pages as a dma-buf (CONFIG_XEN_GNTDEV_DMABUF): *dmabuf_fd is the caller's, and keeps
 * them mapped and fd (gntdev) open. The kernel maps them for writing, so that those granted for
 * reading fail. ENOTTY, EINVAL: this kernel or this kind of domain cannot, or a reference is wrong.
 */
bool xen_grants_export(int fd, uint16_t domid, const uint32_t *untrusted_refs, uint32_t n_pages,
		int *dmabuf_fd);
/* Whether nobody has the dma-buf any more that fd (gntdev) made, the only one, when its number was
 * dmabuf_fd. Does not wait. */
bool xen_grants_export_is_gone(int fd, int dmabuf_fd);

/* Connects to a port of domid that waits for this domain; from then on fd (evtchn) can be bound to
 * no other domain. */
bool xen_event_bind(int fd, uint16_t domid, uint32_t untrusted_port, uint32_t *port);
void xen_event_notify(int fd, uint32_t port);

#endif
