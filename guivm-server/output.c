/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/output.h"

#include <stdlib.h>
#include <wlr/backend.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_scene.h>

#include "common/log.h"
#include "guivm-server/background.h"
#include "guivm-server/layer.h"
#include "guivm-server/cursor.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"

struct output *output_from_wlr(struct server *server, struct wlr_output *wlr_output) {
	struct output *output;
	wl_list_for_each(output, &server->outputs, link) {
		if (output->wlr_output == wlr_output) {
			return output;
		}
	}
	return NULL;
}

struct output *output_at(struct server *server, double x, double y) {
	wlr_output_layout_closest_point(server->output_layout, NULL, x, y, &x, &y);
	struct wlr_output *wlr_output = wlr_output_layout_output_at(server->output_layout, x, y);
	struct output *output = wlr_output != NULL ? output_from_wlr(server, wlr_output) : NULL;
	if (output != NULL && !wlr_box_empty(&output->box)) {
		return output;
	}
	// One that is being switched off lies in the layout a little longer, without any room.
	wl_list_for_each(output, &server->outputs, link) {
		if (!wlr_box_empty(&output->box)) {
			return output;
		}
	}
	return NULL;
}

struct output *output_current(struct server *server) {
	double x, y;
	cursor_position(server, &x, &y);
	return output_at(server, x, y);
}

static void output_handle_request_state(struct wl_listener *listener, void *data) {
	struct output *output = wl_container_of(listener, output, request_state);
	const struct wlr_output_event_request_state *event = data;
	if (!wlr_output_commit_state(output->wlr_output, event->state)) {
		log_error("output %s: cannot change its mode", output->wlr_output->name);
	}
}

/* It has no room for windows any more: view_arrange() finds them another, when there is one. */
static void output_forget_views(struct output *output) {
	struct view *view;
	wl_list_for_each(view, &output->server->views, link) {
		if (view->output == output) {
			view->output = NULL;
		}
	}
}

static void output_handle_destroy(struct wl_listener *listener, void *data) {
	struct output *output = wl_container_of(listener, output, destroy);
	struct server *server = output->server;
	log_info("output %s is gone", output->wlr_output->name);
	output_draw_finish(output);
	wl_list_remove(&output->request_state.link);
	wl_list_remove(&output->destroy.link);
	wl_list_remove(&output->link);
	layers_close_output(output);
	output_forget_views(output);
	/* Before windows move: what they uncover would enter it, on which wlroots aborts. */
	if (output->scene_output != NULL) {
		wlr_scene_output_destroy(output->scene_output);
	}
	free(output);
	if (!server->terminating) {
		view_arrange_all(server);
	}
}

static bool output_enable(struct wlr_output *wlr_output) {
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_enabled(&state, true);
	struct wlr_output_mode *mode = wlr_output_preferred_mode(wlr_output);
	if (mode != NULL) {
		wlr_output_state_set_mode(&state, mode);
	}
	bool ok = wlr_output_commit_state(wlr_output, &state);
	wlr_output_state_finish(&state);
	return ok;
}

static bool output_add_to_layout(struct output *output) {
	struct server *server = output->server;
	struct wlr_output_layout_output *place =
		wlr_output_layout_add_auto(server->output_layout, output->wlr_output);
	output->scene_output = wlr_scene_output_create(server->scene, output->wlr_output);
	if (place == NULL || output->scene_output == NULL) {
		return false;
	}
	wlr_scene_output_layout_add_output(server->scene_layout, place, output->scene_output);
	return true;
}

static void output_handle_new(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, new_output);
	struct wlr_output *wlr_output = data;
	if (wlr_output->non_desktop ||
			!wlr_output_init_render(wlr_output, server->allocator, server->renderer)) {
		return;
	}
	struct output *output = calloc(1, sizeof(*output));
	if (output == NULL || !output_enable(wlr_output)) {
		log_error("output %s: cannot be switched on", wlr_output->name);
		free(output);
		return;
	}
	output->server = server;
	output->wlr_output = wlr_output;
	wl_list_init(&output->layers);
	wl_list_insert(server->outputs.prev, &output->link);
	output->request_state.notify = output_handle_request_state;
	output->destroy.notify = output_handle_destroy;
	wl_signal_add(&wlr_output->events.request_state, &output->request_state);
	wl_signal_add(&wlr_output->events.destroy, &output->destroy);
	if (!output_draw_init(output) || !output_add_to_layout(output)) {
		log_error("output %s: out of memory", wlr_output->name);
		wlr_output_destroy(wlr_output);
		return;
	}
	log_info("output %s: %dx%d", wlr_output->name, wlr_output->width, wlr_output->height);
}

static void output_handle_layout_change(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, layout_change);
	if (server->terminating) {
		return;
	}
	struct output *output;
	wl_list_for_each(output, &server->outputs, link) {
		wlr_output_layout_get_box(server->output_layout, output->wlr_output, &output->box);
		if (wlr_box_empty(&output->box)) {
			output_forget_views(output);
		}
		layers_arrange(output); // and the windows there
	}
	background_update(server);
	view_arrange_all(server);
	cursor_handle_layout_change(server);
}

void output_watch(struct server *server) {
	server->new_output.notify = output_handle_new;
	wl_signal_add(&server->backend->events.new_output, &server->new_output);
	server->layout_change.notify = output_handle_layout_change;
	wl_signal_add(&server->output_layout->events.change, &server->layout_change);
}

void output_unwatch(struct server *server) {
	wl_list_remove(&server->new_output.link);
	wl_list_remove(&server->layout_change.link);
}
