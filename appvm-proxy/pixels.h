/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_PIXELS_H
#define ISTHMUS_APPVM_PROXY_PIXELS_H

#include <stdbool.h>
#include <stdint.h>

#include "appvm-proxy/request.h"

struct client;
struct object;

/*
 * What is special about wl_shm, wl_buffer and wl_surface. With PIXELS_HANDOVER pools and buffers
 * are the compositor's and only the pool's descriptor needs care; with the other modes pools and
 * buffers exist here alone (object.local) and the compositor sees slots. object.data is, by
 * interface and mode:
 *   wl_shm_pool  struct pages_region (handover) or struct shm_pool
 *   wl_buffer    struct shm_buffer, or struct slot in the link's range of ids
 *   wl_surface   struct surface
 *   wp_viewport, wl_subsurface  struct surface, borrowed
 *   any other    struct held_slots: of requests that name a local buffer
 */

/* REQUEST_FORWARD when there is nothing special; it may have changed request->bytes then.
 * Descriptors of the request that are its business it takes itself. */
enum request_result pixels_handle_request(struct request *request);

/* An event for an object. False: it is not the application's to see. */
bool pixels_handle_event(struct client *client, struct object *object,
		const struct wire_message *message, const struct wire_value *values);

/* A slot's wl_buffer: not the application's to hear of. */
bool pixels_object_is_slot(const struct object *object);

/* Whether delete_id may come for the object: not for a slot that is in use. */
bool pixels_may_delete(const struct object *object);

/* Frees object->data, which is not NULL. */
void pixels_object_finish(struct client *client, struct object *object);

#endif
