/* SPDX-License-Identifier: Apache-2.0 */
#include "borders/frame.h"

#include <drm_fourcc.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/interfaces/wlr_buffer.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>

#include "borders/draw.h"
#include "common/limits.h"
#include "common/text.h"

/*
 * Wider title bars are drawn this wide and stretched: a client's size must not choose how much
 * memory we take.
 */
#define TITLE_MAX_WIDTH 8192
#define SCALE_MAX 4.0

struct frame {
	struct wlr_scene_tree *tree; // NULL once the parent is gone
	struct wlr_scene_rect *bars[4];
	struct wlr_scene_buffer *title_node;
	struct wlr_addon addon; // on tree->node
	struct wl_listener title_destroy, outputs_update;
	void *data;

	struct trust_mark mark;
	int border_width;
	enum frame_kind kind;
	int content_width, content_height;
	bool active, maximized, attention;
	enum frame_part hover;
	char title[LIMIT_TITLE_BYTES + 1];
	char notice[LIMIT_TITLE_BYTES + 1];

	double scale; // of the outputs that show the title bar
	bool title_stale;
};

/* A wlr_buffer over a picture that cairo drew. */
struct picture {
	struct wlr_buffer base;
	cairo_surface_t *surface;
};

static void picture_handle_destroy(struct wlr_buffer *base) {
	struct picture *picture = wl_container_of(base, picture, base);
	wlr_buffer_finish(base);
	cairo_surface_destroy(picture->surface);
	free(picture);
}

static bool picture_handle_begin_access(struct wlr_buffer *base, uint32_t flags, void **data,
		uint32_t *format, size_t *stride) {
	struct picture *picture = wl_container_of(base, picture, base);
	if ((flags & WLR_BUFFER_DATA_PTR_ACCESS_WRITE) != 0) {
		return false;
	}
	*data = cairo_image_surface_get_data(picture->surface);
	*format = DRM_FORMAT_XRGB8888;
	*stride = (size_t)cairo_image_surface_get_stride(picture->surface);
	return true;
}

static void picture_handle_end_access(struct wlr_buffer *base) {
	// nothing to undo: the memory is ours and stays mapped
}

static const struct wlr_buffer_impl picture_impl = {
		.destroy = picture_handle_destroy,
		.begin_data_ptr_access = picture_handle_begin_access,
		.end_data_ptr_access = picture_handle_end_access,
};

/* Takes over surface, also when it fails. */
static struct wlr_buffer *picture_create(cairo_surface_t *surface) {
	struct picture *picture = calloc(1, sizeof(*picture));
	if (picture == NULL) {
		cairo_surface_destroy(surface);
		return NULL;
	}
	picture->surface = surface;
	wlr_buffer_init(&picture->base, &picture_impl, cairo_image_surface_get_width(surface),
			cairo_image_surface_get_height(surface));
	return &picture->base;
}

static void color_to_floats(uint32_t color, float out[4]) {
	out[0] = (float)(color >> 16 & 0xff) / 255.0f;
	out[1] = (float)(color >> 8 & 0xff) / 255.0f;
	out[2] = (float)(color & 0xff) / 255.0f;
	out[3] = 1.0f;
}

static void frame_place_bars(struct frame *frame) {
	struct frame_box bars[4];
	float color[4];
	frame_bars(frame->kind, frame->border_width, frame->content_width, frame->content_height,
			bars);
	color_to_floats(draw_bar_color(&frame->mark, frame->active), color);
	for (int i = 0; i < 4; i++) {
		wlr_scene_node_set_position(&frame->bars[i]->node, bars[i].x, bars[i].y);
		wlr_scene_rect_set_size(frame->bars[i], bars[i].width, bars[i].height);
		wlr_scene_rect_set_color(frame->bars[i], color);
	}
}

static void frame_draw_title(struct frame *frame, const struct frame_box *box) {
	struct draw_title spec = {
			.mark = frame->mark,
			.kind = frame->kind,
			.width = box->width < TITLE_MAX_WIDTH ? box->width : TITLE_MAX_WIDTH,
			.height = box->height,
			.scale = frame->scale,
			.active = frame->active,
			.maximized = frame->maximized,
			.attention = frame->attention,
			.hover = frame->hover,
			.title = frame->title,
			.notice = frame->notice,
	};
	cairo_surface_t *surface = draw_title_create(&spec);
	if (surface == NULL) {
		return;
	}
	struct wlr_buffer *buffer = picture_create(surface);
	if (buffer == NULL) {
		return;
	}
	wlr_scene_buffer_set_buffer(frame->title_node, buffer);
	wlr_buffer_drop(buffer);
	frame->title_stale = false;
}

static void frame_place_title(struct frame *frame) {
	struct frame_box box = frame_title(frame->kind, frame->border_width, frame->content_width);
	wlr_scene_node_set_enabled(&frame->title_node->node, box.width > 0);
	if (box.width == 0) {
		return;
	}
	wlr_scene_node_set_position(&frame->title_node->node, box.x, box.y);
	wlr_scene_buffer_set_dest_size(frame->title_node, box.width, box.height);
}

void frame_draw(struct frame *frame) {
	struct frame_box box = frame_title(frame->kind, frame->border_width, frame->content_width);
	if (frame->tree != NULL && frame->title_stale && box.width > 0) {
		frame_draw_title(frame, &box);
	}
}

static void frame_handle_outputs_update(struct wl_listener *listener, void *data) {
	struct frame *frame = wl_container_of(listener, frame, outputs_update);
	struct wlr_scene_outputs_update_event *event = data;
	double scale = 0;
	bool mixed = false;
	for (size_t i = 0; i < event->size; i++) {
		double output_scale = event->active[i]->output->scale;
		mixed = mixed || (i > 0 && output_scale != scale);
		scale = output_scale > scale ? output_scale : scale;
	}
	if (scale == 0) {
		return; // shown nowhere: what was drawn last will do until it is
	}
	/*
	 * Rounding to an output's pixels makes a box one pixel wider at some positions. With the
	 * nearest pixel one column is doubled there; interpolation would blur all of them.
	 */
	wlr_scene_buffer_set_filter_mode(frame->title_node,
			mixed ? WLR_SCALE_FILTER_BILINEAR : WLR_SCALE_FILTER_NEAREST);
	scale = scale > SCALE_MAX ? SCALE_MAX : scale;
	if (scale != frame->scale) {
		frame->scale = scale;
		frame->title_stale = true;
		frame_place_title(frame);
		frame_draw(frame);
	}
}

static void frame_handle_title_destroy(struct wl_listener *listener, void *data) {
	struct frame *frame = wl_container_of(listener, frame, title_destroy);
	wl_list_remove(&frame->title_destroy.link);
	wl_list_remove(&frame->outputs_update.link);
	frame->title_node = NULL;
}

static void frame_handle_addon_destroy(struct wlr_addon *addon) {
	struct frame *frame = wl_container_of(addon, frame, addon);
	wlr_addon_finish(addon);
	frame->tree = NULL;
}

static const struct wlr_addon_interface frame_addon_impl = {
		.name = "isthmus_frame",
		.destroy = frame_handle_addon_destroy,
};

static bool frame_create_nodes(struct frame *frame) {
	const float none[4] = {0};
	for (int i = 0; i < 4; i++) {
		frame->bars[i] = wlr_scene_rect_create(frame->tree, 0, 0, none);
		if (frame->bars[i] == NULL) {
			return false;
		}
	}
	frame->title_node = wlr_scene_buffer_create(frame->tree, NULL);
	if (frame->title_node == NULL) {
		return false;
	}
	frame->title_destroy.notify = frame_handle_title_destroy;
	wl_signal_add(&frame->title_node->node.events.destroy, &frame->title_destroy);
	frame->outputs_update.notify = frame_handle_outputs_update;
	wl_signal_add(&frame->title_node->events.outputs_update, &frame->outputs_update);
	return true;
}

struct frame *frame_create(
		struct wlr_scene_tree *parent, const struct trust_mark *mark, int border_width) {
	struct frame *frame = calloc(1, sizeof(*frame));
	if (frame == NULL) {
		return NULL;
	}
	frame->mark = *mark;
	frame->border_width = border_width;
	frame->kind = FRAME_POPUP;
	frame->content_width = frame->content_height = 1;
	frame->scale = 1;
	frame->title_stale = true;
	frame->tree = wlr_scene_tree_create(parent);
	if (frame->tree == NULL) {
		free(frame);
		return NULL;
	}
	wlr_addon_init(&frame->addon, &frame->tree->node.addons, &frame_addon_impl,
			&frame_addon_impl);
	if (!frame_create_nodes(frame)) {
		frame_destroy(frame);
		return NULL;
	}
	frame_place_bars(frame);
	frame_place_title(frame);
	frame_draw(frame);
	return frame;
}

void frame_destroy(struct frame *frame) {
	if (frame == NULL) {
		return;
	}
	if (frame->tree != NULL) {
		wlr_scene_node_destroy(&frame->tree->node);
	}
	free(frame);
}

/* Returns whether dst changed. */
static bool update_text(char dst[LIMIT_TITLE_BYTES + 1], const char *untrusted_text) {
	char text[LIMIT_TITLE_BYTES + 1];
	text_sanitise(text, sizeof(text), untrusted_text);
	if (strcmp(text, dst) == 0) {
		return false;
	}
	memcpy(dst, text, strlen(text) + 1);
	return true;
}

void frame_place(struct frame *frame, const struct frame_state *state) {
	bool bars = frame->kind != state->kind || frame->content_width != state->content_width ||
			frame->content_height != state->content_height ||
			frame->active != state->active;
	bool title = frame->kind != state->kind || frame->content_width != state->content_width ||
			frame->active != state->active || frame->maximized != state->maximized ||
			frame->attention != state->attention || frame->hover != state->hover;
	title |= update_text(frame->title, state->title);
	title |= update_text(frame->notice, state->notice);
	frame->kind = state->kind;
	frame->content_width = state->content_width;
	frame->content_height = state->content_height;
	frame->active = state->active;
	frame->maximized = state->maximized;
	frame->attention = state->attention;
	frame->hover = state->hover;
	frame->title_stale |= title;
	if (frame->tree == NULL) {
		return;
	}
	if (bars) {
		frame_place_bars(frame);
	}
	if (title) {
		frame_place_title(frame);
	}
}

void frame_update(struct frame *frame, const struct frame_state *state) {
	frame_place(frame, state);
	frame_draw(frame);
}

void frame_set_mark(struct frame *frame, const struct trust_mark *mark, int border_width) {
	if (trust_mark_equal(&frame->mark, mark) && frame->border_width == border_width) {
		return;
	}
	frame->mark = *mark;
	frame->border_width = border_width;
	frame->title_stale = true;
	if (frame->tree != NULL) {
		frame_place_bars(frame);
		frame_place_title(frame);
		frame_draw(frame);
	}
}

struct frame *frame_from_node(struct wlr_scene_node *node) {
	while (node != NULL) {
		struct wlr_addon *addon =
				wlr_addon_find(&node->addons, &frame_addon_impl, &frame_addon_impl);
		if (addon != NULL) {
			struct frame *frame = wl_container_of(addon, frame, addon);
			return frame;
		}
		node = node->parent != NULL ? &node->parent->node : NULL;
	}
	return NULL;
}

void frame_set_data(struct frame *frame, void *data) {
	frame->data = data;
}

void *frame_data(const struct frame *frame) {
	return frame->data;
}
