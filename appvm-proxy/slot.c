/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/slot.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "appvm-proxy/arena.h"
#include "appvm-proxy/client.h"
#include "appvm-proxy/proxy.h"
#include "appvm-proxy/shm.h"
#include "bridge/link.h"
#include "common/checked.h"
#include "common/log.h"
#include "protocol/link.h"
#include "transport/pages.h"

#define PIXELS_MAX_BYTES \
	(LIMIT_LINK_FRAME_BYTES - sizeof(struct link_header) - sizeof(struct link_pixels))

static uint64_t slot_bytes(const struct slot *slot) {
	return (uint64_t)slot->stride * slot->height;
}

/* Within the quota, but the system has no more memory to share (Xen's grants are few): it goes
 * through the link. */
static bool slot_may_go_inline(const struct slot *slot) {
	const struct proxy *proxy = slot->client->proxy;
	uint64_t used = pages_bytes_used(proxy->pages) + proxy->inline_bytes;
	return used <= proxy->pages_bytes && slot_bytes(slot) <= proxy->pages_bytes - used;
}

static bool slot_take_memory(struct slot *slot) {
	struct proxy *proxy = slot->client->proxy;
	if (proxy->pixels == PIXELS_ARENA) {
		slot->place = arena_place_create(proxy->arenas, slot_bytes(slot));
		if (slot->place != NULL || errno != ENOSPC) {
			return slot->place != NULL;
		}
		if (proxy->n_slots_returning > 0) {
			errno = EAGAIN;
			return false;
		}
		if (!slot_may_go_inline(slot)) {
			errno = ENOSPC;
			return false;
		}
		log_debug("no memory to share: a frame of %u by %u is sent", slot->width,
				slot->height);
	}
	if (slot_bytes(slot) > proxy->pages_bytes - proxy->inline_bytes) {
		errno = proxy->n_slots_returning > 0 ? EAGAIN : ENOSPC;
		return false;
	}
	proxy->inline_bytes += slot_bytes(slot);
	return true;
}

static void slot_give_memory(struct slot *slot) {
	if (slot->place != NULL) {
		arena_place_destroy(slot->place);
	} else {
		slot->client->proxy->inline_bytes -= slot_bytes(slot);
	}
}

static void slot_announce(struct slot *slot) {
	struct link_buffer body = {
			.arena = slot->place != NULL ? arena_place_arena(slot->place) : 0,
			.format = slot->format,
			.offset = slot->place != NULL ? arena_place_offset(slot->place) + slot->skip
						      : 0,
			.width = slot->width,
			.height = slot->height,
			.stride = slot->stride,
	};
	link_send(slot->client->proxy->link, LINK_BUFFER_NEW, slot->client->id, slot->id, &body,
			sizeof(body));
}

static bool slot_take_id(struct slot *slot) {
	struct client *client = slot->client;
	slot->id = id_pool_take(&client->buffer_ids);
	struct object *object;
	if (slot->id == 0) {
		errno = ENOMEM;
		return false;
	}
	if (object_table_insert(&client->objects, OBJECT_FROM_LINK, slot->id, wire_buffer_interface,
			    1, &object) != OBJECT_OK) {
		id_pool_give(&client->buffer_ids, slot->id);
		errno = ENOMEM;
		return false;
	}
	object->data = slot;
	return true;
}

/* Whole words, as pixman wants it, and whole pixels, as wlroots does. */
static uint32_t slot_stride(const struct shm_buffer *like) {
	uint32_t unit = like->bytes_per_pixel % 3 == 0 ? 12 : 4;
	uint32_t row_bytes = like->width * like->bytes_per_pixel;
	return (row_bytes + unit - 1) / unit * unit;
}

static struct slot *slot_alloc(struct client *client, const struct shm_buffer *like) {
	struct slot *slot = calloc(1, sizeof(*slot));
	if (slot == NULL) {
		return NULL;
	}
	*slot = (struct slot){
			.client = client,
			.width = like->width,
			.height = like->height,
			.stride = slot_stride(like),
			.bytes_per_pixel = like->bytes_per_pixel,
			.format = like->format,
	};
	wl_list_init(&slot->link);
	return slot;
}

struct slot *slot_create(struct client *client, const struct shm_buffer *like) {
	struct slot *slot = slot_alloc(client, like);
	if (slot == NULL) {
		return NULL;
	}
	if (!slot_take_memory(slot)) {
		goto error_slot;
	}
	if (!slot_take_id(slot)) {
		goto error_memory;
	}
	pixman_region32_init_rect(&slot->stale, 0, 0, slot->width, slot->height);
	slot_announce(slot);
	return slot;

error_memory:
	slot_give_memory(slot);
error_slot:
	free(slot);
	return NULL;
}

struct slot *slot_create_direct(struct client *client, struct shm_buffer *source,
		struct arena_place *place, uint32_t skip) {
	struct slot *slot = slot_alloc(client, source);
	if (slot == NULL || !slot_take_id(slot)) {
		arena_place_destroy(place);
		free(slot);
		return NULL;
	}
	slot->stride = source->stride;
	slot->place = place;
	slot->skip = skip;
	slot->direct = true;
	slot->source = source;
	pixman_region32_init(&slot->stale);
	slot_announce(slot);
	return slot;
}

void slot_remove(struct slot *slot) {
	assert(slot->state != SLOT_REMOVED);
	wl_list_remove(&slot->link);
	wl_list_init(&slot->link);
	slot->returning = slot->state == SLOT_FREE;
	slot->client->proxy->n_slots_returning += slot->returning;
	slot->state = SLOT_REMOVED;
	if (slot->client->state == CLIENT_OPEN) {
		link_send(slot->client->proxy->link, LINK_BUFFER_REMOVE, slot->client->id, slot->id,
				NULL, 0);
	}
}

void slot_destroy(struct slot *slot) {
	if (slot->source != NULL) {
		slot->source->direct = NULL;
	}
	wl_list_remove(&slot->link);
	slot->client->proxy->n_slots_returning -= slot->returning;
	slot_give_memory(slot);
	id_pool_give(&slot->client->buffer_ids, slot->id);
	pixman_region32_fini(&slot->stale);
	free(slot);
}

bool slot_matches(const struct slot *slot, const struct shm_buffer *buffer) {
	return slot->width == buffer->width && slot->height == buffer->height &&
	       slot->format == buffer->format;
}

uint64_t slot_stale_pixels(const struct slot *slot) {
	int n_rects;
	const pixman_box32_t *rects = pixman_region32_rectangles(&slot->stale, &n_rects);
	uint64_t pixels = 0;
	for (int i = 0; i < n_rects; i++) {
		pixels += (uint64_t)(rects[i].x2 - rects[i].x1) *
			  (uint64_t)(rects[i].y2 - rects[i].y1);
	}
	return pixels;
}

struct slot *slot_choose(struct wl_list *list, const struct shm_buffer *buffer) {
	struct slot *slot, *best = NULL;
	uint64_t best_pixels = 0;
	wl_list_for_each (slot, list, link) {
		if (slot->state != SLOT_FREE || !slot_matches(slot, buffer)) {
			continue;
		}
		uint64_t pixels = slot_stale_pixels(slot);
		if (best == NULL || pixels < best_pixels) {
			best = slot;
			best_pixels = pixels;
		}
	}
	return best;
}

static enum slot_fill_result slot_fill_place(struct slot *slot, struct shm_buffer *buffer) {
	uint8_t *data = arena_place_data(slot->place);
	int n_rects;
	const pixman_box32_t *rects = pixman_region32_rectangles(&slot->stale, &n_rects);
	for (int i = 0; i < n_rects; i++) {
		struct shm_rect rect = {
				.x = (uint32_t)rects[i].x1,
				.y = (uint32_t)rects[i].y1,
				.width = (uint32_t)(rects[i].x2 - rects[i].x1),
				.height = (uint32_t)(rects[i].y2 - rects[i].y1),
		};
		uint8_t *dst = data + (size_t)rect.y * slot->stride +
			       (size_t)rect.x * slot->bytes_per_pixel;
		if (!shm_buffer_read(buffer, &rect, dst, slot->stride)) {
			return SLOT_FILL_FAILED;
		}
	}
	pixman_region32_clear(&slot->stale);
	return SLOT_FILL_DONE;
}

/* As much of the stale region's first rectangle as one frame takes. */
static struct shm_rect slot_next_piece(const struct slot *slot) {
	const pixman_box32_t *box = pixman_region32_rectangles(&slot->stale, NULL);
	struct shm_rect rect = {
			.x = (uint32_t)box->x1,
			.y = (uint32_t)box->y1,
			.width = (uint32_t)(box->x2 - box->x1),
			.height = (uint32_t)(box->y2 - box->y1),
	};
	uint32_t max_width = (uint32_t)(PIXELS_MAX_BYTES / slot->bytes_per_pixel);
	rect.width = rect.width < max_width ? rect.width : max_width;
	uint32_t max_height = (uint32_t)(PIXELS_MAX_BYTES / (rect.width * slot->bytes_per_pixel));
	rect.height = rect.height < max_height ? rect.height : max_height;
	return rect;
}

static void slot_drop_piece(struct slot *slot, const struct shm_rect *rect) {
	int n_rects;
	pixman_box32_t box = pixman_region32_rectangles(&slot->stale, &n_rects)[0];
	if (n_rects == 1 && rect->width == (uint32_t)(box.x2 - box.x1)) {
		// The usual case, without what a subtraction would allocate.
		box.y1 += (int)rect->height;
		if (box.y1 < box.y2) {
			pixman_region32_reset(&slot->stale, &box);
		} else {
			pixman_region32_clear(&slot->stale);
		}
		return;
	}
	pixman_region32_t sent;
	pixman_region32_init_rect(
			&sent, (int)rect->x, (int)rect->y, rect->width, rect->height);
	pixman_region32_subtract(&slot->stale, &slot->stale, &sent);
	pixman_region32_fini(&sent);
}

static enum slot_fill_result slot_send_piece(struct slot *slot, struct shm_buffer *buffer) {
	struct client *client = slot->client;
	struct shm_rect rect = slot_next_piece(slot);
	size_t row_bytes = (size_t)rect.width * slot->bytes_per_pixel;
	size_t bytes = row_bytes * rect.height;
	size_t padded = align_up(bytes, 4);
	uint8_t *body = link_send_inplace(client->proxy->link, LINK_PIXELS, client->id, slot->id,
			sizeof(struct link_pixels) + padded);
	if (body == NULL) {
		return SLOT_FILL_STALLED; // the link is over: so will be the client
	}
	struct link_pixels head = {
			.x = rect.x, .y = rect.y, .width = rect.width, .height = rect.height};
	memcpy(body, &head, sizeof(head));
	body += sizeof(head);
	memset(body + bytes, 0, padded - bytes);
	if (!shm_buffer_read(buffer, &rect, body, row_bytes)) {
		memset(body, 0, bytes); // the frame is part of the queue already
		return SLOT_FILL_FAILED;
	}
	slot_drop_piece(slot, &rect);
	return SLOT_FILL_DONE;
}

enum slot_fill_result slot_fill(struct slot *slot, struct shm_buffer *buffer) {
	if (slot->place != NULL) {
		return slot_fill_place(slot, buffer);
	}
	struct link *link = slot->client->proxy->link;
	while (pixman_region32_not_empty(&slot->stale)) {
		if (!link_has_room(link)) {
			client_set_stall(slot->client, CLIENT_STALL_LINK);
			return SLOT_FILL_STALLED;
		}
		enum slot_fill_result result = slot_send_piece(slot, buffer);
		if (result != SLOT_FILL_DONE) {
			return result;
		}
	}
	return SLOT_FILL_DONE;
}
