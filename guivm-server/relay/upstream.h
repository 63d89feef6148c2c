/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_RELAY_UPSTREAM_H
#define ISTHMUS_GUIVM_SERVER_RELAY_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wl_event_loop;

/*
 * The compositor, as the relay sees it: one control connection through libwayland-client, and a way
 * to get one more plain connection per application. Two kinds:
 *
 *   managed  guivm-server made the control connection (WAYLAND_SOCKET) and offers isthmus_relay_v1
 * on it: applications' connections are socket pairs handed over there, and carry the VM's identity.
 *   drop-in  any compositor, by display name: applications' connections are made through
 * wp_security_context_v1 where it is offered, else they are ordinary ones.
 */
struct isthmus_arena_v1;
struct pages_mapping;
struct upstream;

struct upstream_interface {
	/* Managed only: the launcher wants an application of the VM started. */
	void (*launch)(uint32_t serial, const char *application, void *data);
	/* The control connection is lost. Called once, from the event loop. */
	void (*gone)(void *data);
};

enum upstream_state {
	UPSTREAM_WAITING = 0,
	UPSTREAM_CONNECTED = 1,
};

/* Both wait for the compositor's answers and so must be called before the sandbox. NULL after
 * writing one line of text into error. vm is borrowed. */
struct upstream *upstream_open_managed(struct wl_event_loop *loop,
		const struct upstream_interface *impl, void *data, char *error, size_t error_size);
struct upstream *upstream_open_dropin(struct wl_event_loop *loop, const char *display,
		const char *vm, const struct upstream_interface *impl, void *data, char *error,
		size_t error_size);

/* NULL is legal. */
void upstream_close(struct upstream *upstream);

/* A new connection to the compositor, the caller's; -1 with errno. Never blocks. */
int upstream_connect(struct upstream *upstream);

/* Whether the compositor cannot tell this VM's windows from others, so that their titles must say
 * it. */
bool upstream_needs_title_prefix(const struct upstream *upstream);

/* Whether upstream_connect() calls socket() and connect(), which the sandbox must then let through.
 */
bool upstream_connects(const struct upstream *upstream);

/* Whether the compositor maps arenas wherever they lie, by isthmus_arena_v1. */
bool upstream_maps_arenas(const struct upstream *upstream);

/* Whether its GPU reads arenas by their dma-bufs, where they have one. */
bool upstream_takes_dmabufs(const struct upstream *upstream);

/* Managed: the compositor maps it and keeps it mapped until it is let go of. NULL: it does not. */
struct isthmus_arena_v1 *upstream_hold(
		struct upstream *upstream, const struct pages_mapping *mapping);
/* held may be NULL. */
void upstream_let_go(struct upstream *upstream, struct isthmus_arena_v1 *held);

/* Managed; nothing happens in drop-in mode. reason: enum isthmus_relay_v1_reason. */
void upstream_set_state(struct upstream *upstream, enum upstream_state state, uint32_t reason);
void upstream_launch_result(
		struct upstream *upstream, uint32_t serial, uint32_t status, uint32_t detail);

#endif
