/* SPDX-License-Identifier: Apache-2.0 */
#include "vmset/vmset.h"

#include <stdlib.h>
#include <string.h>

static void free_strings(char **strings) {
	for (char **string = strings; string != NULL && *string != NULL; string++) {
		free(*string);
	}
	free(strings);
}

static void application_finish(struct vmset_application *application) {
	free(application->name);
	free(application->description);
	free(application->icon);
	free_strings(application->exec.argv);
	free_strings(application->categories);
}

static void vm_finish(struct vmset_vm *vm) {
	for (size_t i = 0; i < vm->n_applications; i++) {
		application_finish(&vm->applications[i]);
	}
	free(vm->applications);
	free(vm->name);
	free(vm->label);
	free(vm->transport);
	free_strings(vm->start.argv);
	free_strings(vm->clipboard_read_from);
	free_strings(vm->clipboard_write_to);
}

void vmset_destroy(struct vmset *vmset) {
	if (vmset == NULL) {
		return;
	}
	for (size_t i = 0; i < vmset->n_vms; i++) {
		vm_finish(&vmset->vms[i]);
	}
	free(vmset->vms);
	free(vmset->guivm.keyboard_layout);
	free(vmset->guivm.keyboard_variant);
	free(vmset->guivm.keyboard_options);
	free(vmset->guivm.keyboard_model);
	free(vmset);
}

const struct vmset_vm *vmset_find_vm(const struct vmset *vmset, const char *name) {
	for (size_t i = 0; i < vmset->n_vms; i++) {
		if (strcmp(vmset->vms[i].name, name) == 0) {
			return &vmset->vms[i];
		}
	}
	return NULL;
}

const struct vmset_application *vmset_find_application(
		const struct vmset_vm *vm, const char *name) {
	for (size_t i = 0; i < vm->n_applications; i++) {
		if (strcmp(vm->applications[i].name, name) == 0) {
			return &vm->applications[i];
		}
	}
	return NULL;
}

bool vmset_vm_is_local(const struct vmset_vm *vm) {
	return strncmp(vm->transport, "local:", strlen("local:")) == 0;
}
