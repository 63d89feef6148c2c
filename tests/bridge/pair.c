/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bridge/pair.h"

#include "tests/harness/test.h"
#include "transport/transport.h"

static void handle_opened(struct link *link, void *data) {
	struct link_pair_end *end = data;
	end->opened = true;
}

static void handle_frame(struct link *link, const struct link_frame *frame, void *data) {
	struct link_pair_end *end = data;
	end->frames++;
	if (end->frame != NULL) {
		end->frame(end, frame);
	}
}

static void handle_writable(struct link *link, void *data) {
	struct link_pair_end *end = data;
	if (end->writable != NULL) {
		end->writable(end);
	}
}

static void handle_closed(struct link *link, const char *reason, void *data) {
	struct link_pair_end *end = data;
	end->closed = true;
	snprintf(end->reason, sizeof(end->reason), "%s", reason);
	link_destroy(link);
	end->link = NULL;
}

static const struct link_interface impl = {
		.opened = handle_opened,
		.frame = handle_frame,
		.writable = handle_writable,
		.closed = handle_closed,
};

static void end_init(struct link_pair *pair, struct link_pair_end *end, enum link_end which) {
	char spec[128], error[200];
	snprintf(spec, sizeof(spec), "local:%s/link", test_dir());
	*end = (struct link_pair_end){0};
	end->transport = transport_open(pair->loop, spec,
			which == LINK_END_GUIVM ? TRANSPORT_GUIVM : TRANSPORT_APPVM, error,
			sizeof(error));
	if (end->transport == NULL) {
		test_fail(__FILE__, __LINE__, "%s", error);
	}
	end->link = link_create(pair->loop, end->transport, which, &impl, end);
	EXPECT(end->link != NULL);
}

void link_pair_init(struct link_pair *pair) {
	pair->loop = wl_event_loop_create();
	end_init(pair, &pair->guivm, LINK_END_GUIVM);
	end_init(pair, &pair->appvm, LINK_END_APPVM);
	test_dispatch_until(pair->loop, &pair->guivm.opened);
	test_dispatch_until(pair->loop, &pair->appvm.opened);
}

void link_pair_reopen_guivm(struct link_pair *pair) {
	struct link_pair_end *end = &pair->guivm;
	end->opened = end->closed = false;
	end->link = link_create(pair->loop, end->transport, LINK_END_GUIVM, &impl, end);
	EXPECT(end->link != NULL);
}

void link_pair_finish(struct link_pair *pair) {
	link_destroy(pair->guivm.link);
	link_destroy(pair->appvm.link);
	transport_close(pair->guivm.transport);
	transport_close(pair->appvm.transport);
	wl_event_loop_destroy(pair->loop);
}
