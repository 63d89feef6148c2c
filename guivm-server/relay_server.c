/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay_server.h"

#include <errno.h>
#include <unistd.h>

#include "common/log.h"
#include "guivm-server/vm_private.h"
#include "isthmus-relay-v1-server-protocol.h"

/* NULL once the VM is gone and the connection is about to. */
static struct vm *vm_from_resource(struct wl_resource *resource) {
	return vm_from_client(wl_resource_get_client(resource));
}

static void relay_handle_create_client(
		struct wl_client *client, struct wl_resource *resource, int32_t fd) {
	struct vm *vm = vm_from_resource(resource);
	if (vm == NULL) {
		close(fd);
		return;
	}
	if (vm_create_client(vm, fd)) {
		return;
	}
	if (errno == ENOTSOCK) {
		wl_resource_post_error(resource, ISTHMUS_RELAY_V1_ERROR_BAD_FD,
				"not a connected unix stream socket");
	} else {
		log_metered(&vm->log_meter, LOG_LEVEL_INFO,
				"VM \"%s\": application refused: %s", vm->config->name,
				errno == EMFILE ? "its limit of clients is reached" : "no memory");
	}
	close(fd);
}

static void relay_handle_set_state(struct wl_client *client, struct wl_resource *resource,
		uint32_t untrusted_state, uint32_t untrusted_reason) {
	static const char *const reasons[] = {
			[ISTHMUS_RELAY_V1_REASON_NONE] = "",
			[ISTHMUS_RELAY_V1_REASON_CLOSED] = "",
			[ISTHMUS_RELAY_V1_REASON_VERSION] =
					"its appvm-proxy speaks another link version",
			[ISTHMUS_RELAY_V1_REASON_PROTOCOL] = "it broke the link protocol",
			[ISTHMUS_RELAY_V1_REASON_LIMIT] = "it went over a limit of the link",
	};
	struct vm *vm = vm_from_resource(resource);
	if (untrusted_state > ISTHMUS_RELAY_V1_STATE_CONNECTED ||
			untrusted_reason > ISTHMUS_RELAY_V1_REASON_LIMIT) {
		wl_resource_post_error(resource, ISTHMUS_RELAY_V1_ERROR_BAD_STATE, "not a state");
		return;
	}
	if (vm == NULL) {
		return;
	}
	if (untrusted_state == ISTHMUS_RELAY_V1_STATE_CONNECTED) {
		vm_link_connected(vm);
	} else {
		vm_link_waiting(vm, reasons[untrusted_reason]);
	}
}

static void relay_handle_launch_result(struct wl_client *client, struct wl_resource *resource,
		uint32_t untrusted_serial, uint32_t untrusted_status, uint32_t detail) {
	struct vm *vm = vm_from_resource(resource);
	if (untrusted_status > ISTHMUS_RELAY_V1_LAUNCH_STATUS_NO_LINK) {
		wl_resource_post_error(resource, ISTHMUS_RELAY_V1_ERROR_BAD_STATE, "not a status");
		return;
	}
	if (vm != NULL && !launch_answer(vm, untrusted_serial, untrusted_status, detail)) {
		wl_resource_post_error(resource, ISTHMUS_RELAY_V1_ERROR_BAD_SERIAL,
				"no launch %u is under way", untrusted_serial);
	}
}

static const struct isthmus_relay_v1_interface relay_impl = {
		.create_client = relay_handle_create_client,
		.set_state = relay_handle_set_state,
		.launch_result = relay_handle_launch_result,
};

static void relay_handle_resource_destroy(struct wl_resource *resource) {
	struct vm *vm = vm_from_resource(resource);
	if (vm != NULL && vm->manager_resource == resource) {
		vm->manager_resource = NULL;
	}
}

static void relay_handle_bind(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct vm *vm = vm_from_client(client);
	/* The global filter hides it from all others already. */
	if (vm == NULL || vm->manager != client || vm->manager_resource != NULL) {
		wl_client_post_implementation_error(
				client, "isthmus_relay_v1 is bound once, by a relay");
		return;
	}
	struct wl_resource *resource =
			wl_resource_create(client, &isthmus_relay_v1_interface, (int)version, id);
	if (resource == NULL) {
		wl_client_post_no_memory(client);
		return;
	}
	wl_resource_set_implementation(resource, &relay_impl, NULL, relay_handle_resource_destroy);
	vm->manager_resource = resource;
	vm_link_waiting(vm, ""); // a relay that was started again is there
}

struct wl_global *relay_server_create(struct wl_display *display, struct vms *vms) {
	return wl_global_create(display, &isthmus_relay_v1_interface, 1, vms, relay_handle_bind);
}

void relay_server_send_launch(struct vm *vm, uint32_t serial, const char *application) {
	isthmus_relay_v1_send_launch(vm->manager_resource, serial, application);
}
