/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/link.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "bridge/turn.h"
#include "common/checked.h"
#include "common/fifo.h"
#include "common/log.h"
#include "transport/transport.h"
#include "transport/vchan.h"

#define LINK_READ_BYTES LIMIT_LINK_FRAME_BYTES
// A peer that never stops sending is read from in pieces, so that everybody else has a turn in
// between.
#define LINK_READ_BYTES_PER_TURN (1024 * 1024)
#define LINK_REASON_BYTES 160

enum link_state {
	LINK_STATE_WAITING, // for the peer
	LINK_STATE_HELLO, // ours is sent, the peer's is awaited
	LINK_STATE_OPEN,
	LINK_STATE_CLOSED,
};

struct link {
	struct wl_event_loop *loop;
	struct turn *turn;
	struct transport *transport;
	struct vchan *vchan;
	enum link_end end;
	const struct link_interface *impl;
	void *data;
	enum link_state state;
	char reason[LINK_REASON_BYTES];
	enum link_bye bye; // why it is closed

	struct fifo in, out;
	// the last frame of out, when it is a LINK_WAYLAND that may still grow
	size_t open_frame_bytes;
	uint32_t open_frame_client;
	bool full; // link_has_room() said no
	bool lazy;
	struct turn_task flush_task, read_task, close_task;
};

static void close_link(struct link *link, const char *reason) {
	if (link->state == LINK_STATE_CLOSED) {
		return;
	}
	link->state = LINK_STATE_CLOSED;
	snprintf(link->reason, sizeof(link->reason), "%s", reason);
	turn_task_cancel(&link->flush_task);
	turn_task_cancel(&link->read_task);
	turn_defer_next(link->turn, &link->close_task);
}

static void run_close(struct turn_task *task) {
	struct link *link = wl_container_of(task, link, close_task);
	link->impl->closed(link, link->reason, link->data);
}

static void write_out(struct link *link) {
	link->open_frame_bytes = 0;
	while (fifo_size(&link->out) > 0) {
		ssize_t written = vchan_write(
				link->vchan, fifo_peek(&link->out), fifo_size(&link->out));
		if (written <= 0) {
			break;
		}
		fifo_consume(&link->out, (size_t)written);
	}
}

void link_flush(struct link *link) {
	turn_task_cancel(&link->flush_task);
	if (link->state != LINK_STATE_OPEN && link->state != LINK_STATE_HELLO) {
		return;
	}
	write_out(link);
	if (link->full && fifo_size(&link->out) < LIMIT_LINK_QUEUE_HIGH_BYTES) {
		link->full = false;
		link->impl->writable(link, link->data);
	}
}

static void run_flush(struct turn_task *task) {
	struct link *link = wl_container_of(task, link, flush_task);
	link_flush(link);
}

static void schedule_flush(struct link *link) {
	if (!link->lazy) {
		turn_defer(link->turn, TURN_LINKS, &link->flush_task);
	} else {
		turn_defer_lazy(link->turn, &link->flush_task);
	}
}

/* Reserves a frame at the end of the queue, header filled in, body unset. */
static uint8_t *push_frame(struct link *link, enum link_type type, uint32_t client, uint32_t arg,
		size_t body_size) {
	size_t size = sizeof(struct link_header) + body_size;
	uint8_t *space = size <= LIMIT_LINK_FRAME_BYTES ? fifo_reserve(&link->out, size) : NULL;
	if (space == NULL) {
		log_error("link: no room for a frame of %zu bytes", size);
		close_link(link, "out of memory or queue space");
		return NULL;
	}
	struct link_header header = {
			.size = (uint32_t)size,
			.type = (uint16_t)type,
			.client = client,
			.arg = arg,
	};
	memcpy(space, &header, sizeof(header));
	fifo_commit(&link->out, size);
	link->open_frame_bytes = 0;
	schedule_flush(link);
	return space + sizeof(header);
}

uint8_t *link_send_inplace(struct link *link, enum link_type type, uint32_t client, uint32_t arg,
		size_t body_size) {
	return link->state == LINK_STATE_OPEN ? push_frame(link, type, client, arg, body_size)
					      : NULL;
}

void link_send2(struct link *link, enum link_type type, uint32_t client, uint32_t arg,
		const void *head, size_t head_size, const void *body, size_t body_size) {
	size_t used = head_size + body_size;
	size_t padded = align_up(used, 4);
	uint8_t *space = link_send_inplace(link, type, client, arg, padded);
	if (space == NULL) {
		return;
	}
	if (head_size > 0) {
		memcpy(space, head, head_size);
	}
	if (body_size > 0) {
		memcpy(space + head_size, body, body_size);
	}
	memset(space + used, 0, padded - used);
}

void link_send(struct link *link, enum link_type type, uint32_t client, uint32_t arg,
		const void *body, size_t body_size) {
	link_send2(link, type, client, arg, body, body_size, NULL, 0);
}

void link_send_wayland(struct link *link, uint32_t client, const void *message, size_t size) {
	bool fits = link->open_frame_bytes > 0 && link->open_frame_client == client &&
			link->open_frame_bytes + size <= LIMIT_LINK_FRAME_BYTES;
	uint8_t *space = fits && link->state == LINK_STATE_OPEN ? fifo_reserve(&link->out, size)
								: NULL;
	if (space == NULL) {
		space = link_send_inplace(link, LINK_WAYLAND, client, 0, size);
		if (space != NULL) {
			memcpy(space, message, size);
			link->open_frame_bytes = sizeof(struct link_header) + size;
			link->open_frame_client = client;
		}
		return;
	}
	memcpy(space, message, size);
	fifo_commit(&link->out, size);
	link->open_frame_bytes += size;
	uint32_t frame_size = (uint32_t)link->open_frame_bytes;
	memcpy(link->out.data + link->out.end - frame_size, &frame_size, sizeof(frame_size));
	schedule_flush(link);
}

static void say_bye(struct link *link, enum link_bye reason) {
	if (link->state == LINK_STATE_OPEN || link->state == LINK_STATE_HELLO) {
		push_frame(link, LINK_BYE, 0, reason, 0);
		write_out(link);
	}
}

void link_shutdown(struct link *link, enum link_bye reason) {
	say_bye(link, reason);
}

void link_fail(struct link *link, enum link_bye reason, const char *format, ...) {
	if (link->state == LINK_STATE_CLOSED) {
		return;
	}
	char text[LINK_REASON_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_error("link closed: %s: %s", link_bye_text(reason), text);
	say_bye(link, reason);
	link->bye = reason;
	close_link(link, text);
}

bool link_has_room(struct link *link) {
	if (fifo_size(&link->out) < LIMIT_LINK_QUEUE_HIGH_BYTES) {
		return true;
	}
	link->full = true;
	return false;
}

enum link_bye link_closed_reason(const struct link *link) {
	return link->bye;
}

bool link_is_open(const struct link *link) {
	return link->state == LINK_STATE_OPEN;
}

void link_lazy(struct link *link, bool lazy) {
	link->lazy = lazy;
}

static void handle_hello(struct link *link, const struct link_frame *frame) {
	struct link_hello hello = link_frame_hello(frame);
	if (hello.version_max < LINK_VERSION_MIN || hello.version_min > LINK_VERSION_MAX) {
		link_fail(link, LINK_BYE_VERSION,
				"the peer speaks link versions %u to %u, this end %u to %u",
				hello.version_min, hello.version_max, LINK_VERSION_MIN,
				LINK_VERSION_MAX);
		return;
	}
	if (hello.caps != transport_caps(link->transport)) {
		link_fail(link, LINK_BYE_PROTOCOL,
				"the ends disagree on the transport's options: capabilities %#x "
				"there, %#x here",
				hello.caps, transport_caps(link->transport));
		return;
	}
	link->state = LINK_STATE_OPEN;
	link->impl->opened(link, link->data);
}

static void handle_bye(struct link *link, const struct link_frame *frame) {
	char text[LINK_REASON_BYTES];
	snprintf(text, sizeof(text), "the peer ended the link: %s",
			link_bye_text(frame->header.arg));
	// What else it says of this end is only its opinion.
	link->bye = frame->header.arg == LINK_BYE_VERSION ? LINK_BYE_VERSION : LINK_BYE_SHUTDOWN;
	close_link(link, text);
}

static void handle_frame(struct link *link, const struct link_frame *frame) {
	bool is_hello = frame->header.type == LINK_HELLO;
	if (frame->header.type == LINK_BYE) {
		handle_bye(link, frame);
	} else if (is_hello != (link->state == LINK_STATE_HELLO)) {
		link_fail(link, LINK_BYE_PROTOCOL, "%s", link_error_text(LINK_BAD_PHASE));
	} else if (is_hello) {
		handle_hello(link, frame);
	} else {
		link->impl->frame(link, frame, link->data);
	}
}

/* Handles the whole frames in the buffer. */
static void parse_in(struct link *link) {
	enum link_end peer = link->end == LINK_END_GUIVM ? LINK_END_APPVM : LINK_END_GUIVM;
	while (link->state != LINK_STATE_CLOSED) {
		struct link_frame frame;
		enum link_error error = link_parse(
				fifo_peek(&link->in), fifo_size(&link->in), peer, &frame);
		if (error == LINK_INCOMPLETE) {
			return;
		}
		if (error != LINK_OK) {
			link_fail(link, LINK_BYE_PROTOCOL, "%s", link_error_text(error));
			return;
		}
		handle_frame(link, &frame);
		fifo_consume(&link->in, frame.header.size);
	}
}

static void read_in(struct link *link) {
	size_t read_this_turn = 0;
	while (link->state != LINK_STATE_CLOSED) {
		uint8_t *space = fifo_reserve(&link->in, LINK_READ_BYTES);
		ssize_t got = space != NULL ? vchan_read(link->vchan, space, LINK_READ_BYTES) : -1;
		if (got <= 0) {
			break;
		}
		fifo_commit(&link->in, (size_t)got);
		read_this_turn += (size_t)got;
		parse_in(link);
		if (read_this_turn >= LINK_READ_BYTES_PER_TURN) {
			turn_defer_next(link->turn, &link->read_task);
			return;
		}
	}
	if (link->state != LINK_STATE_CLOSED && vchan_state(link->vchan) == VCHAN_DISCONNECTED) {
		close_link(link, vchan_reason(link->vchan));
	}
}

static void run_read(struct turn_task *task) {
	struct link *link = wl_container_of(task, link, read_task);
	read_in(link);
}

static void send_hello(struct link *link) {
	link->state = LINK_STATE_HELLO;
	struct link_hello hello = {
			.magic = LINK_MAGIC,
			.version_min = LINK_VERSION_MIN,
			.version_max = LINK_VERSION_MAX,
			.caps = transport_caps(link->transport),
			.page_size = (uint32_t)sysconf(_SC_PAGESIZE),
	};
	uint8_t *space = push_frame(link, LINK_HELLO, 0, 0, sizeof(hello));
	if (space != NULL) {
		memcpy(space, &hello, sizeof(hello));
	}
}

static void link_handle_vchan(struct vchan *vchan, void *data) {
	struct link *link = data;
	if (link->state == LINK_STATE_WAITING && vchan_state(vchan) == VCHAN_CONNECTED) {
		send_hello(link);
	}
	read_in(link);
	if (fifo_size(&link->out) > 0) {
		turn_defer(link->turn, TURN_LINKS, &link->flush_task);
	}
}

struct link *link_create(struct wl_event_loop *loop, struct transport *transport, enum link_end end,
		const struct link_interface *impl, void *data) {
	struct link *link = calloc(1, sizeof(*link));
	if (link == NULL) {
		return NULL;
	}
	link->loop = loop;
	link->transport = transport;
	link->end = end;
	link->impl = impl;
	link->data = data;
	fifo_init(&link->in, 2 * LIMIT_LINK_FRAME_BYTES);
	fifo_init(&link->out, LIMIT_LINK_QUEUE_BYTES);
	turn_task_init(&link->flush_task, run_flush);
	turn_task_init(&link->read_task, run_read);
	turn_task_init(&link->close_task, run_close);
	link->turn = turn_of_loop(loop);
	if (link->turn == NULL) {
		goto error_link;
	}
	link->vchan = vchan_create(transport, link_handle_vchan, link);
	if (link->vchan == NULL) {
		goto error_link;
	}
	return link;

error_link:
	free(link);
	return NULL;
}

void link_destroy(struct link *link) {
	if (link == NULL) {
		return;
	}
	turn_task_cancel(&link->flush_task);
	turn_task_cancel(&link->read_task);
	turn_task_cancel(&link->close_task);
	vchan_destroy(link->vchan);
	fifo_finish(&link->in);
	fifo_finish(&link->out);
	free(link);
}
