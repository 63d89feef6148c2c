/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/scene-guard.h"

#include <dlfcn.h>
#include <math.h>
#include <string.h>
#include <wlr/render/pass.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/util/addon.h>

/*
 * Functions of wlroots 0.20 with a mistake. The library calls its own functions by name, so these
 * stand in front of them.
 */

/*
 * wlroots works out which part of a rotated and clipped buffer is seen, and asserts that the
 * result lies inside the buffer: which it misses by 1e-14 for some sizes. A client may choose those
 * sizes, and the assertion would end the compositor: here the rounding error is removed.
 */
#define GRID 65536.0 // per pixel; wl_fixed has 256

static void (*set_source_box)(struct wlr_scene_buffer *buffer, const struct wlr_fbox *box);

static void snap(double *position, double *size) {
	double begin = round(*position * GRID) / GRID;
	double end = round((*position + *size) * GRID) / GRID;
	*position = begin > 0 ? begin : 0;
	*size = end > *position ? end - *position : 0;
}

void wlr_scene_buffer_set_source_box(
		struct wlr_scene_buffer *scene_buffer, const struct wlr_fbox *box) {
	struct wlr_fbox snapped;
	if (box != NULL) {
		snapped = *box;
		snap(&snapped.x, &snapped.width);
		snap(&snapped.y, &snapped.height);
		box = &snapped;
	}
	set_source_box(scene_buffer, box);
}

/*
 * What is behind an opaque buffer is not drawn, nor when a translucent one of the same size takes
 * its place: nobody looks again at what is seen. A change of opacity makes wlroots look.
 */
static void (*set_buffer)(struct wlr_scene_buffer *scene_buffer, struct wlr_buffer *buffer,
		const struct wlr_scene_buffer_set_buffer_options *options);

void wlr_scene_buffer_set_buffer_with_options(struct wlr_scene_buffer *scene_buffer,
		struct wlr_buffer *buffer,
		const struct wlr_scene_buffer_set_buffer_options *options) {
	bool was_opaque = scene_buffer->WLR_PRIVATE.buffer_is_opaque;
	set_buffer(scene_buffer, buffer, options);
	if (was_opaque && !scene_buffer->WLR_PRIVATE.buffer_is_opaque) {
		float opacity = scene_buffer->opacity;
		wlr_scene_buffer_set_opacity(scene_buffer, opacity / 2);
		wlr_scene_buffer_set_opacity(scene_buffer, opacity);
	}
}

/*
 * The clip of a surface tree reaches a subsurface's own subsurfaces only when it is set: not when
 * the subsurface moves, nor when it joins the tree with them. They would be drawn outside of the
 * window, over other VMs' windows. At each commit wlroots puts every subsurface in its place, and
 * then clips that one: here the whole tree below it is clipped.
 */
#define TREE_ADDON "wlr_scene_subsurface_tree" // what wlroots calls it

static void (*set_position)(struct wlr_scene_node *node, int x, int y);

static bool is_surface_tree(const struct wlr_scene_node *node) {
	const struct wlr_addon *addon;
	wl_list_for_each (addon, &node->addons.WLR_PRIVATE.addons, WLR_PRIVATE.link) {
		if (strcmp(addon->impl->name, TREE_ADDON) == 0) {
			return true;
		}
	}
	return false;
}

void wlr_scene_node_set_position(struct wlr_scene_node *node, int x, int y) {
	set_position(node, x, y);
	bool subsurface = node->type == WLR_SCENE_NODE_TREE && node->parent != NULL &&
		is_surface_tree(node) && is_surface_tree(&node->parent->node);
	if (subsurface) {
		/* Below the topmost surface the parent's clip counts, not the argument. */
		wlr_scene_subsurface_tree_set_clip(node, NULL);
	}
}

/*
 * A surface whose new buffer the renderer cannot read (pixman: rows that are no whole words; GPU
 * memory that cannot be imported) keeps the texture of the one before, and has the size of the new
 * one. To draw what lies outside of a texture ends the compositor by an assertion. What is not
 * there is black.
 */
static void (*add_texture)(
		struct wlr_render_pass *pass, const struct wlr_render_texture_options *options);

static bool is_inside(const struct wlr_fbox *box, const struct wlr_texture *texture) {
	return box->x >= 0 && box->y >= 0 &&
		(uint32_t)(box->x + box->width) <= texture->width &&
		(uint32_t)(box->y + box->height) <= texture->height;
}

void wlr_render_pass_add_texture(
		struct wlr_render_pass *pass, const struct wlr_render_texture_options *options) {
	if (wlr_fbox_empty(&options->src_box) || is_inside(&options->src_box, options->texture)) {
		add_texture(pass, options);
		return;
	}
	wlr_render_pass_add_rect(pass, &(struct wlr_render_rect_options){
		.box = options->dst_box,
		.color = {.a = 1.0f},
		.clip = options->clip,
		.blend_mode = WLR_RENDER_BLEND_MODE_NONE,
	});
}

/* function: points to a function pointer. */
static bool find_function(void *function, const char *name) {
	void *symbol = dlsym(RTLD_NEXT, name);
	memcpy(function, &symbol, sizeof(symbol));
	return symbol != NULL;
}

bool scene_guard_init(void) {
	return find_function(&set_source_box, "wlr_scene_buffer_set_source_box") &&
		find_function(&set_buffer, "wlr_scene_buffer_set_buffer_with_options") &&
		find_function(&set_position, "wlr_scene_node_set_position") &&
		find_function(&add_texture, "wlr_render_pass_add_texture");
}
