/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/globals.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"

void global_list_finish(struct global_list *list) {
	free(list->globals);
	*list = (struct global_list){0};
}

static struct global *find_name(const struct global_list *list, uint32_t name) {
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->globals[i].name == name) {
			return &list->globals[i];
		}
	}
	return NULL;
}

static struct global *find_removed(const struct global_list *list) {
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->globals[i].removed) {
			return &list->globals[i];
		}
	}
	return NULL;
}

/* A place for one more: at the end, or, when the list is full, that of a global which is gone. */
static struct global *new_place(struct global_list *list) {
	if (list->count == LIMIT_GLOBALS) {
		return find_removed(list);
	}
	if (list->count == list->capacity) {
		uint32_t capacity = list->capacity > 0 ? list->capacity * 2 : 32;
		struct global *globals = realloc(list->globals, capacity * sizeof(*globals));
		if (globals == NULL) {
			return NULL;
		}
		list->globals = globals;
		list->capacity = capacity;
	}
	return &list->globals[list->count++];
}

const struct global *global_list_add(struct global_list *list, uint32_t name,
		const char *interface_name, uint32_t interface_size, uint32_t version) {
	const struct wire_interface *interface =
			wire_interface_find(interface_name, interface_size);
	if (interface == NULL || interface->max_version == 0 || version == 0 ||
			(interface->local && !list->local)) {
		return NULL;
	}
	// A second registry of the same application is told the same names.
	struct global *global = find_name(list, name);
	if (global == NULL) {
		global = new_place(list);
	}
	if (global == NULL) {
		return NULL;
	}
	*global = (struct global){
			.name = name,
			.version = version < interface->max_version ? version
								    : interface->max_version,
			.interface = interface,
	};
	return global;
}

bool global_list_remove(struct global_list *list, uint32_t name) {
	struct global *global = find_name(list, name);
	if (global == NULL) {
		return false;
	}
	global->removed = true;
	return true;
}

const struct global *global_list_check_bind(const struct global_list *list, uint32_t untrusted_name,
		const char *untrusted_interface, uint32_t untrusted_version) {
	const struct global *global = find_name(list, untrusted_name);
	if (global == NULL || strcmp(global->interface->name, untrusted_interface) != 0 ||
			untrusted_version == 0 || untrusted_version > global->version) {
		return NULL;
	}
	return global;
}

const struct global *global_list_find(
		const struct global_list *list, const struct wire_interface *interface) {
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->globals[i].interface == interface && !list->globals[i].removed) {
			return &list->globals[i];
		}
	}
	return NULL;
}
