/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"
#include "common/log.h"
#include "common/text.h"
#include "guivm-server/reads.h"
#include "guivm-server/vm.h"
#include "isthmus-control-v1-server-protocol.h"

#define DEFAULT_BORDER_WIDTH 4
#define TEXT_MAX 1024 // bytes of a string from the VM set: an event has to fit into 4096
#define RELOAD_TEXT_MAX 3000

struct control {
	struct wl_display *display;
	struct vms *vms;
	struct wl_global *global;
	struct wl_list clients; // control_client.link
	struct wl_list windows; // window_copy.link, oldest first
	struct wl_array dirty_vms; // struct vm *
	struct wl_array gone_windows; // uint32_t
	bool reset; // everything is to be sent again
	struct wl_event_source *idle; // a batch is due
	struct wl_event_source *again; // a timer, running while a client is behind
	struct wl_listener vm_change, vm_remove, vms_reload;
};

struct control_client {
	struct wl_list link; // control.clients
	struct wl_resource *resource;
	bool fresh; // has been sent nothing yet
	bool behind; // does not read: changes were kept back, and everything is to be sent again
};

struct window_copy {
	struct wl_list link; // control.windows
	uint32_t id, flags;
	char vm[LIMIT_VM_NAME_BYTES + 1];
	char app_id[LIMIT_TITLE_BYTES + 1], title[LIMIT_TITLE_BYTES + 1];
	int x, y, width, height;
	bool dirty;
};

struct control_launch {
	struct wl_resource *resource;
	struct vm_launch *pending; // NULL once it was answered
};

static uint32_t control_count_windows(const struct control *control, const struct vm *vm) {
	uint32_t count = 0;
	const struct window_copy *window;
	wl_list_for_each (window, &control->windows, link) {
		count += (window->flags & CONTROL_WINDOW_POPUP) == 0 &&
				strcmp(window->vm, vm->config->name) == 0;
	}
	return count;
}

static void send_vm(struct control *control, struct wl_resource *resource, const struct vm *vm) {
	char message[TEXT_MAX];
	text_sanitise(message, sizeof(message), vm->message);
	isthmus_control_v1_send_vm(resource, vm->config->name, vm->config->label, vm->config->color,
			vm->config->trust, vm->state, message, vm->n_clients,
			control_count_windows(control, vm), (uint32_t)vm->relay_pid,
			vm->relay_restarts);
}

static void send_applications(struct wl_resource *resource, const struct vmset_vm *config) {
	for (size_t i = 0; i < config->n_applications; i++) {
		const struct vmset_application *app = &config->applications[i];
		char description[TEXT_MAX], icon[TEXT_MAX], categories[TEXT_MAX] = "";
		text_sanitise(description, sizeof(description), app->description);
		text_sanitise(icon, sizeof(icon), app->icon);
		size_t used = 0;
		for (char **category = app->categories; category != NULL && *category != NULL;
				category++) {
			size_t length = strlen(*category) + 1;
			if (used + length < sizeof(categories)) {
				memcpy(categories + used, *category, length - 1);
				categories[used + length - 1] = ';';
				used += length;
			}
		}
		categories[used] = '\0';
		isthmus_control_v1_send_application(
				resource, config->name, app->name, description, icon, categories);
	}
}

static void send_window(struct wl_resource *resource, const struct window_copy *window) {
	isthmus_control_v1_send_window(resource, window->id, window->vm, window->app_id,
			window->title, window->x, window->y, window->width, window->height,
			window->flags);
}

static void send_everything(struct control *control, struct wl_resource *resource) {
	const struct vmset *vmset = control->vms->vmset;
	isthmus_control_v1_send_desktop(resource, ISTHMUS_VERSION,
			vmset != NULL ? vmset->guivm.border_width : DEFAULT_BORDER_WIDTH,
			control->vms->path != NULL ? control->vms->path : "");
	struct vm *vm;
	wl_list_for_each (vm, &control->vms->list, link) {
		send_vm(control, resource, vm);
		send_applications(resource, vm->config);
	}
	struct window_copy *window;
	wl_list_for_each (window, &control->windows, link) {
		send_window(resource, window);
	}
}

static void send_changes(struct control *control, struct wl_resource *resource) {
	struct vm **vm;
	wl_array_for_each (vm, &control->dirty_vms) {
		send_vm(control, resource, *vm);
	}
	uint32_t *gone;
	wl_array_for_each (gone, &control->gone_windows) {
		isthmus_control_v1_send_window(resource, *gone, "", "", "", 0, 0, 0, 0, 0);
	}
	struct window_copy *window;
	wl_list_for_each (window, &control->windows, link) {
		if (window->dirty) {
			send_window(resource, window);
		}
	}
}

/* Who does not read gets all of it again once it has. */
static void control_flush(struct control *control) {
	bool changes = control->dirty_vms.size > 0 || control->gone_windows.size > 0;
	struct window_copy *window;
	wl_list_for_each (window, &control->windows, link) {
		changes = changes || window->dirty;
	}
	struct control_client *client;
	wl_list_for_each (client, &control->clients, link) {
		bool due = client->fresh || client->behind || control->reset || changes;
		if (due && !client_reads(wl_resource_get_client(client->resource))) {
			client->behind = true;
			wl_event_source_timer_update(control->again, READS_AGAIN_MS);
			continue;
		}
		if (client->fresh) {
			send_everything(control, client->resource);
		} else if (control->reset || client->behind) {
			isthmus_control_v1_send_reset(client->resource);
			send_everything(control, client->resource);
		} else if (changes) {
			send_changes(control, client->resource);
		} else {
			continue;
		}
		client->fresh = client->behind = false;
		isthmus_control_v1_send_done(client->resource);
	}
	control->reset = false;
	control->dirty_vms.size = 0;
	control->gone_windows.size = 0;
	wl_list_for_each (window, &control->windows, link) {
		window->dirty = false;
	}
}

static void control_handle_idle(void *data) {
	struct control *control = data;
	control->idle = NULL;
	control_flush(control);
}

static void control_schedule(struct control *control) {
	if (control->idle == NULL) {
		control->idle = wl_event_loop_add_idle(wl_display_get_event_loop(control->display),
				control_handle_idle, control);
	}
}

static int control_handle_again(void *data) {
	control_schedule(data);
	return 0;
}

static void control_mark_vm(struct control *control, struct vm *vm) {
	struct vm **entry;
	wl_array_for_each (entry, &control->dirty_vms) {
		if (*entry == vm) {
			return;
		}
	}
	entry = wl_array_add(&control->dirty_vms, sizeof(*entry));
	if (entry != NULL) {
		*entry = vm;
	} else {
		control->reset = true;
	}
	control_schedule(control);
}

static void control_handle_vm_change(struct wl_listener *listener, void *data) {
	struct control *control = wl_container_of(listener, control, vm_change);
	control_mark_vm(control, data);
}

static void control_handle_vm_remove(struct wl_listener *listener, void *data) {
	struct control *control = wl_container_of(listener, control, vm_remove);
	struct vm **entry,
			**last = (struct vm **)((char *)control->dirty_vms.data +
					control->dirty_vms.size);
	wl_array_for_each (entry, &control->dirty_vms) {
		if (*entry == data) {
			*entry = last[-1];
			control->dirty_vms.size -= sizeof(*entry);
			break;
		}
	}
	control->reset = true;
	control_schedule(control);
}

static void control_handle_reload(struct wl_listener *listener, void *data) {
	struct control *control = wl_container_of(listener, control, vms_reload);
	control->reset = true;
	control_schedule(control);
}

static void launch_handle_done(void *data, bool started, const char *message) {
	struct control_launch *launch = data;
	launch->pending = NULL;
	if (started) {
		isthmus_launch_v1_send_started(launch->resource);
	} else {
		isthmus_launch_v1_send_failed(launch->resource, message);
	}
}

static void resource_handle_destroy_request(
		struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static const struct isthmus_launch_v1_interface launch_impl = {
		.destroy = resource_handle_destroy_request,
};

static void launch_handle_resource_destroy(struct wl_resource *resource) {
	struct control_launch *launch = wl_resource_get_user_data(resource);
	if (launch->pending != NULL) {
		vm_launch_forget(launch->pending);
	}
	free(launch);
}

static void send_no_such_vm(
		struct control *control, struct wl_resource *resource, const char *name) {
	char names[600] = "", shown[LIMIT_VM_NAME_BYTES + 1], text[TEXT_MAX];
	size_t used = 0;
	struct vm *vm;
	wl_list_for_each (vm, &control->vms->list, link) {
		size_t room = sizeof(names) - used;
		if (strlen(vm->config->name) + 3 < room) {
			used += (size_t)snprintf(names + used, room, "%s%s", used > 0 ? ", " : "",
					vm->config->name);
		}
	}
	text_sanitise(shown, sizeof(shown), name);
	snprintf(text, sizeof(text), "there is no VM \"%s\"%s%s", shown,
			used > 0 ? "; there are: " : "", names);
	isthmus_launch_v1_send_failed(resource, text);
}

static void control_handle_launch(struct wl_client *client, struct wl_resource *resource,
		uint32_t id, const char *vm_name, const char *application) {
	struct control *control = wl_resource_get_user_data(resource);
	struct control_launch *launch = calloc(1, sizeof(*launch));
	if (launch != NULL) {
		launch->resource = wl_resource_create(client, &isthmus_launch_v1_interface,
				wl_resource_get_version(resource), id);
	}
	if (launch == NULL || launch->resource == NULL) {
		free(launch);
		wl_client_post_no_memory(client);
		return;
	}
	wl_resource_set_implementation(
			launch->resource, &launch_impl, launch, launch_handle_resource_destroy);
	if (control == NULL) {
		isthmus_launch_v1_send_failed(launch->resource, "guivm-server is ending");
		return;
	}
	struct vm *vm = vms_find(control->vms, vm_name);
	if (vm == NULL) {
		send_no_such_vm(control, launch->resource, vm_name);
		return;
	}
	launch->pending = vm_launch(vm, application, launch_handle_done, launch);
	if (launch->pending == NULL) {
		isthmus_launch_v1_send_failed(launch->resource, "no memory");
	}
}

static void control_handle_reload_request(struct wl_client *client, struct wl_resource *resource) {
	struct control *control = wl_resource_get_user_data(resource);
	if (control == NULL) {
		return;
	}
	char *message, text[RELOAD_TEXT_MAX];
	bool ok = vms_reload(control->vms, &message);
	int size = snprintf(text, sizeof(text), "%s", message != NULL ? message : "no memory");
	if (size >= (int)sizeof(text)) {
		/* Whole lines only, and a word about the rest. */
		text[sizeof(text) - 32] = '\0';
		char *end = strrchr(text, '\n');
		size_t kept = end != NULL ? (size_t)(end + 1 - text) : 0;
		snprintf(text + kept, sizeof(text) - kept, "(more errors follow)");
	}
	free(message);
	control_flush(control);
	isthmus_control_v1_send_reloaded(resource, ok, text);
}

static const struct isthmus_control_v1_interface control_impl = {
		.destroy = resource_handle_destroy_request,
		.launch = control_handle_launch,
		.reload = control_handle_reload_request,
};

static void control_handle_resource_destroy(struct wl_resource *resource) {
	struct control *control = wl_resource_get_user_data(resource);
	struct control_client *client, *next;
	if (control == NULL) {
		return;
	}
	wl_list_for_each_safe (client, next, &control->clients, link) {
		if (client->resource == resource) {
			wl_list_remove(&client->link);
			free(client);
		}
	}
}

static void control_handle_bind(
		struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct control *control = data;
	/* The global filter hides it from VMs already. */
	if (vm_from_client(client) != NULL) {
		wl_client_post_implementation_error(client, "isthmus_control_v1 is not for VMs");
		return;
	}
	struct control_client *bound = calloc(1, sizeof(*bound));
	if (bound != NULL) {
		bound->resource = wl_resource_create(
				client, &isthmus_control_v1_interface, (int)version, id);
	}
	if (bound == NULL || bound->resource == NULL) {
		free(bound);
		wl_client_post_no_memory(client);
		return;
	}
	wl_resource_set_implementation(
			bound->resource, &control_impl, control, control_handle_resource_destroy);
	bound->fresh = true;
	wl_list_insert(control->clients.prev, &bound->link);
	control_schedule(control);
}

struct control *control_create(struct wl_display *display, struct vms *vms) {
	struct control *control = calloc(1, sizeof(*control));
	if (control == NULL) {
		return NULL;
	}
	control->again = wl_event_loop_add_timer(
			wl_display_get_event_loop(display), control_handle_again, control);
	control->global = wl_global_create(
			display, &isthmus_control_v1_interface, 1, control, control_handle_bind);
	if (control->again == NULL || control->global == NULL) {
		goto error;
	}
	control->display = display;
	control->vms = vms;
	wl_list_init(&control->clients);
	wl_list_init(&control->windows);
	wl_array_init(&control->dirty_vms);
	wl_array_init(&control->gone_windows);
	control->vm_change.notify = control_handle_vm_change;
	wl_signal_add(&vms->events.change, &control->vm_change);
	control->vm_remove.notify = control_handle_vm_remove;
	wl_signal_add(&vms->events.remove, &control->vm_remove);
	control->vms_reload.notify = control_handle_reload;
	wl_signal_add(&vms->events.reload, &control->vms_reload);
	return control;

error:
	if (control->again != NULL) {
		wl_event_source_remove(control->again);
	}
	if (control->global != NULL) {
		wl_global_destroy(control->global);
	}
	free(control);
	return NULL;
}

void control_destroy(struct control *control) {
	if (control == NULL) {
		return;
	}
	struct control_client *client, *next_client;
	wl_list_for_each_safe (client, next_client, &control->clients, link) {
		wl_resource_set_user_data(client->resource, NULL);
		wl_list_remove(&client->link);
		free(client);
	}
	struct window_copy *window, *next_window;
	wl_list_for_each_safe (window, next_window, &control->windows, link) {
		wl_list_remove(&window->link);
		free(window);
	}
	if (control->idle != NULL) {
		wl_event_source_remove(control->idle);
	}
	wl_event_source_remove(control->again);
	wl_list_remove(&control->vm_change.link);
	wl_list_remove(&control->vm_remove.link);
	wl_list_remove(&control->vms_reload.link);
	wl_array_release(&control->dirty_vms);
	wl_array_release(&control->gone_windows);
	wl_global_destroy(control->global);
	free(control);
}

static struct window_copy *control_find_window(struct control *control, uint32_t id) {
	struct window_copy *window;
	wl_list_for_each (window, &control->windows, link) {
		if (window->id == id) {
			return window;
		}
	}
	return NULL;
}

static void control_mark_vm_by_name(struct control *control, const char *name) {
	struct vm *vm = name[0] != '\0' ? vms_find(control->vms, name) : NULL;
	if (vm != NULL) {
		control_mark_vm(control, vm);
	}
}

/* Returns whether dst changed. */
static bool copy_text(char *dst, size_t dst_size, const char *untrusted_text) {
	char text[LIMIT_TITLE_BYTES + 1];
	text_sanitise(text, dst_size < sizeof(text) ? dst_size : sizeof(text), untrusted_text);
	if (strcmp(dst, text) == 0) {
		return false;
	}
	memcpy(dst, text, strlen(text) + 1);
	return true;
}

void control_window_update(struct control *control, const struct control_window *window) {
	struct window_copy *copy = control_find_window(control, window->id);
	bool changed = false;
	if (copy == NULL) {
		copy = calloc(1, sizeof(*copy));
		if (copy == NULL) {
			log_error("window list: no memory");
			return;
		}
		copy->id = window->id;
		copy_text(copy->vm, sizeof(copy->vm), window->vm);
		wl_list_insert(control->windows.prev, &copy->link);
		copy->flags = window->flags;
		control_mark_vm_by_name(control, copy->vm);
		changed = true;
	}
	changed |= copy_text(copy->app_id, sizeof(copy->app_id), window->untrusted_app_id);
	changed |= copy_text(copy->title, sizeof(copy->title), window->untrusted_title);
	if (changed || copy->x != window->x || copy->y != window->y ||
			copy->width != window->width || copy->height != window->height ||
			copy->flags != window->flags) {
		copy->x = window->x;
		copy->y = window->y;
		copy->width = window->width;
		copy->height = window->height;
		copy->flags = window->flags;
		copy->dirty = true;
		control_schedule(control);
	}
}

void control_window_remove(struct control *control, uint32_t id) {
	struct window_copy *window = control_find_window(control, id);
	if (window == NULL) {
		return;
	}
	uint32_t *gone = wl_array_add(&control->gone_windows, sizeof(*gone));
	if (gone != NULL) {
		*gone = id;
	} else {
		control->reset = true;
	}
	wl_list_remove(&window->link);
	control_mark_vm_by_name(control, window->vm);
	free(window);
	control_schedule(control);
}
