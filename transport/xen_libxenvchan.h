/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_XEN_LIBXENVCHAN_H
#define ISTHMUS_TRANSPORT_XEN_LIBXENVCHAN_H

#include <stddef.h>
#include <stdint.h>

/* libxenvchan's server without libxenvchan's header, which has a struct ring_shared of its own. */
struct libxenvchan;

/* What it made. Borrowed. */
struct xen_vchan_parts {
	void *page, *in_bytes, *out_bytes;
	uint32_t in_size, out_size;
	int event_fd;
	uint32_t event_port;
};

/* NULL with errno. Published at path of XenStore for domid. */
struct libxenvchan *xen_libxenvchan_serve(int domid, const char *path, size_t ring_bytes,
		struct xen_vchan_parts *parts);
/* Keeps xen_libxenvchan_close() from removing the path, which may be another's then. */
void xen_libxenvchan_forget_path(struct libxenvchan *vchan);
void xen_libxenvchan_close(struct libxenvchan *vchan);

#endif
