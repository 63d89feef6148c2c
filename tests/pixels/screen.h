/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_PIXELS_SCREEN_H
#define ISTHMUS_TESTS_PIXELS_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "control/capture.h"

/* What the compositor composes, seen by a local client of it. */
struct screen {
	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_compositor *compositor;
	struct wl_shm *shm;
	struct wl_output *output;
	struct ext_image_copy_capture_manager_v1 *captures;
	struct ext_output_image_capture_source_manager_v1 *sources;
	struct wp_single_pixel_buffer_manager_v1 *single_pixels;
	struct wp_viewporter *viewporter;
	struct zwlr_layer_shell_v1 *layer_shell;
	struct control *control;
	struct capture capture;
};

/* Ends the process when something is missing. */
void screen_connect(struct screen *screen);
void screen_disconnect(struct screen *screen);

/* Waits for events. */
void screen_dispatch(struct screen *screen);

/* The content's place; false when that window is not mapped. Waits for it to be so or not. */
bool screen_find_window(struct screen *screen, const char *app_id, bool mapped, int32_t *x,
		int32_t *y);

/* screen->capture is a picture of now; valid until the next one. */
void screen_take(struct screen *screen);

#endif
