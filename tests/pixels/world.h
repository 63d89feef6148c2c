/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_PIXELS_WORLD_H
#define ISTHMUS_TESTS_PIXELS_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-client.h>

#include "tests/pixels/memory.h"
#include "tests/pixels/program.h"

#define WORLD_WIDTH 320
#define WORLD_HEIGHT 240
#define WORLD_SURFACES 5 // the first one is the window
#define WORLD_MAX_FORMATS 128
#define WORLD_MAX_CALLBACKS 128

struct world;

struct surface {
	struct world *world;
	struct wl_surface *proxy; // NULL: not there
	struct wl_subsurface *role; // NULL: none, or the window
	struct surface *parent;
	struct wp_viewport *viewport;
	// What is in the last buffer; canvas is NULL without one.
	uint8_t *canvas;
	int32_t width, height;
	uint32_t format, bytes_per_pixel;
	bool opaque; // there is an opaque region
	bool single_pixel; // the last buffer has no memory
	int32_t transform, scale;
	bool turned; // since the last commit
	wl_fixed_t source[4]; // x, y, width, height
	bool has_source;
	int32_t destination[2];
	bool has_destination;
	struct buffer *last; // that was committed; NULL once destroyed
};

/* One program on one connection. */
struct world {
	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_compositor *compositor;
	struct wl_subcompositor *subcompositor;
	struct wl_shm *shm;
	struct wp_viewporter *viewporter;
	struct wp_single_pixel_buffer_manager_v1 *single_pixels;
	struct xdg_wm_base *shell;
	struct xdg_surface *xdg_surface;
	struct xdg_toplevel *toplevel;
	struct wl_surface *backdrop;
	struct wl_subsurface *backdrop_role;
	struct wp_viewport *backdrop_viewport;
	uint32_t formats[WORLD_MAX_FORMATS]; // sorted
	size_t n_formats;
	struct memory memory;
	struct surface surfaces[WORLD_SURFACES];
	bool old; // wl_compositor of before wl_surface.offset
	bool configuring, configured, mapped;
	struct wl_callback *callbacks[WORLD_MAX_CALLBACKS]; // that did not come; NULL: free
	uint32_t n_frames; // callbacks that came
	uint32_t n_buffers; // made so far
	bool failed; // the connection is over
	// Nobody could read why: libwayland-server closes sockets with unread requests in them.
	// Over the bridge that must not happen.
	bool reset;
	char error[128]; // of the protocol: interface and code
};

/* NULL display_name: the environment's. app_id names the window. */
bool world_connect(struct world *world, const char *display_name, const char *app_id, bool old);
void world_disconnect(struct world *world);

/* Nothing happens once the world has failed. */
void world_step(struct world *world, const struct step *step);

/* Until the compositor has seen all that was done. */
void world_roundtrip(struct world *world);

#endif
