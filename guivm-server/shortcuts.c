/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/shortcuts.h"

#include <stdlib.h>
#include <wlr/backend/session.h>
#include <wlr/types/wlr_keyboard.h>
#include <wlr/types/wlr_scene.h>
#include <xkbcommon/xkbcommon.h>

#include "guivm-server/carry.h"
#include "guivm-server/focus.h"
#include "guivm-server/inhibit.h"
#include "guivm-server/process.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"

struct shortcuts {
	struct server *server;
	struct view *candidate; // Alt+Tab is held and would choose this; NULL: not switching
};

struct shortcuts *shortcuts_create(struct server *server) {
	struct shortcuts *shortcuts = calloc(1, sizeof(*shortcuts));
	if (shortcuts != NULL) {
		shortcuts->server = server;
	}
	return shortcuts;
}

void shortcuts_destroy(struct shortcuts *shortcuts) {
	free(shortcuts);
}

static void candidate_show(struct view *view, bool shown) {
	bool focused = view == focus_view(view->window.server) &&
		       focus_layer(view->window.server) == NULL;
	view->window.frame_state.active = shown || focused;
	window_update_frame(&view->window);
	wlr_scene_node_set_enabled(&view->window.tree->node,
			view->window.mapped && (shown || !view->minimized));
}

static struct view *view_after(struct server *server, struct view *from, bool backwards) {
	struct wl_list *at = from != NULL ? &from->link : &server->views;
	int n = wl_list_length(&server->views) + 1;
	while (n-- > 0) {
		at = backwards ? at->prev : at->next;
		if (at == &server->views) {
			continue;
		}
		struct view *view = wl_container_of(at, view, link);
		if (view->window.mapped) {
			return view;
		}
	}
	return NULL;
}

static void switch_step(struct shortcuts *shortcuts, bool backwards) {
	struct server *server = shortcuts->server;
	struct view *from =
			shortcuts->candidate != NULL ? shortcuts->candidate : focus_view(server);
	struct view *to = view_after(server, from, backwards);
	if (to == NULL) {
		return;
	}
	if (shortcuts->candidate != NULL) {
		candidate_show(shortcuts->candidate, false);
	} else if (from != NULL) {
		from->window.frame_state.active = false;
		window_update_frame(&from->window);
	}
	shortcuts->candidate = to;
	candidate_show(to, true);
	focus_restack(server, to);
}

static void switch_finish(struct shortcuts *shortcuts) {
	struct view *view = shortcuts->candidate;
	if (view != NULL) {
		shortcuts->candidate = NULL;
		candidate_show(view, false);
		focus_set_view(shortcuts->server, view);
	}
}

static void switch_cancel(struct shortcuts *shortcuts) {
	struct view *view = shortcuts->candidate;
	shortcuts->candidate = NULL;
	candidate_show(view, false);
	focus_set_view(shortcuts->server, focus_view(shortcuts->server));
}

void shortcuts_forget_view(struct server *server, struct view *view) {
	struct shortcuts *shortcuts = server->shortcuts;
	if (shortcuts != NULL && shortcuts->candidate == view) {
		shortcuts->candidate = NULL;
		focus_restack(server, NULL);
	}
}

static bool switch_terminal(struct server *server, xkb_keysym_t sym) {
	if (sym < XKB_KEY_XF86Switch_VT_1 || sym > XKB_KEY_XF86Switch_VT_12) {
		return false;
	}
	if (server->session != NULL) {
		wlr_session_change_vt(server->session, sym - XKB_KEY_XF86Switch_VT_1 + 1);
	}
	return true;
}

static void start_launcher(struct server *server) {
	static const char *const places[] = {
			"guivm-launcher", "../launcher/guivm-launcher", NULL};
	char path[PATH_MAX];
	process_find_own(path, "ISTHMUS_LAUNCHER", places);
	server_spawn(server, (char *const[]){path, NULL});
}

static bool handle_super(struct server *server, xkb_keysym_t sym) {
	struct view *view = focus_layer(server) == NULL ? focus_view(server) : NULL;
	switch (sym) {
	case XKB_KEY_space:
		start_launcher(server);
		return true;
	case XKB_KEY_q:
		if (view != NULL) {
			view_close(view);
		}
		return true;
	case XKB_KEY_Up:
		if (view != NULL && !view->fullscreen) {
			view_set_maximized(view, !view->maximized);
		}
		return true;
	case XKB_KEY_h:
		if (view != NULL) {
			view_set_minimized(view, true);
		}
		return true;
	case XKB_KEY_c:
		if (view != NULL) {
			carry_take(server, view);
		}
		return true;
	case XKB_KEY_v:
		if (view != NULL) {
			carry_give(server, view);
		}
		return true;
	case XKB_KEY_f:
		if (view != NULL) {
			view_allow_fullscreen(view);
		}
		return true;
	default:
		return false;
	}
}

/*
 * The keysym that a key has without Shift and Alt, of the layout in use or, when that has no Latin
 * letters, of the first that has: Super+Q is the same key whatever layout is active.
 */
static xkb_keysym_t keysym_unmodified(struct wlr_keyboard *keyboard, xkb_keycode_t key) {
	xkb_layout_index_t active = xkb_state_key_get_layout(keyboard->xkb_state, key);
	xkb_layout_index_t n = xkb_keymap_num_layouts_for_key(keyboard->keymap, key);
	xkb_keysym_t first = XKB_KEY_NoSymbol;
	for (xkb_layout_index_t i = 0; i < n; i++) {
		const xkb_keysym_t *syms;
		int count = xkb_keymap_key_get_syms_by_level(
				keyboard->keymap, key, (active + i) % n, 0, &syms);
		if (count == 1 && first == XKB_KEY_NoSymbol) {
			first = syms[0];
		}
		if (count == 1 && (syms[0] < 0x100 || syms[0] >= 0xff00)) {
			return syms[0];
		}
	}
	return first;
}

bool shortcuts_handle_key(struct server *server, struct wlr_keyboard *keyboard, uint32_t keycode) {
	if (keyboard->xkb_state == NULL) {
		return false;
	}
	struct shortcuts *shortcuts = server->shortcuts;
	xkb_keycode_t key = keycode + 8;
	uint32_t modifiers = wlr_keyboard_get_modifiers(keyboard);
	if (switch_terminal(server, xkb_state_key_get_one_sym(keyboard->xkb_state, key))) {
		return true;
	}
	xkb_keysym_t sym = keysym_unmodified(keyboard, key);
	uint32_t held = modifiers & (WLR_MODIFIER_ALT | WLR_MODIFIER_CTRL | WLR_MODIFIER_LOGO);
	if (held == WLR_MODIFIER_ALT && sym == XKB_KEY_Tab && !inhibit_is_active(server)) {
		switch_step(shortcuts, (modifiers & WLR_MODIFIER_SHIFT) != 0);
		return true;
	}
	if (shortcuts->candidate != NULL && sym == XKB_KEY_Escape) {
		switch_cancel(shortcuts);
		return true;
	}
	if (held == WLR_MODIFIER_LOGO && !(modifiers & WLR_MODIFIER_SHIFT)) {
		return handle_super(server, sym);
	}
	return false;
}

void shortcuts_handle_modifiers(struct server *server, struct wlr_keyboard *keyboard) {
	if (!(wlr_keyboard_get_modifiers(keyboard) & WLR_MODIFIER_ALT)) {
		switch_finish(server->shortcuts);
	}
}
