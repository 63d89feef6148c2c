/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/output_draw.h"

#include <time.h>
#include <wlr/backend/headless.h>
#include <wlr/backend/wayland.h>
#include <wlr/backend/x11.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_tearing_control_v1.h>

#include "guivm-server/focus.h"
#include "guivm-server/output.h"
#include "guivm-server/release.h"
#include "guivm-server/server.h"
#include "guivm-server/timing.h"
#include "guivm-server/view.h"

#define NS_PER_MS 1000000

/* What is handed to it waits for the refresh. Another desktop has a time of its own for that. */
static bool is_screen(struct wlr_output *wlr_output) {
	return !wlr_output_is_headless(wlr_output) && !wlr_output_is_wl(wlr_output) &&
		!wlr_output_is_x11(wlr_output);
}

/* A fullscreen game on this output asked for it, and it alone is seen there. */
static bool output_may_tear(const struct output *output) {
	struct server *server = output->server;
	const struct view *view = focus_view(server);
	return view != NULL && view->fullscreen && view->output == output &&
		wlr_tearing_control_manager_v1_surface_hint_from_surface(
				server->tearing, view->window.surface) ==
			WP_TEARING_CONTROL_V1_PRESENTATION_HINT_ASYNC;
}

/*
 * Renders and commits only when there is damage; without any the output falls silent. Returns
 * whether what was drawn is shown at a refresh, and not in the middle of one.
 */
static bool output_commit(struct output *output) {
	struct wlr_scene_output_state_options options = {
		.timer = is_screen(output->wlr_output) ? &output->draw.gpu : NULL,
	};
	if (!output_may_tear(output)) {
		wlr_scene_output_commit(output->scene_output, &options);
		return true;
	}
	bool whole = true;
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	if (wlr_scene_output_needs_frame(output->scene_output) &&
			wlr_scene_output_build_state(output->scene_output, &state, &options)) {
		state.tearing_page_flip = true;
		if (!wlr_output_test_state(output->wlr_output, &state)) {
			state.tearing_page_flip = false;
		}
		whole = !state.tearing_page_flip;
		wlr_output_commit_state(output->wlr_output, &state);
	}
	wlr_output_state_finish(&state);
	return whole;
}

static void output_send_done(struct output *output) {
	releases_handle_frame(output->server->releases);
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	wlr_scene_output_send_frame_done(output->scene_output, &now);
}

static void output_draw(struct output *output) {
	struct output_draw *draw = &output->draw;
	int64_t begun_ns = refresh_clock_ns();
	refresh_handle_cost(&draw->refresh, wlr_scene_timer_get_duration_ns(&draw->gpu));
	timing_handle_draw(output->server->timing, output);
	bool whole = output_commit(output);
	if (whole) {
		timing_handle_drawn(output->server->timing, output);
	}
	bool drawn = output->wlr_output->frame_pending;
	if (drawn && whole) {
		refresh_handle_drawn(&draw->refresh, begun_ns, refresh_clock_ns());
	}
	draw->unshown = drawn && is_screen(output->wlr_output);
	if (!draw->unshown) {
		output_send_done(output);
	}
}

static int output_handle_timer(void *data) {
	struct output *output = data;
	output->draw.waits = false;
	/* Else somebody else drew, and its frame event comes yet. */
	if (output->wlr_output->enabled && !output->wlr_output->frame_pending) {
		output_draw(output);
	}
	return 0;
}

/* Whether it is better drawn later, which will be done. */
static bool output_draw_later(struct output *output) {
	struct output_draw *draw = &output->draw;
	if (!is_screen(output->wlr_output) || output_may_tear(output) ||
			!wlr_scene_output_needs_frame(output->scene_output)) {
		return false;
	}
	int64_t now_ns = refresh_clock_ns();
	int64_t wait_ns = refresh_put_off(&draw->refresh, now_ns) - now_ns;
	draw->waits = wait_ns >= NS_PER_MS;
	if (draw->waits) {
		wl_event_source_timer_update(draw->timer, (int)(wait_ns / NS_PER_MS));
	}
	return draw->waits;
}

/* The last frame is shown, or there is something new to show where there was nothing. */
static void output_handle_frame(struct wl_listener *listener, void *data) {
	struct output *output = wl_container_of(listener, output, draw.frame);
	struct output_draw *draw = &output->draw;
	if (draw->waits) {
		return;
	}
	if (draw->unshown) {
		draw->unshown = false;
		output_send_done(output);
	}
	if (!output_draw_later(output)) {
		output_draw(output);
	}
}

static void output_update_refresh(struct output *output) {
	struct wlr_output *wlr_output = output->wlr_output;
	bool immediate = wlr_output_is_headless(wlr_output) ||
		wlr_output->adaptive_sync_status == WLR_OUTPUT_ADAPTIVE_SYNC_ENABLED;
	refresh_init(&output->draw.refresh, immediate);
	refresh_set_rate(&output->draw.refresh, wlr_output->refresh);
}

static void output_handle_commit(struct wl_listener *listener, void *data) {
	struct output *output = wl_container_of(listener, output, draw.commit);
	const struct wlr_output_event_commit *event = data;
	const uint32_t changes = WLR_OUTPUT_STATE_MODE | WLR_OUTPUT_STATE_ENABLED |
		WLR_OUTPUT_STATE_ADAPTIVE_SYNC_ENABLED;
	if (event->state->committed & changes) {
		output_update_refresh(output);
	}
}

static void output_handle_present(struct wl_listener *listener, void *data) {
	struct output *output = wl_container_of(listener, output, draw.present);
	struct wlr_output_event_present *event = data;
	if (!event->presented) {
		return;
	}
	refresh_handle_shown(&output->draw.refresh, refresh_time_ns(&event->when));
	if (event->refresh == 0 && wlr_output_is_headless(output->wlr_output)) {
		/* Clients choose their times by it. */
		event->refresh = (int)output->draw.refresh.period_ns;
	}
}

bool output_draw_init(struct output *output) {
	struct output_draw *draw = &output->draw;
	struct wlr_output *wlr_output = output->wlr_output;
	output_update_refresh(output);
	draw->frame.notify = output_handle_frame;
	wl_signal_add(&wlr_output->events.frame, &draw->frame);
	draw->commit.notify = output_handle_commit;
	wl_signal_add(&wlr_output->events.commit, &draw->commit);
	draw->present.notify = output_handle_present;
	wl_signal_add(&wlr_output->events.present, &draw->present);
	draw->timer = wl_event_loop_add_timer(output->server->loop, output_handle_timer, output);
	return draw->timer != NULL;
}

void output_draw_finish(struct output *output) {
	struct output_draw *draw = &output->draw;
	wl_list_remove(&draw->frame.link);
	wl_list_remove(&draw->commit.link);
	wl_list_remove(&draw->present.link);
	if (draw->timer != NULL) {
		wl_event_source_remove(draw->timer);
	}
	wlr_scene_timer_finish(&draw->gpu);
}
