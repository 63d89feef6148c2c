/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/kvm_watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd.h"

static void close_all_but(int fd) {
	if (fd > 0) {
		syscall(SYS_close_range, 0, fd - 1, 0);
	}
	syscall(SYS_close_range, fd + 1, ~0u, 0);
}

static _Noreturn void watch(int fd, const uint64_t *own, uint64_t *generation) {
	// What ends the maker in an orderly way must not end the watcher before.
	static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT};
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		signal(signals[i], SIG_IGN);
	}
	prctl(PR_SET_NAME, "isthmus-watcher");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	setsid();
	char byte;
	while (read(fd, &byte, 1) < 0 && errno == EINTR) {
	}
	uint64_t last = __atomic_load_n(own, __ATOMIC_ACQUIRE);
	// A successor may be there already.
	if (last != 0 && __atomic_load_n(generation, __ATOMIC_ACQUIRE) == last) {
		__atomic_store_n(generation, 0, __ATOMIC_SEQ_CST);
	}
	_exit(0);
}

/* Twice, so that nobody has to wait for it. Its maker may be killed as soon as this returns, and
 * what that had (a listening socket, a port) must then be free for a successor: closed before. */
static bool fork_watcher(int fd, const uint64_t *own, uint64_t *generation) {
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		close_all_but(fd);
		pid = fork();
		if (pid == 0) {
			watch(fd, own, generation);
		}
		_exit(pid < 0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return false;
		}
	}
	if (pid > 0 && status != 0) {
		errno = EAGAIN;
	}
	return pid > 0 && status == 0;
}

bool kvm_watcher_start(struct kvm_watcher *watcher, uint64_t *generation) {
	int ends[2];
	watcher->fd = -1;
	void *own = mmap(NULL, sizeof(*watcher->generation), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (own == MAP_FAILED) {
		return false;
	}
	watcher->generation = own;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		kvm_watcher_stop(watcher);
		return false;
	}
	watcher->fd = ends[1];
	bool ok = fork_watcher(ends[0], own, generation);
	fd_close(&ends[0]);
	if (!ok) {
		int saved_errno = errno;
		kvm_watcher_stop(watcher);
		errno = saved_errno;
	}
	return ok;
}

void kvm_watcher_set(struct kvm_watcher *watcher, uint64_t generation) {
	if (watcher->generation != NULL) {
		__atomic_store_n(watcher->generation, generation, __ATOMIC_RELEASE);
	}
}

void kvm_watcher_stop(struct kvm_watcher *watcher) {
	if (watcher->generation != NULL) {
		munmap(watcher->generation, sizeof(*watcher->generation));
		watcher->generation = NULL;
	}
	fd_close(&watcher->fd);
}
