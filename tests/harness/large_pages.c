/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To be preloaded: a machine whose pages are 64 KiB, as far as a program can see them. Its size is
 * told, mappings begin at one, and what is no multiple of it is refused as the kernel would.
 */
#undef _FILE_OFFSET_BITS // with it mmap would be mmap64, which is here, too
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE ((size_t)65536)

static size_t round_up(size_t size) {
	return (size + PAGE - 1) & ~(PAGE - 1);
}

static void *call_mmap(
		void *address, size_t size, int protection, int flags, int fd, off_t offset) {
	return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

static bool refuse(bool wrong) {
	if (wrong) {
		errno = EINVAL;
	}
	return wrong;
}

long sysconf(int name) {
	static long (*real)(int);
	if (name == _SC_PAGESIZE) {
		return (long)PAGE;
	}
	if (real == NULL) {
		*(void **)&real = dlsym(RTLD_NEXT, "sysconf");
	}
	return real(name);
}

int getpagesize(void) {
	return (int)PAGE;
}

unsigned long getauxval(unsigned long type) {
	static unsigned long (*real)(unsigned long);
	if (type == AT_PAGESZ) {
		return PAGE;
	}
	if (real == NULL) {
		*(void **)&real = dlsym(RTLD_NEXT, "getauxval");
	}
	return real(type);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
	if (refuse((size_t)offset % PAGE != 0 || (uintptr_t)address % PAGE != 0)) {
		return MAP_FAILED;
	}
	if (address != NULL || size == 0 || size > SIZE_MAX - 2 * PAGE) {
		return call_mmap(address, size, protection, flags, fd, offset);
	}
	size_t room = round_up(size) + PAGE;
	uint8_t *begin = call_mmap(NULL, room, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (begin == MAP_FAILED) {
		return MAP_FAILED;
	}
	uint8_t *place = (uint8_t *)round_up((uintptr_t)begin);
	size_t before = (size_t)(place - begin), after = PAGE - before;
	if (before > 0) {
		syscall(SYS_munmap, begin, before);
	}
	if (after > 0) {
		syscall(SYS_munmap, place + round_up(size), after);
	}
	void *map = call_mmap(place, size, protection, flags | MAP_FIXED, fd, offset);
	if (map == MAP_FAILED) {
		int error = errno;
		syscall(SYS_munmap, place, round_up(size));
		errno = error;
	}
	return map;
}

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
	return mmap(address, size, protection, flags, fd, offset);
}

int munmap(void *address, size_t size) {
	if (refuse((uintptr_t)address % PAGE != 0)) {
		return -1;
	}
	return (int)syscall(SYS_munmap, address, round_up(size));
}

int mprotect(void *address, size_t size, int protection) {
	if (refuse((uintptr_t)address % PAGE != 0)) {
		return -1;
	}
	return (int)syscall(SYS_mprotect, address, size, protection);
}

int madvise(void *address, size_t size, int advice) {
	if (refuse((uintptr_t)address % PAGE != 0)) {
		return -1;
	}
	return (int)syscall(SYS_madvise, address, size, advice);
}
