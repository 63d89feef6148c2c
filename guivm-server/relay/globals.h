/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_RELAY_GLOBALS_H
#define ISTHMUS_GUIVM_SERVER_RELAY_GLOBALS_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/interface.h"

/*
 * The globals that were announced to one application: on the allow-list, versions capped. What may
 * be bound is decided by this list alone.
 */
struct global {
	uint32_t name;
	uint32_t version; // highest that may be bound
	const struct wire_interface *interface;
	bool removed; // binding it is still legal: the application may not know yet
};

struct global_list {
	bool local; // interfaces with descriptors that only a local transport passes are shown
	struct global *globals; // owned
	uint32_t count, capacity;
};

void global_list_finish(struct global_list *list);

/* The compositor announced a global. Returns the entry to show to the application, its version
 * capped, or NULL: to be hidden (not on the allow-list, not for this transport, LIMIT_GLOBALS, or
 * out of memory). Valid until the next call. */
const struct global *global_list_add(struct global_list *list, uint32_t name,
		const char *interface_name, uint32_t interface_size, uint32_t version);

/* Whether the application was told of it. */
bool global_list_remove(struct global_list *list, uint32_t name);

/* NULL: no such global was announced with this interface and at least this version. */
const struct global *global_list_check_bind(const struct global_list *list, uint32_t untrusted_name,
		const char *untrusted_interface, uint32_t untrusted_version);

/* A global of that interface that was not removed, or NULL. */
const struct global *global_list_find(
		const struct global_list *list, const struct wire_interface *interface);

#endif
