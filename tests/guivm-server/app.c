/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wlr/types/wlr_compositor.h>

#include "common/fd.h"
#include "guivm-server/vm.h"
#include "tests/guivm-server/desk.h"
#include "tests/harness/ignore.h"

static void keyboard_keymap(void *data, struct wl_keyboard *keyboard, uint32_t format, int32_t fd,
		uint32_t size) {
	close(fd);
}

static void app_note_key(struct app *app, uint32_t key) {
	EXPECT(app->n_keys < APP_MAX_KEYS);
	app->keys[app->n_keys++] = key;
}

static void keyboard_enter(void *data, struct wl_keyboard *keyboard, uint32_t serial,
		struct wl_surface *surface, struct wl_array *keys) {
	struct app *app = data;
	app->keyboard_focus = surface;
	app->serial = serial;
	uint32_t *key;
	wl_array_for_each(key, keys) {
		app_note_key(app, *key);
	}
}

static void keyboard_leave(void *data, struct wl_keyboard *keyboard, uint32_t serial,
		struct wl_surface *surface) {
	struct app *app = data;
	app->keyboard_focus = NULL;
}

static void keyboard_key(void *data, struct wl_keyboard *keyboard, uint32_t serial, uint32_t time,
		uint32_t key, uint32_t state) {
	struct app *app = data;
	app->serial = serial;
	if (state == WL_KEYBOARD_KEY_STATE_PRESSED) {
		app_note_key(app, key);
	} else {
		app->n_key_releases++;
	}
}

static const struct wl_keyboard_listener keyboard_listener = {
	.keymap = keyboard_keymap,
	.enter = keyboard_enter,
	.leave = keyboard_leave,
	.key = keyboard_key,
	.modifiers = IGNORE,
	.repeat_info = IGNORE,
};

static void pointer_enter(void *data, struct wl_pointer *pointer, uint32_t serial,
		struct wl_surface *surface, wl_fixed_t x, wl_fixed_t y) {
	struct app *app = data;
	app->pointer_focus = surface;
	app->serial = serial;
}

static void pointer_leave(void *data, struct wl_pointer *pointer, uint32_t serial,
		struct wl_surface *surface) {
	struct app *app = data;
	app->pointer_focus = NULL;
}

static void pointer_button(void *data, struct wl_pointer *pointer, uint32_t serial, uint32_t time,
		uint32_t button, uint32_t state) {
	struct app *app = data;
	app->serial = serial;
	app->n_buttons += state == WL_POINTER_BUTTON_STATE_PRESSED;
}

static const struct wl_pointer_listener pointer_listener = {
	.enter = pointer_enter,
	.leave = pointer_leave,
	.motion = IGNORE,
	.button = pointer_button,
	.axis = IGNORE,
	.frame = IGNORE,
	.axis_source = IGNORE,
	.axis_stop = IGNORE,
	.axis_discrete = IGNORE,
};

static void registry_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct app *app = data;
	const struct {
		const struct wl_interface *interface;
		uint32_t version;
		void *proxy;
	} globals[] = {
		{&wl_compositor_interface, 4, &app->compositor},
		{&wl_subcompositor_interface, 1, &app->subcompositor},
		{&wl_shm_interface, 1, &app->shm},
		{&wl_seat_interface, 5, &app->seat},
		{&xdg_wm_base_interface, 3, &app->wm_base},
		{&xdg_activation_v1_interface, 1, &app->activation},
		{&zwlr_layer_shell_v1_interface, 4, &app->layer_shell},
		{&wp_fifo_manager_v1_interface, 1, &app->fifo_manager},
		{&wp_commit_timing_manager_v1_interface, 1, &app->timing_manager},
	};
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		if (strcmp(globals[i].interface->name, interface) == 0) {
			*(void **)globals[i].proxy = wl_registry_bind(
					registry, name, globals[i].interface, globals[i].version);
		}
	}
}

static const struct wl_registry_listener registry_listener = {
	.global = registry_global,
	.global_remove = IGNORE,
};

void app_connect(struct app *app, struct desk *desk, const char *vm) {
	*app = (struct app){.desk = desk};
	wl_list_init(&app->windows);
	int sockets[2];
	EXPECT_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	if (vm[0] == '\0') {
		EXPECT(server_add_client(&desk->server, sockets[0]) != NULL);
	} else {
		EXPECT(vm_create_client(vms_find(desk->server.vms, vm), sockets[0]));
	}
	app->client = wl_client_from_link(wl_display_get_client_list(desk->server.display)->prev);
	app->display = wl_display_connect_to_fd(sockets[1]);
	app->registry = wl_display_get_registry(app->display);
	wl_registry_add_listener(app->registry, &registry_listener, app);
	app_roundtrip(app);
	app->keyboard = wl_seat_get_keyboard(app->seat);
	wl_keyboard_add_listener(app->keyboard, &keyboard_listener, app);
	app->pointer = wl_seat_get_pointer(app->seat);
	wl_pointer_add_listener(app->pointer, &pointer_listener, app);
	app_roundtrip(app);
}

static void app_window_destroy_proxies(struct app_window *window) {
	if (window->popup != NULL) {
		xdg_popup_destroy(window->popup);
	}
	if (window->toplevel != NULL) {
		xdg_toplevel_destroy(window->toplevel);
	}
	xdg_surface_destroy(window->xdg_surface);
	wl_surface_destroy(window->surface);
	wl_list_remove(&window->link);
}

void app_disconnect(struct app *app) {
	struct app_window *window, *tmp;
	wl_list_for_each_safe(window, tmp, &app->windows, link) {
		app_window_destroy_proxies(window);
	}
	void *const proxies[] = {app->keyboard, app->pointer, app->compositor, app->subcompositor,
			app->shm, app->seat, app->wm_base, app->activation, app->layer_shell,
			app->fifo_manager, app->timing_manager, app->registry};
	for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++) {
		if (proxies[i] != NULL) {
			wl_proxy_destroy(proxies[i]);
		}
	}
	wl_display_disconnect(app->display);
	if (app->desk != NULL) {
		desk_turn(app->desk);
		desk_turn(app->desk);
	}
}

static void app_read(struct app *app) {
	while (wl_display_prepare_read(app->display) != 0) {
		wl_display_dispatch_pending(app->display);
	}
	wl_display_flush(app->display);
	desk_turn(app->desk);
	struct pollfd fd = {.fd = wl_display_get_fd(app->display), .events = POLLIN};
	if (poll(&fd, 1, 0) == 1) {
		wl_display_read_events(app->display);
	} else {
		wl_display_cancel_read(app->display);
	}
	wl_display_dispatch_pending(app->display);
}

static void callback_done(void *data, struct wl_callback *callback, uint32_t serial) {
	*(bool *)data = true;
}

static const struct wl_callback_listener callback_listener = {.done = callback_done};

void app_roundtrip(struct app *app) {
	bool done = false;
	struct wl_callback *callback = wl_display_sync(app->display);
	wl_callback_add_listener(callback, &callback_listener, &done);
	while (!done && wl_display_get_error(app->display) == 0) {
		app_read(app);
	}
	wl_callback_destroy(callback);
}

int app_error(struct app *app) {
	app_roundtrip(app);
	return wl_display_get_error(app->display) == EPROTO
			? (int)wl_display_get_protocol_error(app->display, NULL, NULL) : -1;
}

struct wl_buffer *app_buffer(struct app *app, int width, int height, uint32_t argb) {
	size_t n_pixels = (size_t)width * (size_t)height;
	int fd = fd_memory("test", n_pixels * 4);
	uint32_t *pixels = mmap(NULL, n_pixels * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(pixels != MAP_FAILED);
	for (size_t i = 0; i < n_pixels; i++) {
		pixels[i] = argb;
	}
	munmap(pixels, n_pixels * 4);
	struct wl_shm_pool *pool = wl_shm_create_pool(app->shm, fd, (int32_t)(n_pixels * 4));
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(pool, 0, width, height, width * 4,
			argb >> 24 == 0xff ? WL_SHM_FORMAT_XRGB8888 : WL_SHM_FORMAT_ARGB8888);
	wl_shm_pool_destroy(pool);
	close(fd);
	return buffer;
}

void app_paint(struct app *app, struct wl_surface *surface, int width, int height, uint32_t argb) {
	struct wl_buffer *buffer = app_buffer(app, width, height, argb);
	wl_surface_attach(surface, buffer, 0, 0);
	wl_surface_damage_buffer(surface, 0, 0, width, height);
	wl_surface_commit(surface);
	app_roundtrip(app);
	wl_buffer_destroy(buffer);
	app_roundtrip(app);
}

static void xdg_surface_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	const struct app_window *window = data;
	if (!window->deaf) {
		xdg_surface_ack_configure(xdg_surface, serial);
	}
}

static const struct xdg_surface_listener xdg_surface_listener = {
	.configure = xdg_surface_configure,
};

static void toplevel_configure(void *data, struct xdg_toplevel *toplevel, int32_t width,
		int32_t height, struct wl_array *states) {
	struct app_window *window = data;
	window->width = width;
	window->height = height;
	window->maximized = window->fullscreen = window->activated = false;
	uint32_t *state;
	wl_array_for_each(state, states) {
		window->maximized |= *state == XDG_TOPLEVEL_STATE_MAXIMIZED;
		window->fullscreen |= *state == XDG_TOPLEVEL_STATE_FULLSCREEN;
		window->activated |= *state == XDG_TOPLEVEL_STATE_ACTIVATED;
	}
}

static void toplevel_close(void *data, struct xdg_toplevel *toplevel) {
	struct app_window *window = data;
	window->closed = true;
}

static const struct xdg_toplevel_listener toplevel_listener = {
	.configure = toplevel_configure,
	.close = toplevel_close,
};

static void popup_configure(void *data, struct xdg_popup *popup, int32_t x, int32_t y,
		int32_t width, int32_t height) {
	struct app_window *window = data;
	window->width = width;
	window->height = height;
}

static void popup_done(void *data, struct xdg_popup *popup) {
	struct app_window *window = data;
	window->dismissed = true;
}

static const struct xdg_popup_listener popup_listener = {
	.configure = popup_configure,
	.popup_done = popup_done,
};

void app_window_init(struct app_window *window, struct app *app) {
	*window = (struct app_window){.app = app};
	wl_list_insert(&app->windows, &window->link);
	window->surface = wl_compositor_create_surface(app->compositor);
	window->xdg_surface = xdg_wm_base_get_xdg_surface(app->wm_base, window->surface);
	xdg_surface_add_listener(window->xdg_surface, &xdg_surface_listener, window);
}

void app_window_create(struct app_window *window, struct app *app) {
	app_window_init(window, app);
	window->toplevel = xdg_surface_get_toplevel(window->xdg_surface);
	xdg_toplevel_add_listener(window->toplevel, &toplevel_listener, window);
	wl_surface_commit(window->surface);
	app_roundtrip(app);
}

void app_window_show(struct app_window *window, int width, int height, uint32_t argb) {
	app_paint(window->app, window->surface, width, height, argb);
}

void app_popup_create(struct app_window *window, struct app_window *parent,
		const struct wlr_box *box, uint32_t grab_serial) {
	struct app *app = parent->app;
	app_window_init(window, app);
	struct xdg_positioner *positioner = xdg_wm_base_create_positioner(app->wm_base);
	xdg_positioner_set_size(positioner, box->width, box->height);
	xdg_positioner_set_anchor_rect(positioner, box->x, box->y, 1, 1);
	xdg_positioner_set_anchor(positioner, XDG_POSITIONER_ANCHOR_TOP_LEFT);
	xdg_positioner_set_gravity(positioner, XDG_POSITIONER_GRAVITY_BOTTOM_RIGHT);
	window->popup = xdg_surface_get_popup(window->xdg_surface, parent->xdg_surface, positioner);
	xdg_popup_add_listener(window->popup, &popup_listener, window);
	xdg_positioner_destroy(positioner);
	if (grab_serial != 0) {
		xdg_popup_grab(window->popup, app->seat, grab_serial);
	}
	wl_surface_commit(window->surface);
	app_roundtrip(app);
}

void app_window_destroy(struct app_window *window) {
	app_window_destroy_proxies(window);
	app_roundtrip(window->app);
	*window = (struct app_window){.app = window->app};
}

struct window *app_window_server(struct app_window *window) {
	struct server *server = &window->app->desk->server;
	uint32_t id = wl_proxy_get_id((struct wl_proxy *)window->surface);
	struct window *each;
	wl_list_for_each(each, &server->windows, link) {
		struct wl_resource *resource = each->surface->resource;
		if (wl_resource_get_id(resource) == id &&
				wl_resource_get_client(resource) == window->app->client) {
			return each;
		}
	}
	return NULL;
}

struct view *app_window_view(struct app_window *window) {
	return view_from_window(app_window_server(window));
}

void solo_init(struct solo *solo, const char *vm) {
	desk_init(&solo->desk);
	app_connect(&solo->app, &solo->desk, vm);
	app_window_create(&solo->window, &solo->app);
}

void solo_finish(struct solo *solo) {
	app_disconnect(&solo->app);
	desk_finish(&solo->desk);
}
