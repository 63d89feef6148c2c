/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"

static sigset_t child_signals;
static struct rlimit child_nofile;

void spawn_init(void) {
	sigprocmask(SIG_SETMASK, NULL, &child_signals);
	getrlimit(RLIMIT_NOFILE, &child_nofile);
}

static void child_detach(void) {
	setsid();
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd >= 0) {
		dup2(null_fd, STDIN_FILENO);
		dup2(null_fd, STDOUT_FILENO);
	}
}

static _Noreturn void child_exec(
		char *const argv[], const struct spawn_options *options, int error_fd) {
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &child_signals, NULL);
	setrlimit(RLIMIT_NOFILE, &child_nofile);
	if (options->detached) {
		child_detach();
	}
	// A parent's own connection to another compositor is not for its children, nor is its
	// service manager.
	unsetenv("WAYLAND_SOCKET");
	unsetenv("NOTIFY_SOCKET");
	setenv("WAYLAND_DISPLAY", options->display, 1);
	execvp(argv[0], argv);
	int error = errno;
	while (write(error_fd, &error, sizeof(error)) < 0 && errno == EINTR) {
	}
	_exit(127);
}

pid_t spawn_command(char *const argv[], const struct spawn_options *options, int *pid_fd) {
	int error_pipe[2];
	if (pipe2(error_pipe, O_CLOEXEC) < 0) {
		return -1;
	}
	pid_t pid = fork();
	if (pid == 0) {
		child_exec(argv, options, error_pipe[1]);
	}
	int fork_error = errno;
	fd_close(&error_pipe[1]);
	if (pid < 0) {
		fd_close(&error_pipe[0]);
		errno = fork_error;
		return -1;
	}
	// Ends at exec, which closes the other side.
	int error = 0;
	ssize_t size;
	do {
		size = read(error_pipe[0], &error, sizeof(error));
	} while (size < 0 && errno == EINTR);
	fd_close(&error_pipe[0]);
	if (size == sizeof(error)) {
		waitpid(pid, NULL, 0);
		errno = error;
		return -1;
	}
	*pid_fd = (int)syscall(SYS_pidfd_open, pid, 0); // close-on-exec by itself
	if (*pid_fd < 0) {
		error = errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		errno = error;
		return -1;
	}
	return pid;
}

int spawn_reap(pid_t pid, int pid_fd) {
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	fd_close(&pid_fd);
	return status;
}
