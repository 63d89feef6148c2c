/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "bridge/turn.h"
#include "bridge/wlconn.h"
#include "common/fd.h"
#include "tests/harness/test.h"

struct fixture {
	struct wl_event_loop *loop;
	struct wlconn *conn;
	int peer;
	unsigned messages, fds, pause_after;
	bool closed, destroy_in_handler;
	enum wire_error error;
};

static void handle_readable(struct wlconn *conn, void *data) {
	struct fixture *f = data;
	struct wire_header header;
	while (wlconn_next(conn, &header, &f->error) != NULL) {
		wlconn_consume(conn, header.size);
		f->messages++;
		int fd = wlconn_take_fd(conn);
		f->fds += fd >= 0;
		fd_close(&fd);
		if (f->destroy_in_handler) {
			wlconn_destroy(conn);
			f->conn = NULL;
			return;
		}
		if (f->messages == f->pause_after) {
			wlconn_pause(conn);
			return;
		}
	}
}

static void handle_closed(struct wlconn *conn, void *data) {
	struct fixture *f = data;
	f->closed = true;
}

static const struct wlconn_interface impl = {.readable = handle_readable, .closed = handle_closed};

static void fixture_init(struct fixture *f, size_t max_queue_bytes) {
	*f = (struct fixture){.loop = wl_event_loop_create()};
	int pair[2];
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	f->conn = wlconn_create(f->loop, pair[0], max_queue_bytes, &impl, f);
	EXPECT(f->conn != NULL);
	f->peer = pair[1];
}

static void fixture_finish(struct fixture *f) {
	wlconn_destroy(f->conn);
	fd_close(&f->peer);
	wl_event_loop_destroy(f->loop);
}

static const uint32_t sync_message[3] = {1, 12 << 16, 2};

TEST(messages_are_offered_before_the_hang_up) {
	struct fixture f;
	fixture_init(&f, 4096);
	for (int i = 0; i < 3; i++) {
		EXPECT_INT(fd_send(f.peer, sync_message, 12, &f.peer, 1), 12);
	}
	fd_close(&f.peer);
	test_dispatch_until(f.loop, &f.closed);
	EXPECT_INT(f.messages, 3);
	EXPECT_INT(f.fds, 3);
	fixture_finish(&f);
}

TEST(a_message_in_pieces_is_offered_once_whole) {
	struct fixture f;
	fixture_init(&f, 4096);
	for (size_t i = 0; i < 12; i++) {
		EXPECT_INT(f.messages, 0);
		EXPECT_INT(write(f.peer, (const uint8_t *)sync_message + i, 1), 1);
		wl_event_loop_dispatch(f.loop, -1);
	}
	EXPECT_INT(f.messages, 1);
	fixture_finish(&f);
}

TEST(a_paused_connection_keeps_messages_and_hang_up_for_later) {
	struct fixture f;
	fixture_init(&f, 4096);
	f.pause_after = 1;
	uint32_t three[9];
	for (int i = 0; i < 3; i++) {
		memcpy(three + i * 3, sync_message, 12);
	}
	EXPECT_INT(write(f.peer, three, sizeof(three)), sizeof(three));
	fd_close(&f.peer);
	while (f.messages == 0) {
		wl_event_loop_dispatch(f.loop, -1);
	}
	for (int i = 0; i < 5; i++) {
		wl_event_loop_dispatch(f.loop, 0);
	}
	EXPECT_INT(f.messages, 1);
	EXPECT(!f.closed);
	f.pause_after = 0;
	wlconn_resume(f.conn);
	test_dispatch_until(f.loop, &f.closed);
	EXPECT_INT(f.messages, 3);
	fixture_finish(&f);
}

TEST(a_handler_may_destroy_the_connection) {
	struct fixture f;
	fixture_init(&f, 4096);
	f.destroy_in_handler = true;
	EXPECT_INT(write(f.peer, sync_message, 12), 12);
	EXPECT_INT(write(f.peer, sync_message, 12), 12);
	while (f.conn != NULL) {
		wl_event_loop_dispatch(f.loop, -1);
	}
	EXPECT_INT(f.messages, 1);
	fixture_finish(&f);
}

TEST(the_queue_holds_its_limit_and_no_more) {
	struct fixture f;
	fixture_init(&f, 24);
	EXPECT(wlconn_queue(f.conn, sync_message, 12, NULL, 0));
	EXPECT(wlconn_queue(f.conn, sync_message, 12, NULL, 0));
	EXPECT(!wlconn_queue(f.conn, sync_message, 12, NULL, 0));
	wlconn_flush(f.conn);
	EXPECT_INT(wlconn_queued(f.conn), 0);
	EXPECT_INT(wlconn_bytes_written(f.conn), 24);
	fixture_finish(&f);
}

/* Reads 12-byte messages, each with one descriptor, and checks that none comes late. */
static size_t read_messages_with_fds(int peer, size_t *bytes, size_t *fds) {
	uint8_t space[4096];
	int received[28];
	size_t n_fds = 28;
	ssize_t got = fd_receive(peer, space, sizeof(space), received, &n_fds);
	for (size_t i = 0; i < n_fds; i++) {
		close(received[i]);
	}
	if (got > 0) {
		*bytes += (size_t)got;
		*fds += n_fds;
		EXPECT(*fds >= *bytes / 12);
	}
	return got > 0 ? (size_t)got : 0;
}

TEST(descriptors_never_arrive_after_their_message) {
	struct fixture f;
	fixture_init(&f, 65536);
	for (int i = 0; i < 100; i++) {
		int fd = dup(f.peer);
		EXPECT(wlconn_queue(f.conn, sync_message, 12, &fd, 1));
	}
	wlconn_flush(f.conn);
	size_t bytes = 0, fds = 0;
	while (read_messages_with_fds(f.peer, &bytes, &fds) > 0) {
	}
	EXPECT_INT(bytes, 1200);
	EXPECT_INT(fds, 100);
	fixture_finish(&f);
}

TEST(a_peer_that_does_not_read_fills_the_queue_and_no_more) {
	struct fixture f;
	fixture_init(&f, 100000);
	static uint8_t bytes[4000];
	unsigned queued = 0;
	while (wlconn_queue(f.conn, bytes, sizeof(bytes), NULL, 0)) {
		wlconn_flush(f.conn);
		queued++;
	}
	EXPECT(queued > 25);
	EXPECT(wlconn_queued(f.conn) > 95000);
	fixture_finish(&f);
}

TEST(what_is_queued_lazily_goes_with_what_is_not) {
	struct fixture f;
	fixture_init(&f, 4096);
	uint8_t got[64];
	wlconn_lazy(f.conn, true);
	EXPECT(wlconn_queue(f.conn, sync_message, 12, NULL, 0));
	wlconn_lazy(f.conn, false);
	wl_event_loop_dispatch(f.loop, 0);
	EXPECT_INT(recv(f.peer, got, sizeof(got), MSG_DONTWAIT), -1);
	EXPECT(wlconn_queue(f.conn, sync_message, 12, NULL, 0));
	wl_event_loop_dispatch(f.loop, 0);
	EXPECT_INT(recv(f.peer, got, sizeof(got), MSG_DONTWAIT), 24);
	fixture_finish(&f);
}

TEST(what_is_queued_lazily_goes_alone_in_the_end) {
	struct fixture f;
	fixture_init(&f, 4096);
	uint8_t got[64];
	wlconn_lazy(f.conn, true);
	EXPECT(wlconn_queue(f.conn, sync_message, 12, NULL, 0));
	wlconn_lazy(f.conn, false);
	while (wlconn_queued(f.conn) > 0) {
		wl_event_loop_dispatch(f.loop, -1);
	}
	EXPECT_INT(recv(f.peer, got, sizeof(got), MSG_DONTWAIT), 12);
	fixture_finish(&f);
}

TEST(a_broken_header_is_reported) {
	struct fixture f;
	fixture_init(&f, 4096);
	uint32_t bad[2] = {1, 7 << 16};
	EXPECT_INT(write(f.peer, bad, sizeof(bad)), sizeof(bad));
	wl_event_loop_dispatch(f.loop, -1);
	EXPECT_INT(f.error, WIRE_BAD_SIZE);
	fixture_finish(&f);
}
