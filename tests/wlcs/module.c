/* SPDX-License-Identifier: GPL-3.0-only */
/*
 * The integration module that WLCS loads: its headers are under the GNU GPL version 3, and so is
 * this file. It is a test of its own, linked into nothing and never installed. What it does is in
 * stage.c.
 *
 * ISTHMUS_WLCS in the environment names what is tested: "native" or "bridged", "tolerant" besides;
 * "arena" and "stream" where pixels cross in another way than by handing memory over.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-client.h>
#include <wlcs/display_server.h>
#include <wlcs/pointer.h>
#include <wlcs/touch.h>
#include <wlr/util/log.h>

#include "common/log.h"
#include "tests/wlcs/find.h"
#include "tests/wlcs/stage.h"

struct display_server {
	struct WlcsDisplayServer base;
	struct stage *stage;
};

struct pointer {
	struct WlcsPointer base;
	struct stage *stage;
};

struct touch {
	struct WlcsTouch base;
	struct stage *stage;
};

static struct stage *server_stage(const struct WlcsDisplayServer *base) {
	return ((const struct display_server *)(const void *)base)->stage;
}

static struct stage *pointer_stage(const struct WlcsPointer *base) {
	return ((const struct pointer *)(const void *)base)->stage;
}

static struct stage *touch_stage(const struct WlcsTouch *base) {
	return ((const struct touch *)(const void *)base)->stage;
}

static bool lane_has(const char *word) {
	const char *lane = getenv("ISTHMUS_WLCS");
	return lane != NULL && strstr(lane, word) != NULL;
}

static void server_start_hook(struct WlcsDisplayServer *base) {
	stage_start(server_stage(base));
}

static void server_stop_hook(struct WlcsDisplayServer *base) {
	stage_stop(server_stage(base));
}

static int server_create_client_socket(struct WlcsDisplayServer *base) {
	return stage_connect(server_stage(base));
}

static void server_position_window(struct WlcsDisplayServer *base, struct wl_display *client,
		struct wl_surface *surface, int x, int y) {
	char *token = find_token(client, surface);
	if (token != NULL) {
		stage_move_surface(server_stage(base), token, x, y);
		free(token);
	}
}

static void pointer_move_absolute(struct WlcsPointer *base, wl_fixed_t x, wl_fixed_t y) {
	stage_point(pointer_stage(base), wl_fixed_to_double(x), wl_fixed_to_double(y));
}

static void pointer_move_relative(struct WlcsPointer *base, wl_fixed_t dx, wl_fixed_t dy) {
	stage_point_by(pointer_stage(base), wl_fixed_to_double(dx), wl_fixed_to_double(dy));
}

static void pointer_button_up(struct WlcsPointer *base, int button) {
	stage_button(pointer_stage(base), (uint32_t)button, false);
}

static void pointer_button_down(struct WlcsPointer *base, int button) {
	stage_button(pointer_stage(base), (uint32_t)button, true);
}

static void pointer_destroy(struct WlcsPointer *base) {
	free(base);
}

static struct WlcsPointer *server_create_pointer(struct WlcsDisplayServer *base) {
	struct pointer *pointer = calloc(1, sizeof(*pointer));
	if (pointer == NULL) {
		abort();
	}
	pointer->base = (struct WlcsPointer){
		.version = WLCS_POINTER_VERSION,
		.move_absolute = pointer_move_absolute,
		.move_relative = pointer_move_relative,
		.button_up = pointer_button_up,
		.button_down = pointer_button_down,
		.destroy = pointer_destroy,
	};
	pointer->stage = server_stage(base);
	return &pointer->base;
}

/* The header says wl_fixed_t, the runner passes whole pixels. */
static void touch_down(struct WlcsTouch *base, wl_fixed_t x, wl_fixed_t y) {
	stage_touch_down(touch_stage(base), x, y);
}

static void touch_move(struct WlcsTouch *base, wl_fixed_t x, wl_fixed_t y) {
	stage_touch_move(touch_stage(base), x, y);
}

static void touch_up(struct WlcsTouch *base) {
	stage_touch_up(touch_stage(base));
}

static void touch_destroy(struct WlcsTouch *base) {
	free(base);
}

static struct WlcsTouch *server_create_touch(struct WlcsDisplayServer *base) {
	struct touch *touch = calloc(1, sizeof(*touch));
	if (touch == NULL) {
		abort();
	}
	touch->base = (struct WlcsTouch){
		.version = WLCS_TOUCH_VERSION,
		.touch_down = touch_down,
		.touch_move = touch_move,
		.touch_up = touch_up,
		.destroy = touch_destroy,
	};
	touch->stage = server_stage(base);
	return &touch->base;
}

/* What is offered to applications of VMs comes first, then what only local clients see. */
static const struct WlcsExtensionDescriptor extensions[] = {
	{"wl_compositor", 6},
	{"wl_subcompositor", 1},
	{"wl_shm", 2},
	{"wl_seat", 9},
	{"wl_output", 4},
	{"wl_data_device_manager", 3},
	{"xdg_wm_base", 6},
	{"wp_viewporter", 1},
	{"wp_fractional_scale_manager_v1", 1},
	{"zxdg_decoration_manager_v1", 1},
	{"zxdg_output_manager_v1", 3},
	{"zwp_primary_selection_device_manager_v1", 1},
	{"zwp_pointer_constraints_v1", 1},
	{"zwp_relative_pointer_manager_v1", 1},
	{"zwp_text_input_manager_v3", 1},
	{"zwlr_layer_shell_v1", 4},
	{"zwlr_virtual_pointer_manager_v1", 2},
	{"zwlr_foreign_toplevel_manager_v1", 3},
	{"zwp_input_method_manager_v2", 1},
};
#define N_PRIVILEGED 4

static const struct WlcsIntegrationDescriptor *server_get_descriptor(
		const struct WlcsDisplayServer *base) {
	static struct WlcsIntegrationDescriptor descriptor = {
		.version = WLCS_INTEGRATION_DESCRIPTOR_VERSION,
		.supported_extensions = extensions,
	};
	descriptor.num_extensions = sizeof(extensions) / sizeof(extensions[0]);
	if (server_stage(base)->options.bridged) {
		descriptor.num_extensions -= N_PRIVILEGED;
	}
	return &descriptor;
}

static struct WlcsDisplayServer *create_server(int argc, const char **argv) {
	struct display_server *server = calloc(1, sizeof(*server));
	if (server == NULL) {
		abort();
	}
	signal(SIGPIPE, SIG_IGN);
	log_init("wlcs", NULL);
	wlr_log_init(WLR_SILENT, NULL);
	server->base = (struct WlcsDisplayServer){
		.version = WLCS_DISPLAY_SERVER_VERSION,
		.start = server_start_hook,
		.stop = server_stop_hook,
		.create_client_socket = server_create_client_socket,
		.position_window_absolute = server_position_window,
		.create_pointer = server_create_pointer,
		.create_touch = server_create_touch,
		.get_descriptor = server_get_descriptor,
	};
	server->stage = stage_create(&(struct stage_options){
		.tolerant = lane_has("tolerant"),
		.bridged = lane_has("bridged"),
		.way = lane_has("arena") ? CHAIN_ARENA
				: lane_has("stream") ? CHAIN_STREAM : CHAIN_HANDOVER,
	});
	return &server->base;
}

static void destroy_server(struct WlcsDisplayServer *base) {
	struct display_server *server = (struct display_server *)(void *)base;
	stage_destroy(server->stage);
	free(server);
}

const struct WlcsServerIntegration wlcs_server_integration = {
	.version = WLCS_SERVER_INTEGRATION_VERSION,
	.create_server = create_server,
	.destroy_server = destroy_server,
};
