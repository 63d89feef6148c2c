/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/wlconn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "bridge/turn.h"
#include "common/fd.h"

#define WLCONN_IN_BYTES (32 * 1024)
#define WLCONN_READ_BYTES (16 * 1024)
#define WLCONN_FDS_PER_WRITE 28 // what libwayland takes in one read
#define WLCONN_MAX_FDS_OUT 512

struct queued_fd {
	int fd;
	uint64_t position; // of its message's first byte in everything ever queued
};

struct wlconn {
	struct wl_event_loop *loop;
	const struct wlconn_interface *impl;
	void *data;
	int fd;
	struct wl_event_source *source; // NULL: neither reading nor waiting to write
	uint32_t mask;
	struct turn *turn;
	struct turn_task flush_task;
	struct turn_task offer_task; // offers what is in the buffer after a resume
	struct turn_task trim_task;
	uint64_t trim_mark; // written_total when trim_task was deferred
	bool *destroyed; // set by wlconn_destroy() while a handler runs

	struct fifo in;
	int fds_in[WLCONN_MAX_FDS_IN];
	size_t n_fds_in, first_fd_in;
	bool paused;
	bool ended; // end of file or an error was seen
	bool closed; // reported
	bool hung_up; // noticed while paused

	struct fifo out;
	bool blocked; // the socket took no more: it says when it does
	bool lazy;
	struct queued_fd *fds_out; // grown on demand
	size_t n_fds_out, fds_out_capacity;
	uint64_t queued_total, written_total;
};

static void update_source(struct wlconn *conn);

/* Calls a handler; false when it destroyed the connection. */
static bool call(struct wlconn *conn, void (*handler)(struct wlconn *conn, void *data)) {
	bool destroyed = false;
	bool *outer = conn->destroyed;
	conn->destroyed = &destroyed;
	handler(conn, conn->data);
	if (destroyed) {
		if (outer != NULL) {
			*outer = true;
		}
		return false;
	}
	conn->destroyed = outer;
	return true;
}

static void report_end(struct wlconn *conn) {
	if (conn->ended && !conn->paused && !conn->closed) {
		conn->closed = true;
		call(conn, conn->impl->closed);
	}
}

/* Reads once. Returns whether there may be more. */
static bool fill(struct wlconn *conn) {
	size_t wanted = fifo_room(&conn->in) < WLCONN_READ_BYTES ? fifo_room(&conn->in)
								 : WLCONN_READ_BYTES;
	uint8_t *space = wanted > 0 ? fifo_reserve(&conn->in, wanted) : NULL;
	if (space == NULL) {
		return false;
	}
	if (conn->n_fds_in == 0) {
		conn->first_fd_in = 0;
	} else if (conn->first_fd_in > 0) {
		memmove(conn->fds_in, conn->fds_in + conn->first_fd_in,
				conn->n_fds_in * sizeof(int));
		conn->first_fd_in = 0;
	}
	size_t n_fds = WLCONN_MAX_FDS_IN - conn->n_fds_in;
	ssize_t got = fd_receive(conn->fd, space, wanted, conn->fds_in + conn->n_fds_in, &n_fds);
	if (got < 0 && errno == EAGAIN) {
		return false;
	}
	if (got <= 0) {
		conn->ended = true;
		return false;
	}
	conn->n_fds_in += n_fds;
	fifo_commit(&conn->in, (size_t)got);
	return (size_t)got == wanted;
}

static void offer(struct wlconn *conn) {
	if (conn->paused || conn->closed ||
			(fifo_size(&conn->in) > 0 && !call(conn, conn->impl->readable))) {
		return;
	}
	update_source(conn);
	report_end(conn);
}

static int wlconn_handle_event(int fd, uint32_t mask, void *data) {
	struct wlconn *conn = data;
	if (mask & WL_EVENT_WRITABLE) {
		bool destroyed = false;
		bool *outer = conn->destroyed;
		conn->destroyed = &destroyed;
		wlconn_flush(conn);
		if (destroyed) {
			return 0;
		}
		conn->destroyed = outer;
	}
	if (conn->paused) {
		bool hung_up = (mask & (WL_EVENT_HANGUP | WL_EVENT_ERROR)) && !conn->hung_up;
		conn->hung_up |= hung_up;
		update_source(conn);
		if (hung_up && conn->impl->hung_up != NULL) {
			call(conn, conn->impl->hung_up);
		}
		return 0;
	}
	if (mask & (WL_EVENT_READABLE | WL_EVENT_HANGUP | WL_EVENT_ERROR)) {
		fill(conn);
		offer(conn);
	}
	return 0;
}

static void update_source(struct wlconn *conn) {
	uint32_t mask = 0;
	if (!conn->paused && !conn->ended) {
		mask |= WL_EVENT_READABLE;
	}
	if (conn->blocked && !conn->ended) {
		mask |= WL_EVENT_WRITABLE;
	}
	// epoll reports a hang-up whatever the mask, and would spin: a source that asks for nothing
	// stays until it told of one.
	bool wanted = mask != 0 || (conn->paused && !conn->hung_up && conn->impl->hung_up != NULL);
	if (mask == conn->mask && wanted == (conn->source != NULL)) {
		return;
	}
	conn->mask = mask;
	if (!wanted) {
		wl_event_source_remove(conn->source);
		conn->source = NULL;
	} else if (conn->source == NULL) {
		conn->source = wl_event_loop_add_fd(
				conn->loop, conn->fd, mask, wlconn_handle_event, conn);
		if (conn->source == NULL) {
			conn->mask = 0;
			conn->ended = true;
			turn_defer_next(conn->turn, &conn->offer_task);
		}
	} else {
		wl_event_source_fd_update(conn->source, mask);
	}
}

static void run_flush(struct turn_task *task) {
	struct wlconn *conn = wl_container_of(task, conn, flush_task);
	wlconn_flush(conn);
}

/* Not at each flush: who sends much would have a block allocated for each burst. */
static void trim_later(struct wlconn *conn) {
	conn->trim_mark = conn->written_total;
	turn_defer_lazy(conn->turn, &conn->trim_task);
}

static void run_trim(struct turn_task *task) {
	struct wlconn *conn = wl_container_of(task, conn, trim_task);
	if (fifo_size(&conn->out) > 0 || conn->written_total != conn->trim_mark) {
		trim_later(conn);
	} else {
		fifo_trim(&conn->out);
	}
}

static void run_offer(struct turn_task *task) {
	struct wlconn *conn = wl_container_of(task, conn, offer_task);
	offer(conn);
}

struct wlconn *wlconn_create(struct wl_event_loop *loop, int fd, size_t max_queue_bytes,
		const struct wlconn_interface *impl, void *data) {
	struct wlconn *conn = calloc(1, sizeof(*conn));
	if (conn == NULL) {
		return NULL;
	}
	conn->loop = loop;
	conn->fd = fd;
	conn->impl = impl;
	conn->data = data;
	fifo_init(&conn->in, WLCONN_IN_BYTES);
	fifo_init(&conn->out, max_queue_bytes);
	turn_task_init(&conn->flush_task, run_flush);
	turn_task_init(&conn->offer_task, run_offer);
	turn_task_init(&conn->trim_task, run_trim);
	conn->turn = turn_of_loop(loop);
	if (conn->turn == NULL || !fd_set_nonblocking(fd, true)) {
		goto error_conn;
	}
	conn->mask = WL_EVENT_READABLE;
	conn->source = wl_event_loop_add_fd(loop, fd, conn->mask, wlconn_handle_event, conn);
	if (conn->source == NULL) {
		goto error_conn;
	}
	return conn;

error_conn:
	free(conn);
	return NULL;
}

int wlconn_detach(struct wlconn *conn) {
	int fd = conn->fd;
	if (conn->destroyed != NULL) {
		*conn->destroyed = true;
	}
	turn_task_cancel(&conn->flush_task);
	turn_task_cancel(&conn->offer_task);
	turn_task_cancel(&conn->trim_task);
	if (conn->source != NULL) {
		wl_event_source_remove(conn->source);
	}
	for (size_t i = 0; i < conn->n_fds_in; i++) {
		close(conn->fds_in[conn->first_fd_in + i]);
	}
	for (size_t i = 0; i < conn->n_fds_out; i++) {
		close(conn->fds_out[i].fd);
	}
	free(conn->fds_out);
	fifo_finish(&conn->in);
	fifo_finish(&conn->out);
	free(conn);
	return fd;
}

void wlconn_destroy(struct wlconn *conn) {
	if (conn != NULL) {
		close(wlconn_detach(conn));
	}
}

uint8_t *wlconn_next_mutable(
		struct wlconn *conn, struct wire_header *header, enum wire_error *error) {
	size_t size = fifo_size(&conn->in);
	if (size < WIRE_HEADER_BYTES) {
		*error = WIRE_INCOMPLETE;
		return NULL;
	}
	*error = wire_parse_header(fifo_peek(&conn->in), size, header);
	return *error == WIRE_OK ? fifo_peek(&conn->in) : NULL;
}

const uint8_t *wlconn_next(
		struct wlconn *conn, struct wire_header *header, enum wire_error *error) {
	return wlconn_next_mutable(conn, header, error);
}

void wlconn_consume(struct wlconn *conn, size_t size) {
	fifo_consume(&conn->in, size);
}

int wlconn_take_fd(struct wlconn *conn) {
	if (conn->n_fds_in == 0) {
		return -1;
	}
	conn->n_fds_in--;
	return conn->fds_in[conn->first_fd_in++];
}

void wlconn_pause(struct wlconn *conn) {
	conn->paused = true;
	update_source(conn);
}

void wlconn_resume(struct wlconn *conn) {
	if (!conn->paused) {
		return;
	}
	conn->paused = false;
	update_source(conn);
	if (fifo_size(&conn->in) > 0 || conn->ended) {
		turn_defer_next(conn->turn, &conn->offer_task);
	}
}

static bool queue_fds(struct wlconn *conn, const int *fds, size_t n_fds) {
	size_t needed = conn->n_fds_out + n_fds;
	if (needed > WLCONN_MAX_FDS_OUT) {
		return false;
	}
	if (needed > conn->fds_out_capacity) {
		size_t capacity = needed < 8 ? 8 : needed * 2;
		struct queued_fd *grown = realloc(conn->fds_out, capacity * sizeof(*grown));
		if (grown == NULL) {
			return false;
		}
		conn->fds_out = grown;
		conn->fds_out_capacity = capacity;
	}
	for (size_t i = 0; i < n_fds; i++) {
		conn->fds_out[conn->n_fds_out++] =
				(struct queued_fd){.fd = fds[i], .position = conn->queued_total};
	}
	return true;
}

bool wlconn_queue(
		struct wlconn *conn, const void *bytes, size_t size, const int *fds, size_t n_fds) {
	if (size > fifo_room(&conn->out) || fifo_reserve(&conn->out, size) == NULL ||
			!queue_fds(conn, fds, n_fds)) {
		return false;
	}
	fifo_push(&conn->out, bytes, size);
	conn->queued_total += size;
	if (conn->lazy) {
		turn_defer_lazy(conn->turn, &conn->flush_task);
	} else {
		turn_defer(conn->turn, TURN_SOCKETS, &conn->flush_task);
	}
	return true;
}

void wlconn_lazy(struct wlconn *conn, bool lazy) {
	conn->lazy = lazy;
}

size_t wlconn_queued(const struct wlconn *conn) {
	return fifo_size(&conn->out);
}

uint64_t wlconn_bytes_written(const struct wlconn *conn) {
	return conn->written_total;
}

/* Descriptors must not arrive after their message, and may arrive before it. */
static ssize_t write_once(struct wlconn *conn) {
	size_t size = fifo_size(&conn->out);
	int fds[WLCONN_FDS_PER_WRITE];
	size_t n_fds = 0;
	while (n_fds < conn->n_fds_out && n_fds < WLCONN_FDS_PER_WRITE) {
		fds[n_fds] = conn->fds_out[n_fds].fd;
		n_fds++;
	}
	if (n_fds < conn->n_fds_out) {
		size_t before_next = (size_t)(conn->fds_out[n_fds].position - conn->written_total);
		size = before_next < size ? before_next : size;
	}
	ssize_t sent = fd_send(conn->fd, fifo_peek(&conn->out), size, fds, n_fds);
	if (sent <= 0) {
		return sent;
	}
	for (size_t i = 0; i < n_fds; i++) {
		close(fds[i]);
	}
	conn->n_fds_out -= n_fds;
	if (conn->n_fds_out > 0) {
		memmove(conn->fds_out, conn->fds_out + n_fds,
				conn->n_fds_out * sizeof(*conn->fds_out));
	}
	fifo_consume(&conn->out, (size_t)sent);
	conn->written_total += (uint64_t)sent;
	return sent;
}

void wlconn_flush(struct wlconn *conn) {
	turn_task_cancel(&conn->flush_task);
	if (fifo_size(&conn->out) == 0 || conn->ended) {
		return;
	}
	conn->blocked = false;
	while (fifo_size(&conn->out) > 0) {
		if (write_once(conn) <= 0) {
			conn->blocked = errno == EAGAIN;
			if (!conn->blocked) {
				// Read what the peer still said before it went, for example why.
				fifo_consume(&conn->out, fifo_size(&conn->out));
				if (conn->paused) {
					conn->ended = true;
				}
			}
			break;
		}
	}
	update_source(conn);
	if (fifo_size(&conn->out) == 0) {
		if (fifo_is_large(&conn->out) && !turn_task_deferred(&conn->trim_task)) {
			trim_later(conn);
		}
		if (conn->impl->drained != NULL) {
			call(conn, conn->impl->drained);
		}
	}
}
