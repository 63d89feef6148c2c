/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "control/guivmctl.h"

#define WAIT_DEFAULT_MS 30000

static int64_t deadline(const struct guivmctl *ctl, int64_t default_ms) {
	int64_t timeout_ms = ctl->options.timeout_ms >= 0 ? ctl->options.timeout_ms : default_ms;
	return timeout_ms >= 0 ? guivmctl_now_ms() + timeout_ms : -1;
}

struct launch {
	bool done, ok;
};

static void launch_handle_result(const char *error, void *data) {
	struct launch *launch = data;
	launch->done = true;
	launch->ok = error == NULL;
	if (error != NULL) {
		guivmctl_error("%s", error);
	}
}

enum exit_status command_launch(struct guivmctl *ctl, char **args, int n_args) {
	struct launch launch = {0};
	if (!guivmctl_connect(ctl)) {
		return STATUS_FAILED;
	}
	if (!control_launch(ctl->control, args[0], args[1], launch_handle_result, &launch)) {
		guivmctl_error("out of memory");
		return STATUS_FAILED;
	}
	int64_t deadline_ms = deadline(ctl, -1);
	int n = 1;
	while (!launch.done && n > 0) {
		n = guivmctl_dispatch(ctl, deadline_ms);
	}
	if (n == 0 && !launch.done) {
		guivmctl_error("%s: no answer about %s in time", args[0], args[1]);
	}
	return launch.ok ? STATUS_OK : STATUS_FAILED;
}

static uint32_t count_windows(const struct control *control, const char *vm) {
	uint32_t count = 0;
	struct control_window *window;
	wl_list_for_each(window, &control->windows, link) {
		bool counts = vm == NULL || strcmp(window->vm, vm) == 0;
		count += counts && !(window->flags & CONTROL_WINDOW_POPUP);
	}
	return count;
}

static bool condition_holds(const struct control *control, const struct condition *condition) {
	if (condition->kind == CONDITION_MIN_WINDOWS) {
		return count_windows(control, condition->vm) >= condition->windows;
	}
	if (condition->kind == CONDITION_MAX_WINDOWS) {
		return count_windows(control, condition->vm) <= condition->windows;
	}
	const struct control_vm *vm = control_find_vm(control, condition->vm);
	return vm != NULL && vm->state == condition->state;
}

static bool all_hold(const struct guivmctl *ctl) {
	for (size_t i = 0; i < ctl->options.n_conditions; i++) {
		if (!condition_holds(ctl->control, &ctl->options.conditions[i])) {
			return false;
		}
	}
	return true;
}

static void report_condition(const struct control *control, const struct condition *condition) {
	if (condition->kind != CONDITION_STATE) {
		guivmctl_error("%s%s%u of %s %u windows",
				condition->vm != NULL ? condition->vm : "",
				condition->vm != NULL ? ": " : "",
				count_windows(control, condition->vm),
				condition->kind == CONDITION_MIN_WINDOWS ? "at least" : "at most",
				condition->windows);
		return;
	}
	const struct control_vm *vm = control_find_vm(control, condition->vm);
	if (vm == NULL) {
		guivmctl_error("there is no VM \"%s\"", condition->vm);
		return;
	}
	guivmctl_error("%s is %s, not %s%s%s", vm->name, control_vm_state_name(vm->state),
			control_vm_state_name(condition->state), vm->message[0] != '\0' ? ": " : "",
			vm->message);
}

enum exit_status command_wait(struct guivmctl *ctl, char **args, int n_args) {
	int64_t deadline_ms = deadline(ctl, WAIT_DEFAULT_MS);
	if (!guivmctl_connect(ctl)) {
		return STATUS_FAILED;
	}
	int n = 1;
	while (n > 0 && !all_hold(ctl)) {
		n = guivmctl_dispatch(ctl, deadline_ms);
	}
	for (size_t i = 0; n == 0 && i < ctl->options.n_conditions; i++) {
		if (!condition_holds(ctl->control, &ctl->options.conditions[i])) {
			report_condition(ctl->control, &ctl->options.conditions[i]);
		}
	}
	return n > 0 ? STATUS_OK : STATUS_FAILED;
}
