/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_compositor.h>

#include "allow_list.h"
#include "common/log.h"
#include "common/share.h"
#include "guivm-server/foreign.h"
#include "guivm-server/relay_server.h"
#include "guivm-server/vm_private.h"

#define SHARED_SURFACES 16 // of a limit that is lower each application may take all
#define LOCAL_COLOR 0x3a3f4b // a grey that is no VM's: the GUI VM's windows carry no label

/* Counts one wl_surface of a VM. */
struct vm_surface {
	struct vm *vm; // lives as long: the VM destroys its clients first
	uint32_t *n_of_client; // lives as long, too
	struct wl_listener destroy;
};

/*
 * A VM's applications see the allow-list only and, for their relay, isthmus_arena_manager_v1; a
 * relay's manager connection that and isthmus_relay_v1; local clients all but these two.
 */
static bool global_filter(
		const struct wl_client *client, const struct wl_global *global, void *data) {
	struct vms *vms = data;
	struct vm *vm = vm_from_client(client);
	if (global == vms->relay_global) {
		return vm != NULL && vm->manager == client;
	}
	if (global == vms->arena_global) {
		return vm != NULL;
	}
	if (foreign_is_global(vms, global)) {
		return foreign_permits(vms, global, vm != NULL ? vm->config->name : "") &&
				(vm == NULL || vm->manager != client);
	}
	if (vm == NULL) {
		return true;
	}
	return vm->manager != client && allow_list_permits(wl_global_get_interface(global)->name,
						vmset_vm_is_local(vm->config));
}

static bool vms_create_vms(struct vms *vms) {
	for (size_t i = 0; vms->vmset != NULL && i < vms->vmset->n_vms; i++) {
		if (vm_create(vms, &vms->vmset->vms[i]) == NULL) {
			return false;
		}
	}
	return true;
}

static void vms_update_local_mark(struct vms *vms) {
	uint32_t color = vms->vmset != NULL ? vms->vmset->guivm.color : LOCAL_COLOR;
	trust_mark_init(&vms->local_mark, "guivm", "", color, false);
}

struct vms *vms_create(struct wl_display *display, struct vmset *vmset, const char *path) {
	struct vms *vms = calloc(1, sizeof(*vms));
	if (vms == NULL) {
		vmset_destroy(vmset);
		return NULL;
	}
	vms->display = display;
	vms->vmset = vmset;
	wl_list_init(&vms->list);
	wl_list_init(&vms->foreigns);
	wl_list_init(&vms->finished_launches);
	wl_list_init(&vms->new_surface.link);
	wl_list_init(&vms->compositor_destroy.link);
	wl_signal_init(&vms->events.change);
	wl_signal_init(&vms->events.reload);
	wl_signal_init(&vms->events.remove);
	vms_update_local_mark(vms);
	vms->relay_global = relay_server_create(display, vms);
	vms->path = path != NULL ? strdup(path) : NULL;
	wl_display_set_global_filter(display, global_filter, vms);
	if (vms->relay_global == NULL || !foreign_add(vms, display, "") ||
			(path != NULL && vms->path == NULL) ||
			!vms_create_vms(vms)) {
		vms_destroy(vms);
		return NULL;
	}
	return vms;
}

void vms_destroy(struct vms *vms) {
	if (vms == NULL) {
		return;
	}
	struct vm *vm, *next;
	wl_list_for_each_safe (vm, next, &vms->list, link) {
		vm_destroy(vm);
	}
	launches_finish(vms);
	wl_list_remove(&vms->new_surface.link);
	wl_list_remove(&vms->compositor_destroy.link);
	if (vms->relay_global != NULL) {
		wl_global_destroy(vms->relay_global);
	}
	wl_display_set_global_filter(vms->display, NULL, NULL);
	foreign_finish(vms);
	vmset_destroy(vms->vmset);
	free(vms->path);
	free(vms);
}

static void vms_start_vm(struct vm *vm) {
	vm_start_relay(vm);
	if (vm->config->autostart) {
		vm_start(vm);
	}
}

void vms_start(struct vms *vms) {
	vms->started = true;
	struct vm *vm;
	wl_list_for_each (vm, &vms->list, link) {
		vms_start_vm(vm);
	}
}

struct vm *vms_find(struct vms *vms, const char *name) {
	struct vm *vm;
	wl_list_for_each (vm, &vms->list, link) {
		if (strcmp(vm->config->name, name) == 0) {
			return vm;
		}
	}
	return NULL;
}

const struct trust_mark *vms_mark(struct vms *vms, const struct wl_client *client) {
	struct vm *vm = vm_from_client(client);
	return vm != NULL ? &vm->mark : &vms->local_mark;
}

static void surface_handle_destroy(struct wl_listener *listener, void *data) {
	struct vm_surface *counted = wl_container_of(listener, counted, destroy);
	counted->vm->n_surfaces--;
	(*counted->n_of_client)--;
	wl_list_remove(&counted->destroy.link);
	free(counted);
}

/*
 * One application does not take all that its VM may have, where there are enough to share: the next
 * one could not even show a window.
 */
static bool surface_fits(const struct vm *vm, uint32_t n_of_client) {
	uint32_t limit = vm->config->limits.surfaces;
	return vm->n_surfaces < limit &&
		(n_of_client == 0 || limit < SHARED_SURFACES ||
			share_fits(limit, vm->n_surfaces, n_of_client, 1));
}

static void vms_handle_new_surface(struct wl_listener *listener, void *data) {
	struct wlr_surface *surface = data;
	struct wl_client *client = wl_resource_get_client(surface->resource);
	struct vm *vm = vm_from_client(client);
	if (vm == NULL) {
		return;
	}
	uint32_t *n_of_client = vm_client_surfaces(client);
	if (!surface_fits(vm, *n_of_client)) {
		wl_client_post_implementation_error(client,
				"its share of this VM's limit of %u surfaces is reached",
				vm->config->limits.surfaces);
		return;
	}
	struct vm_surface *counted = calloc(1, sizeof(*counted));
	if (counted == NULL) {
		wl_client_post_no_memory(client);
		return;
	}
	counted->vm = vm;
	counted->n_of_client = n_of_client;
	counted->destroy.notify = surface_handle_destroy;
	wl_signal_add(&surface->events.destroy, &counted->destroy);
	vm->n_surfaces++;
	(*n_of_client)++;
}

static void vms_handle_compositor_destroy(struct wl_listener *listener, void *data) {
	struct vms *vms = wl_container_of(listener, vms, compositor_destroy);
	wl_list_remove(&vms->new_surface.link);
	wl_list_init(&vms->new_surface.link);
	wl_list_remove(&vms->compositor_destroy.link);
	wl_list_init(&vms->compositor_destroy.link);
}

void vms_watch_surfaces(struct vms *vms, struct wlr_compositor *compositor) {
	vms->new_surface.notify = vms_handle_new_surface;
	wl_signal_add(&compositor->events.new_surface, &vms->new_surface);
	vms->compositor_destroy.notify = vms_handle_compositor_destroy;
	wl_signal_add(&compositor->events.destroy, &vms->compositor_destroy);
}

/* "file:line:column: field: text" lines. */
static char *errors_text(const struct vmset_errors *errors) {
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	if (stream == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < errors->count; i++) {
		const struct vmset_error *error = &errors->list[i];
		fprintf(stream, "%s%s", i > 0 ? "\n" : "", errors->file);
		if (error->line > 0) {
			fprintf(stream, ":%u:%u", error->line, error->column);
		}
		fprintf(stream, ": %s%s%s", error->field, error->field[0] != '\0' ? ": " : "",
				error->text);
	}
	return fclose(stream) == 0 ? text : NULL;
}

static bool same_relay(const struct vmset_vm *a, const struct vmset_vm *b) {
	return strcmp(a->transport, b->transport) == 0 &&
			a->limits.pages_mib == b->limits.pages_mib &&
			a->limits.clients == b->limits.clients;
}

/* Both sets are alive while this runs. */
static void vms_apply(struct vms *vms, struct vmset *vmset) {
	struct vm *vm, *next;
	wl_list_for_each_safe (vm, next, &vms->list, link) {
		if (vmset_find_vm(vmset, vm->config->name) == NULL) {
			log_info("VM \"%s\": removed", vm->config->name);
			vm_destroy(vm);
		}
	}
	for (size_t i = 0; i < vmset->n_vms; i++) {
		const struct vmset_vm *config = &vmset->vms[i];
		vm = vms_find(vms, config->name);
		if (vm != NULL) {
			vm_configure(vm, config, !same_relay(vm->config, config));
			wl_list_remove(&vm->link);
			wl_list_insert(vms->list.prev, &vm->link);
			continue;
		}
		log_info("VM \"%s\": added", config->name);
		vm = vm_create(vms, config);
		if (vm == NULL) {
			log_error("VM \"%s\": no memory", config->name);
		} else if (vms->started) {
			vms_start_vm(vm);
		}
	}
}

bool vms_reload(struct vms *vms, char **message) {
	*message = NULL;
	if (vms->path == NULL) {
		*message = strdup("guivm-server was started without a VM set");
		return false;
	}
	struct vmset_errors errors;
	struct vmset *vmset = vmset_load(vms->path, vmset_check_transport, &errors);
	if (vmset == NULL) {
		*message = errors_text(&errors);
		vmset_errors_finish(&errors);
		log_error("%s: not reloaded, the VM set of before stays in force", vms->path);
		return false;
	}
	vmset_errors_finish(&errors);
	struct vmset *old = vms->vmset;
	vms_apply(vms, vmset);
	vms->vmset = vmset;
	vms_update_local_mark(vms);
	wl_signal_emit_mutable(&vms->events.reload, NULL);
	vmset_destroy(old);
	*message = strdup("");
	log_info("%s: reloaded", vms->path);
	return true;
}
