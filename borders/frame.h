/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_BORDERS_FRAME_H
#define ISTHMUS_BORDERS_FRAME_H

#include <stdbool.h>

#include "borders/geometry.h"
#include "borders/trust.h"

struct wlr_scene_node;
struct wlr_scene_tree;

/*
 * The frame of one surface tree in the scene graph. It is there, in the VM's colour, from
 * frame_create() on, before any content; nothing a client does removes it.
 */
struct frame;

struct frame_state {
	enum frame_kind kind;
	int content_width, content_height; // logical pixels, at least 1
	bool active; // has keyboard focus
	bool maximized; // the button's picture
	bool attention; // the application asked for attention
	enum frame_part hover; // button under the pointer, or FRAME_PART_NONE
	const char *title; // untrusted: sanitised inside; NULL reads as ""; copied
	const char *notice; // compositor's own words shown after the title, such as how to allow
			// fullscreen; may be NULL; copied
};

/*
 * parent: the tree whose origin is the content's top left corner; the frame's nodes become its
 * children, above those that are there. mark is copied. The first frame is a 1x1 popup's until
 * frame_update(). NULL on no memory.
 */
struct frame *frame_create(
		struct wlr_scene_tree *parent, const struct trust_mark *mark, int border_width);
/* Also called when the parent tree is destroyed first: that is safe. NULL is legal. */
void frame_destroy(struct frame *frame);

/*
 * Redraws only what changed. The title bar is drawn for the highest scale of the outputs that show
 * it.
 */
void frame_update(struct frame *frame, const struct frame_state *state);

/*
 * frame_update() in two steps. The first makes the bars right and stretches the title bar's old
 * picture; drawing it again is what takes time, and once is enough after any number of changes.
 */
void frame_place(struct frame *frame, const struct frame_state *state);
void frame_draw(struct frame *frame);

/* After a reload of the VM set. */
void frame_set_mark(struct frame *frame, const struct trust_mark *mark, int border_width);

/* The frame a scene node belongs to (NULL when it is none's): for pointer hit tests. */
struct frame *frame_from_node(struct wlr_scene_node *node);
/* For the owner's use. */
void frame_set_data(struct frame *frame, void *data);
void *frame_data(const struct frame *frame);

#endif
