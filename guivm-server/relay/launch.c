/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/launch.h"

bool launch_list_add(struct launch_list *list, uint32_t serial) {
	if (list->count == LAUNCH_MAX_PENDING) {
		return false;
	}
	list->serials[list->count++] = serial;
	return true;
}

bool launch_list_take(struct launch_list *list, uint32_t untrusted_serial) {
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->serials[i] == untrusted_serial) {
			list->serials[i] = list->serials[--list->count];
			return true;
		}
	}
	return false;
}
