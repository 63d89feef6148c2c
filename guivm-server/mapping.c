/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/checked.h"
#include "common/fd.h"

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027 // since Linux 6.10
#endif

struct mapping {
	struct mapping *_Atomic next; // in mappings
	int fd;
	uint64_t offset;
	size_t size;
	uint8_t *data;
	int dmabuf_fd; // -1: none
	bool dmabuf_tried, dmabuf_refused;
	unsigned n_references;
	volatile sig_atomic_t lost;
};

/* Of the process, because signal handlers are. Changed so that the handler may look at any time. */
static struct mapping *_Atomic mappings;
static struct sigaction next_action; // whose the SIGBUS was before
static bool guarded;

static struct mapping *find_address(uintptr_t address) {
	for (struct mapping *mapping = mappings; mapping != NULL; mapping = mapping->next) {
		uintptr_t start = (uintptr_t)mapping->data;
		if (address >= start && address - start < mapping->size) {
			return mapping;
		}
	}
	return NULL;
}

static void handle_sigbus(int signal_number, siginfo_t *info, void *context) {
	int saved_errno = errno;
	struct mapping *mapping = find_address((uintptr_t)info->si_addr);
	// A plain system call, though no standard calls it safe in a handler.
	if (mapping != NULL && mmap(mapping->data, mapping->size, PROT_READ,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) !=
			MAP_FAILED) {
		mapping->lost = 1;
		errno = saved_errno;
		return;
	}
	if ((next_action.sa_flags & SA_SIGINFO) != 0) {
		next_action.sa_sigaction(signal_number, info, context);
	} else if (next_action.sa_handler != SIG_DFL && next_action.sa_handler != SIG_IGN) {
		next_action.sa_handler(signal_number);
	} else {
		// The access is made again on return, and ends the process as it would have.
		sigaction(SIGBUS, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	}
	errno = saved_errno;
}

static bool guard(void) {
	struct sigaction action = {.sa_sigaction = handle_sigbus, .sa_flags = SA_SIGINFO};
	sigemptyset(&action.sa_mask);
	guarded = guarded || sigaction(SIGBUS, &action, &next_action) == 0;
	return guarded;
}

/* A file of FUSE or of a network may keep whoever touches its pages waiting for ever. */
static bool may_be_mapped(int untrusted_fd, uint64_t end) {
	struct stat info;
	struct statfs fs;
	if (fstat(untrusted_fd, &info) < 0 || fstatfs(untrusted_fd, &fs) < 0) {
		return false;
	}
	if (!S_ISREG(info.st_mode)) {
		return true; // a device, which only a transport can have opened; or mmap() fails
	}
	return (fs.f_type == TMPFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC ||
			       fs.f_type == SYSFS_MAGIC) &&
		end <= (uint64_t)info.st_size;
}

/* Whether both are the same open file. Where the kernel does not say, nothing is shared. */
static bool is_same_file(int fd, int other_fd) {
	int same = fcntl(fd, F_DUPFD_QUERY, other_fd);
	if (same >= 0) {
		return same == 1;
	}
	pid_t pid = getpid();
	return syscall(SYS_kcmp, pid, pid, KCMP_FILE, fd, other_fd) == 0;
}

static struct mapping *find_same(int fd, uint64_t offset, size_t size) {
	for (struct mapping *mapping = mappings; mapping != NULL; mapping = mapping->next) {
		if (mapping->offset == offset && mapping->size == size && !mapping->lost &&
				is_same_file(mapping->fd, fd)) {
			return mapping;
		}
	}
	return NULL;
}

static struct mapping *mapping_create(int fd, uint64_t offset, size_t size) {
	struct mapping *mapping = calloc(1, sizeof(*mapping));
	if (mapping == NULL) {
		return NULL;
	}
	mapping->dmabuf_fd = -1;
	mapping->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (mapping->fd < 0) {
		goto error;
	}
	void *data = mmap(NULL, size, PROT_READ, MAP_SHARED, mapping->fd, (off_t)offset);
	if (data == MAP_FAILED) {
		goto error;
	}
	mapping->data = data;
	mapping->offset = offset;
	mapping->size = size;
	mapping->next = mappings;
	mappings = mapping;
	return mapping;
error:
	fd_close(&mapping->fd);
	free(mapping);
	return NULL;
}

struct mapping *mapping_get(int untrusted_fd, uint64_t untrusted_offset, size_t untrusted_size) {
	uint64_t end;
	if (untrusted_size == 0 || untrusted_offset > INT64_MAX ||
			!checked_add(untrusted_offset, untrusted_size, &end) || end > INT64_MAX) {
		errno = EINVAL;
		return NULL;
	}
	struct mapping *mapping = find_same(untrusted_fd, untrusted_offset, untrusted_size);
	if (mapping == NULL) {
		if (!may_be_mapped(untrusted_fd, end)) {
			errno = EMEDIUMTYPE;
			return NULL;
		}
		mapping = guard() ? mapping_create(untrusted_fd, untrusted_offset, untrusted_size)
				  : NULL;
	}
	return mapping != NULL ? mapping_ref(mapping) : NULL;
}

struct mapping *mapping_ref(struct mapping *mapping) {
	mapping->n_references++;
	return mapping;
}

void mapping_put(struct mapping *mapping) {
	if (mapping == NULL || --mapping->n_references > 0) {
		return;
	}
	struct mapping *_Atomic *link = &mappings;
	while (*link != mapping) {
		link = &(*link)->next;
	}
	*link = mapping->next;
	munmap(mapping->data, mapping->size);
	fd_close(&mapping->fd);
	fd_close(&mapping->dmabuf_fd);
	free(mapping);
}

/* Who says what is larger than it is, has the GPU read beyond it: drivers trust the number. */
static bool is_dmabuf(int untrusted_fd, size_t size) {
	off_t end = fd_is_dmabuf(untrusted_fd) ? lseek(untrusted_fd, 0, SEEK_END) : -1;
	return end >= 0 && (uint64_t)end >= size;
}

bool mapping_add_dmabuf(struct mapping *mapping, int untrusted_fd) {
	if (mapping->dmabuf_fd < 0 && is_dmabuf(untrusted_fd, mapping->size)) {
		mapping->dmabuf_fd = fcntl(untrusted_fd, F_DUPFD_CLOEXEC, 0);
		return mapping->dmabuf_fd >= 0;
	}
	return false;
}

void mapping_accept_dmabuf(struct mapping *mapping) {
	mapping->dmabuf_tried = true;
}

bool mapping_dmabuf_is_tried(const struct mapping *mapping) {
	return mapping->dmabuf_tried;
}

void mapping_refuse_dmabuf(struct mapping *mapping) {
	// Buffers that came before may be read by it.
	mapping->dmabuf_refused = true;
}

int mapping_dmabuf(const struct mapping *mapping) {
	return mapping->dmabuf_refused ? -1 : mapping->dmabuf_fd;
}

const void *mapping_data(const struct mapping *mapping) {
	return mapping->data;
}

size_t mapping_size(const struct mapping *mapping) {
	return mapping->size;
}

int mapping_fd(const struct mapping *mapping) {
	return mapping->fd;
}

uint64_t mapping_offset(const struct mapping *mapping) {
	return mapping->offset;
}
