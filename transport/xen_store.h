/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_XEN_STORE_H
#define ISTHMUS_TRANSPORT_XEN_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the xen backend asks of XenStore. xenstored is trusted and local to the machine: calls wait
 * for its answer. The values of nodes below another domain's folder are that domain's to write.
 */
#define XEN_STORE_PATH_BYTES 192

struct xen_store;

/* NULL: error as in transport_open(). */
struct xen_store *xen_store_open(char *error, size_t error_size);
void xen_store_close(struct xen_store *store);

/* Readable when a watch fired. */
int xen_store_fd(const struct xen_store *store);
/* Takes in what fired. */
void xen_store_drain(struct xen_store *store);

/* This domain's number. */
uint16_t xen_store_own_domid(const struct xen_store *store);

/*
 * The number of a domain: peer is that number, or a name. Names are what the toolstack wrote: in
 * this domain's vm-data/isthmus/NAME, or, where all domains may be read (dom0), in
 * /local/domain/N/name. false: there is none now. The application's word counts nowhere.
 */
bool xen_store_find(struct xen_store *store, const char *peer, uint16_t *domid);

/* A decimal number that fits. false: it is not there, may not be read, or is none. */
bool xen_store_read(struct xen_store *store, const char *path, uint32_t *untrusted_number);
/* Writes it, for this domain and reader to read. */
bool xen_store_publish(struct xen_store *store, const char *path, uint32_t number, uint16_t reader);
/* Lets reader read it: anew, since what was allowed to a domain before it was born is void. */
bool xen_store_share(struct xen_store *store, const char *path, uint16_t reader);
void xen_store_remove(struct xen_store *store, const char *path);
/* In place of what was watched until now. path may be NULL. */
void xen_store_watch(struct xen_store *store, const char *path);

#endif
