/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/pixels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-server-protocol.h>

#include "appvm-proxy/client.h"
#include "appvm-proxy/direct.h"
#include "appvm-proxy/handover.h"
#include "appvm-proxy/proxy.h"
#include "appvm-proxy/shm.h"
#include "appvm-proxy/slot.h"
#include "appvm-proxy/surface.h"
#include "common/shm_format.h"
#include "protocol/link.h"

/* Slots of an object other than a surface, such as an icon: they live as long as it does. */
struct held_slots {
	struct wl_list slots; // struct slot.link
	struct slot *filling; // of the request at hand, when that has stalled in the middle
};

bool pixels_object_is_slot(const struct object *object) {
	return object->interface == wire_buffer_interface && !object->local && object->data != NULL;
}

/* wp_viewport and wl_subsurface. */
static bool object_borrows_surface(const struct object *object) {
	return strcmp(object->interface->name, "wp_viewport") == 0 ||
	       strcmp(object->interface->name, "wl_subsurface") == 0;
}

static struct held_slots *held_slots_from_object(struct object *object) {
	if (object->data == NULL) {
		struct held_slots *held = calloc(1, sizeof(*held));
		if (held == NULL) {
			return NULL;
		}
		wl_list_init(&held->slots);
		object->data = held;
	}
	return object->data;
}

static void held_slots_destroy(struct held_slots *held) {
	struct slot *slot, *next;
	wl_list_for_each_safe (slot, next, &held->slots, link) {
		slot_remove(slot);
	}
	free(held);
}

/* The index of the argument that is a local wl_buffer, or -1. */
static int request_find_local_buffer(struct request *request) {
	for (int i = 0; i < request->message->n_args; i++) {
		if (request->message->args[i].type != WIRE_OBJECT || request->values[i].id == 0) {
			continue;
		}
		struct object *object =
				object_table_find(&request->client->objects, request->values[i].id);
		if (object->local) {
			return i;
		}
	}
	return -1;
}

static enum request_result request_refuse_memory(struct request *request) {
	if (errno == EAGAIN) {
		client_set_stall(request->client, CLIENT_STALL_MEMORY);
		return REQUEST_STALL;
	}
	client_error(request->client, 1, WL_DISPLAY_ERROR_NO_MEMORY,
			"no memory for a buffer's copy");
	return REQUEST_ENDED;
}

/* A request other than attach that names a buffer gets a copy of it: the object keeps showing what
 * it was given. */
static enum request_result pixels_handle_buffer_use(struct request *request) {
	int arg = request_find_local_buffer(request);
	if (arg < 0) {
		return REQUEST_FORWARD;
	}
	struct shm_buffer *buffer =
			object_table_find(&request->client->objects, request->values[arg].id)->data;
	struct held_slots *held = held_slots_from_object(request->object);
	if (held == NULL) {
		return request_refuse_memory(request);
	}
	if (held->filling == NULL) {
		held->filling = slot_create(request->client, buffer);
		if (held->filling == NULL) {
			return request_refuse_memory(request);
		}
		wl_list_insert(&held->slots, &held->filling->link);
	}
	switch (slot_fill(held->filling, buffer)) {
	case SLOT_FILL_DONE:
		break;
	case SLOT_FILL_STALLED:
		return REQUEST_STALL;
	case SLOT_FILL_FAILED:
		client_error(request->client, request->values[arg].id, WL_SHM_ERROR_INVALID_FD,
				"the buffer's pool is smaller than it should be");
		return REQUEST_ENDED;
	}
	held->filling->state = SLOT_BUSY;
	wire_rewrite_id(request->bytes, request->values[arg].offset, held->filling->id);
	held->filling = NULL;
	return REQUEST_FORWARD;
}

static enum request_result pixels_handle_local(struct request *request) {
	switch (request->message->special) {
	case WIRE_SPECIAL_CREATE_POOL:
		return shm_handle_create_pool(request);
	case WIRE_SPECIAL_POOL_CREATE_BUFFER:
		return shm_handle_create_buffer(request);
	case WIRE_SPECIAL_POOL_RESIZE:
		return shm_handle_resize_pool(request);
	case WIRE_SPECIAL_POOL_DESTROY:
		return shm_handle_destroy(request);
	case WIRE_SPECIAL_BUFFER_DESTROY:
		return request->object->local ? shm_handle_destroy(request) : REQUEST_FORWARD;
	case WIRE_SPECIAL_SURFACE_ATTACH:
	case WIRE_SPECIAL_SURFACE_DAMAGE:
	case WIRE_SPECIAL_SURFACE_DAMAGE_BUFFER:
	case WIRE_SPECIAL_SURFACE_SET_SCALE:
	case WIRE_SPECIAL_SURFACE_SET_TRANSFORM:
	case WIRE_SPECIAL_SURFACE_COMMIT:
	case WIRE_SPECIAL_SURFACE_DESTROY:
	case WIRE_SPECIAL_GET_SUBSURFACE:
	case WIRE_SPECIAL_SUBSURFACE_SET_SYNC:
	case WIRE_SPECIAL_SUBSURFACE_SET_DESYNC:
	case WIRE_SPECIAL_SUBSURFACE_DESTROY:
	case WIRE_SPECIAL_GET_VIEWPORT:
	case WIRE_SPECIAL_VIEWPORT_SET_SOURCE:
	case WIRE_SPECIAL_VIEWPORT_SET_DESTINATION:
	case WIRE_SPECIAL_VIEWPORT_DESTROY:
		return surface_handle_request(request);
	case WIRE_SPECIAL_USES_BUFFER:
		return pixels_handle_buffer_use(request);
	default:
		return REQUEST_FORWARD;
	}
}

enum request_result pixels_handle_request(struct request *request) {
	if (request->message->special == WIRE_SPECIAL_NONE) {
		return REQUEST_FORWARD;
	}
	if (request->client->proxy->pixels != PIXELS_HANDOVER) {
		return pixels_handle_local(request);
	}
	if (request->message->special == WIRE_SPECIAL_CREATE_POOL) {
		return handover_create_pool(request);
	}
	return REQUEST_FORWARD;
}

bool pixels_handle_event(struct client *client, struct object *object,
		const struct wire_message *message, const struct wire_value *values) {
	if (client->proxy->pixels == PIXELS_HANDOVER) {
		return true;
	}
	if (message->special == WIRE_SPECIAL_BUFFER_RELEASE && pixels_object_is_slot(object)) {
		struct slot *slot = object->data;
		if (slot->state == SLOT_BUSY) {
			slot->state = SLOT_FREE;
			if (slot->direct) {
				direct_handle_release(slot);
			}
			client_clear_stall(client, CLIENT_STALL_SLOT);
		}
		return false;
	}
	if (object->interface == wire_shm_interface) {
		// wl_shm.format, the only one: what cannot be copied row by row is not offered.
		return shm_format_bytes_per_pixel(values[0].u) != 0;
	}
	return true;
}

bool pixels_may_delete(const struct object *object) {
	if (!pixels_object_is_slot(object)) {
		return true;
	}
	const struct slot *slot = object->data;
	return slot->state == SLOT_REMOVED;
}

void pixels_object_finish(struct client *client, struct object *object) {
	if (object->interface == wire_shm_pool_interface) {
		if (client->proxy->pixels == PIXELS_HANDOVER) {
			handover_pool_finish(object);
		} else {
			shm_pool_unref(object->data);
		}
	} else if (pixels_object_is_slot(object)) {
		slot_destroy(object->data);
		client_clear_stall(client, CLIENT_STALL_SLOT);
		proxy_retry_memory(client->proxy);
	} else if (object->interface == wire_buffer_interface) {
		struct shm_buffer *buffer = object->data;
		buffer->id = 0;
		direct_forget(buffer);
		shm_buffer_unref(buffer);
	} else if (object->interface == wire_surface_interface) {
		surface_destroy(object->data);
	} else if (!object_borrows_surface(object)) {
		held_slots_destroy(object->data);
	}
}
