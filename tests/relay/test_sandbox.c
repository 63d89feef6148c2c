/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"
#include "guivm-server/relay/sandbox.h"
#include "tests/harness/test.h"

/* What a relay that was taken over can still do. Each try has a process of its own. */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOXED false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
		__has_feature(memory_sanitizer)
#define SANDBOXED false
#endif
#endif
#ifndef SANDBOXED
#define SANDBOXED true
#endif

enum outcome {
	WORKED = 0,
	REFUSED = 1, // with EPERM
	FAILED = 2, // for another reason
	KILLED = 3,
};

static enum outcome outcome_of(long result) {
	return result >= 0 ? WORKED : errno == EPERM ? REFUSED : FAILED;
}

static unsigned long allowed_ioctl;

static enum outcome attempt(long (*try)(void), bool connects) {
	pid_t pid = fork();
	if (pid == 0) {
		struct sandbox_options options = {
				.connects = connects,
				.max_fds = 64,
				.ioctl_request = allowed_ioctl,
		};
		if (!sandbox_enter(&options)) {
			_exit(100);
		}
		_exit(outcome_of(try()));
	}
	int status;
	EXPECT(waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status)) {
		EXPECT_INT(WTERMSIG(status), SIGSYS);
		return KILLED;
	}
	EXPECT(WEXITSTATUS(status) != 100);
	return (enum outcome)WEXITSTATUS(status);
}

static void expect(long (*try)(void), enum outcome wanted) {
	if (!SANDBOXED) {
		test_skip("a sanitizer's runtime needs what the sandbox takes away");
	}
	EXPECT_INT(attempt(try, false), wanted);
}

static long try_open(void) {
	return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static long try_create(void) {
	return syscall(SYS_openat, AT_FDCWD, "/tmp/isthmus-sandbox", O_CREAT | O_WRONLY, 0600);
}

static long try_stat_path(void) {
	struct stat info;
	return syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &info, 0);
}

static long try_stat_any_path(void) {
	struct stat info;
	return syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &info, AT_EMPTY_PATH);
}

TEST(no_file_can_be_opened) {
	expect(try_open, REFUSED);
}

TEST(no_file_can_be_made) {
	expect(try_create, REFUSED);
}

TEST(no_path_can_be_looked_at) {
	expect(try_stat_path, REFUSED);
	expect(try_stat_any_path, REFUSED);
}

static long try_open_by_handle(void) {
	return syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, O_RDONLY);
}

static long try_openat2(void) {
	return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", NULL, 0);
}

static long try_io_uring(void) {
	return syscall(SYS_io_uring_setup, 1, NULL);
}

TEST(there_is_no_way_around_to_files) {
	expect(try_open_by_handle, KILLED);
	expect(try_openat2, KILLED);
	expect(try_io_uring, KILLED);
}

static long try_exec(void) {
	char *argv[] = {(char[]){"/bin/true"}, NULL};
	return execve(argv[0], argv, argv + 1);
}

static long try_fork(void) {
	return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
}

static long try_ptrace(void) {
	return syscall(SYS_ptrace, PTRACE_ATTACH, getppid(), NULL, NULL);
}

static long try_kill(void) {
	return syscall(SYS_kill, getppid(), 0);
}

static long try_process_memory(void) {
	return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

TEST(no_other_process_can_be_made_or_touched) {
	expect(try_exec, KILLED);
	expect(try_fork, KILLED);
	expect(try_ptrace, KILLED);
	expect(try_kill, KILLED);
	expect(try_process_memory, KILLED);
}

static long try_socket_inet(void) {
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long try_socket_unix(void) {
	return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static long try_connect(void) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	return syscall(SYS_connect, 0, &address, sizeof(address));
}

static long try_netlink_pair(void) {
	int pair[2];
	return syscall(SYS_socketpair, AF_NETLINK, SOCK_RAW, 0, pair);
}

TEST(no_connection_can_be_made) {
	expect(try_socket_inet, KILLED);
	expect(try_socket_unix, KILLED);
	expect(try_connect, KILLED);
	expect(try_netlink_pair, KILLED);
}

TEST(a_drop_in_makes_unix_sockets_alone) {
	if (!SANDBOXED) {
		test_skip("a sanitizer's runtime needs what the sandbox takes away");
	}
	EXPECT_INT(attempt(try_socket_unix, true), WORKED);
	EXPECT_INT(attempt(try_socket_inet, true), KILLED);
	EXPECT_INT(attempt(try_open, true), REFUSED);
}

static long try_map_code(void) {
	return (long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			-1 ? -1 : 0;
}

static long try_protect_code(void) {
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return mprotect(memory, 4096, PROT_READ | PROT_EXEC);
}

TEST(no_memory_becomes_code) {
	expect(try_map_code, KILLED);
	expect(try_protect_code, KILLED);
}

static long try_allowed_ioctl(void) {
	int count, ends[2];
	return pipe2(ends, O_CLOEXEC) == 0 ? ioctl(ends[0], FIONREAD, &count) : -1;
}

static long try_ioctl(void) {
	return ioctl(0, TIOCSTI, "x");
}

static long try_own_pipe(void) {
	return fcntl(0, F_SETOWN, getppid());
}

static long try_unshare(void) {
	return syscall(SYS_unshare, CLONE_NEWUSER);
}

static long try_raise_limit(void) {
	return syscall(SYS_prlimit64, 0, 7, NULL, NULL);
}

TEST(descriptors_and_privileges_are_no_way_out) {
	expect(try_ioctl, REFUSED);
	expect(try_own_pipe, KILLED);
	expect(try_unshare, KILLED);
	expect(try_raise_limit, KILLED);
}

TEST(of_ioctl_only_the_request_that_a_transport_needs_works) {
	expect(try_allowed_ioctl, REFUSED);
	allowed_ioctl = FIONREAD;
	expect(try_allowed_ioctl, WORKED);
	expect(try_ioctl, REFUSED);
}

static long try_what_a_relay_does(void) {
	struct stat info;
	int fd = fd_memory("test", 8192);
	int pair[2], ends[2];
	if (fd < 0 || fd_stat(fd, &info) < 0 || info.st_size != 8192 || !S_ISREG(info.st_mode) ||
			fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0 ||
			mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ||
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
			!fd_set_nonblocking(pair[0], true) || pipe2(ends, O_CLOEXEC) < 0 ||
			fd_send(pair[0], "x", 1, &fd, 1) != 1 ||
			fcntl(fd, F_DUPFD_CLOEXEC, 0) < 0) {
		return -1;
	}
	char byte;
	int received;
	size_t n_fds = 1;
	return fd_receive(pair[1], &byte, 1, &received, &n_fds) == 1 && n_fds == 1 ? 0 : -1;
}

TEST(what_a_relay_does_works) {
	expect(try_what_a_relay_does, WORKED);
}
