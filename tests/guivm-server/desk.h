/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_GUIVM_SERVER_DESK_H
#define ISTHMUS_TESTS_GUIVM_SERVER_DESK_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-client.h>
#include <wlr/types/wlr_keyboard.h>

#include "commit-timing-v1-client-protocol.h"
#include "fifo-v1-client-protocol.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"
#include "tests/harness/test.h"
#include "wlr-layer-shell-unstable-v1-client-protocol.h"
#include "xdg-activation-v1-client-protocol.h"
#include "xdg-shell-client-protocol.h"

/*
 * The compositor in this process, headless, with VMs "work" (fullscreen allowed), "personal" (ask)
 * and "untrusted" (deny), of which the first may write to the second's clipboard, and real
 * libwayland clients of them. Both sides take turns: nothing here waits for time to pass.
 */
#define DESK_WIDTH 800
#define DESK_HEIGHT 600
#define DESK_WORK 0x2a6fdb
#define DESK_PERSONAL 0x2e9e4f
#define DESK_UNTRUSTED 0xb3261e
#define DESK_BACKGROUND 0x1d2128
#define DESK_BORDER 4

struct desk {
	struct server server;
	struct wlr_output *output;
	struct wlr_keyboard keyboard;
	uint32_t *pixels; // XRGB8888, DESK_WIDTH x DESK_HEIGHT, of the last desk_look()
	uint32_t time_ms;
};

void desk_init(struct desk *desk);
void desk_finish(struct desk *desk);
/* At the end of a test of tokens or handles: wlroots opens /dev/urandom for them, for good. */
void desk_close_random(void);
/* What vms_reload() reads from now on. */
void desk_write_vmset(const char *text);
/* One turn of the server, without waiting. */
void desk_turn(struct desk *desk);

/* Draws the screen as it is now. */
void desk_look(struct desk *desk);
uint32_t desk_pixel(const struct desk *desk, int x, int y);
/* How many pixels of this colour lie inside and outside of a box. */
int desk_count(const struct desk *desk, uint32_t color, const struct wlr_box *box, bool inside);

void desk_point(struct desk *desk, double x, double y);
void desk_button(struct desk *desk, bool pressed);
void desk_click(struct desk *desk, double x, double y);
/* A key by its evdev code; the keyboard of the server sees it. */
void desk_key(struct desk *desk, uint32_t keycode, bool pressed);
void desk_tap(struct desk *desk, uint32_t keycode);

#define APP_MAX_KEYS 32

/* A client. */
struct app {
	struct desk *desk;
	struct wl_client *client; // the server's
	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_compositor *compositor;
	struct wl_subcompositor *subcompositor;
	struct wl_shm *shm;
	struct wl_seat *seat;
	struct wl_keyboard *keyboard;
	struct wl_pointer *pointer;
	struct xdg_wm_base *wm_base;
	struct xdg_activation_v1 *activation;
	struct zwlr_layer_shell_v1 *layer_shell; // local clients only
	struct wp_fifo_manager_v1 *fifo_manager;
	struct wp_commit_timing_manager_v1 *timing_manager;

	struct wl_surface *keyboard_focus, *pointer_focus;
	uint32_t keys[APP_MAX_KEYS]; // pressed, in order; keys held on enter included
	size_t n_keys, n_key_releases;
	uint32_t serial; // of the last input event
	size_t n_buttons; // presses seen
	struct wl_list windows; // app_window.link, newest first
};

/* A toplevel or popup. */
struct app_window {
	struct app *app;
	struct wl_list link; // app.windows
	struct wl_surface *surface;
	struct xdg_surface *xdg_surface;
	struct xdg_toplevel *toplevel; // NULL: a popup
	struct xdg_popup *popup; // NULL: a toplevel
	int width, height; // configured; 0: own choice
	bool maximized, fullscreen, activated, closed, dismissed;
	bool deaf; // acknowledges nothing from now on
};

/* vm "": a local client. */
void app_connect(struct app *app, struct desk *desk, const char *vm);
/* With all its windows. app.desk NULL: the server is gone already. */
void app_disconnect(struct app *app);
/* Until the server answered everything sent so far. */
void app_roundtrip(struct app *app);
/* The protocol error's code, or -1. */
int app_error(struct app *app);

/* XRGB8888, or with alpha ARGB8888, one colour. */
struct wl_buffer *app_buffer(struct app *app, int width, int height, uint32_t argb);
/* Shows a buffer of this size and colour. */
void app_paint(struct app *app, struct wl_surface *surface, int width, int height, uint32_t argb);

/* An xdg_surface without a role yet. */
void app_window_init(struct app_window *window, struct app *app);
/* A toplevel; not yet with content. */
void app_window_create(struct app_window *window, struct app *app);
void app_window_show(struct app_window *window, int width, int height, uint32_t argb);
/* A popup at a place in parent; grab_serial 0: without grab. */
void app_popup_create(struct app_window *window, struct app_window *parent,
		const struct wlr_box *box, uint32_t grab_serial);
void app_window_destroy(struct app_window *window);
/* The server's side of it. NULL: not shown. */
struct window *app_window_server(struct app_window *window);
struct view *app_window_view(struct app_window *window);

/* What most tests begin with: one client alone on a desk, and its window, still without content. */
struct solo {
	struct desk desk;
	struct app app;
	struct app_window window;
};

void solo_init(struct solo *solo, const char *vm);
void solo_finish(struct solo *solo);

#endif
