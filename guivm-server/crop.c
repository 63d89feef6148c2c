/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/crop.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>

#include "guivm-server/server.h"

struct crops {
	struct server *server;
	struct wl_listener new_surface;
};

struct crop {
	struct crops *crops;
	struct wlr_surface *surface;
	struct wl_listener commit, destroy;
};

static bool is_whole(double number) {
	return floor(number) == number;
}

/* What the client shows of its buffer begins and ends with pixels, and is not scaled. */
static bool source_is_exact(const struct wlr_surface_state *state) {
	const struct wlr_fbox *source = &state->viewport.src;
	return state->scale == 1 && is_whole(source->x) && is_whole(source->y) &&
		source->width == state->width && source->height == state->height;
}

static bool sizes_are_near(double width, double height, double width2, double height2) {
	return fabs(width - width2) < 1 && fabs(height - height2) < 1;
}

static bool is_whole_buffer(
		const struct wlr_surface_state *state, const struct wlr_fbox *source) {
	return source->x == 0 && source->y == 0 && source->width == state->buffer_width &&
		source->height == state->buffer_height;
}

/*
 * The client shows all of its buffer, but its window may cut it off. Where what is left has the
 * output's own pixels, as with most clients at fractional scales, there is nothing to smooth.
 */
static bool clip_is_exact(
		const struct wlr_surface_state *state, const struct wlr_scene_buffer *buffer) {
	const struct wlr_fbox *source = &buffer->src_box;
	if (is_whole_buffer(state, source)) {
		return true;
	}
	if (!is_whole(source->x) || !is_whole(source->y) || !is_whole(source->width) ||
			!is_whole(source->height)) {
		return false;
	}
	double scale = buffer->primary_output != NULL ? buffer->primary_output->output->scale : 1;
	double width = buffer->dst_width * scale, height = buffer->dst_height * scale;
	return sizes_are_near(source->width, source->height, width, height) ||
		sizes_are_near(source->height, source->width, width, height);
}

static void crop_redraw(struct wlr_scene_buffer *buffer, int x, int y, void *data) {
	const struct crop *crop = data;
	const struct wlr_surface_state *state = &crop->surface->current;
	const struct wlr_scene_surface *scene_surface = wlr_scene_surface_try_from_buffer(buffer);
	if (scene_surface == NULL || scene_surface->surface != crop->surface ||
			(!state->viewport.has_src && clip_is_exact(state, buffer))) {
		return;
	}
	/* Nothing is drawn in between; that it changed damages what is seen of it. */
	enum wlr_scale_filter_mode mode = buffer->filter_mode;
	wlr_scene_buffer_set_filter_mode(buffer, mode == WLR_SCALE_FILTER_NEAREST
		? WLR_SCALE_FILTER_BILINEAR : WLR_SCALE_FILTER_NEAREST);
	wlr_scene_buffer_set_filter_mode(buffer, mode);
}

static void crop_handle_commit(struct wl_listener *listener, void *data) {
	struct crop *crop = wl_container_of(listener, crop, commit);
	const struct wlr_surface_state *state = &crop->surface->current;
	bool damaged = !pixman_region32_empty(&state->surface_damage) ||
			!pixman_region32_empty(&state->buffer_damage);
	bool exact = state->viewport.has_src ? source_is_exact(state) : !state->viewport.has_dst;
	if (damaged && !exact) {
		wlr_scene_node_for_each_buffer(
				&crop->crops->server->scene->tree.node, crop_redraw, crop);
	}
}

static void crop_handle_destroy(struct wl_listener *listener, void *data) {
	struct crop *crop = wl_container_of(listener, crop, destroy);
	wl_list_remove(&crop->commit.link);
	wl_list_remove(&crop->destroy.link);
	free(crop);
}

static void crops_handle_new_surface(struct wl_listener *listener, void *data) {
	struct crops *crops = wl_container_of(listener, crops, new_surface);
	struct wlr_surface *surface = data;
	struct crop *crop = calloc(1, sizeof(*crop));
	if (crop == NULL) {
		wl_resource_post_no_memory(surface->resource);
		return;
	}
	crop->crops = crops;
	crop->surface = surface;
	crop->commit.notify = crop_handle_commit;
	wl_signal_add(&surface->events.commit, &crop->commit);
	crop->destroy.notify = crop_handle_destroy;
	wl_signal_add(&surface->events.destroy, &crop->destroy);
}

struct crops *crops_create(struct server *server) {
	struct crops *crops = calloc(1, sizeof(*crops));
	if (crops == NULL) {
		return NULL;
	}
	crops->server = server;
	crops->new_surface.notify = crops_handle_new_surface;
	wl_signal_add(&server->compositor->events.new_surface, &crops->new_surface);
	return crops;
}

void crops_destroy(struct crops *crops) {
	if (crops != NULL) {
		wl_list_remove(&crops->new_surface.link);
		free(crops);
	}
}
