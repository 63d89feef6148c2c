/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <wlr/types/wlr_cursor.h>

#include "guivm-server/cursor.h"
#include "guivm-server/refresh.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"
#include "tests/guivm-server/desk.h"

/*
 * Two clients of different VMs make legal and illegal requests at random while a user points,
 * clicks and types at random. A client that is thrown out comes back. Whatever happens, no pixel of
 * theirs is outside of their frames and the compositor lives. Seeds are fixed: a failure repeats.
 */
#define N_SURFACES 6
#define N_APPS 2
#define N_STEPS 1500
#define LOOK_EVERY 25

enum role {
	ROLE_NONE,
	ROLE_TOPLEVEL,
	ROLE_POPUP,
	ROLE_SUBSURFACE,
};

struct slot {
	struct wl_surface *surface; // NULL: free
	enum role role;
	struct xdg_surface *xdg_surface;
	struct xdg_toplevel *toplevel;
	struct xdg_popup *popup;
	struct wl_subsurface *subsurface;
	struct wp_fifo_v1 *fifo;
	struct wp_commit_timer_v1 *timer;
	uint32_t configure; // serial to acknowledge; 0 none
};

struct fiend {
	struct app app;
	const char *vm;
	uint32_t color;
	struct slot slots[N_SURFACES];
	struct wl_buffer *buffers[3];
};

static uint64_t random_state;

static int pick(int n) {
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (int)((random_state >> 33) % (uint64_t)n);
}

static int wild(void) {
	static const int values[] = {INT32_MIN, -100000, -300, -1, 0, 1, 2, 50, 300, 100000,
			INT32_MAX};
	return values[pick(sizeof(values) / sizeof(values[0]))];
}

static int number(void) {
	return pick(8) == 0 ? wild() : pick(400) - 100;
}

static void handle_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	struct slot *slot = data;
	slot->configure = serial;
	if (pick(4) > 0) {
		xdg_surface_ack_configure(xdg_surface, serial);
		slot->configure = 0;
	}
}

static const struct xdg_surface_listener xdg_surface_listener = {.configure = handle_configure};

static void connect_fiend(struct fiend *fiend, struct desk *desk) {
	app_connect(&fiend->app, desk, fiend->vm);
	static const int sizes[3][2] = {{60, 40}, {250, 180}, {1000, 700}};
	for (int i = 0; i < 3; i++) {
		fiend->buffers[i] = app_buffer(&fiend->app, sizes[i][0], sizes[i][1], fiend->color);
	}
	for (int i = 0; i < N_SURFACES; i++) {
		fiend->slots[i] = (struct slot){0};
	}
}

/* Client side only when the connection is over; in a random order otherwise. */
static void drop_role(struct slot *slot) {
	if (slot->popup != NULL) {
		xdg_popup_destroy(slot->popup);
	}
	if (slot->toplevel != NULL) {
		xdg_toplevel_destroy(slot->toplevel);
	}
	if (slot->xdg_surface != NULL) {
		xdg_surface_destroy(slot->xdg_surface);
	}
	if (slot->subsurface != NULL) {
		wl_subsurface_destroy(slot->subsurface);
	}
	*slot = (struct slot){.surface = slot->surface, .fifo = slot->fifo, .timer = slot->timer};
}

static void drop_slot(struct slot *slot) {
	struct wl_surface *surface = slot->surface;
	bool surface_first = pick(4) == 0;
	if (slot->fifo != NULL) {
		wp_fifo_v1_destroy(slot->fifo);
	}
	if (slot->timer != NULL) {
		wp_commit_timer_v1_destroy(slot->timer);
	}
	if (surface_first) {
		wl_surface_destroy(surface); // an error where there is a role
	}
	drop_role(slot);
	if (!surface_first) {
		wl_surface_destroy(surface);
	}
	*slot = (struct slot){0};
}

static void disconnect_fiend(struct fiend *fiend) {
	for (int i = 0; i < N_SURFACES; i++) {
		if (fiend->slots[i].surface != NULL) {
			drop_slot(&fiend->slots[i]);
		}
	}
	for (int i = 0; i < 3; i++) {
		wl_buffer_destroy(fiend->buffers[i]);
	}
	app_disconnect(&fiend->app);
}

static struct slot *any_slot(struct fiend *fiend) {
	return &fiend->slots[pick(N_SURFACES)];
}

static struct xdg_positioner *any_positioner(struct fiend *fiend) {
	struct xdg_positioner *positioner = xdg_wm_base_create_positioner(fiend->app.wm_base);
	bool legal = pick(10) > 0;
	xdg_positioner_set_size(positioner, legal ? 1 + pick(500) : wild(),
			legal ? 1 + pick(500) : wild());
	xdg_positioner_set_anchor_rect(positioner, number(), number(), legal ? pick(300) : wild(),
			legal ? pick(300) : wild());
	xdg_positioner_set_anchor(positioner, (uint32_t)pick(9));
	xdg_positioner_set_gravity(positioner, (uint32_t)pick(9));
	xdg_positioner_set_constraint_adjustment(positioner, (uint32_t)pick(64));
	xdg_positioner_set_offset(positioner, number(), number());
	return positioner;
}

static void make_xdg_surface(struct fiend *fiend, struct slot *slot) {
	slot->xdg_surface = xdg_wm_base_get_xdg_surface(fiend->app.wm_base, slot->surface);
	xdg_surface_add_listener(slot->xdg_surface, &xdg_surface_listener, slot);
}

/* Else what is asked for next comes too early. */
static void commit_mostly(struct slot *slot) {
	if (pick(8) > 0) {
		wl_surface_commit(slot->surface);
	}
}

static void take_role(struct fiend *fiend, struct slot *slot) {
	struct slot *other = any_slot(fiend);
	switch (pick(4)) {
	case 0:
	case 1:
		make_xdg_surface(fiend, slot);
		slot->toplevel = xdg_surface_get_toplevel(slot->xdg_surface);
		slot->role = ROLE_TOPLEVEL;
		commit_mostly(slot);
		break;
	case 2:
		if (other->xdg_surface == NULL) {
			return;
		}
		make_xdg_surface(fiend, slot);
		struct xdg_positioner *positioner = any_positioner(fiend);
		slot->popup = xdg_surface_get_popup(
				slot->xdg_surface, other->xdg_surface, positioner);
		xdg_positioner_destroy(positioner);
		slot->role = ROLE_POPUP;
		if (pick(2) == 0) {
			xdg_popup_grab(slot->popup, fiend->app.seat, fiend->app.serial);
		}
		commit_mostly(slot);
		break;
	case 3:
		if (other->surface == NULL || other == slot) {
			return;
		}
		slot->subsurface = wl_subcompositor_get_subsurface(
				fiend->app.subcompositor, slot->surface, other->surface);
		slot->role = ROLE_SUBSURFACE;
		break;
	}
}

static void change_toplevel(struct fiend *fiend, struct slot *slot) {
	struct slot *other = any_slot(fiend);
	switch (pick(12)) {
	case 0:
		xdg_toplevel_set_maximized(slot->toplevel);
		break;
	case 1:
		xdg_toplevel_unset_maximized(slot->toplevel);
		break;
	case 2:
		xdg_toplevel_set_fullscreen(slot->toplevel, NULL);
		break;
	case 3:
		xdg_toplevel_unset_fullscreen(slot->toplevel);
		break;
	case 4:
		xdg_toplevel_set_minimized(slot->toplevel);
		break;
	case 5:
		xdg_toplevel_set_parent(slot->toplevel, other->toplevel);
		break;
	case 6:
		xdg_toplevel_move(slot->toplevel, fiend->app.seat, fiend->app.serial);
		break;
	case 7:
		xdg_toplevel_resize(slot->toplevel, fiend->app.seat, fiend->app.serial,
				(uint32_t)pick(11));
		break;
	case 8:
		xdg_toplevel_set_min_size(slot->toplevel, pick(3000), pick(3000));
		break;
	case 9:
		xdg_toplevel_set_max_size(slot->toplevel, pick(3000), pick(3000));
		break;
	case 10:
		xdg_toplevel_set_title(slot->toplevel, "\xe2\x80\xaetitle\n\x1b[31m");
		break;
	case 11:
		xdg_toplevel_show_window_menu(slot->toplevel, fiend->app.seat, fiend->app.serial,
				number(), number());
		break;
	}
}

static void change_popup(struct fiend *fiend, struct slot *slot) {
	if (pick(2) == 0) {
		struct xdg_positioner *positioner = any_positioner(fiend);
		xdg_popup_reposition(slot->popup, positioner, 1);
		xdg_positioner_destroy(positioner);
	} else {
		xdg_popup_grab(slot->popup, fiend->app.seat, fiend->app.serial);
	}
}

static void change_subsurface(struct fiend *fiend, struct slot *slot) {
	struct slot *other = any_slot(fiend);
	switch (pick(4)) {
	case 0:
		wl_subsurface_set_position(slot->subsurface, number(), number());
		break;
	case 1:
		wl_subsurface_set_desync(slot->subsurface);
		break;
	case 2:
		wl_subsurface_set_sync(slot->subsurface);
		break;
	case 3:
		if (other->surface != NULL && pick(4) == 0) {
			wl_subsurface_place_below(slot->subsurface, other->surface);
		}
		break;
	}
}

static void change_region(struct fiend *fiend, struct slot *slot) {
	struct wl_region *region = wl_compositor_create_region(fiend->app.compositor);
	wl_region_add(region, number(), number(), number(), number());
	wl_region_subtract(region, number(), number(), number(), number());
	if (pick(2) == 0) {
		wl_surface_set_input_region(slot->surface, region);
	} else {
		wl_surface_set_opaque_region(slot->surface, region);
	}
	wl_region_destroy(region);
}

static void change_surface(struct fiend *fiend, struct slot *slot) {
	switch (pick(9)) {
	case 0:
	case 1:
		wl_surface_attach(slot->surface, pick(5) == 0 ? NULL : fiend->buffers[pick(3)], 0,
				0);
		break;
	case 2:
	case 3:
	case 4:
		wl_surface_damage(slot->surface, number(), number(), number(), number());
		wl_surface_commit(slot->surface);
		break;
	case 5:
		wl_surface_set_buffer_transform(slot->surface, pick(8));
		break;
	case 6:
		wl_surface_set_buffer_scale(slot->surface, pick(20) == 0 ? wild() : 1 + pick(2));
		break;
	case 7:
		change_region(fiend, slot);
		break;
	case 8:
		wl_pointer_set_cursor(fiend->app.pointer, fiend->app.serial, slot->surface,
				number(), number());
		break;
	}
}

/* What the next commits wait for. */
static void change_time(struct fiend *fiend, struct slot *slot) {
	if (slot->fifo == NULL) {
		slot->fifo = wp_fifo_manager_v1_get_fifo(fiend->app.fifo_manager, slot->surface);
		slot->timer = wp_commit_timing_manager_v1_get_timer(
				fiend->app.timing_manager, slot->surface);
	}
	if (pick(2) == 0) {
		wp_fifo_v1_set_barrier(slot->fifo);
	}
	if (pick(2) == 0) {
		wp_fifo_v1_wait_barrier(slot->fifo);
	}
	if (pick(4) == 0) {
		int64_t target_ns = refresh_clock_ns() + pick(30) * 1000000;
		wp_commit_timer_v1_set_timestamp(slot->timer, 0, (uint32_t)(target_ns / 1000000000),
				(uint32_t)(target_ns % 1000000000));
		wl_surface_commit(slot->surface);
	}
}

static void fiend_step(struct fiend *fiend) {
	struct slot *slot = any_slot(fiend);
	if (slot->surface != NULL && pick(8) == 0) {
		change_time(fiend, slot);
	}
	if (slot->surface != NULL && slot->role != ROLE_NONE && pick(100) == 0) {
		drop_role(slot); // and perhaps another one later, with commits that wait
		return;
	}
	if (slot->surface == NULL) {
		slot->surface = wl_compositor_create_surface(fiend->app.compositor);
		take_role(fiend, slot);
		return;
	}
	if (pick(40) == 0) {
		drop_slot(slot);
		return;
	}
	if (slot->role == ROLE_NONE && pick(3) == 0) {
		take_role(fiend, slot);
		return;
	}
	if (slot->xdg_surface != NULL && pick(6) == 0) {
		bool legal = pick(10) > 0;
		xdg_surface_set_window_geometry(slot->xdg_surface, number(), number(),
				legal ? 1 + pick(1200) : wild(), legal ? 1 + pick(900) : wild());
	}
	if (slot->configure != 0 && pick(3) == 0) {
		xdg_surface_ack_configure(slot->xdg_surface, slot->configure);
		slot->configure = 0;
	}
	if (pick(3) > 0) {
		change_surface(fiend, slot);
	} else if (slot->toplevel != NULL) {
		change_toplevel(fiend, slot);
	} else if (slot->popup != NULL) {
		change_popup(fiend, slot);
	} else if (slot->subsurface != NULL) {
		change_subsurface(fiend, slot);
	}
}

static void user_step(struct desk *desk) {
	static const uint32_t keys[] = {KEY_A, KEY_TAB, KEY_LEFTMETA, KEY_LEFTALT, KEY_UP, KEY_F,
			KEY_H, KEY_ESC};
	switch (pick(6)) {
	case 0:
	case 1:
	case 2:
		desk_point(desk, pick(DESK_WIDTH), pick(DESK_HEIGHT));
		break;
	case 3:
		desk_button(desk, true);
		break;
	case 4:
		desk_button(desk, false);
		break;
	case 5:
		desk_key(desk, keys[pick(sizeof(keys) / sizeof(keys[0]))], pick(2) == 0);
		break;
	}
}

static bool inside_own_window(struct desk *desk, const struct fiend *fiend, int x, int y) {
	struct window *window;
	wl_list_for_each(window, &desk->server.windows, link) {
		if (window->mapped && wlr_box_contains_point(&window->box, x, y) &&
				window_client(window) == fiend->app.client) {
			return true;
		}
	}
	return false;
}

/* Where the pointer's picture may be, its application's own. */
static bool near_pointer(const struct desk *desk, int x, int y) {
	const struct wlr_cursor *cursor = desk->server.cursor->wlr_cursor;
	return abs(x - (int)cursor->x) <= LIMIT_CURSOR_SIDE_PX &&
	       abs(y - (int)cursor->y) <= LIMIT_CURSOR_SIDE_PX;
}

static void check_pixels(struct desk *desk, const struct fiend *fiends) {
	desk_look(desk);
	for (int y = 0; y < DESK_HEIGHT; y++) {
		for (int x = 0; x < DESK_WIDTH; x++) {
			uint32_t pixel = desk_pixel(desk, x, y);
			for (int i = 0; i < N_APPS; i++) {
				if (pixel != (fiends[i].color & 0xffffff) ||
						near_pointer(desk, x, y)) {
					continue;
				}
				EXPECT(inside_own_window(desk, &fiends[i], x, y));
			}
		}
	}
}

static void torture(uint64_t seed) {
	random_state = seed;
	struct desk desk;
	desk_init(&desk);
	struct fiend fiends[N_APPS] = {
		{.vm = "work", .color = 0xff13fe57},
		{.vm = "untrusted", .color = 0xfffe13c5},
	};
	for (int i = 0; i < N_APPS; i++) {
		connect_fiend(&fiends[i], &desk);
	}
	for (int step = 0; step < N_STEPS; step++) {
		struct fiend *fiend = &fiends[pick(N_APPS)];
		fiend_step(fiend);
		if (pick(4) == 0) {
			user_step(&desk);
		}
		if (pick(3) == 0) {
			app_roundtrip(&fiend->app);
		}
		if (wl_display_get_error(fiend->app.display) != 0) {
			disconnect_fiend(fiend);
			connect_fiend(fiend, &desk);
		}
		if (step % LOOK_EVERY == 0) {
			check_pixels(&desk, fiends);
		}
	}
	for (int i = 0; i < N_APPS; i++) {
		disconnect_fiend(&fiends[i]);
	}
	desk_finish(&desk);
}

TEST(random_requests_and_input_1) {
	torture(1);
}

TEST(random_requests_and_input_2) {
	torture(2);
}

TEST(random_requests_and_input_3) {
	torture(3);
}

/* With ISTHMUS_TORTURE_SEED another one, to look further than the suite does. */
TEST(random_requests_and_input_4) {
	const char *seed = getenv("ISTHMUS_TORTURE_SEED");
	torture(seed != NULL ? strtoull(seed, NULL, 10) : 4);
}
