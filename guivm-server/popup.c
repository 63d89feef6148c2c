/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/popup.h"

#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_layer_shell_v1.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "guivm-server/focus.h"
#include "guivm-server/layer.h"
#include "guivm-server/output.h"
#include "guivm-server/place.h"
#include "guivm-server/cursor.h"
#include "guivm-server/seat.h"
#include "guivm-server/server.h"
#include "guivm-server/xdg.h"

/* The top left corner of what the popup's position is relative to, in the layout. */
static void popup_parent_origin(const struct popup *popup, int *x, int *y) {
	*x = *y = 0;
	if (popup->parent_window != NULL) {
		*x = popup->parent_window->box.x;
		*y = popup->parent_window->box.y;
	} else if (popup->parent_layer != NULL) {
		wlr_scene_node_coords(&popup->parent_layer->scene->tree->node, x, y);
	}
}

/* The same of the toplevel or layer surface below all popups. */
static void popup_root_origin(const struct popup *popup, int *x, int *y) {
	while (popup->parent_window != NULL &&
			popup->parent_window->frame_state.kind == FRAME_POPUP) {
		popup = popup->parent_window->owner;
	}
	popup_parent_origin(popup, x, y);
}

static struct output *popup_output(const struct popup *popup) {
	int x, y;
	popup_root_origin(popup, &x, &y);
	if (popup->parent_window != NULL) {
		const struct wlr_box *box = &popup->parent_window->box;
		x = box->x + box->width / 2;
		y = box->y + box->height / 2;
	}
	return output_at(popup->window.server, x, y);
}

static void popup_unconstrain(struct popup *popup) {
	struct output *output = popup_output(popup);
	if (output == NULL) {
		return;
	}
	struct frame_insets insets = window_insets(&popup->window);
	struct wlr_box area = place_inset(&output->usable, &insets);
	popup->window.limits.max_width = area.width;
	popup->window.limits.max_height = area.height;
	int x, y;
	popup_root_origin(popup, &x, &y);
	area.x -= x;
	area.y -= y;
	wlr_xdg_popup_unconstrain_from_box(popup->popup, &area);
}

/* A popup is on the screen with its frame, whatever its client asked for. */
static void popup_update_place(struct popup *popup) {
	int x, y;
	popup_parent_origin(popup, &x, &y);
	const struct wlr_box *asked = &popup->popup->current.geometry;
	const int limit = LIMIT_BUFFER_SIDE_PX;
	struct wlr_box box = {
		.x = x + (asked->x < -limit ? -limit : asked->x > limit ? limit : asked->x),
		.y = y + (asked->y < -limit ? -limit : asked->y > limit ? limit : asked->y),
		.width = popup->window.box.width,
		.height = popup->window.box.height,
	};
	struct output *output = popup_output(popup);
	if (output != NULL && !popup->window.server->bare_windows) {
		struct frame_insets insets = window_insets(&popup->window);
		place_inside(&box, &insets, &output->usable);
		place_on_pixels(&box, &output->box, output->wlr_output->scale);
	}
	window_set_position(&popup->window, box.x - x, box.y - y);
}

/*
 * The topmost popup with a grab has the keyboard, as xdg-shell says; wlroots leaves that to the
 * compositor. A grab does not get the keyboard from another client: see popups_watch_grabs().
 */
static void popup_take_keyboard(struct popup *popup) {
	struct server *server = popup->window.server;
	struct wlr_surface *focused = server->wlr_seat->keyboard_state.focused_surface;
	struct wl_client *client =
			focused != NULL ? wl_resource_get_client(focused->resource) : NULL;
	if (popup->popup->seat != NULL && client == window_client(&popup->window)) {
		seat_keyboard_enter_in_grab(server, popup->window.surface);
	}
}

static void popup_give_keyboard(struct popup *popup) {
	struct server *server = popup->window.server;
	struct window *parent = popup->parent_window;
	if (server->terminating ||
			server->wlr_seat->keyboard_state.focused_surface != popup->window.surface) {
		return;
	}
	bool nested = parent != NULL && parent->mapped && parent->frame_state.kind == FRAME_POPUP;
	seat_keyboard_enter_in_grab(server, nested ? parent->surface : focus_surface(server));
}

static void popup_handle_map(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, map);
	window_set_geometry(&popup->window, &popup->popup->base->geometry);
	popup_update_place(popup);
	window_set_mapped(&popup->window, true);
	popup_take_keyboard(popup);
	cursor_refresh(popup->window.server);
}

static void popup_handle_unmap(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, unmap);
	window_set_mapped(&popup->window, false);
	popup_give_keyboard(popup);
	cursor_refresh(popup->window.server);
}

static void popup_handle_commit(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, commit);
	if (popup->popup->base->initial_commit) {
		popup_unconstrain(popup);
		wlr_xdg_surface_schedule_configure(popup->popup->base);
		return;
	}
	if (popup->window.mapped) {
		window_set_geometry(&popup->window, &popup->popup->base->geometry);
		popup_update_place(popup);
	}
}

static void popup_handle_reposition(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, reposition);
	popup_unconstrain(popup);
}

void popups_parent_moved(struct window *parent) {
	struct window *window;
	wl_list_for_each(window, &parent->server->windows, link) {
		struct popup *popup = window->owner;
		if (window->frame_state.kind != FRAME_POPUP || popup->parent_window != parent) {
			continue;
		}
		if (popup->popup->current.reactive && window->mapped) {
			popup_unconstrain(popup);
		}
		popup_update_place(popup);
		popups_parent_moved(window);
	}
}

void popups_forget_window(struct server *server, struct window *parent) {
	struct window *window;
	wl_list_for_each(window, &server->windows, link) {
		struct popup *popup = window->owner;
		if (window->frame_state.kind == FRAME_POPUP && popup->parent_window == parent) {
			popup->parent_window = NULL;
		}
	}
}

void popups_forget_layer(struct server *server, struct layer *layer) {
	struct window *window;
	wl_list_for_each(window, &server->windows, link) {
		struct popup *popup = window->owner;
		if (window->frame_state.kind == FRAME_POPUP && popup->parent_layer == layer) {
			popup->parent_layer = NULL;
		}
	}
}

static void popup_handle_destroy(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, destroy);
	wl_list_remove(&popup->map.link);
	wl_list_remove(&popup->unmap.link);
	wl_list_remove(&popup->commit.link);
	wl_list_remove(&popup->reposition.link);
	wl_list_remove(&popup->destroy.link);
	popups_forget_window(popup->window.server, &popup->window);
	popup->popup->base->data = NULL;
	window_finish(&popup->window);
	free(popup);
}

static void listen(
		struct wl_listener *listener, wl_notify_func_t notify, struct wl_signal *signal) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

void popup_create(struct server *server, struct wlr_xdg_popup *wlr_popup) {
	struct window *parent_window = window_from_surface(wlr_popup->parent);
	struct layer *parent_layer =
			parent_window == NULL ? layer_from_surface(wlr_popup->parent) : NULL;
	struct wlr_scene_tree *tree = parent_window != NULL ? parent_window->popups
		: parent_layer != NULL ? parent_layer->popups : NULL;
	struct popup *popup = calloc(1, sizeof(*popup));
	if (tree == NULL || popup == NULL ||
			!window_init(&popup->window, server, tree, wlr_popup->base->surface,
					FRAME_POPUP)) {
		free(popup);
		wlr_xdg_popup_destroy(wlr_popup);
		return;
	}
	popup->window.owner = popup;
	popup->popup = wlr_popup;
	popup->parent_window = parent_window;
	popup->parent_layer = parent_layer;
	wlr_popup->base->data = &popup->window;
	struct wlr_surface *surface = wlr_popup->base->surface;
	listen(&popup->map, popup_handle_map, &surface->events.map);
	listen(&popup->unmap, popup_handle_unmap, &surface->events.unmap);
	listen(&popup->commit, popup_handle_commit, &surface->events.commit);
	listen(&popup->reposition, popup_handle_reposition, &wlr_popup->events.reposition);
	listen(&popup->destroy, popup_handle_destroy, &wlr_popup->events.destroy);
}

/* The topmost popup of a grab of any client but this one; NULL: there is none. */
static struct wlr_xdg_popup *popups_find_grab(
		struct server *server, const struct wl_client *client) {
	struct wlr_xdg_popup_grab *grab;
	wl_list_for_each(grab, &xdg_shell(server->xdg)->popup_grabs, link) {
		if (grab->client != client && !wl_list_empty(&grab->popups)) {
			struct wlr_xdg_popup *popup;
			return wl_container_of(grab->popups.next, popup, grab_link);
		}
	}
	return NULL;
}

void popups_dismiss_grabs(struct server *server, const struct wl_client *client) {
	/* The last popup takes its grab with it: always start over. */
	struct wlr_xdg_popup *popup;
	while ((popup = popups_find_grab(server, client)) != NULL) {
		wlr_xdg_popup_destroy(popup);
	}
}

static void popups_handle_idle(void *data) {
	struct server *server = data;
	struct seat *seat = server->seat;
	seat->grab_check = NULL;
	struct wlr_surface *focused = server->wlr_seat->keyboard_state.focused_surface;
	popups_dismiss_grabs(
			server, focused != NULL ? wl_resource_get_client(focused->resource) : NULL);
}

/*
 * wlroots tells of a grab while it is still being set up, so that it cannot be undone before the
 * end of the turn. Until then the grab gets no input that its client would not have got anyway.
 */
static void popups_handle_grab_begin(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, pointer_grab_begin);
	if (seat->grab_check == NULL) {
		seat->grab_check = wl_event_loop_add_idle(
				seat->server->loop, popups_handle_idle, seat->server);
	}
}

static bool popup_has_keyboard(struct server *server, const struct wlr_xdg_popup *popup) {
	struct wlr_surface *focused = server->wlr_seat->keyboard_state.focused_surface;
	return focused != NULL && wl_resource_get_client(focused->resource) ==
			wl_resource_get_client(popup->resource);
}

static void popups_handle_grab(struct server *server, struct wlr_xdg_popup *popup) {
	/*
	 * wlroots enters a popup that grabs twice into its list twice, and the list then holds on
	 * to it when it is gone. Taken out, it may be entered again.
	 */
	if (popup->seat != NULL) {
		wl_list_remove(&popup->grab_link);
		wl_list_init(&popup->grab_link);
		wl_resource_post_error(popup->resource, XDG_POPUP_ERROR_INVALID_GRAB,
				"the popup grabs already");
	} else if (!popup_has_keyboard(server, popup) || server->wlr_seat->drag != NULL) {
		/*
		 * wlroots has one grab for all: what another VM has there would go as well, and a
		 * drag would never hear that the button was released.
		 */
		wlr_xdg_popup_destroy(popup);
	}
}

static void popups_handle_request(struct server *server, struct wl_resource *resource, int opcode) {
	enum { POPUP_GRAB = 1, POPUP_REPOSITION = 2 };
	if (opcode != POPUP_GRAB && opcode != POPUP_REPOSITION) {
		return;
	}
	struct wlr_xdg_popup *popup = wlr_xdg_popup_from_resource(resource);
	if (popup != NULL && opcode == POPUP_GRAB) {
		popups_handle_grab(server, popup);
	} else if (popup != NULL && !popup->base->initialized) {
		wlr_xdg_popup_destroy(popup); // wlroots configures it, which asserts that it can
	}
}

/*
 * wlroots takes a popup for its own parent, and goes round in that circle until there is no more
 * stack. It takes no popup without a size.
 */
static void popups_handle_get(struct wl_resource *resource, const union wl_argument *arguments) {
	enum { PARENT = 1, POSITIONER = 2 };
	if (arguments[PARENT].o == (struct wl_object *)resource) {
		struct wl_resource *positioner = (struct wl_resource *)arguments[POSITIONER].o;
		wlr_xdg_positioner_from_resource(positioner)->rules.size.width = 0;
		wl_resource_post_error(resource, XDG_WM_BASE_ERROR_INVALID_POPUP_PARENT,
				"a popup cannot be its own parent");
	}
}

/* This is called before the request is: what it finds destroyed it does nothing to. */
static void popups_handle_message(void *data, enum wl_protocol_logger_type direction,
		const struct wl_protocol_logger_message *message) {
	const int get_popup = 2; // of xdg_surface
	if (direction != WL_PROTOCOL_LOGGER_REQUEST) {
		return;
	}
	const char *class = wl_resource_get_class(message->resource);
	if (strcmp(class, "xdg_popup") == 0) {
		popups_handle_request(data, message->resource, message->message_opcode);
	} else if (message->message_opcode == get_popup && strcmp(class, "xdg_surface") == 0) {
		popups_handle_get(message->resource, message->arguments);
	}
}

void popups_watch_grabs(struct server *server) {
	server->seat->grab_logger = wl_display_add_protocol_logger(
			server->display, popups_handle_message, server);
	listen(&server->seat->pointer_grab_begin, popups_handle_grab_begin,
		&server->wlr_seat->events.pointer_grab_begin);
}

void popups_unwatch_grabs(struct server *server) {
	wl_list_remove(&server->seat->pointer_grab_begin.link);
	if (server->seat->grab_logger != NULL) {
		wl_protocol_logger_destroy(server->seat->grab_logger);
	}
	if (server->seat->grab_check != NULL) {
		wl_event_source_remove(server->seat->grab_check);
		server->seat->grab_check = NULL;
	}
}
