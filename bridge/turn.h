/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_BRIDGE_TURN_H
#define ISTHMUS_BRIDGE_TURN_H

#include <stdbool.h>
#include <wayland-util.h>

struct wl_event_loop;

/*
 * Work for the end of the event loop's turn, so that everything one wake-up caused leaves in one
 * write. Unlike idle sources alone it has two stages: sockets first, links last, because flushing a
 * socket may still produce a frame; and it costs one idle source per turn, not one per task. An
 * idle source is an allocation: a program's main loop is turn_dispatch(), which needs none.
 */
struct turn;

enum turn_stage {
	TURN_SOCKETS,
	TURN_LINKS,
	TURN_STAGES,
};

struct turn_task {
	struct wl_list link; // struct turn.stages[], next, young or old; own when not deferred
	void (*run)(struct turn_task *task);
	bool lazy; // in young or old
};

/* The turn of a loop, made at the first call and freed with the loop. NULL with errno. */
struct turn *turn_of_loop(struct wl_event_loop *loop);

void turn_task_init(struct turn_task *task, void (*run)(struct turn_task *task));
/* Legal in any state after init. */
void turn_task_cancel(struct turn_task *task);
/* Whether it is yet to run. */
static inline bool turn_task_deferred(const struct turn_task *task) {
	return task->link.next != &task->link;
}

/*
 * Runs task once, after the sources that are ready now and before the loop waits again. Does
 * nothing when it is deferred already.
 */
void turn_defer(struct turn *turn, enum turn_stage stage, struct turn_task *task);

/*
 * Runs task at some time from TURN_LAZY_MS to twice that, unless turn_defer() or turn_defer_next()
 * asks for it earlier or turn_task_cancel() makes it needless: for what is not worth waking a peer
 * for, since something else is soon to be sent. All lazy tasks share one timer, which is left to
 * fire rather than set back for every frame.
 */
#define TURN_LAZY_MS 40
void turn_defer_lazy(struct turn *turn, struct turn_task *task);

/*
 * The same as turn_defer() for the next turn, after every other source that is ready had its turn:
 * for work that is cut into pieces.
 */
void turn_defer_next(struct turn *turn, struct turn_task *task);

/*
 * Waits for sources that are ready, runs them, and then all that is deferred: what
 * wl_event_loop_dispatch() is without tasks, with the same result. Once a loop was run by it, only
 * it may run that loop, since tasks would wait for ever otherwise.
 */
int turn_dispatch(struct turn *turn);

/* Runs what is deferred for this turn at once. */
void turn_run(struct turn *turn);

#endif
