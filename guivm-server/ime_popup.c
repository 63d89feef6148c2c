/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/ime_popup.h"

#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_input_method_v2.h>
#include <wlr/types/wlr_subcompositor.h>
#include <wlr/types/wlr_text_input_v3.h>

#include "guivm-server/cursor.h"
#include "guivm-server/ime.h"
#include "guivm-server/output.h"
#include "guivm-server/place.h"
#include "guivm-server/popup.h"
#include "guivm-server/server.h"

struct ime_popups {
	struct server *server;
	struct wl_list list; // ime_popup.link
};

struct ime_popup {
	struct popup base; // without an xdg_popup: a window that is owned by a popup
	struct ime_popups *popups;
	struct wl_list link; // ime_popups.list
	struct wlr_input_popup_surface_v2 *surface;
	struct wl_listener commit, unmap, destroy;
};

/* The text cursor in the layout. false: its window is not shown. */
static bool input_cursor_box(const struct wlr_text_input_v3 *input, struct wlr_box *box) {
	struct wlr_surface *surface = input->focused_surface;
	const struct window *window = window_from_surface(surface);
	if (window == NULL || !window->mapped) {
		return false;
	}
	*box = (struct wlr_box){0};
	if (input->active_features & WLR_TEXT_INPUT_V3_FEATURE_CURSOR_RECTANGLE) {
		*box = input->current.cursor_rectangle;
	}
	struct wlr_subsurface *subsurface;
	while (surface != window->surface &&
			(subsurface = wlr_subsurface_try_from_wlr_surface(surface)) != NULL) {
		box->x += subsurface->current.x;
		box->y += subsurface->current.y;
		surface = subsurface->parent;
	}
	/* Inside the window: a client does not get to place what is not its own. */
	int width = window->box.width, height = window->box.height;
	box->x -= window->geometry.x;
	box->y -= window->geometry.y;
	box->x = box->x < 0 ? 0 : box->x >= width ? width - 1 : box->x;
	box->y = box->y < 0 ? 0 : box->y >= height ? height - 1 : box->y;
	box->width = box->width < 1 || box->width > width - box->x ? 1 : box->width;
	box->height = box->height < 1 || box->height > height - box->y ? 1 : box->height;
	box->x += window->box.x;
	box->y += window->box.y;
	return true;
}

static void ime_popup_place(struct ime_popup *popup, const struct wlr_box *cursor) {
	struct window *window = &popup->base.window;
	struct frame_insets insets = window_insets(window);
	struct output *output = output_at(window->server, cursor->x, cursor->y);
	const struct wlr_surface_state *state = &popup->surface->surface->current;
	window_set_geometry(window, &(struct wlr_box){0, 0, state->width, state->height});
	struct wlr_box box = {
		.x = cursor->x + insets.left,
		.y = cursor->y + cursor->height + insets.top,
		.width = window->box.width,
		.height = window->box.height,
	};
	if (output != NULL) {
		int bottom = output->usable.y + output->usable.height;
		if (box.y + box.height + insets.bottom > bottom) {
			box.y = cursor->y - insets.bottom - box.height;
		}
		place_inside(&box, &insets, &output->usable);
	}
	window_set_position(window, box.x, box.y);
	struct wlr_box rectangle = {
		.x = cursor->x - box.x,
		.y = cursor->y - box.y,
		.width = cursor->width,
		.height = cursor->height,
	};
	wlr_input_popup_surface_v2_send_text_input_rectangle(popup->surface, &rectangle);
}

static void ime_popup_update(struct ime_popup *popup, const struct wlr_box *cursor) {
	bool shown = cursor != NULL && popup->surface->surface->mapped;
	if (shown) {
		ime_popup_place(popup, cursor);
	}
	if (shown != popup->base.window.mapped) {
		window_set_mapped(&popup->base.window, shown);
		cursor_refresh(popup->popups->server);
	}
}

void ime_popups_update(struct ime_popups *popups, struct wlr_text_input_v3 *input) {
	struct wlr_box cursor;
	bool shown = input != NULL && input_cursor_box(input, &cursor);
	struct ime_popup *popup;
	wl_list_for_each(popup, &popups->list, link) {
		ime_popup_update(popup, shown ? &cursor : NULL);
	}
}

static void ime_popup_handle_commit(struct wl_listener *listener, void *data) {
	struct ime_popup *popup = wl_container_of(listener, popup, commit);
	ime_update_popups(popup->popups->server);
}

static void ime_popup_handle_unmap(struct wl_listener *listener, void *data) {
	struct ime_popup *popup = wl_container_of(listener, popup, unmap);
	window_set_mapped(&popup->base.window, false);
	cursor_refresh(popup->popups->server);
}

static void ime_popup_handle_destroy(struct wl_listener *listener, void *data) {
	struct ime_popup *popup = wl_container_of(listener, popup, destroy);
	wl_list_remove(&popup->commit.link);
	wl_list_remove(&popup->unmap.link);
	wl_list_remove(&popup->destroy.link);
	wl_list_remove(&popup->link);
	window_finish(&popup->base.window);
	free(popup);
}

void ime_popup_create(struct ime_popups *popups, struct wlr_input_popup_surface_v2 *surface) {
	struct server *server = popups->server;
	struct ime_popup *popup = calloc(1, sizeof(*popup));
	if (popup == NULL || !window_init(&popup->base.window, server, server->tree_layer_overlay,
					     surface->surface, FRAME_POPUP)) {
		free(popup);
		wl_resource_post_no_memory(surface->resource);
		return;
	}
	popup->base.window.owner = &popup->base;
	popup->base.window.frame_state.active = true; // it belongs to where the keyboard is
	window_update_frame(&popup->base.window);
	popup->popups = popups;
	popup->surface = surface;
	wl_list_insert(&popups->list, &popup->link);
	popup->commit.notify = ime_popup_handle_commit;
	popup->unmap.notify = ime_popup_handle_unmap;
	popup->destroy.notify = ime_popup_handle_destroy;
	wl_signal_add(&surface->surface->events.commit, &popup->commit);
	wl_signal_add(&surface->surface->events.unmap, &popup->unmap);
	wl_signal_add(&surface->events.destroy, &popup->destroy);
}

struct ime_popups *ime_popups_create(struct server *server) {
	struct ime_popups *popups = calloc(1, sizeof(*popups));
	if (popups != NULL) {
		popups->server = server;
		wl_list_init(&popups->list);
	}
	return popups;
}

void ime_popups_destroy(struct ime_popups *popups) {
	free(popups);
}
