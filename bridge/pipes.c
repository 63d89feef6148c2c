/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "bridge/link.h"
#include "common/fd.h"
#include "common/fifo.h"
#include "common/share.h"

#define PIPE_CHUNK_BYTES (32 * 1024)
#define PIPE_ID_GUIVM 0x80000000u

struct pipe {
	struct pipe_set *set;
	uint32_t id;
	uint32_t client; // exporter: whose it is, which may have gone
	bool exporter; // has the write end; else the read end
	bool said_close, heard_close;
	int fd; // -1: done with it, waiting for the peer's close
	struct wl_event_source *source;
	uint32_t window; // importer: bytes that may still be sent; exporter: that may still arrive
	struct fifo queue; // exporter: what fd did not take yet
};

struct pipe_set {
	struct wl_event_loop *loop;
	struct link *link;
	enum link_end end;
	uint32_t last_id;
	// Each end may export up to the limit, whatever the other does. NULL: free place.
	struct pipe *pipes[2 * LIMIT_PIPES_PER_LINK];
	uint32_t count, n_exported;
	uint8_t chunk[PIPE_CHUNK_BYTES];
};

struct pipe_set *pipe_set_create(struct wl_event_loop *loop, struct link *link, enum link_end end) {
	struct pipe_set *set = calloc(1, sizeof(*set));
	if (set != NULL) {
		set->loop = loop;
		set->link = link;
		set->end = end;
	}
	return set;
}

uint32_t pipe_set_count(const struct pipe_set *set) {
	return set->count;
}

static struct pipe **find_place(struct pipe_set *set, uint32_t id) {
	for (size_t i = 0; i < 2 * LIMIT_PIPES_PER_LINK; i++) {
		if (set->pipes[i] != NULL && set->pipes[i]->id == id) {
			return &set->pipes[i];
		}
	}
	return NULL;
}

static struct pipe *find(struct pipe_set *set, uint32_t id) {
	struct pipe **place = find_place(set, id);
	return place != NULL ? *place : NULL;
}

static void remove_source(struct pipe *pipe) {
	if (pipe->source != NULL) {
		wl_event_source_remove(pipe->source);
		pipe->source = NULL;
	}
}

static void release_fd(struct pipe *pipe) {
	remove_source(pipe);
	fd_close(&pipe->fd);
	fifo_finish(&pipe->queue);
}

static void free_pipe(struct pipe *pipe) {
	*find_place(pipe->set, pipe->id) = NULL;
	pipe->set->count--;
	pipe->set->n_exported -= pipe->exporter;
	release_fd(pipe);
	free(pipe);
}

void pipe_set_destroy(struct pipe_set *set) {
	if (set == NULL) {
		return;
	}
	for (size_t i = 0; i < 2 * LIMIT_PIPES_PER_LINK; i++) {
		if (set->pipes[i] != NULL) {
			free_pipe(set->pipes[i]);
		}
	}
	free(set);
}

static uint32_t count_exported(const struct pipe_set *set, uint32_t client) {
	uint32_t count = 0;
	for (size_t i = 0; i < 2 * LIMIT_PIPES_PER_LINK; i++) {
		const struct pipe *pipe = set->pipes[i];
		count += pipe != NULL && pipe->exporter && pipe->client == client;
	}
	return count;
}

/* client: of an exporter, else 0. */
static struct pipe *add_pipe(struct pipe_set *set, uint32_t id, bool exporter, uint32_t client) {
	uint32_t n_imported = set->count - set->n_exported;
	bool fits = exporter ? share_fits(LIMIT_PIPES_PER_LINK, set->n_exported,
					       count_exported(set, client), 1)
			     : n_imported < LIMIT_PIPES_PER_LINK;
	if (!fits) {
		errno = ENFILE;
		return NULL;
	}
	struct pipe *pipe = calloc(1, sizeof(*pipe));
	if (pipe == NULL) {
		return NULL;
	}
	*pipe = (struct pipe){
			.set = set,
			.id = id,
			.client = client,
			.exporter = exporter,
			.fd = -1,
			.window = LIMIT_PIPE_WINDOW_BYTES,
	};
	fifo_init(&pipe->queue, LIMIT_PIPE_WINDOW_BYTES);
	for (size_t i = 0; i < 2 * LIMIT_PIPES_PER_LINK; i++) {
		if (set->pipes[i] == NULL) {
			set->pipes[i] = pipe;
			break;
		}
	}
	set->count++;
	set->n_exported += exporter;
	return pipe;
}

/* Done with the descriptor on this side: tells the peer once. true: the pipe is gone. */
static bool finish(struct pipe *pipe) {
	release_fd(pipe);
	if (!pipe->said_close) {
		pipe->said_close = true;
		link_send(pipe->set->link, LINK_PIPE_CLOSE, 0, pipe->id, NULL, 0);
	}
	if (pipe->heard_close) {
		free_pipe(pipe);
		return true;
	}
	return false;
}

/* Importer: reads from the application's end of the pipe and sends. */
static int pipe_handle_readable(int fd, uint32_t mask, void *data) {
	struct pipe *pipe = data;
	struct pipe_set *set = pipe->set;
	while (pipe->window > 0 && link_has_room(set->link)) {
		size_t wanted = pipe->window < PIPE_CHUNK_BYTES ? pipe->window : PIPE_CHUNK_BYTES;
		ssize_t got = read(fd, set->chunk, wanted);
		if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
			return 0;
		}
		if (got <= 0) {
			finish(pipe);
			return 0;
		}
		pipe->window -= (uint32_t)got;
		struct link_bytes head = {.count = (uint32_t)got};
		link_send2(set->link, LINK_PIPE_DATA, 0, pipe->id, &head, sizeof(head), set->chunk,
				(size_t)got);
		if ((size_t)got < wanted) {
			return 0;
		}
	}
	// Removed, not masked: epoll would report the writer's hang-up for ever.
	remove_source(pipe);
	return 0;
}

static void resume_importer(struct pipe *pipe) {
	if (pipe->fd >= 0 && pipe->source == NULL && pipe->window > 0) {
		pipe->source = wl_event_loop_add_fd(pipe->set->loop, pipe->fd, WL_EVENT_READABLE,
				pipe_handle_readable, pipe);
		if (pipe->source == NULL) {
			finish(pipe);
		}
	}
}

/* Exporter: writes what is queued. false: the pipe is done or gone. */
static bool drain(struct pipe *pipe) {
	uint32_t taken = 0;
	while (fifo_size(&pipe->queue) > 0) {
		ssize_t written = fd_write_nowait(
				pipe->fd, fifo_peek(&pipe->queue), fifo_size(&pipe->queue));
		if (written < 0 && errno == EINTR) {
			continue;
		}
		if (written < 0 && errno != EAGAIN) {
			finish(pipe);
			return false;
		}
		if (written <= 0) {
			break;
		}
		fifo_consume(&pipe->queue, (size_t)written);
		taken += (uint32_t)written;
	}
	if (taken > 0 && !pipe->heard_close) {
		pipe->window += taken;
		struct link_bytes credit = {.count = taken};
		link_send(pipe->set->link, LINK_PIPE_CREDIT, 0, pipe->id, &credit, sizeof(credit));
	}
	if (fifo_size(&pipe->queue) == 0 && pipe->heard_close) {
		finish(pipe);
		return false;
	}
	wl_event_source_fd_update(
			pipe->source, fifo_size(&pipe->queue) > 0 ? WL_EVENT_WRITABLE : 0);
	return true;
}

static int pipe_handle_writable(int fd, uint32_t mask, void *data) {
	struct pipe *pipe = data;
	if (mask & (WL_EVENT_ERROR | WL_EVENT_HANGUP)) {
		finish(pipe); // nobody reads any more
		return 0;
	}
	drain(pipe);
	return 0;
}

static bool is_write_end(int fd) {
	struct stat info;
	int flags = fcntl(fd, F_GETFL);
	int access = flags & O_ACCMODE;
	return flags >= 0 && (access == O_WRONLY || access == O_RDWR) && fd_stat(fd, &info) == 0 &&
			(S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
}

static uint32_t next_id(struct pipe_set *set) {
	uint32_t side = set->end == LINK_END_GUIVM ? PIPE_ID_GUIVM : 0;
	uint32_t id;
	do {
		set->last_id = (set->last_id + 1) & ~PIPE_ID_GUIVM;
		id = set->last_id | side;
	} while (set->last_id == 0 || find(set, id) != NULL);
	return id;
}

bool pipe_set_export(struct pipe_set *set, uint32_t client, int fd, uint32_t *id) {
	if (!is_write_end(fd) || !fd_set_nonblocking(fd, true)) {
		errno = EBADF;
		return false;
	}
	struct pipe *pipe = add_pipe(set, next_id(set), true, client);
	if (pipe == NULL) {
		return false;
	}
	// Without a wish: to hear when the reader goes.
	pipe->source = wl_event_loop_add_fd(set->loop, fd, 0, pipe_handle_writable, pipe);
	if (pipe->source == NULL) {
		free_pipe(pipe);
		errno = ENOMEM;
		return false;
	}
	pipe->fd = fd;
	*id = pipe->id;
	return true;
}

int pipe_set_import(struct pipe_set *set, uint32_t untrusted_id) {
	bool from_guivm = (untrusted_id & PIPE_ID_GUIVM) != 0;
	if ((untrusted_id & ~PIPE_ID_GUIVM) == 0 || from_guivm == (set->end == LINK_END_GUIVM) ||
			find(set, untrusted_id) != NULL) {
		errno = EPROTO;
		return -1;
	}
	struct pipe *pipe = add_pipe(set, untrusted_id, false, 0);
	if (pipe == NULL) {
		// The exporter counts the same pipes against the same limit.
		errno = errno == ENFILE ? EPROTO : errno;
		return -1;
	}
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0) {
		int saved_errno = errno;
		finish(pipe);
		errno = saved_errno;
		return -1;
	}
	pipe->fd = ends[0];
	fd_set_nonblocking(ends[0], true);
	resume_importer(pipe);
	return ends[1];
}

static void handle_data(struct pipe *pipe, const struct link_frame *frame) {
	const uint8_t *bytes;
	struct link_bytes head = link_frame_bytes(frame, &bytes);
	if (!pipe->exporter || pipe->heard_close || head.count > pipe->window) {
		link_fail(pipe->set->link, LINK_BYE_PROTOCOL,
				"pipe %#x: data beyond its window or end", pipe->id);
		return;
	}
	pipe->window -= head.count;
	if (pipe->said_close) {
		return; // on its way when nobody read any more
	}
	if (!fifo_push(&pipe->queue, bytes, head.count)) {
		finish(pipe);
		return;
	}
	drain(pipe);
}

static void handle_credit(struct pipe *pipe, const struct link_frame *frame) {
	const uint8_t *bytes;
	struct link_bytes head = link_frame_bytes(frame, &bytes);
	if (pipe->exporter || head.count > LIMIT_PIPE_WINDOW_BYTES - pipe->window) {
		link_fail(pipe->set->link, LINK_BYE_PROTOCOL,
				"pipe %#x: credit for what was not sent", pipe->id);
		return;
	}
	pipe->window += head.count;
	resume_importer(pipe);
}

static void handle_close(struct pipe *pipe) {
	if (pipe->heard_close) {
		link_fail(pipe->set->link, LINK_BYE_PROTOCOL, "pipe %#x: closed twice", pipe->id);
		return;
	}
	pipe->heard_close = true;
	if (pipe->exporter && pipe->fd >= 0 && fifo_size(&pipe->queue) > 0) {
		return; // drain() finishes
	}
	finish(pipe);
}

void pipe_set_handle_frame(struct pipe_set *set, const struct link_frame *frame) {
	struct pipe *pipe = find(set, frame->header.arg);
	if (pipe == NULL) {
		link_fail(set->link, LINK_BYE_PROTOCOL, "no pipe %#x", frame->header.arg);
		return;
	}
	switch (frame->header.type) {
	case LINK_PIPE_DATA:
		handle_data(pipe, frame);
		break;
	case LINK_PIPE_CREDIT:
		handle_credit(pipe, frame);
		break;
	default:
		handle_close(pipe);
		break;
	}
}

void pipe_set_handle_writable(struct pipe_set *set) {
	for (size_t i = 0; i < 2 * LIMIT_PIPES_PER_LINK; i++) {
		if (set->pipes[i] != NULL && !set->pipes[i]->exporter) {
			resume_importer(set->pipes[i]);
		}
	}
}
