/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/vm.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "guivm-server/foreign.h"
#include "guivm-server/process.h"
#include "guivm-server/vm_private.h"

/* Tags a wl_client: found again by its destroy listener. */
struct vm_client {
	struct wl_list link; // vm.clients; a relay's manager connection is on its own
	struct wl_client *client;
	struct vm *vm; // NULL while the VM is being destroyed
	struct wl_listener destroy;
	bool is_manager;
	uint32_t n_surfaces; // of vm->n_surfaces
};

uint64_t vm_now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void vm_changed(struct vm *vm) {
	wl_signal_emit_mutable(&vm->vms->events.change, vm);
}

/* Tells everybody when something changed. format NULL: no message. */
__attribute__((format(printf, 3, 4))) static void vm_set_state(
		struct vm *vm, enum vm_state state, const char *format, ...) {
	char message[sizeof(vm->message)] = "";
	if (format != NULL) {
		va_list args;
		va_start(args, format);
		vsnprintf(message, sizeof(message), format, args);
		va_end(args);
	}
	if (state == vm->state && strcmp(message, vm->message) == 0) {
		return;
	}
	static const char *const names[] = {"stopped", "starting", "running", "failed"};
	vm->state = state;
	memcpy(vm->message, message, sizeof(message));
	log_metered(&vm->log_meter, state == VM_FAILED ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
			"VM \"%s\": %s%s%s", vm->config->name, names[state],
			message[0] != '\0' ? ": " : "", message);
	vm_changed(vm);
}

static void vm_client_handle_destroy(struct wl_listener *listener, void *data) {
	struct vm_client *tag = wl_container_of(listener, tag, destroy);
	struct vm *vm = tag->vm;
	wl_list_remove(&tag->link);
	if (!tag->is_manager) {
		vm->n_clients--;
		vm_changed(vm);
	}
	wl_list_remove(&tag->destroy.link);
	free(tag);
}

/* The listener is a late one: a resource that is being destroyed can still ask whose it is. */
static struct vm_client *vm_client_create(struct vm *vm, int fd, bool is_manager) {
	struct vm_client *tag = calloc(1, sizeof(*tag));
	if (tag == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	struct wl_client *client = wl_client_create(vm->vms->display, fd);
	if (client == NULL) {
		int error = errno;
		free(tag);
		errno = error;
		return NULL;
	}
	tag->client = client;
	tag->vm = vm;
	tag->is_manager = is_manager;
	tag->destroy.notify = vm_client_handle_destroy;
	wl_client_add_destroy_late_listener(client, &tag->destroy);
	wl_list_init(&tag->link);
	return tag;
}

static struct vm_client *vm_client_find(const struct wl_client *client) {
	struct wl_listener *listener = client != NULL
			? wl_client_get_destroy_late_listener(
					  (struct wl_client *)client, vm_client_handle_destroy)
			: NULL;
	struct vm_client *tag;
	return listener != NULL ? wl_container_of(listener, tag, destroy) : NULL;
}

struct vm *vm_from_client(const struct wl_client *client) {
	const struct vm_client *tag = vm_client_find(client);
	return tag != NULL ? tag->vm : NULL;
}

uint32_t *vm_client_surfaces(struct wl_client *client) {
	return &vm_client_find(client)->n_surfaces;
}

static bool is_connected_unix_stream(int fd) {
	int domain = 0, type = 0, listening = 0;
	struct sockaddr_storage peer;
	socklen_t size = sizeof(int), peer_size = sizeof(peer);
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
			getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
			type == SOCK_STREAM &&
			getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 &&
			listening == 0 &&
			getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0;
}

bool vm_create_client(struct vm *vm, int fd) {
	if (!is_connected_unix_stream(fd)) {
		errno = ENOTSOCK;
		return false;
	}
	if (vm->n_clients >= vm->config->limits.clients) {
		errno = EMFILE;
		return false;
	}
	struct vm_client *tag = vm_client_create(vm, fd, false);
	if (tag == NULL) {
		return false;
	}
	wl_list_insert(&vm->clients, &tag->link);
	vm->n_clients++;
	vm_changed(vm);
	return true;
}

bool vm_same_domain(const struct wl_client *a, const struct wl_client *b) {
	return a != NULL && b != NULL && vm_from_client(a) == vm_from_client(b);
}

bool vm_take_launch_credit(struct vm *vm) {
	if (vm == NULL) {
		return true;
	}
	bool credit = vm->launch_credit_until_ms > vm_now_ms();
	vm->launch_credit_until_ms = 0;
	return credit;
}

void vms_drop_launch_credit(struct vms *vms, const struct vm *but) {
	struct vm *vm;
	wl_list_for_each (vm, &vms->list, link) {
		if (vm != but) {
			vm->launch_credit_until_ms = 0;
		}
	}
}

static void vm_destroy_clients(struct vm *vm) {
	while (!wl_list_empty(&vm->clients)) {
		struct vm_client *tag = wl_container_of(vm->clients.next, tag, link);
		wl_client_destroy(tag->client);
	}
}

void vm_link_connected(struct vm *vm) {
	vm->starting = false;
	wl_event_source_timer_update(vm->start_timer, 0);
	vm_set_state(vm, VM_RUNNING, NULL);
	launches_send(vm);
}

void vm_link_waiting(struct vm *vm, const char *reason) {
	if (reason[0] != '\0') {
		vm_set_state(vm, VM_FAILED, "the link was closed: %s", reason);
	} else if (vm->starting) {
		vm_set_state(vm, VM_STARTING, NULL);
	} else {
		vm_set_state(vm, VM_STOPPED, NULL);
	}
}

static void start_handle_exit(void *data, int status) {
	struct vm *vm = data;
	vm->start = NULL;
	if (status == 0 || !vm->starting) {
		return; // it only had to bring the VM up
	}
	vm->starting = false;
	wl_event_source_timer_update(vm->start_timer, 0);
	if (WIFSIGNALED(status)) {
		vm_set_state(vm, VM_FAILED,
				"the start command of VM \"%s\" was killed by signal %d",
				vm->config->name, WTERMSIG(status));
	} else {
		vm_set_state(vm, VM_FAILED,
				"the start command of VM \"%s\" failed with exit status %d",
				vm->config->name, WEXITSTATUS(status));
	}
	launches_fail(vm, vm->message);
}

static int start_handle_timeout(void *data) {
	struct vm *vm = data;
	vm->starting = false;
	vm_set_state(vm, VM_FAILED, "VM \"%s\" was started but did not connect in %d seconds",
			vm->config->name, VM_CONNECT_TIMEOUT_MS / 1000);
	return 0;
}

static void relay_schedule_restart(struct vm *vm) {
	uint32_t delay_ms = vm->restart_delay_ms;
	uint32_t max_ms = vm->starting ? VM_RESTART_STARTING_MS : VM_RESTART_MAX_MS;
	vm->restart_delay_ms = delay_ms * 2 > max_ms ? max_ms : delay_ms * 2;
	wl_event_source_timer_update(vm->restart_timer, (int)delay_ms);
}

bool vm_start(struct vm *vm) {
	if (vm->starting || vm->state == VM_RUNNING) {
		return true;
	}
	if (vm->config->start.argv == NULL) {
		return false;
	}
	if (vm->start == NULL) {
		struct process_spec spec = {.argv = vm->config->start.argv, .wayland_socket = -1};
		vm->start = process_create(wl_display_get_event_loop(vm->vms->display), &spec,
				start_handle_exit, vm);
		if (vm->start == NULL) {
			vm_set_state(vm, VM_FAILED,
					"the start command \"%s\" of VM \"%s\" cannot be run: %s",
					spec.argv[0], vm->config->name, strerror(errno));
			return false;
		}
	}
	vm->starting = true;
	vm->restart_delay_ms = VM_RESTART_MIN_MS;
	if (vm->relay == NULL) {
		relay_schedule_restart(vm); // not as late as it came to be without the VM
	}
	wl_event_source_timer_update(vm->start_timer, VM_CONNECT_TIMEOUT_MS);
	vm_set_state(vm, VM_STARTING, NULL);
	return true;
}

static void relay_handle_exit(void *data, int status) {
	struct vm *vm = data;
	vm->relay = NULL;
	vm->relay_pid = 0;
	vm->relay_restarts++;
	if (vm->manager != NULL) {
		wl_client_destroy(vm->manager);
	}
	/* They see the end of file themselves, unless somebody else holds their sockets. */
	vm_destroy_clients(vm);
	if (vm_now_ms() - vm->relay_started_ms >= VM_RESTART_RESET_MS) {
		vm->restart_delay_ms = VM_RESTART_MIN_MS;
	}
	char why[64];
	if (WIFSIGNALED(status)) {
		snprintf(why, sizeof(why), "was killed by signal %d", WTERMSIG(status));
	} else {
		snprintf(why, sizeof(why), "ended with exit status %d", WEXITSTATUS(status));
	}
	vm_set_state(vm, VM_FAILED, "guivm-relay of VM \"%s\" %s; it is started again",
			vm->config->name, why);
	launches_lose_relay(vm, vm->message);
	relay_schedule_restart(vm);
}

static void vm_handle_manager_destroy(struct wl_listener *listener, void *data) {
	struct vm *vm = wl_container_of(listener, vm, manager_destroy);
	wl_list_remove(&vm->manager_destroy.link);
	vm->manager = NULL;
	vm->manager_resource = NULL;
	/*
	 * A relay without its connection is of no use: end it, and what comes with its end follows.
	 */
	if (vm->relay != NULL) {
		process_stop(vm->relay);
	}
}

/* Owns fd afterwards, also on failure. */
static bool manager_create(struct vm *vm, int fd) {
	struct vm_client *tag = vm_client_create(vm, fd, true);
	if (tag == NULL) {
		close(fd);
		return false;
	}
	vm->manager = tag->client;
	vm->manager_destroy.notify = vm_handle_manager_destroy;
	wl_client_add_destroy_listener(tag->client, &vm->manager_destroy);
	return true;
}

static bool relay_spawn(struct vm *vm, int socket) {
	char path[PATH_MAX], pages_mib[16], clients[16];
	static const char *const places[] = {
			"guivm-relay", "relay/guivm-relay", "../libexec/isthmus/guivm-relay", NULL};
	process_find_own(path, "ISTHMUS_RELAY", places);
	snprintf(pages_mib, sizeof(pages_mib), "%u", vm->config->limits.pages_mib);
	snprintf(clients, sizeof(clients), "%u", vm->config->limits.clients);
	char transport_option[] = "--transport", vm_option[] = "--vm",
	     pages_option[] = "--pages-mib", clients_option[] = "--clients";
	char *argv[] = {path, transport_option, vm->config->transport, vm_option, vm->config->name,
			pages_option, pages_mib, clients_option, clients, NULL};
	struct process_spec spec = {
			.argv = argv, .wayland_socket = socket, .dies_with_parent = true};
	vm->relay = process_create(
			wl_display_get_event_loop(vm->vms->display), &spec, relay_handle_exit, vm);
	if (vm->relay == NULL) {
		vm_set_state(vm, VM_FAILED, "\"%s\" cannot be run: %s", path, strerror(errno));
		return false;
	}
	vm->relay_pid = process_pid(vm->relay);
	vm->relay_started_ms = vm_now_ms();
	return true;
}

void vm_start_relay(struct vm *vm) {
	int sockets[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0) {
		log_errno("VM \"%s\": socketpair", vm->config->name);
		relay_schedule_restart(vm);
		return;
	}
	if (!manager_create(vm, sockets[0])) {
		log_errno("VM \"%s\": connection for its relay", vm->config->name);
		close(sockets[1]);
		relay_schedule_restart(vm);
		return;
	}
	bool ok = relay_spawn(vm, sockets[1]);
	close(sockets[1]);
	if (!ok) {
		wl_client_destroy(vm->manager);
		relay_schedule_restart(vm);
		return;
	}
	log_debug("VM \"%s\": guivm-relay is process %d", vm->config->name, (int)vm->relay_pid);
	vm_changed(vm);
}

static int vm_handle_restart_timer(void *data) {
	vm_start_relay(data);
	return 0;
}

static void vm_apply_config(struct vm *vm, const struct vmset_vm *config) {
	vm->config = config;
	trust_mark_init(&vm->mark, config->name, config->label, config->color, true);
}

void vm_configure(struct vm *vm, const struct vmset_vm *config, bool restart_relay) {
	vm_apply_config(vm, config);
	if (restart_relay && vm->relay != NULL) {
		vm->restart_delay_ms = VM_RESTART_MIN_MS;
		process_stop(vm->relay);
	}
}

struct vm *vm_create(struct vms *vms, const struct vmset_vm *config) {
	struct vm *vm = calloc(1, sizeof(*vm));
	if (vm == NULL || !foreign_add(vms, vms->display, config->name)) {
		free(vm);
		return NULL;
	}
	struct wl_event_loop *loop = wl_display_get_event_loop(vms->display);
	vm->vms = vms;
	vm->restart_delay_ms = VM_RESTART_MIN_MS;
	wl_list_init(&vm->clients);
	wl_list_init(&vm->launches);
	vm->restart_timer = wl_event_loop_add_timer(loop, vm_handle_restart_timer, vm);
	vm->start_timer = wl_event_loop_add_timer(loop, start_handle_timeout, vm);
	if (vm->restart_timer == NULL || vm->start_timer == NULL) {
		if (vm->restart_timer != NULL) {
			wl_event_source_remove(vm->restart_timer);
		}
		free(vm);
		return NULL;
	}
	vm_apply_config(vm, config);
	wl_list_insert(vms->list.prev, &vm->link);
	return vm;
}

void vm_destroy(struct vm *vm) {
	char message[128];
	snprintf(message, sizeof(message), "VM \"%s\" was removed from the VM set",
			vm->config->name);
	launches_fail(vm, message);
	if (vm->relay != NULL) {
		process_stop(vm->relay);
		process_detach(vm->relay);
		vm->relay = NULL;
	}
	process_detach(vm->start);
	if (vm->manager != NULL) {
		wl_client_destroy(vm->manager);
	}
	vm_destroy_clients(vm);
	wl_signal_emit_mutable(&vm->vms->events.remove, vm);
	wl_event_source_remove(vm->restart_timer);
	wl_event_source_remove(vm->start_timer);
	wl_list_remove(&vm->link);
	free(vm);
}
