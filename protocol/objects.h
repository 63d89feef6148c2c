/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_PROTOCOL_OBJECTS_H
#define ISTHMUS_PROTOCOL_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/interface.h"

/*
 * The objects of one Wayland connection, by id. Client-made ids are dense from 1, compositor-made
 * ones start at WIRE_SERVER_ID_START, link-made ones at LINK_BUFFER_ID_START. An entry lives until
 * delete_id (client-made, link-made) or until the id is used again (compositor-made), since events
 * to destroyed objects are legal.
 */
struct object {
	const struct wire_interface *interface; // NULL: the place is free
	uint32_t version;
	uint32_t mapped_id; // the relay: this object's id on its other side; 0 none
	uint32_t piled_up; // the relay: requests that the compositor remembers, see LIMIT_PILED_UP
	uint32_t piled_bytes; // the relay: of these
	uint8_t held_fds; // the relay: descriptors that the compositor holds because of it
	bool destroyed; // its destructor was sent; the id is not free yet
	bool frame; // a wl_callback of wl_surface.frame that is not done
	bool local; // the proxy: the other side of the link does not know it
	void *data; // hook state, owned by whoever set it
};

/* Ids from start on; index = id - start. */
struct object_range {
	struct object *objects; // owned, grown on demand
	uint32_t start;
	uint32_t used; // places up to the highest id ever inserted
	uint32_t capacity; // allocated places
	uint32_t live; // places that are not free
	uint32_t limit; // of used, and so of live: a peer that never reuses ids reaches it too
};

struct object_table {
	struct object_range client, server, link;
	// Client-made ids may leave gaps: the guivm end's table, since the appvm end answers for
	// some objects (pools, buffers) itself. false at first.
	bool sparse;
};

/* Has wl_display, version 1, at id 1. false: out of memory, nothing to finish. */
bool object_table_init(struct object_table *table);

/* visit (may be NULL) is called for every live object, so that its data can be freed. */
void object_table_finish(struct object_table *table,
		void (*visit)(struct object *object, uint32_t id, void *data), void *data);

/* The live object (destroyed ones included) or NULL. Any id is legal input. The pointer is valid
 * until the next insert. */
struct object *object_table_find(struct object_table *table, uint32_t untrusted_id);

enum object_error {
	OBJECT_OK = 0,
	OBJECT_ID_IN_USE,
	OBJECT_ID_RANGE, // 0, a gap beyond the next free id, or the wrong range for who makes it
	OBJECT_LIMIT,
	OBJECT_NO_MEMORY,
};

enum object_maker {
	OBJECT_FROM_CLIENT,
	OBJECT_FROM_COMPOSITOR, // replaces what lived at the id: it is the compositor's to reuse
	OBJECT_FROM_LINK,
};

/* Inserts an entry, zeroed but for interface and version, and returns it through *object.
 * libwayland's rule holds in every range, but for sparse: an id may be at most one past the highest
 * ever used. For OBJECT_FROM_COMPOSITOR with an object already there, the caller must have freed
 * its data. */
enum object_error object_table_insert(struct object_table *table, enum object_maker maker,
		uint32_t untrusted_id, const struct wire_interface *interface, uint32_t version,
		struct object **object);

/* Frees the place. id must be live. */
void object_table_remove(struct object_table *table, uint32_t id);

/* Dense ids for the side that makes its own: last given back first, else the lowest never used. */
struct id_pool {
	uint32_t *free_ids; // owned stack
	uint32_t n_free, capacity;
	uint32_t first, next; // [first, next) were handed out at least once
	uint32_t end;
};

/* first > 0. Ids are in [first, end). */
void id_pool_init(struct id_pool *pool, uint32_t first, uint32_t end);
void id_pool_finish(struct id_pool *pool);

/* 0: none left, or out of memory. */
uint32_t id_pool_take(struct id_pool *pool);

/* id was taken and not given back since. Can not fail. */
void id_pool_give(struct id_pool *pool, uint32_t id);

#endif
