/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/ime.h"

#include <stdlib.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_input_method_v2.h>
#include <wlr/types/wlr_keyboard.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_text_input_v3.h>
#include <wlr/types/wlr_virtual_keyboard_v1.h>

#include "guivm-server/ime_popup.h"
#include "guivm-server/keyboard.h"
#include "guivm-server/reads.h"
#include "guivm-server/server.h"

/* Follows one zwp_text_input_v3. */
struct text_input {
	struct ime *ime;
	struct wlr_text_input_v3 *wlr_input;
	struct wl_list link; // ime.text_inputs
	struct wl_listener enable, commit, disable, destroy;
};

struct ime {
	struct server *server;
	struct wl_list text_inputs; // text_input.link
	struct wlr_input_method_v2 *method; // NULL: none runs
	struct wlr_text_input_v3 *active; // where text goes; NULL: nowhere
	uint32_t activation; // another one each time that active is enabled; 0: active is NULL
	uint32_t last_activation;
	uint32_t told; // of activation, to the input method; 0: that nothing is active
	bool left; // what it was told of is not active any more
	bool changed; // since active's state was told
	struct wl_event_source *again; // a timer, running while the input method does not read
	struct ime_popups *popups;
	struct wl_listener new_text_input, new_method, focus_change;
	struct wl_listener method_commit, method_popup, method_grab, method_destroy;
};

static void ime_send_state(struct ime *ime) {
	const struct wlr_text_input_v3_state *state = &ime->active->current;
	if (ime->active->active_features & WLR_TEXT_INPUT_V3_FEATURE_SURROUNDING_TEXT) {
		wlr_input_method_v2_send_surrounding_text(ime->method,
				state->surrounding.text != NULL ? state->surrounding.text : "",
				state->surrounding.cursor, state->surrounding.anchor);
	}
	wlr_input_method_v2_send_text_change_cause(ime->method, state->text_change_cause);
	if (ime->active->active_features & WLR_TEXT_INPUT_V3_FEATURE_CONTENT_TYPE) {
		wlr_input_method_v2_send_content_type(ime->method, state->content_type.hint,
				state->content_type.purpose);
	}
	wlr_input_method_v2_send_done(ime->method);
}

static void ime_send_activation(struct ime *ime) {
	if (ime->left && ime->method->active) {
		wlr_input_method_v2_send_deactivate(ime->method);
		wlr_input_method_v2_send_done(ime->method);
	}
	ime->left = false;
	ime->told = ime->activation;
	if (ime->active != NULL) {
		wlr_input_method_v2_send_activate(ime->method);
		ime_send_state(ime);
	}
}

/*
 * Tells the input method what is new. An application can change its text, or enter and leave it,
 * faster than the input method reads: then it is told what is so once it has.
 */
static void ime_sync(struct ime *ime) {
	if (ime->method == NULL || ime->server->terminating) {
		return;
	}
	if (!client_reads(wl_resource_get_client(ime->method->resource))) {
		wl_event_source_timer_update(ime->again, READS_AGAIN_MS);
		return;
	}
	bool changed = ime->changed;
	ime->changed = false;
	if (ime->told != ime->activation) {
		ime_send_activation(ime);
	} else if (changed && ime->active != NULL) {
		ime_send_state(ime);
	}
	ime_update_popups(ime->server);
}

static int ime_handle_again(void *data) {
	ime_sync(data);
	return 0;
}

static void ime_deactivate(struct ime *ime) {
	if (ime->active == NULL) {
		return;
	}
	ime->active = NULL;
	ime->activation = 0;
	ime->left = true;
	ime_sync(ime);
	ime_update_popups(ime->server);
}

static void ime_activate(struct ime *ime, struct wlr_text_input_v3 *input) {
	if (ime->active != input) {
		ime_deactivate(ime);
	}
	ime->active = input;
	ime->last_activation += ime->last_activation == UINT32_MAX ? 2 : 1; // never 0
	ime->activation = ime->last_activation;
	ime_sync(ime);
}

static void text_input_handle_enable(struct wl_listener *listener, void *data) {
	struct text_input *input = wl_container_of(listener, input, enable);
	if (input->wlr_input->focused_surface != NULL) {
		ime_activate(input->ime, input->wlr_input);
	}
}

static void text_input_handle_commit(struct wl_listener *listener, void *data) {
	struct text_input *input = wl_container_of(listener, input, commit);
	struct ime *ime = input->ime;
	if (ime->active == input->wlr_input) {
		ime->changed = true;
		ime_sync(ime);
	}
}

static void text_input_handle_disable(struct wl_listener *listener, void *data) {
	struct text_input *input = wl_container_of(listener, input, disable);
	if (input->ime->active == input->wlr_input) {
		ime_deactivate(input->ime);
	}
}

static void text_input_handle_destroy(struct wl_listener *listener, void *data) {
	struct text_input *input = wl_container_of(listener, input, destroy);
	if (input->ime->active == input->wlr_input) {
		ime_deactivate(input->ime);
	}
	wl_list_remove(&input->enable.link);
	wl_list_remove(&input->commit.link);
	wl_list_remove(&input->disable.link);
	wl_list_remove(&input->destroy.link);
	wl_list_remove(&input->link);
	free(input);
}

static void text_input_focus(struct text_input *input, struct wlr_surface *surface) {
	struct wlr_text_input_v3 *wlr_input = input->wlr_input;
	bool ours = surface != NULL && wl_resource_get_client(surface->resource) ==
			wl_resource_get_client(wlr_input->resource);
	if (wlr_input->focused_surface != NULL && wlr_input->focused_surface != surface) {
		if (input->ime->active == wlr_input) {
			ime_deactivate(input->ime);
		}
		wlr_text_input_v3_send_leave(wlr_input);
	}
	if (ours && wlr_input->focused_surface == NULL) {
		wlr_text_input_v3_send_enter(wlr_input, surface);
	}
}

static void listen(
		struct wl_listener *listener, wl_notify_func_t notify, struct wl_signal *signal) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

static void ime_handle_new_text_input(struct wl_listener *listener, void *data) {
	struct ime *ime = wl_container_of(listener, ime, new_text_input);
	struct wlr_text_input_v3 *wlr_input = data;
	struct text_input *input = calloc(1, sizeof(*input));
	if (input == NULL) {
		wl_resource_post_no_memory(wlr_input->resource);
		return;
	}
	input->ime = ime;
	input->wlr_input = wlr_input;
	wl_list_insert(&ime->text_inputs, &input->link);
	listen(&input->enable, text_input_handle_enable, &wlr_input->events.enable);
	listen(&input->commit, text_input_handle_commit, &wlr_input->events.commit);
	listen(&input->disable, text_input_handle_disable, &wlr_input->events.disable);
	listen(&input->destroy, text_input_handle_destroy, &wlr_input->events.destroy);
	text_input_focus(input, ime->server->wlr_seat->keyboard_state.focused_surface);
}

static void ime_handle_focus_change(struct wl_listener *listener, void *data) {
	struct ime *ime = wl_container_of(listener, ime, focus_change);
	const struct wlr_seat_keyboard_focus_change_event *event = data;
	struct text_input *input;
	wl_list_for_each(input, &ime->text_inputs, link) {
		text_input_focus(input, event->new_surface);
	}
}

static void ime_handle_method_commit(struct wl_listener *listener, void *data) {
	struct ime *ime = wl_container_of(listener, ime, method_commit);
	const struct wlr_input_method_v2_state *state = &ime->method->current;
	/* What was meant for the text field before is nothing for this one. */
	if (ime->active == NULL || ime->told != ime->activation || !ime->method->client_active) {
		return;
	}
	if (state->preedit.text != NULL) {
		wlr_text_input_v3_send_preedit_string(ime->active, state->preedit.text,
				state->preedit.cursor_begin, state->preedit.cursor_end);
	}
	if (state->commit_text != NULL) {
		wlr_text_input_v3_send_commit_string(ime->active, state->commit_text);
	}
	if (state->delete.before_length > 0 || state->delete.after_length > 0) {
		wlr_text_input_v3_send_delete_surrounding_text(ime->active,
				state->delete.before_length, state->delete.after_length);
	}
	wlr_text_input_v3_send_done(ime->active);
}

static void ime_handle_method_popup(struct wl_listener *listener, void *data) {
	struct ime *ime = wl_container_of(listener, ime, method_popup);
	ime_popup_create(ime->popups, data);
}

static void ime_handle_method_grab(struct wl_listener *listener, void *data) {
	struct ime *ime = wl_container_of(listener, ime, method_grab);
	struct wlr_input_method_keyboard_grab_v2 *grab = data;
	wlr_input_method_keyboard_grab_v2_set_keyboard(
			grab, wlr_seat_get_keyboard(ime->server->wlr_seat));
}

static void ime_forget_method(struct ime *ime) {
	ime->method = NULL;
	ime->told = 0;
	ime->left = false;
	wl_list_remove(&ime->method_commit.link);
	wl_list_remove(&ime->method_popup.link);
	wl_list_remove(&ime->method_grab.link);
	wl_list_remove(&ime->method_destroy.link);
}

static void ime_handle_method_destroy(struct wl_listener *listener, void *data) {
	struct ime *ime = wl_container_of(listener, ime, method_destroy);
	ime_forget_method(ime);
	/* The preedit of the one that is gone stays in nobody's text. */
	if (ime->active != NULL && !ime->server->terminating) {
		wlr_text_input_v3_send_done(ime->active);
	}
}

static void ime_handle_new_method(struct wl_listener *listener, void *data) {
	struct ime *ime = wl_container_of(listener, ime, new_method);
	struct wlr_input_method_v2 *method = data;
	if (ime->method != NULL) {
		wlr_input_method_v2_send_unavailable(method);
		return;
	}
	ime->method = method;
	listen(&ime->method_commit, ime_handle_method_commit, &method->events.commit);
	listen(&ime->method_popup, ime_handle_method_popup, &method->events.new_popup_surface);
	listen(&ime->method_grab, ime_handle_method_grab, &method->events.grab_keyboard);
	listen(&ime->method_destroy, ime_handle_method_destroy, &method->events.destroy);
	ime_sync(ime);
}

/* NULL: its keys are the application's. What the input method types never goes back to it. */
static struct wlr_input_method_keyboard_grab_v2 *ime_grab(
		struct server *server, struct keyboard *keyboard) {
	struct wlr_input_method_v2 *method = server->ime->method;
	if (method == NULL || method->keyboard_grab == NULL) {
		return NULL;
	}
	const struct wlr_virtual_keyboard_v1 *virtual =
			wlr_input_device_get_virtual_keyboard(&keyboard->wlr_keyboard->base);
	bool own = virtual != NULL && wl_resource_get_client(virtual->resource) ==
			wl_resource_get_client(method->keyboard_grab->resource);
	return own ? NULL : method->keyboard_grab;
}

bool ime_handle_key(struct server *server, struct keyboard *keyboard, uint32_t time_ms,
		uint32_t keycode, uint32_t state) {
	struct wlr_input_method_keyboard_grab_v2 *grab = ime_grab(server, keyboard);
	if (grab == NULL) {
		return false;
	}
	wlr_input_method_keyboard_grab_v2_set_keyboard(grab, keyboard->wlr_keyboard);
	wlr_input_method_keyboard_grab_v2_send_key(grab, time_ms, keycode, state);
	return true;
}

bool ime_handle_modifiers(struct server *server, struct keyboard *keyboard) {
	struct wlr_input_method_keyboard_grab_v2 *grab = ime_grab(server, keyboard);
	if (grab == NULL) {
		return false;
	}
	wlr_input_method_keyboard_grab_v2_set_keyboard(grab, keyboard->wlr_keyboard);
	wlr_input_method_keyboard_grab_v2_send_modifiers(
			grab, &keyboard->wlr_keyboard->modifiers);
	return true;
}

void ime_update_popups(struct server *server) {
	struct ime *ime = server->ime;
	if (ime == NULL || server->terminating) {
		return;
	}
	bool reads = ime->method == NULL ||
		client_reads(wl_resource_get_client(ime->method->resource));
	if (ime->active == NULL || reads) {
		ime_popups_update(ime->popups, ime->active);
	} else {
		wl_event_source_timer_update(ime->again, READS_AGAIN_MS);
	}
}

struct ime *ime_create(struct server *server) {
	struct wlr_text_input_manager_v3 *text_inputs =
			wlr_text_input_manager_v3_create(server->display);
	struct wlr_input_method_manager_v2 *methods =
			wlr_input_method_manager_v2_create(server->display);
	struct ime *ime = calloc(1, sizeof(*ime));
	struct ime_popups *popups = ime_popups_create(server);
	if (text_inputs == NULL || methods == NULL || ime == NULL || popups == NULL) {
		ime_popups_destroy(popups);
		free(ime);
		return NULL;
	}
	ime->server = server;
	ime->popups = popups;
	ime->again = wl_event_loop_add_timer(server->loop, ime_handle_again, ime);
	if (ime->again == NULL) {
		ime_popups_destroy(popups);
		free(ime);
		return NULL;
	}
	wl_list_init(&ime->text_inputs);
	listen(&ime->new_text_input, ime_handle_new_text_input,
			&text_inputs->events.new_text_input);
	listen(&ime->new_method, ime_handle_new_method, &methods->events.new_input_method);
	listen(&ime->focus_change, ime_handle_focus_change,
			&server->wlr_seat->keyboard_state.events.focus_change);
	return ime;
}

void ime_destroy(struct ime *ime) {
	if (ime != NULL) {
		wl_list_remove(&ime->new_text_input.link);
		wl_list_remove(&ime->new_method.link);
		wl_list_remove(&ime->focus_change.link);
		wl_event_source_remove(ime->again);
		ime_popups_destroy(ime->popups);
		free(ime);
	}
}
