/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/view.h"

#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_xdg_shell.h>
#include <wlr/util/edges.h>

#include "guivm-server/carry.h"
#include "guivm-server/focus.h"
#include "guivm-server/output.h"
#include "guivm-server/place.h"
#include "guivm-server/popup.h"
#include "guivm-server/server.h"
#include "guivm-server/shortcuts.h"
#include "guivm-server/vm.h"

#define MAX_NEIGHBOURS 64 // windows that placement looks at
#define FULLSCREEN_NOTICE "wants fullscreen: Super+F allows"

struct view *view_from_window(struct window *window) {
	if (window == NULL || window->frame_state.kind == FRAME_POPUP ||
			window->frame_state.kind == FRAME_ICON) {
		return NULL;
	}
	return window->owner;
}

struct view *view_from_surface(struct wlr_surface *surface) {
	while (surface != NULL) {
		struct wlr_surface *root = wlr_surface_get_root_surface(surface);
		struct wlr_xdg_popup *popup = wlr_xdg_popup_try_from_wlr_surface(root);
		if (popup == NULL) {
			return view_from_window(window_from_surface(root));
		}
		surface = popup->parent;
	}
	return NULL;
}

bool view_same_domain(const struct view *a, const struct view *b) {
	return vm_same_domain(window_client(&a->window), window_client(&b->window));
}

static int clamp(int value, int low, int high) {
	return value < low ? low : value > high ? high : value;
}

static bool view_can_configure(const struct view *view) {
	return view->toplevel->base->initialized;
}

static struct frame_insets view_kind_insets(const struct view *view, enum frame_kind kind) {
	return server_frame_insets(view->window.server, kind);
}

static void view_find_output(struct view *view) {
	const struct wlr_box *box = &view->window.box;
	view->output = output_at(view->window.server, box->x + box->width / 2.0, box->y);
}

void view_move(struct view *view, int x, int y) {
	struct wlr_box box = view->window.box;
	box.x = clamp(x, -INT16_MAX, INT16_MAX);
	box.y = clamp(y, -INT16_MAX, INT16_MAX);
	struct output *output = output_at(view->window.server, box.x + box.width / 2.0, box.y);
	if (output != NULL && !view->fullscreen && !view->pinned) {
		struct frame_insets insets = view_kind_insets(view, FRAME_TOPLEVEL);
		place_reachable(&box, &insets, &output->usable);
		place_on_pixels(&box, &output->box, output->wlr_output->scale);
	}
	window_set_position(&view->window, box.x, box.y);
	view_find_output(view);
	popups_parent_moved(&view->window);
}

void view_pin(struct view *view, int x, int y) {
	view->placed = view->pinned = true;
	view_move(view, x, y);
}

/*
 * A floating window is no larger than its output has room for: it could fill another output with
 * its content and have no frame there.
 */
static void view_max_size(const struct view *view, int *width, int *height) {
	*width = *height = LIMIT_BUFFER_SIDE_PX;
	if (view->output != NULL && !view->window.server->bare_windows) {
		struct frame_insets insets = view_kind_insets(view, FRAME_TOPLEVEL);
		struct wlr_box area = place_inset(&view->output->usable, &insets);
		*width = clamp(area.width, VIEW_MIN_WIDTH, LIMIT_BUFFER_SIDE_PX);
		*height = clamp(area.height, VIEW_MIN_HEIGHT, LIMIT_BUFFER_SIDE_PX);
	}
}

static void view_limit_size(const struct view *view, int *width, int *height) {
	const struct wlr_xdg_toplevel_state *hints = &view->toplevel->current;
	int max_width = hints->max_width > 0 ? hints->max_width : LIMIT_BUFFER_SIDE_PX;
	int max_height = hints->max_height > 0 ? hints->max_height : LIMIT_BUFFER_SIDE_PX;
	*width = clamp(*width, hints->min_width, max_width);
	*height = clamp(*height, hints->min_height, max_height);
	bool bare = view->window.server->bare_windows;
	view_max_size(view, &max_width, &max_height);
	*width = clamp(*width, bare ? 1 : VIEW_MIN_WIDTH, max_width);
	*height = clamp(*height, bare ? 1 : VIEW_MIN_HEIGHT, max_height);
}

/* The box follows when the client commits. */
static void view_resize(struct view *view, int width, int height) {
	view_limit_size(view, &width, &height);
	if (view_can_configure(view)) {
		view->resize_serial = wlr_xdg_toplevel_set_size(view->toplevel, width, height);
	}
}

void view_resize_to(struct view *view, uint32_t edges, const struct wlr_box *target) {
	struct wlr_box box = *target;
	view_limit_size(view, &box.width, &box.height);
	if (edges & WLR_EDGE_LEFT) {
		box.x = target->x + target->width - box.width;
	}
	if (edges & WLR_EDGE_TOP) {
		box.y = target->y + target->height - box.height;
	}
	if (!view->resizing && view_can_configure(view)) {
		wlr_xdg_toplevel_set_resizing(view->toplevel, true);
	}
	view->resizing = true;
	view->resize_edges = edges;
	view->resize_target = box;
	view_resize(view, box.width, box.height);
}

void view_resize_end(struct view *view) {
	if (view->resizing) {
		view->resizing = false;
		if (view_can_configure(view)) {
			view->resize_serial = wlr_xdg_toplevel_set_resizing(view->toplevel, false);
		}
	}
}

/*
 * While the left or top side moves, the other one stays where it is whatever size the client chose.
 */
static void view_follow_resize(struct view *view) {
	if (view->resize_edges == WLR_EDGE_NONE) {
		return;
	}
	const struct wlr_box *target = &view->resize_target;
	struct wlr_box box = view->window.box;
	if (view->resize_edges & WLR_EDGE_LEFT) {
		box.x = target->x + target->width - box.width;
	}
	if (view->resize_edges & WLR_EDGE_TOP) {
		box.y = target->y + target->height - box.height;
	}
	view_move(view, box.x, box.y);
	uint32_t acked = view->toplevel->base->current.configure_serial;
	if (!view->resizing && (int32_t)(acked - view->resize_serial) >= 0) {
		view->resize_edges = WLR_EDGE_NONE;
	}
}

/* The content box that the state asks for; false when the window floats. */
static bool view_state_box(const struct view *view, struct wlr_box *box) {
	if (view->output == NULL || !(view->maximized || view->fullscreen)) {
		return false;
	}
	enum frame_kind kind = view->fullscreen ? FRAME_FULLSCREEN : FRAME_TOPLEVEL;
	struct frame_insets insets = view_kind_insets(view, kind);
	*box = place_inset(view->fullscreen ? &view->output->box : &view->output->usable, &insets);
	return true;
}

static void view_apply_geometry(struct view *view) {
	struct window *window = &view->window;
	struct wlr_box box;
	if (view_state_box(view, &box)) {
		window->limits.min_width = window->limits.max_width =
				clamp(box.width, 1, LIMIT_BUFFER_SIDE_PX);
		window->limits.min_height = window->limits.max_height =
				clamp(box.height, 1, LIMIT_BUFFER_SIDE_PX);
	} else {
		window->limits.min_width = VIEW_MIN_WIDTH;
		window->limits.min_height = VIEW_MIN_HEIGHT;
		view_max_size(view, &window->limits.max_width, &window->limits.max_height);
	}
	window_set_geometry(window, &view->toplevel->base->geometry);
}

/*
 * Makes frame, place and size what maximised and fullscreen say. restore: the box to go back to
 * when neither.
 */
static void view_apply_state(struct view *view) {
	struct window *window = &view->window;
	window->frame_state.maximized = view->maximized;
	window_set_kind(window, view->fullscreen ? FRAME_FULLSCREEN : FRAME_TOPLEVEL);
	window_set_flag(window, WINDOW_MAXIMIZED, view->maximized);
	window_set_flag(window, WINDOW_FULLSCREEN, view->fullscreen);
	window_update_frame(window);
	if (view->output == NULL) {
		view_find_output(view);
	}
	struct wlr_box box = view->restore;
	bool managed = view_state_box(view, &box);
	view_apply_geometry(view);
	if (managed || !wlr_box_empty(&view->restore)) {
		struct output *output = view->output;
		window_set_position(window, box.x, box.y);
		view->output = output;
	}
	if (view_can_configure(view)) {
		wlr_xdg_toplevel_set_maximized(view->toplevel, view->maximized);
		wlr_xdg_toplevel_set_fullscreen(view->toplevel, view->fullscreen);
		wlr_xdg_toplevel_set_size(view->toplevel, box.width, box.height);
	}
	if (!managed) {
		view->restore = (struct wlr_box){0};
		view_move(view, window->box.x, window->box.y);
	}
	focus_restack(window->server, NULL);
}

static void view_remember_box(struct view *view) {
	if (!view->maximized && !view->fullscreen && view->window.mapped) {
		view->restore = view->window.box;
	}
	view->resize_edges = WLR_EDGE_NONE;
	view->resizing = false;
}

void view_set_maximized(struct view *view, bool maximized) {
	if (view->maximized != maximized) {
		view_remember_box(view);
		view->maximized = maximized;
		view_apply_state(view);
	}
}

void view_show_notice(struct view *view, const char *notice) {
	view->window.frame_state.notice = notice != NULL ? notice
		: view->fullscreen_wanted ? FULLSCREEN_NOTICE : NULL;
	window_update_frame(&view->window);
}

static void view_set_fullscreen_wanted(struct view *view, bool wanted) {
	view->fullscreen_wanted = wanted;
	view_show_notice(view, NULL);
}

void view_set_fullscreen(struct view *view, bool fullscreen) {
	view_set_fullscreen_wanted(view, false);
	if (view->fullscreen != fullscreen) {
		view_remember_box(view);
		view->fullscreen = fullscreen;
		view_apply_state(view);
	}
}

void view_allow_fullscreen(struct view *view) {
	if (view->fullscreen_wanted) {
		view_set_fullscreen(view, true);
	} else if (view->fullscreen) {
		view_set_fullscreen(view, false);
	}
}

static enum vmset_policy view_fullscreen_policy(const struct view *view) {
	return view->window.vm != NULL ? view->window.vm->config->fullscreen : VMSET_ALLOW;
}

void view_request_fullscreen(struct view *view, bool fullscreen) {
	if (!fullscreen) {
		view_set_fullscreen(view, false);
		return;
	}
	enum vmset_policy policy = view_fullscreen_policy(view);
	/* A window that the user is not working with does not get to cover the screen. */
	bool focused = focus_view(view->window.server) == view || !view->window.mapped;
	if (policy == VMSET_ALLOW && focused) {
		view_set_fullscreen(view, true);
	} else if (policy != VMSET_DENY && !view->fullscreen) {
		view_set_fullscreen_wanted(view, true);
	}
}

void view_set_minimized(struct view *view, bool minimized) {
	if (view->minimized == minimized) {
		return;
	}
	view->minimized = minimized;
	wlr_scene_node_set_enabled(&view->window.tree->node, view->window.mapped && !minimized);
	window_set_flag(&view->window, WINDOW_MINIMIZED, minimized);
	if (view_can_configure(view)) {
		wlr_xdg_toplevel_set_suspended(view->toplevel, minimized);
	}
	if (minimized) {
		focus_drop_view(view->window.server, view);
	}
}

void view_set_attention(struct view *view, bool attention) {
	if (view->attention != attention) {
		view->attention = attention;
		view->window.frame_state.attention = attention;
		window_update_frame(&view->window);
	}
}

void view_set_active(struct view *view, bool active) {
	view->window.frame_state.active = active;
	window_update_frame(&view->window);
	window_set_flag(&view->window, WINDOW_FOCUSED, active);
	if (view_can_configure(view)) {
		wlr_xdg_toplevel_set_activated(view->toplevel, active);
	}
}

void view_close(struct view *view) {
	wlr_xdg_toplevel_send_close(view->toplevel);
}

void view_arrange(struct view *view) {
	if (view->output == NULL) {
		view_find_output(view);
	}
	/* Without any output that is on, windows stay as they are until one is. */
	if (view->output == NULL || !view->window.mapped) {
		return;
	}
	if (view->maximized || view->fullscreen) {
		view_apply_state(view);
	} else {
		view_apply_geometry(view); // there may be more room now, or less
		view_move(view, view->window.box.x, view->window.box.y);
	}
}

void view_arrange_all(struct server *server) {
	struct view *view;
	wl_list_for_each(view, &server->views, link) {
		view_arrange(view);
	}
}

/* Beside the windows that are there: one that does not get the focus is not to be hidden either. */
static void view_place_beside(
		struct view *view, struct wlr_box *box, const struct frame_insets *insets) {
	struct wlr_box others[MAX_NEIGHBOURS];
	size_t n = 0;
	struct view *other;
	wl_list_for_each(other, &view->window.server->views, link) {
		if (other == view || !other->window.mapped || other->minimized ||
				n == MAX_NEIGHBOURS) {
			continue;
		}
		struct frame_insets reach = window_insets(&other->window);
		others[n++] = (struct wlr_box){
			.x = other->window.box.x - reach.left,
			.y = other->window.box.y - reach.top,
			.width = other->window.box.width + reach.left + reach.right,
			.height = other->window.box.height + reach.top + reach.bottom,
		};
	}
	place_beside(box, insets, &view->output->usable, others, n);
}

static void view_place(struct view *view) {
	struct server *server = view->window.server;
	view->output = output_current(server);
	view->placed = true;
	if (view->output == NULL) {
		return;
	}
	struct wlr_box box = view->window.box;
	struct frame_insets insets = view_kind_insets(view, FRAME_TOPLEVEL);
	struct view *parent = view->toplevel->parent != NULL
		? view_from_surface(view->toplevel->parent->base->surface) : NULL;
	if (parent != NULL && parent->window.mapped && parent->output != NULL) {
		view->output = parent->output;
		place_over(&box, &parent->window.box);
		place_inside(&box, &insets, &view->output->usable);
	} else {
		place_cascade(&box, &insets, &view->output->usable, server->n_placed++);
		view_place_beside(view, &box, &insets);
	}
	struct output *output = view->output;
	window_set_position(&view->window, box.x, box.y);
	view->output = output;
}

void view_map(struct view *view) {
	view_apply_geometry(view);
	if (!view->placed) {
		view_place(view);
	}
	if (view->maximized || view->fullscreen) {
		view->restore = view->window.box;
		view_apply_state(view);
	} else {
		view_arrange(view);
	}
	window_set_mapped(&view->window, true);
	focus_map_view(view->window.server, view);
	if (view->fullscreen && focus_view(view->window.server) != view) {
		/* Asked for before it was shown, by a VM that the user is not working with. */
		view_set_fullscreen(view, false);
		view_set_fullscreen_wanted(view, true);
	}
}

void view_unmap(struct view *view) {
	window_set_mapped(&view->window, false);
	shortcuts_forget_view(view->window.server, view);
	carry_forget_view(view->window.server, view);
	focus_drop_view(view->window.server, view);
	view_set_attention(view, false);
	view_set_fullscreen_wanted(view, false);
	view->had_focus = false;
	view->minimized = view->maximized = view->fullscreen = false;
	view->placed = view->pinned;
	view->resize_edges = WLR_EDGE_NONE;
	view->resizing = false;
	view->restore = (struct wlr_box){0};
	view->window.flags = 0;
	view->window.frame_state.maximized = false;
	window_set_kind(&view->window, FRAME_TOPLEVEL);
}

static void view_configure_first(struct view *view) {
	struct wlr_xdg_toplevel *toplevel = view->toplevel;
	wlr_xdg_toplevel_set_wm_capabilities(
			toplevel, WLR_XDG_TOPLEVEL_WM_CAPABILITIES_MAXIMIZE |
						  WLR_XDG_TOPLEVEL_WM_CAPABILITIES_FULLSCREEN |
						  WLR_XDG_TOPLEVEL_WM_CAPABILITIES_MINIMIZE);
	view->output = output_current(view->window.server);
	if (view->output != NULL) {
		struct frame_insets insets = view_kind_insets(view, FRAME_TOPLEVEL);
		struct wlr_box area = place_inset(&view->output->usable, &insets);
		wlr_xdg_toplevel_set_bounds(toplevel, area.width, area.height);
	}
	if (toplevel->requested.fullscreen) {
		view_request_fullscreen(view, true);
	} else if (toplevel->requested.maximized) {
		view_set_maximized(view, true);
	}
	wlr_xdg_surface_schedule_configure(toplevel->base);
}

/*
 * Without a window geometry of its own, a window is what its surfaces cover. When a subsurface
 * grows out of it to the left or the top, the window grows there and its main surface stays.
 */
static void view_follow_extents(struct view *view, const struct wlr_box *before) {
	const struct wlr_box *after = &view->window.geometry, *box = &view->window.box;
	if (wlr_box_empty(&view->toplevel->base->current.geometry) && !view->maximized &&
			!view->fullscreen && view->resize_edges == WLR_EDGE_NONE &&
			(after->x != before->x || after->y != before->y)) {
		view_move(view, box->x + after->x - before->x, box->y + after->y - before->y);
	}
}

void view_commit(struct view *view) {
	if (view->toplevel->base->initial_commit) {
		view_configure_first(view);
		return;
	}
	if (!view->window.mapped) {
		return;
	}
	struct wlr_box before = view->window.box, geometry_before = view->window.geometry;
	view_apply_geometry(view);
	view_follow_extents(view, &geometry_before);
	view_follow_resize(view);
	bool resized = before.width != view->window.box.width ||
		       before.height != view->window.box.height;
	if (resized && !view->maximized && !view->fullscreen &&
			view->resize_edges == WLR_EDGE_NONE) {
		view_arrange(view);
	}
}
