/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/exec.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "appvm-proxy/proxy.h"
#include "appvm-proxy/spawn.h"
#include "bridge/link.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/link.h"
#include "vmset/vmset.h"

#define LAUNCH_SETTLE_MS 2000
#define MAX_LAUNCHES 256 // alive at once

struct exec {
	struct proxy *proxy;
	struct wl_list launches; // struct launch.link
	int n_launches;
};

struct launch {
	struct wl_list link; // struct exec.launches
	struct exec *exec;
	uint32_t number; // of the request
	bool answered;
	pid_t pid;
	int pid_fd;
	struct wl_event_source *source, *timer;
};

struct exec *exec_create(struct proxy *proxy) {
	struct exec *exec = calloc(1, sizeof(*exec));
	if (exec == NULL) {
		return NULL;
	}
	exec->proxy = proxy;
	wl_list_init(&exec->launches);
	return exec;
}

static void launch_finish(struct launch *launch) {
	wl_event_source_remove(launch->source);
	wl_event_source_remove(launch->timer);
	wl_list_remove(&launch->link);
	launch->exec->n_launches--;
	free(launch);
}

void exec_destroy(struct exec *exec) {
	if (exec == NULL) {
		return;
	}
	struct launch *launch, *next;
	wl_list_for_each_safe (launch, next, &exec->launches, link) {
		close(launch->pid_fd);
		launch_finish(launch);
	}
	free(exec);
}

static void exec_answer(struct exec *exec, uint32_t number, enum link_launch_status status,
		uint32_t detail) {
	struct link_launch_result result = {.status = status, .detail = detail};
	if (exec->proxy->link_open) {
		link_send(exec->proxy->link, LINK_LAUNCH_RESULT, 0, number, &result,
				sizeof(result));
	}
}

static void launch_answer(struct launch *launch, enum link_launch_status status, uint32_t detail) {
	if (!launch->answered) {
		launch->answered = true;
		exec_answer(launch->exec, launch->number, status, detail);
	}
}

static int launch_handle_exit(int fd, uint32_t mask, void *data) {
	struct launch *launch = data;
	int status = spawn_reap(launch->pid, launch->pid_fd);
	// Status 0 is what one says that asked a running instance to open a window.
	launch_answer(launch, status == 0 ? LINK_LAUNCH_STARTED : LINK_LAUNCH_EXITED,
			(uint32_t)status);
	launch_finish(launch);
	return 0;
}

static int launch_handle_settled(void *data) {
	launch_answer(data, LINK_LAUNCH_STARTED, 0);
	return 0;
}

static bool launch_watch(struct launch *launch) {
	struct wl_event_loop *loop = launch->exec->proxy->loop;
	launch->source = wl_event_loop_add_fd(
			loop, launch->pid_fd, WL_EVENT_READABLE, launch_handle_exit, launch);
	launch->timer = wl_event_loop_add_timer(loop, launch_handle_settled, launch);
	if (launch->source != NULL && launch->timer != NULL) {
		wl_event_source_timer_update(launch->timer, LAUNCH_SETTLE_MS);
		return true;
	}
	if (launch->source != NULL) {
		wl_event_source_remove(launch->source);
	}
	return false;
}

/* Starts argv, or RUNNER with argv as its arguments. As spawn_command(). */
static pid_t launch_spawn(
		char *const argv[], const char *runner, const char *display, int *pid_fd) {
	struct spawn_options options = {.display = display, .detached = true};
	if (runner == NULL) {
		return spawn_command(argv, &options, pid_fd);
	}
	size_t count = 0;
	while (argv[count] != NULL) {
		count++;
	}
	char **whole = calloc(count + 2, sizeof(*whole));
	if (whole == NULL) {
		return -1;
	}
	whole[0] = (char *)runner; // exec takes char *const, and changes nothing
	memcpy(&whole[1], argv, count * sizeof(*whole));
	pid_t pid = spawn_command(whole, &options, pid_fd);
	int error = errno;
	free(whole);
	errno = error;
	return pid;
}

static bool exec_start(
		struct exec *exec, const struct vmset_application *application, uint32_t number) {
	if (exec->n_launches >= MAX_LAUNCHES) {
		errno = EAGAIN;
		return false;
	}
	struct launch *launch = calloc(1, sizeof(*launch));
	if (launch == NULL) {
		return false;
	}
	*launch = (struct launch){.exec = exec, .number = number, .pid_fd = -1};
	launch->pid = launch_spawn(application->exec.argv, exec->proxy->runner,
			proxy_display(exec->proxy), &launch->pid_fd);
	if (launch->pid < 0) {
		free(launch);
		return false;
	}
	if (!launch_watch(launch)) {
		kill(launch->pid, SIGTERM);
		spawn_reap(launch->pid, launch->pid_fd);
		free(launch);
		errno = ENOMEM;
		return false;
	}
	wl_list_insert(&exec->launches, &launch->link);
	exec->n_launches++;
	return true;
}

void exec_handle_launch(struct exec *exec, const struct link_frame *frame) {
	const uint8_t *untrusted_name;
	struct link_bytes bytes = link_frame_bytes(frame, &untrusted_name);
	char name[LIMIT_APP_NAME_BYTES + 1] = "";
	if (bytes.count <= LIMIT_APP_NAME_BYTES) {
		memcpy(name, untrusted_name, bytes.count);
	}
	char shown[LIMIT_LOG_TEXT_BYTES];
	text_sanitise_bytes(shown, sizeof(shown), untrusted_name, bytes.count);

	const struct vmset_vm *vm = exec->proxy->vm;
	const struct vmset_application *application =
			vm != NULL && name[0] != '\0' ? vmset_find_application(vm, name) : NULL;
	uint32_t number = frame->header.arg;
	if (application == NULL || application->exec.argv == NULL) {
		log_error("asked to start \"%s\", which the VM set does not have for this VM",
				shown);
		exec_answer(exec, number, LINK_LAUNCH_UNKNOWN, 0);
	} else if (!exec_start(exec, application, number)) {
		uint32_t detail = (uint32_t)errno;
		log_errno("cannot start \"%s\" (%s)", shown, application->exec.argv[0]);
		exec_answer(exec, number, LINK_LAUNCH_FAILED, detail);
	} else {
		log_info("started \"%s\"", shown);
	}
}

void exec_handle_connection(struct exec *exec, pid_t pid) {
	if (wl_list_empty(&exec->launches) || pid <= 0) {
		return;
	}
	pid_t session = getsid(pid);
	struct launch *launch;
	wl_list_for_each (launch, &exec->launches, link) {
		if (launch->pid == session) {
			launch_answer(launch, LINK_LAUNCH_STARTED, 0);
		}
	}
}

void exec_handle_link_lost(struct exec *exec) {
	struct launch *launch;
	wl_list_for_each (launch, &exec->launches, link) {
		launch->answered = true;
	}
}
