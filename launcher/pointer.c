/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/input-event-codes.h>
#include <stdlib.h>

#include "cursor-shape-v1-client-protocol.h"
#include "launcher/launcher.h"

#define WHEEL_STEP 15.0 // wl_pointer.axis of one notch, by custom

static bool row_under_pointer(struct launcher *launcher, size_t *row) {
	return panel_row_at(launcher->width, launcher->height, launcher->pointer_x,
			launcher->pointer_y, row);
}

static void hover(struct launcher *launcher) {
	size_t row;
	if (row_under_pointer(launcher, &row) && list_select_visible(&launcher->list, row)) {
		launcher->dirty = true;
	}
}

static void handle_enter(void *data, struct wl_pointer *pointer, uint32_t serial,
		struct wl_surface *surface, wl_fixed_t x, wl_fixed_t y) {
	struct launcher *launcher = data;
	launcher->pointer_x = wl_fixed_to_double(x);
	launcher->pointer_y = wl_fixed_to_double(y);
	if (launcher->cursor_device != NULL) {
		wp_cursor_shape_device_v1_set_shape(launcher->cursor_device, serial,
				WP_CURSOR_SHAPE_DEVICE_V1_SHAPE_DEFAULT);
	}
}

static void handle_leave(void *data, struct wl_pointer *pointer, uint32_t serial,
		struct wl_surface *surface) {
}

static void handle_motion(
		void *data, struct wl_pointer *pointer, uint32_t time, wl_fixed_t x, wl_fixed_t y) {
	struct launcher *launcher = data;
	launcher->pointer_x = wl_fixed_to_double(x);
	launcher->pointer_y = wl_fixed_to_double(y);
	hover(launcher);
}

static void handle_button(void *data, struct wl_pointer *pointer, uint32_t serial, uint32_t time,
		uint32_t button, uint32_t state) {
	struct launcher *launcher = data;
	size_t row;
	if (button != BTN_LEFT || state != WL_POINTER_BUTTON_STATE_RELEASED ||
			!row_under_pointer(launcher, &row)) {
		return;
	}
	/* Below the last row there is nothing to start. */
	if (launcher->list.first + row < launcher->list.n_rows) {
		list_select_visible(&launcher->list, row);
		launcher_start_selected(launcher);
	}
}

static void handle_axis(void *data, struct wl_pointer *pointer, uint32_t time, uint32_t axis,
		wl_fixed_t value) {
	struct launcher *launcher = data;
	if (axis != WL_POINTER_AXIS_VERTICAL_SCROLL) {
		return;
	}
	launcher->wheel += wl_fixed_to_double(value);
	int rows = (int)(launcher->wheel / WHEEL_STEP);
	if (rows != 0) {
		launcher->wheel -= rows * WHEEL_STEP;
		list_scroll(&launcher->list, rows);
		hover(launcher);
		launcher->dirty = true;
	}
}

/* Version 1 of the pointer is enough: its events are those above. */
static const struct wl_pointer_listener pointer_listener = {
		.enter = handle_enter,
		.leave = handle_leave,
		.motion = handle_motion,
		.button = handle_button,
		.axis = handle_axis,
};

static void pointer_detach(struct launcher *launcher) {
	if (launcher->cursor_device != NULL) {
		wp_cursor_shape_device_v1_destroy(launcher->cursor_device);
		launcher->cursor_device = NULL;
	}
	if (launcher->pointer != NULL) {
		wl_pointer_release(launcher->pointer);
		launcher->pointer = NULL;
	}
}

void pointer_attach(struct launcher *launcher, bool has_pointer) {
	if (!has_pointer) {
		pointer_detach(launcher);
	} else if (launcher->pointer == NULL) {
		launcher->pointer = wl_seat_get_pointer(launcher->seat);
		wl_pointer_add_listener(launcher->pointer, &pointer_listener, launcher);
		if (launcher->cursor_shape != NULL) {
			launcher->cursor_device = wp_cursor_shape_manager_v1_get_pointer(
					launcher->cursor_shape, launcher->pointer);
		}
	}
}
