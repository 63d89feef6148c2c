/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/handover.h"

#include <errno.h>
#include <string.h>
#include <wayland-server-protocol.h>

#include "appvm-proxy/client.h"
#include "appvm-proxy/proxy.h"
#include "appvm-proxy/shm.h"
#include "protocol/link.h"
#include "transport/pages.h"

/* region NULL with errno. The new object was made. */
static enum request_result handover_refuse(struct request *request, uint32_t code) {
	if (errno == EAGAIN) {
		if (request->message->new_id_arg >= 0) {
			object_table_remove(&request->client->objects,
					request->values[request->message->new_id_arg].id);
		}
		client_set_stall(request->client, CLIENT_STALL_MEMORY);
		return REQUEST_STALL;
	}
	client_error(request->client, request->header.object, code, "%s: it cannot be shared: %s",
			request->message->name, strerror(errno));
	return REQUEST_ENDED;
}

static void handover_send(
		struct request *request, enum link_fd_kind kind, struct pages_region *region) {
	struct pages_ref ref = pages_region_ref(region);
	struct link_fd description = {.kind = kind};
	memcpy(description.ref, ref.opaque, sizeof(description.ref));
	request_send_with_fds(request, &description);
}

enum request_result handover_pass_fd(struct request *request) {
	struct client *client = request->client;
	// First: a region that is offered and never named stays with the other end, which takes
	// only so many of them from all applications.
	enum request_result result = request_insert_new_object(request);
	if (result != REQUEST_FORWARD) {
		return result;
	}
	errno = ENOTSUP; // an application that was not shown the global
	struct pages_region *region = client->proxy->pixels == PIXELS_HANDOVER ?
			pages_pass_fd(client->proxy->pages, client->held_fds[0]) : NULL;
	if (region == NULL) {
		return handover_refuse(request, WL_DISPLAY_ERROR_INVALID_METHOD);
	}
	handover_send(request, LINK_FD_LOCAL, region);
	pages_release(region);
	return REQUEST_DONE;
}

enum request_result handover_create_pool(struct request *request) {
	struct client *client = request->client;
	int fd = client->held_fds[0];
	if (!shm_fd_is_memory(fd)) {
		client_error(client, request->header.object, WL_SHM_ERROR_INVALID_FD,
				"a pool's descriptor must be a file in memory");
		return REQUEST_ENDED;
	}
	enum request_result result = request_insert_new_object(request); // first, as above
	if (result != REQUEST_FORWARD) {
		return result;
	}
	struct pages_region *region = pages_share_fd(client->proxy->pages, fd);
	if (region == NULL) {
		return handover_refuse(request, WL_SHM_ERROR_INVALID_FD);
	}
	// Kept until the other end says that the pool is gone: it has mapped the region by then.
	uint32_t id = request->values[request->message->new_id_arg].id;
	object_table_find(&client->objects, id)->data = region;
	handover_send(request, LINK_FD_PAGES, region);
	return REQUEST_DONE;
}

void handover_pool_finish(struct object *object) {
	pages_release(object->data);
}
