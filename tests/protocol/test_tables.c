/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <wayland-util.h>

#include "allow_list.h"
#include "common/limits.h"
#include "protocol/interface.h"
#include "protocol/wire.h"
#include "tests/harness/test.h"

/* What wayland-scanner made of the same XML; the program exports its symbols. */
static const struct wl_interface *scanner_interface(const char *name) {
	char symbol[128];
	snprintf(symbol, sizeof(symbol), "%s_interface", name);
	return dlsym(RTLD_DEFAULT, symbol);
}

typedef void (*visit_func_t)(const struct wire_interface *interface,
		const struct wire_message *message, bool request);

static void for_each_message(visit_func_t visit) {
	for (uint32_t i = 0; i < wire_interfaces_count; i++) {
		const struct wire_interface *interface = wire_interfaces[i];
		for (uint16_t j = 0; j < interface->n_requests; j++) {
			visit(interface, &interface->requests[j], true);
		}
		for (uint16_t j = 0; j < interface->n_events; j++) {
			visit(interface, &interface->events[j], false);
		}
	}
}

static void expect_same_message(const struct wire_message *message,
		const struct wl_message *scanned) {
	EXPECT_STR(message->name, scanned->name);
	const char *p = scanned->signature;
	unsigned long since = strtoul(p, (char **)&p, 10);
	EXPECT_INT(message->since, since == 0 ? 1 : since);
	for (uint8_t i = 0; i < message->n_args; i++) {
		EXPECT_INT(message->args[i].nullable, *p == '?');
		p += *p == '?';
		EXPECT_INT(message->args[i].type, *p);
		p++;
		const struct wl_interface *type = scanned->types[i];
		const struct wire_interface *ours = message->args[i].interface;
		EXPECT((type != NULL) == (ours != NULL));
		if (type != NULL) {
			EXPECT_STR(ours->name, type->name);
		}
	}
	EXPECT_INT(*p, '\0');
}

TEST(tables_say_what_wayland_scanner_says) {
	EXPECT(wire_interfaces_count > 40);
	for (uint32_t i = 0; i < wire_interfaces_count; i++) {
		const struct wire_interface *interface = wire_interfaces[i];
		const struct wl_interface *scanned = scanner_interface(interface->name);
		EXPECT(scanned != NULL);
		EXPECT_STR(interface->name, scanned->name);
		EXPECT_INT(interface->version, scanned->version);
		EXPECT_INT(interface->n_requests, scanned->method_count);
		EXPECT_INT(interface->n_events, scanned->event_count);
		for (uint16_t j = 0; j < interface->n_requests; j++) {
			expect_same_message(&interface->requests[j], &scanned->methods[j]);
		}
		for (uint16_t j = 0; j < interface->n_events; j++) {
			expect_same_message(&interface->events[j], &scanned->events[j]);
		}
	}
}

static void expect_consistent(const struct wire_interface *interface,
		const struct wire_message *message, bool request) {
	int n_fds = 0, new_id_arg = -1;
	bool has_buffer = false;
	EXPECT(message->n_args <= WIRE_MAX_ARGS);
	for (uint8_t i = 0; i < message->n_args; i++) {
		const struct wire_arg *arg = &message->args[i];
		n_fds += arg->type == WIRE_FD;
		if (arg->type == WIRE_NEW_ID) {
			EXPECT_INT(new_id_arg, -1);
			new_id_arg = i;
			EXPECT(arg->interface != NULL || message->special == WIRE_SPECIAL_BIND);
		}
		has_buffer = has_buffer || arg->interface == wire_buffer_interface;
	}
	EXPECT_INT(message->n_fds, n_fds);
	EXPECT(n_fds <= LIMIT_WAYLAND_FDS_PER_MESSAGE);
	EXPECT_INT(message->new_id_arg, new_id_arg);
	EXPECT((n_fds > 0) == (message->fd_kind != WIRE_FD_NONE));
	EXPECT(!request || !has_buffer || message->special != WIRE_SPECIAL_NONE);
	EXPECT(message->since >= 1 && message->since <= interface->version);
}

TEST(descriptors_new_ids_and_buffers_are_accounted_for) {
	for_each_message(expect_consistent);
}

TEST(every_special_is_one_message_but_for_the_shared_ones) {
	uint32_t count[WIRE_SPECIAL_LAST + 1] = {0};
	for (uint32_t i = 0; i < wire_interfaces_count; i++) {
		for (uint16_t j = 0; j < wire_interfaces[i]->n_requests; j++) {
			count[wire_interfaces[i]->requests[j].special]++;
		}
		for (uint16_t j = 0; j < wire_interfaces[i]->n_events; j++) {
			count[wire_interfaces[i]->events[j].special]++;
		}
	}
	for (int special = 1; special <= WIRE_SPECIAL_LAST; special++) {
		bool shared = special == WIRE_SPECIAL_CREATES_BUFFER ||
				special == WIRE_SPECIAL_PILES_UP ||
				special == WIRE_SPECIAL_USES_BUFFER ||
				special == WIRE_SPECIAL_TAKES_FDS;
		EXPECT(count[special] == 1 || (count[special] > 1 && shared));
	}
}

TEST(interfaces_are_sorted_and_found) {
	for (uint32_t i = 0; i < wire_interfaces_count; i++) {
		const char *name = wire_interfaces[i]->name;
		EXPECT(i == 0 || strcmp(wire_interfaces[i - 1]->name, name) < 0);
		EXPECT(wire_interface_find(name, strlen(name)) == wire_interfaces[i]);
	}
}

TEST(hostile_names_find_nothing) {
	EXPECT(wire_interface_find("", 0) == NULL);
	EXPECT(wire_interface_find("wl_shm\0", 7) == NULL);
	EXPECT(wire_interface_find("wl_sh", 5) == NULL);
	EXPECT(wire_interface_find("wl_shmm", 7) == NULL);
	EXPECT(wire_interface_find("WL_SHM", 6) == NULL);
	EXPECT(wire_interface_find("\xff\xff", 2) == NULL);
	EXPECT(wire_interface_find("\0\0\0\0\0\0\0\0", 8) == NULL);
	EXPECT(wire_interface_find("isthmus_relay_v1", 16) == NULL);
	char *long_name = malloc(100000);
	memset(long_name, 'w', 100000);
	EXPECT(wire_interface_find(long_name, 100000) == NULL);
	free(long_name);
}

TEST(name_is_not_read_past_its_size) {
	EXPECT(wire_interface_find("wl_shm_pool", 6) == wire_shm_interface);
}

TEST(unknown_opcodes_have_no_message) {
	EXPECT(wire_interface_request(wire_shm_interface, 0) == &wire_shm_interface->requests[0]);
	EXPECT(wire_interface_request(wire_shm_interface, wire_shm_interface->n_requests) == NULL);
	EXPECT(wire_interface_request(wire_callback_interface, 0) == NULL);
	EXPECT(wire_interface_request(wire_shm_interface, UINT32_MAX) == NULL);
	EXPECT(wire_interface_event(wire_callback_interface, 0) != NULL);
	EXPECT(wire_interface_event(wire_callback_interface, 1) == NULL);
}

TEST(named_interfaces_are_the_right_ones) {
	EXPECT_STR(wire_display_interface->name, "wl_display");
	EXPECT_STR(wire_registry_interface->name, "wl_registry");
	EXPECT_STR(wire_callback_interface->name, "wl_callback");
	EXPECT_STR(wire_shm_interface->name, "wl_shm");
	EXPECT_STR(wire_shm_pool_interface->name, "wl_shm_pool");
	EXPECT_STR(wire_buffer_interface->name, "wl_buffer");
	EXPECT_STR(wire_surface_interface->name, "wl_surface");
}

TEST(bind_is_expanded_as_on_the_wire) {
	const struct wire_message *bind = wire_interface_request(wire_registry_interface, 0);
	EXPECT_INT(bind->special, WIRE_SPECIAL_BIND);
	EXPECT_INT(bind->n_args, 4);
	EXPECT_INT(bind->args[0].type, WIRE_UINT);
	EXPECT_INT(bind->args[1].type, WIRE_STRING);
	EXPECT_INT(bind->args[2].type, WIRE_UINT);
	EXPECT_INT(bind->args[3].type, WIRE_NEW_ID);
	EXPECT_INT(bind->new_id_arg, 3);
}

TEST(destructors_are_known) {
	const struct wire_interface *surface = wire_surface_interface;
	EXPECT_INT(surface->requests[0].special, WIRE_SPECIAL_SURFACE_DESTROY);
	EXPECT(surface->requests[0].destructor);
	EXPECT(!surface->requests[1].destructor);
	EXPECT(wire_callback_interface->events[0].destructor);
}

TEST(both_walls_have_the_same_allow_list) {
	uint32_t allowed = 0;
	for (uint32_t i = 0; i < wire_interfaces_count; i++) {
		const struct wire_interface *interface = wire_interfaces[i];
		EXPECT(interface->max_version <= interface->version);
		EXPECT_INT(allow_list_max_version(interface->name), interface->max_version);
		bool permitted = interface->max_version > 0;
		EXPECT_INT(allow_list_permits(interface->name, true), permitted);
		permitted = permitted && !interface->local;
		EXPECT_INT(allow_list_permits(interface->name, false), permitted);
		allowed += interface->max_version > 0;
	}
	EXPECT(allowed >= 19);
}

TEST(what_needs_a_local_transport_follows_from_its_descriptors) {
	static const char *const local[] = {"zwp_linux_dmabuf_v1", "zwp_linux_buffer_params_v1",
		"wp_linux_drm_syncobj_manager_v1"};
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
		EXPECT(wire_interface_find(local[i], (uint32_t)strlen(local[i]))->local);
	}
	static const char *const any[] = {"wl_shm", "wl_surface", "wl_seat", "wl_buffer",
		"zwp_linux_dmabuf_feedback_v1", "wp_linux_drm_syncobj_timeline_v1"};
	for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++) {
		EXPECT(!wire_interface_find(any[i], (uint32_t)strlen(any[i]))->local);
	}
}

TEST(privileged_and_unknown_globals_are_not_allowed) {
	static const char *const names[] = {
		"", "wl_shell", "wl_drm", "wl_display", "wl_registry", "zwlr_layer_shell_v1",
		"zwlr_screencopy_manager_v1", "zwlr_data_control_manager_v1",
		"ext_session_lock_manager_v1", "zwp_virtual_keyboard_manager_v1",
		"wp_security_context_manager_v1", "isthmus_relay_v1", "isthmus_control_v1",
		"wl_seatt", "wl_sea",
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		EXPECT(!allow_list_permits(names[i], true));
		EXPECT_INT(allow_list_max_version(names[i]), 0);
	}
}
