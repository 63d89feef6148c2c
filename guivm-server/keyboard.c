/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/keyboard.h"

#include <stdlib.h>
#include <string.h>
#include <wlr/interfaces/wlr_keyboard.h>
#include <wlr/types/wlr_seat.h>
#include <xkbcommon/xkbcommon.h>

#include "common/log.h"
#include "guivm-server/focus.h"
#include "guivm-server/idle.h"
#include "guivm-server/ime.h"
#include "guivm-server/seat.h"
#include "guivm-server/server.h"
#include "guivm-server/shortcuts.h"
#include "vmset/vmset.h"

#define DEFAULT_REPEAT_RATE 25
#define DEFAULT_REPEAT_DELAY_MS 600

static const char *or_null(const char *name) {
	return name != NULL && name[0] != '\0' ? name : NULL;
}

static struct xkb_keymap *keymap_from_vmset(const struct vmset *vmset) {
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	if (context == NULL) {
		return NULL;
	}
	struct xkb_rule_names names = {0}; // NULL: xkbcommon's defaults, XKB_DEFAULT_* included
	if (vmset != NULL) {
		names.model = or_null(vmset->guivm.keyboard_model);
		names.layout = or_null(vmset->guivm.keyboard_layout);
		names.variant = or_null(vmset->guivm.keyboard_variant);
		names.options = or_null(vmset->guivm.keyboard_options);
	}
	struct xkb_keymap *keymap =
			xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
	if (keymap == NULL) {
		log_error("keyboard layout \"%s\" is not known, using \"us\"",
				names.layout != NULL ? names.layout : "");
		names = (struct xkb_rule_names){.layout = "us"};
		keymap = xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
	}
	xkb_context_unref(context);
	return keymap;
}

static void keyboard_configure(struct keyboard *keyboard, struct xkb_keymap *keymap) {
	const struct vmset *vmset = server_vmset(keyboard->server);
	int rate = vmset != NULL ? (int)vmset->guivm.keyboard_repeat_rate : DEFAULT_REPEAT_RATE;
	int delay_ms = vmset != NULL ? (int)vmset->guivm.keyboard_repeat_delay_ms
				     : DEFAULT_REPEAT_DELAY_MS;
	if (!keyboard->own_keymap && keymap != NULL) {
		wlr_keyboard_set_keymap(keyboard->wlr_keyboard, keymap);
	}
	wlr_keyboard_set_repeat_info(keyboard->wlr_keyboard, rate, delay_ms);
}

void keyboards_configure(struct server *server) {
	struct xkb_keymap *keymap = keymap_from_vmset(server_vmset(server));
	struct keyboard *keyboard;
	wl_list_for_each(keyboard, &server->seat->keyboards, link) {
		keyboard_configure(keyboard, keymap);
	}
	keyboard_configure(server->seat->fallback, keymap);
	xkb_keymap_unref(keymap);
}

/*
 * wlroots tells the keys it holds for pressed to every wl_keyboard that the focused client makes:
 * those may only be the ones that this client was sent, not those of a shortcut or of the window
 * before.
 */
static void keyboard_show_sent(struct keyboard *keyboard) {
	struct wlr_keyboard *wlr_keyboard = keyboard->wlr_keyboard;
	memcpy(wlr_keyboard->keycodes, keyboard->sent, keyboard->n_sent * sizeof(uint32_t));
	wlr_keyboard->num_keycodes = keyboard->n_sent;
}

void keyboards_forget_sent(struct server *server) {
	struct keyboard *keyboard;
	wl_list_for_each(keyboard, &server->seat->keyboards, link) {
		keyboard->n_sent = 0;
		keyboard_show_sent(keyboard);
	}
}

static bool keyboard_take_sent(struct keyboard *keyboard, uint32_t keycode) {
	for (size_t i = 0; i < keyboard->n_sent; i++) {
		if (keyboard->sent[i] == keycode) {
			keyboard->sent[i] = keyboard->sent[--keyboard->n_sent];
			return true;
		}
	}
	return false;
}

static void keyboard_note_use(struct server *server) {
	struct view *view = focus_layer(server) == NULL ? focus_view(server) : NULL;
	if (view != NULL) {
		focus_use_view(view);
	}
}

static void keyboard_pass_key(
		struct keyboard *keyboard, const struct wlr_keyboard_key_event *event) {
	struct server *server = keyboard->server;
	idle_notify_activity(server);
	if (event->state == WL_KEYBOARD_KEY_STATE_PRESSED) {
		if (shortcuts_handle_key(server, keyboard->wlr_keyboard, event->keycode) ||
				keyboard->n_sent == WLR_KEYBOARD_KEYS_CAP) {
			return;
		}
		keyboard_note_use(server);
		if (ime_handle_key(server, keyboard, event->time_msec, event->keycode,
				    event->state)) {
			return;
		}
		keyboard->sent[keyboard->n_sent++] = event->keycode;
	} else if (!keyboard_take_sent(keyboard, event->keycode)) {
		ime_handle_key(server, keyboard, event->time_msec, event->keycode, event->state);
		return;
	}
	wlr_seat_set_keyboard(server->wlr_seat, keyboard->wlr_keyboard);
	wlr_seat_keyboard_notify_key(
			server->wlr_seat, event->time_msec, event->keycode, event->state);
}

static void keyboard_handle_key(struct wl_listener *listener, void *data) {
	struct keyboard *keyboard = wl_container_of(listener, keyboard, key);
	keyboard_pass_key(keyboard, data);
	keyboard_show_sent(keyboard);
}

static void keyboard_handle_modifiers(struct wl_listener *listener, void *data) {
	struct keyboard *keyboard = wl_container_of(listener, keyboard, modifiers);
	struct server *server = keyboard->server;
	if (!ime_handle_modifiers(server, keyboard)) {
		wlr_seat_set_keyboard(server->wlr_seat, keyboard->wlr_keyboard);
		wlr_seat_keyboard_notify_modifiers(
				server->wlr_seat, &keyboard->wlr_keyboard->modifiers);
	}
	shortcuts_handle_modifiers(server, keyboard->wlr_keyboard);
}

static void keyboard_destroy(struct keyboard *keyboard) {
	struct server *server = keyboard->server;
	wl_list_remove(&keyboard->link);
	wl_list_remove(&keyboard->key.link);
	wl_list_remove(&keyboard->modifiers.link);
	wl_list_remove(&keyboard->destroy.link);
	if (!server->terminating &&
			wlr_seat_get_keyboard(server->wlr_seat) == keyboard->wlr_keyboard) {
		struct keyboard *other = server->seat->fallback;
		if (!wl_list_empty(&server->seat->keyboards)) {
			other = wl_container_of(server->seat->keyboards.next, other, link);
		}
		wlr_seat_set_keyboard(server->wlr_seat, other->wlr_keyboard);
	}
	free(keyboard);
}

static void keyboard_handle_destroy(struct wl_listener *listener, void *data) {
	struct keyboard *keyboard = wl_container_of(listener, keyboard, destroy);
	keyboard_destroy(keyboard);
}

struct keyboard *keyboard_create(
		struct server *server, struct wlr_keyboard *wlr_keyboard, bool own_keymap) {
	struct keyboard *keyboard = calloc(1, sizeof(*keyboard));
	if (keyboard == NULL) {
		return NULL;
	}
	keyboard->server = server;
	keyboard->wlr_keyboard = wlr_keyboard;
	keyboard->own_keymap = own_keymap;
	struct xkb_keymap *keymap = own_keymap ? NULL : keymap_from_vmset(server_vmset(server));
	keyboard_configure(keyboard, keymap);
	xkb_keymap_unref(keymap);
	keyboard->key.notify = keyboard_handle_key;
	keyboard->modifiers.notify = keyboard_handle_modifiers;
	keyboard->destroy.notify = keyboard_handle_destroy;
	wl_signal_add(&wlr_keyboard->events.key, &keyboard->key);
	wl_signal_add(&wlr_keyboard->events.modifiers, &keyboard->modifiers);
	wl_signal_add(&wlr_keyboard->base.events.destroy, &keyboard->destroy);
	wl_list_insert(&server->seat->keyboards, &keyboard->link);
	if (!own_keymap || wlr_keyboard->keymap != NULL) {
		wlr_seat_set_keyboard(server->wlr_seat, wlr_keyboard);
	}
	return keyboard;
}

static const struct wlr_keyboard_impl fallback_impl = {.name = "fallback"};

struct keyboard *keyboard_create_fallback(struct server *server) {
	struct keyboard *keyboard = calloc(1, sizeof(*keyboard));
	struct wlr_keyboard *wlr_keyboard = calloc(1, sizeof(*wlr_keyboard));
	if (keyboard == NULL || wlr_keyboard == NULL) {
		free(keyboard);
		free(wlr_keyboard);
		return NULL;
	}
	wlr_keyboard_init(wlr_keyboard, &fallback_impl, "fallback");
	keyboard->server = server;
	keyboard->wlr_keyboard = wlr_keyboard;
	return keyboard;
}

void keyboard_destroy_fallback(struct keyboard *keyboard) {
	if (keyboard != NULL) {
		wlr_keyboard_finish(keyboard->wlr_keyboard);
		free(keyboard->wlr_keyboard);
		free(keyboard);
	}
}
