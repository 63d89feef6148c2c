/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "commit-timing-v1-server-protocol.h"
#include "fifo-v1-server-protocol.h"
#include "guivm-server/server.h"
#include "guivm-server/timing_private.h"

#define VERSION 1
#define NS_PER_S 1000000000

static void handle_destroy(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

/* NULL: the surface is gone, which the client is told. */
static struct timed *timed_from_resource(struct wl_resource *resource, uint32_t error) {
	struct timed *timed = wl_resource_get_user_data(resource);
	if (timed == NULL) {
		wl_resource_post_error(resource, error, "the surface was destroyed");
	}
	return timed;
}

static void fifo_handle_set_barrier(struct wl_client *client, struct wl_resource *resource) {
	struct timed *timed = timed_from_resource(resource, WP_FIFO_V1_ERROR_SURFACE_DESTROYED);
	if (timed != NULL) {
		timed->pending.set_barrier = true;
	}
}

static void fifo_handle_wait_barrier(struct wl_client *client, struct wl_resource *resource) {
	struct timed *timed = timed_from_resource(resource, WP_FIFO_V1_ERROR_SURFACE_DESTROYED);
	if (timed != NULL) {
		timed->wait_barrier = true;
	}
}

static const struct wp_fifo_v1_interface fifo_impl = {
	.set_barrier = fifo_handle_set_barrier,
	.wait_barrier = fifo_handle_wait_barrier,
	.destroy = handle_destroy,
};

/* What it asked for stays in force. */
static void fifo_handle_resource_destroy(struct wl_resource *resource) {
	struct timed *timed = wl_resource_get_user_data(resource);
	if (timed != NULL) {
		timed->fifo = NULL;
	}
}

/* NULL: told, or the surface has one already. */
static struct wl_resource *create_object(struct wl_resource *manager, uint32_t id,
		const struct wl_interface *interface, struct timed *timed) {
	struct wl_client *client = wl_resource_get_client(manager);
	struct wl_resource *resource = timed != NULL
		? wl_resource_create(client, interface, wl_resource_get_version(manager), (int)id)
		: NULL;
	if (resource == NULL) {
		wl_client_post_no_memory(client);
	}
	return resource;
}

static void fifo_manager_handle_get_fifo(struct wl_client *client, struct wl_resource *manager,
		uint32_t id, struct wl_resource *surface_resource) {
	struct timed *timed = timed_from_surface(wlr_surface_from_resource(surface_resource));
	if (timed != NULL && timed->fifo != NULL) {
		wl_resource_post_error(manager, WP_FIFO_MANAGER_V1_ERROR_ALREADY_EXISTS,
				"the surface has a wp_fifo_v1");
		return;
	}
	struct wl_resource *fifo = create_object(manager, id, &wp_fifo_v1_interface, timed);
	if (fifo != NULL) {
		timed->fifo = fifo;
		wl_resource_set_implementation(
				fifo, &fifo_impl, timed, fifo_handle_resource_destroy);
	}
}

static const struct wp_fifo_manager_v1_interface fifo_manager_impl = {
	.destroy = handle_destroy,
	.get_fifo = fifo_manager_handle_get_fifo,
};

static void timer_handle_set_timestamp(struct wl_client *client, struct wl_resource *resource,
		uint32_t seconds_high, uint32_t seconds_low, uint32_t nanoseconds) {
	struct timed *timed =
			timed_from_resource(resource, WP_COMMIT_TIMER_V1_ERROR_SURFACE_DESTROYED);
	if (timed == NULL) {
		return;
	}
	if (timed->has_timestamp) {
		wl_resource_post_error(resource, WP_COMMIT_TIMER_V1_ERROR_TIMESTAMP_EXISTS,
				"the commit has a timestamp");
		return;
	}
	if (nanoseconds >= NS_PER_S) {
		wl_resource_post_error(resource, WP_COMMIT_TIMER_V1_ERROR_INVALID_TIMESTAMP,
				"more than 999999999 nanoseconds");
		return;
	}
	uint64_t seconds = (uint64_t)seconds_high << 32 | seconds_low;
	timed->has_timestamp = true;
	timed->target_ns = seconds < INT64_MAX / NS_PER_S
		? (int64_t)seconds * NS_PER_S + nanoseconds : INT64_MAX;
}

static const struct wp_commit_timer_v1_interface timer_impl = {
	.set_timestamp = timer_handle_set_timestamp,
	.destroy = handle_destroy,
};

static void timer_handle_resource_destroy(struct wl_resource *resource) {
	struct timed *timed = wl_resource_get_user_data(resource);
	if (timed != NULL) {
		timed->timer = NULL;
	}
}

static void timer_manager_handle_get_timer(struct wl_client *client, struct wl_resource *manager,
		uint32_t id, struct wl_resource *surface_resource) {
	struct timed *timed = timed_from_surface(wlr_surface_from_resource(surface_resource));
	if (timed != NULL && timed->timer != NULL) {
		wl_resource_post_error(manager,
				WP_COMMIT_TIMING_MANAGER_V1_ERROR_COMMIT_TIMER_EXISTS,
				"the surface has a wp_commit_timer_v1");
		return;
	}
	struct wl_resource *timer =
			create_object(manager, id, &wp_commit_timer_v1_interface, timed);
	if (timer != NULL) {
		timed->timer = timer;
		wl_resource_set_implementation(
				timer, &timer_impl, timed, timer_handle_resource_destroy);
	}
}

static const struct wp_commit_timing_manager_v1_interface timer_manager_impl = {
	.destroy = handle_destroy,
	.get_timer = timer_manager_handle_get_timer,
};

static void bind_manager(struct wl_client *client, const struct wl_interface *interface,
		const void *implementation, uint32_t version, uint32_t id) {
	struct wl_resource *resource =
			wl_resource_create(client, interface, (int)version, id);
	if (resource == NULL) {
		wl_client_post_no_memory(client);
		return;
	}
	wl_resource_set_implementation(resource, implementation, NULL, NULL);
}

static void fifo_manager_bind(
		struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	bind_manager(client, &wp_fifo_manager_v1_interface, &fifo_manager_impl, version, id);
}

static void timer_manager_bind(
		struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	bind_manager(client, &wp_commit_timing_manager_v1_interface, &timer_manager_impl, version,
			id);
}

bool timing_protocol_create(struct timing *timing) {
	struct wl_display *display = timing->server->display;
	return wl_global_create(display, &wp_fifo_manager_v1_interface, VERSION, NULL,
			fifo_manager_bind) != NULL &&
		wl_global_create(display, &wp_commit_timing_manager_v1_interface, VERSION, NULL,
			timer_manager_bind) != NULL;
}
