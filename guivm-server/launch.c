/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "guivm-server/relay_server.h"
#include "guivm-server/vm_private.h"
#include "isthmus-relay-v1-server-protocol.h"

/* Waits for the VM, then for the relay's answer, then for the idle callback that tells it. */
struct vm_launch {
	struct wl_list link; // vm.launches, then vms.finished_launches
	struct vm *vm; // NULL once the outcome is known
	char *application;
	uint32_t serial; // 0: not sent yet
	struct wl_event_source *timer; // until the outcome is known
	struct wl_event_source *idle; // outcome known: tells it
	bool started;
	char message[512];
	vm_launch_done_t done; // NULL: nobody asks any more
	void *data;
};

static void launch_destroy(struct vm_launch *launch) {
	if (launch->timer != NULL) {
		wl_event_source_remove(launch->timer);
	}
	if (launch->idle != NULL) {
		wl_event_source_remove(launch->idle);
	}
	wl_list_remove(&launch->link);
	free(launch->application);
	free(launch);
}

static void launch_handle_idle(void *data) {
	struct vm_launch *launch = data;
	launch->idle = NULL;
	vm_launch_done_t done = launch->done;
	void *done_data = launch->data;
	char message[sizeof(launch->message)];
	memcpy(message, launch->message, sizeof(message));
	bool started = launch->started;
	launch_destroy(launch);
	if (done != NULL) {
		done(done_data, started, message);
	}
}

/* The outcome is told from the event loop, so that no caller is called back from its own call. */
static void launch_conclude(struct vm_launch *launch, bool started) {
	struct vms *vms = launch->vm->vms;
	launch->started = started;
	launch->vm = NULL;
	wl_list_remove(&launch->link);
	wl_list_insert(&vms->finished_launches, &launch->link);
	if (launch->timer != NULL) {
		wl_event_source_remove(launch->timer);
		launch->timer = NULL;
	}
	launch->idle = wl_event_loop_add_idle(
			wl_display_get_event_loop(vms->display), launch_handle_idle, launch);
	if (launch->idle == NULL) {
		launch_handle_idle(launch);
	}
}

static void launch_fail(struct vm_launch *launch, const char *format, ...)
		__attribute__((format(printf, 2, 3)));
static void launch_fail(struct vm_launch *launch, const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(launch->message, sizeof(launch->message), format, args);
	va_end(args);
	launch_conclude(launch, false);
}

static int launch_handle_timeout(void *data) {
	struct vm_launch *launch = data;
	const struct vmset_vm *config = launch->vm->config;
	if (launch->serial != 0) {
		launch_fail(launch, "VM \"%s\" gave no answer in %d seconds", config->name,
				VM_CONNECT_TIMEOUT_MS / 1000);
	} else if (config->start.argv == NULL) {
		launch_fail(launch,
				"VM \"%s\" is not running, and the VM set has no start command for "
				"it",
				config->name);
	} else {
		launch_fail(launch, "VM \"%s\" was started but did not connect in %d seconds",
				config->name, VM_CONNECT_TIMEOUT_MS / 1000);
	}
	return 0;
}

static void launch_send(struct vm_launch *launch) {
	struct vm *vm = launch->vm;
	do {
		vm->next_launch_serial++;
	} while (vm->next_launch_serial == 0);
	launch->serial = vm->next_launch_serial;
	vm->launch_credit_until_ms = vm_now_ms() + VM_LAUNCH_CREDIT_MS;
	wl_event_source_timer_update(launch->timer, VM_CONNECT_TIMEOUT_MS);
	relay_server_send_launch(vm, launch->serial, launch->application);
}

/* "it has: a, b, c", as far as there is room. */
static void launch_fail_unknown(struct vm_launch *launch) {
	const struct vmset_vm *config = launch->vm->config;
	char names[300] = "";
	size_t used = 0;
	for (size_t i = 0; i < config->n_applications; i++) {
		const char *name = config->applications[i].name;
		size_t length = strlen(name) + 2;
		if (used + length + 5 > sizeof(names)) {
			snprintf(names + used, sizeof(names) - used, ", …");
			break;
		}
		int size = snprintf(names + used, sizeof(names) - used, "%s%s", i > 0 ? ", " : "",
				name);
		used += (size_t)size;
	}
	launch_fail(launch, "VM \"%s\" has no application \"%.128s\"%s%s", config->name,
			launch->application, used > 0 ? "; it has: " : "", names);
}

static void launch_begin(struct vm_launch *launch) {
	struct vm *vm = launch->vm;
	if (vmset_find_application(vm->config, launch->application) == NULL) {
		launch_fail_unknown(launch);
	} else if (vm->state == VM_RUNNING && vm->manager_resource != NULL) {
		launch_send(launch);
	} else if (vm->config->start.argv == NULL) {
		/* Whoever starts it may be doing so just now. */
		wl_event_source_timer_update(launch->timer, VM_NO_START_TIMEOUT_MS);
	} else if (vm_start(vm)) {
		wl_event_source_timer_update(launch->timer, VM_CONNECT_TIMEOUT_MS);
	} else if (launch->vm != NULL) {
		launch_fail(launch, "%s", vm->message);
	}
}

struct vm_launch *vm_launch(
		struct vm *vm, const char *application, vm_launch_done_t done, void *data) {
	struct vm_launch *launch = calloc(1, sizeof(*launch));
	if (launch == NULL) {
		return NULL;
	}
	wl_list_init(&launch->link);
	launch->application = strdup(application);
	launch->timer = wl_event_loop_add_timer(
			wl_display_get_event_loop(vm->vms->display), launch_handle_timeout, launch);
	if (launch->application == NULL || launch->timer == NULL) {
		launch_destroy(launch);
		return NULL;
	}
	launch->vm = vm;
	launch->done = done;
	launch->data = data;
	wl_list_insert(vm->launches.prev, &launch->link);
	launch_begin(launch);
	return launch;
}

void vm_launch_forget(struct vm_launch *launch) {
	launch->done = NULL;
}

void launches_send(struct vm *vm) {
	if (vm->manager_resource == NULL) {
		return;
	}
	struct vm_launch *launch;
	wl_list_for_each (launch, &vm->launches, link) {
		if (launch->serial == 0) {
			launch_send(launch);
		}
	}
}

void launches_fail(struct vm *vm, const char *message) {
	struct vm_launch *launch, *next;
	wl_list_for_each_safe (launch, next, &vm->launches, link) {
		launch_fail(launch, "%s", message);
	}
}

void launches_lose_relay(struct vm *vm, const char *message) {
	struct vm_launch *launch, *next;
	wl_list_for_each_safe (launch, next, &vm->launches, link) {
		if (launch->serial != 0 || !vm->starting) {
			launch_fail(launch, "%s", message);
		}
	}
}

void launches_finish(struct vms *vms) {
	struct vm_launch *launch, *next;
	wl_list_for_each_safe (launch, next, &vms->finished_launches, link) {
		wl_event_source_remove(launch->idle);
		launch_handle_idle(launch);
	}
}

static void launch_fail_exited(struct vm_launch *launch, uint32_t wait_status) {
	int status = (int)wait_status;
	const char *vm = launch->vm->config->name;
	if (WIFSIGNALED(status)) {
		launch_fail(launch, "\"%s\" in VM \"%s\" was killed by signal %d at once",
				launch->application, vm, WTERMSIG(status));
	} else {
		launch_fail(launch, "\"%s\" in VM \"%s\" ended at once with exit status %d",
				launch->application, vm, WEXITSTATUS(status));
	}
}

bool launch_answer(struct vm *vm, uint32_t serial, uint32_t status, uint32_t detail) {
	struct vm_launch *launch, *found = NULL;
	wl_list_for_each (launch, &vm->launches, link) {
		if (serial != 0 && launch->serial == serial) {
			found = launch;
		}
	}
	if (found == NULL) {
		/* One that timed out here may be answered yet. */
		return serial != 0 && serial <= vm->next_launch_serial;
	}
	switch (status) {
	case ISTHMUS_RELAY_V1_LAUNCH_STATUS_STARTED:
		launch_conclude(found, true);
		break;
	case ISTHMUS_RELAY_V1_LAUNCH_STATUS_UNKNOWN:
		launch_fail(found, "VM \"%s\" does not know \"%s\": its own VM set is another one",
				vm->config->name, found->application);
		break;
	case ISTHMUS_RELAY_V1_LAUNCH_STATUS_FAILED:
		launch_fail(found, "\"%s\" cannot be started in VM \"%s\": %s", found->application,
				vm->config->name, strerror((int)(detail & 0xfff)));
		break;
	case ISTHMUS_RELAY_V1_LAUNCH_STATUS_EXITED:
		launch_fail_exited(found, detail);
		break;
	default:
		launch_fail(found, "VM \"%s\" went away before \"%s\" was started",
				vm->config->name, found->application);
		break;
	}
	return true;
}
