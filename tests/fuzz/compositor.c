/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/compositor.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>
#include <wayland-server.h>

#include "protocol/interface.h"
#include "tests/fuzz/fuzz.h"

static int dispatch(const void *impl, void *target, uint32_t opcode,
		const struct wl_message *message, union wl_argument *args);

static const struct wl_interface *scanner_interface(const char *name) {
	char symbol[128];
	snprintf(symbol, sizeof(symbol), "%s_interface", name);
	return dlsym(RTLD_DEFAULT, symbol);
}

static struct wl_resource *make_resource(struct wl_client *client,
		const struct wl_interface *interface, uint32_t version, uint32_t id) {
	struct wl_resource *resource = wl_resource_create(client, interface, version, id);
	if (resource == NULL) {
		wl_client_post_no_memory(client);
		return NULL;
	}
	wl_resource_set_dispatcher(resource, dispatch, NULL, NULL, NULL);
	return resource;
}

/* A callback is answered at once, and gone. */
static void make_object(struct wl_resource *parent, const struct wl_interface *interface,
		uint32_t id) {
	int version = interface == &wl_callback_interface ? 1 : wl_resource_get_version(parent);
	struct wl_resource *resource =
			make_resource(wl_resource_get_client(parent), interface, version, id);
	if (resource != NULL && interface == &wl_callback_interface) {
		wl_callback_send_done(resource, 0);
		wl_resource_destroy(resource);
	}
}

/* The buffer is remembered by id, since it may be destroyed before the commit. */
static void release_attached(struct wl_resource *surface) {
	uint32_t id = (uintptr_t)wl_resource_get_user_data(surface);
	struct wl_resource *buffer = wl_client_get_object(wl_resource_get_client(surface), id);
	wl_resource_set_user_data(surface, NULL);
	if (buffer != NULL && strcmp(wl_resource_get_class(buffer), "wl_buffer") == 0) {
		wl_buffer_send_release(buffer);
	}
}

/* What a request does besides its arguments. */
static void apply_request(struct wl_resource *resource, uint32_t opcode, union wl_argument *args) {
	const char *class = wl_resource_get_class(resource);
	const struct wire_interface *interface = wire_interface_find(class, strlen(class));
	const struct wire_message *message = wire_interface_request(interface, opcode);
	if (message->special == WIRE_SPECIAL_SURFACE_ATTACH) {
		struct wl_resource *buffer = (struct wl_resource *)args[0].o;
		uintptr_t id = buffer != NULL ? wl_resource_get_id(buffer) : 0;
		wl_resource_set_user_data(resource, (void *)id);
	} else if (message->special == WIRE_SPECIAL_SURFACE_COMMIT) {
		release_attached(resource);
	}
	if (message->destructor) {
		wl_resource_destroy(resource);
	}
}

static int dispatch(const void *impl, void *target, uint32_t opcode,
		const struct wl_message *message, union wl_argument *args) {
	struct wl_resource *resource = target;
	int i = 0;
	for (const char *p = message->signature; *p != '\0'; p++) {
		if (*p == 'h') {
			close(args[i].h);
		} else if (*p == 'n') {
			make_object(resource, message->types[i], args[i].n);
		}
		i += strchr("iufsonah", *p) != NULL;
	}
	apply_request(resource, opcode, args);
	fuzz_accepted++;
	return 0;
}

static void handle_bind(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	make_resource(client, data, version, id);
}

/* wl_shm is libwayland's own, and the first. */
uint32_t compositor_global_name(const char *interface) {
	uint32_t name = 1;
	if (strcmp(interface, wire_shm_interface->name) == 0) {
		return name;
	}
	for (uint32_t i = 0; i < wire_interfaces_count; i++) {
		const struct wire_interface *allowed = wire_interfaces[i];
		if (allowed == wire_shm_interface || allowed->max_version == 0) {
			continue;
		}
		name++;
		if (strcmp(interface, allowed->name) == 0) {
			return name;
		}
	}
	return 0;
}

static void offer(struct wl_display *display, const struct wire_interface *interface,
		uint32_t version) {
	const struct wl_interface *scanned = scanner_interface(interface->name);
	FUZZ_CHECK(scanned != NULL);
	FUZZ_CHECK(wl_global_create(display, scanned, (int)version, (void *)scanned,
			handle_bind) != NULL);
}

struct wl_display *compositor_create(void) {
	struct wl_display *display = wl_display_create();
	FUZZ_CHECK(display != NULL && wl_display_init_shm(display) == 0);
	for (uint32_t i = 0; i < wire_interfaces_count; i++) {
		const struct wire_interface *interface = wire_interfaces[i];
		if (interface->max_version > 0 && interface != wire_shm_interface) {
			offer(display, interface, interface->max_version);
		}
	}
	offer(display, wire_arena_manager_interface, 1); // as guivm-server to its relays
	return display;
}

void compositor_destroy(struct wl_display *display) {
	wl_display_destroy_clients(display);
	wl_display_destroy(display);
}
