/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/xen_libxenvchan.h"

#include <errno.h>
#include <libxenvchan.h>
#include <stdlib.h>

struct libxenvchan *xen_libxenvchan_serve(int domid, const char *path, size_t ring_bytes,
		struct xen_vchan_parts *parts) {
	errno = 0;
	struct libxenvchan *vchan = libxenvchan_server_init(NULL, domid, path, ring_bytes,
			ring_bytes);
	if (vchan == NULL) {
		errno = errno != 0 ? errno : EIO;
		return NULL;
	}
	vchan->blocking = 0; // libxenvchan leaves it as malloc() gave it
	*parts = (struct xen_vchan_parts){
		.page = vchan->ring,
		.in_bytes = vchan->read.buffer,
		.out_bytes = vchan->write.buffer,
		.in_size = 1u << vchan->read.order,
		.out_size = 1u << vchan->write.order,
		.event_fd = libxenvchan_fd_for_select(vchan),
		.event_port = vchan->event_port,
	};
	return vchan;
}

void xen_libxenvchan_forget_path(struct libxenvchan *vchan) {
	free(vchan->xs_path);
	vchan->xs_path = NULL;
}

void xen_libxenvchan_close(struct libxenvchan *vchan) {
	libxenvchan_close(vchan);
}
