/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_tablet_pad.h>
#include <wlr/types/wlr_tablet_tool.h>
#include <wlr/types/wlr_tablet_v2.h>

#include "guivm-server/idle.h"
#include "guivm-server/server.h"
#include "guivm-server/tablet.h"
#include "guivm-server/tablet_private.h"

/* The buttons, rings and strips on a tablet's side. */
struct pad {
	struct tablets *tablets;
	struct wl_list link; // tablets.pads
	struct wlr_tablet_pad *device;
	struct wlr_tablet_v2_tablet_pad *v2;
	struct tablet *tablet; // that it is a part of; NULL: none is known
	struct wlr_surface *surface; // that has it; NULL: none
	struct wl_listener button, ring, strip, attach, destroy, surface_destroy;
};

static void pad_forget_surface(struct pad *pad) {
	wl_list_remove(&pad->surface_destroy.link);
	wl_list_init(&pad->surface_destroy.link);
	pad->surface = NULL;
}

static void pad_leave(struct pad *pad) {
	if (pad->surface != NULL) {
		wlr_tablet_v2_tablet_pad_notify_leave(pad->v2, pad->surface);
		pad_forget_surface(pad);
	}
}

static void pad_handle_surface_destroy(struct wl_listener *listener, void *data) {
	struct pad *pad = wl_container_of(listener, pad, surface_destroy);
	pad_leave(pad);
}

/* It is where the keyboard is, if there they know it. */
static void pad_follow(struct pad *pad) {
	struct wlr_surface *surface =
			pad->tablets->server->wlr_seat->keyboard_state.focused_surface;
	if (surface == pad->surface) {
		return;
	}
	pad_leave(pad);
	if (pad->tablet != NULL && surface != NULL &&
			wlr_surface_accepts_tablet_v2(surface, pad->tablet->v2)) {
		pad->surface = surface;
		wl_signal_add(&surface->events.destroy, &pad->surface_destroy);
		wlr_tablet_v2_tablet_pad_notify_enter(pad->v2, pad->tablet->v2, surface);
	}
}

/* NULL: none. */
static void pad_set_tablet(struct pad *pad, struct tablet *tablet) {
	if (pad->tablet != tablet) {
		pad_leave(pad);
		pad->tablet = tablet;
		pad_follow(pad);
	}
}

void tablet_pads_follow(struct tablets *tablets) {
	struct pad *pad;
	wl_list_for_each(pad, &tablets->pads, link) {
		pad_follow(pad);
	}
}

void tablet_pads_adopt(struct tablet *tablet) {
	struct pad *pad;
	wl_list_for_each(pad, &tablet->tablets->pads, link) {
		if (pad->tablet == NULL) {
			pad_set_tablet(pad, tablet);
		}
	}
}

void tablet_pads_forget(struct tablet *tablet) {
	struct pad *pad;
	wl_list_for_each(pad, &tablet->tablets->pads, link) {
		if (pad->tablet == tablet) {
			pad_set_tablet(pad, NULL);
		}
	}
}

/* The user does something with it. False: for nobody, though wlroots remembers the last one. */
static bool pad_is_used(struct pad *pad) {
	idle_notify_activity(pad->tablets->server);
	return pad->surface != NULL;
}

static void pad_handle_button(struct wl_listener *listener, void *data) {
	struct pad *pad = wl_container_of(listener, pad, button);
	const struct wlr_tablet_pad_button_event *event = data;
	if (!pad_is_used(pad)) {
		return;
	}
	wlr_tablet_v2_tablet_pad_notify_mode(pad->v2, event->group, event->mode, event->time_msec);
	wlr_tablet_v2_tablet_pad_notify_button(pad->v2, event->button, event->time_msec,
			event->state == WLR_BUTTON_PRESSED
				? ZWP_TABLET_PAD_V2_BUTTON_STATE_PRESSED
				: ZWP_TABLET_PAD_V2_BUTTON_STATE_RELEASED);
}

static void pad_handle_ring(struct wl_listener *listener, void *data) {
	struct pad *pad = wl_container_of(listener, pad, ring);
	const struct wlr_tablet_pad_ring_event *event = data;
	if (!pad_is_used(pad)) {
		return;
	}
	wlr_tablet_v2_tablet_pad_notify_ring(pad->v2, event->ring, event->position,
			event->source == WLR_TABLET_PAD_RING_SOURCE_FINGER, event->time_msec);
}

static void pad_handle_strip(struct wl_listener *listener, void *data) {
	struct pad *pad = wl_container_of(listener, pad, strip);
	const struct wlr_tablet_pad_strip_event *event = data;
	if (!pad_is_used(pad)) {
		return;
	}
	wlr_tablet_v2_tablet_pad_notify_strip(pad->v2, event->strip, event->position,
			event->source == WLR_TABLET_PAD_STRIP_SOURCE_FINGER, event->time_msec);
}

/* A tool came close to the tablet that the pad is a part of. */
static void pad_handle_attach(struct wl_listener *listener, void *data) {
	struct pad *pad = wl_container_of(listener, pad, attach);
	const struct wlr_tablet_tool *wlr_tool = data;
	const struct tool *tool = wlr_tool->data;
	if (tool != NULL && tool->tablet != NULL) {
		pad_set_tablet(pad, tool->tablet);
	}
}

static void pad_handle_destroy(struct wl_listener *listener, void *data) {
	struct pad *pad = wl_container_of(listener, pad, destroy);
	pad_forget_surface(pad); // without a word: v2 went first
	wl_list_remove(&pad->link);
	wl_list_remove(&pad->button.link);
	wl_list_remove(&pad->ring.link);
	wl_list_remove(&pad->strip.link);
	wl_list_remove(&pad->attach.link);
	wl_list_remove(&pad->destroy.link);
	free(pad);
}

void tablet_pads_destroy(struct tablets *tablets) {
	struct pad *pad, *next;
	wl_list_for_each_safe(pad, next, &tablets->pads, link) {
		pad_handle_destroy(&pad->destroy, NULL);
	}
}

/* More numbers at the end of an array of the device's. false: out of memory. */
static bool append(unsigned int **numbers, size_t *count, const unsigned int *more, size_t n_more) {
	unsigned int *all = reallocarray(*numbers, *count + n_more + 1, sizeof(*all));
	if (all == NULL) {
		return false;
	}
	*numbers = all;
	if (n_more > 0) {
		memcpy(all + *count, more, n_more * sizeof(*all));
	}
	*count += n_more;
	return true;
}

/*
 * When a client destroys its pad, wlroots detaches as many rings and strips from it as the last
 * group has, and writes to its memory when the others go. So the last group gets all of them.
 */
static bool pad_gather(struct wlr_tablet_pad *device) {
	struct wlr_tablet_pad_group *group, *last;
	if (wl_list_empty(&device->groups)) {
		return true;
	}
	last = wl_container_of(device->groups.prev, last, link);
	wl_list_for_each(group, &device->groups, link) {
		if (group == last) {
			break;
		}
		if (!append(&last->rings, &last->ring_count, group->rings, group->ring_count)) {
			return false;
		}
		group->ring_count = 0;
		if (!append(&last->strips, &last->strip_count, group->strips,
				group->strip_count)) {
			return false;
		}
		group->strip_count = 0;
	}
	return true;
}

void tablet_add_pad(struct server *server, struct wlr_input_device *device) {
	struct tablets *tablets = server->tablets;
	struct pad *pad = calloc(1, sizeof(*pad));
	if (pad == NULL) {
		return;
	}
	pad->tablets = tablets;
	pad->device = wlr_tablet_pad_from_input_device(device);
	if (pad_gather(pad->device)) {
		pad->v2 = wlr_tablet_pad_create(tablets->manager, server->wlr_seat, device);
	}
	if (pad->v2 == NULL) {
		free(pad);
		return;
	}
	wl_list_insert(&tablets->pads, &pad->link);
	wl_list_init(&pad->surface_destroy.link);
	pad->surface_destroy.notify = pad_handle_surface_destroy;
	/* Where there is one tablet it is that one's; attach_tablet says so for others. */
	if (!wl_list_empty(&tablets->list)) {
		struct tablet *tablet = wl_container_of(tablets->list.next, tablet, link);
		pad_set_tablet(pad, tablet);
	}
	tablet_listen(&pad->button, pad_handle_button, &pad->device->events.button);
	tablet_listen(&pad->ring, pad_handle_ring, &pad->device->events.ring);
	tablet_listen(&pad->strip, pad_handle_strip, &pad->device->events.strip);
	tablet_listen(&pad->attach, pad_handle_attach, &pad->device->events.attach_tablet);
	tablet_listen(&pad->destroy, pad_handle_destroy, &device->events.destroy);
}
