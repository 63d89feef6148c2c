/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/subsurface.h"

#include <wayland-server-protocol.h>

#include "appvm-proxy/client.h"
#include "appvm-proxy/slot.h"
#include "appvm-proxy/surface.h"

#define MAX_DEPTH 64 // also ends the loops that a hostile application makes

static void subsurface_detach(struct surface *surface) {
	struct client *client = surface->client;
	struct object *object = object_table_find(&client->objects, surface->subsurface_id);
	if (surface->subsurface_id != 0 && object != NULL) {
		object->data = NULL;
	}
	wl_list_remove(&surface->sibling);
	wl_list_init(&surface->sibling);
	surface->subsurface_id = 0;
	surface->parent = NULL;
	surface->synchronized = false;
	client->n_tree_changes++;
}

void subsurface_finish(struct surface *surface) {
	subsurface_detach(surface);
	struct surface *child, *next;
	wl_list_for_each_safe (child, next, &surface->children, sibling) {
		wl_list_remove(&child->sibling);
		wl_list_init(&child->sibling);
		child->parent = NULL;
	}
}

/* Whose commit shows what the surface commits; itself when it is not synchronized. NULL: too deep
 * to tell. */
static const struct surface *surface_committer(const struct surface *surface) {
	const struct surface *committer = surface;
	for (int depth = 0; surface->parent != NULL; surface = surface->parent) {
		if (++depth > MAX_DEPTH) {
			return NULL;
		}
		if (surface->synchronized) {
			committer = surface->parent;
		}
	}
	return committer;
}

bool subsurface_keeps(const struct surface *surface) {
	const struct surface_kept *kept = &surface->kept;
	const struct surface *committer = surface_committer(surface);
	return committer != NULL && committer == kept->ancestor &&
	       committer->n_commits == kept->n_commits &&
	       surface->client->n_tree_changes == kept->n_tree_changes;
}

bool subsurface_returns(const struct surface *surface, const struct slot *slot) {
	const struct surface *committer = surface_committer(surface);
	if (committer == NULL) {
		return false;
	}
	uint32_t commit = slot->commit;
	for (; surface != committer; surface = surface->parent) {
		// Desynchronized below a synchronized one: compositors differ in when it is shown.
		if (!surface->synchronized ||
				(int32_t)(surface->parent->last_commit - commit) <= 0) {
			return false;
		}
		commit = surface->parent->last_commit;
	}
	// Kept from when it was synchronized: wlroots shows it with the next commit, not sooner.
	return (int32_t)(committer->last_own_commit - commit) >= 0;
}

void subsurface_note_commit(struct surface *surface, struct slot *slot) {
	surface->n_commits++;
	surface->last_commit = ++surface->client->n_commits;
	if (slot != NULL) {
		slot->commit = surface->last_commit;
	}
	if (surface_committer(surface) == surface) {
		surface->last_own_commit = surface->last_commit;
	}
	if (slot == NULL && subsurface_keeps(surface)) {
		return;
	}
	const struct surface *committer = surface_committer(surface);
	surface->kept = (struct surface_kept){0};
	if (committer != NULL && committer != surface) {
		surface->kept = (struct surface_kept){
				.slot = slot,
				.ancestor = committer,
				.n_commits = committer->n_commits,
				.n_tree_changes = surface->client->n_tree_changes,
		};
	}
}

static enum request_result subsurface_handle_get(struct request *request) {
	struct client *client = request->client;
	uint32_t id = request->values[0].id;
	struct surface *surface = surface_from_object(
			client, object_table_find(&client->objects, request->values[1].id));
	struct surface *parent = surface_from_object(
			client, object_table_find(&client->objects, request->values[2].id));
	if (surface == NULL || parent == NULL) {
		client_error(client, 1, WL_DISPLAY_ERROR_NO_MEMORY, "no memory");
		return REQUEST_ENDED;
	}
	enum request_result result = request_forward(request);
	if (result == REQUEST_DONE) {
		subsurface_detach(surface);
		surface->subsurface_id = id;
		surface->parent = parent;
		surface->synchronized = true;
		wl_list_insert(&parent->children, &surface->sibling);
		object_table_find(&client->objects, id)->data = surface;
	}
	return result;
}

enum request_result subsurface_handle_request(struct request *request) {
	if (request->message->special == WIRE_SPECIAL_GET_SUBSURFACE) {
		return subsurface_handle_get(request);
	}
	struct surface *surface = request->object->data;
	if (surface == NULL) {
		return REQUEST_FORWARD; // the surface is gone
	}
	switch (request->message->special) {
	case WIRE_SPECIAL_SUBSURFACE_SET_SYNC:
		surface->synchronized = true;
		break;
	case WIRE_SPECIAL_SUBSURFACE_SET_DESYNC:
		surface->synchronized = false;
		surface->client->n_tree_changes++; // what was kept may be shown now
		break;
	case WIRE_SPECIAL_SUBSURFACE_DESTROY:
		subsurface_detach(surface);
		break;
	}
	return REQUEST_FORWARD;
}
