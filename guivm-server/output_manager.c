/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/output_manager.h"

#include <stdlib.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_output_management_v1.h>

#include "common/log.h"
#include "guivm-server/output.h"
#include "guivm-server/server.h"

struct output_manager {
	struct server *server;
	struct wlr_output_manager_v1 *wlr_manager;
	struct wl_listener apply, test;
	struct wl_listener layout_change;
};

/* Tells clients what is. */
static void publish(struct output_manager *manager) {
	struct wlr_output_configuration_v1 *config = wlr_output_configuration_v1_create();
	if (config == NULL) {
		return;
	}
	struct output *output;
	wl_list_for_each (output, &manager->server->outputs, link) {
		struct wlr_output_configuration_head_v1 *head =
				wlr_output_configuration_head_v1_create(config, output->wlr_output);
		if (head != NULL) {
			head->state.x = output->box.x;
			head->state.y = output->box.y;
		}
	}
	wlr_output_manager_v1_set_configuration(manager->wlr_manager, config);
}

static bool configure_head(const struct wlr_output_configuration_head_v1 *head, bool test_only) {
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_head_v1_state_apply(&head->state, &state);
	bool ok = test_only ? wlr_output_test_state(head->state.output, &state)
			    : wlr_output_commit_state(head->state.output, &state);
	wlr_output_state_finish(&state);
	return ok;
}

static void place_head(struct output_manager *manager,
		const struct wlr_output_configuration_head_v1 *head) {
	struct wlr_output_layout *layout = manager->server->output_layout;
	if (!head->state.enabled) {
		wlr_output_layout_remove(layout, head->state.output);
		return;
	}
	wlr_output_layout_add(layout, head->state.output, head->state.x, head->state.y);
}

/* Takes over config. */
static void configure(struct output_manager *manager, struct wlr_output_configuration_v1 *config,
		bool test_only) {
	bool ok = true;
	struct wlr_output_configuration_head_v1 *head;
	wl_list_for_each (head, &config->heads, link) {
		ok = ok && configure_head(head, test_only);
		if (ok && !test_only) {
			place_head(manager, head);
		}
	}
	if (ok) {
		wlr_output_configuration_v1_send_succeeded(config);
	} else {
		wlr_output_configuration_v1_send_failed(config);
	}
	wlr_output_configuration_v1_destroy(config);
	publish(manager);
}

static void output_manager_handle_apply(struct wl_listener *listener, void *data) {
	struct output_manager *manager = wl_container_of(listener, manager, apply);
	configure(manager, data, false);
}

static void output_manager_handle_test(struct wl_listener *listener, void *data) {
	struct output_manager *manager = wl_container_of(listener, manager, test);
	configure(manager, data, true);
}

static void output_manager_handle_layout_change(struct wl_listener *listener, void *data) {
	struct output_manager *manager = wl_container_of(listener, manager, layout_change);
	if (!manager->server->terminating) {
		publish(manager);
	}
}

struct output_manager *output_manager_create(struct server *server) {
	struct output_manager *manager = calloc(1, sizeof(*manager));
	if (manager == NULL) {
		return NULL;
	}
	manager->server = server;
	manager->wlr_manager = wlr_output_manager_v1_create(server->display);
	if (manager->wlr_manager == NULL) {
		log_error("output management: out of memory");
		free(manager);
		return NULL;
	}
	manager->apply.notify = output_manager_handle_apply;
	manager->test.notify = output_manager_handle_test;
	manager->layout_change.notify = output_manager_handle_layout_change;
	wl_signal_add(&manager->wlr_manager->events.apply, &manager->apply);
	wl_signal_add(&manager->wlr_manager->events.test, &manager->test);
	// After output.c's own listener, which computes the boxes.
	wl_signal_add(&server->output_layout->events.change, &manager->layout_change);
	return manager;
}

void output_manager_destroy(struct output_manager *manager) {
	if (manager == NULL) {
		return;
	}
	wl_list_remove(&manager->apply.link);
	wl_list_remove(&manager->test.link);
	wl_list_remove(&manager->layout_change.link);
	free(manager);
}
