/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/inhibit.h"

#include <stdlib.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_keyboard_shortcuts_inhibit_v1.h>
#include <wlr/types/wlr_seat.h>

#include "guivm-server/server.h"
#include "guivm-server/vm.h"

struct inhibit {
	struct server *server;
	struct wlr_keyboard_shortcuts_inhibit_manager_v1 *manager;
	struct wl_listener new_inhibitor, focus_change;
};

static bool inhibitor_permitted(const struct wlr_keyboard_shortcuts_inhibitor_v1 *inhibitor) {
	const struct vm *vm = vm_from_client(wl_resource_get_client(inhibitor->resource));
	return vm == NULL || vm->config->inhibit_shortcuts;
}

static void inhibit_update(struct inhibit *inhibit, const struct wlr_surface *focused) {
	struct wlr_keyboard_shortcuts_inhibitor_v1 *inhibitor;
	wl_list_for_each(inhibitor, &inhibit->manager->inhibitors, link) {
		bool active = inhibitor->surface == focused && inhibitor_permitted(inhibitor);
		if (active && !inhibitor->active) {
			wlr_keyboard_shortcuts_inhibitor_v1_activate(inhibitor);
		} else if (!active && inhibitor->active) {
			wlr_keyboard_shortcuts_inhibitor_v1_deactivate(inhibitor);
		}
	}
}

bool inhibit_is_active(const struct server *server) {
	const struct wlr_surface *focused = server->wlr_seat->keyboard_state.focused_surface;
	const struct wlr_keyboard_shortcuts_inhibitor_v1 *inhibitor;
	wl_list_for_each(inhibitor, &server->inhibit->manager->inhibitors, link) {
		/* Asked again: the VM set may have been replaced. */
		if (inhibitor->active && inhibitor->surface == focused &&
				inhibitor_permitted(inhibitor)) {
			return true;
		}
	}
	return false;
}

static void inhibit_handle_new(struct wl_listener *listener, void *data) {
	struct inhibit *inhibit = wl_container_of(listener, inhibit, new_inhibitor);
	inhibit_update(inhibit, inhibit->server->wlr_seat->keyboard_state.focused_surface);
}

static void inhibit_handle_focus_change(struct wl_listener *listener, void *data) {
	struct inhibit *inhibit = wl_container_of(listener, inhibit, focus_change);
	const struct wlr_seat_keyboard_focus_change_event *event = data;
	inhibit_update(inhibit, event->new_surface);
}

struct inhibit *inhibit_create(struct server *server) {
	struct inhibit *inhibit = calloc(1, sizeof(*inhibit));
	if (inhibit == NULL) {
		return NULL;
	}
	inhibit->server = server;
	inhibit->manager = wlr_keyboard_shortcuts_inhibit_v1_create(server->display);
	if (inhibit->manager == NULL) {
		free(inhibit);
		return NULL;
	}
	inhibit->new_inhibitor.notify = inhibit_handle_new;
	wl_signal_add(&inhibit->manager->events.new_inhibitor, &inhibit->new_inhibitor);
	inhibit->focus_change.notify = inhibit_handle_focus_change;
	wl_signal_add(&server->wlr_seat->keyboard_state.events.focus_change,
			&inhibit->focus_change);
	return inhibit;
}

void inhibit_destroy(struct inhibit *inhibit) {
	if (inhibit != NULL) {
		wl_list_remove(&inhibit->new_inhibitor.link);
		wl_list_remove(&inhibit->focus_change.link);
		free(inhibit);
	}
}
