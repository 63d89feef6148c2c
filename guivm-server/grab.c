/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/util/edges.h>

#include "guivm-server/cursor.h"
#include "guivm-server/focus.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"

static void cursor_begin_grab(struct cursor *cursor, struct view *view, enum cursor_mode mode) {
	cursor->mode = mode;
	cursor->grabbed = view;
	cursor->grab_x = cursor->wlr_cursor->x;
	cursor->grab_y = cursor->wlr_cursor->y;
	cursor->grab_box = view->window.box;
	wlr_seat_pointer_notify_clear_focus(cursor->server->wlr_seat);
}

void cursor_begin_move(struct server *server, struct view *view) {
	struct cursor *cursor = server->cursor;
	if (cursor->n_buttons == 0 || view->fullscreen || cursor->mode == CURSOR_RESIZE) {
		return;
	}
	cursor_begin_grab(cursor, view, CURSOR_MOVE);
	cursor_set_shape(cursor, "grabbing");
}

static const char *edges_shape(uint32_t edges) {
	switch (edges) {
	case WLR_EDGE_TOP:
		return "n-resize";
	case WLR_EDGE_BOTTOM:
		return "s-resize";
	case WLR_EDGE_LEFT:
		return "w-resize";
	case WLR_EDGE_RIGHT:
		return "e-resize";
	case WLR_EDGE_TOP | WLR_EDGE_LEFT:
		return "nw-resize";
	case WLR_EDGE_TOP | WLR_EDGE_RIGHT:
		return "ne-resize";
	case WLR_EDGE_BOTTOM | WLR_EDGE_LEFT:
		return "sw-resize";
	case WLR_EDGE_BOTTOM | WLR_EDGE_RIGHT:
		return "se-resize";
	default:
		return NULL;
	}
}

void cursor_begin_resize(struct server *server, struct view *view, uint32_t untrusted_edges) {
	struct cursor *cursor = server->cursor;
	const char *shape = edges_shape(untrusted_edges);
	if (cursor->n_buttons == 0 || view->fullscreen || view->maximized || shape == NULL) {
		return;
	}
	cursor_begin_grab(cursor, view, CURSOR_RESIZE);
	cursor->grab_edges = untrusted_edges;
	cursor_set_shape(cursor, shape);
}

static void cursor_grab_move(struct cursor *cursor) {
	struct view *view = cursor->grabbed;
	double dx = cursor->wlr_cursor->x - cursor->grab_x;
	double dy = cursor->wlr_cursor->y - cursor->grab_y;
	if (view->maximized) {
		if (fabs(dx) < 8 && fabs(dy) < 8) {
			return;
		}
		/*
		 * Pulled off: the restored window hangs under the pointer at the same share of its
		 * width.
		 */
		double share = (cursor->grab_x - cursor->grab_box.x) / cursor->grab_box.width;
		int width = view->restore.width > 0 ? view->restore.width : cursor->grab_box.width;
		view->restore.x = (int)(cursor->grab_x - share * width);
		view->restore.y = cursor->grab_box.y;
		cursor->grab_box.x = view->restore.x;
		view_set_maximized(view, false);
	}
	// The nearest pixel: cut off, a window would lag behind the pointer by up to one.
	view_move(view, cursor->grab_box.x + (int)lround(dx),
			cursor->grab_box.y + (int)lround(dy));
}

static void cursor_grab_resize(struct cursor *cursor) {
	int dx = (int)lround(cursor->wlr_cursor->x - cursor->grab_x);
	int dy = (int)lround(cursor->wlr_cursor->y - cursor->grab_y);
	struct wlr_box box = cursor->grab_box;
	if (cursor->grab_edges & WLR_EDGE_LEFT) {
		box.x += dx;
		box.width -= dx;
	} else if (cursor->grab_edges & WLR_EDGE_RIGHT) {
		box.width += dx;
	}
	if (cursor->grab_edges & WLR_EDGE_TOP) {
		box.y += dy;
		box.height -= dy;
	} else if (cursor->grab_edges & WLR_EDGE_BOTTOM) {
		box.height += dy;
	}
	view_resize_to(cursor->grabbed, cursor->grab_edges, &box);
}

void cursor_grab_motion(struct cursor *cursor) {
	if (cursor->mode == CURSOR_MOVE) {
		cursor_grab_move(cursor);
	} else {
		cursor_grab_resize(cursor);
	}
}

void cursor_grab_end(struct cursor *cursor) {
	if (cursor->mode == CURSOR_RESIZE) {
		view_resize_end(cursor->grabbed);
	}
	cursor->grabbed = NULL;
	cursor->mode = CURSOR_PASSTHROUGH;
}
