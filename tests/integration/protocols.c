/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-test-protocols WHAT [ARG]: an application (or, for "method" and "idle", a program of the
 * GUI VM) that uses one protocol and says in lines what it saw. It ends at the end of its input.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <wayland-client.h>

#include "alpha-modifier-v1-client-protocol.h"
#include "color-management-v1-client-protocol.h"
#include "color-representation-v1-client-protocol.h"
#include "content-type-v1-client-protocol.h"
#include "ext-idle-notify-v1-client-protocol.h"
#include "idle-inhibit-unstable-v1-client-protocol.h"
#include "input-method-unstable-v2-client-protocol.h"
#include "kde-server-decoration-client-protocol.h"
#include "keyboard-shortcuts-inhibit-unstable-v1-client-protocol.h"
#include "pointer-gestures-unstable-v1-client-protocol.h"
#include "pointer-warp-v1-client-protocol.h"
#include "presentation-time-client-protocol.h"
#include "tablet-v2-client-protocol.h"
#include "tearing-control-v1-client-protocol.h"
#include "tests/harness/ignore.h"
#include "tests/harness/say.h"
#include "text-input-unstable-v3-client-protocol.h"
#include "xdg-dialog-v1-client-protocol.h"
#include "xdg-foreign-unstable-v1-client-protocol.h"
#include "xdg-foreign-unstable-v2-client-protocol.h"
#include "xdg-shell-client-protocol.h"
#include "xdg-system-bell-v1-client-protocol.h"
#include "xdg-toplevel-icon-v1-client-protocol.h"
#include "xdg-toplevel-tag-v1-client-protocol.h"

#define SIDE 200

/* Everything is bound that is there, at the version that is there. */
static struct {
	struct wl_compositor *compositor;
	struct wl_shm *shm;
	struct wl_seat *seat;
	struct xdg_wm_base *wm_base;
	struct wp_alpha_modifier_v1 *alpha;
	struct wp_color_manager_v1 *color;
	struct wp_color_representation_manager_v1 *representation;
	struct wp_content_type_manager_v1 *content_type;
	struct ext_idle_notifier_v1 *idle_notifier;
	struct zwp_idle_inhibit_manager_v1 *idle_inhibit;
	struct zwp_input_method_manager_v2 *methods;
	struct org_kde_kwin_server_decoration_manager *kde;
	struct zwp_keyboard_shortcuts_inhibit_manager_v1 *shortcuts;
	struct zwp_pointer_gestures_v1 *gestures;
	struct wp_pointer_warp_v1 *warp;
	struct wp_presentation *presentation;
	struct zwp_tablet_manager_v2 *tablets;
	struct wp_tearing_control_manager_v1 *tearing;
	struct zwp_text_input_manager_v3 *text_inputs;
	struct xdg_wm_dialog_v1 *dialogs;
	struct zxdg_exporter_v1 *exporter1;
	struct zxdg_importer_v1 *importer1;
	struct zxdg_exporter_v2 *exporter2;
	struct zxdg_importer_v2 *importer2;
	struct xdg_system_bell_v1 *bell;
	struct xdg_toplevel_icon_manager_v1 *icons;
	struct xdg_toplevel_tag_manager_v1 *tags;
} g;

static struct wl_display *display;
static struct wl_surface *surface;
static struct xdg_toplevel *toplevel;
static const char *arg = "";

#define BIND(field, name) {&name##_interface, (void **)&g.field}
static const struct {
	const struct wl_interface *interface;
	void **place;
} wanted[] = {
	BIND(compositor, wl_compositor),
	BIND(shm, wl_shm),
	BIND(seat, wl_seat),
	BIND(wm_base, xdg_wm_base),
	BIND(alpha, wp_alpha_modifier_v1),
	BIND(color, wp_color_manager_v1),
	BIND(representation, wp_color_representation_manager_v1),
	BIND(content_type, wp_content_type_manager_v1),
	BIND(idle_notifier, ext_idle_notifier_v1),
	BIND(idle_inhibit, zwp_idle_inhibit_manager_v1),
	BIND(methods, zwp_input_method_manager_v2),
	BIND(kde, org_kde_kwin_server_decoration_manager),
	BIND(shortcuts, zwp_keyboard_shortcuts_inhibit_manager_v1),
	BIND(gestures, zwp_pointer_gestures_v1),
	BIND(warp, wp_pointer_warp_v1),
	BIND(presentation, wp_presentation),
	BIND(tablets, zwp_tablet_manager_v2),
	BIND(tearing, wp_tearing_control_manager_v1),
	BIND(text_inputs, zwp_text_input_manager_v3),
	BIND(dialogs, xdg_wm_dialog_v1),
	BIND(exporter1, zxdg_exporter_v1),
	BIND(importer1, zxdg_importer_v1),
	BIND(exporter2, zxdg_exporter_v2),
	BIND(importer2, zxdg_importer_v2),
	BIND(bell, xdg_system_bell_v1),
	BIND(icons, xdg_toplevel_icon_manager_v1),
	BIND(tags, xdg_toplevel_tag_manager_v1),
};

static void color_handle_feature(void *data, struct wp_color_manager_v1 *color, uint32_t feature) {
	if (feature == WP_COLOR_MANAGER_V1_FEATURE_PARAMETRIC) {
		say("color parametric");
	}
}

static void color_handle_done(void *data, struct wp_color_manager_v1 *color) {
	say("color done");
}

static const struct wp_color_manager_v1_listener color_listener = {
	.supported_intent = IGNORE,
	.supported_feature = color_handle_feature,
	.supported_tf_named = IGNORE,
	.supported_primaries_named = IGNORE,
	.done = color_handle_done,
};

static void representation_handle_done(
		void *data, struct wp_color_representation_manager_v1 *representation) {
	say("representation done");
}

static const struct wp_color_representation_manager_v1_listener representation_listener = {
	.supported_alpha_mode = IGNORE,
	.supported_coefficients_and_ranges = IGNORE,
	.done = representation_handle_done,
};

static void kde_handle_default(void *data,
		struct org_kde_kwin_server_decoration_manager *manager, uint32_t mode) {
	say("kde default %u", mode);
}

static const struct org_kde_kwin_server_decoration_manager_listener kde_listener = {
	.default_mode = kde_handle_default,
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (strcmp(interface, wanted[i].interface->name) == 0) {
			uint32_t known = (uint32_t)wanted[i].interface->version;
			*wanted[i].place = wl_registry_bind(registry, name, wanted[i].interface,
					version < known ? version : known);
		}
	}
	if (strcmp(interface, "wp_color_manager_v1") == 0) {
		wp_color_manager_v1_add_listener(g.color, &color_listener, NULL);
	} else if (strcmp(interface, "wp_color_representation_manager_v1") == 0) {
		wp_color_representation_manager_v1_add_listener(
				g.representation, &representation_listener, NULL);
	} else if (strcmp(interface, "org_kde_kwin_server_decoration_manager") == 0) {
		org_kde_kwin_server_decoration_manager_add_listener(g.kde, &kde_listener, NULL);
	}
}

static const struct wl_registry_listener registry_listener = {handle_global, IGNORE};

static uint8_t shade; // of new buffers, black unless set

static struct wl_buffer *make_buffer(int side) {
	int fd = memfd_create("test", MFD_CLOEXEC);
	int size = side * side * 4;
	void *pixels = malloc((size_t)size);
	if (fd < 0 || pixels == NULL) {
		exit(2);
	}
	memset(pixels, shade, (size_t)size);
	if (write(fd, pixels, (size_t)size) != size) {
		exit(2);
	}
	free(pixels);
	struct wl_shm_pool *pool = wl_shm_create_pool(g.shm, fd, size);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(
			pool, 0, side, side, side * 4, WL_SHM_FORMAT_XRGB8888);
	wl_shm_pool_destroy(pool);
	close(fd);
	return buffer;
}

static void paint(void) {
	wl_surface_attach(surface, make_buffer(SIDE), 0, 0);
	wl_surface_damage_buffer(surface, 0, 0, SIDE, SIDE);
	wl_surface_commit(surface);
}

static void handle_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	xdg_surface_ack_configure(xdg_surface, serial);
	*(bool *)data = true;
}

static const struct xdg_surface_listener xdg_surface_listener = {handle_configure};

static void handle_ping(void *data, struct xdg_wm_base *wm_base, uint32_t serial) {
	xdg_wm_base_pong(wm_base, serial);
}

static const struct xdg_wm_base_listener wm_base_listener = {handle_ping};
static const struct xdg_toplevel_listener toplevel_listener = {IGNORE, IGNORE, IGNORE, IGNORE};

/* A window with its first frame. */
static void make_window(void) {
	static bool configured;
	xdg_wm_base_add_listener(g.wm_base, &wm_base_listener, NULL);
	surface = wl_compositor_create_surface(g.compositor);
	struct xdg_surface *xdg_surface = xdg_wm_base_get_xdg_surface(g.wm_base, surface);
	xdg_surface_add_listener(xdg_surface, &xdg_surface_listener, &configured);
	toplevel = xdg_surface_get_toplevel(xdg_surface);
	xdg_toplevel_add_listener(toplevel, &toplevel_listener, NULL);
	xdg_toplevel_set_app_id(toplevel, "protocols");
	wl_surface_commit(surface);
	while (!configured && wl_display_dispatch(display) >= 0) {
	}
	paint();
}

static void image_handle_ready2(void *data, struct wp_image_description_v1 *image,
		uint32_t identity_hi, uint32_t identity_lo) {
	say("color ready");
	struct wp_color_management_surface_v1 *managed =
			wp_color_manager_v1_get_surface(g.color, surface);
	wp_color_management_surface_v1_set_image_description(
			managed, image, WP_COLOR_MANAGER_V1_RENDER_INTENT_PERCEPTUAL);
	wl_surface_commit(surface);
}

static void image_handle_ready(
		void *data, struct wp_image_description_v1 *image, uint32_t identity) {
	image_handle_ready2(data, image, 0, identity);
}

static const struct wp_image_description_v1_listener image_listener = {
	.failed = IGNORE,
	.ready = image_handle_ready,
	.ready2 = image_handle_ready2,
};

static void do_color(void) {
	struct wp_image_description_creator_params_v1 *params =
			wp_color_manager_v1_create_parametric_creator(g.color);
	wp_image_description_creator_params_v1_set_tf_named(
			params, WP_COLOR_MANAGER_V1_TRANSFER_FUNCTION_GAMMA22);
	wp_image_description_creator_params_v1_set_primaries_named(
			params, WP_COLOR_MANAGER_V1_PRIMARIES_SRGB);
	wp_image_description_v1_add_listener(
			wp_image_description_creator_params_v1_create(params), &image_listener,
			NULL);
	struct wp_color_representation_surface_v1 *representation =
			wp_color_representation_manager_v1_get_surface(g.representation, surface);
	wp_color_representation_surface_v1_set_alpha_mode(representation,
			WP_COLOR_REPRESENTATION_SURFACE_V1_ALPHA_MODE_PREMULTIPLIED_ELECTRICAL);
}

static void kde_handle_mode(
		void *data, struct org_kde_kwin_server_decoration *decoration, uint32_t mode) {
	say("kde mode %u", mode);
}

static const struct org_kde_kwin_server_decoration_listener kde_mode_listener = {kde_handle_mode};

/* Asks for a title bar of its own. */
static void do_kde(void) {
	struct org_kde_kwin_server_decoration *decoration =
			org_kde_kwin_server_decoration_manager_create(g.kde, surface);
	org_kde_kwin_server_decoration_add_listener(decoration, &kde_mode_listener, NULL);
	org_kde_kwin_server_decoration_request_mode(
			decoration, ORG_KDE_KWIN_SERVER_DECORATION_MODE_CLIENT);
}

/* What has no events: whoever gets it wrong ends the connection. */
static void do_hints(void) {
	wp_alpha_modifier_surface_v1_set_multiplier(
			wp_alpha_modifier_v1_get_surface(g.alpha, surface), UINT32_MAX / 2);
	wp_content_type_v1_set_content_type(
			wp_content_type_manager_v1_get_surface_content_type(
					g.content_type, surface),
			WP_CONTENT_TYPE_V1_TYPE_GAME);
	wp_tearing_control_v1_set_presentation_hint(
			wp_tearing_control_manager_v1_get_tearing_control(g.tearing, surface),
			WP_TEARING_CONTROL_V1_PRESENTATION_HINT_ASYNC);
	xdg_dialog_v1_set_modal(xdg_wm_dialog_v1_get_xdg_dialog(g.dialogs, toplevel));
	xdg_toplevel_tag_manager_v1_set_toplevel_tag(g.tags, toplevel, "main");
	xdg_toplevel_tag_manager_v1_set_toplevel_description(g.tags, toplevel, "The window");
	struct xdg_toplevel_icon_v1 *icon = xdg_toplevel_icon_manager_v1_create_icon(g.icons);
	struct wl_buffer *small = make_buffer(16), *large = make_buffer(64);
	xdg_toplevel_icon_v1_set_name(icon, "utilities-terminal");
	xdg_toplevel_icon_v1_add_buffer(icon, small, 1);
	xdg_toplevel_icon_v1_add_buffer(icon, large, 2);
	xdg_toplevel_icon_manager_v1_set_icon(g.icons, toplevel, icon);
	xdg_toplevel_icon_v1_destroy(icon);
	wl_buffer_destroy(small);
	wl_buffer_destroy(large);
	struct wl_pointer *pointer = wl_seat_get_pointer(g.seat);
	zwp_pointer_gestures_v1_get_swipe_gesture(g.gestures, pointer);
	zwp_pointer_gestures_v1_get_pinch_gesture(g.gestures, pointer);
	zwp_pointer_gestures_v1_get_hold_gesture(g.gestures, pointer);
	zwp_tablet_manager_v2_get_tablet_seat(g.tablets, g.seat);
	wl_surface_commit(surface);
	say(wl_display_roundtrip(display) >= 0 ? "hints taken" : "hints refused");
}

static void shortcuts_handle_active(
		void *data, struct zwp_keyboard_shortcuts_inhibitor_v1 *inhibitor) {
	say("shortcuts active");
}

static const struct zwp_keyboard_shortcuts_inhibitor_v1_listener shortcuts_listener = {
	.active = shortcuts_handle_active,
	.inactive = IGNORE,
};

static void do_shortcuts(void) {
	zwp_keyboard_shortcuts_inhibitor_v1_add_listener(
			zwp_keyboard_shortcuts_inhibit_manager_v1_inhibit_shortcuts(
					g.shortcuts, surface, g.seat),
			&shortcuts_listener, NULL);
}

static void do_bell(void) {
	xdg_system_bell_v1_ring(g.bell, surface);
	wl_display_roundtrip(display);
	say("rung");
}

static void do_plain(void) {
}

static void do_white(void) {
	shade = UINT8_MAX;
	paint();
	wl_display_roundtrip(display);
	say("shown");
}

static void do_fade(void) {
	wp_alpha_modifier_surface_v1_set_multiplier(
			wp_alpha_modifier_v1_get_surface(g.alpha, surface), UINT32_MAX / 2);
	do_white();
}

static void do_inhibit(void) {
	zwp_idle_inhibit_manager_v1_create_inhibitor(g.idle_inhibit, surface);
}

static void handle_idled(void *data, struct ext_idle_notification_v1 *notification) {
	say("%s idled", (const char *)data);
}

static const struct ext_idle_notification_v1_listener idle_listener = {handle_idled, IGNORE};

/* A local program: the one that inhibitors count for, and the one that they do not. */
static void do_idle(void) {
	static char any[] = "user", input[] = "input";
	ext_idle_notification_v1_add_listener(
			ext_idle_notifier_v1_get_idle_notification(g.idle_notifier, 100, g.seat),
			&idle_listener, any);
	ext_idle_notification_v1_add_listener(
			ext_idle_notifier_v1_get_input_idle_notification(
					g.idle_notifier, 200, g.seat),
			&idle_listener, input);
}

static void handle_handle1(void *data, struct zxdg_exported_v1 *exported, const char *handle) {
	say("handle %s", handle);
}

static const struct zxdg_exported_v1_listener exported1_listener = {handle_handle1};

static void handle_handle2(void *data, struct zxdg_exported_v2 *exported, const char *handle) {
	say("handle %s", handle);
}

static const struct zxdg_exported_v2_listener exported2_listener = {handle_handle2};

static void do_export1(void) {
	zxdg_exported_v1_add_listener(
			zxdg_exporter_v1_export(g.exporter1, surface), &exported1_listener, NULL);
}

static void do_export2(void) {
	zxdg_exported_v2_add_listener(zxdg_exporter_v2_export_toplevel(g.exporter2, surface),
			&exported2_listener, NULL);
}

static bool refused;

static void imported1_handle_destroyed(void *data, struct zxdg_imported_v1 *imported) {
	refused = true;
}

static const struct zxdg_imported_v1_listener imported1_listener = {imported1_handle_destroyed};

static void imported2_handle_destroyed(void *data, struct zxdg_imported_v2 *imported) {
	refused = true;
}

static const struct zxdg_imported_v2_listener imported2_listener = {imported2_handle_destroyed};

static void do_import1(void) {
	struct zxdg_imported_v1 *imported = zxdg_importer_v1_import(g.importer1, arg);
	zxdg_imported_v1_add_listener(imported, &imported1_listener, NULL);
	zxdg_imported_v1_set_parent_of(imported, surface);
	wl_display_roundtrip(display);
	say(refused ? "import refused" : "import taken");
}

static void do_import2(void) {
	struct zxdg_imported_v2 *imported = zxdg_importer_v2_import_toplevel(g.importer2, arg);
	zxdg_imported_v2_add_listener(imported, &imported2_listener, NULL);
	zxdg_imported_v2_set_parent_of(imported, surface);
	wl_display_roundtrip(display);
	say(refused ? "import refused" : "import taken");
}

static void text_handle_enter(
		void *data, struct zwp_text_input_v3 *input, struct wl_surface *entered) {
	zwp_text_input_v3_enable(input);
	zwp_text_input_v3_set_surrounding_text(input, "before", 6, 6);
	zwp_text_input_v3_set_cursor_rectangle(input, 20, 30, 2, 16);
	zwp_text_input_v3_commit(input);
	say("text entered");
}

static void text_handle_commit(void *data, struct zwp_text_input_v3 *input, const char *text) {
	say("text commit %s", text);
}

static void text_handle_preedit(void *data, struct zwp_text_input_v3 *input, const char *text,
		int32_t begin, int32_t end) {
	say("text preedit %s %d %d", text != NULL ? text : "", begin, end);
}

static const struct zwp_text_input_v3_listener text_listener = {
	.enter = text_handle_enter,
	.leave = IGNORE,
	.preedit_string = text_handle_preedit,
	.commit_string = text_handle_commit,
	.delete_surrounding_text = IGNORE,
	.done = IGNORE,
};

static void do_text(void) {
	zwp_text_input_v3_add_listener(
			zwp_text_input_manager_v3_get_text_input(g.text_inputs, g.seat),
			&text_listener, NULL);
}

static uint32_t method_serial;
static bool method_active;

static void method_handle_surrounding(void *data, struct zwp_input_method_v2 *method,
		const char *text, uint32_t cursor, uint32_t anchor) {
	say("method surrounding %s %u", text, cursor);
}

static void method_handle_activate(void *data, struct zwp_input_method_v2 *method) {
	method_active = true;
}

/* Types a letter that needs an input method, and shows its window. */
static void method_handle_done(void *data, struct zwp_input_method_v2 *method) {
	method_serial++;
	if (!method_active) {
		return;
	}
	method_active = false;
	say("method active");
	zwp_input_method_v2_commit_string(method, "\xe6\xbc\xa2");
	zwp_input_method_v2_set_preedit_string(method, "kan", 0, 3);
	zwp_input_method_v2_commit(method, method_serial);
	if (surface == NULL) {
		surface = wl_compositor_create_surface(g.compositor);
		zwp_input_method_v2_get_input_popup_surface(method, surface);
		paint();
	}
}

static const struct zwp_input_method_v2_listener method_listener = {
	.activate = method_handle_activate,
	.deactivate = IGNORE,
	.surrounding_text = method_handle_surrounding,
	.text_change_cause = IGNORE,
	.content_type = IGNORE,
	.done = method_handle_done,
	.unavailable = IGNORE,
};

static void do_method(void) {
	zwp_input_method_v2_add_listener(
			zwp_input_method_manager_v2_get_input_method(g.methods, g.seat),
			&method_listener, NULL);
}

static void warp_handle_enter(void *data, struct wl_pointer *pointer, uint32_t serial,
		struct wl_surface *entered, wl_fixed_t x, wl_fixed_t y) {
	say("warp entered");
	wp_pointer_warp_v1_warp_pointer(g.warp, surface, pointer, wl_fixed_from_int(11),
			wl_fixed_from_int(13), serial);
}

static void warp_handle_motion(
		void *data, struct wl_pointer *pointer, uint32_t time, wl_fixed_t x, wl_fixed_t y) {
	say("warp at %d %d", wl_fixed_to_int(x), wl_fixed_to_int(y));
}

static const struct wl_pointer_listener warp_listener = {
	.enter = warp_handle_enter,
	.leave = IGNORE,
	.motion = warp_handle_motion,
	.button = IGNORE,
	.axis = IGNORE,
	.frame = IGNORE,
	.axis_source = IGNORE,
	.axis_stop = IGNORE,
	.axis_discrete = IGNORE,
	.axis_value120 = IGNORE,
	.axis_relative_direction = IGNORE,
};

static void do_warp(void) {
	wl_pointer_add_listener(wl_seat_get_pointer(g.seat), &warp_listener, NULL);
}

static int64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t drawn_ns;
static int frames_left = 30;

static void draw(void);

/* It was shown after it was drawn, and before it is told of. */
static void presented(void *data, struct wp_presentation_feedback *feedback, uint32_t sec_hi,
		uint32_t sec_lo, uint32_t nsec, uint32_t refresh, uint32_t seq_hi, uint32_t seq_lo,
		uint32_t flags) {
	int64_t shown_ns =
			(int64_t)((uint64_t)sec_hi << 32 | sec_lo) * 1000000000 + (int64_t)nsec;
	int64_t early_us = (drawn_ns - shown_ns) / 1000, late_us = (shown_ns - now_ns()) / 1000;
	say("presented %lld %lld", (long long)early_us, (long long)late_us);
	wp_presentation_feedback_destroy(feedback);
	if (--frames_left > 0) {
		draw();
	} else {
		say("presented all");
	}
}

static const struct wp_presentation_feedback_listener feedback_listener = {
	.sync_output = IGNORE,
	.presented = presented,
	.discarded = IGNORE,
};

static void frame_handle_done(void *data, struct wl_callback *callback, uint32_t time_ms) {
	int32_t late_ms = (int32_t)(time_ms - (uint32_t)(now_ns() / 1000000));
	int32_t early_ms = (int32_t)((uint32_t)(drawn_ns / 1000000) - time_ms);
	say("frame %d %d", early_ms, late_ms);
	wl_callback_destroy(callback);
}

static const struct wl_callback_listener frame_listener = {frame_handle_done};

static void draw(void) {
	drawn_ns = now_ns();
	wp_presentation_feedback_add_listener(
			wp_presentation_feedback(g.presentation, surface), &feedback_listener,
			NULL);
	wl_callback_add_listener(wl_surface_frame(surface), &frame_listener, NULL);
	paint();
}

static void do_clock(void) {
	draw();
}

/* Whatever it says: the same once more. */
static void (*handle_line)(void);

static const struct {
	const char *name;
	void (*run)(void);
	bool window;
} things[] = {
	{"color", do_color, true},
	{"kde", do_kde, true},
	{"hints", do_hints, true},
	{"shortcuts", do_shortcuts, true},
	{"bell", do_bell, true},
	{"plain", do_plain, true},
	{"white", do_white, true},
	{"fade", do_fade, true},
	{"inhibit", do_inhibit, true},
	{"idle", do_idle, false},
	{"export1", do_export1, true},
	{"export2", do_export2, true},
	{"import1", do_import1, true},
	{"import2", do_import2, true},
	{"text", do_text, true},
	{"method", do_method, false},
	{"warp", do_warp, true},
	{"clock", do_clock, true},
};

static int run(void) {
	struct pollfd fds[2] = {
		{.fd = wl_display_get_fd(display), .events = POLLIN},
		{.fd = STDIN_FILENO, .events = POLLIN},
	};
	while (wl_display_dispatch_pending(display) >= 0) {
		wl_display_flush(display);
		char line[64];
		if (poll(fds, 2, -1) < 0) {
			return 2;
		}
		if (fds[1].revents != 0 && read(STDIN_FILENO, line, sizeof(line)) > 0) {
			handle_line();
			continue;
		}
		if (fds[1].revents != 0) {
			// A compositor does not read what somebody said who is gone.
			wl_display_roundtrip(display);
			return 0;
		}
		if (fds[0].revents != 0 && wl_display_dispatch(display) < 0) {
			break;
		}
	}
	say("connection lost: %s", strerror(errno));
	return 1;
}

int main(int argc, char **argv) {
	arg = argc > 2 ? argv[2] : "";
	display = wl_display_connect(NULL);
	if (display == NULL || argc < 2) {
		return 2;
	}
	struct wl_registry *registry = wl_display_get_registry(display);
	wl_registry_add_listener(registry, &registry_listener, NULL);
	wl_display_roundtrip(display);
	wl_display_roundtrip(display);
	for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
		if (strcmp(argv[1], things[i].name) != 0) {
			continue;
		}
		if (things[i].window) {
			make_window();
			wl_display_roundtrip(display);
		}
		say("ready");
		handle_line = things[i].run;
		things[i].run();
		return run();
	}
	return 2;
}
