/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guivm-server/screen.h"

#include <wlr/backend.h>
#include <wlr/interfaces/wlr_output.h>

#include "guivm-server/refresh.h"

static bool handle_commit(struct wlr_output *output, const struct wlr_output_state *state) {
	struct screen *screen = wl_container_of(output, screen, output);
	if ((state->committed & WLR_OUTPUT_STATE_BUFFER) == 0) {
		return true;
	}
	int64_t now_ns = refresh_clock_ns();
	int64_t into_ns = (now_ns - screen->start_ns) % screen->period_ns;
	screen->flip_ns = now_ns - into_ns + screen->period_ns;
	screen->seq = output->commit_seq + 1;
	screen->n_drawn++;
	wl_event_source_timer_update(
			screen->timer, (int)((screen->flip_ns - now_ns) / 1000000 + 1));
	return true;
}

static int handle_flip(void *data) {
	struct screen *screen = data;
	screen->n_shown++;
	wlr_output_send_present(&screen->output, &(struct wlr_output_event_present){
		.commit_seq = screen->seq,
		.presented = true,
		.when = {.tv_sec = screen->flip_ns / 1000000000,
			.tv_nsec = screen->flip_ns % 1000000000},
		.refresh = (int)screen->period_ns,
	});
	wlr_output_send_frame(&screen->output);
	return 0;
}

static void handle_destroy(struct wlr_output *output) {
	struct screen *screen = wl_container_of(output, screen, output);
	wlr_output_finish(output);
	wl_event_source_remove(screen->timer);
	screen->timer = NULL;
}

static const struct wlr_output_impl impl = {.commit = handle_commit, .destroy = handle_destroy};

void screen_init(struct screen *screen, struct desk *desk, int64_t period_ns) {
	struct server *server = &desk->server;
	wlr_output_destroy(desk->output);
	*screen = (struct screen){.period_ns = period_ns, .start_ns = refresh_clock_ns()};
	screen->timer = wl_event_loop_add_timer(server->loop, handle_flip, screen);
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_custom_mode(&state, DESK_WIDTH, DESK_HEIGHT,
			(int32_t)(1000000000000 / period_ns));
	wlr_output_init(&screen->output, server->backend, &impl, server->loop, &state);
	wlr_output_state_finish(&state);
	wlr_output_set_name(&screen->output, "SCREEN-1");
	desk->output = &screen->output;
	wl_signal_emit_mutable(&server->backend->events.new_output, &screen->output);
	desk_turn(desk);
}

void screen_finish(struct screen *screen) {
	if (screen->timer != NULL) {
		wlr_output_destroy(&screen->output);
	}
}
