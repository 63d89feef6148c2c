/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pixels/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-client.h>

#include "control/client.h"
#include "ext-image-capture-source-v1-client-protocol.h"
#include "ext-image-copy-capture-v1-client-protocol.h"
#include "single-pixel-buffer-v1-client-protocol.h"
#include "tests/harness/ignore.h"
#include "tests/pixels/world.h"
#include "viewporter-client-protocol.h"
#include "wlr-layer-shell-unstable-v1-client-protocol.h"

static _Noreturn void die(const char *what) {
	fprintf(stderr, "screen: %s\n", what);
	exit(2);
}

static void screen_roundtrip(struct screen *screen) {
	if (wl_display_roundtrip(screen->display) < 0) {
		die("the compositor is gone");
	}
}

static void registry_handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct screen *screen = data;
	const struct {
		const struct wl_interface *interface;
		uint32_t version;
		void *proxy;
	} globals[] = {
			{&wl_compositor_interface, 4, &screen->compositor},
			{&wl_shm_interface, 1, &screen->shm},
			{&wl_output_interface, 1, &screen->output},
			{&ext_image_copy_capture_manager_v1_interface, 1, &screen->captures},
			{&ext_output_image_capture_source_manager_v1_interface, 1,
					&screen->sources},
			{&wp_single_pixel_buffer_manager_v1_interface, 1, &screen->single_pixels},
			{&wp_viewporter_interface, 1, &screen->viewporter},
			{&zwlr_layer_shell_v1_interface, 1, &screen->layer_shell},
	};
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		if (strcmp(globals[i].interface->name, interface) == 0) {
			*(void **)globals[i].proxy = wl_registry_bind(
					registry, name, globals[i].interface, globals[i].version);
		}
	}
}

static const struct wl_registry_listener registry_listener = {
		.global = registry_handle_global,
		.global_remove = IGNORE,
};

void screen_connect(struct screen *screen) {
	*screen = (struct screen){.display = wl_display_connect(NULL)};
	if (screen->display == NULL) {
		die("no compositor");
	}
	screen->registry = wl_display_get_registry(screen->display);
	wl_registry_add_listener(screen->registry, &registry_listener, screen);
	screen_roundtrip(screen);
	if (screen->compositor == NULL || screen->shm == NULL || screen->output == NULL ||
			screen->captures == NULL || screen->sources == NULL ||
			screen->single_pixels == NULL || screen->viewporter == NULL ||
			screen->layer_shell == NULL) {
		die("a global is missing");
	}
	screen->control = control_create(screen->display, NULL, NULL);
	if (screen->control == NULL || !control_wait_ready(screen->control, screen->display)) {
		die("isthmus_control_v1 is missing");
	}
}

void screen_disconnect(struct screen *screen) {
	capture_finish(&screen->capture);
	control_destroy(screen->control);
	void *const proxies[] = {screen->compositor, screen->shm, screen->output, screen->captures,
			screen->sources, screen->single_pixels, screen->viewporter,
			screen->layer_shell, screen->registry};
	for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++) {
		wl_proxy_destroy(proxies[i]);
	}
	wl_display_disconnect(screen->display);
}

void screen_dispatch(struct screen *screen) {
	if (wl_display_dispatch(screen->display) < 0) {
		die("the compositor is gone");
	}
}

static const struct control_window *find_window(struct screen *screen, const char *app_id) {
	const struct control_window *window;
	wl_list_for_each (window, &screen->control->windows, link) {
		if (strcmp(window->app_id, app_id) == 0) {
			return window;
		}
	}
	return NULL;
}

bool screen_find_window(struct screen *screen, const char *app_id, bool mapped, int32_t *x,
		int32_t *y) {
	screen_roundtrip(screen);
	const struct control_window *window;
	for (;;) {
		window = find_window(screen, app_id);
		bool right = window != NULL && window->width == WORLD_WIDTH &&
				window->height == WORLD_HEIGHT;
		if (mapped ? right : window == NULL) {
			break;
		}
		screen_dispatch(screen);
	}
	if (window != NULL) {
		*x = window->x;
		*y = window->y;
	}
	return window != NULL;
}

void screen_take(struct screen *screen) {
	capture_finish(&screen->capture);
	struct ext_image_capture_source_v1 *source =
			ext_output_image_capture_source_manager_v1_create_source(
					screen->sources, screen->output);
	capture_init(&screen->capture, screen->captures, source, screen->shm);
	ext_image_capture_source_v1_destroy(source);
	while (screen->capture.state == CAPTURE_WAITING) {
		screen_dispatch(screen);
	}
	if (screen->capture.state == CAPTURE_FAILED) {
		die(screen->capture.error);
	}
}
