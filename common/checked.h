/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_COMMON_CHECKED_H
#define ISTHMUS_COMMON_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Arithmetic on sizes that a peer chose: false when the result does not fit; *result is then
 * unspecified. */
#define checked_add(a, b, result) (!__builtin_add_overflow((a), (b), (result)))
#define checked_mul(a, b, result) (!__builtin_mul_overflow((a), (b), (result)))

/* Whether [offset, offset + size) lies in [0, limit). */
static inline bool checked_range(uint64_t offset, uint64_t size, uint64_t limit) {
	return size <= limit && offset <= limit - size;
}

/* x rounded up to a multiple of align (a power of two). x must leave room. */
static inline size_t align_up(size_t x, size_t align) {
	return (x + align - 1) & ~(align - 1);
}

#endif
