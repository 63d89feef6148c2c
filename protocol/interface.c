/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/interface.h"

#include <stddef.h>
#include <string.h>

/* Orders as the generator sorts: by bytes, a prefix first. */
static int compare_name(const char *untrusted_name, uint32_t size, const char *name) {
	size_t name_size = strlen(name);
	int order = memcmp(untrusted_name, name, size < name_size ? size : name_size);
	if (order != 0 || size == name_size) {
		return order;
	}
	return size < name_size ? -1 : 1;
}

const struct wire_interface *wire_interface_find(const char *untrusted_name, uint32_t size) {
	uint32_t begin = 0, end = wire_interfaces_count;
	while (begin < end) {
		uint32_t middle = begin + (end - begin) / 2;
		int order = compare_name(untrusted_name, size, wire_interfaces[middle]->name);
		if (order == 0) {
			return wire_interfaces[middle];
		}
		if (order < 0) {
			end = middle;
		} else {
			begin = middle + 1;
		}
	}
	return NULL;
}

const struct wire_message *wire_interface_request(const struct wire_interface *interface,
		uint32_t untrusted_opcode) {
	return untrusted_opcode < interface->n_requests ?
			&interface->requests[untrusted_opcode] : NULL;
}

const struct wire_message *wire_interface_event(const struct wire_interface *interface,
		uint32_t untrusted_opcode) {
	return untrusted_opcode < interface->n_events ? &interface->events[untrusted_opcode] : NULL;
}
