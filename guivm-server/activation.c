/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/activation.h"

#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_xdg_activation_v1.h>

#include "common/limits.h"
#include "guivm-server/focus.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"
#include "guivm-server/vm.h"

#define TOKEN_COMMIT 3

struct activation {
	struct server *server;
	struct wlr_xdg_activation_v1 *manager;
	struct wl_protocol_logger *logger; // sees requests before wlroots does
	const struct vm *committer; // of the token that is being committed
	struct wl_list tokens; // token.link, newest first
	struct wl_listener request_activate, new_token, remove_vm;
};

/* Who asked for it, which wlroots forgets. */
struct token {
	struct wl_list link; // activation.tokens
	struct wlr_xdg_activation_token_v1 *wlr_token;
	const struct vm *vm; // NULL: a local client
	struct wl_listener destroy;
};

static void activation_handle_message(void *data, enum wl_protocol_logger_type direction,
		const struct wl_protocol_logger_message *message) {
	struct activation *activation = data;
	if (direction == WL_PROTOCOL_LOGGER_REQUEST && message->message_opcode == TOKEN_COMMIT &&
			strcmp(wl_resource_get_class(message->resource),
					"xdg_activation_token_v1") == 0) {
		activation->committer = vm_from_client(wl_resource_get_client(message->resource));
	}
}

static void activation_handle_request(struct wl_listener *listener, void *data) {
	struct activation *activation = wl_container_of(listener, activation, request_activate);
	const struct wlr_xdg_activation_v1_request_activate_event *event = data;
	struct server *server = activation->server;
	const struct token *token = event->token->data;
	struct view *view = view_from_surface(event->surface);
	struct view *focused = focus_layer(server) == NULL ? focus_view(server) : NULL;
	if (view == NULL || !view->window.mapped || view == focused || token == NULL ||
			token->vm != view->window.vm) {
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

static void token_handle_destroy(struct wl_listener *listener, void *data) {
	struct token *token = wl_container_of(listener, token, destroy);
	token->wlr_token->data = NULL;
	wl_list_remove(&token->link);
	wl_list_remove(&token->destroy.link);
	free(token);
}

/*
 * Tokens outlive their client's object, and would fill the memory of the compositor. Each VM has
 * its own number of them: else one could throw out what another's applications hold.
 */
static void activation_drop_tokens(
		struct activation *activation, const struct vm *vm, unsigned kept) {
	struct token *token, *next;
	wl_list_for_each_safe (token, next, &activation->tokens, link) {
		if (token->vm != vm) {
			continue;
		}
		if (kept > 0) {
			kept--;
		} else {
			wlr_xdg_activation_token_v1_destroy(token->wlr_token);
		}
	}
}

static void activation_handle_new_token(struct wl_listener *listener, void *data) {
	struct activation *activation = wl_container_of(listener, activation, new_token);
	struct wlr_xdg_activation_token_v1 *wlr_token = data;
	struct token *token = calloc(1, sizeof(*token));
	if (token == NULL) {
		return; // activates nothing
	}
	token->wlr_token = wlr_token;
	token->vm = activation->committer;
	wlr_token->data = token;
	wl_list_insert(&activation->tokens, &token->link);
	token->destroy.notify = token_handle_destroy;
	wl_signal_add(&wlr_token->events.destroy, &token->destroy);
	activation_drop_tokens(activation, token->vm, LIMIT_ACTIVATION_TOKENS);
}

/* One that is added later may be where this one was. */
static void activation_handle_remove_vm(struct wl_listener *listener, void *data) {
	struct activation *activation = wl_container_of(listener, activation, remove_vm);
	activation_drop_tokens(activation, data, 0);
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
	wl_list_init(&activation->tokens);
	activation->logger = wl_display_add_protocol_logger(
			server->display, activation_handle_message, activation);
	if (activation->logger == NULL) {
		free(activation);
		return NULL;
	}
	activation->request_activate.notify = activation_handle_request;
	wl_signal_add(&manager->events.request_activate, &activation->request_activate);
	activation->new_token.notify = activation_handle_new_token;
	wl_signal_add(&manager->events.new_token, &activation->new_token);
	activation->remove_vm.notify = activation_handle_remove_vm;
	wl_signal_add(&server->vms->events.remove, &activation->remove_vm);
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
	if (activation == NULL) {
		return;
	}
	struct token *token, *next;
	wl_list_for_each_safe (token, next, &activation->tokens, link) {
		token_handle_destroy(&token->destroy, NULL);
	}
	wl_list_remove(&activation->request_activate.link);
	wl_list_remove(&activation->new_token.link);
	wl_list_remove(&activation->remove_vm.link);
	wl_protocol_logger_destroy(activation->logger);
	free(activation);
}
