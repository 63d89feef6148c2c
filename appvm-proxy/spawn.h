/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_SPAWN_H
#define ISTHMUS_APPVM_PROXY_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/* Remembers the limits and signals of children, before this process changes its own. */
void spawn_init(void);

struct spawn_options {
	const char *display; // WAYLAND_DISPLAY
	bool detached; // a session of its own, no input, no output but standard error
};

/* Starts argv, found through PATH. Returns its pid and, in *pid_fd, a descriptor that becomes
 * readable when it ends (the caller's), or -1 with errno, which is exec's when that failed. */
pid_t spawn_command(char *const argv[], const struct spawn_options *options, int *pid_fd);

/* Reaps a process that ended. Returns its wait status. */
int spawn_reap(pid_t pid, int pid_fd);

#endif
