/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/wlcs/find.h"

#include <stdlib.h>
#include <string.h>
#include <wayland-client.h>

#include "tests/harness/ignore.h"
#include "xdg-activation-v1-client-protocol.h"

struct search {
	struct xdg_activation_v1 *activation;
	char *token;
};

static void registry_handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct search *search = data;
	if (strcmp(interface, xdg_activation_v1_interface.name) == 0) {
		search->activation =
				wl_registry_bind(registry, name, &xdg_activation_v1_interface, 1);
	}
}

static const struct wl_registry_listener registry_listener = {
	.global = registry_handle_global,
	.global_remove = IGNORE,
};

static void token_handle_done(
		void *data, struct xdg_activation_token_v1 *token, const char *text) {
	struct search *search = data;
	search->token = strdup(text);
}

static const struct xdg_activation_token_v1_listener token_listener = {
	.done = token_handle_done,
};

static void search_token(struct search *search, struct wl_display *display,
		struct wl_event_queue *queue, struct wl_surface *surface) {
	struct xdg_activation_token_v1 *token =
			xdg_activation_v1_get_activation_token(search->activation);
	xdg_activation_token_v1_add_listener(token, &token_listener, search);
	xdg_activation_token_v1_set_surface(token, surface);
	xdg_activation_token_v1_commit(token);
	wl_display_roundtrip_queue(display, queue);
	xdg_activation_token_v1_destroy(token);
	xdg_activation_v1_destroy(search->activation);
}

char *find_token(struct wl_display *display, struct wl_surface *surface) {
	struct search search = {0};
	struct wl_event_queue *queue = wl_display_create_queue(display);
	struct wl_display *wrapper = wl_proxy_create_wrapper(display);
	wl_proxy_set_queue((struct wl_proxy *)wrapper, queue);
	struct wl_registry *registry = wl_display_get_registry(wrapper);
	wl_registry_add_listener(registry, &registry_listener, &search);
	if (wl_display_roundtrip_queue(display, queue) >= 0 && search.activation != NULL) {
		search_token(&search, display, queue, surface);
	}
	wl_registry_destroy(registry);
	wl_proxy_wrapper_destroy(wrapper);
	wl_event_queue_destroy(queue);
	return search.token;
}
