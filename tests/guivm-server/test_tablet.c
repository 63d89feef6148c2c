/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/interfaces/wlr_tablet_pad.h>
#include <wlr/interfaces/wlr_tablet_tool.h>

#include "guivm-server/focus.h"
#include "guivm-server/server.h"
#include "guivm-server/tablet.h"
#include "guivm-server/view.h"
#include "guivm-server/vm.h"
#include "tests/guivm-server/desk.h"
#include "tests/harness/ignore.h"

#include "tablet-v2-client-protocol.h"

/* A pen and a pad, and what applications of VMs do under them. */

#define WHITE 0xffffffff
#define STYLUS 0x14b // BTN_STYLUS

static const struct wlr_tablet_impl tablet_impl = {.name = "test"};
static const struct wlr_tablet_pad_impl pad_impl = {.name = "test"};

/* An application that knows tablets, with a window. */
struct artist {
	struct app app;
	struct app_window window;
	struct zwp_tablet_manager_v2 *manager;
	struct zwp_tablet_seat_v2 *seat;
	struct zwp_tablet_v2 *tablet;
	struct zwp_tablet_tool_v2 *tool;
	struct zwp_tablet_pad_v2 *pad;
	struct zwp_tablet_pad_group_v2 *groups[2];
	struct zwp_tablet_pad_ring_v2 *rings[2];
	int n_groups, n_rings;
	int n_near, n_down, n_buttons;
};

struct fixture {
	struct desk desk;
	struct wlr_tablet tablet;
	struct wlr_tablet_tool pen;
	struct artist work, untrusted;
};

static void tool_proximity_in(void *data, struct zwp_tablet_tool_v2 *tool, uint32_t serial,
		struct zwp_tablet_v2 *tablet, struct wl_surface *surface) {
	struct artist *artist = data;
	artist->n_near++;
}

static void tool_down(void *data, struct zwp_tablet_tool_v2 *tool, uint32_t serial) {
	struct artist *artist = data;
	artist->n_down++;
}

static void tool_button(void *data, struct zwp_tablet_tool_v2 *tool, uint32_t serial,
		uint32_t button, uint32_t state) {
	struct artist *artist = data;
	artist->n_buttons++;
}

static const struct zwp_tablet_tool_v2_listener tool_listener = {
	.type = IGNORE,
	.hardware_serial = IGNORE,
	.hardware_id_wacom = IGNORE,
	.capability = IGNORE,
	.done = IGNORE,
	.removed = IGNORE,
	.proximity_in = tool_proximity_in,
	.proximity_out = IGNORE,
	.down = tool_down,
	.up = IGNORE,
	.motion = IGNORE,
	.pressure = IGNORE,
	.distance = IGNORE,
	.tilt = IGNORE,
	.rotation = IGNORE,
	.slider = IGNORE,
	.wheel = IGNORE,
	.button = tool_button,
	.frame = IGNORE,
};

static void group_ring(void *data, struct zwp_tablet_pad_group_v2 *group,
		struct zwp_tablet_pad_ring_v2 *ring) {
	struct artist *artist = data;
	EXPECT(artist->n_rings < 2);
	artist->rings[artist->n_rings++] = ring;
}

static const struct zwp_tablet_pad_group_v2_listener group_listener = {
	.buttons = IGNORE,
	.ring = group_ring,
	.strip = IGNORE,
	.modes = IGNORE,
	.done = IGNORE,
	.mode_switch = IGNORE,
};

static void pad_group(void *data, struct zwp_tablet_pad_v2 *pad,
		struct zwp_tablet_pad_group_v2 *group) {
	struct artist *artist = data;
	EXPECT(artist->n_groups < 2);
	artist->groups[artist->n_groups++] = group;
	zwp_tablet_pad_group_v2_add_listener(group, &group_listener, artist);
}

static const struct zwp_tablet_pad_v2_listener pad_listener = {
	.group = pad_group,
	.path = IGNORE,
	.buttons = IGNORE,
	.done = IGNORE,
	.button = IGNORE,
	.enter = IGNORE,
	.leave = IGNORE,
	.removed = IGNORE,
};

static void seat_tablet(
		void *data, struct zwp_tablet_seat_v2 *seat, struct zwp_tablet_v2 *tablet) {
	struct artist *artist = data;
	artist->tablet = tablet;
}

static void seat_tool(
		void *data, struct zwp_tablet_seat_v2 *seat, struct zwp_tablet_tool_v2 *tool) {
	struct artist *artist = data;
	artist->tool = tool;
	zwp_tablet_tool_v2_add_listener(tool, &tool_listener, artist);
}

static void seat_pad(void *data, struct zwp_tablet_seat_v2 *seat, struct zwp_tablet_pad_v2 *pad) {
	struct artist *artist = data;
	artist->pad = pad;
	zwp_tablet_pad_v2_add_listener(pad, &pad_listener, artist);
}

static const struct zwp_tablet_seat_v2_listener seat_listener = {
	.tablet_added = seat_tablet,
	.tool_added = seat_tool,
	.pad_added = seat_pad,
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct artist *artist = data;
	if (strcmp(interface, zwp_tablet_manager_v2_interface.name) == 0) {
		artist->manager = wl_registry_bind(
				registry, name, &zwp_tablet_manager_v2_interface, 1);
	}
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = IGNORE,
};

static void artist_init(struct artist *artist, struct desk *desk, const char *vm, int x) {
	*artist = (struct artist){0};
	app_connect(&artist->app, desk, vm);
	struct wl_registry *registry = wl_display_get_registry(artist->app.display);
	wl_registry_add_listener(registry, &registry_listener, artist);
	app_roundtrip(&artist->app);
	artist->seat = zwp_tablet_manager_v2_get_tablet_seat(artist->manager, artist->app.seat);
	zwp_tablet_seat_v2_add_listener(artist->seat, &seat_listener, artist);
	wl_registry_destroy(registry);
	app_window_create(&artist->window, &artist->app);
	app_window_show(&artist->window, 300, 200, WHITE);
	view_move(app_window_view(&artist->window), x, 100);
	app_roundtrip(&artist->app);
}

static void artist_finish(struct artist *artist) {
	void *const proxies[] = {artist->rings[0], artist->rings[1], artist->groups[0],
		artist->groups[1], artist->pad, artist->tool, artist->tablet, artist->seat,
		artist->manager};
	for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++) {
		if (proxies[i] != NULL) {
			wl_proxy_destroy(proxies[i]);
		}
	}
	app_disconnect(&artist->app);
}

static void fixture_init(struct fixture *f) {
	*f = (struct fixture){0};
	desk_init(&f->desk);
	wlr_tablet_init(&f->tablet, &tablet_impl, "test");
	f->pen.type = WLR_TABLET_TOOL_TYPE_PEN;
	wl_signal_init(&f->pen.events.destroy);
	tablet_add(&f->desk.server, &f->tablet.base);
	artist_init(&f->work, &f->desk, "work", 20);
	artist_init(&f->untrusted, &f->desk, "untrusted", 420);
}

static void fixture_finish(struct fixture *f) {
	wl_signal_emit_mutable(&f->pen.events.destroy, &f->pen);
	wlr_tablet_finish(&f->tablet);
	artist_finish(&f->work);
	artist_finish(&f->untrusted);
	desk_finish(&f->desk);
}

static void settle(struct fixture *f) {
	desk_turn(&f->desk);
	app_roundtrip(&f->work.app);
	app_roundtrip(&f->untrusted.app);
}

static void pen_come(struct fixture *f, double x, double y) {
	struct wl_signal *proximity = &f->tablet.events.proximity;
	wl_signal_emit_mutable(proximity, &(struct wlr_tablet_tool_proximity_event){
		.tablet = &f->tablet, .tool = &f->pen, .x = x / DESK_WIDTH, .y = y / DESK_HEIGHT,
		.state = WLR_TABLET_TOOL_PROXIMITY_IN,
	});
	settle(f);
}

static void pen_move(struct fixture *f, double x, double y) {
	wl_signal_emit_mutable(&f->tablet.events.axis, &(struct wlr_tablet_tool_axis_event){
		.tablet = &f->tablet, .tool = &f->pen, .x = x / DESK_WIDTH, .y = y / DESK_HEIGHT,
		.updated_axes = WLR_TABLET_TOOL_AXIS_X | WLR_TABLET_TOOL_AXIS_Y,
	});
	settle(f);
}

static void pen_tip(struct fixture *f, bool down) {
	wl_signal_emit_mutable(&f->tablet.events.tip, &(struct wlr_tablet_tool_tip_event){
		.tablet = &f->tablet, .tool = &f->pen,
		.state = down ? WLR_TABLET_TOOL_TIP_DOWN : WLR_TABLET_TOOL_TIP_UP,
	});
	settle(f);
}

static void pen_button(struct fixture *f, bool pressed) {
	wl_signal_emit_mutable(&f->tablet.events.button, &(struct wlr_tablet_tool_button_event){
		.tablet = &f->tablet, .tool = &f->pen, .button = STYLUS,
		.state = pressed ? WLR_BUTTON_PRESSED : WLR_BUTTON_RELEASED,
	});
	settle(f);
}

static void close_window(struct artist *artist) {
	app_window_destroy(&artist->window);
	app_roundtrip(&artist->app);
}

TEST(the_press_of_a_pen_ends_with_the_window_that_it_began_on) {
	struct fixture f;
	fixture_init(&f);
	mallopt(M_PERTURB, 0xa5); // what is freed cannot be taken for a surface
	pen_come(&f, 100, 200);
	pen_tip(&f, true);
	EXPECT_INT(f.work.n_down, 1);
	close_window(&f.work);
	pen_move(&f, 500, 200);
	EXPECT_INT(f.untrusted.n_near, 0);
	EXPECT_INT(f.untrusted.n_down, 0);
	close_window(&f.untrusted);
	pen_tip(&f, false);
	// The next press is as any.
	app_window_create(&f.untrusted.window, &f.untrusted.app);
	app_window_show(&f.untrusted.window, 300, 200, WHITE);
	view_move(app_window_view(&f.untrusted.window), 420, 100);
	pen_move(&f, 510, 200);
	pen_tip(&f, true);
	EXPECT_INT(f.untrusted.n_near, 1);
	EXPECT_INT(f.untrusted.n_down, 1);
	pen_tip(&f, false);
	fixture_finish(&f);
}

TEST(a_button_of_a_pen_is_not_carried_into_another_vm) {
	struct fixture f;
	fixture_init(&f);
	pen_come(&f, 100, 200);
	pen_button(&f, true);
	EXPECT_INT(f.work.n_buttons, 1);
	pen_move(&f, 500, 200);
	EXPECT_INT(f.untrusted.n_buttons, 0);
	pen_button(&f, false);
	EXPECT_INT(f.work.n_buttons, 2);
	pen_move(&f, 510, 200);
	EXPECT_INT(f.untrusted.n_near, 1);
	EXPECT_INT(f.untrusted.n_buttons, 0);
	fixture_finish(&f);
}

TEST(a_tip_during_a_button_focuses_what_gets_it) {
	struct fixture f;
	fixture_init(&f);
	focus_set_view(&f.desk.server, app_window_view(&f.work.window));
	pen_come(&f, 100, 200);
	pen_button(&f, true);
	pen_move(&f, 500, 200);
	pen_tip(&f, true);
	EXPECT_INT(f.work.n_down, 1);
	EXPECT(focus_view(&f.desk.server) == app_window_view(&f.work.window));
	pen_tip(&f, false);
	pen_button(&f, false);
	fixture_finish(&f);
}

TEST(a_tip_of_a_pen_takes_the_launch_credit_of_other_vms) {
	struct fixture f;
	fixture_init(&f);
	focus_set_view(&f.desk.server, app_window_view(&f.work.window));
	struct vm *untrusted = vms_find(f.desk.server.vms, "untrusted");
	untrusted->launch_credit_until_ms = UINT64_MAX;
	pen_come(&f, 100, 200);
	pen_tip(&f, true);
	EXPECT_INT(f.work.n_down, 1);
	EXPECT(!vm_take_launch_credit(untrusted));
	pen_tip(&f, false);
	fixture_finish(&f);
}

/* wlroots forgets all rings but the last group's, and writes to the pad's memory for them later. */
TEST(the_rings_of_a_pad_may_outlive_it) {
	struct wlr_tablet_pad_group groups[2] = {0};
	struct fixture f;
	fixture_init(&f);
	for (unsigned i = 0; i < 2; i++) { // allocated, as a backend does
		groups[i].rings = malloc(sizeof(unsigned));
		groups[i].rings[0] = i;
		groups[i].ring_count = groups[i].mode_count = 1;
	}
	struct wlr_tablet_pad pad;
	wlr_tablet_pad_init(&pad, &pad_impl, "test");
	pad.ring_count = 2;
	wl_list_insert(pad.groups.prev, &groups[0].link);
	wl_list_insert(pad.groups.prev, &groups[1].link);
	tablet_add_pad(&f.desk.server, &pad.base);
	settle(&f);
	struct artist *work = &f.work;
	EXPECT(work->pad != NULL);
	EXPECT_INT(work->n_groups, 2);
	EXPECT_INT(work->n_rings, 2);
	EXPECT_INT((int)groups[1].ring_count, 2);
	zwp_tablet_pad_v2_destroy(work->pad);
	app_roundtrip(&work->app);
	for (int i = 0; i < 2; i++) {
		zwp_tablet_pad_ring_v2_set_feedback(work->rings[i], "", 0);
		zwp_tablet_pad_ring_v2_destroy(work->rings[i]);
		work->rings[i] = NULL;
	}
	work->pad = NULL;
	EXPECT_INT(app_error(&work->app), -1);
	for (int i = 0; i < 2; i++) {
		wl_list_remove(&groups[i].link);
		free(groups[i].rings);
		free(groups[i].strips);
	}
	wlr_tablet_pad_finish(&pad);
	settle(&f);
	fixture_finish(&f);
}
