/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wlr/interfaces/wlr_tablet_tool.h>
#include <wlr/interfaces/wlr_touch.h>
#include <wlr/types/wlr_output.h>

#include "common/fd.h"
#include "guivm-server/seat.h"
#include "guivm-server/server.h"
#include "tests/guivm-server/desk.h"
#include "tests/harness/ignore.h"

/*
 * Clients of VMs make requests at random, of every interface that they are offered, with arguments
 * of the right types and any values, while a user points, touches, draws and types. They are thrown
 * out again and again; the client of another VM notices nothing. What the requests are comes from
 * libwayland's tables: a protocol that is added is tried, too, once its global is listed here.
 */
#define N_STEPS 4000
#define MOST_CHATTERERS 3
#define MOST_OBJECTS 300
#define MEMORY_BYTES (512 * 1024)
#define WHITE 0xffffffff

#define GLOBALS(X) \
	X(wl_compositor) X(wl_subcompositor) X(wl_shm) X(wl_seat) X(wl_output) \
	X(wl_data_device_manager) X(wl_fixes) X(xdg_wm_base) X(zxdg_decoration_manager_v1) \
	X(wp_viewporter) X(wp_fractional_scale_manager_v1) X(wp_cursor_shape_manager_v1) \
	X(zwp_primary_selection_device_manager_v1) X(wp_presentation) X(zxdg_output_manager_v1) \
	X(wp_single_pixel_buffer_manager_v1) X(xdg_activation_v1) \
	X(zwp_relative_pointer_manager_v1) X(zwp_pointer_constraints_v1) \
	X(zwp_text_input_manager_v3) X(zwp_tablet_manager_v2) X(zwp_pointer_gestures_v1) \
	X(zwp_idle_inhibit_manager_v1) X(zwp_keyboard_shortcuts_inhibit_manager_v1) \
	X(wp_content_type_manager_v1) X(wp_tearing_control_manager_v1) X(wp_alpha_modifier_v1) \
	X(xdg_wm_dialog_v1) X(xdg_toplevel_icon_manager_v1) X(xdg_toplevel_tag_manager_v1) \
	X(xdg_system_bell_v1) X(zxdg_exporter_v1) X(zxdg_importer_v1) X(zxdg_exporter_v2) \
	X(zxdg_importer_v2) X(wp_color_manager_v1) X(wp_color_representation_manager_v1) \
	X(wp_pointer_warp_v1) X(org_kde_kwin_server_decoration_manager) X(wp_fifo_manager_v1) \
	X(wp_commit_timing_manager_v1) X(isthmus_arena_manager_v1)
#define DECLARE(name) extern const struct wl_interface name##_interface;
#define ADDRESS(name) &name##_interface,
GLOBALS(DECLARE)
static const struct wl_interface *const globals[] = {GLOBALS(ADDRESS)};

struct thing {
	struct wl_proxy *proxy;
	const struct wl_interface *interface;
};

struct chatterer {
	const char *vm;
	struct app app;
	struct wl_registry *registry;
	struct thing things[MOST_OBJECTS];
	size_t n_things;
	struct wl_buffer *buffers[3]; // that can be shown
	uint32_t serial; // of some event of late
};

static char text_of_late[64]; // that any of them was sent: a token or handle, say

static uint64_t random_state;

static int pick(int n) {
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (int)((random_state >> 33) % (uint64_t)n);
}

static int32_t any_number(void) {
	static const int32_t wild[] = {-1, INT32_MIN, INT32_MAX, 65536, -1000, 16384};
	int kind = pick(40);
	if (kind == 0) {
		return wild[pick(sizeof(wild) / sizeof(wild[0]))];
	}
	return kind < 4 ? 0 : kind < 16 ? 1 + pick(4) : 1 + pick(300);
}

static int dispatch(const void *implementation, void *target, uint32_t opcode,
		const struct wl_message *message, union wl_argument *args);

static void keep(struct chatterer *chatterer, struct wl_proxy *proxy,
		const struct wl_interface *interface) {
	wl_proxy_add_dispatcher(proxy, dispatch, chatterer, NULL);
	if (chatterer->n_things == MOST_OBJECTS) {
		wl_proxy_destroy(proxy); // the compositor keeps it
		return;
	}
	chatterer->things[chatterer->n_things++] = (struct thing){proxy, interface};
}

static void forget(struct chatterer *chatterer, const struct wl_proxy *proxy) {
	for (size_t i = 0; i < chatterer->n_things; i++) {
		if (chatterer->things[i].proxy == proxy) {
			chatterer->things[i] = chatterer->things[--chatterer->n_things];
			return;
		}
	}
}

static struct wl_proxy *find(struct chatterer *chatterer, const struct wl_interface *interface) {
	size_t first = chatterer->n_things > 0 ? (size_t)pick((int)chatterer->n_things) : 0;
	for (size_t i = 0; i < chatterer->n_things; i++) {
		struct thing *thing = &chatterer->things[(first + i) % chatterer->n_things];
		if (thing->interface == interface) {
			return thing->proxy;
		}
	}
	return NULL;
}

/* Skips the version that a message is there since. */
static const char *next_type(const char *signature, bool *nullable) {
	*nullable = false;
	while (*signature >= '0' && *signature <= '9') {
		signature++;
	}
	if (*signature == '?') {
		*nullable = true;
		signature++;
	}
	return signature;
}

static bool tells_serial(const char *event) {
	return strcmp(event, "enter") == 0 || strcmp(event, "button") == 0 ||
		strcmp(event, "down") == 0 || strcmp(event, "key") == 0;
}

static int dispatch(const void *implementation, void *target, uint32_t opcode,
		const struct wl_message *message, union wl_argument *args) {
	struct chatterer *chatterer = (struct chatterer *)implementation;
	bool nullable;
	const char *type = next_type(message->signature, &nullable);
	for (int i = 0; *type != '\0'; i++, type = next_type(type + 1, &nullable)) {
		if (*type == 'n' && args[i].o != NULL) {
			keep(chatterer, (struct wl_proxy *)args[i].o, message->types[i]);
		} else if (*type == 'h') {
			close(args[i].h);
		} else if (*type == 'u' && i == 0 && tells_serial(message->name)) {
			chatterer->serial = args[i].u;
		} else if (*type == 's' && args[i].s != NULL) {
			snprintf(text_of_late, sizeof(text_of_late), "%s", args[i].s);
		}
	}
	const char *class = wl_proxy_get_class(target);
	if (strcmp(class, "xdg_surface") == 0 && pick(32) > 0) {
		union wl_argument serial = {.u = args[0].u};
		const uint32_t ack_configure = 4;
		wl_proxy_marshal_array_flags(target, ack_configure, NULL, 1, 0, &serial);
	}
	return 0;
}

/* false: there is nothing for this argument. */
static bool make_argument(struct chatterer *chatterer, char type, bool nullable,
		const struct wl_interface *interface, union wl_argument *arg) {
	static const char *const texts[] = {"", "text/plain", "a title\n\x1b[31m", "\xe2\x80\xae"};
	switch (type) {
	case 'i':
		arg->i = any_number();
		break;
	case 'u':
		arg->u = pick(2) == 0 ? (uint32_t)any_number()
				      : pick(2) == 0 ? chatterer->serial : chatterer->app.serial;
		break;
	case 'f':
		arg->f = wl_fixed_from_int(any_number() % 10000);
		break;
	case 's':
		arg->s = pick(2) == 0 ? text_of_late : texts[pick(4)];
		break;
	case 'o':
		arg->o = (struct wl_object *)(nullable && pick(4) == 0 ? NULL
					: interface != NULL ? find(chatterer, interface) : NULL);
		return arg->o != NULL || nullable;
	case 'n':
		arg->o = NULL;
		return interface != NULL;
	case 'h':
		arg->h = fd_memory("anything", MEMORY_BYTES);
		return arg->h >= 0;
	default:
		return false;
	}
	return true;
}

/* Most of the time it would be the last one. */
static bool is_deadly(const char *request) {
	static const char *const requests[] = {"create_arena", "create_windows_scrgb",
		"create_icc_creator", "get_subsurface", "get_toplevel_decoration", "get_toplevel",
		"get_popup", "export", "export_toplevel", "create_pool", "attach", "resize",
		"ack_configure", "get_xdg_surface", "set_window_geometry", "get_surface",
		"get_viewport", "get_fifo", "get_timer", "get_fractional_scale", "set_parent",
		"get_tearing_control", "inhibit_shortcuts", "get_xdg_dialog", "set_cursor",
		"get_surface_content_type", "create_parametric_creator"};
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (strcmp(request, requests[i]) == 0) {
			return pick(16) > 0;
		}
	}
	return false;
}

static bool is_destructor(const struct wl_interface *interface, const struct wl_message *message) {
	return strcmp(message->name, "destroy") == 0 || strcmp(message->name, "release") == 0 ||
		(strcmp(message->name, "create") == 0 &&
			strcmp(interface->name, "wp_image_description_creator_params_v1") == 0);
}

static void say(struct chatterer *chatterer, const struct thing *thing) {
	const struct wl_interface *interface = thing->interface;
	struct wl_proxy *proxy = thing->proxy;
	if (interface->method_count == 0) {
		return;
	}
	uint32_t opcode = (uint32_t)pick(interface->method_count);
	const struct wl_message *message = &interface->methods[opcode];
	bool nullable, ends = is_destructor(interface, message);
	union wl_argument args[20] = {0};
	const struct wl_interface *made = NULL;
	int fd = -1;
	if (strtol(message->signature, NULL, 10) > (long)wl_proxy_get_version(proxy) ||
			(ends && pick(12) > 0) || is_deadly(message->name)) {
		return;
	}
	const char *type = next_type(message->signature, &nullable);
	for (int i = 0; *type != '\0'; i++, type = next_type(type + 1, &nullable)) {
		if (!make_argument(chatterer, *type, nullable, message->types[i], &args[i])) {
			fd_close(&fd);
			return;
		}
		made = *type == 'n' ? message->types[i] : made;
		fd = *type == 'h' ? args[i].h : fd;
	}
	if (ends) {
		forget(chatterer, proxy);
	}
	struct wl_proxy *result = wl_proxy_marshal_array_flags(proxy, opcode, made,
			wl_proxy_get_version(proxy), ends ? WL_MARSHAL_FLAG_DESTROY : 0, args);
	fd_close(&fd);
	if (result != NULL) {
		keep(chatterer, result, made);
	}
}

static char is_shown; // user data of a surface that was configured

/* What rarely comes about by itself: something is shown. */
static void show(struct chatterer *chatterer) {
	struct wl_surface *surface =
			(struct wl_surface *)find(chatterer, &wl_surface_interface);
	if (surface == NULL) {
		return;
	}
	bool shown = wl_proxy_get_user_data((struct wl_proxy *)surface) == &is_shown;
	if (pick(2) == 0 && (shown || pick(200) == 0)) {
		wl_surface_attach(surface, chatterer->buffers[pick(3)], 0, 0);
		wl_surface_damage_buffer(surface, 0, 0, 100, 100);
	}
	if (shown || pick(40) == 0) {
		wl_surface_commit(surface);
	}
}

static void make_window(struct chatterer *chatterer) {
	struct xdg_wm_base *base =
			(struct xdg_wm_base *)find(chatterer, &xdg_wm_base_interface);
	struct wl_compositor *compositor =
			(struct wl_compositor *)find(chatterer, &wl_compositor_interface);
	if (base == NULL || compositor == NULL) {
		return;
	}
	struct wl_surface *surface = wl_compositor_create_surface(compositor);
	struct xdg_surface *xdg_surface = xdg_wm_base_get_xdg_surface(base, surface);
	keep(chatterer, (struct wl_proxy *)surface, &wl_surface_interface);
	keep(chatterer, (struct wl_proxy *)xdg_surface, &xdg_surface_interface);
	if (pick(16) == 0) {
		return;
	}
	keep(chatterer, (struct wl_proxy *)xdg_surface_get_toplevel(xdg_surface),
			&xdg_toplevel_interface);
	wl_surface_commit(surface);
	app_roundtrip(&chatterer->app);
	if (wl_display_get_error(chatterer->app.display) == 0 && pick(16) > 0) {
		wl_surface_attach(surface, chatterer->buffers[pick(3)], 0, 0);
		wl_surface_commit(surface);
		wl_proxy_set_user_data((struct wl_proxy *)surface, &is_shown);
		wl_proxy_set_user_data((struct wl_proxy *)xdg_surface, &is_shown);
	}
}

/* A menu, say. */
static void make_popup(struct chatterer *chatterer) {
	struct wl_proxy *parent = find(chatterer, &xdg_surface_interface);
	struct xdg_wm_base *base = (struct xdg_wm_base *)find(chatterer, &xdg_wm_base_interface);
	struct wl_compositor *compositor =
			(struct wl_compositor *)find(chatterer, &wl_compositor_interface);
	if (base == NULL || compositor == NULL || parent == NULL ||
			(wl_proxy_get_user_data(parent) != &is_shown && pick(20) > 0)) {
		return;
	}
	struct xdg_positioner *positioner = xdg_wm_base_create_positioner(base);
	xdg_positioner_set_size(positioner, 50, 50);
	xdg_positioner_set_anchor_rect(positioner, 0, 0, 10, 10);
	struct wl_surface *surface = wl_compositor_create_surface(compositor);
	struct xdg_surface *xdg_surface = xdg_wm_base_get_xdg_surface(base, surface);
	keep(chatterer, (struct wl_proxy *)surface, &wl_surface_interface);
	keep(chatterer, (struct wl_proxy *)xdg_surface, &xdg_surface_interface);
	struct xdg_popup *popup = xdg_surface_get_popup(
			xdg_surface, pick(50) == 0 ? NULL : (struct xdg_surface *)parent,
			positioner);
	keep(chatterer, (struct wl_proxy *)popup, &xdg_popup_interface);
	keep(chatterer, (struct wl_proxy *)positioner, &xdg_positioner_interface);
	if (pick(2) == 0) {
		xdg_popup_grab(popup, chatterer->app.seat, chatterer->app.serial);
	}
	if (pick(16) > 0) {
		wl_surface_commit(surface);
		app_roundtrip(&chatterer->app);
		wl_proxy_set_user_data((struct wl_proxy *)surface, &is_shown);
		wl_proxy_set_user_data((struct wl_proxy *)xdg_surface, &is_shown);
	}
}

static void drag(struct chatterer *chatterer) {
	struct wl_data_device *device =
			(struct wl_data_device *)find(chatterer, &wl_data_device_interface);
	struct wl_surface *origin = chatterer->app.pointer_focus;
	if (device != NULL && origin != NULL) {
		wl_data_device_start_drag(device,
				(struct wl_data_source *)find(chatterer, &wl_data_source_interface),
				origin, NULL, chatterer->app.serial);
	}
}

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct chatterer *chatterer = data;
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		if (strcmp(globals[i]->name, interface) == 0) {
			uint32_t most = (uint32_t)globals[i]->version;
			keep(chatterer, wl_registry_bind(registry, name, globals[i],
					version < most ? version : most), globals[i]);
		}
	}
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = IGNORE,
};

static void chatterer_connect(struct chatterer *chatterer, struct desk *desk, const char *vm) {
	*chatterer = (struct chatterer){.vm = vm};
	app_connect(&chatterer->app, desk, vm);
	for (int i = 0; i < 3; i++) {
		chatterer->buffers[i] = app_buffer(&chatterer->app, 100 + 90 * i, 100, WHITE);
	}
	chatterer->registry = wl_display_get_registry(chatterer->app.display);
	wl_registry_add_listener(chatterer->registry, &registry_listener, chatterer);
	app_roundtrip(&chatterer->app);
}

static void chatterer_disconnect(struct chatterer *chatterer) {
	while (chatterer->n_things > 0) {
		wl_proxy_destroy(chatterer->things[--chatterer->n_things].proxy);
	}
	for (int i = 0; i < 3; i++) {
		wl_proxy_destroy((struct wl_proxy *)chatterer->buffers[i]);
	}
	wl_registry_destroy(chatterer->registry);
	app_disconnect(&chatterer->app);
}

static void chatterer_step(struct chatterer *chatterer) {
	switch (pick(16)) {
	case 0:
		make_window(chatterer);
		break;
	case 1:
	case 2:
		show(chatterer);
		break;
	case 3:
		make_popup(chatterer);
		break;
	case 4:
		drag(chatterer);
		break;
	default:
		if (chatterer->n_things > 0) {
			struct thing thing = chatterer->things[pick((int)chatterer->n_things)];
			say(chatterer, &thing);
		}
		break;
	}
}

/* The user. */

static const struct wlr_touch_impl touch_impl = {.name = "test"};
static const struct wlr_tablet_impl tablet_impl = {.name = "test"};

struct user {
	struct desk *desk;
	struct wlr_touch touch;
	struct wlr_tablet tablet;
	struct wlr_tablet_tool pen;
	bool touches, draws, presses;
	struct wlr_output *second; // NULL: unplugged
};

static void user_init(struct user *user, struct desk *desk) {
	*user = (struct user){.desk = desk};
	wlr_touch_init(&user->touch, &touch_impl, "test");
	wlr_tablet_init(&user->tablet, &tablet_impl, "test");
	user->pen.type = WLR_TABLET_TOOL_TYPE_PEN;
	wl_signal_init(&user->pen.events.destroy);
	seat_add_device(&desk->server, &user->touch.base);
	seat_add_device(&desk->server, &user->tablet.base);
}

static void user_finish(struct user *user) {
	wl_signal_emit_mutable(&user->pen.events.destroy, &user->pen);
	wlr_tablet_finish(&user->tablet);
	wlr_touch_finish(&user->touch);
}

static void user_touch(struct user *user) {
	double x = pick(1000) / 1000.0, y = pick(1000) / 1000.0;
	struct wlr_touch *touch = &user->touch;
	if (!user->touches) {
		wl_signal_emit_mutable(&touch->events.down, &(struct wlr_touch_down_event){
			.touch = touch, .x = x, .y = y,
		});
		user->touches = true;
	} else if (pick(3) > 0) {
		wl_signal_emit_mutable(&touch->events.motion, &(struct wlr_touch_motion_event){
			.touch = touch, .x = x, .y = y,
		});
	} else if (pick(4) > 0) {
		wl_signal_emit_mutable(
				&touch->events.up, &(struct wlr_touch_up_event){.touch = touch});
		user->touches = false;
	} else {
		wl_signal_emit_mutable(&touch->events.cancel,
				&(struct wlr_touch_cancel_event){.touch = touch});
		user->touches = false;
	}
	wl_signal_emit_mutable(&touch->events.frame, NULL);
}

static void user_draw(struct user *user) {
	double x = pick(1000) / 1000.0, y = pick(1000) / 1000.0;
	struct wlr_tablet *tablet = &user->tablet;
	if (pick(3) > 0) {
		wl_signal_emit_mutable(&tablet->events.axis, &(struct wlr_tablet_tool_axis_event){
			.tablet = tablet, .tool = &user->pen, .x = x, .y = y,
			.updated_axes = WLR_TABLET_TOOL_AXIS_X | WLR_TABLET_TOOL_AXIS_Y,
		});
	} else {
		user->draws = !user->draws;
		wl_signal_emit_mutable(&tablet->events.tip, &(struct wlr_tablet_tool_tip_event){
			.tablet = tablet, .tool = &user->pen,
			.state = user->draws ? WLR_TABLET_TOOL_TIP_DOWN : WLR_TABLET_TOOL_TIP_UP,
		});
	}
}

static void user_plug_output(struct user *user) {
	if (user->second != NULL) {
		wlr_output_destroy(user->second);
		user->second = NULL;
	} else {
		user->second = server_add_headless_output(
				&user->desk->server, 400, 300, 1.0f + (float)pick(2));
	}
}

static void user_step(struct user *user) {
	int what = pick(60);
	if (what == 0) {
		user_plug_output(user);
	} else if (what < 10) {
		user_touch(user);
	} else if (what < 20) {
		user_draw(user);
	} else if (what < 30) {
		desk_tap(user->desk, KEY_A);
	} else if (what < 40) {
		user->presses = !user->presses;
		desk_button(user->desk, user->presses);
	} else {
		desk_point(user->desk, pick(DESK_WIDTH), pick(DESK_HEIGHT));
	}
}

static void chatter(uint64_t seed, int n_chatterers) {
	static struct chatterer chatterers[MOST_CHATTERERS];
	static const char *const vms[MOST_CHATTERERS] = {"untrusted", "untrusted", "personal"};
	random_state = seed;
	text_of_late[0] = '\0';
	struct desk desk;
	struct user user;
	struct app other;
	struct app_window window;
	desk_init(&desk);
	user_init(&user, &desk);
	app_connect(&other, &desk, "work");
	app_window_create(&window, &other);
	app_window_show(&window, 200, 100, WHITE);
	for (int i = 0; i < n_chatterers; i++) {
		chatterer_connect(&chatterers[i], &desk, vms[i]);
	}
	for (int step = 0; step < n_chatterers * N_STEPS; step++) {
		int speaker = n_chatterers == 1 ? 0 : pick(n_chatterers);
		struct chatterer *chatterer = &chatterers[speaker];
		chatterer_step(chatterer);
		if (pick(4) == 0) {
			user_step(&user);
			app_roundtrip(&other);
		}
		other.n_keys = 0; // nobody looks
		for (int i = 0; i < n_chatterers; i++) {
			chatterers[i].app.n_keys = 0;
		}
		if (pick(4) == 0) {
			app_roundtrip(&chatterer->app);
		}
		if (wl_display_get_error(chatterer->app.display) != 0) {
			chatterer_disconnect(chatterer);
			chatterer_connect(chatterer, &desk, chatterer->vm);
		}
		if (pick(100) == 0) {
			desk_look(&desk);
			EXPECT_INT(app_error(&other), -1);
			for (int i = 0; i < n_chatterers && n_chatterers > 1; i++) {
				app_roundtrip(&chatterers[i].app);
			}
		}
	}
	for (int i = 0; i < n_chatterers; i++) {
		chatterer_disconnect(&chatterers[i]);
	}
	EXPECT_INT(app_error(&other), -1);
	app_disconnect(&other);
	user_finish(&user);
	desk_finish(&desk);
	desk_close_random();
}

TEST(anything_a_client_says_costs_itself_at_most_1) {
	chatter(1, 1);
}

TEST(anything_a_client_says_costs_itself_at_most_2) {
	chatter(2, 1);
}

TEST(anything_a_client_says_costs_itself_at_most_3) {
	chatter(3, 1);
}

TEST(anything_clients_say_costs_themselves_at_most) {
	chatter(4, 3);
}
