/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/xdg.h"

#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "guivm-server/decoration.h"
#include "guivm-server/cursor.h"
#include "guivm-server/popup.h"
#include "guivm-server/seat.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"

#define XDG_SHELL_VERSION 7

struct xdg {
	struct server *server;
	struct wlr_xdg_shell *shell;
	struct wl_listener new_toplevel, new_popup;
};

static void view_handle_map(struct wl_listener *listener, void *data) {
	struct view *view = wl_container_of(listener, view, map);
	view_map(view);
	cursor_refresh(view->window.server);
}

static void view_handle_unmap(struct wl_listener *listener, void *data) {
	struct view *view = wl_container_of(listener, view, unmap);
	cursor_forget_view(view->window.server, view);
	view_unmap(view);
	cursor_refresh(view->window.server);
}

static void view_handle_commit(struct wl_listener *listener, void *data) {
	struct view *view = wl_container_of(listener, view, commit);
	if (view->toplevel->base->initial_commit) {
		decoration_configure(view->window.server, view->toplevel);
	}
	view_commit(view);
}

static void view_handle_destroy(struct wl_listener *listener, void *data) {
	struct view *view = wl_container_of(listener, view, destroy);
	struct server *server = view->window.server;
	cursor_forget_view(server, view);
	if (view->window.mapped) {
		view_unmap(view);
	}
	wl_list_remove(&view->map.link);
	wl_list_remove(&view->unmap.link);
	wl_list_remove(&view->commit.link);
	wl_list_remove(&view->destroy.link);
	wl_list_remove(&view->request_move.link);
	wl_list_remove(&view->request_resize.link);
	wl_list_remove(&view->request_maximize.link);
	wl_list_remove(&view->request_fullscreen.link);
	wl_list_remove(&view->request_minimize.link);
	wl_list_remove(&view->set_title.link);
	wl_list_remove(&view->set_app_id.link);
	wl_list_remove(&view->link);
	view->toplevel->base->data = NULL;
	popups_forget_window(server, &view->window);
	window_finish(&view->window);
	free(view);
}

/* Only while the user holds a button that was pressed on this very window. */
static bool view_owns_press(struct view *view, uint32_t serial) {
	struct wlr_seat *seat = view->window.server->wlr_seat;
	return view_from_surface(seat->pointer_state.focused_surface) == view &&
		wlr_seat_validate_pointer_grab_serial(seat, NULL, serial);
}

static void view_handle_request_move(struct wl_listener *listener, void *data) {
	struct view *view = wl_container_of(listener, view, request_move);
	const struct wlr_xdg_toplevel_move_event *event = data;
	if (view_owns_press(view, event->serial)) {
		cursor_begin_move(view->window.server, view);
	}
}

static void view_handle_request_resize(struct wl_listener *listener, void *data) {
	struct view *view = wl_container_of(listener, view, request_resize);
	const struct wlr_xdg_toplevel_resize_event *event = data;
	if (view_owns_press(view, event->serial)) {
		cursor_begin_resize(view->window.server, view, event->edges);
	}
}

/*
 * Every request is answered by a configure event, also one that changes nothing: xdg-shell says so.
 */
static void view_answer(struct view *view) {
	if (view->toplevel->base->initialized) {
		wlr_xdg_surface_schedule_configure(view->toplevel->base);
	}
}

static void view_handle_request_maximize(struct wl_listener *listener, void *data) {
	struct view *view = wl_container_of(listener, view, request_maximize);
	if (view->toplevel->base->initialized) {
		view_set_maximized(view, view->toplevel->requested.maximized);
	}
	view_answer(view);
}

static void view_handle_request_fullscreen(struct wl_listener *listener, void *data) {
	struct view *view = wl_container_of(listener, view, request_fullscreen);
	if (view->toplevel->base->initialized) {
		view_request_fullscreen(view, view->toplevel->requested.fullscreen);
	}
	view_answer(view);
}

static void view_handle_request_minimize(struct wl_listener *listener, void *data) {
	struct view *view = wl_container_of(listener, view, request_minimize);
	if (view->window.mapped && view->toplevel->requested.minimized) {
		view_set_minimized(view, true);
	}
}

static void view_handle_set_title(struct wl_listener *listener, void *data) {
	struct view *view = wl_container_of(listener, view, set_title);
	window_set_title(&view->window, view->toplevel->title);
}

static void view_handle_set_app_id(struct wl_listener *listener, void *data) {
	struct view *view = wl_container_of(listener, view, set_app_id);
	window_set_app_id(&view->window, view->toplevel->app_id);
}

static void listen(
		struct wl_listener *listener, wl_notify_func_t notify, struct wl_signal *signal) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

static void view_listen(struct view *view) {
	struct wlr_xdg_toplevel *toplevel = view->toplevel;
	struct wlr_surface *surface = toplevel->base->surface;
	listen(&view->map, view_handle_map, &surface->events.map);
	listen(&view->unmap, view_handle_unmap, &surface->events.unmap);
	listen(&view->commit, view_handle_commit, &surface->events.commit);
	listen(&view->destroy, view_handle_destroy, &toplevel->events.destroy);
	listen(&view->request_move, view_handle_request_move, &toplevel->events.request_move);
	listen(&view->request_resize, view_handle_request_resize, &toplevel->events.request_resize);
	listen(&view->request_maximize, view_handle_request_maximize,
			&toplevel->events.request_maximize);
	listen(&view->request_fullscreen, view_handle_request_fullscreen,
			&toplevel->events.request_fullscreen);
	listen(&view->request_minimize, view_handle_request_minimize,
			&toplevel->events.request_minimize);
	listen(&view->set_title, view_handle_set_title, &toplevel->events.set_title);
	listen(&view->set_app_id, view_handle_set_app_id, &toplevel->events.set_app_id);
}

static void xdg_handle_new_toplevel(struct wl_listener *listener, void *data) {
	struct xdg *xdg = wl_container_of(listener, xdg, new_toplevel);
	struct server *server = xdg->server;
	struct wlr_xdg_toplevel *toplevel = data;
	struct view *view = calloc(1, sizeof(*view));
	if (view == NULL || !window_init(&view->window, server, server->tree_windows,
					    toplevel->base->surface, FRAME_TOPLEVEL)) {
		free(view);
		wl_resource_post_no_memory(toplevel->resource);
		return;
	}
	view->window.owner = view;
	view->toplevel = toplevel;
	view->window.limits.min_width = VIEW_MIN_WIDTH;
	view->window.limits.min_height = VIEW_MIN_HEIGHT;
	toplevel->base->data = &view->window;
	wl_list_insert(server->views.prev, &view->link);
	view_listen(view);
}

static void xdg_handle_new_popup(struct wl_listener *listener, void *data) {
	struct xdg *xdg = wl_container_of(listener, xdg, new_popup);
	struct wlr_xdg_popup *popup = data;
	if (popup->parent != NULL) { // else a layer surface's, which follows
		popup_create(xdg->server, popup);
	}
}

struct xdg *xdg_create(struct server *server) {
	struct xdg *xdg = calloc(1, sizeof(*xdg));
	if (xdg == NULL) {
		return NULL;
	}
	xdg->server = server;
	xdg->shell = wlr_xdg_shell_create(server->display, XDG_SHELL_VERSION);
	if (xdg->shell == NULL) {
		free(xdg);
		return NULL;
	}
	listen(&xdg->new_toplevel, xdg_handle_new_toplevel, &xdg->shell->events.new_toplevel);
	listen(&xdg->new_popup, xdg_handle_new_popup, &xdg->shell->events.new_popup);
	return xdg;
}

void xdg_destroy(struct xdg *xdg) {
	if (xdg != NULL) {
		wl_list_remove(&xdg->new_toplevel.link);
		wl_list_remove(&xdg->new_popup.link);
		free(xdg);
	}
}

struct wlr_xdg_shell *xdg_shell(struct xdg *xdg) {
	return xdg->shell;
}
