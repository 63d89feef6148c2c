/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_HARNESS_IGNORE_H
#define ISTHMUS_TESTS_HARNESS_IGNORE_H

/* In a listener of libwayland-client's, for any event that nobody looks at: libffi does not mind
 * what the callee does not look at. */
#pragma GCC diagnostic ignored "-Wpedantic"
static inline void ignore_event(void) {
}
#define IGNORE ((void *)ignore_event)

#endif
