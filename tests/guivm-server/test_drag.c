/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <wlr/interfaces/wlr_touch.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_seat.h>

#include "guivm-server/focus.h"
#include "guivm-server/seat.h"
#include "tests/guivm-server/desk.h"
#include "tests/harness/ignore.h"

#define WHITE 0xffffffff
#define GREEN 0xff00ff00

/* A client with a data device. */
struct dragger {
	struct app app;
	struct app_window window;
	struct wl_data_device_manager *manager;
	struct wl_data_device *device;
	struct wl_data_offer *offer;
	size_t n_enters;
};

static void device_data_offer(
		void *data, struct wl_data_device *device, struct wl_data_offer *offer) {
	struct dragger *dragger = data;
	if (dragger->offer != NULL) {
		wl_data_offer_destroy(dragger->offer);
	}
	dragger->offer = offer;
}

static void device_enter(void *data, struct wl_data_device *device, uint32_t serial,
		struct wl_surface *surface, wl_fixed_t x, wl_fixed_t y,
		struct wl_data_offer *offer) {
	struct dragger *dragger = data;
	dragger->n_enters++;
}

static const struct wl_data_device_listener device_listener = {
	.data_offer = device_data_offer,
	.enter = device_enter,
	.leave = IGNORE,
	.motion = IGNORE,
	.drop = IGNORE,
	.selection = IGNORE,
};

static void registry_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct dragger *dragger = data;
	if (strcmp(interface, "wl_data_device_manager") == 0) {
		dragger->manager =
				wl_registry_bind(registry, name,
						&wl_data_device_manager_interface, 3);
	}
}

static const struct wl_registry_listener registry_listener = {
	.global = registry_global,
	.global_remove = IGNORE,
};

static void dragger_init(struct dragger *dragger, struct desk *desk, const char *vm, int x) {
	*dragger = (struct dragger){0};
	app_connect(&dragger->app, desk, vm);
	struct wl_registry *registry = wl_display_get_registry(dragger->app.display);
	wl_registry_add_listener(registry, &registry_listener, dragger);
	app_roundtrip(&dragger->app);
	wl_registry_destroy(registry);
	dragger->device =
			wl_data_device_manager_get_data_device(dragger->manager, dragger->app.seat);
	wl_data_device_add_listener(dragger->device, &device_listener, dragger);
	app_window_create(&dragger->window, &dragger->app);
	app_window_show(&dragger->window, 300, 200, WHITE);
	view_move(app_window_view(&dragger->window), x, 100);
}

static void dragger_finish(struct dragger *dragger) {
	if (dragger->offer != NULL) {
		wl_data_offer_destroy(dragger->offer);
	}
	wl_data_device_destroy(dragger->device);
	wl_data_device_manager_destroy(dragger->manager);
	app_disconnect(&dragger->app);
}

/* Starts to drag from the middle of the window, with an icon. */
static struct wl_data_source *drag_start(struct dragger *dragger, struct wl_surface **icon) {
	struct desk *desk = dragger->app.desk;
	const struct wlr_box *box = &app_window_server(&dragger->window)->box;
	desk_point(desk, box->x + 150, box->y + 100);
	desk_button(desk, true);
	app_roundtrip(&dragger->app);
	struct wl_data_source *source = wl_data_device_manager_create_data_source(dragger->manager);
	wl_data_source_offer(source, "text/plain");
	wl_data_source_set_actions(source, WL_DATA_DEVICE_MANAGER_DND_ACTION_COPY);
	*icon = wl_compositor_create_surface(dragger->app.compositor);
	wl_data_device_start_drag(
			dragger->device, source, dragger->window.surface, *icon,
			dragger->app.serial);
	app_paint(&dragger->app, *icon, 40, 40, GREEN);
	return source;
}

static struct window *find_icon(struct desk *desk) {
	struct window *window;
	wl_list_for_each(window, &desk->server.windows, link) {
		if (window->frame_state.kind == FRAME_ICON) {
			return window;
		}
	}
	return NULL;
}

/* A desk with a window of each of two VMs, side by side. */
static void draggers_init(struct desk *desk, struct dragger *work, struct dragger *untrusted) {
	desk_init(desk);
	dragger_init(work, desk, "work", 20);
	dragger_init(untrusted, desk, "untrusted", 420);
}

static void draggers_finish(
		struct desk *desk, struct dragger *work, struct dragger *untrusted) {
	dragger_finish(untrusted);
	dragger_finish(work);
	desk_finish(desk);
}

TEST(drag_icons_are_framed) {
	struct desk desk;
	struct dragger work;
	struct wl_surface *icon;
	desk_init(&desk);
	dragger_init(&work, &desk, "work", 20);
	struct wl_data_source *source = drag_start(&work, &icon);
	struct window *window = find_icon(&desk);
	EXPECT(window != NULL);
	EXPECT(window->mapped);
	desk_look(&desk);
	EXPECT_INT(desk_count(&desk, GREEN & 0xffffff, &window->box, true), 40 * 40);
	EXPECT_INT(desk_count(&desk, GREEN & 0xffffff, &window->box, false), 0);
	uint32_t edge = desk_pixel(&desk, window->box.x - 1, window->box.y + 20);
	EXPECT(edge != 0xffffff && edge != DESK_BACKGROUND);
	desk_button(&desk, false);
	EXPECT(find_icon(&desk) == NULL);
	wl_data_source_destroy(source);
	wl_surface_destroy(icon);
	dragger_finish(&work);
	desk_finish(&desk);
}

TEST(a_drag_sees_windows_of_its_own_vm_alone) {
	struct desk desk;
	struct dragger work, untrusted;
	struct wl_surface *icon;
	draggers_init(&desk, &work, &untrusted);
	struct wl_data_source *source = drag_start(&work, &icon);
	desk_point(&desk, 100, 150);
	desk_point(&desk, 500, 200);
	app_roundtrip(&untrusted.app);
	EXPECT_INT(untrusted.n_enters, 0);
	EXPECT(untrusted.offer == NULL);
	EXPECT(untrusted.app.pointer_focus == NULL);
	desk_point(&desk, 110, 160);
	app_roundtrip(&work.app);
	EXPECT(work.n_enters > 0);
	desk_button(&desk, false);
	wl_data_source_destroy(source);
	wl_surface_destroy(icon);
	draggers_finish(&desk, &work, &untrusted);
}

TEST(a_drag_without_a_held_button_does_not_start) {
	struct desk desk;
	struct dragger work;
	struct wl_surface *icon;
	desk_init(&desk);
	dragger_init(&work, &desk, "work", 20);
	struct wl_data_source *source = drag_start(&work, &icon);
	desk_button(&desk, false);
	EXPECT(desk.server.wlr_seat->drag == NULL);
	struct wl_data_source *second = wl_data_device_manager_create_data_source(work.manager);
	wl_data_device_start_drag(work.device, second, work.window.surface, icon, work.app.serial);
	app_roundtrip(&work.app);
	EXPECT(desk.server.wlr_seat->drag == NULL);
	EXPECT(find_icon(&desk) == NULL);
	wl_data_source_destroy(source);
	wl_data_source_destroy(second);
	wl_surface_destroy(icon);
	dragger_finish(&work);
	desk_finish(&desk);
}

TEST(the_keyboard_comes_back_after_a_drag) {
	struct desk desk;
	struct dragger work;
	struct wl_surface *icon;
	desk_init(&desk);
	dragger_init(&work, &desk, "work", 20);
	struct wl_data_source *source = drag_start(&work, &icon);
	desk_button(&desk, false);
	app_roundtrip(&work.app);
	EXPECT(work.app.keyboard_focus == work.window.surface);
	wl_data_source_destroy(source);
	wl_surface_destroy(icon);
	dragger_finish(&work);
	desk_finish(&desk);
}

/* Whoever lets go of its seat in the middle of a drag is nobody, who could go anywhere. */
TEST(a_drag_of_a_client_that_lets_go_of_its_seat_is_over) {
	struct desk desk;
	struct dragger work, untrusted;
	struct wl_surface *icon;
	draggers_init(&desk, &work, &untrusted);
	struct wl_data_source *source = drag_start(&work, &icon);
	desk_point(&desk, 100, 150);
	EXPECT(desk.server.wlr_seat->drag != NULL);
	wl_seat_release(work.app.seat);
	work.app.seat = NULL;
	app_roundtrip(&work.app);
	EXPECT(desk.server.wlr_seat->drag == NULL);
	desk_point(&desk, 500, 200);
	app_roundtrip(&untrusted.app);
	EXPECT_INT(untrusted.n_enters, 0);
	EXPECT(untrusted.offer == NULL);
	desk_button(&desk, false);
	wl_data_source_destroy(source);
	wl_surface_destroy(icon);
	draggers_finish(&desk, &work, &untrusted);
}

TEST(drags_without_a_source_that_do_not_start_leave_nothing) {
	struct desk desk;
	struct dragger work;
	desk_init(&desk);
	dragger_init(&work, &desk, "work", 20);
	size_t before = mallinfo2().uordblks;
	for (int i = 0; i < 10000; i++) {
		wl_data_device_start_drag(work.device, NULL, work.window.surface, NULL, 0);
		if (i % 100 == 0) {
			app_roundtrip(&work.app);
		}
	}
	app_roundtrip(&work.app);
	EXPECT(desk.server.wlr_seat->drag == NULL);
	EXPECT(mallinfo2().uordblks < before + 10000 * 100);
	dragger_finish(&work);
	desk_finish(&desk);
}

/* The popup would have the pointer then, and the drag, which keeps it from others, never end. */
TEST(a_popup_does_not_grab_during_a_drag) {
	struct desk desk;
	struct dragger work, untrusted;
	struct app_window popup;
	struct wl_surface *icon;
	draggers_init(&desk, &work, &untrusted);
	struct wl_data_source *source = drag_start(&work, &icon);
	EXPECT(desk.server.wlr_seat->drag != NULL);
	app_popup_create(
			&popup, &work.window, &(struct wlr_box){10, 10, 50, 50}, work.app.serial);
	desk_turn(&desk);
	app_roundtrip(&work.app);
	EXPECT(popup.dismissed);
	desk_button(&desk, false);
	EXPECT(desk.server.wlr_seat->drag == NULL);
	desk_point(&desk, 500, 200);
	app_roundtrip(&untrusted.app);
	EXPECT(untrusted.app.pointer_focus == untrusted.window.surface);
	wl_data_source_destroy(source);
	wl_surface_destroy(icon);
	draggers_finish(&desk, &work, &untrusted);
}

/* A drag that ended in a drop has a source until who took it has finished. */
TEST(a_source_that_was_dropped_is_not_dragged_again) {
	struct desk desk;
	struct dragger work;
	struct wl_surface *icon;
	desk_init(&desk);
	dragger_init(&work, &desk, "work", 20);
	struct wl_data_source *source = drag_start(&work, &icon);
	desk_point(&desk, 100, 150);
	app_roundtrip(&work.app);
	EXPECT(work.offer != NULL);
	wl_data_offer_accept(work.offer, 0, "text/plain");
	wl_data_offer_set_actions(work.offer, WL_DATA_DEVICE_MANAGER_DND_ACTION_COPY,
			WL_DATA_DEVICE_MANAGER_DND_ACTION_COPY);
	app_roundtrip(&work.app);
	desk_button(&desk, false);
	EXPECT(desk.server.wlr_seat->drag == NULL);
	EXPECT(desk.server.wlr_seat->drag_source != NULL);
	desk_point(&desk, 110, 160);
	desk_button(&desk, true);
	app_roundtrip(&work.app);
	wl_data_device_start_drag(
			work.device, source, work.window.surface, NULL, work.app.serial);
	app_roundtrip(&work.app);
	EXPECT(desk.server.wlr_seat->drag == NULL);
	EXPECT(desk.server.wlr_seat->drag_source != NULL);
	desk_button(&desk, false);
	wl_data_source_destroy(source);
	wl_surface_destroy(icon);
	dragger_finish(&work);
	desk_finish(&desk);
}

static const struct wlr_touch_impl touch_impl = {.name = "test"};

static void touch_down(void *data, struct wl_touch *touch, uint32_t serial, uint32_t time_ms,
		struct wl_surface *surface, int32_t id, wl_fixed_t x, wl_fixed_t y) {
	*(uint32_t *)data = serial;
}

static const struct wl_touch_listener touch_listener = {
	.down = touch_down,
	.up = IGNORE,
	.motion = IGNORE,
	.frame = IGNORE,
	.cancel = IGNORE,
};

/* A finger on the middle of the window, which begins to drag nothing with it. */
static struct wl_touch *drag_by_finger(struct dragger *dragger, struct wlr_touch *finger) {
	struct desk *desk = dragger->app.desk;
	const struct wlr_box *box = &app_window_server(&dragger->window)->box;
	uint32_t serial = 0;
	wlr_touch_init(finger, &touch_impl, "test");
	seat_add_device(&desk->server, &finger->base);
	app_roundtrip(&dragger->app);
	struct wl_touch *touch = wl_seat_get_touch(dragger->app.seat);
	wl_touch_add_listener(touch, &touch_listener, &serial);
	app_roundtrip(&dragger->app);
	wl_signal_emit_mutable(&finger->events.down, &(struct wlr_touch_down_event){
		.touch = finger, .x = (box->x + 150.0) / DESK_WIDTH,
		.y = (box->y + 100.0) / DESK_HEIGHT,
	});
	app_roundtrip(&dragger->app);
	EXPECT(serial != 0);
	wl_data_device_start_drag(dragger->device, NULL, dragger->window.surface, NULL, serial);
	app_roundtrip(&dragger->app);
	EXPECT(desk->server.wlr_seat->drag != NULL);
	return touch;
}

TEST(a_finger_that_drags_without_a_source_is_lifted) {
	struct desk desk;
	struct dragger work;
	struct wlr_touch finger;
	desk_init(&desk);
	dragger_init(&work, &desk, "work", 20);
	struct wl_touch *touch = drag_by_finger(&work, &finger);
	wl_signal_emit_mutable(&finger.events.up, &(struct wlr_touch_up_event){.touch = &finger});
	EXPECT(desk.server.wlr_seat->drag == NULL);
	EXPECT(!wlr_seat_keyboard_has_grab(desk.server.wlr_seat));
	wlr_touch_finish(&finger);
	wl_touch_destroy(touch);
	dragger_finish(&work);
	desk_finish(&desk);
}

TEST(a_finger_that_was_none_ends_its_drag) {
	struct desk desk;
	struct dragger work;
	struct wlr_touch finger;
	desk_init(&desk);
	dragger_init(&work, &desk, "work", 20);
	struct wl_touch *touch = drag_by_finger(&work, &finger);
	wl_signal_emit_mutable(
			&finger.events.cancel, &(struct wlr_touch_cancel_event){.touch = &finger});
	EXPECT(desk.server.wlr_seat->drag == NULL);
	EXPECT(!wlr_seat_keyboard_has_grab(desk.server.wlr_seat));
	wlr_touch_finish(&finger);
	wl_touch_destroy(touch);
	dragger_finish(&work);
	desk_finish(&desk);
}
