/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_COMMON_SHARE_H
#define ISTHMUS_COMMON_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#define SHARE_FACTOR 3

/*
 * Whether one of the applications of a VM, which has own of the used things, may have count more,
 * where there are at most limit in all. It may have three times what is then left for the others:
 * one alone three quarters, two three sevenths each. So there is always something left for one
 * that comes later, which would else end for what others took.
 */
static inline bool share_fits(uint64_t limit, uint64_t used, uint64_t own, uint64_t count) {
	return used <= limit && count <= limit - used &&
		own + count <= SHARE_FACTOR * (limit - used - count);
}

#endif
