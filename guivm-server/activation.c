/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/activation.h"

#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_xdg_activation_v1.h>

#include "common/limits.h"
#include "guivm-server/focus.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"
#include "guivm-server/vm.h"

struct activation {
	struct server *server;
	struct wlr_xdg_activation_v1 *manager;
	struct wl_listener request_activate, new_token;
};

static void activation_handle_request(struct wl_listener *listener, void *data) {
	struct activation *activation = wl_container_of(listener, activation, request_activate);
	const struct wlr_xdg_activation_v1_request_activate_event *event = data;
	struct server *server = activation->server;
	struct view *view = view_from_surface(event->surface);
	struct view *focused = focus_layer(server) == NULL ? focus_view(server) : NULL;
	if (view == NULL || !view->window.mapped || view == focused) {
		return;
	}
	bool own = focused != NULL && view_same_domain(focused, view);
	/*
	 * Local clients have no launches that could be counted: theirs is the rule of the VM in
	 * focus alone.
	 */
	bool launched = view->window.vm != NULL && vm_take_launch_credit(view->window.vm);
	if (own || launched) {
		focus_set_view(server, view);
	} else {
		view_set_attention(view, true);
	}
}

/* Tokens outlive their client's object, and would fill the memory of the compositor. */
static void activation_handle_new_token(struct wl_listener *listener, void *data) {
	struct activation *activation = wl_container_of(listener, activation, new_token);
	struct wl_list *tokens = &activation->manager->tokens; // newest first
	if (wl_list_length(tokens) > LIMIT_ACTIVATION_TOKENS) {
		struct wlr_xdg_activation_token_v1 *oldest =
				wl_container_of(tokens->prev, oldest, link);
		wlr_xdg_activation_token_v1_destroy(oldest);
	}
}

struct activation *activation_create(struct server *server) {
	struct wlr_xdg_activation_v1 *manager = wlr_xdg_activation_v1_create(server->display);
	struct activation *activation = calloc(1, sizeof(*activation));
	if (manager == NULL || activation == NULL) {
		free(activation);
		return NULL;
	}
	activation->server = server;
	activation->manager = manager;
	activation->request_activate.notify = activation_handle_request;
	wl_signal_add(&manager->events.request_activate, &activation->request_activate);
	activation->new_token.notify = activation_handle_new_token;
	wl_signal_add(&manager->events.new_token, &activation->new_token);
	return activation;
}

struct wlr_surface *activation_take_surface(struct server *server, const char *token) {
	struct wlr_xdg_activation_token_v1 *found =
			wlr_xdg_activation_v1_find_token(server->activation->manager, token);
	struct wlr_surface *surface = found != NULL ? found->surface : NULL;
	if (found != NULL) {
		wlr_xdg_activation_token_v1_destroy(found);
	}
	return surface;
}

void activation_destroy(struct activation *activation) {
	if (activation != NULL) {
		wl_list_remove(&activation->request_activate.link);
		wl_list_remove(&activation->new_token.link);
		free(activation);
	}
}
