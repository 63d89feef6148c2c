/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/turn.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <wayland-server-core.h>

struct turn {
	struct wl_list stages[TURN_STAGES]; // struct turn_task.link
	struct wl_list next; // struct turn_task.link
	struct wl_list young, old; // struct turn_task.link; lazy, old since the timer last fired
	struct wl_event_source *lazy_timer;
	bool lazy_armed;
	int again_fd; // readable: there are tasks in next
	struct wl_event_source *source;
	struct wl_event_loop *loop;
	bool driven; // by turn_dispatch(), so that no idle source is needed
	struct wl_event_source *idle; // NULL: nothing is deferred, or driven
	struct wl_listener loop_destroy;
};

/* wl_list_empty() is a call into a library, here made several times for each message. */
static bool is_empty(const struct wl_list *list) {
	return list->next == list;
}

static void run_list(struct wl_list *list) {
	while (!is_empty(list)) {
		struct turn_task *task = wl_container_of(list->next, task, link);
		turn_task_cancel(task);
		task->run(task);
	}
}

static bool run_first_stage(struct turn *turn) {
	for (int i = 0; i < TURN_STAGES; i++) {
		if (!is_empty(&turn->stages[i])) {
			run_list(&turn->stages[i]);
			return true;
		}
	}
	return false;
}

/* Whether there was anything. */
static bool run_stages(struct turn *turn) {
	bool any = false;
	// A later stage may fill an earlier one again.
	while (run_first_stage(turn)) {
		any = true;
	}
	return any;
}

void turn_run(struct turn *turn) {
	run_stages(turn);
}

/* Tasks may add idle sources, which may defer tasks. */
static void settle(struct turn *turn) {
	while (run_stages(turn)) {
		wl_event_loop_dispatch_idle(turn->loop);
	}
}

int turn_dispatch(struct turn *turn) {
	turn->driven = true;
	// What comes from outside of the loop must not wait with it.
	wl_event_loop_dispatch_idle(turn->loop);
	settle(turn);
	int result = wl_event_loop_dispatch(turn->loop, -1);
	settle(turn);
	return result;
}

static int turn_handle_event(int fd, uint32_t mask, void *data) {
	struct turn *turn = data;
	if (mask & WL_EVENT_READABLE) {
		uint64_t count;
		ssize_t got = read(fd, &count, sizeof(count));
		(void)got;
		// What these tasks defer to the next turn in their turn waits for that.
		struct wl_list now;
		wl_list_init(&now);
		wl_list_insert_list(&now, &turn->next);
		wl_list_init(&turn->next);
		run_list(&now);
	}
	return 0;
}

static void turn_arm_lazy(struct turn *turn) {
	turn->lazy_armed = true;
	wl_event_source_timer_update(turn->lazy_timer, TURN_LAZY_MS);
}

static int turn_handle_lazy(void *data) {
	struct turn *turn = data;
	turn->lazy_armed = false;
	struct wl_list now;
	wl_list_init(&now);
	wl_list_insert_list(&now, &turn->old);
	wl_list_init(&turn->old);
	wl_list_insert_list(&turn->old, &turn->young);
	wl_list_init(&turn->young);
	if (!is_empty(&turn->old)) {
		turn_arm_lazy(turn);
	}
	run_list(&now);
	return 0;
}

static void turn_handle_idle(void *data) {
	struct turn *turn = data;
	turn->idle = NULL; // the loop frees it
	turn_run(turn);
}

static void turn_handle_loop_destroy(struct wl_listener *listener, void *data) {
	struct turn *turn = wl_container_of(listener, turn, loop_destroy);
	wl_list_remove(&turn->loop_destroy.link);
	if (turn->idle != NULL) {
		wl_event_source_remove(turn->idle);
	}
	wl_event_source_remove(turn->lazy_timer);
	wl_event_source_remove(turn->source);
	close(turn->again_fd);
	free(turn);
}

static struct turn *turn_create(struct wl_event_loop *loop) {
	struct turn *turn = calloc(1, sizeof(*turn));
	if (turn == NULL) {
		return NULL;
	}
	turn->again_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (turn->again_fd < 0) {
		goto error_turn;
	}
	turn->source = wl_event_loop_add_fd(
			loop, turn->again_fd, WL_EVENT_READABLE, turn_handle_event, turn);
	if (turn->source == NULL) {
		goto error_fd;
	}
	turn->lazy_timer = wl_event_loop_add_timer(loop, turn_handle_lazy, turn);
	if (turn->lazy_timer == NULL) {
		goto error_source;
	}
	turn->loop = loop;
	for (int i = 0; i < TURN_STAGES; i++) {
		wl_list_init(&turn->stages[i]);
	}
	wl_list_init(&turn->next);
	wl_list_init(&turn->young);
	wl_list_init(&turn->old);
	turn->loop_destroy.notify = turn_handle_loop_destroy;
	wl_event_loop_add_destroy_listener(loop, &turn->loop_destroy);
	return turn;

error_source:
	wl_event_source_remove(turn->source);
error_fd:
	close(turn->again_fd);
error_turn:
	free(turn);
	return NULL;
}

struct turn *turn_of_loop(struct wl_event_loop *loop) {
	struct wl_listener *listener =
			wl_event_loop_get_destroy_listener(loop, turn_handle_loop_destroy);
	if (listener == NULL) {
		return turn_create(loop);
	}
	struct turn *turn = wl_container_of(listener, turn, loop_destroy);
	return turn;
}

void turn_task_init(struct turn_task *task, void (*run)(struct turn_task *task)) {
	task->run = run;
	task->lazy = false;
	wl_list_init(&task->link);
}

void turn_task_cancel(struct turn_task *task) {
	wl_list_remove(&task->link);
	wl_list_init(&task->link);
	task->lazy = false;
}

/* Whether it is deferred in earnest. A lazy one is taken out. */
static bool is_deferred(struct turn_task *task) {
	if (task->lazy) {
		turn_task_cancel(task);
	}
	return turn_task_deferred(task);
}

void turn_defer(struct turn *turn, enum turn_stage stage, struct turn_task *task) {
	if (is_deferred(task)) {
		return;
	}
	wl_list_insert(turn->stages[stage].prev, &task->link);
	// Not wl_event_source_check(): what is deferred by another idle source, before the loop
	// waits, would wait with it.
	if (!turn->driven && turn->idle == NULL) {
		turn->idle = wl_event_loop_add_idle(turn->loop, turn_handle_idle, turn);
	}
}

void turn_defer_lazy(struct turn *turn, struct turn_task *task) {
	if (turn_task_deferred(task)) {
		return;
	}
	task->lazy = true;
	wl_list_insert(turn->young.prev, &task->link);
	if (!turn->lazy_armed) {
		turn_arm_lazy(turn);
	}
}

void turn_defer_next(struct turn *turn, struct turn_task *task) {
	if (is_deferred(task)) {
		return;
	}
	wl_list_insert(turn->next.prev, &task->link);
	uint64_t one = 1;
	ssize_t written = write(turn->again_fd, &one, sizeof(one));
	(void)written;
}
