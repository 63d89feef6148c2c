/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/tablet.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wlr/backend.h>
#include <wlr/interfaces/wlr_tablet_pad.h>
#include <wlr/interfaces/wlr_tablet_tool.h>

#define MILLIONTHS 1000000.0

static const struct wlr_tablet_impl tablet_impl = {.name = "isthmus-test"};
static const struct wlr_tablet_pad_impl pad_impl = {.name = "isthmus-test"};
static struct wlr_tablet tablet; // plugged in when impl is not NULL, as is pad
static struct wlr_tablet_tool pen;
static struct wlr_tablet_pad pad;
static unsigned int buttons[] = {0, 1, 2, 3}, ring = 0, strip = 0;
static struct wlr_tablet_pad_group group = {
	.button_count = 4,
	.buttons = buttons,
	.ring_count = 1,
	.rings = &ring,
	.strip_count = 1,
	.strips = &strip,
	.mode_count = 2,
};
static unsigned int mode; // of the group

static uint32_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static void tablet_plug(struct wlr_backend *backend) {
	wlr_tablet_init(&tablet, &tablet_impl, "Isthmus test tablet");
	pen = (struct wlr_tablet_tool){.type = WLR_TABLET_TOOL_TYPE_PEN, .pressure = true};
	wl_signal_init(&pen.events.destroy);
	wl_signal_emit_mutable(&backend->events.new_input, &tablet.base);
}

static void tablet_unplug(void) {
	if (tablet.impl != NULL) {
		wl_signal_emit_mutable(&pen.events.destroy, &pen);
		wlr_tablet_finish(&tablet);
		tablet.impl = NULL;
	}
}

static void pad_plug(struct wlr_backend *backend) {
	wlr_tablet_pad_init(&pad, &pad_impl, "Isthmus test pad");
	pad.button_count = group.button_count;
	pad.ring_count = group.ring_count;
	pad.strip_count = group.strip_count;
	wl_list_insert(&pad.groups, &group.link);
	mode = 0;
	wl_signal_emit_mutable(&backend->events.new_input, &pad.base);
}

static void pad_unplug(void) {
	if (pad.impl != NULL) {
		wl_list_remove(&group.link);
		wlr_tablet_pad_finish(&pad);
		pad.impl = NULL;
	}
}

static void pen_come(double x, double y, enum wlr_tablet_tool_proximity_state state) {
	wl_signal_emit_mutable(&tablet.events.proximity, &(struct wlr_tablet_tool_proximity_event){
		.tablet = &tablet, .tool = &pen, .time_msec = now_ms(), .x = x, .y = y,
		.state = state,
	});
}

static void pad_press(uint32_t button, bool pressed) {
	wl_signal_emit_mutable(&pad.events.button, &(struct wlr_tablet_pad_button_event){
		.time_msec = now_ms(), .button = button, .mode = mode,
		.state = pressed ? WLR_BUTTON_PRESSED : WLR_BUTTON_RELEASED,
	});
}

static void pad_turn(double degrees) {
	wl_signal_emit_mutable(&pad.events.ring, &(struct wlr_tablet_pad_ring_event){
		.time_msec = now_ms(), .source = WLR_TABLET_PAD_RING_SOURCE_FINGER,
		.position = degrees, .mode = mode,
	});
}

static void pad_slide(double position) {
	wl_signal_emit_mutable(&pad.events.strip, &(struct wlr_tablet_pad_strip_event){
		.time_msec = now_ms(), .source = WLR_TABLET_PAD_STRIP_SOURCE_FINGER,
		.position = position, .mode = mode,
	});
}

bool tablet_run_line(struct wlr_backend *backend, const char *line) {
	double x, y;
	uint32_t number, pressed;
	if (strcmp(line, "plug tablet") == 0) {
		tablet_plug(backend);
	} else if (strcmp(line, "plug pad") == 0) {
		pad_plug(backend);
	} else if (strcmp(line, "unplug tablet") == 0) {
		tablet_unplug();
	} else if (strcmp(line, "unplug pad") == 0) {
		pad_unplug();
	} else if (sscanf(line, "pen near %lf %lf", &x, &y) == 2) {
		pen_come(x / MILLIONTHS, y / MILLIONTHS, WLR_TABLET_TOOL_PROXIMITY_IN);
	} else if (strcmp(line, "pen away") == 0) {
		pen_come(0, 0, WLR_TABLET_TOOL_PROXIMITY_OUT);
	} else if (sscanf(line, "pad button %u %u %u", &number, &pressed, &mode) == 3) {
		pad_press(number, pressed != 0);
	} else if (sscanf(line, "pad ring %lf", &x) == 1) {
		pad_turn(x);
	} else if (sscanf(line, "pad strip %lf", &x) == 1) {
		pad_slide(x < 0 ? -1 : x / MILLIONTHS);
	} else {
		return false;
	}
	return true;
}

void tablet_unplug_all(void) {
	pad_unplug();
	tablet_unplug();
}
