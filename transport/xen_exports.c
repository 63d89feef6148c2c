/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/xen_exports.h"

#include <errno.h>
#include <stdbool.h>

#include "common/fd.h"
#include "transport/xen_dev.h"

static struct xen_export *find(struct xen_exports *exports, uint32_t token) {
	for (size_t i = 0; i < exports->n_exports; i++) {
		if (exports->exports[i].token == token) {
			return &exports->exports[i];
		}
	}
	return NULL;
}

void xen_exports_finish(struct xen_exports *exports) {
	for (size_t i = 0; i < exports->n_exports; i++) {
		fd_close(&exports->exports[i].gntdev_fd);
	}
	*exports = (struct xen_exports){0};
}

int xen_exports_add(struct xen_exports *exports, int gntdev_fd, uint16_t domid,
		uint32_t token, const uint32_t *untrusted_refs, uint32_t n_pages) {
	int fd;
	if (token == 0 || find(exports, token) != NULL) {
		errno = EEXIST;
		return -1;
	}
	if (exports->n_exports == LIMIT_EXPORTS) {
		errno = ENOSPC;
		return -1;
	}
	if (!xen_grants_export(gntdev_fd, domid, untrusted_refs, n_pages, &fd)) {
		return -1;
	}
	exports->exports[exports->n_exports++] = (struct xen_export){
		.token = token, .gntdev_fd = gntdev_fd, .number = fd};
	return fd;
}

void xen_exports_watch(struct xen_exports *exports, uint32_t token) {
	struct xen_export *export = find(exports, token);
	if (export != NULL && export->watched == 0) {
		export->watched = 1;
		exports->n_watched++;
	}
}

uint32_t xen_exports_next_gone(const struct xen_exports *exports) {
	for (size_t i = 0; exports->n_watched > 0 && i < exports->n_exports; i++) {
		const struct xen_export *export = &exports->exports[i];
		if (export->watched != 0 &&
				xen_grants_export_is_gone(export->gntdev_fd, export->number)) {
			return export->token;
		}
	}
	return 0;
}

void xen_exports_remove(struct xen_exports *exports, uint32_t token) {
	struct xen_export *export = find(exports, token);
	if (export == NULL) {
		return;
	}
	exports->n_watched -= export->watched;
	fd_close(&export->gntdev_fd);
	*export = exports->exports[--exports->n_exports];
}
