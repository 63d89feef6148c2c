/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/xen_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "common/log.h"
#include "transport/backend.h"

#define FIRST_RESERVED_DOMID 0x7ff0u
#define TOKEN "isthmus"

struct xen_store {
	struct xs_handle *handle;
	uint16_t own_domid;
	char watched[XEN_STORE_PATH_BYTES]; // "" none
};

static bool parse_number(const char *text, size_t length, uint32_t max, uint32_t *number) {
	uint64_t value = 0;
	if (length == 0 || length > 10) {
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return false;
		}
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*number = (uint32_t)value;
	return value <= max;
}

bool xen_store_read(struct xen_store *store, const char *path, uint32_t *untrusted_number) {
	unsigned length;
	char *text = xs_read(store->handle, XBT_NULL, path, &length);
	bool ok = text != NULL && parse_number(text, length, UINT32_MAX, untrusted_number);
	free(text);
	return ok;
}

struct xen_store *xen_store_open(char *error, size_t error_size) {
	struct xen_store *store = calloc(1, sizeof(*store));
	if (store == NULL) {
		transport_error(error, error_size, "XenStore: out of memory");
		return NULL;
	}
	uint32_t own = 0;
	store->handle = xs_open(0);
	if (store->handle == NULL || !xen_store_read(store, "domid", &own)) {
		transport_error(error, error_size, "XenStore: %s%s", strerror(errno),
			errno == EACCES ? " (/dev/xen/xenbus is for root unless a rule says"
					  " otherwise)" : "");
		xen_store_close(store);
		return NULL;
	}
	store->own_domid = (uint16_t)own;
	return store;
}

void xen_store_close(struct xen_store *store) {
	if (store == NULL) {
		return;
	}
	if (store->handle != NULL) {
		xs_close(store->handle);
	}
	free(store);
}

int xen_store_fd(const struct xen_store *store) {
	return xs_fileno(store->handle);
}

void xen_store_drain(struct xen_store *store) {
	char **fired;
	while ((fired = xs_check_watch(store->handle)) != NULL) {
		free(fired);
	}
}

uint16_t xen_store_own_domid(const struct xen_store *store) {
	return store->own_domid;
}

static bool is_named(struct xen_store *store, const char *domid, const char *name) {
	char path[XEN_STORE_PATH_BYTES];
	unsigned length;
	snprintf(path, sizeof(path), "/local/domain/%s/name", domid);
	char *found = xs_read(store->handle, XBT_NULL, path, &length);
	bool same = found != NULL && length == strlen(name) && memcmp(found, name, length) == 0;
	free(found);
	return same;
}

static bool find_by_name(struct xen_store *store, const char *name, uint32_t *domid) {
	unsigned count;
	char **domains = xs_directory(store->handle, XBT_NULL, "/local/domain", &count);
	bool found = false;
	for (unsigned i = 0; domains != NULL && i < count && !found; i++) {
		found = is_named(store, domains[i], name) &&
			parse_number(domains[i], strlen(domains[i]), FIRST_RESERVED_DOMID - 1,
				domid);
	}
	free(domains);
	return found;
}

bool xen_store_find(struct xen_store *store, const char *peer, uint16_t *domid) {
	uint32_t number;
	char path[XEN_STORE_PATH_BYTES];
	snprintf(path, sizeof(path), "vm-data/isthmus/%s", peer);
	bool found = parse_number(peer, strlen(peer), FIRST_RESERVED_DOMID - 1, &number) ||
		(xen_store_read(store, path, &number) && number < FIRST_RESERVED_DOMID) ||
		find_by_name(store, peer, &number);
	*domid = found ? (uint16_t)number : 0;
	return found;
}

bool xen_store_share(struct xen_store *store, const char *path, uint16_t reader) {
	struct xs_permissions permissions[] = {
		{.id = store->own_domid, .perms = XS_PERM_NONE},
		{.id = reader, .perms = XS_PERM_READ},
	};
	return xs_set_permissions(store->handle, XBT_NULL, path, permissions, 2);
}

bool xen_store_publish(struct xen_store *store, const char *path, uint32_t number,
		uint16_t reader) {
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", number);
	return xs_write(store->handle, XBT_NULL, path, text, (unsigned)length) &&
		xen_store_share(store, path, reader);
}

void xen_store_remove(struct xen_store *store, const char *path) {
	xs_rm(store->handle, XBT_NULL, path);
}

void xen_store_watch(struct xen_store *store, const char *path) {
	if (path != NULL && strcmp(path, store->watched) == 0) {
		return;
	}
	if (store->watched[0] != '\0') {
		xs_unwatch(store->handle, store->watched, TOKEN);
	}
	store->watched[0] = '\0';
	if (path != NULL && xs_watch(store->handle, path, TOKEN)) {
		snprintf(store->watched, sizeof(store->watched), "%s", path);
	} else if (path != NULL) {
		log_debug("XenStore: cannot watch %s, errno %d", path, errno);
	}
}
