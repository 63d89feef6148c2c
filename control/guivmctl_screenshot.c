/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <wayland-client.h>

#include "control/capture.h"
#include "control/guivmctl.h"
#include "control/picture.h"
#include "ext-image-capture-source-v1-client-protocol.h"
#include "ext-image-copy-capture-v1-client-protocol.h"
#include "xdg-output-unstable-v1-client-protocol.h"

#define CAPTURE_TIMEOUT_MS 10000

struct screen {
	struct wl_output *output;
	struct zxdg_output_v1 *xdg_output;
	char *name; // NULL until told
	int x, y, width, height; // logical
	struct capture capture;
	struct wl_list link; // screenshot.screens
};

struct screenshot {
	struct wl_registry *registry;
	struct wl_shm *shm;
	struct zxdg_output_manager_v1 *xdg_output_manager;
	struct ext_output_image_capture_source_manager_v1 *source_manager;
	struct ext_image_copy_capture_manager_v1 *copy_manager;
	struct wl_list screens; // screen.link
	size_t n_screens;
};

static void output_handle_geometry(void *data, struct wl_output *output, int32_t x, int32_t y,
		int32_t physical_width, int32_t physical_height, int32_t subpixel, const char *make,
		const char *model, int32_t transform) {
	// The capture tells the transform of its pixels.
}

static void output_handle_mode(void *data, struct wl_output *output, uint32_t flags, int32_t width,
		int32_t height, int32_t refresh) {
	// The capture tells the size of its pixels.
}

static void output_handle_done(void *data, struct wl_output *output) {
	// A roundtrip says when all is there.
}

static void output_handle_scale(void *data, struct wl_output *output, int32_t factor) {
	// Pixels per logical pixel follow from both sizes.
}

static void output_handle_name(void *data, struct wl_output *output, const char *name) {
	struct screen *screen = data;
	free(screen->name);
	screen->name = strdup(name);
}

static void output_handle_description(void *data, struct wl_output *output, const char *text) {
	// Outputs are chosen by name.
}

static const struct wl_output_listener output_listener = {
	.geometry = output_handle_geometry,
	.mode = output_handle_mode,
	.done = output_handle_done,
	.scale = output_handle_scale,
	.name = output_handle_name,
	.description = output_handle_description,
};

static void xdg_output_handle_logical_position(void *data, struct zxdg_output_v1 *xdg_output,
		int32_t x, int32_t y) {
	struct screen *screen = data;
	screen->x = x;
	screen->y = y;
}

static void xdg_output_handle_logical_size(void *data, struct zxdg_output_v1 *xdg_output,
		int32_t width, int32_t height) {
	struct screen *screen = data;
	screen->width = width;
	screen->height = height;
}

static void xdg_output_handle_done(void *data, struct zxdg_output_v1 *xdg_output) {
	// A roundtrip says when all is there.
}

static void xdg_output_handle_name(
		void *data, struct zxdg_output_v1 *xdg_output, const char *name) {
	// wl_output has it too.
}

static void xdg_output_handle_description(void *data, struct zxdg_output_v1 *xdg_output,
		const char *text) {
	// Outputs are chosen by name.
}

static const struct zxdg_output_v1_listener xdg_output_listener = {
	.logical_position = xdg_output_handle_logical_position,
	.logical_size = xdg_output_handle_logical_size,
	.done = xdg_output_handle_done,
	.name = xdg_output_handle_name,
	.description = xdg_output_handle_description,
};

static void screen_create(struct screenshot *shot, uint32_t name) {
	struct screen *screen = calloc(1, sizeof(*screen));
	if (screen == NULL) {
		return;
	}
	screen->output = wl_registry_bind(shot->registry, name, &wl_output_interface, 4);
	wl_output_add_listener(screen->output, &output_listener, screen);
	wl_list_insert(shot->screens.prev, &screen->link);
}

static void screen_destroy(struct screen *screen) {
	wl_list_remove(&screen->link);
	capture_finish(&screen->capture);
	if (screen->xdg_output != NULL) {
		zxdg_output_v1_destroy(screen->xdg_output);
	}
	wl_output_release(screen->output);
	free(screen->name);
	free(screen);
}

static void registry_handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct screenshot *shot = data;
	if (strcmp(interface, wl_shm_interface.name) == 0) {
		shot->shm = wl_registry_bind(registry, name, &wl_shm_interface, 1);
	} else if (strcmp(interface, wl_output_interface.name) == 0 && version >= 4) {
		screen_create(shot, name);
	} else if (strcmp(interface, zxdg_output_manager_v1_interface.name) == 0 && version >= 3) {
		shot->xdg_output_manager = wl_registry_bind(
				registry, name, &zxdg_output_manager_v1_interface, 3);
	} else if (strcmp(interface, ext_output_image_capture_source_manager_v1_interface.name) ==
			0) {
		shot->source_manager = wl_registry_bind(registry, name,
				&ext_output_image_capture_source_manager_v1_interface, 1);
	} else if (strcmp(interface, ext_image_copy_capture_manager_v1_interface.name) == 0) {
		shot->copy_manager = wl_registry_bind(registry, name,
				&ext_image_copy_capture_manager_v1_interface, 1);
	}
}

static void registry_handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
	// The capture of an output that goes is stopped.
}

static const struct wl_registry_listener registry_listener = {
	.global = registry_handle_global,
	.global_remove = registry_handle_global_remove,
};

static bool has_all_globals(const struct screenshot *shot) {
	if (shot->shm == NULL || shot->xdg_output_manager == NULL || shot->source_manager == NULL ||
			shot->copy_manager == NULL) {
		guivmctl_error("the compositor does not offer ext-image-copy-capture-v1 "
				"and what it needs");
		return false;
	}
	return true;
}

static bool find_screens(struct guivmctl *ctl, struct screenshot *shot) {
	shot->registry = wl_display_get_registry(ctl->display);
	wl_registry_add_listener(shot->registry, &registry_listener, shot);
	if (wl_display_roundtrip(ctl->display) < 0 || !has_all_globals(shot)) {
		return false;
	}
	struct screen *screen, *next;
	wl_list_for_each(screen, &shot->screens, link) {
		screen->xdg_output = zxdg_output_manager_v1_get_xdg_output(shot->xdg_output_manager,
				screen->output);
		zxdg_output_v1_add_listener(screen->xdg_output, &xdg_output_listener, screen);
	}
	if (wl_display_roundtrip(ctl->display) < 0) {
		return false;
	}
	const char *wanted = ctl->options.output;
	wl_list_for_each_safe(screen, next, &shot->screens, link) {
		bool chosen = wanted == NULL ||
			      (screen->name != NULL && strcmp(screen->name, wanted) == 0);
		if (!chosen || screen->width <= 0 || screen->height <= 0) {
			screen_destroy(screen);
		} else {
			shot->n_screens++;
		}
	}
	if (shot->n_screens == 0) {
		guivmctl_error(wanted != NULL ? "there is no output \"%s\"" : "there is no output",
				wanted);
	}
	return shot->n_screens > 0;
}

static enum capture_state captures_state(const struct screenshot *shot) {
	enum capture_state state = CAPTURE_READY;
	struct screen *screen;
	wl_list_for_each(screen, &shot->screens, link) {
		if (screen->capture.state == CAPTURE_FAILED) {
			guivmctl_error("output %s: %s", screen->name, screen->capture.error);
			return CAPTURE_FAILED;
		}
		if (screen->capture.state == CAPTURE_WAITING) {
			state = CAPTURE_WAITING;
		}
	}
	return state;
}

static bool capture_screens(struct guivmctl *ctl, struct screenshot *shot) {
	struct screen *screen;
	wl_list_for_each(screen, &shot->screens, link) {
		struct ext_image_capture_source_v1 *source =
				ext_output_image_capture_source_manager_v1_create_source(
					shot->source_manager, screen->output);
		capture_init(&screen->capture, shot->copy_manager, source, shot->shm);
		ext_image_capture_source_v1_destroy(source);
	}
	int64_t deadline_ms = guivmctl_now_ms() + CAPTURE_TIMEOUT_MS;
	enum capture_state state;
	while ((state = captures_state(shot)) == CAPTURE_WAITING) {
		int n = guivmctl_dispatch(ctl, deadline_ms);
		if (n == 0) {
			guivmctl_error("the compositor gave no image in %d s",
					CAPTURE_TIMEOUT_MS / 1000);
		}
		if (n <= 0) {
			return false;
		}
	}
	return state == CAPTURE_READY;
}

static bool write_screens(const struct screenshot *shot, const char *path) {
	struct picture_part *parts = calloc(shot->n_screens, sizeof(*parts));
	if (parts == NULL) {
		guivmctl_error("out of memory");
		return false;
	}
	size_t n = 0;
	struct screen *screen;
	wl_list_for_each(screen, &shot->screens, link) {
		const struct capture *capture = &screen->capture;
		parts[n++] = (struct picture_part){
			.pixels = capture->pixels,
			.width = capture->width,
			.height = capture->height,
			.stride_bytes = capture->stride_bytes,
			.red_first = capture->format == WL_SHM_FORMAT_XBGR8888 ||
					capture->format == WL_SHM_FORMAT_ABGR8888,
			.transform = capture->transform,
			.x = screen->x,
			.y = screen->y,
			.logical_width = screen->width,
			.logical_height = screen->height,
		};
	}
	char error[512];
	bool ok = picture_write(parts, n, path, error, sizeof(error));
	if (!ok) {
		guivmctl_error("%s", error);
	}
	free(parts);
	return ok;
}

static void screenshot_finish(struct screenshot *shot) {
	struct screen *screen, *next;
	wl_list_for_each_safe(screen, next, &shot->screens, link) {
		screen_destroy(screen);
	}
	if (shot->shm != NULL) {
		wl_shm_destroy(shot->shm);
	}
	if (shot->xdg_output_manager != NULL) {
		zxdg_output_manager_v1_destroy(shot->xdg_output_manager);
	}
	if (shot->source_manager != NULL) {
		ext_output_image_capture_source_manager_v1_destroy(shot->source_manager);
	}
	if (shot->copy_manager != NULL) {
		ext_image_copy_capture_manager_v1_destroy(shot->copy_manager);
	}
	wl_registry_destroy(shot->registry);
}

enum exit_status command_screenshot(struct guivmctl *ctl, char **args, int n_args) {
	if (!guivmctl_connect_display(ctl)) {
		return STATUS_FAILED;
	}
	struct screenshot shot = {0};
	wl_list_init(&shot.screens);
	bool ok = find_screens(ctl, &shot) && capture_screens(ctl, &shot) &&
			write_screens(&shot, args[0]);
	screenshot_finish(&shot);
	return ok ? STATUS_OK : STATUS_FAILED;
}
