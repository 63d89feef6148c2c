/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_PROTOCOL_INTERFACE_H
#define ISTHMUS_PROTOCOL_INTERFACE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What the tables know of an interface. The generator (protocol/gen/interfaces.py) writes them from
 * the protocols' XML files; special.list and allow.list add what XML does not say.
 */
enum wire_arg_type {
	WIRE_INT = 'i',
	WIRE_UINT = 'u',
	WIRE_FIXED = 'f',
	WIRE_STRING = 's',
	WIRE_OBJECT = 'o',
	WIRE_NEW_ID = 'n',
	WIRE_ARRAY = 'a',
	WIRE_FD = 'h', // takes no bytes in a message
};

struct wire_interface;

struct wire_arg {
	enum wire_arg_type type;
	bool nullable;
	// WIRE_OBJECT, WIRE_NEW_ID: the interface; NULL when any (object), or when the message says
	// (bind's new_id, which the generator expands as libwayland does: string interface, uint
	// version, new_id)
	const struct wire_interface *interface;
};

/* What a descriptor in a message is. Known from interface and opcode, never guessed. */
enum wire_fd_kind {
	WIRE_FD_NONE = 0, // the message carries no descriptor; the generator sees to it
	WIRE_FD_POOL, // wl_shm.create_pool, isthmus_arena_manager_v1.create_arena: pixel memory
	WIRE_FD_FILE, // contents travel, a sealed memfd at the other end (size argument or fstat)
	WIRE_FD_PIPE, // the write end of a pipe: bytes flow against the descriptor's direction
	WIRE_FD_DMABUF, // GPU memory: only a local transport can pass it
	WIRE_FD_SYNCOBJ, // a timeline of GPU fences: the same
};

/* What clock an argument was read from, and in which unit: enum values of special.list. */
enum wire_time_unit {
	WIRE_TIME_NONE = 0,
	WIRE_TIME_MS, // one argument: milliseconds, modulo 2^32
	WIRE_TIME_FRAME, // as WIRE_TIME_MS where the object is a frame callback, else none
	WIRE_TIME_US, // two arguments: microseconds, high and low word
	WIRE_TIME_NS, // three arguments: seconds, high and low word, and nanoseconds
};

/* What a message needs besides forwarding. At most one per message. */
enum wire_special {
	WIRE_SPECIAL_NONE = 0,
	WIRE_SPECIAL_DISPLAY_SYNC,
	WIRE_SPECIAL_GET_REGISTRY,
	WIRE_SPECIAL_BIND,
	WIRE_SPECIAL_GLOBAL, // event wl_registry.global
	WIRE_SPECIAL_GLOBAL_REMOVE, // event
	WIRE_SPECIAL_DISPLAY_ERROR, // event: object id and ids inside the text are rewritten
	WIRE_SPECIAL_DELETE_ID, // event
	WIRE_SPECIAL_CREATE_POOL,
	WIRE_SPECIAL_POOL_CREATE_BUFFER,
	WIRE_SPECIAL_POOL_RESIZE,
	WIRE_SPECIAL_POOL_DESTROY,
	WIRE_SPECIAL_CREATES_BUFFER, // a wl_buffer without shared memory: forwarded like any object
	WIRE_SPECIAL_BUFFER_DESTROY,
	WIRE_SPECIAL_BUFFER_RELEASE, // event
	WIRE_SPECIAL_SURFACE_ATTACH,
	WIRE_SPECIAL_SURFACE_DAMAGE, // surface coordinates
	WIRE_SPECIAL_SURFACE_DAMAGE_BUFFER, // buffer coordinates
	WIRE_SPECIAL_SURFACE_SET_SCALE,
	WIRE_SPECIAL_SURFACE_SET_TRANSFORM,
	WIRE_SPECIAL_SURFACE_COMMIT,
	WIRE_SPECIAL_SURFACE_DESTROY,
	WIRE_SPECIAL_SURFACE_FRAME, // makes a wl_callback whose event has a time
	WIRE_SPECIAL_GET_SUBSURFACE,
	WIRE_SPECIAL_SUBSURFACE_SET_SYNC,
	WIRE_SPECIAL_SUBSURFACE_SET_DESYNC,
	WIRE_SPECIAL_SUBSURFACE_DESTROY,
	WIRE_SPECIAL_GET_VIEWPORT,
	WIRE_SPECIAL_VIEWPORT_SET_SOURCE,
	WIRE_SPECIAL_VIEWPORT_SET_DESTINATION,
	WIRE_SPECIAL_VIEWPORT_DESTROY,
	// The compositor remembers more with each, for as long as the object lives: counted
	WIRE_SPECIAL_PILES_UP,
	WIRE_SPECIAL_USES_BUFFER, // another request with a wl_buffer argument (xdg_toplevel_icon)
	WIRE_SPECIAL_CLOCK_ID, // event: which clock wp_presentation's times are of
	WIRE_SPECIAL_PRESENTED, // event: a time of that clock
	WIRE_SPECIAL_TAKES_FDS, // what it makes has the descriptors that the receiver was sent
	WIRE_SPECIAL_LAST = WIRE_SPECIAL_TAKES_FDS,
};

struct wire_message {
	const char *name;
	const struct wire_arg *args;
	uint8_t n_args;
	uint8_t n_fds;
	uint8_t since; // version
	bool destructor;
	uint8_t fd_kind; // enum wire_fd_kind of all its descriptors
	uint8_t special; // enum wire_special
	uint8_t time_unit; // enum wire_time_unit: CLOCK_MONOTONIC of who sent it
	uint8_t time_arg; // the time's first argument
	int8_t new_id_arg; // index of the new_id argument, or -1; no message has two
};

struct wire_interface {
	const char *name;
	uint32_t version; // of the XML file
	uint16_t n_requests, n_events;
	const struct wire_message *requests, *events;
	// Allow-list, at most version. 0: a VM may not bind it (other objects may still make it).
	uint32_t max_version;
	// It, or what can be made from it, has WIRE_FD_DMABUF or WIRE_FD_SYNCOBJ: nothing for a VM
	// whose transport passes no descriptors.
	bool local;
};

/* The interface of that name, or NULL. The name may be hostile; size excludes the NUL. */
const struct wire_interface *wire_interface_find(const char *untrusted_name, uint32_t size);

/* The request or event, or NULL when the interface has none of that opcode at any version;
 * wire_parse() checks the version. */
const struct wire_message *wire_interface_request(const struct wire_interface *interface,
		uint32_t untrusted_opcode);
const struct wire_message *wire_interface_event(const struct wire_interface *interface,
		uint32_t untrusted_opcode);

/* All of them, sorted by name. */
extern const struct wire_interface *const wire_interfaces[];
extern const uint32_t wire_interfaces_count;

/* Those that both ends handle by name. */
extern const struct wire_interface *const wire_display_interface;
extern const struct wire_interface *const wire_registry_interface;
extern const struct wire_interface *const wire_callback_interface;
extern const struct wire_interface *const wire_shm_interface;
extern const struct wire_interface *const wire_shm_pool_interface;
extern const struct wire_interface *const wire_buffer_interface;
extern const struct wire_interface *const wire_surface_interface;
extern const struct wire_interface *const wire_arena_manager_interface;
extern const struct wire_interface *const wire_arena_interface;

#endif
