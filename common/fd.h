/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_COMMON_FD_H
#define ISTHMUS_COMMON_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct stat;

/* Closes *fd unless it is -1, sets it to -1, keeps errno. */
void fd_close(int *fd);

/* false with errno. */
bool fd_set_nonblocking(int fd, bool nonblocking);
bool fd_set_cloexec(int fd, bool cloexec);

/*
 * As write(2), but never waits (EAGAIN), whatever others who have the same open file do to its
 * flags: with a descriptor that came from a peer, O_NONBLOCK is the peer's to take away.
 */
ssize_t fd_write_nowait(int fd, const void *bytes, size_t size);

/*
 * fstat(2) by its own system call where there is one. glibc before 2.39 calls newfstatat instead,
 * which a sandbox cannot let pass without letting it look at any path.
 */
int fd_stat(int fd, struct stat *info);

/* A sealed (SHRINK, GROW, WRITE, SEAL) memfd with these contents, read offset 0, or -1 with errno.
 * name shows in /proc only. The caller owns the descriptor. */
int fd_sealed_file(const char *name, const void *bytes, size_t size);

/* An unsealed memfd of size zeroed bytes, sealing allowed, or -1 with errno. */
int fd_memory(const char *name, size_t size);

/*
 * One sendmsg/recvmsg with SCM_RIGHTS. Sending keeps ownership of fds with the caller. Receiving
 * sets close-on-exec, stores up to *n_fds descriptors (owned by the caller), closes surplus ones,
 * and sets *n_fds. Return as sendmsg/recvmsg: bytes, 0 at end of file (receive), -1 with errno
 * (EAGAIN when it would block).
 */
ssize_t fd_send(int socket_fd, const void *bytes, size_t size, const int *fds, size_t n_fds);
ssize_t fd_receive(int socket_fd, void *bytes, size_t size, int *fds, size_t *n_fds);

/* Whether it is a dma-buf, by the kernel's word. */
bool fd_is_dmabuf(int untrusted_fd);

/* Number of open descriptors of this process, for leak tests; -1 with errno. */
int fd_count_open(void);

#endif
