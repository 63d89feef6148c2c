/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/idle.h"

#include <stdlib.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_idle_inhibit_v1.h>
#include <wlr/types/wlr_idle_notify_v1.h>

#include "guivm-server/server.h"
#include "guivm-server/window.h"

struct idle {
	struct server *server;
	struct wlr_idle_notifier_v1 *notifier;
	struct wlr_idle_inhibit_manager_v1 *inhibit;
	bool inhibited;
	struct wl_listener new_inhibitor;
};

/* Follows one zwp_idle_inhibitor_v1. */
struct inhibitor {
	struct idle *idle;
	struct wlr_idle_inhibitor_v1 *wlr_inhibitor;
	struct wl_listener destroy;
};

static bool inhibitor_counts(const struct wlr_idle_inhibitor_v1 *inhibitor) {
	const struct window *window = window_from_surface(inhibitor->surface);
	return window != NULL && window->mapped && !(window->flags & WINDOW_MINIMIZED) &&
		inhibitor->surface->mapped;
}

static void idle_update_but(struct idle *idle, const struct wlr_idle_inhibitor_v1 *gone) {
	bool inhibited = false;
	struct wlr_idle_inhibitor_v1 *inhibitor;
	wl_list_for_each(inhibitor, &idle->inhibit->inhibitors, link) {
		inhibited = inhibited || (inhibitor != gone && inhibitor_counts(inhibitor));
	}
	if (inhibited != idle->inhibited) {
		idle->inhibited = inhibited;
		wlr_idle_notifier_v1_set_inhibited(idle->notifier, inhibited);
	}
}

void idle_update(struct server *server) {
	if (server->idle != NULL && !server->terminating) {
		idle_update_but(server->idle, NULL);
	}
}

void idle_notify_activity(struct server *server) {
	if (server->idle != NULL) {
		wlr_idle_notifier_v1_notify_activity(server->idle->notifier, server->wlr_seat);
	}
}

static void inhibitor_handle_destroy(struct wl_listener *listener, void *data) {
	struct inhibitor *inhibitor = wl_container_of(listener, inhibitor, destroy);
	wl_list_remove(&inhibitor->destroy.link);
	if (!inhibitor->idle->server->terminating) {
		idle_update_but(inhibitor->idle, inhibitor->wlr_inhibitor);
	}
	free(inhibitor);
}

static void idle_handle_new_inhibitor(struct wl_listener *listener, void *data) {
	struct idle *idle = wl_container_of(listener, idle, new_inhibitor);
	struct wlr_idle_inhibitor_v1 *wlr_inhibitor = data;
	struct inhibitor *inhibitor = calloc(1, sizeof(*inhibitor));
	if (inhibitor == NULL) {
		wl_resource_post_no_memory(wlr_inhibitor->resource);
		return;
	}
	inhibitor->idle = idle;
	inhibitor->wlr_inhibitor = wlr_inhibitor;
	inhibitor->destroy.notify = inhibitor_handle_destroy;
	wl_signal_add(&wlr_inhibitor->events.destroy, &inhibitor->destroy);
	idle_update(idle->server);
}

struct idle *idle_create(struct server *server) {
	struct idle *idle = calloc(1, sizeof(*idle));
	if (idle == NULL) {
		return NULL;
	}
	idle->server = server;
	idle->notifier = wlr_idle_notifier_v1_create(server->display);
	idle->inhibit = wlr_idle_inhibit_v1_create(server->display);
	if (idle->notifier == NULL || idle->inhibit == NULL) {
		free(idle);
		return NULL;
	}
	idle->new_inhibitor.notify = idle_handle_new_inhibitor;
	wl_signal_add(&idle->inhibit->events.new_inhibitor, &idle->new_inhibitor);
	return idle;
}

void idle_destroy(struct idle *idle) {
	if (idle != NULL) {
		wl_list_remove(&idle->new_inhibitor.link);
		free(idle);
	}
}
