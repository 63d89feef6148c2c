/* SPDX-License-Identifier: Apache-2.0 */
#include "common/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FD_MAX_PER_MESSAGE 28 // libwayland sends no more in one message either

void fd_close(int *fd) {
	if (*fd < 0) {
		return;
	}
	int saved_errno = errno;
	close(*fd);
	errno = saved_errno;
	*fd = -1;
}

static bool set_flag(int fd, int get, int set, int flag, bool on) {
	int flags = fcntl(fd, get);
	if (flags < 0) {
		return false;
	}
	int wanted = on ? flags | flag : flags & ~flag;
	return wanted == flags || fcntl(fd, set, wanted) == 0;
}

bool fd_set_nonblocking(int fd, bool nonblocking) {
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, nonblocking);
}

bool fd_set_cloexec(int fd, bool cloexec) {
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, cloexec);
}

int fd_stat(int fd, struct stat *info) {
#if defined(__x86_64__) || defined(__aarch64__)
	return (int)syscall(SYS_fstat, fd, info); // the kernel's struct is glibc's
#else
	return fstat(fd, info);
#endif
}

int fd_memory(const char *name, size_t size) {
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0 && ftruncate(fd, (off_t)size) < 0) {
		fd_close(&fd);
	}
	return fd;
}

static bool write_all(int fd, const uint8_t *bytes, size_t size) {
	while (size > 0) {
		ssize_t written = write(fd, bytes, size);
		if (written < 0 && errno == EINTR) {
			continue;
		}
		if (written <= 0) {
			return false;
		}
		bytes += written;
		size -= (size_t)written;
	}
	return true;
}

int fd_sealed_file(const char *name, const void *bytes, size_t size) {
	int fd = fd_memory(name, 0);
	if (fd < 0) {
		return -1;
	}
	if (!write_all(fd, bytes, size) || lseek(fd, 0, SEEK_SET) < 0 ||
			fcntl(fd, F_ADD_SEALS,
					F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) <
					0) {
		fd_close(&fd);
	}
	return fd;
}

ssize_t fd_write_nowait(int fd, const void *bytes, size_t size) {
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = size};
	ssize_t written = pwritev2(fd, &iov, 1, -1, RWF_NOWAIT);
	if (written < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
		// Pipes before Linux 6.4. Whoever has the file, too, may still be faster.
		written = fd_set_nonblocking(fd, true) ? write(fd, bytes, size) : -1;
	}
	return written;
}

ssize_t fd_send(int socket_fd, const void *bytes, size_t size, const int *fds, size_t n_fds) {
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(FD_MAX_PER_MESSAGE * sizeof(int))];
	} control;
	if (n_fds > FD_MAX_PER_MESSAGE) {
		errno = EINVAL;
		return -1;
	}
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = size};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	if (n_fds > 0) {
		memset(&control, 0, sizeof(control));
		message.msg_control = control.space;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
	}
	ssize_t sent;
	do {
		sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	return sent;
}

static void take_fds(const struct msghdr *message, int *fds, size_t capacity, size_t *n_fds) {
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(message); cmsg != NULL;
			cmsg = CMSG_NXTHDR((struct msghdr *)message, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
			if (*n_fds < capacity) {
				fds[(*n_fds)++] = fd;
			} else {
				close(fd);
			}
		}
	}
}

ssize_t fd_receive(int socket_fd, void *bytes, size_t size, int *fds, size_t *n_fds) {
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(FD_MAX_PER_MESSAGE * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = bytes, .iov_len = size};
	struct msghdr message = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.space,
			.msg_controllen = sizeof(control.space),
	};
	size_t capacity = *n_fds;
	*n_fds = 0;
	ssize_t received;
	do {
		received = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (received < 0 && errno == EINTR);
	if (received >= 0) {
		take_fds(&message, fds, capacity, n_fds);
	}
	return received;
}

bool fd_is_dmabuf(int untrusted_fd) {
	struct statfs fs;
	return fstatfs(untrusted_fd, &fs) == 0 && fs.f_type == DMA_BUF_MAGIC;
}

int fd_count_open(void) {
	DIR *dir = opendir("/proc/self/fd");
	if (dir == NULL) {
		return -1;
	}
	int count = 0;
	while (readdir(dir) != NULL) {
		count++;
	}
	closedir(dir);
	return count - 3; // ".", ".." and the directory's own descriptor
}
