/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <xkbcommon/xkbcommon-compose.h>
#include <xkbcommon/xkbcommon.h>

#include "common/log.h"
#include "launcher/launcher.h"

#define EVDEV_OFFSET 8

static void handle_keymap(void *data, struct wl_keyboard *keyboard, uint32_t format, int32_t fd,
		uint32_t size) {
	struct launcher *launcher = data;
	if (format != WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1 || size == 0) {
		close(fd);
		return;
	}
	char *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (text == MAP_FAILED) {
		log_errno("keymap");
		return;
	}
	struct xkb_keymap *keymap =
			xkb_keymap_new_from_buffer(launcher->xkb, text, strnlen(text, size),
					XKB_KEYMAP_FORMAT_TEXT_V1, XKB_KEYMAP_COMPILE_NO_FLAGS);
	munmap(text, size);
	struct xkb_state *state = keymap != NULL ? xkb_state_new(keymap) : NULL;
	if (state == NULL) {
		xkb_keymap_unref(keymap);
		return;
	}
	xkb_state_unref(launcher->xkb_state);
	xkb_keymap_unref(launcher->keymap);
	launcher->xkb_state = state;
	launcher->keymap = keymap;
}

static void repeat_set(struct launcher *launcher, uint32_t key) {
	struct itimerspec timer = {0};
	launcher->repeat_key = key;
	if (key != 0 && launcher->repeat_rate > 0 &&
			xkb_keymap_key_repeats(launcher->keymap, key)) {
		long interval_ns = 1000000000L / launcher->repeat_rate;
		timer.it_value.tv_sec = launcher->repeat_delay_ms / 1000;
		timer.it_value.tv_nsec = launcher->repeat_delay_ms % 1000 * 1000000L + 1;
		timer.it_interval.tv_sec = interval_ns / 1000000000L;
		timer.it_interval.tv_nsec = interval_ns % 1000000000L;
	}
	timerfd_settime(launcher->repeat_fd, 0, &timer, NULL);
}

/* Returns whether it was one of these. */
static bool handle_navigation(struct launcher *launcher, xkb_keysym_t symbol) {
	struct list *list = &launcher->list;
	int page = (int)list->n_visible;
	switch (symbol) {
	case XKB_KEY_Up:
		list_move(list, -1);
		break;
	case XKB_KEY_Down:
		list_move(list, 1);
		break;
	case XKB_KEY_Tab:
		list_move(list, 1);
		break;
	case XKB_KEY_ISO_Left_Tab:
		list_move(list, -1);
		break;
	case XKB_KEY_Page_Up:
		list_move(list, -page);
		break;
	case XKB_KEY_Page_Down:
		list_move(list, page);
		break;
	case XKB_KEY_Home:
		list_move(list, -(int)list->n_rows);
		break;
	case XKB_KEY_End:
		list_move(list, (int)list->n_rows);
		break;
	case XKB_KEY_BackSpace:
		list_erase(list);
		break;
	default:
		return false;
	}
	return true;
}

static bool handle_control_key(struct launcher *launcher, xkb_keysym_t symbol) {
	switch (symbol) {
	case XKB_KEY_u:
	case XKB_KEY_w:
		list_clear(&launcher->list);
		break;
	case XKB_KEY_n:
		list_move(&launcher->list, 1);
		break;
	case XKB_KEY_p:
		list_move(&launcher->list, -1);
		break;
	case XKB_KEY_c:
		launcher->done = true;
		break;
	default:
		return false;
	}
	return true;
}

/* What the key types, with dead keys and compose sequences; "" while one is under way. */
static void key_text(struct launcher *launcher, uint32_t key, xkb_keysym_t symbol, char text[64]) {
	text[0] = '\0';
	if (launcher->compose != NULL &&
			xkb_compose_state_feed(launcher->compose, symbol) ==
					XKB_COMPOSE_FEED_ACCEPTED) {
		switch (xkb_compose_state_get_status(launcher->compose)) {
		case XKB_COMPOSE_COMPOSING:
			return;
		case XKB_COMPOSE_COMPOSED:
			xkb_compose_state_get_utf8(launcher->compose, text, 64);
			return;
		case XKB_COMPOSE_CANCELLED:
			return;
		case XKB_COMPOSE_NOTHING:
			break;
		}
	}
	xkb_state_key_get_utf8(launcher->xkb_state, key, text, 64);
}

static void key_press(struct launcher *launcher, uint32_t key) {
	xkb_keysym_t symbol = xkb_state_key_get_one_sym(launcher->xkb_state, key);
	bool ctrl = xkb_state_mod_name_is_active(launcher->xkb_state, XKB_MOD_NAME_CTRL,
				    XKB_STATE_MODS_EFFECTIVE) > 0;
	launcher->dirty = true;
	if (symbol == XKB_KEY_Escape) {
		launcher->done = true;
	} else if (symbol == XKB_KEY_Return || symbol == XKB_KEY_KP_Enter) {
		launcher_start_selected(launcher);
	} else if (handle_navigation(launcher, symbol) ||
			(ctrl && handle_control_key(launcher, symbol))) {
		return;
	} else {
		char text[64];
		key_text(launcher, key, symbol, text);
		if (list_type(&launcher->list, text) && !launcher->waiting) {
			launcher_set_status(launcher, false, "%s", "");
		}
	}
}

static void handle_enter(void *data, struct wl_keyboard *keyboard, uint32_t serial,
		struct wl_surface *surface, struct wl_array *keys) {
}

static void handle_leave(void *data, struct wl_keyboard *keyboard, uint32_t serial,
		struct wl_surface *surface) {
	repeat_set(data, 0);
}

static void handle_key(void *data, struct wl_keyboard *keyboard, uint32_t serial, uint32_t time,
		uint32_t code, uint32_t state) {
	struct launcher *launcher = data;
	uint32_t key = code + EVDEV_OFFSET;
	if (launcher->xkb_state == NULL) {
		return;
	}
	if (state == WL_KEYBOARD_KEY_STATE_RELEASED) {
		if (key == launcher->repeat_key) {
			repeat_set(launcher, 0);
		}
		return;
	}
	xkb_keysym_t symbol = xkb_state_key_get_one_sym(launcher->xkb_state, key);
	bool repeats = symbol != XKB_KEY_Return && symbol != XKB_KEY_KP_Enter;
	repeat_set(launcher, repeats ? key : 0);
	key_press(launcher, key);
}

static void handle_modifiers(void *data, struct wl_keyboard *keyboard, uint32_t serial,
		uint32_t depressed, uint32_t latched, uint32_t locked, uint32_t group) {
	struct launcher *launcher = data;
	if (launcher->xkb_state != NULL) {
		xkb_state_update_mask(launcher->xkb_state, depressed, latched, locked, 0, 0, group);
	}
}

static void handle_repeat_info(
		void *data, struct wl_keyboard *keyboard, int32_t rate, int32_t delay) {
	struct launcher *launcher = data;
	launcher->repeat_rate = rate;
	launcher->repeat_delay_ms = delay;
}

static const struct wl_keyboard_listener keyboard_listener = {
		.keymap = handle_keymap,
		.enter = handle_enter,
		.leave = handle_leave,
		.key = handle_key,
		.modifiers = handle_modifiers,
		.repeat_info = handle_repeat_info,
};

void keyboard_handle_repeat_timer(struct launcher *launcher) {
	uint64_t times;
	if (read(launcher->repeat_fd, &times, sizeof(times)) == sizeof(times) &&
			launcher->repeat_key != 0 && launcher->xkb_state != NULL) {
		key_press(launcher, launcher->repeat_key);
	}
}

static struct xkb_compose_state *compose_create(struct xkb_context *xkb) {
	const char *locale = setlocale(LC_CTYPE, NULL);
	struct xkb_compose_table *table = xkb_compose_table_new_from_locale(
			xkb, locale != NULL ? locale : "C", XKB_COMPOSE_COMPILE_NO_FLAGS);
	if (table == NULL) {
		return NULL;
	}
	struct xkb_compose_state *state = xkb_compose_state_new(table, XKB_COMPOSE_STATE_NO_FLAGS);
	xkb_compose_table_unref(table);
	return state;
}

bool keyboard_init(struct launcher *launcher) {
	launcher->xkb = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	launcher->repeat_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (launcher->xkb == NULL || launcher->repeat_fd < 0) {
		log_error("keyboard: %s", strerror(errno));
		return false;
	}
	xkb_context_set_log_level(launcher->xkb, XKB_LOG_LEVEL_CRITICAL);
	launcher->compose = compose_create(launcher->xkb);
	return true;
}

void keyboard_attach(struct launcher *launcher, bool has_keyboard) {
	if (has_keyboard && launcher->keyboard == NULL) {
		launcher->keyboard = wl_seat_get_keyboard(launcher->seat);
		wl_keyboard_add_listener(launcher->keyboard, &keyboard_listener, launcher);
	} else if (!has_keyboard && launcher->keyboard != NULL) {
		repeat_set(launcher, 0);
		wl_keyboard_release(launcher->keyboard);
		launcher->keyboard = NULL;
	}
}

void keyboard_finish(struct launcher *launcher) {
	if (launcher->keyboard != NULL) {
		wl_keyboard_release(launcher->keyboard);
	}
	xkb_compose_state_unref(launcher->compose);
	xkb_state_unref(launcher->xkb_state);
	xkb_keymap_unref(launcher->keymap);
	xkb_context_unref(launcher->xkb);
	if (launcher->repeat_fd >= 0) {
		close(launcher->repeat_fd);
	}
}
