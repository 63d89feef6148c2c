/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To be preloaded: counts what a process allocates, in the file ISTHMUS_TEST_ALLOCATIONS/<pid>,
 * as one 64-bit number that another process may read at any time.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static uint64_t *counter; // NULL: nobody looks

static void count(void) {
	if (counter != NULL) {
		__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
	}
}

EXPORT void *malloc(size_t size) {
	count();
	return __libc_malloc(size);
}

EXPORT void *calloc(size_t n, size_t size) {
	count();
	return __libc_calloc(n, size);
}

EXPORT void *realloc(void *memory, size_t size) {
	count();
	return __libc_realloc(memory, size);
}

EXPORT void *reallocarray(void *memory, size_t n, size_t size) {
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(memory, bytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
	count();
	return __libc_memalign(alignment, size);
}

EXPORT void *memalign(size_t alignment, size_t size) {
	return aligned_alloc(alignment, size);
}

EXPORT int posix_memalign(void **memory, size_t alignment, size_t size) {
	*memory = aligned_alloc(alignment, size);
	return *memory != NULL ? 0 : ENOMEM;
}

__attribute__((constructor)) static void begin(void) {
	const char *folder = getenv("ISTHMUS_TEST_ALLOCATIONS");
	char path[4096];
	if (folder == NULL) {
		return;
	}
	snprintf(path, sizeof(path), "%s/%d", folder, (int)getpid());
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*counter)) < 0) {
		return;
	}
	void *memory = mmap(NULL, sizeof(*counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory != MAP_FAILED) {
		counter = memory;
	}
}
