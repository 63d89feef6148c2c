/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_READS_H
#define ISTHMUS_GUIVM_SERVER_READS_H

#include <stdbool.h>

struct wl_client;

#define READS_AGAIN_MS 50 // when to look again at one that did not

/*
 * Whether a client has read what it was sent, but for 64 kB. What VMs can make more of than a
 * program of the GUI VM reads is kept back while it does not: its queue would overflow, and
 * libwayland disconnect it.
 */
bool client_reads(struct wl_client *client);

#endif
