/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_LAUNCHER_MODEL_H
#define ISTHMUS_TESTS_LAUNCHER_MODEL_H

#include <stddef.h>

#include "control/client.h"

/* A picture of the desktop as control/client.h keeps it, on the caller's stack. */
struct model {
	struct control control;
	struct control_vm vms[2];
	struct control_application applications[2][16];
	char texts[64][24];
	size_t n_texts;
};

static inline char *model_text(struct model *model, const char *text) {
	char *copy = model->texts[model->n_texts++];
	for (size_t i = 0; i < 23; i++) {
		copy[i] = text[i];
		if (text[i] == '\0') {
			break;
		}
	}
	return copy;
}

/* names: of applications, NULL-terminated. */
static inline void model_add_vm(
		struct model *model, size_t index, const char *label, const char *const names[]) {
	struct control_vm *vm = &model->vms[index];
	*vm = (struct control_vm){.name = model_text(model, label),
			.label = model_text(model, label),
			.message = model_text(model, ""),
			.color = index == 0 ? 0x1565c0 : 0x9c0000,
			.state = CONTROL_VM_RUNNING};
	wl_list_init(&vm->applications);
	wl_list_insert(model->control.vms.prev, &vm->link);
	for (size_t i = 0; names[i] != NULL; i++) {
		struct control_application *application = &model->applications[index][i];
		application->name = model_text(model, names[i]);
		application->description = application->icon = application->categories =
				vm->message;
		wl_list_insert(vm->applications.prev, &application->link);
	}
}

static inline void model_init(struct model *model) {
	*model = (struct model){0};
	wl_list_init(&model->control.vms);
	wl_list_init(&model->control.windows);
	model_add_vm(model, 0, "Work",
			(const char *const[]){
					"Terminal", "Editor", "Mail", "Files", "Notes", NULL});
	model_add_vm(model, 1, "Untrusted", (const char *const[]){"Browser", "Terminal", NULL});
}

#endif
