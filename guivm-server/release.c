/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/release.h"

#include <stdlib.h>
#include <wlr/types/wlr_buffer.h>
#include <wlr/types/wlr_compositor.h>

#include "guivm-server/server.h"

struct releases {
	struct wl_list waiting; // struct hold.link
	struct wl_list idle; // struct hold.link
	struct wl_listener new_surface;
};

/* Of one surface. */
struct hold {
	struct wl_list link; // struct releases.waiting or .idle
	struct releases *releases;
	struct wlr_surface *surface;
	struct wlr_buffer *buffer; // locked until the frame callback, NULL: none
	bool waiting; // for the frame callback of the last commit
	struct wl_listener client_commit;
	struct wl_listener destroy;
};

static void hold_move(struct hold *hold, bool waiting) {
	wl_list_remove(&hold->link);
	wl_list_insert(waiting ? &hold->releases->waiting : &hold->releases->idle, &hold->link);
	hold->waiting = waiting;
}

static void hold_let_go(struct hold *hold) {
	wlr_buffer_unlock(hold->buffer);
	hold->buffer = NULL;
	hold_move(hold, false);
}

/* The pending state is not applied yet: surface->buffer is what will be replaced. */
static void hold_handle_client_commit(struct wl_listener *listener, void *data) {
	struct hold *hold = wl_container_of(listener, hold, client_commit);
	struct wlr_surface *surface = hold->surface;
	bool ahead = hold->waiting;
	hold_let_go(hold);
	if (wl_list_empty(&surface->pending.frame_callback_list)) {
		return;
	}
	hold_move(hold, true);
	struct wlr_buffer *buffer = surface->buffer != NULL ? surface->buffer->source : NULL;
	bool replaced = (surface->pending.committed & WLR_SURFACE_STATE_BUFFER) != 0;
	// One without locks was released already, which must not be said twice.
	if (!ahead && replaced && buffer != NULL && buffer->n_locks > 0) {
		hold->buffer = wlr_buffer_lock(buffer);
	}
}

static void hold_destroy(struct hold *hold) {
	wlr_buffer_unlock(hold->buffer);
	wl_list_remove(&hold->link);
	wl_list_remove(&hold->client_commit.link);
	wl_list_remove(&hold->destroy.link);
	free(hold);
}

static void hold_handle_destroy(struct wl_listener *listener, void *data) {
	struct hold *hold = wl_container_of(listener, hold, destroy);
	hold_destroy(hold);
}

static void releases_handle_new_surface(struct wl_listener *listener, void *data) {
	struct releases *releases = wl_container_of(listener, releases, new_surface);
	struct hold *hold = calloc(1, sizeof(*hold));
	if (hold == NULL) {
		return; // its releases come early
	}
	hold->releases = releases;
	hold->surface = data;
	wl_list_insert(&releases->idle, &hold->link);
	hold->client_commit.notify = hold_handle_client_commit;
	wl_signal_add(&hold->surface->events.client_commit, &hold->client_commit);
	hold->destroy.notify = hold_handle_destroy;
	wl_signal_add(&hold->surface->events.destroy, &hold->destroy);
}

struct releases *releases_create(struct server *server) {
	struct releases *releases = calloc(1, sizeof(*releases));
	if (releases == NULL) {
		return NULL;
	}
	wl_list_init(&releases->waiting);
	wl_list_init(&releases->idle);
	releases->new_surface.notify = releases_handle_new_surface;
	wl_signal_add(&server->compositor->events.new_surface, &releases->new_surface);
	return releases;
}

void releases_destroy(struct releases *releases) {
	if (releases == NULL) {
		return;
	}
	struct hold *hold, *next;
	wl_list_for_each_safe(hold, next, &releases->waiting, link) {
		hold_destroy(hold);
	}
	wl_list_for_each_safe(hold, next, &releases->idle, link) {
		hold_destroy(hold);
	}
	wl_list_remove(&releases->new_surface.link);
	free(releases);
}

void releases_handle_frame(struct releases *releases) {
	struct hold *hold, *next;
	wl_list_for_each_safe(hold, next, &releases->waiting, link) {
		hold_let_go(hold);
	}
}
