/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/copy.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>

// What is being copied from, while it is. One thread, so plain variables will do.
static const uint8_t *volatile guard_begin;
static const uint8_t *volatile guard_end;
static sigjmp_buf guard_escape;

static void copy_handle_sigbus(int number, siginfo_t *info, void *context) {
	const uint8_t *address = info->si_addr;
	if (guard_begin != NULL && address >= guard_begin && address < guard_end) {
		siglongjmp(guard_escape, 1);
	}
	signal(SIGBUS, SIG_DFL);
	raise(SIGBUS);
}

bool copy_init(void) {
	// Not blocked inside of the handler, which is left by a jump that does not restore the
	// mask.
	struct sigaction action = {
			.sa_sigaction = copy_handle_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};
	sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, NULL) == 0;
}

// Not inlined: what it counts with would be the guard's own, and unknown after a jump.
__attribute__((noinline)) static void copy_all(uint8_t *dst, size_t dst_stride, const uint8_t *src,
		size_t src_stride, size_t row_bytes, size_t n_rows) {
	if (dst_stride == src_stride && row_bytes == src_stride) {
		memcpy(dst, src, row_bytes * n_rows);
		return;
	}
	for (size_t i = 0; i < n_rows; i++) {
		memcpy(dst + i * dst_stride, src + i * src_stride, row_bytes);
	}
}

bool copy_rows(uint8_t *dst, size_t dst_stride, const uint8_t *untrusted_src, size_t src_stride,
		size_t row_bytes, size_t n_rows) {
	if (n_rows == 0) {
		return true;
	}
	guard_begin = untrusted_src;
	guard_end = untrusted_src + (n_rows - 1) * src_stride + row_bytes;
	bool complete = sigsetjmp(guard_escape, 0) == 0;
	if (complete) {
		copy_all(dst, dst_stride, untrusted_src, src_stride, row_bytes, n_rows);
	}
	guard_begin = NULL;
	return complete;
}
