/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_RELAY_SERVER_H
#define ISTHMUS_GUIVM_SERVER_RELAY_SERVER_H

#include <stdint.h>

struct vm;
struct vms;
struct wl_display;
struct wl_global;

/*
 * The server side of isthmus_relay_v1. A relay reads what a VM sent and may have been taken over:
 * it is no more trusted than the VM.
 */

/*
 * The global; the filter shows it to manager connections only. Goes with the display. NULL on no
 * memory.
 */
struct wl_global *relay_server_create(struct wl_display *display, struct vms *vms);

/* vm->manager_resource must not be NULL. */
void relay_server_send_launch(struct vm *vm, uint32_t serial, const char *application);

#endif
