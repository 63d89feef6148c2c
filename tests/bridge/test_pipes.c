/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "bridge/pipes.h"
#include "bridge/turn.h"
#include "common/fd.h"
#include "tests/bridge/pair.h"
#include "tests/harness/test.h"

/*
 * The application side exports (it got a write end from its application), the GUI side imports and
 * gives the compositor the write end of a pipe of its own.
 */
struct fixture {
	struct link_pair pair;
	struct pipe_set *exporter, *importer;
	int reader; // the application's read end
	int writer; // what the compositor writes to
	int shared; // the exported end, as the application has it; -1: it was closed
	uint32_t id;
};

static void to_set(struct link_pair_end *end, const struct link_frame *frame) {
	struct pipe_set *set = end->data;
	pipe_set_handle_frame(set, frame);
}

static void to_set_writable(struct link_pair_end *end) {
	pipe_set_handle_writable(end->data);
}

static void fixture_start(struct fixture *f, bool keep_shared) {
	signal(SIGPIPE, SIG_IGN);
	link_pair_init(&f->pair);
	f->exporter = pipe_set_create(f->pair.loop, f->pair.appvm.link, LINK_END_APPVM);
	f->importer = pipe_set_create(f->pair.loop, f->pair.guivm.link, LINK_END_GUIVM);
	f->pair.appvm.data = f->exporter;
	f->pair.guivm.data = f->importer;
	f->pair.appvm.frame = f->pair.guivm.frame = to_set;
	f->pair.appvm.writable = f->pair.guivm.writable = to_set_writable;
	int ends[2];
	EXPECT(pipe2(ends, O_CLOEXEC) == 0);
	f->shared = keep_shared ? fcntl(ends[1], F_DUPFD_CLOEXEC, 0) : -1;
	f->reader = ends[0];
	fd_set_nonblocking(f->reader, true);
	EXPECT(pipe_set_export(f->exporter, 1, ends[1], &f->id));
	f->writer = pipe_set_import(f->importer, f->id);
	EXPECT(f->writer >= 0);
	fd_set_nonblocking(f->writer, true);
}

static void fixture_init(struct fixture *f) {
	fixture_start(f, false);
}

static void fixture_init_shared(struct fixture *f) {
	fixture_start(f, true);
}

static void fixture_finish(struct fixture *f) {
	fd_close(&f->reader);
	fd_close(&f->writer);
	pipe_set_destroy(f->exporter);
	pipe_set_destroy(f->importer);
	link_pair_finish(&f->pair);
}

static void turn(struct fixture *f) {
	turn_run(turn_of_loop(f->pair.loop));
	wl_event_loop_dispatch(f->pair.loop, 0);
}

TEST(three_megabytes_arrive_and_then_the_end) {
	struct fixture f;
	fixture_init(&f);
	const size_t total = 3 << 20;
	size_t sent = 0, received = 0;
	bool end = false;
	while (!end) {
		uint8_t bytes[8192];
		for (size_t i = 0; i < sizeof(bytes); i++) {
			bytes[i] = (uint8_t)((sent + i) * 7);
		}
		if (sent < total) {
			ssize_t n = write(f.writer, bytes, sizeof(bytes));
			sent += n > 0 ? (size_t)n : 0;
		} else {
			fd_close(&f.writer);
		}
		turn(&f);
		ssize_t n = read(f.reader, bytes, sizeof(bytes));
		for (ssize_t i = 0; i < n; i++) {
			EXPECT_INT(bytes[i], (uint8_t)((received + (size_t)i) * 7));
		}
		received += n > 0 ? (size_t)n : 0;
		end = n == 0;
	}
	EXPECT_INT(received, sent);
	while (pipe_set_count(f.exporter) + pipe_set_count(f.importer) > 0) {
		turn(&f);
	}
	fixture_finish(&f);
}

TEST(a_reader_that_does_not_read_stalls_the_writer) {
	struct fixture f;
	fixture_init(&f);
	static uint8_t bytes[65536];
	size_t sent = 0;
	// Pipe buffers and the window are all that is held back, then nothing moves any more.
	for (int quiet = 0; quiet < 50;) {
		ssize_t n = write(f.writer, bytes, sizeof(bytes));
		sent += n > 0 ? (size_t)n : 0;
		quiet = n > 0 ? 0 : quiet + 1;
		turn(&f);
	}
	EXPECT(sent <= LIMIT_PIPE_WINDOW_BYTES + 4 * 65536);
	fixture_finish(&f);
}

TEST(the_writer_hears_that_nobody_reads) {
	struct fixture f;
	fixture_init(&f);
	fd_close(&f.reader);
	while (write(f.writer, "x", 1) == 1) {
		turn(&f);
	}
	EXPECT_INT(errno, EPIPE);
	while (pipe_set_count(f.exporter) + pipe_set_count(f.importer) > 0) {
		turn(&f);
	}
	fixture_finish(&f);
}

TEST(data_beyond_the_window_ends_the_link) {
	struct fixture f;
	fixture_init(&f);
	static uint8_t bytes[32768];
	struct link_bytes head = {.count = sizeof(bytes)};
	// More than the window plus what the pipe itself took.
	for (int i = 0; i < 14; i++) {
		link_send2(f.pair.guivm.link, LINK_PIPE_DATA, 0, f.id, &head, sizeof(head), bytes,
				sizeof(bytes));
	}
	while (!f.pair.appvm.closed || !f.pair.guivm.closed) {
		turn(&f);
	}
	fixture_finish(&f);
}

TEST(data_for_an_unknown_pipe_ends_the_link) {
	struct fixture f;
	fixture_init(&f);
	struct link_bytes head = {.count = 4};
	link_send(f.pair.guivm.link, LINK_PIPE_CREDIT, 0, 99, &head, sizeof(head));
	while (!f.pair.appvm.closed || !f.pair.guivm.closed) {
		turn(&f);
	}
	fixture_finish(&f);
}

/* Whoever passed the descriptor has the same open file, and may change how it is written to. */
TEST(a_reader_that_makes_the_pipe_block_stalls_nobody_else) {
	struct fixture f;
	fixture_init_shared(&f);
	static const uint8_t bytes[4096];
	size_t sent = 0;
	for (int quiet = 0; quiet < 50;) {
		ssize_t n = write(f.writer, bytes, sizeof(bytes));
		sent += n > 0 ? (size_t)n : 0;
		quiet = n > 0 ? 0 : quiet + 1;
		EXPECT(fd_set_nonblocking(f.shared, false));
		turn(&f);
	}
	EXPECT(sent > 65536);
	fd_close(&f.shared);
	fixture_finish(&f);
}

TEST(an_id_of_the_wrong_side_is_refused) {
	struct fixture f;
	fixture_init(&f);
	EXPECT_INT(pipe_set_import(f.importer, 0x80000001u), -1);
	EXPECT_INT(errno, EPROTO);
	EXPECT_INT(pipe_set_import(f.importer, f.id), -1);
	EXPECT_INT(errno, EPROTO);
	fixture_finish(&f);
}

TEST(one_application_does_not_take_all_pipes) {
	struct fixture f;
	fixture_init(&f);
	uint32_t id, n = 1; // with the one of the fixture
	for (;; n++) {
		int fd = fcntl(f.writer, F_DUPFD_CLOEXEC, 0);
		if (!pipe_set_export(f.exporter, 1, fd, &id)) {
			EXPECT_INT(errno, ENFILE);
			close(fd);
			break;
		}
	}
	EXPECT_INT(n, LIMIT_PIPES_PER_LINK / 4 * 3);
	EXPECT(pipe_set_export(f.exporter, 2, fcntl(f.writer, F_DUPFD_CLOEXEC, 0), &id));
	fixture_finish(&f);
}

TEST(a_read_end_cannot_be_exported) {
	struct fixture f;
	fixture_init(&f);
	uint32_t id;
	EXPECT(!pipe_set_export(f.exporter, 1, f.reader, &id));
	EXPECT_INT(errno, EBADF);
	fixture_finish(&f);
}
