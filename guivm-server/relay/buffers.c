/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/buffers.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "bridge/link.h"
#include "common/checked.h"
#include "common/fd.h"
#include "common/share.h"
#include "common/shm_format.h"
#include "guivm-server/relay/client.h"
#include "guivm-server/relay/relay.h"

// A compositor owes a release for what it showed, also when the surface went first. Should one not
// send it, the place comes back after this time.
#define ORPHAN_MS 5000

enum {
	DISPLAY_GET_REGISTRY = 1,
	REGISTRY_BIND = 0,
	SHM_CREATE_POOL = 0,
	// isthmus_arena_v1 has the two requests of a wl_shm_pool, with the same arguments.
	POOL_CREATE_BUFFER = 0,
	DISPLAY_SYNC = 0,
	POOL_DESTROY = 1,
	BUFFER_DESTROY = 0,
	ARENA_MANAGER_CREATE_ARENA = 1,
	ARENA_ADD_DMABUF = 2,
};

struct held_buffer {
	struct wl_list link; // buffer_list.buffers
	uint32_t id; // on the link
	uint32_t relay_id;
	uint64_t serial; // unlike ids never used again
	uint32_t arena; // 0: inline
	uint32_t width, height, stride, bytes_per_pixel;
	uint8_t *pixels; // inline: mapped, size stride * height
	uint32_t n_pending; // surfaces that have it attached and not committed
	bool busy; // committed, and not released
	bool removed; // by the peer
	bool destroyed; // at the compositor
	bool surface_gone; // the surface that showed it last
	bool orphaned; // removed, busy, and the surface that showed it is gone
};

struct surface_state {
	struct held_buffer *pending; // counted in its n_pending; NULL: none, or no link buffer
	bool has_pending;
	uint64_t shown; // serial of what was committed last; 0 none
};

struct buffer_list {
	struct client *client;
	struct wl_list buffers; // struct held_buffer.link
	uint64_t last_serial;
	uint32_t shm; // relay id
	uint32_t arena_manager; // relay id; 0: pools stand for arenas
	// Relay ids by arena id - 1, of isthmus_arena_v1 or wl_shm_pool; 0 none.
	uint32_t arenas[LIMIT_ARENAS_PER_LINK];
	struct wl_event_source *orphan_timer;
};

static uint64_t inline_size(const struct held_buffer *buffer) {
	return (uint64_t)buffer->stride * buffer->height;
}

/* Frees it and what it holds. The wl_buffer object is somebody else's business. */
static void held_buffer_free(struct held_buffer *buffer, struct arena_list *arenas) {
	if (buffer->arena != 0) {
		arenas->arenas[buffer->arena - 1].n_buffers--;
	} else {
		munmap(buffer->pixels, inline_size(buffer));
		arenas->inline_bytes -= inline_size(buffer);
	}
	wl_list_remove(&buffer->link);
	free(buffer);
}

void buffer_list_destroy(struct buffer_list *list, struct relay *relay) {
	if (list == NULL) {
		return;
	}
	struct held_buffer *buffer, *next;
	wl_list_for_each_safe (buffer, next, &list->buffers, link) {
		held_buffer_free(buffer, relay->arenas);
	}
	for (uint32_t i = 0; list->arena_manager == 0 && i < LIMIT_ARENAS_PER_LINK; i++) {
		if (list->arenas[i] != 0) {
			pages_mapping_forget(relay->pages, &relay->arenas->arenas[i].mapping);
		}
	}
	if (list->orphan_timer != NULL) {
		wl_event_source_remove(list->orphan_timer);
	}
	free(list);
}

/* libwayland-server sends delete_id with the next event that is urgent, which may never come: a
 * callback is. An application that waits for the place would wait for ever. */
static void hurry_delete_id(struct client *client) {
	uint32_t callback = id_map_take(&client->ids, ID_MAP_OWN_CALLBACK);
	if (callback == 0) {
		return;
	}
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t size = wire_build(message, ID_MAP_DISPLAY, DISPLAY_SYNC,
			&wire_display_interface->requests[DISPLAY_SYNC], callback);
	client_queue(client, message, size, NULL, 0);
}

static void destroy_at_compositor(struct client *client, struct held_buffer *buffer) {
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t size = wire_build(message, buffer->relay_id, BUFFER_DESTROY,
			&wire_buffer_interface->requests[BUFFER_DESTROY]);
	buffer->destroyed = true;
	if (client_queue(client, message, size, NULL, 0)) {
		hurry_delete_id(client);
	}
}

/* May end the application, when its queue is full. */
static void destroy_if_unused(struct client *client, struct held_buffer *buffer) {
	if (buffer->removed && !buffer->destroyed && !buffer->busy && buffer->n_pending == 0) {
		destroy_at_compositor(client, buffer);
	}
}

static int handle_orphan_timer(void *data) {
	struct buffer_list *list = data;
	if (list->client->conn == NULL) {
		return 0; // it was ended, and the compositor has yet to hang up
	}
	struct held_buffer *buffer, *next;
	wl_list_for_each_safe (buffer, next, &list->buffers, link) {
		if (!buffer->orphaned) {
			continue;
		}
		buffer->orphaned = false;
		buffer->busy = false;
		struct client *client = list->client;
		destroy_if_unused(client, buffer);
		if (client->conn == NULL) {
			break; // it was ended, and the list is gone
		}
	}
	return 0;
}

static void orphan(struct buffer_list *list, struct held_buffer *buffer) {
	buffer->orphaned = true;
	if (list->orphan_timer != NULL) {
		wl_event_source_timer_update(list->orphan_timer, ORPHAN_MS);
	}
}

/* A relay id for an object of the relay's own; 0: the application was ended. */
static uint32_t take_id(struct client *client, uint32_t own_id) {
	uint32_t id = id_map_take(&client->ids, own_id);
	if (id == 0) {
		client_error(client, ID_MAP_DISPLAY, CLIENT_NO_MEMORY, "out of memory");
	}
	return id;
}

/* 0: the application was ended. */
static uint32_t bind_global(struct client *client, uint32_t registry, uint32_t name,
		const struct wire_interface *interface, uint32_t own_id) {
	uint32_t id = take_id(client, own_id);
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	if (id == 0) {
		return 0;
	}
	size_t size = wire_build(message, registry, REGISTRY_BIND,
			&wire_registry_interface->requests[REGISTRY_BIND], name, interface->name, 1,
			id);
	return client_queue(client, message, size, NULL, 0) ? id : 0;
}

/* The relay's own wl_shm on this connection: the application's may be gone, or a proxy's invention.
 * And isthmus_arena_manager_v1 where it is offered. */
static bool bind_globals(struct client *client, struct buffer_list *list) {
	const struct global *global = global_list_find(&client->globals, wire_shm_interface);
	if (global == NULL) {
		client_error(client, ID_MAP_DISPLAY, CLIENT_INVALID_METHOD,
				"a buffer without wl_shm");
		return false;
	}
	uint32_t registry = take_id(client, ID_MAP_OWN_REGISTRY);
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	if (registry == 0) {
		return false;
	}
	size_t size = wire_build(message, ID_MAP_DISPLAY, DISPLAY_GET_REGISTRY,
			&wire_display_interface->requests[DISPLAY_GET_REGISTRY], registry);
	if (!client_queue(client, message, size, NULL, 0)) {
		return false;
	}
	list->shm = bind_global(
			client, registry, global->name, wire_shm_interface, ID_MAP_OWN_SHM);
	if (list->shm == 0 || client->arena_manager == 0) {
		return list->shm != 0;
	}
	list->arena_manager = bind_global(client, registry, client->arena_manager,
			wire_arena_manager_interface, ID_MAP_OWN_ARENA_MANAGER);
	return list->arena_manager != 0;
}

static struct buffer_list *get_list(struct client *client) {
	if (client->buffers != NULL) {
		return client->buffers;
	}
	struct buffer_list *list = calloc(1, sizeof(*list));
	if (list == NULL) {
		client_error(client, ID_MAP_DISPLAY, CLIENT_NO_MEMORY, "out of memory");
		return NULL;
	}
	if (!bind_globals(client, list)) {
		free(list);
		return NULL;
	}
	list->client = client;
	wl_list_init(&list->buffers);
	list->orphan_timer =
			wl_event_loop_add_timer(client->relay->loop, handle_orphan_timer, list);
	client->buffers = list;
	return list;
}

/* -1: the application was ended. */
static int check_fd(struct client *client, int fd) {
	if (fd < 0) {
		client_error(client, ID_MAP_DISPLAY, CLIENT_NO_MEMORY,
				"no descriptor of its memory: %s", strerror(errno));
	}
	return fd;
}

/* Any compositor maps it for each application, guivm-server once for all. -1: it was ended. */
static int arena_fd(struct client *client, struct arena *arena) {
	return check_fd(client, client->buffers->arena_manager == 0
		? pages_mapping_fd(client->relay->pages, &arena->mapping)
		: fcntl(arena->mapping.fd, F_DUPFD_CLOEXEC, 0));
}

/* A wl_shm_pool over owned_fd, which is taken. 0: the application was ended, as with an owned_fd of
 * -1 it was before. */
static uint32_t create_pool(struct client *client, int owned_fd, uint64_t size_bytes) {
	uint32_t pool = owned_fd >= 0 ? take_id(client, ID_MAP_OWN_POOL) : 0;
	if (pool == 0) {
		fd_close(&owned_fd);
		return 0;
	}
	int32_t size = size_bytes < INT32_MAX ? (int32_t)size_bytes : INT32_MAX;
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t message_size = wire_build(message, client->buffers->shm, SHM_CREATE_POOL,
			&wire_shm_interface->requests[SHM_CREATE_POOL], pool, size);
	return client_queue(client, message, message_size, &owned_fd, 1) ? pool : 0;
}

static bool destroy_pool(struct client *client, uint32_t pool) {
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t size = wire_build(message, pool, POOL_DESTROY,
			&wire_shm_pool_interface->requests[POOL_DESTROY]);
	return client_queue(client, message, size, NULL, 0);
}

/* Takes the buffer's id, which must be the next one in what the compositor reads: not before that
 * of a pool made for it. */
static bool create_wl_buffer(struct client *client, struct held_buffer *buffer, uint32_t pool,
		uint32_t offset, uint32_t format) {
	buffer->relay_id = take_id(client, buffer->id);
	if (buffer->relay_id == 0) {
		return false;
	}
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t size = wire_build(message, pool, POOL_CREATE_BUFFER,
			&wire_shm_pool_interface->requests[POOL_CREATE_BUFFER], buffer->relay_id,
			(int32_t)offset, (int32_t)buffer->width, (int32_t)buffer->height,
			(int32_t)buffer->stride, format);
	return client_queue(client, message, size, NULL, 0);
}

/* On the application's own connection: before its first buffer there. false: it was ended. */
static bool add_dmabuf(struct client *client, const struct arena *arena, uint32_t arena_id) {
	if (arena->dmabuf_fd < 0) {
		return true;
	}
	int owned_fd = check_fd(client, fcntl(arena->dmabuf_fd, F_DUPFD_CLOEXEC, 0));
	if (owned_fd < 0) {
		return false;
	}
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t size = wire_build(message, arena_id, ARENA_ADD_DMABUF,
			&wire_arena_interface->requests[ARENA_ADD_DMABUF]);
	return client_queue(client, message, size, &owned_fd, 1);
}

/* An isthmus_arena_v1, or a wl_shm_pool that covers all up to the arena's end. 0: the application
 * was ended. */
static uint32_t create_arena(struct client *client, struct arena *arena) {
	uint64_t offset = (uint64_t)arena->mapping.offset;
	if (client->buffers->arena_manager == 0) {
		if (arena_fits_pool(arena)) {
			return create_pool(client, arena_fd(client, arena), offset + arena->size);
		}
		client_error(client, ID_MAP_DISPLAY, CLIENT_NO_MEMORY,
				"memory that the compositor cannot map");
		return 0;
	}
	int owned_fd = arena_fd(client, arena);
	uint32_t id = owned_fd >= 0 ? take_id(client, ID_MAP_OWN_ARENA) : 0;
	if (id == 0) {
		fd_close(&owned_fd);
		return 0;
	}
	uint8_t message[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t size = wire_build(message, client->buffers->arena_manager,
			ARENA_MANAGER_CREATE_ARENA,
			&wire_arena_manager_interface->requests[ARENA_MANAGER_CREATE_ARENA], id,
			(uint32_t)(offset >> 32), (uint32_t)offset, (uint32_t)arena->size);
	return client_queue(client, message, size, &owned_fd, 1) &&
		add_dmabuf(client, arena, id) ? id : 0;
}

static uint32_t get_arena(struct client *client, uint32_t arena_id) {
	uint32_t *arena = &client->buffers->arenas[arena_id - 1];
	if (*arena != 0) {
		return *arena;
	}
	// Every application has one for every arena, each an object in the compositor.
	if (!share_fits(LIMIT_BUFFERS_PER_LINK, client->relay->n_shared, client->n_shared, 1)) {
		client_error(client, ID_MAP_DISPLAY, CLIENT_NO_MEMORY, "too many pools");
		return 0;
	}
	uint32_t id = create_arena(client, arena_list_find(client->relay->arenas, arena_id));
	if (id != 0) {
		*arena = id;
		client->n_shared++;
		client->relay->n_shared++;
	}
	return id;
}

static bool create_in_arena(struct client *client, struct held_buffer *buffer, uint32_t offset,
		uint32_t format) {
	uint32_t id = get_arena(client, buffer->arena);
	if (id == 0) {
		return false;
	}
	if (client->buffers->arena_manager == 0) {
		// Both fit: arena_fits_pool().
		const struct arena *arena = arena_list_find(client->relay->arenas, buffer->arena);
		offset += (uint32_t)arena->mapping.offset;
	}
	return create_wl_buffer(client, buffer, id, offset, format);
}

/* fd: the memory, the caller's. The pool is for this buffer alone. */
static bool create_inline(
		struct client *client, struct held_buffer *buffer, int fd, uint32_t format) {
	int owned_fd = check_fd(client, fcntl(fd, F_DUPFD_CLOEXEC, 0));
	uint32_t pool = create_pool(client, owned_fd, inline_size(buffer));
	return pool != 0 && create_wl_buffer(client, buffer, pool, 0, format) &&
	       destroy_pool(client, pool);
}

/* Memory of a buffer without arena: a descriptor for the compositor, the caller's, and a mapping.
 * -1 with errno. */
static int make_inline_memory(struct arena_list *arenas, struct held_buffer *buffer) {
	uint64_t size = inline_size(buffer);
	if (size > arenas->max_inline_bytes - arenas->inline_bytes) {
		errno = ENOSPC;
		return -1;
	}
	int fd = fd_memory("isthmus-buffer", size);
	if (fd < 0) {
		return -1;
	}
	void *pixels = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pixels == MAP_FAILED ||
			fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		if (pixels != MAP_FAILED) {
			munmap(pixels, size);
		}
		fd_close(&fd);
		return -1;
	}
	buffer->pixels = pixels;
	arenas->inline_bytes += size;
	return fd;
}

/* Whether a buffer of this shape lies inside its arena, and where wl_shm can reach it. */
static bool check_place(struct arena_list *arenas, const struct link_buffer *untrusted_buffer) {
	uint32_t bytes_per_pixel = shm_format_bytes_per_pixel(untrusted_buffer->format);
	uint64_t size = (uint64_t)untrusted_buffer->stride * untrusted_buffer->height;
	if (bytes_per_pixel == 0 || untrusted_buffer->width == 0 || untrusted_buffer->height == 0 ||
			untrusted_buffer->width > LIMIT_BUFFER_SIDE_PX ||
			untrusted_buffer->height > LIMIT_BUFFER_SIDE_PX || size > INT32_MAX ||
			untrusted_buffer->stride < untrusted_buffer->width * bytes_per_pixel) {
		return false;
	}
	if (untrusted_buffer->arena == 0) {
		return untrusted_buffer->offset == 0;
	}
	struct arena *arena = arena_list_find(arenas, untrusted_buffer->arena);
	return arena != NULL && checked_range(untrusted_buffer->offset, size, arena->size) &&
	       checked_range(untrusted_buffer->offset, size, INT32_MAX);
}

static struct held_buffer *make_buffer(
		struct client *client, uint32_t id, const struct link_buffer *place, int *fd) {
	struct arena_list *arenas = client->relay->arenas;
	struct held_buffer *buffer = calloc(1, sizeof(*buffer));
	if (buffer == NULL) {
		return NULL;
	}
	*buffer = (struct held_buffer){
			.id = id,
			.serial = ++client->buffers->last_serial,
			.arena = place->arena,
			.width = place->width,
			.height = place->height,
			.stride = place->stride,
			.bytes_per_pixel = shm_format_bytes_per_pixel(place->format),
	};
	if (place->arena != 0) {
		arena_list_find(arenas, place->arena)->n_buffers++;
	} else {
		*fd = make_inline_memory(arenas, buffer);
		if (*fd < 0) {
			free(buffer);
			return NULL;
		}
	}
	wl_list_insert(&client->buffers->buffers, &buffer->link);
	return buffer;
}

/* Enters it into the application's objects. false: the link or the application was ended. */
static bool enter_object(struct client *client, uint32_t untrusted_id, struct object **object) {
	enum object_error error = object_table_insert(&client->objects, OBJECT_FROM_LINK,
			untrusted_id, wire_buffer_interface, 1, object);
	if (error == OBJECT_NO_MEMORY) {
		client_error(client, ID_MAP_DISPLAY, CLIENT_NO_MEMORY, "out of memory");
		return false;
	}
	if (error != OBJECT_OK) {
		link_fail(client->relay->link, LINK_BYE_PROTOCOL, "buffer %#x: the id is not free",
				untrusted_id);
		return false;
	}
	if (!client_hold_fds(client, *object, 1)) {
		client_error(client, ID_MAP_DISPLAY, CLIENT_NO_MEMORY, "too many buffers");
		return false;
	}
	return true;
}

static void handle_new(struct client *client, const struct link_frame *frame) {
	struct link_buffer untrusted_place = link_frame_buffer(frame);
	uint32_t id = frame->header.arg;
	if (!check_place(client->relay->arenas, &untrusted_place)) {
		link_fail(client->relay->link, LINK_BYE_PROTOCOL,
				"buffer %#x does not lie in its arena", id);
		return;
	}
	const struct link_buffer place = untrusted_place;
	struct object *object;
	if (get_list(client) == NULL || !enter_object(client, id, &object)) {
		return;
	}
	int fd = -1;
	struct held_buffer *buffer = make_buffer(client, id, &place, &fd);
	if (buffer == NULL) {
		client_error(client, ID_MAP_DISPLAY, CLIENT_NO_MEMORY, "no memory for a buffer");
		return;
	}
	object->data = buffer;
	bool created = place.arena != 0
			? create_in_arena(client, buffer, (uint32_t)place.offset, place.format)
			: create_inline(client, buffer, fd, place.format);
	fd_close(&fd);
	if (created) {
		object->mapped_id = buffer->relay_id;
	}
}

/* A live link buffer that the peer may still name, or NULL: the link was ended. */
static struct held_buffer *find_named(struct client *client, uint32_t untrusted_id) {
	struct object *object = NULL;
	if (untrusted_id >= LINK_BUFFER_ID_START && untrusted_id < LINK_BUFFER_ID_END) {
		object = object_table_find(&client->objects, untrusted_id);
	}
	if (object == NULL || object->destroyed) {
		link_fail(client->relay->link, LINK_BYE_PROTOCOL, "there is no buffer %#x",
				untrusted_id);
		return NULL;
	}
	return object->data;
}

static void handle_remove(struct client *client, uint32_t untrusted_id) {
	struct held_buffer *buffer = find_named(client, untrusted_id);
	if (buffer == NULL) {
		return;
	}
	object_table_find(&client->objects, buffer->id)->destroyed = true;
	buffer->removed = true;
	if (buffer->surface_gone && buffer->busy) {
		orphan(client->buffers, buffer);
	}
	destroy_if_unused(client, buffer);
}

static void copy_rows(const struct held_buffer *buffer, const struct link_pixels *area,
		const uint8_t *rows) {
	size_t row_bytes = (size_t)area->width * buffer->bytes_per_pixel;
	uint8_t *to = buffer->pixels + (size_t)area->y * buffer->stride +
		      (size_t)area->x * buffer->bytes_per_pixel;
	for (uint32_t i = 0; i < area->height; i++) {
		memcpy(to, rows, row_bytes);
		to += buffer->stride;
		rows += row_bytes;
	}
}

static void handle_pixels(struct client *client, const struct link_frame *frame) {
	struct held_buffer *buffer = find_named(client, frame->header.arg);
	if (buffer == NULL) {
		return;
	}
	const uint8_t *rows;
	struct link_pixels untrusted_area = link_frame_pixels(frame, &rows);
	uint64_t size = (uint64_t)untrusted_area.width * untrusted_area.height *
			buffer->bytes_per_pixel;
	size_t available = frame->body_size - sizeof(struct link_pixels);
	if (buffer->arena != 0 || untrusted_area.width == 0 || untrusted_area.height == 0 ||
			!checked_range(untrusted_area.x, untrusted_area.width, buffer->width) ||
			!checked_range(untrusted_area.y, untrusted_area.height, buffer->height) ||
			align_up(size, 4) != available) {
		link_fail(client->relay->link, LINK_BYE_PROTOCOL,
				"buffer %#x: pixels outside of it", buffer->id);
		return;
	}
	copy_rows(buffer, &untrusted_area, rows);
}

void buffer_list_handle_frame(struct client *client, const struct link_frame *frame) {
	if (client->relay->arenas == NULL) {
		link_fail(client->relay->link, LINK_BYE_PROTOCOL,
				"buffers on a link that hands memory over");
		return;
	}
	if (client->conn == NULL) {
		return; // on its way when the application was ended
	}
	switch (frame->header.type) {
	case LINK_BUFFER_NEW:
		handle_new(client, frame);
		break;
	case LINK_BUFFER_REMOVE:
		handle_remove(client, frame->header.arg);
		break;
	default:
		handle_pixels(client, frame);
		break;
	}
}

bool buffer_list_handle_release(struct client *client, uint32_t link_id) {
	struct held_buffer *buffer = object_table_find(&client->objects, link_id)->data;
	buffer->busy = false;
	buffer->orphaned = false;
	if (!buffer->removed) {
		return true;
	}
	destroy_if_unused(client, buffer);
	return false;
}

void buffer_list_forget(struct client *client, uint32_t link_id) {
	struct object *object = object_table_find(&client->objects, link_id);
	held_buffer_free(object->data, client->relay->arenas);
	object->data = NULL;
}

void buffer_list_drop_pool(struct client *client, uint32_t arena_id) {
	if (client->conn == NULL || client->buffers == NULL ||
			client->buffers->arenas[arena_id - 1] == 0) {
		return;
	}
	uint32_t pool = client->buffers->arenas[arena_id - 1];
	client->buffers->arenas[arena_id - 1] = 0;
	client->n_shared--;
	client->relay->n_shared--;
	destroy_pool(client, pool);
}

/* The link buffer behind an argument; NULL for null and for other buffers. The id was not checked.
 */
static struct held_buffer *argument_buffer(struct client *client, uint32_t untrusted_id) {
	if (untrusted_id < LINK_BUFFER_ID_START || untrusted_id >= LINK_BUFFER_ID_END) {
		return NULL;
	}
	struct object *object = object_table_find(&client->objects, untrusted_id);
	return object != NULL ? object->data : NULL;
}

static void drop_pending(struct client *client, struct surface_state *surface) {
	struct held_buffer *buffer = surface->pending;
	surface->pending = NULL;
	surface->has_pending = false;
	if (buffer != NULL) {
		buffer->n_pending--;
		destroy_if_unused(client, buffer);
	}
}

static void commit_pending(struct surface_state *surface) {
	if (!surface->has_pending) {
		return;
	}
	surface->shown = 0;
	if (surface->pending != NULL) {
		surface->pending->n_pending--;
		surface->pending->busy = true;
		surface->pending->surface_gone = false;
		surface->shown = surface->pending->serial;
	}
	surface->pending = NULL;
	surface->has_pending = false;
}

static void handle_surface_destroy(struct client *client, struct surface_state *surface) {
	struct held_buffer *buffer;
	wl_list_for_each (buffer, &client->buffers->buffers, link) {
		if (buffer->serial != surface->shown) {
			continue;
		}
		buffer->surface_gone = true;
		if (buffer->removed && buffer->busy) {
			orphan(client->buffers, buffer);
		}
		break;
	}
	drop_pending(client, surface);
}

/* The state of a surface; NULL when the application was ended. */
static struct surface_state *get_surface(struct client *client, uint32_t id) {
	struct object *object = object_table_find(&client->objects, id);
	if (object->data == NULL) {
		object->data = calloc(1, sizeof(struct surface_state));
		if (object->data == NULL) {
			client_error(client, ID_MAP_DISPLAY, CLIENT_NO_MEMORY, "out of memory");
		}
	}
	return object->data;
}

static bool check_surface_request(struct client *client, uint32_t sender, enum wire_special special,
		const struct wire_value *values) {
	struct surface_state *surface = get_surface(client, sender);
	if (surface == NULL) {
		return false;
	}
	switch (special) {
	case WIRE_SPECIAL_SURFACE_ATTACH:
		drop_pending(client, surface);
		if (client->conn == NULL) {
			return false;
		}
		surface->has_pending = true;
		surface->pending = argument_buffer(client, values[0].id);
		if (surface->pending != NULL) {
			surface->pending->n_pending++;
		}
		return true;
	case WIRE_SPECIAL_SURFACE_COMMIT:
		commit_pending(surface);
		return true;
	default:
		handle_surface_destroy(client, surface);
		return client->conn != NULL;
	}
}

bool buffer_list_check_request(struct client *client, uint32_t sender,
		const struct wire_message *message, const struct wire_value *values) {
	if (sender >= LINK_BUFFER_ID_START && sender < LINK_BUFFER_ID_END) {
		client_error(client, ID_MAP_DISPLAY, CLIENT_INVALID_OBJECT,
				"a request to a buffer of the link");
		return false;
	}
	if (client->buffers == NULL) {
		return true; // nothing to keep track of
	}
	switch ((enum wire_special)message->special) {
	case WIRE_SPECIAL_SURFACE_ATTACH:
	case WIRE_SPECIAL_SURFACE_COMMIT:
	case WIRE_SPECIAL_SURFACE_DESTROY:
		return check_surface_request(
				client, sender, (enum wire_special)message->special, values);
	case WIRE_SPECIAL_USES_BUFFER:
		for (uint32_t i = 0; i < message->n_args; i++) {
			struct held_buffer *buffer =
					message->args[i].interface == wire_buffer_interface
							? argument_buffer(client, values[i].id)
							: NULL;
			if (buffer != NULL) {
				buffer->busy = true;
				buffer->surface_gone =
						true; // no surface's end tells that it is free
			}
		}
		return true;
	default:
		return true;
	}
}
