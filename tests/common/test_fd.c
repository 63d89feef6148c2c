/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "tests/harness/test.h"

TEST(descriptors_cross_with_their_bytes) {
	int pair[2];
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	EXPECT_INT(fd_send(pair[0], "x", 1, (int[]){pair[0], pair[1]}, 2), 1);
	char byte;
	int fds[4];
	size_t n_fds = 4;
	EXPECT_INT(fd_receive(pair[1], &byte, 1, fds, &n_fds), 1);
	EXPECT_INT(n_fds, 2);
	EXPECT(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	close(fds[0]);
	close(fds[1]);
	close(pair[0]);
	close(pair[1]);
}

TEST(surplus_descriptors_are_closed) {
	int pair[2];
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	EXPECT_INT(fd_send(pair[0], "x", 1, (int[]){pair[0], pair[0], pair[0]}, 3), 1);
	int before = fd_count_open();
	char byte;
	int fds[1];
	size_t n_fds = 1;
	EXPECT_INT(fd_receive(pair[1], &byte, 1, fds, &n_fds), 1);
	EXPECT_INT(n_fds, 1);
	EXPECT_INT(fd_count_open(), before + 1);
	close(fds[0]);
	close(pair[0]);
	close(pair[1]);
}

TEST(an_empty_socket_would_block_rather_than_wait) {
	int pair[2];
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	char byte;
	size_t n_fds = 0;
	EXPECT_INT(fd_receive(pair[1], &byte, 1, NULL, &n_fds), -1);
	EXPECT_INT(errno, EAGAIN);
	close(pair[0]);
	close(pair[1]);
}

TEST(a_sealed_file_cannot_change) {
	int fd = fd_sealed_file("test", "hello", 5);
	EXPECT(fd >= 0);
	EXPECT_INT(write(fd, "x", 1), -1);
	EXPECT_INT(ftruncate(fd, 0), -1);
	char text[8] = "";
	EXPECT_INT(read(fd, text, sizeof(text)), 5);
	EXPECT_STR(text, "hello");
	close(fd);
}
