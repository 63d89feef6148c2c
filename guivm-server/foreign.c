/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/foreign.h"

#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_xdg_foreign_registry.h>
#include <wlr/types/wlr_xdg_foreign_v1.h>
#include <wlr/types/wlr_xdg_foreign_v2.h>

#include "common/limits.h"
#include "guivm-server/vm.h"

struct foreign {
	struct wl_list link; // vms.foreigns
	char name[LIMIT_VM_NAME_BYTES + 1]; // "": local clients
	struct wlr_xdg_foreign_v1 *v1;
	struct wlr_xdg_foreign_v2 *v2;
};

static struct foreign *foreign_find(const struct vms *vms, const char *name) {
	struct foreign *foreign;
	wl_list_for_each (foreign, &vms->foreigns, link) {
		if (strcmp(foreign->name, name) == 0) {
			return foreign;
		}
	}
	return NULL;
}

bool foreign_add(struct vms *vms, struct wl_display *display, const char *name) {
	if (foreign_find(vms, name) != NULL) {
		return true;
	}
	struct foreign *foreign = calloc(1, sizeof(*foreign));
	if (foreign == NULL) {
		return false;
	}
	strncpy(foreign->name, name, LIMIT_VM_NAME_BYTES);
	/* In the list before its globals are: making one asks the filter who may see it. */
	wl_list_insert(&vms->foreigns, &foreign->link);
	struct wlr_xdg_foreign_registry *registry = wlr_xdg_foreign_registry_create(display);
	vms->foreign_new = foreign;
	foreign->v1 = registry != NULL ? wlr_xdg_foreign_v1_create(display, registry) : NULL;
	foreign->v2 = registry != NULL ? wlr_xdg_foreign_v2_create(display, registry) : NULL;
	vms->foreign_new = NULL;
	return foreign->v1 != NULL && foreign->v2 != NULL;
}

void foreign_finish(struct vms *vms) {
	struct foreign *foreign, *next;
	wl_list_for_each_safe (foreign, next, &vms->foreigns, link) {
		wl_list_remove(&foreign->link);
		free(foreign);
	}
}

static bool foreign_owns(const struct foreign *foreign, const struct wl_global *global) {
	return (foreign->v1 != NULL && (foreign->v1->exporter.global == global ||
					       foreign->v1->importer.global == global)) ||
		(foreign->v2 != NULL && (foreign->v2->exporter.global == global ||
						foreign->v2->importer.global == global));
}

bool foreign_is_global(const struct vms *vms, const struct wl_global *global) {
	static const char *const names[] = {"zxdg_exporter_v1", "zxdg_importer_v1",
			"zxdg_exporter_v2", "zxdg_importer_v2"};
	const char *name = wl_global_get_interface(global)->name;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			return true;
		}
	}
	return false;
}

bool foreign_permits(const struct vms *vms, const struct wl_global *global, const char *name) {
	/* One that is just being made is known to nobody yet: it is the new domain's. */
	const struct foreign *foreign;
	wl_list_for_each (foreign, &vms->foreigns, link) {
		if (foreign_owns(foreign, global)) {
			return strcmp(foreign->name, name) == 0;
		}
	}
	return vms->foreign_new != NULL && strcmp(vms->foreign_new->name, name) == 0;
}
