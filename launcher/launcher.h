/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_LAUNCHER_LAUNCHER_H
#define ISTHMUS_LAUNCHER_LAUNCHER_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-client.h>

#include "launcher/list.h"
#include "launcher/panel.h"

#define LAUNCHER_BUFFERS 2

struct icons;
struct launcher;

/* One wl_buffer and its memory. */
struct buffer {
	struct wl_buffer *proxy; // NULL: not made yet
	uint8_t *data;
	size_t size;
	int width, height; // pixels
	bool busy; // the compositor reads it
};

struct launcher {
	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_compositor *compositor;
	struct wl_shm *shm;
	struct wl_seat *seat;
	struct zwlr_layer_shell_v1 *layer_shell;
	struct wp_viewporter *viewporter; // may be NULL
	struct wp_fractional_scale_manager_v1 *fractional; // may be NULL
	struct wp_cursor_shape_manager_v1 *cursor_shape; // may be NULL

	struct wl_surface *surface;
	struct zwlr_layer_surface_v1 *layer_surface;
	struct wp_viewport *viewport;
	struct wp_fractional_scale_v1 *fractional_scale;
	struct wl_callback *frame; // the last picture is not shown yet
	struct buffer buffers[LAUNCHER_BUFFERS];
	int width, height; // logical pixels; 0 until configured
	double scale;
	bool dirty; // what is shown is out of date

	struct wl_keyboard *keyboard;
	struct xkb_context *xkb;
	struct xkb_keymap *keymap;
	struct xkb_state *xkb_state;
	struct xkb_compose_state *compose; // may be NULL
	int repeat_fd; // timerfd
	int32_t repeat_rate, repeat_delay_ms;
	uint32_t repeat_key;

	struct wl_pointer *pointer;
	struct wp_cursor_shape_device_v1 *cursor_device;
	double pointer_x, pointer_y, wheel;

	struct control *control;
	struct icons *icons;
	struct list list;
	char status[768];
	bool status_is_error;
	bool waiting; // a start is under way
	bool done; // ends the loop
	bool failed; // exit status 1
};

/* main.c */
void launcher_start_selected(struct launcher *launcher);
void launcher_set_status(struct launcher *launcher, bool is_error, const char *format, ...)
		__attribute__((format(printf, 3, 4)));

/* window.c: false: said why on standard error. */
bool window_init(struct launcher *launcher);
void window_finish(struct launcher *launcher);
/* Draws when something changed and the picture before is shown. Call after every dispatch. */
void window_update(struct launcher *launcher);

/* keyboard.c */
bool keyboard_init(struct launcher *launcher);
void keyboard_finish(struct launcher *launcher);
void keyboard_attach(struct launcher *launcher, bool has_keyboard);
/* repeat_fd is readable. */
void keyboard_handle_repeat_timer(struct launcher *launcher);

/* pointer.c */
void pointer_attach(struct launcher *launcher, bool has_pointer);

#endif
