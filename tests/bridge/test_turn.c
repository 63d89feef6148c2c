/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/turn.h"

#include <sys/eventfd.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "tests/harness/test.h"

/* A loop with one source, which is ready once a task or a test said so. */
struct fixture {
	struct wl_event_loop *loop;
	struct turn *turn;
	struct wl_event_source *source;
	int event_fd;
	struct turn_task first, second;
	int n_first, n_second, n_events;
	bool defer_in_event;
};

static void make_ready(struct fixture *f) {
	uint64_t one = 1;
	EXPECT_INT(write(f->event_fd, &one, sizeof(one)), sizeof(one));
}

static int handle_event(int fd, uint32_t mask, void *data) {
	struct fixture *f = data;
	uint64_t count;
	EXPECT_INT(read(fd, &count, sizeof(count)), sizeof(count));
	f->n_events++;
	if (f->defer_in_event) {
		turn_defer(f->turn, TURN_LINKS, &f->first);
	}
	return 0;
}

static void run_first(struct turn_task *task) {
	struct fixture *f = wl_container_of(task, f, first);
	f->n_first++;
}

static void run_second(struct turn_task *task) {
	struct fixture *f = wl_container_of(task, f, second);
	f->n_second++;
	make_ready(f);
}

static void fixture_init(struct fixture *f) {
	*f = (struct fixture){.loop = wl_event_loop_create(), .event_fd = eventfd(0, EFD_CLOEXEC)};
	f->turn = turn_of_loop(f->loop);
	f->source = wl_event_loop_add_fd(f->loop, f->event_fd, WL_EVENT_READABLE, handle_event, f);
	EXPECT(f->turn != NULL && f->source != NULL);
	turn_task_init(&f->first, run_first);
	turn_task_init(&f->second, run_second);
}

static void fixture_finish(struct fixture *f) {
	wl_event_source_remove(f->source);
	wl_event_loop_destroy(f->loop);
	close(f->event_fd);
}

TEST(what_a_source_defers_is_done_when_the_turn_is) {
	struct fixture f;
	fixture_init(&f);
	f.defer_in_event = true;
	for (int i = 1; i <= 3; i++) {
		make_ready(&f);
		EXPECT_INT(turn_dispatch(f.turn), 0);
		EXPECT_INT(f.n_first, i);
	}
	fixture_finish(&f);
}

/* Nothing is ready before the task ran: a loop that waited first would wait for ever. */
TEST(what_was_deferred_from_outside_does_not_wait) {
	struct fixture f;
	fixture_init(&f);
	for (int i = 1; i <= 3; i++) {
		turn_defer(f.turn, TURN_LINKS, &f.second);
		EXPECT_INT(turn_dispatch(f.turn), 0);
		EXPECT_INT(f.n_second, i);
		EXPECT_INT(f.n_events, i);
	}
	fixture_finish(&f);
}

static void handle_idle(void *data) {
	struct fixture *f = data;
	turn_defer(f->turn, TURN_SOCKETS, &f->second);
}

TEST(what_an_idle_source_defers_does_not_wait) {
	struct fixture f;
	fixture_init(&f);
	for (int i = 1; i <= 3; i++) {
		wl_event_loop_add_idle(f.loop, handle_idle, &f);
		EXPECT_INT(turn_dispatch(f.turn), 0);
		EXPECT_INT(f.n_second, i);
	}
	fixture_finish(&f);
}

static void run_with_idle(struct turn_task *task) {
	struct fixture *f = wl_container_of(task, f, first);
	f->n_first++;
	wl_event_loop_add_idle(f->loop, handle_idle, f);
}

TEST(a_task_may_add_an_idle_source_that_defers_a_task) {
	struct fixture f;
	fixture_init(&f);
	f.first.run = run_with_idle;
	turn_defer(f.turn, TURN_LINKS, &f.first);
	EXPECT_INT(turn_dispatch(f.turn), 0);
	EXPECT_INT(f.n_first, 1);
	EXPECT_INT(f.n_second, 1);
	EXPECT_INT(f.n_events, 1);
	fixture_finish(&f);
}

TEST(what_is_deferred_to_the_next_turn_runs_in_it) {
	struct fixture f;
	fixture_init(&f);
	turn_defer_next(f.turn, &f.first);
	EXPECT_INT(f.n_first, 0);
	EXPECT_INT(turn_dispatch(f.turn), 0);
	EXPECT_INT(f.n_first, 1);
	fixture_finish(&f);
}

TEST(a_lazy_task_runs_later_with_nothing_else_to_do) {
	struct fixture f;
	fixture_init(&f);
	turn_defer_lazy(f.turn, &f.first);
	while (f.n_first == 0) {
		EXPECT_INT(turn_dispatch(f.turn), 0);
	}
	fixture_finish(&f);
}

TEST(a_loop_of_its_own_runs_tasks_as_well) {
	struct fixture f;
	fixture_init(&f);
	turn_defer(f.turn, TURN_LINKS, &f.second);
	EXPECT_INT(wl_event_loop_dispatch(f.loop, -1), 0);
	EXPECT_INT(f.n_second, 1);
	EXPECT_INT(f.n_events, 1);
	fixture_finish(&f);
}
