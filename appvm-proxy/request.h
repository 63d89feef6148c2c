/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_REQUEST_H
#define ISTHMUS_APPVM_PROXY_REQUEST_H

#include <stdint.h>

#include "protocol/wire.h"

struct client;
struct link_fd;
struct object;

/* One request of an application, checked against its interface's table. Ids in values are those of
 * live objects of the right interface, or 0 where null is allowed; a new_id is not checked yet. */
struct request {
	struct client *client;
	struct object *object; // the receiver; valid until the object table grows
	struct wire_header header;
	uint8_t *bytes;
	const struct wire_message *message;
	struct wire_value values[WIRE_MAX_ARGS];
};

enum request_result {
	REQUEST_FORWARD, // by a hook: nothing special, forward it
	REQUEST_DONE, // consumed
	REQUEST_STALL, // a stall reason was set; it comes again
	REQUEST_ENDED, // the client was closed
};

/* Handles the message at bytes, which is whole. Never returns REQUEST_FORWARD. */
enum request_result request_handle(
		struct client *client, uint8_t *bytes, const struct wire_header *header);

/* What is left to do for a request without descriptors: makes the new object, sends. */
enum request_result request_forward(struct request *request);

/* Makes the request's new object, if it makes any. REQUEST_FORWARD: done; request->object is no
 * longer valid. */
enum request_result request_insert_new_object(struct request *request);

/* Sends it with the descriptions of its descriptors, which stay in client->held_fds. */
void request_send_with_fds(struct request *request, const struct link_fd *descriptions);

#endif
