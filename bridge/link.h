/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_BRIDGE_LINK_H
#define ISTHMUS_BRIDGE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/link.h"

struct transport;
struct wl_event_loop;

/*
 * One end of a link: frames over a vchan. Queues what is sent during one turn of the event loop and
 * writes it in one go at the turn's end, so that a commit with its damage costs one doorbell. Says
 * LINK_HELLO by itself and checks the peer's.
 */
struct link;

struct link_interface {
	/* Both hellos are exchanged. From here on frames may be sent. */
	void (*opened)(struct link *link, void *data);
	/*
	 * A checked frame of any type but HELLO and BYE. The handler calls link_fail() for one that
	 * is not valid in its state. It must not destroy the link.
	 */
	void (*frame)(struct link *link, const struct link_frame *frame, void *data);
	/* The queue fell below LIMIT_LINK_QUEUE_HIGH_BYTES after link_has_room() had said no. */
	void (*writable)(struct link *link, void *data);
	/*
	 * The link is over, by either end. Called once, from the event loop, never from within
	 * another call; the owner destroys the link here. reason is for the log.
	 */
	void (*closed)(struct link *link, const char *reason, void *data);
};

/* Creates the vchan and waits for the peer. NULL with errno. transport and loop are borrowed. */
struct link *link_create(struct wl_event_loop *loop, struct transport *transport, enum link_end end,
		const struct link_interface *impl, void *data);

/* NULL is legal. Does not say goodbye: see link_shutdown(). */
void link_destroy(struct link *link);

/* Sends LINK_BYE, best effort, before link_destroy(). */
void link_shutdown(struct link *link, enum link_bye reason);

bool link_is_open(const struct link *link);

/*
 * In closed(): what this end found wrong; LINK_BYE_VERSION also when the peer did; else
 * LINK_BYE_SHUTDOWN.
 */
enum link_bye link_closed_reason(const struct link *link);

/*
 * The peer broke the protocol or a limit: logs what once, says LINK_BYE, discards whatever else is
 * queued or arrives, and arranges for closed().
 */
void link_fail(struct link *link, enum link_bye reason, const char *format, ...)
		__attribute__((format(printf, 3, 4)));

/*
 * Queues a frame: header, then body parts in order, then zero padding to 4 bytes. Never blocks or
 * fails towards the caller: out of memory or LIMIT_LINK_QUEUE_BYTES ends the link. Callers that
 * pump data from elsewhere ask link_has_room() first. Dropped when the link is not open.
 */
void link_send(struct link *link, enum link_type type, uint32_t client, uint32_t arg,
		const void *body, size_t body_size);
void link_send2(struct link *link, enum link_type type, uint32_t client, uint32_t arg,
		const void *head, size_t head_size, const void *body, size_t body_size);

/*
 * In place: space for a frame with body_size bytes of body (a multiple of 4), to be filled before
 * the next call on this link. NULL when the link is not open.
 */
uint8_t *link_send_inplace(struct link *link, enum link_type type, uint32_t client, uint32_t arg,
		size_t body_size);

/*
 * Appends one Wayland message to this turn's LINK_WAYLAND frame of this client, or starts one:
 * consecutive messages of one client share a frame.
 */
void link_send_wayland(struct link *link, uint32_t client, const void *message, size_t size);

/* Whether the queue is below LIMIT_LINK_QUEUE_HIGH_BYTES. When not, writable() will be called. */
bool link_has_room(struct link *link);

/* Sends what is queued now rather than at the end of the turn. */
void link_flush(struct link *link);

/*
 * Releases and delete_ids alone are not worth a doorbell: frames sent between lazy(true) and
 * lazy(false) do not by themselves cause a flush at the end of the turn; they go out with the next
 * frame that does, or with turn_defer_lazy()'s patience.
 */
void link_lazy(struct link *link, bool lazy);

#endif
