/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_PROCESS_H
#define ISTHMUS_GUIVM_SERVER_PROCESS_H

#include <limits.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <wayland-server-core.h>

/*
 * A child process, watched and reaped through its own pidfd: nobody else's children are touched,
 * and no SIGCHLD handler is needed.
 */
struct process;

/* status as from waitpid(). process is gone when this returns. */
typedef void (*process_exited_t)(void *data, int status);

/*
 * The path of another program of ours: what the environment variable names, when it is set; else
 * the first of places (NULL-terminated, relative to this program's folder) that can be run, so that
 * the build tree works as it is; else the last part of places[0], to be looked up in PATH.
 */
void process_find_own(char path[PATH_MAX], const char *variable, const char *const *places);

struct process_spec {
	char *const *argv; // argv[0] is looked up in PATH unless it has a slash
	int wayland_socket; // handed over and named in WAYLAND_SOCKET; -1: none; stays the caller's
	const struct rlimit *nofile; // limit of open files; NULL: as this process
	bool dies_with_parent; // killed when this process ends, however it does
};

/*
 * Starts it in a session of its own, with default signals and standard descriptors only. NULL with
 * errno when it cannot be started, which includes that there is no such program. exited is called
 * from the event loop.
 */
struct process *process_create(struct wl_event_loop *loop, const struct process_spec *spec,
		process_exited_t exited, void *data);

pid_t process_pid(const struct process *process);

/* Asks it to end, and makes it after a second. exited is still called. */
void process_stop(struct process *process);

/*
 * exited is not called any more; the process is reaped while the event loop lives. One that was
 * asked to stop is killed with the loop, another one lives on. NULL is legal.
 */
void process_detach(struct process *process);

#endif
