/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_RELAY_BUFFERS_H
#define ISTHMUS_GUIVM_SERVER_RELAY_BUFFERS_H

#include <stdbool.h>
#include <stdint.h>

#include "guivm-server/relay/arenas.h"
#include "protocol/link.h"
#include "protocol/wire.h"

struct buffer_list;
struct client;
struct relay;

/*
 * Link buffers of one application: wl_buffers of the compositor over a place of an arena, or over
 * memory of the relay that LINK_PIXELS fills.
 *
 * After LINK_BUFFER_REMOVE the compositor may still read the place, so its wl_buffer is destroyed
 * only when no surface waits with it and the compositor released it; its delete_id then tells the
 * peer that the place is free.
 */
void buffer_list_destroy(struct buffer_list *list, struct relay *relay);

/* LINK_BUFFER_NEW, LINK_BUFFER_REMOVE, LINK_PIXELS. */
void buffer_list_handle_frame(struct client *client, const struct link_frame *frame);

/* Before a request that was parsed is passed on: notes which surface uses which buffer. false: the
 * application was ended. */
bool buffer_list_check_request(struct client *client, uint32_t sender,
		const struct wire_message *message, const struct wire_value *values);

/* The compositor released it. Whether the application's side should hear of it. */
bool buffer_list_handle_release(struct client *client, uint32_t link_id);

/* delete_id came for it: the place is free. The object is still in the table. */
void buffer_list_forget(struct client *client, uint32_t link_id);

/* The arena goes. Nothing of it is in use. */
void buffer_list_drop_pool(struct client *client, uint32_t arena_id);

#endif
