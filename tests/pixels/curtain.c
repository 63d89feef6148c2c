/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pixels/curtain.h"

#include <stdint.h>

#include "single-pixel-buffer-v1-client-protocol.h"
#include "tests/harness/ignore.h"
#include "tests/pixels/screen.h"
#include "viewporter-client-protocol.h"
#include "wlr-layer-shell-unstable-v1-client-protocol.h"

struct curtain {
	struct screen *screen;
	struct wl_surface *surface;
	struct wp_viewport *viewport;
	bool shown;
};

static void layer_handle_configure(void *data, struct zwlr_layer_surface_v1 *layer,
		uint32_t serial, uint32_t width, uint32_t height) {
	struct curtain *curtain = data;
	zwlr_layer_surface_v1_ack_configure(layer, serial);
	struct wl_buffer *buffer = wp_single_pixel_buffer_manager_v1_create_u32_rgba_buffer(
			curtain->screen->single_pixels, 0, UINT32_MAX, 0, UINT32_MAX);
	wl_surface_attach(curtain->surface, buffer, 0, 0);
	wp_viewport_set_destination(curtain->viewport, (int32_t)width, (int32_t)height);
	wl_surface_damage(curtain->surface, 0, 0, INT32_MAX, INT32_MAX);
	wl_surface_commit(curtain->surface);
	wl_buffer_destroy(buffer);
}

static const struct zwlr_layer_surface_v1_listener layer_listener = {
		.configure = layer_handle_configure,
		.closed = IGNORE,
};

static void frame_handle_done(void *data, struct wl_callback *callback, uint32_t time_ms) {
	struct curtain *curtain = data;
	curtain->shown = true;
	wl_callback_destroy(callback);
}

static const struct wl_callback_listener frame_listener = {.done = frame_handle_done};

void curtain_draw(struct screen *screen) {
	struct curtain curtain = {.screen = screen};
	curtain.surface = wl_compositor_create_surface(screen->compositor);
	curtain.viewport = wp_viewporter_get_viewport(screen->viewporter, curtain.surface);
	struct wl_region *nothing = wl_compositor_create_region(screen->compositor);
	wl_surface_set_input_region(curtain.surface, nothing);
	wl_region_destroy(nothing);
	struct zwlr_layer_surface_v1 *layer = zwlr_layer_shell_v1_get_layer_surface(
			screen->layer_shell, curtain.surface, screen->output,
			ZWLR_LAYER_SHELL_V1_LAYER_OVERLAY, "curtain");
	zwlr_layer_surface_v1_add_listener(layer, &layer_listener, &curtain);
	zwlr_layer_surface_v1_set_anchor(layer,
			ZWLR_LAYER_SURFACE_V1_ANCHOR_TOP | ZWLR_LAYER_SURFACE_V1_ANCHOR_BOTTOM |
			ZWLR_LAYER_SURFACE_V1_ANCHOR_LEFT | ZWLR_LAYER_SURFACE_V1_ANCHOR_RIGHT);
	zwlr_layer_surface_v1_set_exclusive_zone(layer, -1);
	wl_callback_add_listener(wl_surface_frame(curtain.surface), &frame_listener, &curtain);
	wl_surface_commit(curtain.surface);
	while (!curtain.shown) {
		screen_dispatch(screen);
	}
	zwlr_layer_surface_v1_destroy(layer);
	wp_viewport_destroy(curtain.viewport);
	wl_surface_destroy(curtain.surface);
}
