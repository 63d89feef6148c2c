/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/surface.h"

#include <errno.h>
#include <stdlib.h>
#include <wayland-server-protocol.h>

#include "appvm-proxy/client.h"
#include "appvm-proxy/direct.h"
#include "appvm-proxy/proxy.h"
#include "appvm-proxy/shm.h"
#include "appvm-proxy/slot.h"
#include "appvm-proxy/subsurface.h"

#define SURFACE_ATTACH_OPCODE 1
#define FIXED_UNSET (-256) // wp_viewport.set_source: all -1.0 unsets it

struct surface *surface_from_object(struct client *client, struct object *object) {
	if (object->data != NULL) {
		return object->data;
	}
	struct surface *surface = calloc(1, sizeof(*surface));
	if (surface == NULL) {
		return NULL;
	}
	surface->client = client;
	surface->geometry.scale = 1;
	wl_list_init(&surface->slots);
	wl_list_init(&surface->removed);
	wl_list_init(&surface->children);
	wl_list_init(&surface->sibling);
	pixman_region32_init(&surface->surface_damage);
	pixman_region32_init(&surface->buffer_damage);
	object->data = surface;
	return surface;
}

static void surface_remove_slots(struct surface *surface) {
	struct slot *slot, *next;
	wl_list_for_each_safe (slot, next, &surface->slots, link) {
		slot_remove(slot);
		wl_list_insert(&surface->removed, &slot->link);
	}
	surface->filling = NULL;
	surface->kept.slot = NULL;
}

static void surface_set_viewport(struct surface *surface, uint32_t viewport_id) {
	if (surface->viewport_id != 0) {
		struct object *old =
				object_table_find(&surface->client->objects, surface->viewport_id);
		if (old != NULL) {
			old->data = NULL;
		}
	}
	surface->viewport_id = viewport_id;
	surface->geometry.has_source = false;
	surface->geometry.has_destination = false;
}

void surface_destroy(struct surface *surface) {
	surface_remove_slots(surface);
	struct slot *slot, *next;
	wl_list_for_each_safe (slot, next, &surface->removed, link) {
		wl_list_remove(&slot->link);
		wl_list_init(&slot->link);
	}
	surface_set_viewport(surface, 0);
	subsurface_finish(surface);
	shm_buffer_unref(surface->buffer);
	pixman_region32_fini(&surface->surface_damage);
	pixman_region32_fini(&surface->buffer_damage);
	free(surface);
}

static enum request_result surface_handle_attach(struct surface *surface, struct request *request) {
	const struct wire_value *args = request->values;
	struct object *object =
			args[0].id != 0 ? object_table_find(&request->client->objects, args[0].id)
					: NULL;
	shm_buffer_unref(surface->buffer);
	surface->buffer = NULL;
	surface->unmapping = object == NULL;
	if (object == NULL || !object->local) {
		return REQUEST_FORWARD;
	}
	surface->buffer = shm_buffer_ref(object->data);
	surface->attach_x = args[1].i;
	surface->attach_y = args[2].i;
	return REQUEST_DONE;
}

static void surface_drop_damage(struct surface *surface) {
	pixman_region32_clear(&surface->surface_damage);
	pixman_region32_clear(&surface->buffer_damage);
}

/* What changed since the last frame is stale in every slot. */
static void surface_spread_damage(struct surface *surface) {
	struct shm_buffer *buffer = surface->buffer;
	surface->geometry.buffer_width = buffer->width;
	surface->geometry.buffer_height = buffer->height;
	pixman_region32_intersect_rect(&surface->buffer_damage, &surface->buffer_damage, 0, 0,
			buffer->width, buffer->height);
	damage_add_surface(&surface->buffer_damage, &surface->surface_damage, &surface->geometry);
	struct slot *slot;
	wl_list_for_each (slot, &surface->slots, link) {
		pixman_region32_union(&slot->stale, &slot->stale, &surface->buffer_damage);
	}
	surface_drop_damage(surface);
}

static enum request_result surface_refuse_memory(struct client *client) {
	if (errno == EAGAIN) {
		client_set_stall(client, CLIENT_STALL_MEMORY);
		return REQUEST_STALL;
	}
	client_error(client, 1, WL_DISPLAY_ERROR_NO_MEMORY, "%s",
			errno == ENOSPC ? "this VM's shared memory for windows is used up"
					: "no memory");
	return REQUEST_ENDED;
}

static int surface_count_returning(const struct surface *surface, const struct wl_list *slots) {
	int n = 0;
	const struct slot *slot;
	wl_list_for_each (slot, slots, link) {
		n += slot->returning || subsurface_returns(surface, slot);
	}
	return n;
}

/* More than what comes back by itself is left to the VM's limit of shared memory. */
static bool surface_should_wait(const struct surface *surface) {
	return surface_count_returning(surface, &surface->slots) >= LIMIT_SLOTS_PER_SURFACE ||
	       surface_count_returning(surface, &surface->removed) >= LIMIT_SLOTS_PER_SURFACE;
}

/* REQUEST_FORWARD: surface->filling is the slot for this commit. */
static enum request_result surface_choose_slot(struct surface *surface) {
	struct slot *slot = NULL;
	bool keeps = subsurface_keeps(surface);
	if (!wl_list_empty(&surface->slots)) {
		slot = wl_container_of(surface->slots.next, slot, link);
		if (!slot_matches(slot, surface->buffer)) {
			surface_remove_slots(surface);
		}
	}
	if (keeps && surface->kept.slot != NULL) { // nobody has seen it
		slot = surface->kept.slot;
	} else {
		slot = slot_choose(&surface->slots, surface->buffer);
	}
	if (slot == NULL) {
		if (surface_should_wait(surface)) {
			client_set_stall(surface->client, CLIENT_STALL_SLOT);
			return REQUEST_STALL;
		}
		slot = slot_create(surface->client, surface->buffer);
		if (slot == NULL) {
			return surface_refuse_memory(surface->client);
		}
		wl_list_insert(&surface->slots, &slot->link);
	}
	surface->filling = slot;
	return REQUEST_FORWARD;
}

static void surface_send_attach(struct surface *surface, uint32_t surface_id, uint32_t buffer_id) {
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t size = wire_build(message, surface_id, SURFACE_ATTACH_OPCODE,
			&wire_surface_interface->requests[SURFACE_ATTACH_OPCODE], buffer_id,
			surface->attach_x, surface->attach_y);
	client_forward(surface->client, message, size);
}

/* The application may draw into its buffer again: what was in it is in the slot. */
static bool surface_release_buffer(struct surface *surface) {
	struct shm_buffer *buffer = surface->buffer;
	surface->buffer = NULL;
	bool released = buffer->id == 0 || shm_buffer_release(buffer, surface->client);
	shm_buffer_unref(buffer);
	return released;
}

/* Nothing is copied, and the application gets its buffer back when the compositor read it. */
static void surface_show_direct(
		struct surface *surface, uint32_t surface_id, struct slot *slot) {
	surface_remove_slots(surface);
	surface_drop_damage(surface);
	slot->state = SLOT_BUSY;
	surface_send_attach(surface, surface_id, slot->id);
	subsurface_note_commit(surface, NULL);
	shm_buffer_unref(surface->buffer);
	surface->buffer = NULL;
}

/* A buffer that was destroyed before the commit: as compositors do, none is attached. */
static void surface_drop_dead_buffer(struct surface *surface, uint32_t surface_id) {
	shm_buffer_unref(surface->buffer);
	surface->buffer = NULL;
	surface->unmapping = true;
	surface_send_attach(surface, surface_id, 0);
}

static enum request_result surface_handle_commit(struct surface *surface, struct request *request) {
	if (surface->buffer != NULL && surface->buffer->id == 0) {
		surface_drop_dead_buffer(surface, request->header.object);
	}
	if (surface->buffer == NULL) {
		surface_drop_damage(surface);
		if (surface->unmapping) {
			surface->unmapping = false;
			surface_remove_slots(surface);
		}
		subsurface_note_commit(surface, NULL);
		return REQUEST_FORWARD;
	}
	if (surface->filling == NULL) {
		struct slot *direct = direct_take(surface->client, surface->buffer);
		if (direct != NULL) {
			surface_show_direct(surface, request->header.object, direct);
			return REQUEST_FORWARD;
		}
		enum request_result result = surface_choose_slot(surface);
		if (result != REQUEST_FORWARD) {
			return result;
		}
		surface_spread_damage(surface);
	}
	struct slot *slot = surface->filling;
	switch (slot_fill(slot, surface->buffer)) {
	case SLOT_FILL_DONE:
		break;
	case SLOT_FILL_STALLED:
		return REQUEST_STALL;
	case SLOT_FILL_FAILED:
		client_error(surface->client, surface->buffer->id != 0 ? surface->buffer->id : 1,
				WL_SHM_ERROR_INVALID_FD,
				"the buffer's pool is smaller than it should be");
		return REQUEST_ENDED;
	}
	surface->filling = NULL;
	slot->state = SLOT_BUSY;
	surface_send_attach(surface, request->header.object, slot->id);
	subsurface_note_commit(surface, slot);
	return surface_release_buffer(surface) ? REQUEST_FORWARD : REQUEST_ENDED;
}

static enum request_result surface_handle_get_viewport(struct request *request) {
	uint32_t viewport_id = request->values[0].id;
	struct object *object = object_table_find(&request->client->objects, request->values[1].id);
	struct surface *surface = surface_from_object(request->client, object);
	if (surface == NULL) {
		client_error(request->client, 1, WL_DISPLAY_ERROR_NO_MEMORY, "no memory");
		return REQUEST_ENDED;
	}
	enum request_result result = request_forward(request);
	if (result == REQUEST_DONE) {
		surface_set_viewport(surface, viewport_id);
		object_table_find(&request->client->objects, viewport_id)->data = surface;
	}
	return result;
}

static void surface_set_source(struct surface *surface, const struct wire_value *args) {
	struct damage_geometry *geometry = &surface->geometry;
	geometry->source_x = args[0].fixed;
	geometry->source_y = args[1].fixed;
	geometry->source_width = args[2].fixed;
	geometry->source_height = args[3].fixed;
	geometry->has_source = args[2].fixed != FIXED_UNSET || args[3].fixed != FIXED_UNSET;
}

static void surface_set_destination(struct surface *surface, const struct wire_value *args) {
	surface->geometry.destination_width = args[0].i;
	surface->geometry.destination_height = args[1].i;
	surface->geometry.has_destination = args[0].i != -1 || args[1].i != -1;
}

static enum request_result surface_handle_viewport(struct request *request) {
	struct surface *surface = request->object->data;
	if (surface == NULL) {
		return REQUEST_FORWARD; // the surface is gone; the compositor has words for that
	}
	switch (request->message->special) {
	case WIRE_SPECIAL_VIEWPORT_SET_SOURCE:
		surface_set_source(surface, request->values);
		break;
	case WIRE_SPECIAL_VIEWPORT_SET_DESTINATION:
		surface_set_destination(surface, request->values);
		break;
	case WIRE_SPECIAL_VIEWPORT_DESTROY:
		surface_set_viewport(surface, 0);
		break;
	}
	return REQUEST_FORWARD;
}

/* The slots outlive the request: the compositor must not lose them before it loses the surface. */
static enum request_result surface_handle_destroy(
		struct surface *surface, struct request *request) {
	uint32_t id = request->header.object;
	enum request_result result = request_forward(request);
	if (result == REQUEST_DONE) {
		surface_destroy(surface);
		object_table_find(&request->client->objects, id)->data = NULL;
	}
	return result;
}

enum request_result surface_handle_request(struct request *request) {
	switch (request->message->special) {
	case WIRE_SPECIAL_GET_SUBSURFACE:
	case WIRE_SPECIAL_SUBSURFACE_SET_SYNC:
	case WIRE_SPECIAL_SUBSURFACE_SET_DESYNC:
	case WIRE_SPECIAL_SUBSURFACE_DESTROY:
		return subsurface_handle_request(request);
	case WIRE_SPECIAL_GET_VIEWPORT:
		return surface_handle_get_viewport(request);
	case WIRE_SPECIAL_VIEWPORT_SET_SOURCE:
	case WIRE_SPECIAL_VIEWPORT_SET_DESTINATION:
	case WIRE_SPECIAL_VIEWPORT_DESTROY:
		return surface_handle_viewport(request);
	}
	struct surface *surface = surface_from_object(request->client, request->object);
	if (surface == NULL) {
		client_error(request->client, 1, WL_DISPLAY_ERROR_NO_MEMORY, "no memory");
		return REQUEST_ENDED;
	}
	const struct wire_value *args = request->values;
	switch (request->message->special) {
	case WIRE_SPECIAL_SURFACE_ATTACH:
		return surface_handle_attach(surface, request);
	case WIRE_SPECIAL_SURFACE_COMMIT:
		return surface_handle_commit(surface, request);
	case WIRE_SPECIAL_SURFACE_DESTROY:
		return surface_handle_destroy(surface, request);
	case WIRE_SPECIAL_SURFACE_DAMAGE:
		damage_add(&surface->surface_damage, args[0].i, args[1].i, args[2].i, args[3].i);
		break;
	case WIRE_SPECIAL_SURFACE_DAMAGE_BUFFER:
		damage_add(&surface->buffer_damage, args[0].i, args[1].i, args[2].i, args[3].i);
		break;
	case WIRE_SPECIAL_SURFACE_SET_SCALE:
		surface->geometry.scale = args[0].i;
		break;
	case WIRE_SPECIAL_SURFACE_SET_TRANSFORM:
		surface->geometry.transform = args[0].u;
		break;
	}
	return REQUEST_FORWARD;
}
