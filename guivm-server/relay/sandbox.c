/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/log.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
		__has_feature(memory_sanitizer)
#define SANDBOX_SANITIZED true
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED false
#endif

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

static bool limit(int resource, rlim_t value) {
	struct rlimit current;
	if (getrlimit(resource, &current) < 0) {
		return false;
	}
	// Never more than there is.
	rlim_t hard = value < current.rlim_max ? value : current.rlim_max;
	return setrlimit(resource, &(struct rlimit){.rlim_cur = hard, .rlim_max = hard}) == 0;
}

/* Keeps files out of reach even should the filter below have a hole. Connecting to a unix socket is
 * not an access to a file here. */
static void forbid_files(void) {
	int abi = (int)syscall(
			SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1) {
		log_debug("sandbox: no Landlock in this kernel");
		return;
	}
	struct landlock_ruleset_attr attr = {
			.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
	if (abi >= 2) {
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	}
	if (abi >= 3) {
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	}
	int ruleset = (int)syscall(
			SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) {
		log_debug("sandbox: Landlock refused, errno %d", errno);
	}
	if (ruleset >= 0) {
		close(ruleset);
	}
}

/* Abstract sockets belong to a network namespace: a relay that connects stays in the one it has. */
static void leave_namespaces(bool connects) {
	int flags = CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS |
		    (connects ? 0 : CLONE_NEWNET);
	if (unshare(flags) < 0) {
		log_debug("sandbox: no namespaces of its own, errno %d", errno);
	}
}

static const int allowed_calls[] = {
		// memory
		SCMP_SYS(brk),
		SCMP_SYS(munmap),
		SCMP_SYS(mremap),
		SCMP_SYS(madvise),
		SCMP_SYS(memfd_create),
		SCMP_SYS(ftruncate),
		// descriptors that it has
		SCMP_SYS(read),
		SCMP_SYS(write),
		SCMP_SYS(readv),
		SCMP_SYS(writev),
		SCMP_SYS(pread64),
		SCMP_SYS(pwrite64),
		SCMP_SYS(lseek),
		SCMP_SYS(close),
		SCMP_SYS(dup),
		SCMP_SYS(dup3),
		SCMP_SYS(pipe2),
		SCMP_SYS(fstat),
		SCMP_SYS(fstatfs),
		// sockets that it has
		SCMP_SYS(sendmsg),
		SCMP_SYS(recvmsg),
		SCMP_SYS(sendto),
		SCMP_SYS(recvfrom),
		SCMP_SYS(accept4),
		SCMP_SYS(shutdown),
		SCMP_SYS(getsockopt),
		SCMP_SYS(getsockname),
		SCMP_SYS(getpeername),
		// waiting
		SCMP_SYS(epoll_wait),
		SCMP_SYS(epoll_pwait),
		SCMP_SYS(epoll_ctl),
		SCMP_SYS(epoll_create1),
		SCMP_SYS(poll),
		SCMP_SYS(ppoll),
		SCMP_SYS(eventfd2),
		SCMP_SYS(timerfd_create),
		SCMP_SYS(timerfd_settime),
		SCMP_SYS(timerfd_gettime),
		SCMP_SYS(futex),
		SCMP_SYS(clock_gettime),
		SCMP_SYS(clock_getres),
		SCMP_SYS(gettimeofday),
		SCMP_SYS(clock_nanosleep),
		SCMP_SYS(restart_syscall),
		SCMP_SYS(sched_yield),
		// itself
		SCMP_SYS(getpid),
		SCMP_SYS(gettid),
		SCMP_SYS(getrandom),
		SCMP_SYS(rt_sigreturn),
		SCMP_SYS(rt_sigaction),
		SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(sigaltstack),
		SCMP_SYS(exit),
		SCMP_SYS(exit_group),
		SCMP_SYS(tgkill),
		SCMP_SYS(rseq),
};

/* Libraries try these in passing: refused, not fatal. */
static const int refused_calls[] = {
		SCMP_SYS(unlink),
		SCMP_SYS(unlinkat),
		SCMP_SYS(newfstatat),
		SCMP_SYS(statx),
		SCMP_SYS(prctl),
		SCMP_SYS(open),
		SCMP_SYS(openat),
		SCMP_SYS(readlink),
		SCMP_SYS(access),
		SCMP_SYS(sysinfo),
		SCMP_SYS(uname),
};

static bool add_calls(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count) {
	for (size_t i = 0; i < count; i++) {
		// A call that this architecture does not have needs no rule.
		if (calls[i] >= 0 && seccomp_rule_add(filter, action, calls[i], 0) < 0) {
			return false;
		}
	}
	return true;
}

/* Refused but for one request. */
static int add_ioctl(scmp_filter_ctx filter, unsigned long request) {
	if (request == 0) {
		return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 0);
	}
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			       SCMP_A1(SCMP_CMP_EQ, request)) |
	       seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
			       SCMP_A1(SCMP_CMP_NE, request));
}

static bool add_checked_calls(scmp_filter_ctx filter, const struct sandbox_options *options) {
	const uint64_t prot_exec = PROT_EXEC;
	static const int fcntl_commands[] = {F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL,
			F_ADD_SEALS, F_GET_SEALS};
	int failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, prot_exec, 0));
	failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, prot_exec, 0));
	failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
			SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(preadv2), 1,
			SCMP_A5(SCMP_CMP_EQ, RWF_NOWAIT));
	failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(pwritev2), 1,
			SCMP_A5(SCMP_CMP_EQ, RWF_NOWAIT));
	failed |= add_ioctl(filter, options->ioctl_request);
	for (size_t i = 0; i < sizeof(fcntl_commands) / sizeof(fcntl_commands[0]); i++) {
		failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)fcntl_commands[i]));
	}
	if (options->connects) {
		failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
		failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);
	}
	return failed == 0;
}

static bool filter_calls(const struct sandbox_options *options) {
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (filter == NULL) {
		errno = ENOMEM;
		return false;
	}
	int error = -EINVAL;
	if (add_calls(filter, SCMP_ACT_ALLOW, allowed_calls,
			    sizeof(allowed_calls) / sizeof(allowed_calls[0])) &&
			add_calls(filter, SCMP_ACT_ERRNO(EPERM), refused_calls,
					sizeof(refused_calls) / sizeof(refused_calls[0])) &&
			add_checked_calls(filter, options)) {
		error = seccomp_load(filter);
	}
	seccomp_release(filter);
	errno = -error;
	return error == 0;
}

bool sandbox_enter(const struct sandbox_options *options) {
	if (SANDBOX_SANITIZED) {
		log_info("built with a sanitizer: no sandbox");
		return true;
	}
	leave_namespaces(options->connects);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
			!limit(RLIMIT_CORE, 0) || !limit(RLIMIT_NPROC, 0) ||
			!limit(RLIMIT_NOFILE, options->max_fds)) {
		return false;
	}
	forbid_files();
	return filter_calls(options);
}
