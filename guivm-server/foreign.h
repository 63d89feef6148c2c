/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_FOREIGN_H
#define ISTHMUS_GUIVM_SERVER_FOREIGN_H

#include <stdbool.h>

struct vms;
struct wl_display;
struct wl_global;

/*
 * xdg-foreign, versions 1 and 2: a window of one application as the parent of another's. Every
 * domain has globals and a registry of handles of its own, so that a handle means nothing in any
 * other.
 */

/* Makes them for a VM, or for local clients (name ""), unless they are there. They live as long as
 * the display: a VM that comes back under its name gets them again. false on no memory. */
bool foreign_add(struct vms *vms, struct wl_display *display, const char *name);
/* The display is about to go: what it does not free itself. */
void foreign_finish(struct vms *vms);

/* Whether a global is one of these, and if so whether it is this domain's. */
bool foreign_is_global(const struct vms *vms, const struct wl_global *global);
bool foreign_permits(const struct vms *vms, const struct wl_global *global, const char *name);

#endif
