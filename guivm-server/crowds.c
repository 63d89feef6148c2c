/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/crowds.h"

#include <stdlib.h>
#include <string.h>
#include <wayland-server-core.h>

#include "common/limits.h"
#include "guivm-server/server.h"

enum {
	TOKEN_COMMIT = 3,
	ICON_ADD_BUFFER = 2,
};

/* What wlroots or we have in one list for all clients, or go through once for each mime type. */
static const struct kind {
	const char *class;
	unsigned limit;
} kinds[] = {
	{"wl_data_device", LIMIT_OF_A_KIND},
	{"wl_output", LIMIT_OUTPUT_OBJECTS},
	{"wp_color_management_surface_feedback_v1", LIMIT_OUTPUT_OBJECTS},
	{"xdg_activation_token_v1", LIMIT_OF_A_KIND}, // until it is committed: see activation.c
	{"xdg_toplevel_icon_v1", LIMIT_OF_A_KIND},
	{"zwp_idle_inhibitor_v1", LIMIT_OF_A_KIND},
	{"zwp_pointer_gesture_hold_v1", LIMIT_OF_A_KIND},
	{"zwp_pointer_gesture_pinch_v1", LIMIT_OF_A_KIND},
	{"zwp_pointer_gesture_swipe_v1", LIMIT_OF_A_KIND},
	{"zwp_primary_selection_device_v1", LIMIT_OF_A_KIND},
	{"zwp_relative_pointer_v1", LIMIT_OF_A_KIND},
	{"zwp_tablet_seat_v2", LIMIT_OF_A_KIND},
	{"zwp_text_input_v3", LIMIT_OF_A_KIND},
	{"zxdg_exported_v1", LIMIT_OF_A_KIND},
	{"zxdg_exported_v2", LIMIT_OF_A_KIND},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct crowds {
	struct wl_protocol_logger *logger; // sees requests before wlroots does
	struct wl_list clients; // crowd_client.link
	struct wl_listener client_created;
};

struct crowd_client {
	struct wl_list link; // crowds.clients
	struct wl_client *client;
	unsigned counts[N_KINDS];
	struct wl_list members; // crowd_member.link
	struct wl_listener resource_created, destroy;
};

/* An object that counts. */
struct crowd_member {
	struct wl_list link; // crowd_client.members
	struct crowd_client *client;
	size_t kind;
	unsigned n_buffers; // of an icon
	struct wl_listener destroy;
};

static void member_destroy(struct crowd_member *member) {
	member->client->counts[member->kind]--;
	wl_list_remove(&member->link);
	wl_list_remove(&member->destroy.link);
	free(member);
}

static void member_handle_destroy(struct wl_listener *listener, void *data) {
	struct crowd_member *member = wl_container_of(listener, member, destroy);
	member_destroy(member);
}

static void client_add_member(
		struct crowd_client *client, size_t kind, struct wl_resource *resource) {
	struct crowd_member *member = calloc(1, sizeof(*member));
	if (member == NULL) {
		wl_client_post_no_memory(client->client);
		return;
	}
	member->client = client;
	member->kind = kind;
	wl_list_insert(&client->members, &member->link);
	member->destroy.notify = member_handle_destroy;
	wl_resource_add_destroy_listener(resource, &member->destroy);
	if (++client->counts[kind] > kinds[kind].limit) {
		wl_client_post_implementation_error(client->client,
				"more than %u objects %s", kinds[kind].limit, kinds[kind].class);
	}
}

static void client_handle_resource_created(struct wl_listener *listener, void *data) {
	struct crowd_client *client = wl_container_of(listener, client, resource_created);
	const char *class = wl_resource_get_class(data);
	for (size_t i = 0; i < N_KINDS; i++) {
		if (strcmp(class, kinds[i].class) == 0) {
			client_add_member(client, i, data);
			return;
		}
	}
}

static void crowd_client_destroy(struct crowd_client *client) {
	struct crowd_member *member, *next;
	wl_list_for_each_safe (member, next, &client->members, link) {
		member_destroy(member);
	}
	wl_list_remove(&client->resource_created.link);
	wl_list_remove(&client->destroy.link);
	wl_list_remove(&client->link);
	free(client);
}

/* A late listener: all its objects are gone. */
static void client_handle_destroy(struct wl_listener *listener, void *data) {
	struct crowd_client *client = wl_container_of(listener, client, destroy);
	crowd_client_destroy(client);
}

static void crowds_handle_client_created(struct wl_listener *listener, void *data) {
	struct crowds *crowds = wl_container_of(listener, crowds, client_created);
	struct crowd_client *client = calloc(1, sizeof(*client));
	if (client == NULL) {
		wl_client_post_no_memory(data);
		return;
	}
	client->client = data;
	wl_list_init(&client->members);
	wl_list_insert(&crowds->clients, &client->link);
	client->resource_created.notify = client_handle_resource_created;
	wl_client_add_resource_created_listener(data, &client->resource_created);
	client->destroy.notify = client_handle_destroy;
	wl_client_add_destroy_late_listener(data, &client->destroy);
}

/* Each buffer of an icon, of which there is one for each size and scale, is looked for among them
 * all. */
static void member_add_buffer(struct crowd_member *member) {
	if (++member->n_buffers > LIMIT_ICON_BUFFERS) {
		wl_client_post_implementation_error(member->client->client,
				"more than %u buffers for an icon", LIMIT_ICON_BUFFERS);
	}
}

static void crowds_handle_message(void *data, enum wl_protocol_logger_type direction,
		const struct wl_protocol_logger_message *message) {
	if (direction != WL_PROTOCOL_LOGGER_REQUEST) {
		return;
	}
	const char *class = wl_resource_get_class(message->resource);
	bool commits = message->message_opcode == TOKEN_COMMIT &&
			strcmp(class, "xdg_activation_token_v1") == 0;
	bool adds = message->message_opcode == ICON_ADD_BUFFER &&
			strcmp(class, "xdg_toplevel_icon_v1") == 0;
	if (!commits && !adds) {
		return;
	}
	struct wl_listener *listener =
			wl_resource_get_destroy_listener(message->resource, member_handle_destroy);
	struct crowd_member *member =
			listener != NULL ? wl_container_of(listener, member, destroy) : NULL;
	if (member != NULL && commits) {
		member_destroy(member);
	} else if (member != NULL) {
		member_add_buffer(member);
	}
}

struct crowds *crowds_create(struct server *server) {
	struct crowds *crowds = calloc(1, sizeof(*crowds));
	if (crowds == NULL) {
		return NULL;
	}
	wl_list_init(&crowds->clients);
	crowds->logger = wl_display_add_protocol_logger(
			server->display, crowds_handle_message, crowds);
	if (crowds->logger == NULL) {
		free(crowds);
		return NULL;
	}
	crowds->client_created.notify = crowds_handle_client_created;
	wl_display_add_client_created_listener(server->display, &crowds->client_created);
	return crowds;
}

void crowds_destroy(struct crowds *crowds) {
	if (crowds == NULL) {
		return;
	}
	struct crowd_client *client, *next;
	wl_list_for_each_safe (client, next, &crowds->clients, link) {
		crowd_client_destroy(client);
	}
	wl_list_remove(&crowds->client_created.link);
	wl_protocol_logger_destroy(crowds->logger);
	free(crowds);
}
