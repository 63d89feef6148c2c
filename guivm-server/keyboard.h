/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_KEYBOARD_H
#define ISTHMUS_GUIVM_SERVER_KEYBOARD_H

#include <stdbool.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_keyboard.h>

struct server;

struct keyboard {
	struct server *server;
	struct wl_list link; // seat.keyboards
	struct wlr_keyboard *wlr_keyboard;
	/* Keys whose press went to the focused client: only their release does. */
	uint32_t sent[WLR_KEYBOARD_KEYS_CAP];
	size_t n_sent;
	bool own_keymap; // brought one along: virtual keyboards
	struct wl_listener key, modifiers, destroy;
};

/* NULL on no memory. own_keymap: the keymap is the device's, not the VM set's. It goes with the
 * device. */
struct keyboard *keyboard_create(
		struct server *server, struct wlr_keyboard *wlr_keyboard, bool own_keymap);

/* A keyboard that is no device. */
struct keyboard *keyboard_create_fallback(struct server *server);
void keyboard_destroy_fallback(struct keyboard *keyboard);

/* Layout and repeat from the VM set, on all keyboards. */
void keyboards_configure(struct server *server);
/* The focus moves: held keys count as released. */
void keyboards_forget_sent(struct server *server);

#endif
