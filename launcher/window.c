/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "cursor-shape-v1-client-protocol.h"
#include "fractional-scale-v1-client-protocol.h"
#include "launcher/launcher.h"
#include "viewporter-client-protocol.h"
#include "wlr-layer-shell-unstable-v1-client-protocol.h"

#define SCALE_DENOMINATOR 120.0 // of wp_fractional_scale_v1
#define SIDE_MAX 4096 // logical pixels: whatever is configured
#define COMPOSITOR_VERSION 6 // wl_surface.preferred_buffer_scale
#define SEAT_VERSION 4 // wl_keyboard.repeat_info, and no more events of wl_pointer than we handle

static void handle_capabilities(void *data, struct wl_seat *seat, uint32_t capabilities) {
	struct launcher *launcher = data;
	keyboard_attach(launcher, (capabilities & WL_SEAT_CAPABILITY_KEYBOARD) != 0);
	pointer_attach(launcher, (capabilities & WL_SEAT_CAPABILITY_POINTER) != 0);
}

static void handle_seat_name(void *data, struct wl_seat *seat, const char *name) {
}

static const struct wl_seat_listener seat_listener = {
		.capabilities = handle_capabilities,
		.name = handle_seat_name,
};

static uint32_t lower(uint32_t a, uint32_t b) {
	return a < b ? a : b;
}

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct launcher *l = data;
	if (strcmp(interface, wl_compositor_interface.name) == 0) {
		l->compositor = wl_registry_bind(registry, name, &wl_compositor_interface,
				lower(version, COMPOSITOR_VERSION));
	} else if (strcmp(interface, wl_shm_interface.name) == 0) {
		l->shm = wl_registry_bind(registry, name, &wl_shm_interface, 1);
	} else if (strcmp(interface, wl_seat_interface.name) == 0 && l->seat == NULL) {
		l->seat = wl_registry_bind(
				registry, name, &wl_seat_interface, lower(version, SEAT_VERSION));
	} else if (strcmp(interface, zwlr_layer_shell_v1_interface.name) == 0) {
		l->layer_shell = wl_registry_bind(
				registry, name, &zwlr_layer_shell_v1_interface, lower(version, 3));
	} else if (strcmp(interface, wp_viewporter_interface.name) == 0) {
		l->viewporter = wl_registry_bind(registry, name, &wp_viewporter_interface, 1);
	} else if (strcmp(interface, wp_fractional_scale_manager_v1_interface.name) == 0) {
		l->fractional = wl_registry_bind(
				registry, name, &wp_fractional_scale_manager_v1_interface, 1);
	} else if (strcmp(interface, wp_cursor_shape_manager_v1_interface.name) == 0) {
		l->cursor_shape = wl_registry_bind(
				registry, name, &wp_cursor_shape_manager_v1_interface, 1);
	}
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
		.global = handle_global,
		.global_remove = handle_global_remove,
};

static void set_scale(struct launcher *launcher, double scale) {
	if (scale > 0 && scale != launcher->scale) {
		launcher->scale = scale;
		launcher->dirty = true;
	}
}

static void handle_preferred_scale(
		void *data, struct wp_fractional_scale_v1 *fractional, uint32_t scale) {
	set_scale(data, scale / SCALE_DENOMINATOR);
}

static const struct wp_fractional_scale_v1_listener fractional_listener = {
		.preferred_scale = handle_preferred_scale,
};

static void handle_surface_output(
		void *data, struct wl_surface *surface, struct wl_output *output) {
}

static void handle_preferred_buffer_scale(void *data, struct wl_surface *surface, int32_t factor) {
	struct launcher *launcher = data;
	if (launcher->fractional_scale == NULL) {
		set_scale(launcher, factor);
	}
}

static void handle_preferred_buffer_transform(
		void *data, struct wl_surface *surface, uint32_t transform) {
}

static const struct wl_surface_listener surface_listener = {
		.enter = handle_surface_output,
		.leave = handle_surface_output,
		.preferred_buffer_scale = handle_preferred_buffer_scale,
		.preferred_buffer_transform = handle_preferred_buffer_transform,
};

static int configured_side(uint32_t configured, int wanted) {
	return configured > 0 && configured <= SIDE_MAX ? (int)configured : wanted;
}

static void handle_configure(void *data, struct zwlr_layer_surface_v1 *surface, uint32_t serial,
		uint32_t width, uint32_t height) {
	struct launcher *launcher = data;
	launcher->width = configured_side(width, PANEL_WIDTH);
	launcher->height = configured_side(height, PANEL_HEIGHT);
	list_set_visible(&launcher->list, panel_visible_rows(launcher->height));
	zwlr_layer_surface_v1_ack_configure(surface, serial);
	launcher->dirty = true;
}

static void handle_closed(void *data, struct zwlr_layer_surface_v1 *surface) {
	struct launcher *launcher = data;
	launcher->done = true;
}

static const struct zwlr_layer_surface_v1_listener layer_surface_listener = {
		.configure = handle_configure,
		.closed = handle_closed,
};

static bool window_create_surface(struct launcher *launcher) {
	launcher->surface = wl_compositor_create_surface(launcher->compositor);
	wl_surface_add_listener(launcher->surface, &surface_listener, launcher);
	if (launcher->viewporter != NULL && launcher->fractional != NULL) {
		launcher->viewport =
				wp_viewporter_get_viewport(launcher->viewporter, launcher->surface);
		launcher->fractional_scale = wp_fractional_scale_manager_v1_get_fractional_scale(
				launcher->fractional, launcher->surface);
		wp_fractional_scale_v1_add_listener(
				launcher->fractional_scale, &fractional_listener, launcher);
	}
	launcher->layer_surface = zwlr_layer_shell_v1_get_layer_surface(launcher->layer_shell,
			launcher->surface, NULL, ZWLR_LAYER_SHELL_V1_LAYER_OVERLAY,
			"guivm-launcher");
	zwlr_layer_surface_v1_add_listener(
			launcher->layer_surface, &layer_surface_listener, launcher);
	zwlr_layer_surface_v1_set_size(launcher->layer_surface, PANEL_WIDTH, PANEL_HEIGHT);
	zwlr_layer_surface_v1_set_keyboard_interactivity(launcher->layer_surface,
			ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_EXCLUSIVE);
	wl_surface_commit(launcher->surface);
	return true;
}

bool window_init(struct launcher *launcher) {
	launcher->scale = 1;
	launcher->registry = wl_display_get_registry(launcher->display);
	wl_registry_add_listener(launcher->registry, &registry_listener, launcher);
	if (wl_display_roundtrip(launcher->display) < 0) {
		log_error("the compositor closed the connection");
		return false;
	}
	if (launcher->compositor == NULL || launcher->shm == NULL ||
			launcher->layer_shell == NULL) {
		log_error("the compositor lacks %s",
				launcher->layer_shell == NULL ? "zwlr_layer_shell_v1"
							      : "wl_compositor or wl_shm");
		return false;
	}
	if (launcher->seat != NULL) {
		wl_seat_add_listener(launcher->seat, &seat_listener, launcher);
	}
	return window_create_surface(launcher);
}

static void buffer_handle_release(void *data, struct wl_buffer *proxy) {
	struct buffer *buffer = data;
	buffer->busy = false;
}

static const struct wl_buffer_listener buffer_listener = {
		.release = buffer_handle_release,
};

static void buffer_finish(struct buffer *buffer) {
	if (buffer->proxy != NULL) {
		wl_buffer_destroy(buffer->proxy);
		munmap(buffer->data, buffer->size);
	}
	*buffer = (struct buffer){0};
}

static bool buffer_init(struct buffer *buffer, struct wl_shm *shm, int width, int height) {
	int stride = width * 4;
	size_t size = (size_t)stride * (size_t)height;
	int fd = fd_memory("guivm-launcher", size);
	if (fd < 0) {
		return false;
	}
	void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED) {
		fd_close(&fd);
		return false;
	}
	struct wl_shm_pool *pool = wl_shm_create_pool(shm, fd, (int32_t)size);
	*buffer = (struct buffer){.data = data, .size = size, .width = width, .height = height};
	buffer->proxy = wl_shm_pool_create_buffer(
			pool, 0, width, height, stride, WL_SHM_FORMAT_XRGB8888);
	wl_buffer_add_listener(buffer->proxy, &buffer_listener, buffer);
	wl_shm_pool_destroy(pool);
	fd_close(&fd);
	return true;
}

/* One of that size which the compositor does not read, or NULL. */
static struct buffer *window_buffer(struct launcher *launcher, int width, int height) {
	for (size_t i = 0; i < LAUNCHER_BUFFERS; i++) {
		struct buffer *buffer = &launcher->buffers[i];
		if (buffer->busy) {
			continue;
		}
		if (buffer->proxy != NULL && buffer->width == width && buffer->height == height) {
			return buffer;
		}
		buffer_finish(buffer);
		if (buffer_init(buffer, launcher->shm, width, height)) {
			return buffer;
		}
		log_errno("buffer of %dx%d", width, height);
		return NULL;
	}
	return NULL; // a release makes one free, and wakes us
}

static void frame_handle_done(void *data, struct wl_callback *callback, uint32_t time) {
	struct launcher *launcher = data;
	wl_callback_destroy(callback);
	launcher->frame = NULL;
}

static const struct wl_callback_listener frame_listener = {
		.done = frame_handle_done,
};

static void window_draw(struct launcher *launcher, struct buffer *buffer) {
	cairo_surface_t *target = cairo_image_surface_create_for_data(buffer->data,
			CAIRO_FORMAT_RGB24, buffer->width, buffer->height, buffer->width * 4);
	cairo_t *cairo = cairo_create(target);
	struct panel panel = {
			.list = &launcher->list,
			.icons = launcher->icons,
			.width = launcher->width,
			.height = launcher->height,
			.scale = launcher->scale,
			.status = launcher->status,
			.status_is_error = launcher->status_is_error,
	};
	panel_draw(&panel, cairo);
	cairo_destroy(cairo);
	cairo_surface_destroy(target);
}

void window_update(struct launcher *launcher) {
	if (!launcher->dirty || launcher->width == 0 || launcher->frame != NULL) {
		return;
	}
	struct buffer *buffer =
			window_buffer(launcher, (int)lround(launcher->width * launcher->scale),
					(int)lround(launcher->height * launcher->scale));
	if (buffer == NULL) {
		return;
	}
	window_draw(launcher, buffer);
	if (launcher->viewport != NULL) {
		wp_viewport_set_destination(launcher->viewport, launcher->width, launcher->height);
	} else {
		wl_surface_set_buffer_scale(launcher->surface, (int32_t)launcher->scale);
	}
	wl_surface_attach(launcher->surface, buffer->proxy, 0, 0);
	wl_surface_damage(launcher->surface, 0, 0, launcher->width, launcher->height);
	launcher->frame = wl_surface_frame(launcher->surface);
	wl_callback_add_listener(launcher->frame, &frame_listener, launcher);
	wl_surface_commit(launcher->surface);
	buffer->busy = true;
	launcher->dirty = false;
}

static void window_finish_globals(struct launcher *launcher) {
	if (launcher->cursor_shape != NULL) {
		wp_cursor_shape_manager_v1_destroy(launcher->cursor_shape);
	}
	if (launcher->fractional != NULL) {
		wp_fractional_scale_manager_v1_destroy(launcher->fractional);
	}
	if (launcher->viewporter != NULL) {
		wp_viewporter_destroy(launcher->viewporter);
	}
	if (launcher->layer_shell != NULL) {
		zwlr_layer_shell_v1_destroy(launcher->layer_shell);
	}
	if (launcher->seat != NULL) {
		wl_seat_destroy(launcher->seat);
	}
	if (launcher->shm != NULL) {
		wl_shm_destroy(launcher->shm);
	}
	if (launcher->compositor != NULL) {
		wl_compositor_destroy(launcher->compositor);
	}
	if (launcher->registry != NULL) {
		wl_registry_destroy(launcher->registry);
	}
}

void window_finish(struct launcher *launcher) {
	pointer_attach(launcher, false);
	if (launcher->frame != NULL) {
		wl_callback_destroy(launcher->frame);
	}
	if (launcher->layer_surface != NULL) {
		zwlr_layer_surface_v1_destroy(launcher->layer_surface);
	}
	if (launcher->fractional_scale != NULL) {
		wp_fractional_scale_v1_destroy(launcher->fractional_scale);
		wp_viewport_destroy(launcher->viewport);
	}
	if (launcher->surface != NULL) {
		wl_surface_destroy(launcher->surface);
	}
	for (size_t i = 0; i < LAUNCHER_BUFFERS; i++) {
		buffer_finish(&launcher->buffers[i]);
	}
	window_finish_globals(launcher);
}
