/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"

#define STOP_TIMEOUT_MS 1000
#define SHUTDOWN_TIMEOUT_MS 300

extern char **environ;

struct process {
	pid_t pid;
	int pidfd;
	bool stopping;
	process_exited_t exited; // NULL: detached
	void *data;
	struct wl_event_source *source, *kill_timer;
	struct wl_listener loop_destroy;
};

static void process_free(struct process *process) {
	if (process->source != NULL) {
		wl_event_source_remove(process->source);
	}
	if (process->kill_timer != NULL) {
		wl_event_source_remove(process->kill_timer);
	}
	wl_list_remove(&process->loop_destroy.link);
	fd_close(&process->pidfd);
	free(process);
}

static void process_signal(struct process *process, int number) {
	syscall(SYS_pidfd_send_signal, process->pidfd, number, NULL, 0);
}

/* Reaps it; the status is as from waitpid(). */
static int process_wait(struct process *process) {
	siginfo_t info = {0};
	while (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED) < 0 && errno == EINTR) {
	}
	return info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
}

static int process_handle_exit(int fd, uint32_t mask, void *data) {
	struct process *process = data;
	int status = process_wait(process);
	process_exited_t exited = process->exited;
	void *exited_data = process->data;
	process_free(process);
	if (exited != NULL) {
		exited(exited_data, status);
	}
	return 0;
}

static int process_handle_kill_timer(void *data) {
	process_signal(data, SIGKILL);
	return 0;
}

static void process_handle_loop_destroy(struct wl_listener *listener, void *data) {
	struct process *process = wl_container_of(listener, process, loop_destroy);
	if (process->stopping) {
		struct pollfd poll_fd = {.fd = process->pidfd, .events = POLLIN};
		if (poll(&poll_fd, 1, SHUTDOWN_TIMEOUT_MS) <= 0) {
			process_signal(process, SIGKILL);
		}
		process_wait(process);
	}
	process_free(process);
}

/* A copy of our environment with what the child should see, one block, or NULL. */
static char **environment_create(int wayland_socket, char *socket_entry, size_t socket_entry_size) {
	static const char *const hidden[] = {
		"WAYLAND_SOCKET=", "NOTIFY_SOCKET=", "WAYLAND_DISPLAY=", "DISPLAY="};
	size_t count = 0, used = 0;
	while (environ[count] != NULL) {
		count++;
	}
	char **list = calloc(count + 2, sizeof(*list));
	if (list == NULL) {
		return NULL;
	}
	/* A start command may be for a display of its own; a relay has none but its socket. */
	size_t n_hidden = wayland_socket >= 0 ? 4 : 2;
	for (size_t i = 0; i < count; i++) {
		bool show = true;
		for (size_t j = 0; j < n_hidden; j++) {
			show = show && strncmp(environ[i], hidden[j], strlen(hidden[j])) != 0;
		}
		if (show) {
			list[used++] = environ[i];
		}
	}
	if (wayland_socket >= 0) {
		snprintf(socket_entry, socket_entry_size, "WAYLAND_SOCKET=%d", wayland_socket);
		list[used] = socket_entry;
	}
	return list;
}

/*
 * Between fork and exec: nothing here may allocate or lock, since other threads may have held the
 * lock.
 */
static _Noreturn void child_run(
		const struct process_spec *spec, char **environment, pid_t parent, int error_fd) {
	setsid();
	for (int number = 1; number < NSIG; number++) {
		signal(number, SIG_DFL);
	}
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (spec->dies_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent) {
			_exit(127);
		}
	}
	/* Whatever a library left open without close-on-exec stays here. */
	syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
	if (spec->wayland_socket >= 0) {
		fcntl(spec->wayland_socket, F_SETFD, 0);
	}
	if (spec->nofile != NULL) {
		setrlimit(RLIMIT_NOFILE, spec->nofile);
	}
	execvpe(spec->argv[0], spec->argv, environment);
	int error = errno;
	ssize_t written = write(error_fd, &error, sizeof(error));
	_exit(written == sizeof(error) ? 127 : 126);
}

/* The child's pid once it runs the program, or -1 with errno. */
static pid_t child_start(const struct process_spec *spec) {
	char socket_entry[32];
	char **environment = environment_create(
			spec->wayland_socket, socket_entry, sizeof(socket_entry));
	int errors[2];
	if (environment == NULL || pipe2(errors, O_CLOEXEC) < 0) {
		free(environment);
		return -1;
	}
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		child_run(spec, environment, parent, errors[1]);
	}
	free(environment);
	close(errors[1]);
	int error = 0;
	if (pid < 0) {
		error = errno;
	} else {
		/* End of file when exec closed the other end. */
		ssize_t size;
		do {
			size = read(errors[0], &error, sizeof(error));
		} while (size < 0 && errno == EINTR);
		if (size == sizeof(error)) {
			waitpid(pid, NULL, 0);
			pid = -1;
		}
	}
	close(errors[0]);
	errno = error;
	return pid;
}

struct process *process_create(struct wl_event_loop *loop, const struct process_spec *spec,
		process_exited_t exited, void *data) {
	struct process *process = calloc(1, sizeof(*process));
	if (process == NULL) {
		return NULL;
	}
	process->pidfd = -1;
	process->exited = exited;
	process->data = data;
	process->loop_destroy.notify = process_handle_loop_destroy;
	wl_event_loop_add_destroy_listener(loop, &process->loop_destroy);
	process->kill_timer = wl_event_loop_add_timer(loop, process_handle_kill_timer, process);
	if (process->kill_timer == NULL) {
		goto error_free;
	}
	process->pid = child_start(spec);
	if (process->pid < 0) {
		goto error_free;
	}
	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (process->pidfd >= 0) {
		process->source = wl_event_loop_add_fd(loop, process->pidfd, WL_EVENT_READABLE,
				process_handle_exit, process);
	}
	if (process->source == NULL) {
		int error = errno;
		kill(process->pid, SIGKILL);
		waitpid(process->pid, NULL, 0);
		errno = error;
		goto error_free;
	}
	return process;

error_free:;
	int error = errno;
	process_free(process);
	errno = error;
	return NULL;
}

pid_t process_pid(const struct process *process) {
	return process->pid;
}

void process_stop(struct process *process) {
	process->stopping = true;
	process_signal(process, SIGTERM);
	wl_event_source_timer_update(process->kill_timer, STOP_TIMEOUT_MS);
}

void process_detach(struct process *process) {
	if (process != NULL) {
		process->exited = NULL;
	}
}

void process_find_own(char path[PATH_MAX], const char *variable, const char *const *places) {
	const char *chosen = getenv(variable);
	if (chosen != NULL && chosen[0] != '\0') {
		snprintf(path, PATH_MAX, "%s", chosen);
		return;
	}
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[length > 0 ? length : 0] = '\0';
	const char *slash = strrchr(self, '/');
	for (size_t i = 0; slash != NULL && places[i] != NULL; i++) {
		int size = snprintf(path, PATH_MAX, "%.*s/%s", (int)(slash - self), self,
				places[i]);
		if (size < PATH_MAX && access(path, X_OK) == 0) {
			return;
		}
	}
	const char *name = strrchr(places[0], '/');
	snprintf(path, PATH_MAX, "%s", name != NULL ? name + 1 : places[0]);
}
