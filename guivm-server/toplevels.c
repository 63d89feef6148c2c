/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/toplevels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_foreign_toplevel_management_v1.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "guivm-server/focus.h"
#include "guivm-server/output.h"
#include "guivm-server/reads.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"
#include "guivm-server/vm.h"

struct toplevels {
	struct server *server;
	struct wlr_foreign_toplevel_manager_v1 *manager;
	struct wl_event_source *idle; // changes are to be told; NULL: none
	struct wl_event_source *again; // a timer, running while a task bar does not read
};

/* One window in the list. */
struct toplevel_entry {
	struct view *view;
	struct wlr_foreign_toplevel_handle_v1 *handle; // NULL: not told of yet
	bool dirty;
	struct wlr_output *output; // that task bars were told; NULL: none
	struct wl_listener request_maximize, request_minimize, request_activate;
	struct wl_listener request_fullscreen, request_close, output_destroy;
};

static void entry_handle_request_maximize(struct wl_listener *listener, void *data) {
	struct toplevel_entry *entry = wl_container_of(listener, entry, request_maximize);
	const struct wlr_foreign_toplevel_handle_v1_maximized_event *event = data;
	if (event->maximized) {
		focus_set_view(entry->view->window.server, entry->view); // so that it can be seen
	}
	view_set_maximized(entry->view, event->maximized);
}

static void entry_handle_request_minimize(struct wl_listener *listener, void *data) {
	struct toplevel_entry *entry = wl_container_of(listener, entry, request_minimize);
	const struct wlr_foreign_toplevel_handle_v1_minimized_event *event = data;
	if (event->minimized) {
		view_set_minimized(entry->view, true);
	} else {
		focus_set_view(entry->view->window.server, entry->view);
	}
}

static void entry_handle_request_activate(struct wl_listener *listener, void *data) {
	struct toplevel_entry *entry = wl_container_of(listener, entry, request_activate);
	focus_set_view(entry->view->window.server, entry->view);
}

static void entry_handle_request_fullscreen(struct wl_listener *listener, void *data) {
	struct toplevel_entry *entry = wl_container_of(listener, entry, request_fullscreen);
	const struct wlr_foreign_toplevel_handle_v1_fullscreen_event *event = data;
	if (event->fullscreen) {
		focus_set_view(entry->view->window.server, entry->view);
	}
	view_set_fullscreen(entry->view, event->fullscreen);
}

static void entry_handle_request_close(struct wl_listener *listener, void *data) {
	struct toplevel_entry *entry = wl_container_of(listener, entry, request_close);
	view_close(entry->view);
}

static void entry_forget_output(struct toplevel_entry *entry) {
	entry->output = NULL;
	wl_list_remove(&entry->output_destroy.link);
	wl_list_init(&entry->output_destroy.link);
}

static void entry_handle_output_destroy(struct wl_listener *listener, void *data) {
	struct toplevel_entry *entry = wl_container_of(listener, entry, output_destroy);
	entry_forget_output(entry); // wlroots tells task bars itself
}

static void listen(
		struct wl_listener *listener, wl_notify_func_t notify, struct wl_signal *signal) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

static void entry_create(struct view *view) {
	struct toplevel_entry *entry = calloc(1, sizeof(*entry));
	if (entry == NULL) {
		return;
	}
	view->entry = entry;
	entry->view = view;
	entry->output_destroy.notify = entry_handle_output_destroy;
	wl_list_init(&entry->output_destroy.link);
}

static void entry_create_handle(struct toplevels *toplevels, struct toplevel_entry *entry) {
	struct wlr_foreign_toplevel_handle_v1 *handle =
			wlr_foreign_toplevel_handle_v1_create(toplevels->manager);
	if (handle == NULL) {
		return;
	}
	entry->handle = handle;
	listen(&entry->request_maximize, entry_handle_request_maximize,
			&handle->events.request_maximize);
	listen(&entry->request_minimize, entry_handle_request_minimize,
			&handle->events.request_minimize);
	listen(&entry->request_activate, entry_handle_request_activate,
			&handle->events.request_activate);
	listen(&entry->request_fullscreen, entry_handle_request_fullscreen,
			&handle->events.request_fullscreen);
	listen(&entry->request_close, entry_handle_request_close, &handle->events.request_close);
}

static void entry_update_names(struct toplevel_entry *entry) {
	const struct window *window = &entry->view->window;
	char title[sizeof(window->title) + LIMIT_VM_NAME_BYTES + 4];
	if (window->vm != NULL) {
		snprintf(title, sizeof(title), "[%s] %s", window->vm->mark.name, window->title);
	} else {
		snprintf(title, sizeof(title), "%s", window->title);
	}
	struct wlr_foreign_toplevel_handle_v1 *handle = entry->handle;
	if (handle->title == NULL || strcmp(handle->title, title) != 0) {
		wlr_foreign_toplevel_handle_v1_set_title(handle, title);
	}
	if (handle->app_id == NULL || strcmp(handle->app_id, window->app_id) != 0) {
		wlr_foreign_toplevel_handle_v1_set_app_id(handle, window->app_id);
	}
}

static void entry_update_output(struct toplevel_entry *entry) {
	struct output *output = entry->view->output;
	struct wlr_output *wlr_output = output != NULL ? output->wlr_output : NULL;
	if (entry->output == wlr_output) {
		return;
	}
	if (entry->output != NULL) {
		wlr_foreign_toplevel_handle_v1_output_leave(entry->handle, entry->output);
		entry_forget_output(entry);
	}
	if (wlr_output != NULL) {
		entry->output = wlr_output;
		wl_signal_add(&wlr_output->events.destroy, &entry->output_destroy);
		wlr_foreign_toplevel_handle_v1_output_enter(entry->handle, wlr_output);
	}
}

static void entry_update_parent(struct toplevel_entry *entry) {
	struct wlr_xdg_toplevel *parent = entry->view->toplevel->parent;
	struct view *view = parent != NULL ? view_from_surface(parent->base->surface) : NULL;
	struct wlr_foreign_toplevel_handle_v1 *handle =
			view != NULL && view->entry != NULL ? view->entry->handle : NULL;
	if (entry->handle->parent != handle) {
		wlr_foreign_toplevel_handle_v1_set_parent(entry->handle, handle);
	}
}

static void entry_tell(struct toplevel_entry *entry) {
	uint32_t flags = entry->view->window.flags;
	entry->dirty = false;
	entry_update_names(entry);
	entry_update_output(entry);
	entry_update_parent(entry);
	wlr_foreign_toplevel_handle_v1_set_maximized(entry->handle, flags & WINDOW_MAXIMIZED);
	wlr_foreign_toplevel_handle_v1_set_minimized(entry->handle, flags & WINDOW_MINIMIZED);
	wlr_foreign_toplevel_handle_v1_set_activated(entry->handle, flags & WINDOW_FOCUSED);
	wlr_foreign_toplevel_handle_v1_set_fullscreen(entry->handle, flags & WINDOW_FULLSCREEN);
}

static bool toplevels_are_read(const struct toplevels *toplevels) {
	struct wl_resource *resource;
	wl_resource_for_each(resource, &toplevels->manager->resources) {
		if (!client_reads(wl_resource_get_client(resource))) {
			return false;
		}
	}
	return true;
}

/* wlroots tells all task bars at once, so that one that does not read makes the others wait. */
static void toplevels_handle_idle(void *data) {
	struct toplevels *toplevels = data;
	toplevels->idle = NULL;
	if (!toplevels_are_read(toplevels)) {
		wl_event_source_timer_update(toplevels->again, READS_AGAIN_MS);
		return;
	}
	struct view *view;
	wl_list_for_each(view, &toplevels->server->views, link) {
		if (view->entry != NULL && view->entry->handle == NULL) {
			entry_create_handle(toplevels, view->entry);
		}
	}
	wl_list_for_each(view, &toplevels->server->views, link) {
		if (view->entry != NULL && view->entry->handle != NULL && view->entry->dirty) {
			entry_tell(view->entry);
		}
	}
}

static void toplevels_schedule(struct toplevels *toplevels) {
	if (toplevels->idle == NULL) {
		toplevels->idle = wl_event_loop_add_idle(
				toplevels->server->loop, toplevels_handle_idle, toplevels);
	}
}

static int toplevels_handle_again(void *data) {
	toplevels_schedule(data);
	return 0;
}

void toplevels_update(struct view *view) {
	if (view->entry == NULL) {
		entry_create(view);
	}
	if (view->entry != NULL) {
		view->entry->dirty = true;
		toplevels_schedule(view->window.server->toplevels);
	}
}

void toplevels_remove(struct view *view) {
	struct toplevel_entry *entry = view->entry;
	if (entry == NULL) {
		return;
	}
	view->entry = NULL;
	entry_forget_output(entry);
	if (entry->handle != NULL) {
		wl_list_remove(&entry->request_maximize.link);
		wl_list_remove(&entry->request_minimize.link);
		wl_list_remove(&entry->request_activate.link);
		wl_list_remove(&entry->request_fullscreen.link);
		wl_list_remove(&entry->request_close.link);
		wlr_foreign_toplevel_handle_v1_destroy(entry->handle);
	}
	free(entry);
}

struct toplevels *toplevels_create(struct server *server) {
	struct toplevels *toplevels = calloc(1, sizeof(*toplevels));
	if (toplevels == NULL) {
		return NULL;
	}
	toplevels->server = server;
	toplevels->again =
			wl_event_loop_add_timer(server->loop, toplevels_handle_again, toplevels);
	toplevels->manager = wlr_foreign_toplevel_manager_v1_create(server->display);
	if (toplevels->again == NULL || toplevels->manager == NULL) {
		toplevels_destroy(toplevels);
		return NULL;
	}
	return toplevels;
}

void toplevels_destroy(struct toplevels *toplevels) {
	if (toplevels == NULL) {
		return;
	}
	if (toplevels->idle != NULL) {
		wl_event_source_remove(toplevels->idle);
	}
	if (toplevels->again != NULL) {
		wl_event_source_remove(toplevels->again);
	}
	free(toplevels);
}
