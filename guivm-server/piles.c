/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/piles.h"

#include <pixman.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_compositor.h>

#include "common/limits.h"
#include "guivm-server/server.h"

#define COMMIT_BYTES 512 // of one that waits, without its regions

enum {
	REGION_ADD = 1,
	REGION_SUBTRACT = 2,
	SURFACE_DAMAGE = 2,
	SURFACE_DAMAGE_BUFFER = 9,
};

struct piles {
	struct wl_protocol_logger *logger; // sees requests before wlroots does
	struct wl_list clients; // pile_client.link
	struct wl_list surfaces; // pile_surface.link
	struct wl_listener new_surface;
};

/* Of a client that has surfaces, or had. */
struct pile_client {
	struct wl_list link; // piles.clients
	size_t waiting_bytes; // of its surfaces' commits
	struct wl_listener destroy;
};

/* What travels with a commit until it is applied. */
struct pile_state {
	size_t bytes; // that it is counted for; 0: it did not wait
};

struct pile_surface {
	struct wl_list link; // piles.surfaces
	struct wlr_surface *surface;
	struct pile_client *client; // lives longer: see pile_client_handle_destroy()
	size_t waiting_bytes;
	struct pile_state pending, current;
	struct wlr_surface_synced synced;
	struct wl_listener client_commit, destroy;
};

static void damage_bound(pixman_region32_t *damage) {
	if (pixman_region32_n_rects(damage) > LIMIT_DAMAGE_RECTS) {
		pixman_box32_t box = *pixman_region32_extents(damage);
		pixman_region32_reset(damage, &box);
	}
}

static void piles_handle_surface_request(struct wl_resource *resource, int opcode) {
	struct wlr_surface *surface = wlr_surface_from_resource(resource);
	if (opcode == SURFACE_DAMAGE) {
		damage_bound(&surface->pending.surface_damage);
	} else if (opcode == SURFACE_DAMAGE_BUFFER) {
		damage_bound(&surface->pending.buffer_damage);
	}
}

static void piles_handle_region_request(struct wl_resource *resource, int opcode) {
	if (opcode != REGION_ADD && opcode != REGION_SUBTRACT) {
		return;
	}
	// What wlroots makes of a wl_region, and gives to pixman.
	const pixman_region32_t *region = wl_resource_get_user_data(resource);
	if (pixman_region32_n_rects(region) > LIMIT_REGION_RECTS) {
		wl_resource_post_error(resource, WL_DISPLAY_ERROR_NO_MEMORY,
				"a region of too many rectangles");
	}
}

static void piles_handle_message(void *data, enum wl_protocol_logger_type direction,
		const struct wl_protocol_logger_message *message) {
	if (direction != WL_PROTOCOL_LOGGER_REQUEST) {
		return;
	}
	const char *class = wl_resource_get_class(message->resource);
	if (strcmp(class, "wl_surface") == 0) {
		piles_handle_surface_request(message->resource, message->message_opcode);
	} else if (strcmp(class, "wl_region") == 0) {
		piles_handle_region_request(message->resource, message->message_opcode);
	}
}

/* A late listener: all surfaces are gone. */
static void pile_client_handle_destroy(struct wl_listener *listener, void *data) {
	struct pile_client *client = wl_container_of(listener, client, destroy);
	wl_list_remove(&client->link);
	wl_list_remove(&client->destroy.link);
	free(client);
}

static struct pile_client *pile_client_get(struct piles *piles, struct wl_client *wl_client) {
	struct pile_client *client;
	struct wl_listener *listener = wl_client_get_destroy_late_listener(
			wl_client, pile_client_handle_destroy);
	if (listener != NULL) {
		return wl_container_of(listener, client, destroy);
	}
	client = calloc(1, sizeof(*client));
	if (client != NULL) {
		wl_list_insert(&piles->clients, &client->link);
		client->destroy.notify = pile_client_handle_destroy;
		wl_client_add_destroy_late_listener(wl_client, &client->destroy);
	}
	return client;
}

static size_t region_bytes(const pixman_region32_t *region) {
	return (size_t)pixman_region32_n_rects(region) * sizeof(pixman_box32_t);
}

static size_t state_bytes(const struct wlr_surface_state *state) {
	return COMMIT_BYTES + region_bytes(&state->surface_damage) +
		region_bytes(&state->buffer_damage) + region_bytes(&state->opaque) +
		region_bytes(&state->input);
}

static void pile_surface_let_go(struct pile_surface *pile, size_t bytes) {
	pile->waiting_bytes -= bytes;
	pile->client->waiting_bytes -= bytes;
}

/* Behind one that waits, all do. */
static void pile_surface_handle_client_commit(struct wl_listener *listener, void *data) {
	struct pile_surface *pile = wl_container_of(listener, pile, client_commit);
	struct wlr_surface *surface = pile->surface;
	if (pixman_region32_n_rects(&surface->pending.opaque) > LIMIT_OPAQUE_RECTS) {
		pixman_region32_clear(&surface->pending.opaque);
	}
	if (wl_list_empty(&surface->cached)) {
		return;
	}
	size_t bytes = state_bytes(&surface->pending);
	pile->pending.bytes = bytes;
	pile->waiting_bytes += bytes;
	pile->client->waiting_bytes += bytes;
	if (pile->client->waiting_bytes > LIMIT_WAITING_COMMIT_BYTES) {
		wl_resource_post_error(surface->resource, WL_DISPLAY_ERROR_NO_MEMORY,
				"too many commits that wait for others");
	}
}

static void pile_state_move(void *to, void *from) {
	struct pile_state *state = to, *next = from;
	*state = *next;
	next->bytes = 0;
}

/* One by one: who is always a frame ahead has always one that waits. */
static void pile_surface_handle_apply(struct wlr_surface_synced *synced) {
	struct pile_surface *pile = wl_container_of(synced, pile, synced);
	pile_surface_let_go(pile, pile->current.bytes);
	pile->current.bytes = 0;
}

static const struct wlr_surface_synced_impl synced_impl = {
	.state_size = sizeof(struct pile_state),
	.move_state = pile_state_move,
	.commit = pile_surface_handle_apply,
};

static void pile_surface_destroy(struct pile_surface *pile) {
	pile_surface_let_go(pile, pile->waiting_bytes);
	wlr_surface_synced_finish(&pile->synced);
	wl_list_remove(&pile->link);
	wl_list_remove(&pile->client_commit.link);
	wl_list_remove(&pile->destroy.link);
	free(pile);
}

static void pile_surface_handle_destroy(struct wl_listener *listener, void *data) {
	struct pile_surface *pile = wl_container_of(listener, pile, destroy);
	pile_surface_destroy(pile);
}

static void piles_handle_new_surface(struct wl_listener *listener, void *data) {
	struct piles *piles = wl_container_of(listener, piles, new_surface);
	struct wlr_surface *surface = data;
	struct pile_client *client =
			pile_client_get(piles, wl_resource_get_client(surface->resource));
	struct pile_surface *pile = client != NULL ? calloc(1, sizeof(*pile)) : NULL;
	if (pile == NULL || !wlr_surface_synced_init(&pile->synced, surface, &synced_impl,
				&pile->pending, &pile->current)) {
		free(pile);
		wl_resource_post_no_memory(surface->resource);
		return;
	}
	pile->surface = surface;
	pile->client = client;
	wl_list_insert(&piles->surfaces, &pile->link);
	pile->client_commit.notify = pile_surface_handle_client_commit;
	wl_signal_add(&surface->events.client_commit, &pile->client_commit);
	pile->destroy.notify = pile_surface_handle_destroy;
	wl_signal_add(&surface->events.destroy, &pile->destroy);
}

struct piles *piles_create(struct server *server) {
	struct piles *piles = calloc(1, sizeof(*piles));
	if (piles == NULL) {
		return NULL;
	}
	wl_list_init(&piles->clients);
	wl_list_init(&piles->surfaces);
	piles->logger = wl_display_add_protocol_logger(
			server->display, piles_handle_message, piles);
	if (piles->logger == NULL) {
		free(piles);
		return NULL;
	}
	piles->new_surface.notify = piles_handle_new_surface;
	wl_signal_add(&server->compositor->events.new_surface, &piles->new_surface);
	return piles;
}

void piles_destroy(struct piles *piles) {
	if (piles == NULL) {
		return;
	}
	struct pile_surface *surface, *next_surface;
	wl_list_for_each_safe (surface, next_surface, &piles->surfaces, link) {
		pile_surface_destroy(surface);
	}
	struct pile_client *client, *next;
	wl_list_for_each_safe (client, next, &piles->clients, link) {
		pile_client_handle_destroy(&client->destroy, NULL);
	}
	wl_list_remove(&piles->new_surface.link);
	wl_protocol_logger_destroy(piles->logger);
	free(piles);
}
