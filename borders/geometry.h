/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_BORDERS_GEOMETRY_H
#define ISTHMUS_BORDERS_GEOMETRY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Where the parts of a frame are. Pure arithmetic in logical pixels. The origin is the content's
 * top left corner: the frame lies at negative coordinates and beyond the content's size. Border
 * widths below FRAME_MIN_BORDER count as that, content sizes are clamped to 1..FRAME_MAX_CONTENT.
 */
enum frame_kind {
	FRAME_TOPLEVEL, // border and title bar with buttons
	FRAME_FULLSCREEN, // border and a slim title bar without buttons: never colour alone
	FRAME_POPUP, // border only
	FRAME_ICON, // drag icons: border only
};

struct frame_box {
	int x, y, width, height;
};

struct frame_insets {
	int left, right, top, bottom; // how far the frame reaches beyond the content
};

enum frame_part {
	FRAME_PART_NONE, // outside
	FRAME_PART_CONTENT,
	FRAME_PART_TITLE,
	FRAME_PART_MINIMIZE,
	FRAME_PART_MAXIMIZE,
	FRAME_PART_CLOSE,
	FRAME_PART_TOP,
	FRAME_PART_BOTTOM,
	FRAME_PART_LEFT,
	FRAME_PART_RIGHT,
	FRAME_PART_TOP_LEFT,
	FRAME_PART_TOP_RIGHT,
	FRAME_PART_BOTTOM_LEFT,
	FRAME_PART_BOTTOM_RIGHT,
};

#define FRAME_MIN_BORDER 2
#define FRAME_MAX_CONTENT (1 << 24)
#define FRAME_TITLE_HEIGHT 28 // logical pixels, without the border above it
#define FRAME_SLIM_TITLE_HEIGHT 20
#define FRAME_BUTTON_WIDTH 28
#define FRAME_LABEL_ROOM 72 // what buttons leave to the VM's label, or give way
#define FRAME_CORNER_REACH 16

struct frame_insets frame_insets(enum frame_kind kind, int border_width);

/*
 * The four border bars in order top, bottom, left, right; they do not overlap and leave no pixel of
 * the ring open.
 */
void frame_bars(enum frame_kind kind, int border_width, int content_width, int content_height,
		struct frame_box bars[4]);

/* The title bar, inside the ring, above the content; empty (0x0) for kinds without one. */
struct frame_box frame_title(enum frame_kind kind, int border_width, int content_width);

/*
 * One button's box, inside the title bar; empty when the kind has none or the window is too narrow
 * for it. part: FRAME_PART_MINIMIZE, MAXIMIZE or CLOSE.
 */
struct frame_box frame_button(
		enum frame_kind kind, int border_width, int content_width, enum frame_part part);

/*
 * What lies at a point. Corners reach FRAME_CORNER_REACH pixels along each side of the ring, less
 * when it is small. A box holds its left and top edge and not its right and bottom one.
 */
enum frame_part frame_hit(enum frame_kind kind, int border_width, int content_width,
		int content_height, double x, double y);

#endif
