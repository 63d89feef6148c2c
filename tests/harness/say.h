/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_HARNESS_SAY_H
#define ISTHMUS_TESTS_HARNESS_SAY_H

#include <stdarg.h>
#include <stdio.h>

/* For the programs that scripts drive: a line for the script, which gets it at once. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...) {
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

#endif
