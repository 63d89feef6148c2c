/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_CARRY_PASTE_H
#define ISTHMUS_GUIVM_SERVER_CARRY_PASTE_H

#include <stddef.h>
#include <wayland-server-core.h>

struct vm;
struct wlr_data_source;

/* Carried text where it was given: the selections that offer it, and the pastes under way. */
struct carry_pastes {
	struct wl_event_loop *loop;
	struct wl_list sources; // carry_source.link
	struct wl_list pastes; // carry_paste.link, oldest first; at most LIMIT_CARRIED_PASTES
};

void carry_pastes_init(struct carry_pastes *pastes, struct wl_event_loop *loop);
void carry_pastes_finish(struct carry_pastes *pastes);

/*
 * A selection of text (copied) for a VM, as selection_give() takes it. It lives until wlroots
 * destroys it or the VM is forgotten. NULL on no memory.
 */
struct wlr_data_source *carry_pastes_create_source(
		struct carry_pastes *pastes, struct vm *vm, const char *text, size_t size);
/* The VM goes: its selections, and the pastes that are under way to it. */
void carry_pastes_forget_vm(struct carry_pastes *pastes, const struct vm *vm);

#endif
