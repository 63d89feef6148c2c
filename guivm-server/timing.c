/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/timing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_subcompositor.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "common/fd.h"
#include "guivm-server/output.h"
#include "guivm-server/server.h"
#include "guivm-server/timing_private.h"

#define NS_PER_S 1000000000
/* How long a barrier stays up where nothing is drawn that could let it fall. */
#define HIDDEN_NS (NS_PER_S / 60)
#define UNDRAWN_NS NS_PER_S

/* A commit that is held: wlroots keeps it locked until it is ready. */
struct waiting {
	struct wl_list link; // timed.waiting
	uint32_t seq;
	bool for_barrier;
	int64_t target_ns; // 0: none
};

/* The output that paces the surface, chosen as wlroots does for frame callbacks. NULL: hidden. */
static struct output *timed_output(const struct timed *timed) {
	struct wlr_output *wlr_output = NULL;
	struct wlr_surface_output *on;
	wl_list_for_each(on, &timed->surface->current_outputs, link) {
		bool paces = !on->WLR_PRIVATE.suspended && on->output->enabled &&
			(wlr_output == NULL || on->output->refresh > wlr_output->refresh);
		wlr_output = paces ? on->output : wlr_output;
	}
	return wlr_output != NULL ? output_from_wlr(timed->timing->server, wlr_output) : NULL;
}

static bool timed_has_barrier(const struct timed *timed) {
	return !wl_list_empty(&timed->raised_link);
}

static bool target_is_due(const struct timed *timed, int64_t target_ns, int64_t now_ns) {
	const struct output *output = timed_output(timed);
	if (target_ns > now_ns && output != NULL) {
		bool busy = output->wlr_output->frame_pending;
		now_ns = refresh_next(&output->draw.refresh, now_ns, busy);
	}
	return target_ns <= now_ns;
}

/* Not before what was committed before it, which others may hold. */
static bool waiting_is_next(const struct timed *timed, const struct waiting *waiting) {
	return waiting->seq == timed->surface->current.seq + 1;
}

static bool waiting_is_ready(
		const struct timed *timed, const struct waiting *waiting, int64_t now_ns) {
	return waiting_is_next(timed, waiting) &&
		!(waiting->for_barrier && timed_has_barrier(timed)) &&
		target_is_due(timed, waiting->target_ns, now_ns);
}

static void timing_set_timer(struct timing *timing, int64_t when_ns) {
	timing->timer_ns = when_ns;
	struct itimerspec spec = {
		.it_value = {.tv_sec = when_ns / NS_PER_S, .tv_nsec = when_ns % NS_PER_S},
	};
	timerfd_settime(timing->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* When the barrier falls if nothing was drawn until then. */
static int64_t barrier_end(const struct timed *timed) {
	return timed->raised_ns + (timed_output(timed) != NULL ? UNDRAWN_NS : HIDDEN_NS);
}

/* What lets the first one go on: its output is drawn, or the timer rings. */
static void timed_await(struct timed *timed) {
	const struct waiting *first = wl_container_of(timed->waiting.next, first, link);
	if (!waiting_is_next(timed, first)) {
		return; // it is looked at again when what is before it was applied
	}
	struct output *output = timed_output(timed);
	int64_t when_ns;
	if (first->for_barrier && timed_has_barrier(timed)) {
		if (output != NULL) {
			wlr_output_schedule_frame(output->wlr_output);
		}
		when_ns = barrier_end(timed);
	} else {
		when_ns = first->target_ns;
		if (output != NULL) {
			when_ns = refresh_begin(&output->draw.refresh, when_ns);
		}
	}
	struct timing *timing = timed->timing;
	if (timing->timer_ns == 0 || when_ns < timing->timer_ns) {
		timing_set_timer(timing, when_ns > 0 ? when_ns : 1);
	}
}

/* They stay locked until the surface goes. */
static void timed_drop(struct timed *timed) {
	struct waiting *waiting, *next;
	wl_list_for_each_safe(waiting, next, &timed->waiting, link) {
		free(waiting);
	}
	wl_list_init(&timed->waiting);
	wl_list_remove(&timed->held_link);
	wl_list_init(&timed->held_link);
}

/* Applying a commit comes back here, from timed_handle_apply(). */
static void timed_let_first_go(struct timed *timed) {
	struct waiting *first = wl_container_of(timed->waiting.next, first, link);
	uint32_t seq = first->seq;
	wl_list_remove(&first->link);
	free(first);
	if (wl_list_empty(&timed->waiting)) {
		wl_list_remove(&timed->held_link);
		wl_list_init(&timed->held_link);
		wl_list_remove(&timed->role_destroy.link);
		wl_list_init(&timed->role_destroy.link);
	}
	wlr_surface_unlock_cached(timed->surface, seq);
}

static void timed_advance(struct timed *timed) {
	while (!wl_list_empty(&timed->waiting)) {
		const struct waiting *first = wl_container_of(timed->waiting.next, first, link);
		if (!waiting_is_ready(timed, first, refresh_clock_ns())) {
			timed_await(timed);
			return;
		}
		timed_let_first_go(timed);
	}
}

static void timed_lower(struct timed *timed) {
	wl_list_remove(&timed->raised_link);
	wl_list_init(&timed->raised_link);
}

static void timed_raise(struct timed *timed) {
	wl_list_remove(&timed->raised_link);
	wl_list_insert(&timed->timing->raised, &timed->raised_link);
	timed->raised_ns = refresh_clock_ns();
}

/* A commit of the surface is in force. */
static void timed_handle_apply(struct wlr_surface_synced *synced) {
	struct timed *timed = wl_container_of(synced, timed, synced);
	if (timed->current.set_barrier) {
		timed->current.set_barrier = false;
		timed_raise(timed);
	}
	timed_advance(timed);
}

static void timed_state_move(void *to, void *from) {
	struct timed_state *state = to, *next = from;
	*state = *next;
	next->set_barrier = false;
}

static const struct wlr_surface_synced_impl synced_impl = {
	.state_size = sizeof(struct timed_state),
	.move_state = timed_state_move,
	.commit = timed_handle_apply,
};

/* The object that makes a window or a subsurface of it; NULL: none. */
static struct wl_resource *role_object(struct wlr_surface *surface) {
	const struct wlr_xdg_surface *xdg = wlr_xdg_surface_try_from_wlr_surface(surface);
	return xdg != NULL ? xdg->role_resource : surface->role_resource;
}

/*
 * Content of one role must not come into force in the next: wlroots would map a window that was
 * never configured. So all that waits is applied while there is none.
 */
static void timed_handle_role_destroy(struct wl_listener *listener, void *data) {
	struct timed *timed = wl_container_of(listener, timed, role_destroy);
	bool of_window = strcmp(wl_resource_get_class(data), "wl_subsurface") != 0;
	if (of_window && timed->surface->role_resource != NULL &&
			wlr_xdg_surface_try_from_wlr_surface(timed->surface) == NULL) {
		timed_drop(timed); // the client is going, and its xdg_surface went before this
		return;
	}
	timed_lower(timed);
	while (!wl_list_empty(&timed->waiting)) {
		timed_let_first_go(timed);
	}
	struct wlr_xdg_surface *xdg = wlr_xdg_surface_try_from_wlr_surface(timed->surface);
	if (xdg != NULL) {
		/* As the role's end left it: these commits were not the next role's first. */
		xdg->initialized = xdg->initial_commit = false;
	}
}

static bool is_synchronized(struct wlr_surface *surface) {
	const struct wlr_subsurface *subsurface;
	while ((subsurface = wlr_subsurface_try_from_wlr_surface(surface)) != NULL) {
		if (subsurface->synchronized) {
			return true;
		}
		surface = subsurface->parent;
	}
	return false;
}

static int64_t take_children_target(struct wlr_surface *surface);

static int64_t take_child_target(const struct wlr_subsurface *subsurface) {
	struct timed *child = timed_from_surface(subsurface->surface);
	if (child == NULL || !subsurface->synchronized) {
		return 0;
	}
	int64_t own_ns = child->parent_target_ns;
	child->parent_target_ns = 0;
	int64_t below_ns = take_children_target(subsurface->surface);
	return own_ns > below_ns ? own_ns : below_ns;
}

/* The latest time of what the next commit of this surface takes along. */
static int64_t take_children_target(struct wlr_surface *surface) {
	struct wl_list *const lists[] = {
		&surface->pending.subsurfaces_below,
		&surface->pending.subsurfaces_above,
	};
	int64_t target_ns = 0;
	for (int i = 0; i < 2; i++) {
		const struct wlr_subsurface *subsurface;
		wl_list_for_each(subsurface, lists[i], pending.link) {
			int64_t child_ns = take_child_target(subsurface);
			target_ns = child_ns > target_ns ? child_ns : target_ns;
		}
	}
	return target_ns;
}

/*
 * Content after an unmap without a configure: wlroots checks that only where no commit waits, and
 * counts on it later.
 */
static bool timed_skips_configure(struct timed *timed) {
	struct wlr_surface *surface = timed->surface;
	if (wl_list_empty(&surface->cached)) {
		timed->will_show = wlr_surface_state_has_buffer(&surface->current);
		timed->will_unmap = false;
	}
	bool had = timed->will_show;
	timed->will_show = wlr_surface_state_has_buffer(&surface->pending);
	timed->will_unmap = timed->will_unmap || (had && !timed->will_show);
	return timed->will_unmap && timed->will_show &&
		wlr_xdg_surface_try_from_wlr_surface(surface) != NULL;
}

/* Without memory to hold it, it does not wait. */
static void timed_hold(struct timed *timed, bool for_barrier, int64_t target_ns) {
	struct waiting *waiting = calloc(1, sizeof(*waiting));
	if (waiting == NULL) {
		return;
	}
	*waiting = (struct waiting){.for_barrier = for_barrier, .target_ns = target_ns};
	if (wl_list_empty(&timed->waiting)) {
		wl_list_insert(&timed->timing->held, &timed->held_link);
		struct wl_resource *role = role_object(timed->surface);
		if (role != NULL) {
			wl_resource_add_destroy_listener(role, &timed->role_destroy);
		}
	}
	wl_list_insert(timed->waiting.prev, &waiting->link);
	waiting->seq = wlr_surface_lock_pending(timed->surface);
	timed_await(timed);
}

static void timed_handle_client_commit(struct wl_listener *listener, void *data) {
	struct timed *timed = wl_container_of(listener, timed, client_commit);
	struct wlr_surface *surface = timed->surface;
	bool for_barrier = timed->wait_barrier;
	int64_t target_ns = timed->target_ns;
	timed->wait_barrier = timed->has_timestamp = false;
	timed->target_ns = 0;
	if (timed_skips_configure(timed)) {
		wlr_surface_reject_pending(surface, surface->role_resource,
				XDG_SURFACE_ERROR_UNCONFIGURED_BUFFER,
				"content after an unmap without a configure");
		return;
	}
	if (is_synchronized(surface)) {
		if (target_ns > timed->parent_target_ns) {
			timed->parent_target_ns = target_ns;
		}
		return;
	}
	int64_t children_ns = take_children_target(surface);
	target_ns = children_ns > target_ns ? children_ns : target_ns;
	bool behind = !wl_list_empty(&surface->cached);
	bool wait = (for_barrier && (behind || timed_has_barrier(timed))) ||
		(target_ns > 0 &&
			(behind || !target_is_due(timed, target_ns, refresh_clock_ns())));
	bool has_role = surface->role != NULL &&
		(role_object(surface) != NULL || surface->role->no_object);
	if (wait && has_role) {
		timed_hold(timed, for_barrier, target_ns);
	}
}

static void timed_destroy(struct timed *timed) {
	timed_drop(timed);
	if (timed->fifo != NULL) {
		wl_resource_set_user_data(timed->fifo, NULL);
	}
	if (timed->timer != NULL) {
		wl_resource_set_user_data(timed->timer, NULL);
	}
	wlr_surface_synced_finish(&timed->synced);
	wl_list_remove(&timed->client_commit.link);
	wl_list_remove(&timed->destroy.link);
	wl_list_remove(&timed->role_destroy.link);
	wl_list_remove(&timed->link);
	wl_list_remove(&timed->raised_link);
	wl_list_remove(&timed->held_link);
	free(timed);
}

static void timed_handle_destroy(struct wl_listener *listener, void *data) {
	struct timed *timed = wl_container_of(listener, timed, destroy);
	timed_destroy(timed);
}

struct timed *timed_from_surface(struct wlr_surface *surface) {
	struct wl_listener *listener =
			wl_signal_get(&surface->events.destroy, timed_handle_destroy);
	struct timed *timed = NULL;
	return listener != NULL ? wl_container_of(listener, timed, destroy) : NULL;
}

static void timing_handle_new_surface(struct wl_listener *listener, void *data) {
	struct timing *timing = wl_container_of(listener, timing, new_surface);
	struct wlr_surface *surface = data;
	struct timed *timed = calloc(1, sizeof(*timed));
	if (timed == NULL || !wlr_surface_synced_init(&timed->synced, surface, &synced_impl,
				&timed->pending, &timed->current)) {
		free(timed);
		wl_client_post_no_memory(wl_resource_get_client(surface->resource));
		return;
	}
	timed->timing = timing;
	timed->surface = surface;
	wl_list_init(&timed->waiting);
	wl_list_init(&timed->raised_link);
	wl_list_init(&timed->held_link);
	wl_list_insert(&timing->surfaces, &timed->link);
	timed->client_commit.notify = timed_handle_client_commit;
	wl_signal_add(&surface->events.client_commit, &timed->client_commit);
	timed->destroy.notify = timed_handle_destroy;
	wl_signal_add(&surface->events.destroy, &timed->destroy);
	timed->role_destroy.notify = timed_handle_role_destroy;
	wl_list_init(&timed->role_destroy.link);
}

/* Each one once: what happens to one may take others off the list. */
static void list_take(struct wl_list *todo, struct wl_list *list) {
	wl_list_init(todo);
	wl_list_insert_list(todo, list);
	wl_list_init(list);
}

/* Those of an output; NULL: all. */
static void timing_advance(struct timing *timing, const struct output *output) {
	struct wl_list todo;
	list_take(&todo, &timing->held);
	while (!wl_list_empty(&todo)) {
		struct timed *timed = wl_container_of(todo.next, timed, held_link);
		wl_list_remove(&timed->held_link);
		wl_list_insert(&timing->held, &timed->held_link);
		if (output != NULL && timed_output(timed) != output) {
			continue;
		}
		if (timed_has_barrier(timed) && barrier_end(timed) <= refresh_clock_ns()) {
			timed_lower(timed);
		}
		timed_advance(timed);
	}
}

static int timing_handle_timer(int fd, uint32_t mask, void *data) {
	struct timing *timing = data;
	uint64_t n_rings;
	if (read(fd, &n_rings, sizeof(n_rings)) == sizeof(n_rings)) {
		timing->timer_ns = 0;
		timing_advance(timing, NULL);
	}
	return 0;
}

void timing_handle_draw(struct timing *timing, struct output *output) {
	timing_advance(timing, output);
}

void timing_handle_drawn(struct timing *timing, struct output *output) {
	struct wl_list todo;
	list_take(&todo, &timing->raised);
	while (!wl_list_empty(&todo)) {
		struct timed *timed = wl_container_of(todo.next, timed, raised_link);
		wl_list_remove(&timed->raised_link);
		wl_list_insert(&timing->raised, &timed->raised_link);
		if (timed_output(timed) == output) {
			timed_lower(timed);
			timed_advance(timed);
		}
	}
}

struct timing *timing_create(struct server *server) {
	struct timing *timing = calloc(1, sizeof(*timing));
	if (timing == NULL) {
		return NULL;
	}
	timing->server = server;
	wl_list_init(&timing->surfaces);
	wl_list_init(&timing->raised);
	wl_list_init(&timing->held);
	wl_list_init(&timing->new_surface.link);
	timing->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timing->timer_fd >= 0) {
		timing->timer = wl_event_loop_add_fd(server->loop, timing->timer_fd,
				WL_EVENT_READABLE, timing_handle_timer, timing);
	}
	if (timing->timer == NULL || !timing_protocol_create(timing)) {
		timing_destroy(timing);
		return NULL;
	}
	timing->new_surface.notify = timing_handle_new_surface;
	wl_signal_add(&server->compositor->events.new_surface, &timing->new_surface);
	return timing;
}

void timing_destroy(struct timing *timing) {
	if (timing == NULL) {
		return;
	}
	struct timed *timed, *next;
	wl_list_for_each_safe(timed, next, &timing->surfaces, link) {
		timed_destroy(timed);
	}
	wl_list_remove(&timing->new_surface.link);
	if (timing->timer != NULL) {
		wl_event_source_remove(timing->timer);
	}
	fd_close(&timing->timer_fd);
	free(timing);
}
