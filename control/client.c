/* SPDX-License-Identifier: Apache-2.0 */
#include "control/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-client.h>

#include "isthmus-control-v1-client-protocol.h"

struct control_launch {
	struct isthmus_launch_v1 *proxy;
	control_launch_result_t result;
	void *data;
	struct wl_list link; // control.launches
};

const char *control_vm_state_name(uint32_t state) {
	static const char *const names[CONTROL_VM_STATE_COUNT] = {
		[CONTROL_VM_STOPPED] = "stopped",
		[CONTROL_VM_STARTING] = "starting",
		[CONTROL_VM_RUNNING] = "running",
		[CONTROL_VM_FAILED] = "failed",
	};
	return state < CONTROL_VM_STATE_COUNT ? names[state] : "unknown";
}

const char *control_trust_name(uint32_t trust) {
	static const char *const names[] = {"untrusted", "normal", "trusted"};
	return trust < 3 ? names[trust] : "unknown";
}

static void set_string(struct control *control, char **string, const char *value) {
	char *copy = strdup(value);
	if (copy == NULL) {
		control->out_of_memory = true;
		return;
	}
	free(*string);
	*string = copy;
}

static void application_destroy(struct control_application *application) {
	wl_list_remove(&application->link);
	free(application->name);
	free(application->description);
	free(application->icon);
	free(application->categories);
	free(application);
}

static void vm_destroy(struct control_vm *vm) {
	struct control_application *application, *next;
	wl_list_for_each_safe(application, next, &vm->applications, link) {
		application_destroy(application);
	}
	wl_list_remove(&vm->link);
	free(vm->name);
	free(vm->label);
	free(vm->message);
	free(vm);
}

static void window_destroy(struct control_window *window) {
	wl_list_remove(&window->link);
	free(window->vm);
	free(window->app_id);
	free(window->title);
	free(window);
}

static void launch_destroy(struct control_launch *launch) {
	wl_list_remove(&launch->link);
	isthmus_launch_v1_destroy(launch->proxy);
	free(launch);
}

static void model_clear(struct control *control) {
	struct control_vm *vm, *next_vm;
	wl_list_for_each_safe(vm, next_vm, &control->vms, link) {
		vm_destroy(vm);
	}
	struct control_window *window, *next_window;
	wl_list_for_each_safe(window, next_window, &control->windows, link) {
		window_destroy(window);
	}
}

struct control_vm *control_find_vm(const struct control *control, const char *name) {
	struct control_vm *vm;
	wl_list_for_each(vm, &control->vms, link) {
		if (strcmp(vm->name, name) == 0) {
			return vm;
		}
	}
	return NULL;
}

struct control_application *control_find_application(
		const struct control_vm *vm, const char *name) {
	struct control_application *application;
	wl_list_for_each(application, &vm->applications, link) {
		if (strcmp(application->name, name) == 0) {
			return application;
		}
	}
	return NULL;
}

static struct control_window *find_window(const struct control *control, uint32_t id) {
	struct control_window *window;
	wl_list_for_each(window, &control->windows, link) {
		if (window->id == id) {
			return window;
		}
	}
	return NULL;
}

/* Every string is set before an entry enters its list, so that readers never see NULL. */
static struct control_vm *add_vm(struct control *control, const char *name) {
	struct control_vm *vm = calloc(1, sizeof(*vm));
	if (vm == NULL) {
		control->out_of_memory = true;
		return NULL;
	}
	wl_list_init(&vm->applications);
	wl_list_init(&vm->link);
	vm->name = strdup(name);
	vm->label = strdup("");
	vm->message = strdup("");
	if (vm->name == NULL || vm->label == NULL || vm->message == NULL) {
		control->out_of_memory = true;
		vm_destroy(vm);
		return NULL;
	}
	wl_list_insert(control->vms.prev, &vm->link);
	return vm;
}

static struct control_application *add_application(struct control *control, struct control_vm *vm,
		const char *name) {
	struct control_application *application = calloc(1, sizeof(*application));
	if (application == NULL) {
		control->out_of_memory = true;
		return NULL;
	}
	wl_list_init(&application->link);
	application->name = strdup(name);
	application->description = strdup("");
	application->icon = strdup("");
	application->categories = strdup("");
	if (application->name == NULL || application->description == NULL ||
			application->icon == NULL || application->categories == NULL) {
		control->out_of_memory = true;
		application_destroy(application);
		return NULL;
	}
	wl_list_insert(vm->applications.prev, &application->link);
	return application;
}

static struct control_window *add_window(struct control *control, uint32_t id) {
	struct control_window *window = calloc(1, sizeof(*window));
	if (window == NULL) {
		control->out_of_memory = true;
		return NULL;
	}
	wl_list_init(&window->link);
	window->id = id;
	window->vm = strdup("");
	window->app_id = strdup("");
	window->title = strdup("");
	if (window->vm == NULL || window->app_id == NULL || window->title == NULL) {
		control->out_of_memory = true;
		window_destroy(window);
		return NULL;
	}
	wl_list_insert(control->windows.prev, &window->link);
	return window;
}

static void control_handle_reset(void *data, struct isthmus_control_v1 *proxy) {
	struct control *control = data;
	model_clear(control);
}

static void control_handle_vm(void *data, struct isthmus_control_v1 *proxy, const char *name,
		const char *label, uint32_t color, uint32_t trust, uint32_t state,
		const char *message, uint32_t clients, uint32_t windows, uint32_t relay_pid,
		uint32_t relay_restarts) {
	struct control *control = data;
	struct control_vm *vm = control_find_vm(control, name);
	if (vm == NULL) {
		vm = add_vm(control, name);
	}
	if (vm == NULL) {
		return;
	}
	set_string(control, &vm->label, label);
	set_string(control, &vm->message, message);
	vm->color = color;
	vm->trust = trust;
	vm->state = state;
	vm->clients = clients;
	vm->windows = windows;
	vm->relay_pid = relay_pid;
	vm->relay_restarts = relay_restarts;
}

static void control_handle_application(void *data, struct isthmus_control_v1 *proxy,
		const char *vm_name, const char *name, const char *description, const char *icon,
		const char *categories) {
	struct control *control = data;
	struct control_vm *vm = control_find_vm(control, vm_name);
	if (vm == NULL) {
		return;
	}
	struct control_application *application = control_find_application(vm, name);
	if (application == NULL) {
		application = add_application(control, vm, name);
	}
	if (application == NULL) {
		return;
	}
	set_string(control, &application->description, description);
	set_string(control, &application->icon, icon);
	set_string(control, &application->categories, categories);
}

static void control_handle_window(void *data, struct isthmus_control_v1 *proxy, uint32_t id,
		const char *vm, const char *app_id, const char *title, int32_t x, int32_t y,
		int32_t width, int32_t height, uint32_t flags) {
	struct control *control = data;
	struct control_window *window = find_window(control, id);
	if (width == 0) {
		if (window != NULL) {
			window_destroy(window);
		}
		return;
	}
	if (window == NULL) {
		window = add_window(control, id);
	}
	if (window == NULL) {
		return;
	}
	set_string(control, &window->vm, vm);
	set_string(control, &window->app_id, app_id);
	set_string(control, &window->title, title);
	window->x = x;
	window->y = y;
	window->width = width;
	window->height = height;
	window->flags = flags;
}

static void control_handle_desktop(void *data, struct isthmus_control_v1 *proxy,
		const char *version, uint32_t border_width, const char *vmset) {
	struct control *control = data;
	set_string(control, &control->version, version);
	set_string(control, &control->vmset_path, vmset);
	control->border_width = border_width;
}

static void control_handle_done(void *data, struct isthmus_control_v1 *proxy) {
	struct control *control = data;
	control->ready = true;
	if (control->listener != NULL && control->listener->changed != NULL) {
		control->listener->changed(control, control->listener_data);
	}
}

static void control_handle_reloaded(void *data, struct isthmus_control_v1 *proxy, uint32_t ok,
		const char *message) {
	struct control *control = data;
	if (control->listener != NULL && control->listener->reloaded != NULL) {
		control->listener->reloaded(control, ok != 0, message, control->listener_data);
	}
}

static const struct isthmus_control_v1_listener control_listener = {
	.reset = control_handle_reset,
	.vm = control_handle_vm,
	.application = control_handle_application,
	.window = control_handle_window,
	.desktop = control_handle_desktop,
	.done = control_handle_done,
	.reloaded = control_handle_reloaded,
};

/* The launch goes before the callback, which may destroy the control. */
static void launch_finish(struct control_launch *launch, const char *error) {
	control_launch_result_t result = launch->result;
	void *data = launch->data;
	launch_destroy(launch);
	if (result != NULL) {
		result(error, data);
	}
}

static void launch_handle_started(void *data, struct isthmus_launch_v1 *proxy) {
	launch_finish(data, NULL);
}

static void launch_handle_failed(void *data, struct isthmus_launch_v1 *proxy, const char *message) {
	launch_finish(data, message);
}

static const struct isthmus_launch_v1_listener launch_listener = {
	.started = launch_handle_started,
	.failed = launch_handle_failed,
};

bool control_launch(struct control *control, const char *vm, const char *application,
		control_launch_result_t result, void *data) {
	struct control_launch *launch = calloc(1, sizeof(*launch));
	if (launch == NULL) {
		return false;
	}
	launch->proxy = isthmus_control_v1_launch(control->proxy, vm, application);
	if (launch->proxy == NULL) {
		free(launch);
		return false;
	}
	launch->result = result;
	launch->data = data;
	isthmus_launch_v1_add_listener(launch->proxy, &launch_listener, launch);
	wl_list_insert(control->launches.prev, &launch->link);
	return true;
}

void control_reload(struct control *control) {
	isthmus_control_v1_reload(control->proxy);
}

static void registry_handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	uint32_t *control_name = data;
	if (strcmp(interface, isthmus_control_v1_interface.name) == 0) {
		*control_name = name;
	}
}

static void registry_handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
	// The global lives as long as the compositor.
}

static const struct wl_registry_listener registry_listener = {
	.global = registry_handle_global,
	.global_remove = registry_handle_global_remove,
};

static struct isthmus_control_v1 *bind_control(struct wl_display *display) {
	struct isthmus_control_v1 *proxy = NULL;
	struct wl_registry *registry = NULL;
	struct wl_display *wrapper = NULL;
	struct wl_event_queue *queue = wl_display_create_queue(display);
	if (queue == NULL) {
		return NULL;
	}
	wrapper = wl_proxy_create_wrapper(display);
	if (wrapper == NULL) {
		goto out;
	}
	wl_proxy_set_queue((struct wl_proxy *)wrapper, queue);
	registry = wl_display_get_registry(wrapper);
	if (registry == NULL) {
		goto out;
	}
	uint32_t name = 0;
	wl_registry_add_listener(registry, &registry_listener, &name);
	if (wl_display_roundtrip_queue(display, queue) < 0) {
		goto out;
	}
	if (name == 0) {
		errno = ENOPROTOOPT;
		goto out;
	}
	proxy = wl_registry_bind(registry, name, &isthmus_control_v1_interface, 1);
	if (proxy != NULL) {
		wl_proxy_set_queue((struct wl_proxy *)proxy, NULL);
	}
out:;
	int saved_errno = errno;
	if (registry != NULL) {
		wl_registry_destroy(registry);
	}
	if (wrapper != NULL) {
		wl_proxy_wrapper_destroy(wrapper);
	}
	wl_event_queue_destroy(queue);
	errno = saved_errno;
	return proxy;
}

struct control *control_create(struct wl_display *display, const struct control_listener *listener,
		void *data) {
	struct control *control = calloc(1, sizeof(*control));
	if (control == NULL) {
		return NULL;
	}
	wl_list_init(&control->vms);
	wl_list_init(&control->windows);
	wl_list_init(&control->launches);
	control->listener = listener;
	control->listener_data = data;
	control->version = strdup("");
	control->vmset_path = strdup("");
	if (control->version == NULL || control->vmset_path == NULL) {
		goto error_control;
	}
	control->proxy = bind_control(display);
	if (control->proxy == NULL) {
		goto error_control;
	}
	isthmus_control_v1_add_listener(control->proxy, &control_listener, control);
	return control;

error_control:
	control_destroy(control);
	return NULL;
}

bool control_wait_ready(struct control *control, struct wl_display *display) {
	while (!control->ready) {
		if (wl_display_dispatch(display) < 0) {
			return false;
		}
	}
	return true;
}

void control_destroy(struct control *control) {
	if (control == NULL) {
		return;
	}
	int saved_errno = errno;
	struct control_launch *launch, *next;
	wl_list_for_each_safe(launch, next, &control->launches, link) {
		launch_destroy(launch);
	}
	model_clear(control);
	if (control->proxy != NULL) {
		isthmus_control_v1_destroy(control->proxy);
	}
	free(control->version);
	free(control->vmset_path);
	free(control);
	errno = saved_errno;
}
