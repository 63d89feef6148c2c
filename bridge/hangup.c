/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/hangup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <wayland-server-core.h>

#include "common/fd.h"

#define READ_BYTES 4096
#define READS_PER_TURN 16 // who never stops to talk does not keep the others waiting

struct hangup {
	int fd;
	struct wl_event_source *source, *timer;
	uint64_t bytes_left;
	void (*ended)(void *data);
	void *data;
};

static void hangup_close(struct hangup *hangup) {
	if (hangup->source != NULL) {
		wl_event_source_remove(hangup->source);
		hangup->source = NULL;
	}
	if (hangup->timer != NULL) {
		wl_event_source_remove(hangup->timer);
		hangup->timer = NULL;
	}
	fd_close(&hangup->fd);
}

static int hangup_end(struct hangup *hangup) {
	hangup_close(hangup);
	hangup->ended(hangup->data);
	return 0;
}

static int hangup_handle_readable(int fd, uint32_t mask, void *data) {
	struct hangup *hangup = data;
	char bytes[READ_BYTES];
	for (int i = 0; i < READS_PER_TURN; i++) {
		// Without room for them the kernel lets go of descriptors.
		ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
			return 0;
		}
		if (got <= 0 || (uint64_t)got > hangup->bytes_left) {
			return hangup_end(hangup);
		}
		hangup->bytes_left -= (uint64_t)got;
	}
	return 0;
}

static int hangup_handle_timeout(void *data) {
	return hangup_end(data);
}

struct hangup *hangup_create(struct wl_event_loop *loop, int fd, const struct hangup_limits *limits,
		void (*ended)(void *data), void *data) {
	struct hangup *hangup = calloc(1, sizeof(*hangup));
	if (hangup == NULL) {
		return NULL;
	}
	*hangup = (struct hangup){
			.fd = -1, .bytes_left = limits->bytes, .ended = ended, .data = data};
	hangup->source = wl_event_loop_add_fd(
			loop, fd, WL_EVENT_READABLE, hangup_handle_readable, hangup);
	hangup->timer = wl_event_loop_add_timer(loop, hangup_handle_timeout, hangup);
	if (hangup->source == NULL || hangup->timer == NULL ||
			wl_event_source_timer_update(hangup->timer, limits->timeout_ms) < 0) {
		int saved_errno = errno;
		hangup_destroy(hangup);
		errno = saved_errno;
		return NULL;
	}
	hangup->fd = fd;
	// Fails when the other side is gone, which is read next.
	shutdown(fd, SHUT_WR);
	return hangup;
}

void hangup_destroy(struct hangup *hangup) {
	if (hangup != NULL) {
		hangup_close(hangup);
		free(hangup);
	}
}
