/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-test-devices: an application that says in lines what tablets, their pads and touchpads do
 * over its window, until it is killed.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-client.h>

#include "pointer-gestures-unstable-v1-client-protocol.h"
#include "tablet-v2-client-protocol.h"
#include "tests/harness/ignore.h"
#include "tests/harness/say.h"
#include "xdg-shell-client-protocol.h"

#define WIDTH 600
#define HEIGHT 400

static struct wl_display *display;
static struct wl_compositor *compositor;
static struct wl_shm *shm;
static struct wl_seat *seat;
static struct xdg_wm_base *wm_base;
static struct zwp_tablet_manager_v2 *tablets;
static struct zwp_pointer_gestures_v1 *gestures;

static void tool_handle_type(void *data, struct zwp_tablet_tool_v2 *tool, uint32_t type) {
	say("tool %s", type == ZWP_TABLET_TOOL_V2_TYPE_PEN ? "pen" : "other");
}

static void tool_handle_capability(
		void *data, struct zwp_tablet_tool_v2 *tool, uint32_t capability) {
	say("tool capability %u", capability);
}

static void tool_handle_proximity_in(void *data, struct zwp_tablet_tool_v2 *tool, uint32_t serial,
		struct zwp_tablet_v2 *tablet, struct wl_surface *surface) {
	say("near");
}

static void tool_handle_proximity_out(void *data, struct zwp_tablet_tool_v2 *tool) {
	say("away");
}

static void tool_handle_down(void *data, struct zwp_tablet_tool_v2 *tool, uint32_t serial) {
	say("down");
}

static void tool_handle_up(void *data, struct zwp_tablet_tool_v2 *tool) {
	say("up");
}

static void tool_handle_motion(
		void *data, struct zwp_tablet_tool_v2 *tool, wl_fixed_t x, wl_fixed_t y) {
	say("at %d %d", wl_fixed_to_int(x), wl_fixed_to_int(y));
}

static void tool_handle_pressure(void *data, struct zwp_tablet_tool_v2 *tool, uint32_t pressure) {
	say("pressure %u", pressure);
}

static void tool_handle_button(void *data, struct zwp_tablet_tool_v2 *tool, uint32_t serial,
		uint32_t button, uint32_t state) {
	say("button %u %u", button, state);
}

static const struct zwp_tablet_tool_v2_listener tool_listener = {
	.type = tool_handle_type,
	.hardware_serial = IGNORE,
	.hardware_id_wacom = IGNORE,
	.capability = tool_handle_capability,
	.done = IGNORE,
	.removed = IGNORE,
	.proximity_in = tool_handle_proximity_in,
	.proximity_out = tool_handle_proximity_out,
	.down = tool_handle_down,
	.up = tool_handle_up,
	.motion = tool_handle_motion,
	.pressure = tool_handle_pressure,
	.distance = IGNORE,
	.tilt = IGNORE,
	.rotation = IGNORE,
	.slider = IGNORE,
	.wheel = IGNORE,
	.button = tool_handle_button,
	.frame = IGNORE,
};

static void tablet_handle_name(void *data, struct zwp_tablet_v2 *tablet, const char *name) {
	say("tablet %s", name);
}

static const struct zwp_tablet_v2_listener tablet_listener = {
	.name = tablet_handle_name,
	.id = IGNORE,
	.path = IGNORE,
	.done = IGNORE,
	.removed = IGNORE,
	.bustype = IGNORE,
};

static void ring_handle_angle(
		void *data, struct zwp_tablet_pad_ring_v2 *ring, wl_fixed_t degrees) {
	say("ring at %d", wl_fixed_to_int(degrees));
}

static void ring_handle_source(
		void *data, struct zwp_tablet_pad_ring_v2 *ring, uint32_t source) {
	say("ring by %s", source == ZWP_TABLET_PAD_RING_V2_SOURCE_FINGER ? "finger" : "other");
}

static void ring_handle_stop(void *data, struct zwp_tablet_pad_ring_v2 *ring) {
	say("ring stops");
}

static void ring_handle_frame(
		void *data, struct zwp_tablet_pad_ring_v2 *ring, uint32_t time_ms) {
	say("ring frame");
}

static const struct zwp_tablet_pad_ring_v2_listener ring_listener = {
	ring_handle_source, ring_handle_angle, ring_handle_stop, ring_handle_frame};

static void strip_handle_source(
		void *data, struct zwp_tablet_pad_strip_v2 *strip, uint32_t source) {
	say("strip by %s", source == ZWP_TABLET_PAD_STRIP_V2_SOURCE_FINGER ? "finger" : "other");
}

static void strip_handle_position(
		void *data, struct zwp_tablet_pad_strip_v2 *strip, uint32_t position) {
	say("strip at %u", position);
}

static void strip_handle_stop(void *data, struct zwp_tablet_pad_strip_v2 *strip) {
	say("strip stops");
}

static void strip_handle_frame(
		void *data, struct zwp_tablet_pad_strip_v2 *strip, uint32_t time_ms) {
	say("strip frame");
}

static const struct zwp_tablet_pad_strip_v2_listener strip_listener = {
	strip_handle_source, strip_handle_position, strip_handle_stop, strip_handle_frame};

static void group_handle_buttons(
		void *data, struct zwp_tablet_pad_group_v2 *group, struct wl_array *buttons) {
	say("group has %zu buttons", buttons->size / sizeof(uint32_t));
}

static void group_handle_ring(void *data, struct zwp_tablet_pad_group_v2 *group,
		struct zwp_tablet_pad_ring_v2 *ring) {
	say("group has a ring");
	zwp_tablet_pad_ring_v2_add_listener(ring, &ring_listener, NULL);
	zwp_tablet_pad_ring_v2_set_feedback(ring, "turns", 0);
}

static void group_handle_strip(void *data, struct zwp_tablet_pad_group_v2 *group,
		struct zwp_tablet_pad_strip_v2 *strip) {
	say("group has a strip");
	zwp_tablet_pad_strip_v2_add_listener(strip, &strip_listener, NULL);
	zwp_tablet_pad_strip_v2_set_feedback(strip, "slides", 0);
}

static void group_handle_modes(
		void *data, struct zwp_tablet_pad_group_v2 *group, uint32_t modes) {
	say("group has %u modes", modes);
}

static void group_handle_done(void *data, struct zwp_tablet_pad_group_v2 *group) {
	say("group done");
}

static void group_handle_mode_switch(void *data, struct zwp_tablet_pad_group_v2 *group,
		uint32_t time_ms, uint32_t serial, uint32_t mode) {
	say("mode %u", mode);
}

static const struct zwp_tablet_pad_group_v2_listener group_listener = {
	.buttons = group_handle_buttons,
	.ring = group_handle_ring,
	.strip = group_handle_strip,
	.modes = group_handle_modes,
	.done = group_handle_done,
	.mode_switch = group_handle_mode_switch,
	.dial = IGNORE,
};

static void pad_handle_group(void *data, struct zwp_tablet_pad_v2 *pad,
		struct zwp_tablet_pad_group_v2 *group) {
	zwp_tablet_pad_group_v2_add_listener(group, &group_listener, NULL);
}

static void pad_handle_buttons(void *data, struct zwp_tablet_pad_v2 *pad, uint32_t buttons) {
	say("pad has %u buttons", buttons);
}

static void pad_handle_done(void *data, struct zwp_tablet_pad_v2 *pad) {
	say("pad done");
}

static void pad_handle_button(void *data, struct zwp_tablet_pad_v2 *pad, uint32_t time_ms,
		uint32_t button, uint32_t state) {
	say("pad button %u %u", button, state);
}

static void pad_handle_enter(void *data, struct zwp_tablet_pad_v2 *pad, uint32_t serial,
		struct zwp_tablet_v2 *tablet, struct wl_surface *surface) {
	zwp_tablet_pad_v2_set_feedback(pad, 0, "stamps", serial);
	say("pad enters");
}

static void pad_handle_leave(void *data, struct zwp_tablet_pad_v2 *pad, uint32_t serial,
		struct wl_surface *surface) {
	say("pad leaves");
}

static void pad_handle_removed(void *data, struct zwp_tablet_pad_v2 *pad) {
	say("pad removed");
}

static const struct zwp_tablet_pad_v2_listener pad_listener = {
	.group = pad_handle_group,
	.path = IGNORE,
	.buttons = pad_handle_buttons,
	.done = pad_handle_done,
	.button = pad_handle_button,
	.enter = pad_handle_enter,
	.leave = pad_handle_leave,
	.removed = pad_handle_removed,
};

static void seat_handle_tablet(
		void *data, struct zwp_tablet_seat_v2 *tablet_seat, struct zwp_tablet_v2 *tablet) {
	zwp_tablet_v2_add_listener(tablet, &tablet_listener, NULL);
}

static void seat_handle_tool(void *data, struct zwp_tablet_seat_v2 *tablet_seat,
		struct zwp_tablet_tool_v2 *tool) {
	zwp_tablet_tool_v2_add_listener(tool, &tool_listener, NULL);
}

static void seat_handle_pad(
		void *data, struct zwp_tablet_seat_v2 *tablet_seat, struct zwp_tablet_pad_v2 *pad) {
	zwp_tablet_pad_v2_add_listener(pad, &pad_listener, NULL);
}

static const struct zwp_tablet_seat_v2_listener tablet_seat_listener = {
	.tablet_added = seat_handle_tablet,
	.tool_added = seat_handle_tool,
	.pad_added = seat_handle_pad,
};

static void swipe_handle_begin(void *data, struct zwp_pointer_gesture_swipe_v1 *swipe,
		uint32_t serial, uint32_t time_ms, struct wl_surface *surface, uint32_t fingers) {
	say("swipe begins %u", fingers);
}

static void swipe_handle_update(void *data, struct zwp_pointer_gesture_swipe_v1 *swipe,
		uint32_t time_ms, wl_fixed_t dx, wl_fixed_t dy) {
	say("swipe %s %s", dx > 0 ? "right" : dx < 0 ? "left" : "-",
			dy > 0 ? "down" : dy < 0 ? "up" : "-");
}

static void swipe_handle_end(void *data, struct zwp_pointer_gesture_swipe_v1 *swipe,
		uint32_t serial, uint32_t time_ms, int32_t cancelled) {
	say("swipe ends %d", cancelled);
}

static const struct zwp_pointer_gesture_swipe_v1_listener swipe_listener = {
	swipe_handle_begin, swipe_handle_update, swipe_handle_end};

static void pinch_handle_begin(void *data, struct zwp_pointer_gesture_pinch_v1 *pinch,
		uint32_t serial, uint32_t time_ms, struct wl_surface *surface, uint32_t fingers) {
	say("pinch begins %u", fingers);
}

static void pinch_handle_update(void *data, struct zwp_pointer_gesture_pinch_v1 *pinch,
		uint32_t time_ms, wl_fixed_t dx, wl_fixed_t dy, wl_fixed_t scale,
		wl_fixed_t rotation) {
	say("pinch %s", scale > wl_fixed_from_int(1) ? "wider" : "narrower");
}

static void pinch_handle_end(void *data, struct zwp_pointer_gesture_pinch_v1 *pinch,
		uint32_t serial, uint32_t time_ms, int32_t cancelled) {
	say("pinch ends %d", cancelled);
}

static const struct zwp_pointer_gesture_pinch_v1_listener pinch_listener = {
	pinch_handle_begin, pinch_handle_update, pinch_handle_end};

static void hold_handle_begin(void *data, struct zwp_pointer_gesture_hold_v1 *hold,
		uint32_t serial, uint32_t time_ms, struct wl_surface *surface, uint32_t fingers) {
	say("hold begins %u", fingers);
}

static void hold_handle_end(void *data, struct zwp_pointer_gesture_hold_v1 *hold, uint32_t serial,
		uint32_t time_ms, int32_t cancelled) {
	say("hold ends %d", cancelled);
}

static const struct zwp_pointer_gesture_hold_v1_listener hold_listener = {
	hold_handle_begin, hold_handle_end};

/* Gestures are the pointer's, which comes with the touchpad at the latest. */
static void seat_handle_capabilities(void *data, struct wl_seat *wl_seat, uint32_t capabilities) {
	static bool asked;
	if ((capabilities & WL_SEAT_CAPABILITY_POINTER) == 0 || asked) {
		return;
	}
	asked = true;
	struct wl_pointer *pointer = wl_seat_get_pointer(seat);
	zwp_pointer_gesture_swipe_v1_add_listener(
			zwp_pointer_gestures_v1_get_swipe_gesture(gestures, pointer),
			&swipe_listener, NULL);
	zwp_pointer_gesture_pinch_v1_add_listener(
			zwp_pointer_gestures_v1_get_pinch_gesture(gestures, pointer),
			&pinch_listener, NULL);
	zwp_pointer_gesture_hold_v1_add_listener(
			zwp_pointer_gestures_v1_get_hold_gesture(gestures, pointer),
			&hold_listener, NULL);
}

static const struct wl_seat_listener seat_listener = {seat_handle_capabilities, IGNORE};

static void *bind(struct wl_registry *registry, uint32_t name,
		const struct wl_interface *interface, uint32_t version) {
	return wl_registry_bind(registry, name, interface, version);
}

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	if (strcmp(interface, "wl_compositor") == 0) {
		compositor = bind(registry, name, &wl_compositor_interface, 4);
	} else if (strcmp(interface, "wl_shm") == 0) {
		shm = bind(registry, name, &wl_shm_interface, 1);
	} else if (strcmp(interface, "wl_seat") == 0) {
		seat = bind(registry, name, &wl_seat_interface, 5);
	} else if (strcmp(interface, "xdg_wm_base") == 0) {
		wm_base = bind(registry, name, &xdg_wm_base_interface, 1);
	} else if (strcmp(interface, "zwp_tablet_manager_v2") == 0) {
		tablets = bind(registry, name, &zwp_tablet_manager_v2_interface, 1);
	} else if (strcmp(interface, "zwp_pointer_gestures_v1") == 0) {
		gestures = bind(registry, name, &zwp_pointer_gestures_v1_interface, 3);
	}
}

static const struct wl_registry_listener registry_listener = {handle_global, IGNORE};

static void handle_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	struct wl_surface *surface = data;
	int size = WIDTH * HEIGHT * 4, fd = memfd_create("window", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, size) < 0) {
		exit(2);
	}
	struct wl_shm_pool *pool = wl_shm_create_pool(shm, fd, size);
	xdg_surface_ack_configure(xdg_surface, serial);
	wl_surface_attach(surface, wl_shm_pool_create_buffer(pool, 0, WIDTH, HEIGHT, WIDTH * 4,
						   WL_SHM_FORMAT_XRGB8888), 0, 0);
	wl_surface_commit(surface);
	wl_shm_pool_destroy(pool);
	close(fd);
}

static const struct xdg_surface_listener xdg_surface_listener = {handle_configure};
static const struct xdg_toplevel_listener toplevel_listener = {IGNORE, IGNORE, IGNORE, IGNORE};

int main(void) {
	display = wl_display_connect(NULL);
	if (display == NULL) {
		return 2;
	}
	wl_registry_add_listener(wl_display_get_registry(display), &registry_listener, NULL);
	wl_display_roundtrip(display);
	if (seat == NULL || tablets == NULL || gestures == NULL) {
		return 2;
	}
	wl_seat_add_listener(seat, &seat_listener, NULL);
	zwp_tablet_seat_v2_add_listener(zwp_tablet_manager_v2_get_tablet_seat(tablets, seat),
			&tablet_seat_listener, NULL);
	struct wl_surface *surface = wl_compositor_create_surface(compositor);
	struct xdg_surface *xdg_surface = xdg_wm_base_get_xdg_surface(wm_base, surface);
	xdg_surface_add_listener(xdg_surface, &xdg_surface_listener, surface);
	xdg_toplevel_add_listener(xdg_surface_get_toplevel(xdg_surface), &toplevel_listener, NULL);
	wl_surface_commit(surface);
	say("ready");
	while (wl_display_dispatch(display) >= 0) {
	}
	return 1;
}
