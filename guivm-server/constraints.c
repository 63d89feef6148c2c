/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/constraints.h"

#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_pointer.h>
#include <wlr/types/wlr_pointer_constraints_v1.h>
#include <wlr/types/wlr_relative_pointer_v1.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/util/region.h>

#include "guivm-server/cursor.h"
#include "guivm-server/server.h"
#include "guivm-server/window.h"

struct constraints {
	struct server *server;
	struct wlr_pointer_constraints_v1 *manager;
	struct wlr_relative_pointer_manager_v1 *relative;
	struct wlr_pointer_constraint_v1 *active; // NULL: none
	struct wl_listener new_constraint, active_destroy;
};

static void constraints_release(struct constraints *constraints) {
	constraints->active = NULL;
	wl_list_remove(&constraints->active_destroy.link);
	wl_list_init(&constraints->active_destroy.link);
}

static void constraints_warp_to_hint(
		struct constraints *constraints, const struct wlr_pointer_constraint_v1 *active) {
	const struct window *window = window_from_surface(active->surface);
	double x = active->current.cursor_hint.x, y = active->current.cursor_hint.y;
	if (!active->current.cursor_hint.enabled || window == NULL ||
			window->surface != active->surface) {
		return;
	}
	/* Only to a place inside the window: a client does not get to point elsewhere. */
	x -= window->geometry.x;
	y -= window->geometry.y;
	if (x >= 0 && y >= 0 && x < window->box.width && y < window->box.height) {
		cursor_warp(constraints->server, window->box.x + x, window->box.y + y);
	}
}

static void constraints_handle_active_destroy(struct wl_listener *listener, void *data) {
	struct constraints *constraints = wl_container_of(listener, constraints, active_destroy);
	struct wlr_pointer_constraint_v1 *active = constraints->active;
	constraints_release(constraints);
	constraints_warp_to_hint(constraints, active);
}

void constraints_update(struct server *server) {
	struct constraints *constraints = server->constraints;
	if (constraints == NULL || server->terminating) {
		return;
	}
	struct wlr_seat *seat = server->wlr_seat;
	struct wlr_surface *surface = seat->pointer_state.focused_surface;
	const struct window *pointed = window_from_surface(surface);
	bool focused = pointed != NULL &&
		pointed == window_from_surface(seat->keyboard_state.focused_surface);
	struct wlr_pointer_constraint_v1 *wanted =
			focused ? wlr_pointer_constraints_v1_constraint_for_surface(
						  constraints->manager, surface, seat)
				: NULL;
	struct wlr_pointer_constraint_v1 *old = constraints->active;
	if (wanted == old) {
		return;
	}
	if (old != NULL) {
		constraints_release(constraints);
		wlr_pointer_constraint_v1_send_deactivated(old); // destroys one-shot ones
	}
	if (wanted != NULL) {
		constraints->active = wanted;
		wl_signal_add(&wanted->events.destroy, &constraints->active_destroy);
		wlr_pointer_constraint_v1_send_activated(wanted);
	}
}

static void constraints_handle_new(struct wl_listener *listener, void *data) {
	struct constraints *constraints = wl_container_of(listener, constraints, new_constraint);
	constraints_update(constraints->server);
}

void constraints_send_relative(
		struct server *server, const struct wlr_pointer_motion_event *event) {
	wlr_relative_pointer_manager_v1_send_relative_motion(server->constraints->relative,
			server->wlr_seat, (uint64_t)event->time_msec * 1000, event->delta_x,
			event->delta_y, event->unaccel_dx, event->unaccel_dy);
}

static bool constraints_confine(struct server *server, struct wlr_pointer_constraint_v1 *active,
		double *dx, double *dy) {
	/* The region is empty until its first commit: then the surface's input region counts. */
	const pixman_region32_t *region = pixman_region32_not_empty(&active->region)
		? &active->region : &active->surface->input_region;
	double x = server->wlr_seat->pointer_state.sx, y = server->wlr_seat->pointer_state.sy;
	double to_x, to_y;
	if (!wlr_region_confine(region, x, y, x + *dx, y + *dy, &to_x, &to_y)) {
		return true; // outside already, such as after a resize: let it move
	}
	*dx = to_x - x;
	*dy = to_y - y;
	return true;
}

bool constraints_apply(struct server *server, double *dx, double *dy) {
	struct wlr_pointer_constraint_v1 *active = server->constraints->active;
	enum cursor_mode mode = server->cursor->mode;
	if (active == NULL || (mode != CURSOR_PASSTHROUGH && mode != CURSOR_CLIENT)) {
		return true;
	}
	if (active->type == WLR_POINTER_CONSTRAINT_V1_LOCKED) {
		return false;
	}
	return constraints_confine(server, active, dx, dy);
}

bool constraints_is_locked(const struct server *server) {
	const struct wlr_pointer_constraint_v1 *active = server->constraints->active;
	return active != NULL && active->type == WLR_POINTER_CONSTRAINT_V1_LOCKED;
}

struct constraints *constraints_create(struct server *server) {
	struct constraints *constraints = calloc(1, sizeof(*constraints));
	if (constraints == NULL) {
		return NULL;
	}
	constraints->server = server;
	constraints->manager = wlr_pointer_constraints_v1_create(server->display);
	constraints->relative = wlr_relative_pointer_manager_v1_create(server->display);
	if (constraints->manager == NULL || constraints->relative == NULL) {
		free(constraints);
		return NULL;
	}
	constraints->active_destroy.notify = constraints_handle_active_destroy;
	wl_list_init(&constraints->active_destroy.link);
	constraints->new_constraint.notify = constraints_handle_new;
	wl_signal_add(&constraints->manager->events.new_constraint, &constraints->new_constraint);
	return constraints;
}

void constraints_destroy(struct constraints *constraints) {
	if (constraints != NULL) {
		wl_list_remove(&constraints->new_constraint.link);
		wl_list_remove(&constraints->active_destroy.link);
		free(constraints);
	}
}
