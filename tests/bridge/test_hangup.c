/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "bridge/hangup.h"
#include "tests/harness/test.h"

#define NEVER_MS 3600000
#define MANY 100
#define MAX_BYTES (8 << 20)

struct fixture {
	struct wl_event_loop *loop;
	int peer;
	struct hangup *hangup;
	unsigned ended;
};

static void handle_ended(void *data) {
	struct fixture *f = data;
	f->ended++;
	hangup_destroy(f->hangup);
	f->hangup = NULL;
}

/* Its loop is set. */
static void fixture_start(struct fixture *f, int timeout_ms) {
	int pair[2];
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	f->peer = pair[1];
	const struct hangup_limits limits = {timeout_ms, MAX_BYTES};
	f->hangup = hangup_create(f->loop, pair[0], &limits, handle_ended, f);
	EXPECT(f->hangup != NULL);
}

static void fixture_init(struct fixture *f, int timeout_ms) {
	*f = (struct fixture){.loop = wl_event_loop_create()};
	fixture_start(f, timeout_ms);
}

static void fixture_finish(struct fixture *f) {
	hangup_destroy(f->hangup);
	fd_close(&f->peer);
	wl_event_loop_destroy(f->loop);
}

static void wait_for_end(struct fixture *f) {
	while (f->ended == 0) {
		wl_event_loop_dispatch(f->loop, -1);
	}
	EXPECT_INT(f->ended, 1);
}

TEST(the_other_side_reads_the_end_and_is_waited_for)
{
	struct fixture f;
	char byte;
	fixture_init(&f, NEVER_MS);
	EXPECT_INT(read(f.peer, &byte, 1), 0);
	wl_event_loop_dispatch(f.loop, 0);
	EXPECT_INT(f.ended, 0);
	fd_close(&f.peer);
	wait_for_end(&f);
	fixture_finish(&f);
}

TEST(what_was_said_before_is_read_before_the_end)
{
	struct fixture f = {.loop = wl_event_loop_create()};
	int pair[2];
	char bytes[8];
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	EXPECT_INT(write(pair[0], "last", 4), 4);
	f.peer = pair[1];
	const struct hangup_limits limits = {NEVER_MS, MAX_BYTES};
	f.hangup = hangup_create(f.loop, pair[0], &limits, handle_ended, &f);
	EXPECT_INT(read(f.peer, bytes, sizeof(bytes)), 4);
	EXPECT_INT(read(f.peer, bytes, sizeof(bytes)), 0);
	fixture_finish(&f);
}

TEST(what_still_comes_is_thrown_away_with_its_descriptors)
{
	static const char bytes[1000];
	struct fixture f;
	fixture_init(&f, NEVER_MS);
	int pipe_fds[2];
	EXPECT(pipe(pipe_fds) == 0);
	EXPECT(fd_send(f.peer, bytes, sizeof(bytes), &pipe_fds[1], 1) == sizeof(bytes));
	fd_close(&pipe_fds[1]);
	// More than a socket holds: it is read from.
	for (size_t sent = 0; sent < 4 << 20;) {
		ssize_t now = write(f.peer, bytes, sizeof(bytes));
		if (now < 0) {
			EXPECT_INT(errno, EAGAIN);
			wl_event_loop_dispatch(f.loop, 0);
			continue;
		}
		sent += (size_t)now;
	}
	EXPECT_INT(f.ended, 0);
	char byte;
	EXPECT_INT(read(pipe_fds[0], &byte, 1), 0); // nobody has the other end
	fd_close(&pipe_fds[0]);
	fd_close(&f.peer);
	wait_for_end(&f);
	fixture_finish(&f);
}

TEST(who_never_stops_to_talk_is_not_listened_to_for_ever)
{
	static const char bytes[65536];
	struct fixture f;
	fixture_init(&f, NEVER_MS);
	uint64_t sent = 0;
	while (f.ended == 0) {
		ssize_t now = send(f.peer, bytes, sizeof(bytes), MSG_NOSIGNAL);
		sent += now > 0 ? (uint64_t)now : 0;
		wl_event_loop_dispatch(f.loop, 0);
	}
	EXPECT(sent > MAX_BYTES && sent < 2 * MAX_BYTES);
	fixture_finish(&f);
}

TEST(who_never_closes_is_not_waited_for_for_ever)
{
	struct fixture f;
	fixture_init(&f, 1);
	wait_for_end(&f);
	EXPECT_INT(send(f.peer, "x", 1, MSG_NOSIGNAL), -1); // closed here
	EXPECT_INT(errno, EPIPE);
	fixture_finish(&f);
}

TEST(nobody_is_called_after_it_was_destroyed)
{
	struct fixture f;
	fixture_init(&f, 1);
	fd_close(&f.peer);
	hangup_destroy(f.hangup);
	f.hangup = NULL;
	wl_event_loop_dispatch(f.loop, 0);
	EXPECT_INT(f.ended, 0);
	fixture_finish(&f);
}

TEST(many_end_at_once)
{
	static struct fixture all[MANY];
	struct wl_event_loop *loop = wl_event_loop_create();
	for (size_t i = 0; i < MANY; i++) {
		all[i] = (struct fixture){.loop = loop};
		fixture_start(&all[i], NEVER_MS);
	}
	for (size_t i = 0; i < MANY; i++) {
		fd_close(&all[i].peer);
	}
	for (size_t i = 0; i < MANY; i++) {
		wait_for_end(&all[i]);
	}
	wl_event_loop_destroy(loop);
}
