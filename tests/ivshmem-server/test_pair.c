/* SPDX-License-Identifier: Apache-2.0 */
#include "ivshmem-server/pair.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "tests/harness/test.h"

#define MEMORY (4u << 20)

/* The server with its loop, and two QEMUs that are this test. */
struct world {
	struct wl_event_loop *loop;
	struct pair *pair;
	char paths[PAIR_SIDES][128];
	int qemus[PAIR_SIDES];
	int64_t ids[PAIR_SIDES]; // of the connections, from 0 on
	int64_t next_id;
};

static void world_open_for(struct world *world, uid_t uid) {
	char error[256] = "";
	*world = (struct world){.loop = wl_event_loop_create(), .qemus = {-1, -1}};
	struct pair_socket sockets[PAIR_SIDES];
	for (unsigned i = 0; i < PAIR_SIDES; i++) {
		snprintf(world->paths[i], sizeof(world->paths[i]), "%s/%u", test_dir(), i);
		sockets[i] = (struct pair_socket){.path = world->paths[i], .uid = uid};
	}
	world->pair = pair_create(world->loop, MEMORY, sockets, error, sizeof(error));
	if (world->pair == NULL) {
		test_fail(__FILE__, __LINE__, "%s", error);
	}
}

static void world_open(struct world *world) {
	world_open_for(world, geteuid());
}

static void world_close(struct world *world) {
	for (unsigned i = 0; i < PAIR_SIDES; i++) {
		fd_close(&world->qemus[i]);
		EXPECT_INT(access(world->paths[i], F_OK), 0);
	}
	pair_destroy(world->pair);
	for (unsigned i = 0; i < PAIR_SIDES; i++) {
		EXPECT(access(world->paths[i], F_OK) < 0);
	}
	wl_event_loop_destroy(world->loop);
}

static int dial(const struct world *world, enum pair_side side) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", world->paths[side]);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	EXPECT(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

static bool has_events(int fd) {
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	return poll(&poll_fd, 1, 0) > 0;
}

static void dispatch_until_readable(struct world *world, int fd) {
	while (!has_events(fd)) {
		wl_event_loop_dispatch(world->loop, -1);
	}
}

/* The server has nothing left to do. */
static void settle(struct world *world) {
	while (has_events(wl_event_loop_get_fd(world->loop))) {
		wl_event_loop_dispatch(world->loop, 0);
	}
}

/* The next message's number; *fd is -1 where it has none. fd NULL: it has none, or is closed. */
static int64_t next(struct world *world, int qemu, int *fd) {
	int64_t number;
	int fds[1] = {-1};
	size_t n_fds = 1;
	dispatch_until_readable(world, qemu);
	EXPECT_INT(fd_receive(qemu, &number, sizeof(number), fds, &n_fds), sizeof(number));
	if (n_fds == 0) {
		fds[0] = -1;
	}
	if (fd != NULL) {
		*fd = fds[0];
	} else {
		fd_close(&fds[0]);
	}
	return (int64_t)le64toh((uint64_t)number);
}

static void expect_end(struct world *world, int qemu) {
	char byte;
	dispatch_until_readable(world, qemu);
	EXPECT(recv(qemu, &byte, 1, 0) <= 0);
}

/* Takes the greetings; the memory is the caller's unless NULL. */
static void greet(struct world *world, enum pair_side side, int *memory_fd) {
	int fd;
	world->qemus[side] = dial(world, side);
	EXPECT_INT(next(world, world->qemus[side], &fd), 0);
	EXPECT_INT(fd, -1);
	world->ids[side] = world->next_id++;
	EXPECT_INT(next(world, world->qemus[side], &fd), world->ids[side]);
	EXPECT_INT(fd, -1);
	EXPECT_INT(next(world, world->qemus[side], &fd), -1);
	EXPECT(fd >= 0);
	if (memory_fd != NULL) {
		*memory_fd = fd;
	} else {
		close(fd);
	}
}

static void take_vectors(struct world *world, enum pair_side qemu, enum pair_side of,
		int vectors[PAIR_VECTORS]) {
	for (unsigned i = 0; i < PAIR_VECTORS; i++) {
		EXPECT_INT(next(world, world->qemus[qemu], &vectors[i]), world->ids[of]);
		EXPECT(vectors[i] >= 0);
	}
}

static void close_vectors(int vectors[PAIR_VECTORS]) {
	for (unsigned i = 0; i < PAIR_VECTORS; i++) {
		fd_close(&vectors[i]);
	}
}

static void join(struct world *world, enum pair_side side) {
	int vectors[PAIR_VECTORS];
	greet(world, side, NULL);
	take_vectors(world, side, side, vectors);
	close_vectors(vectors);
}

/* ours[i] are the vectors that i owns, theirs[i] those that i rings. */
static void join_both(struct world *world, int ours[PAIR_SIDES][PAIR_VECTORS],
		int theirs[PAIR_SIDES][PAIR_VECTORS]) {
	greet(world, PAIR_GUIVM, NULL);
	take_vectors(world, PAIR_GUIVM, PAIR_GUIVM, ours[PAIR_GUIVM]);
	greet(world, PAIR_APPVM, NULL);
	take_vectors(world, PAIR_APPVM, PAIR_GUIVM, theirs[PAIR_APPVM]);
	take_vectors(world, PAIR_APPVM, PAIR_APPVM, ours[PAIR_APPVM]);
	take_vectors(world, PAIR_GUIVM, PAIR_APPVM, theirs[PAIR_GUIVM]);
}

static void close_both(int vectors[PAIR_SIDES][PAIR_VECTORS]) {
	for (unsigned i = 0; i < PAIR_SIDES; i++) {
		close_vectors(vectors[i]);
	}
}

TEST(both_get_the_same_memory_of_the_size_asked_for) {
	struct world world;
	int memory_fds[PAIR_SIDES];
	char *bytes[PAIR_SIDES];
	world_open(&world);
	for (unsigned i = 0; i < PAIR_SIDES; i++) {
		struct stat info;
		greet(&world, i, &memory_fds[i]);
		EXPECT(fstat(memory_fds[i], &info) == 0);
		EXPECT_INT(info.st_size, MEMORY);
		bytes[i] = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fds[i], 0);
		EXPECT(bytes[i] != MAP_FAILED);
		close(memory_fds[i]);
	}
	EXPECT_INT(bytes[PAIR_APPVM][MEMORY - 1], 0);
	bytes[PAIR_GUIVM][MEMORY - 1] = 'x';
	EXPECT_INT(bytes[PAIR_APPVM][MEMORY - 1], 'x');
	munmap(bytes[PAIR_GUIVM], MEMORY);
	munmap(bytes[PAIR_APPVM], MEMORY);
	world_close(&world);
}

TEST(nobody_can_change_the_size_of_the_memory) {
	struct world world;
	int fd;
	world_open(&world);
	greet(&world, PAIR_APPVM, &fd);
	EXPECT(ftruncate(fd, MEMORY / 2) < 0);
	EXPECT_INT(errno, EPERM);
	EXPECT(ftruncate(fd, 2 * MEMORY) < 0);
	EXPECT_INT(errno, EPERM);
	EXPECT(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0);
	EXPECT_INT(errno, EPERM);
	close(fd);
	world_close(&world);
}

TEST(each_rings_the_other) {
	struct world world;
	int ours[PAIR_SIDES][PAIR_VECTORS], theirs[PAIR_SIDES][PAIR_VECTORS];
	world_open(&world);
	join_both(&world, ours, theirs);
	for (unsigned i = 0; i < PAIR_SIDES; i++) {
		for (unsigned vector = 0; vector < PAIR_VECTORS; vector++) {
			eventfd_t count;
			EXPECT_INT(eventfd_write(theirs[i][vector], 1), 0);
			EXPECT_INT(eventfd_read(ours[1 - i][vector], &count), 0);
		}
	}
	close_both(ours);
	close_both(theirs);
	world_close(&world);
}

TEST(who_is_left_is_told_and_interrupted) {
	struct world world;
	int ours[PAIR_SIDES][PAIR_VECTORS], theirs[PAIR_SIDES][PAIR_VECTORS], fd;
	world_open(&world);
	join_both(&world, ours, theirs);
	fd_close(&world.qemus[PAIR_APPVM]);
	EXPECT_INT(next(&world, world.qemus[PAIR_GUIVM], &fd), world.ids[PAIR_APPVM]);
	EXPECT_INT(fd, -1);
	EXPECT(has_events(ours[PAIR_GUIVM][PAIR_VECTOR_LEFT]));
	EXPECT(!has_events(ours[PAIR_GUIVM][PAIR_VECTOR_RING]));
	close_both(ours);
	close_both(theirs);
	world_close(&world);
}

TEST(one_that_comes_back_has_another_id_and_other_interrupts) {
	struct world world;
	int ours[PAIR_SIDES][PAIR_VECTORS], theirs[PAIR_SIDES][PAIR_VECTORS];
	int again[PAIR_VECTORS];
	world_open(&world);
	join_both(&world, ours, theirs);
	fd_close(&world.qemus[PAIR_GUIVM]);
	EXPECT_INT(next(&world, world.qemus[PAIR_APPVM], NULL), world.ids[PAIR_GUIVM]);
	greet(&world, PAIR_GUIVM, NULL);
	take_vectors(&world, PAIR_APPVM, PAIR_GUIVM, again);
	EXPECT_INT(eventfd_write(again[PAIR_VECTOR_RING], 1), 0);
	EXPECT(!has_events(ours[PAIR_GUIVM][PAIR_VECTOR_RING]));
	close_vectors(again);
	close_both(ours);
	close_both(theirs);
	world_close(&world);
}

TEST(a_qemu_killed_a_moment_ago_does_not_keep_the_next_out) {
	struct world world;
	world_open(&world);
	join(&world, PAIR_APPVM);
	// Both are there when the server looks, in whatever order it does. Nobody knows its id.
	fd_close(&world.qemus[PAIR_APPVM]);
	world.next_id = 0;
	join(&world, PAIR_APPVM);
	world_close(&world);
}

TEST(a_second_connection_to_one_socket_is_refused) {
	struct world world;
	int ours[PAIR_SIDES][PAIR_VECTORS], theirs[PAIR_SIDES][PAIR_VECTORS];
	world_open(&world);
	join_both(&world, ours, theirs);
	int second = dial(&world, PAIR_GUIVM);
	expect_end(&world, second);
	close(second);
	settle(&world);
	EXPECT(!has_events(world.qemus[PAIR_GUIVM]) && !has_events(world.qemus[PAIR_APPVM]));
	close_both(ours);
	close_both(theirs);
	world_close(&world);
}

TEST(another_users_qemu_is_refused) {
	struct world world;
	world_open_for(&world, geteuid() + 1);
	int fd = dial(&world, PAIR_GUIVM);
	expect_end(&world, fd);
	close(fd);
	world_close(&world);
}

TEST(a_socket_of_the_servers_own_user_is_closed_to_others) {
	struct world world;
	struct stat info;
	world_open(&world);
	EXPECT(stat(world.paths[PAIR_APPVM], &info) == 0);
	EXPECT_INT(info.st_mode & 0777, 0600);
	world_close(&world);
}

TEST(one_that_sends_anything_is_dropped_and_the_other_told) {
	struct world world;
	int ours[PAIR_SIDES][PAIR_VECTORS], theirs[PAIR_SIDES][PAIR_VECTORS];
	world_open(&world);
	join_both(&world, ours, theirs);
	EXPECT_INT(send(world.qemus[PAIR_APPVM], "x", 1, 0), 1);
	expect_end(&world, world.qemus[PAIR_APPVM]);
	EXPECT_INT(next(&world, world.qemus[PAIR_GUIVM], NULL), world.ids[PAIR_APPVM]);
	close_both(ours);
	close_both(theirs);
	world_close(&world);
}

/* It comes and goes more often than what the other one's socket holds. */
TEST(one_that_does_not_read_is_brought_up_to_date_when_it_does) {
	struct world world;
	int vectors[PAIR_VECTORS], fd = -1;
	int64_t last_id = 0;
	world_open(&world);
	join(&world, PAIR_GUIVM);
	for (unsigned i = 0; i <= 2000; i++) {
		fd_close(&world.qemus[PAIR_APPVM]);
		greet(&world, PAIR_APPVM, NULL);
		take_vectors(&world, PAIR_APPVM, PAIR_GUIVM, vectors);
		close_vectors(vectors);
		take_vectors(&world, PAIR_APPVM, PAIR_APPVM, vectors);
		close_vectors(vectors);
	}
	unsigned n_vectors = 0, n_messages = 0, n_left = 0;
	for (settle(&world); has_events(world.qemus[PAIR_GUIVM]); settle(&world)) {
		int64_t id = next(&world, world.qemus[PAIR_GUIVM], &fd);
		// What leaves is what came last, and what comes was never there.
		EXPECT(fd < 0 || n_vectors > 0 ? id == last_id : id > last_id);
		last_id = id;
		if (fd < 0) {
			EXPECT(n_vectors > 0 && n_vectors <= PAIR_VECTORS);
			n_left++;
			n_vectors = 0;
		} else {
			n_vectors++;
		}
		fd_close(&fd);
		n_messages++;
	}
	EXPECT_INT(n_vectors, PAIR_VECTORS);
	EXPECT(n_left > 0 && n_left < 2000);
	EXPECT(n_messages < 3 * 2000);
	// And the interrupts are those of the one that is there.
	fd_close(&world.qemus[PAIR_GUIVM]);
	EXPECT_INT(next(&world, world.qemus[PAIR_APPVM], NULL), world.ids[PAIR_GUIVM]);
	greet(&world, PAIR_GUIVM, NULL);
	take_vectors(&world, PAIR_GUIVM, PAIR_APPVM, vectors);
	close_vectors(vectors);
	world_close(&world);
}

TEST(ids_run_out_only_while_somebody_knows_them) {
	struct world world;
	world_open(&world);
	join(&world, PAIR_GUIVM);
	for (; world.next_id < PAIR_IDS; world.next_id++) {
		close(dial(&world, PAIR_APPVM));
		settle(&world);
	}
	int fd = dial(&world, PAIR_APPVM);
	expect_end(&world, fd);
	close(fd);
	fd_close(&world.qemus[PAIR_GUIVM]);
	settle(&world);
	world.next_id = 0;
	join(&world, PAIR_GUIVM);
	world_close(&world);
}

TEST(memory_of_another_size_is_refused) {
	static const uint64_t sizes[] = {0, 1, 1u << 20, 3u << 20, 2ull << 30, UINT64_MAX};
	struct wl_event_loop *loop = wl_event_loop_create();
	struct pair_socket sockets[PAIR_SIDES] = {{.path = "/nonexistent/0"}, {.path = "/n/1"}};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char error[256] = "";
		EXPECT(pair_create(loop, sizes[i], sockets, error, sizeof(error)) == NULL);
		EXPECT(strstr(error, "power of two from 2M to 1G") != NULL);
	}
	wl_event_loop_destroy(loop);
}

TEST(a_socket_that_cannot_be_made_is_named) {
	char error[256] = "";
	struct wl_event_loop *loop = wl_event_loop_create();
	struct pair_socket sockets[PAIR_SIDES] = {{.path = "/nonexistent/0"}, {.path = "/n/1"}};
	EXPECT(pair_create(loop, MEMORY, sockets, error, sizeof(error)) == NULL);
	EXPECT(strstr(error, "/nonexistent/0") != NULL);
	wl_event_loop_destroy(loop);
}
