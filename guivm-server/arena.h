/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_ARENA_H
#define ISTHMUS_GUIVM_SERVER_ARENA_H

#include <stdbool.h>

struct vms;
struct wl_display;
struct wlr_renderer;

/*
 * The server side of isthmus_arena_v1: wl_buffers over memory that a VM shares, for the connections
 * that relays made. What comes over them is no more trusted than the VM.
 *
 * Makes the global, which goes with the display, and which the filter of vms shows to applications
 * of VMs only. *renderer lives as long, and is another after the GPU was reset. To be called before
 * wl_shm is made: a relay must have heard of it when the application learns of wl_shm. false: no
 * memory.
 */
bool arenas_create(struct wl_display *display, struct vms *vms,
		struct wlr_renderer *const *renderer);

#endif
