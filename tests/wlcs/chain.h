/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_WLCS_CHAIN_H
#define ISTHMUS_TESTS_WLCS_CHAIN_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct vmset;

/*
 * The way through the bridge for one server: a VM set with one VM, whose guivm-relay the server
 * starts itself, and an appvm-proxy. The proxy's socket is made here and handed over as by socket
 * activation, so that clients can connect before anything runs.
 */
struct chain {
	char dir[64]; // "" when there is none
	int listen_fd; // -1: none
	pid_t proxy; // 0: none
};

/* Makes folder, socket and VM set. NULL on failure (logged). */
struct vmset *chain_init(struct chain *chain);
/* Starts appvm-proxy, named by ISTHMUS_PROXY in the environment. false: logged. */
bool chain_start(struct chain *chain);
/* Ends the proxy, which must end well, and removes the folder. */
void chain_finish(struct chain *chain);

/* A connection to the proxy; -1 on failure. */
int chain_connect(const struct chain *chain);

#endif
