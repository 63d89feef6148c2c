/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_RELAY_LAUNCH_H
#define ISTHMUS_GUIVM_SERVER_RELAY_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Starts that the VM was asked for and has not answered yet. The serial is the compositor's own.
 */
#define LAUNCH_MAX_PENDING 16

struct launch_list {
	uint32_t serials[LAUNCH_MAX_PENDING];
	uint32_t count;
};

/* false: too many are under way. */
bool launch_list_add(struct launch_list *list, uint32_t serial);

/* false: no such start is under way. */
bool launch_list_take(struct launch_list *list, uint32_t untrusted_serial);

#endif
