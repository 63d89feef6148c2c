/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/guivmctl.h"
#include "control/json.h"
#include "control/table.h"

static enum exit_status print_table(struct table *table) {
	bool ok = table_print(table, stdout);
	table_finish(table);
	if (!ok) {
		guivmctl_error("out of memory");
	}
	return ok ? STATUS_OK : STATUS_FAILED;
}

static void json_application(struct json *json, const struct control_application *application) {
	json_open(json, NULL, '{');
	json_string(json, "name", application->name);
	json_string(json, "description", application->description);
	json_string(json, "icon", application->icon);
	json_open(json, "categories", '[');
	char *categories = strdup(application->categories);
	char *rest = categories, *category;
	while (rest != NULL && (category = strsep(&rest, ";")) != NULL) {
		if (category[0] != '\0') {
			json_string(json, NULL, category);
		}
	}
	free(categories);
	json_close(json, ']');
	json_close(json, '}');
}

static void json_vm(struct json *json, const struct control_vm *vm) {
	char color[8];
	snprintf(color, sizeof(color), "#%06x", vm->color & 0xffffff);
	json_open(json, NULL, '{');
	json_string(json, "name", vm->name);
	json_string(json, "label", vm->label);
	json_string(json, "color", color);
	json_string(json, "trust", control_trust_name(vm->trust));
	json_string(json, "state", control_vm_state_name(vm->state));
	json_string(json, "message", vm->message);
	json_int(json, "clients", vm->clients);
	json_int(json, "windows", vm->windows);
	json_int(json, "relay_pid", vm->relay_pid);
	json_int(json, "relay_restarts", vm->relay_restarts);
	json_open(json, "applications", '[');
	struct control_application *application;
	wl_list_for_each(application, &vm->applications, link) {
		json_application(json, application);
	}
	json_close(json, ']');
	json_close(json, '}');
}

static void json_window(struct json *json, const struct control_window *window) {
	json_open(json, NULL, '{');
	json_int(json, "id", window->id);
	json_string(json, "vm", window->vm);
	json_string(json, "app_id", window->app_id);
	json_string(json, "title", window->title);
	json_int(json, "x", window->x);
	json_int(json, "y", window->y);
	json_int(json, "width", window->width);
	json_int(json, "height", window->height);
	json_bool(json, "focused", window->flags & CONTROL_WINDOW_FOCUSED);
	json_bool(json, "maximized", window->flags & CONTROL_WINDOW_MAXIMIZED);
	json_bool(json, "minimized", window->flags & CONTROL_WINDOW_MINIMIZED);
	json_bool(json, "fullscreen", window->flags & CONTROL_WINDOW_FULLSCREEN);
	json_bool(json, "popup", window->flags & CONTROL_WINDOW_POPUP);
	json_close(json, '}');
}

static void json_windows(struct json *json, const char *key, const struct control *control) {
	json_open(json, key, '[');
	struct control_window *window;
	wl_list_for_each(window, &control->windows, link) {
		json_window(json, window);
	}
	json_close(json, ']');
}

static void status_json(const struct control *control) {
	struct json json;
	json_init(&json, stdout);
	json_open(&json, NULL, '{');
	json_string(&json, "version", control->version);
	json_string(&json, "vmset", control->vmset_path);
	json_int(&json, "border_width", control->border_width);
	json_open(&json, "vms", '[');
	struct control_vm *vm;
	wl_list_for_each(vm, &control->vms, link) {
		json_vm(&json, vm);
	}
	json_close(&json, ']');
	json_windows(&json, "windows", control);
	json_close(&json, '}');
}

static enum exit_status status_table(const struct control *control) {
	static const char *const heads[] = {"VM", "LABEL", "COLOR", "TRUST", "STATE", "CLIENTS",
		"WINDOWS", "RELAY", "RESTARTS", "MESSAGE"};
	printf("guivm-server %s, VM set %s\n\n", control->version, control->vmset_path);
	struct table table;
	table_init(&table, sizeof(heads) / sizeof(heads[0]));
	for (size_t i = 0; i < table.n_columns; i++) {
		table_add(&table, "%s", heads[i]);
	}
	struct control_vm *vm;
	wl_list_for_each(vm, &control->vms, link) {
		table_add(&table, "%s", vm->name);
		table_add(&table, "%s", vm->label);
		table_add(&table, "#%06x", vm->color & 0xffffff);
		table_add(&table, "%s", control_trust_name(vm->trust));
		table_add(&table, "%s", control_vm_state_name(vm->state));
		table_add(&table, "%u", vm->clients);
		table_add(&table, "%u", vm->windows);
		if (vm->relay_pid != 0) {
			table_add(&table, "%u", vm->relay_pid);
		} else {
			table_add(&table, "-");
		}
		table_add(&table, "%u", vm->relay_restarts);
		table_add(&table, "%s", vm->message);
	}
	return print_table(&table);
}

enum exit_status command_status(struct guivmctl *ctl, char **args, int n_args) {
	if (!guivmctl_connect(ctl)) {
		return STATUS_FAILED;
	}
	if (ctl->options.json) {
		status_json(ctl->control);
		return STATUS_OK;
	}
	return status_table(ctl->control);
}

static enum exit_status apps_table(const struct control *control, const struct control_vm *only) {
	struct table table;
	table_init(&table, 3);
	table_add(&table, "VM");
	table_add(&table, "APPLICATION");
	table_add(&table, "DESCRIPTION");
	struct control_vm *vm;
	wl_list_for_each(vm, &control->vms, link) {
		struct control_application *application;
		wl_list_for_each(application, &vm->applications, link) {
			if (only == NULL || vm == only) {
				table_add(&table, "%s", vm->name);
				table_add(&table, "%s", application->name);
				table_add(&table, "%s", application->description);
			}
		}
	}
	return print_table(&table);
}

static void apps_json(const struct control *control, const struct control_vm *only) {
	struct json json;
	json_init(&json, stdout);
	json_open(&json, NULL, '[');
	struct control_vm *vm;
	wl_list_for_each(vm, &control->vms, link) {
		if (only == NULL || vm == only) {
			json_open(&json, NULL, '{');
			json_string(&json, "vm", vm->name);
			json_open(&json, "applications", '[');
			struct control_application *application;
			wl_list_for_each(application, &vm->applications, link) {
				json_application(&json, application);
			}
			json_close(&json, ']');
			json_close(&json, '}');
		}
	}
	json_close(&json, ']');
}

enum exit_status command_apps(struct guivmctl *ctl, char **args, int n_args) {
	if (!guivmctl_connect(ctl)) {
		return STATUS_FAILED;
	}
	const struct control_vm *only = NULL;
	if (n_args > 0) {
		only = control_find_vm(ctl->control, args[0]);
		if (only == NULL) {
			guivmctl_error("there is no VM \"%s\"", args[0]);
			return STATUS_FAILED;
		}
	}
	if (ctl->options.json) {
		apps_json(ctl->control, only);
		return STATUS_OK;
	}
	return apps_table(ctl->control, only);
}

static enum exit_status windows_table(const struct control *control) {
	static const char *const heads[] = {"ID", "VM", "APP", "X", "Y", "WIDTH", "HEIGHT", "FLAGS",
		"TITLE"};
	struct table table;
	table_init(&table, sizeof(heads) / sizeof(heads[0]));
	for (size_t i = 0; i < table.n_columns; i++) {
		table_add(&table, "%s", heads[i]);
	}
	struct control_window *window;
	wl_list_for_each(window, &control->windows, link) {
		table_add(&table, "%u", window->id);
		table_add(&table, "%s", window->vm[0] != '\0' ? window->vm : "(guivm)");
		table_add(&table, "%s", window->app_id);
		table_add(&table, "%d", window->x);
		table_add(&table, "%d", window->y);
		table_add(&table, "%d", window->width);
		table_add(&table, "%d", window->height);
		table_add(&table, "%s%s%s%s%s%s",
				window->flags & CONTROL_WINDOW_FOCUSED ? "f" : "",
				window->flags & CONTROL_WINDOW_MAXIMIZED ? "M" : "",
				window->flags & CONTROL_WINDOW_MINIMIZED ? "m" : "",
				window->flags & CONTROL_WINDOW_FULLSCREEN ? "F" : "",
				window->flags & CONTROL_WINDOW_POPUP ? "p" : "",
				window->flags == 0 ? "-" : "");
		table_add(&table, "%s", window->title);
	}
	return print_table(&table);
}

enum exit_status command_windows(struct guivmctl *ctl, char **args, int n_args) {
	if (!guivmctl_connect(ctl)) {
		return STATUS_FAILED;
	}
	if (ctl->options.json) {
		struct json json;
		json_init(&json, stdout);
		json_windows(&json, NULL, ctl->control);
		return STATUS_OK;
	}
	return windows_table(ctl->control);
}
