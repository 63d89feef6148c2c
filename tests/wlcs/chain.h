/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_WLCS_CHAIN_H
#define ISTHMUS_TESTS_WLCS_CHAIN_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct vmset;
struct wl_display;

/*
 * The way through the bridge for one server: a VM set with one VM, whose guivm-relay the server
 * starts itself, and an appvm-proxy. The proxy's socket is made here and handed over as by socket
 * activation, so that clients can connect before anything runs.
 */
struct chain {
	char dir[64]; // "" when there is none
	char transport[96]; // spec, the same for both ends
	int listen_fd; // -1: none
	pid_t proxy; // 0: none
	struct wl_display *probe; // a client of our own, for chain_settle(); NULL until then
};

/* How pixels cross. */
enum chain_way {
	CHAIN_HANDOVER,
	CHAIN_ARENA,
	CHAIN_STREAM,
};

/* Makes folder, socket and VM set. NULL on failure (logged). */
struct vmset *chain_init(struct chain *chain, enum chain_way way);
/* Starts appvm-proxy, named by ISTHMUS_PROXY in the environment. false: logged. */
bool chain_start(struct chain *chain);
/* Ends the proxy, which must end well, and removes the folder. */
void chain_finish(struct chain *chain);

/* A connection to the proxy; -1 on failure. */
int chain_connect(const struct chain *chain);

/*
 * Returns when every event that the compositor had sent to any client has arrived there. Natively
 * what a hook causes is in the clients' sockets when the hook returns, and tests are written for
 * that: one that sees an enter event of the first hook but not yet the motion event of the second
 * fails. Called on the tests' thread only. A chain that has failed settles at once.
 */
void chain_settle(struct chain *chain);

#endif
