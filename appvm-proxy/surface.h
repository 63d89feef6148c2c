/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_SURFACE_H
#define ISTHMUS_APPVM_PROXY_SURFACE_H

#include <pixman.h>
#include <stdbool.h>
#include <stdint.h>
#include <wayland-util.h>

#include "appvm-proxy/damage.h"
#include "appvm-proxy/request.h"

struct client;
struct shm_buffer;
struct slot;

/* What was committed last, when the compositor does not show it before an ancestor commits. */
struct surface_kept {
	struct slot *slot; // NULL: no buffer, or none of the present size
	const struct surface *ancestor; // only compared; NULL: nothing is kept
	uint32_t n_commits; // of the ancestor's
	uint32_t n_tree_changes; // of the client's
};

/* What must be known of a wl_surface to copy what it shows into slots at its commit. */
struct surface {
	struct client *client;
	struct wl_list slots; // struct slot.link; of the size shown last
	struct wl_list removed; // struct slot.link; of earlier sizes
	struct slot *filling; // of the commit at hand, when that has stalled in the middle

	// Takes effect at the next commit.
	struct shm_buffer *buffer; // NULL: none was attached that is not forwarded
	int32_t attach_x, attach_y;
	bool unmapping; // null was attached
	pixman_region32_t surface_damage, buffer_damage;

	// As a subsurface. While it is synchronized, commits are kept until an ancestor's.
	uint32_t subsurface_id; // 0: none
	struct surface *parent; // NULL: none, or it is gone
	struct wl_list children; // struct surface.sibling
	struct wl_list sibling; // parent->children; own when there is none
	bool synchronized; // by itself; so it is when an ancestor is
	uint32_t n_commits;
	uint32_t last_commit; // the client's n_commits at the last one
	uint32_t last_own_commit; // at the last one that needed no ancestor's; 0: none
	struct surface_kept kept;

	struct damage_geometry geometry; // but for the buffer's size
	uint32_t viewport_id; // 0: none
};

/* The surface of a wl_surface object, made at the first call. NULL: no memory. */
struct surface *surface_from_object(struct client *client, struct object *object);

/* Its slots are removed. */
void surface_destroy(struct surface *surface);

/* Requests of wl_surface, wp_viewport and wl_subsurface, and those that make the latter two. */
enum request_result surface_handle_request(struct request *request);

#endif
