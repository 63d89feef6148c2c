/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into the programs of one side of a link: CLOCK_MONOTONIC is hours ahead there, and
 * faster by 150 parts in a million, more than clocks of real machines. Programs that are started at
 * different times agree, since nothing is counted from their own start.
 */
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define AHEAD_NS (7 * 3600 * SECOND_NS)
#define DRIFT 6667 // one nanosecond more in as many

int clock_gettime(clockid_t clock, struct timespec *time) {
	int result = (int)syscall(SYS_clock_gettime, clock, time);
	if (result == 0 && clock == CLOCK_MONOTONIC) {
		int64_t ns = (int64_t)time->tv_sec * SECOND_NS + time->tv_nsec;
		ns += AHEAD_NS + ns / DRIFT;
		time->tv_sec = (time_t)(ns / SECOND_NS);
		time->tv_nsec = (long)(ns % SECOND_NS);
	}
	return result;
}
