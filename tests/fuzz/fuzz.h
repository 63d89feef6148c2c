/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_FUZZ_FUZZ_H
#define ISTHMUS_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * A fuzz harness is one file that defines what is declared below. It is built twice: with libFuzzer
 * (meson option fuzz, clang) to search for new inputs, and with regress.c, in every test run, which
 * tries the seeds, corpus/NAME.hex and random mutations of both. An input that libFuzzer found is
 * kept as a line of corpus/NAME.hex (xxd -p -c 0 FILE >>corpus/NAME.hex).
 *
 *     meson setup build-fuzz -Dfuzz=true     (CC=clang)
 *     build-fuzz/tests/fuzz/regress-link --write DIR      seeds and stored inputs as files
 *     build-fuzz/tests/fuzz/fuzz-link DIR
 */

/* Tries one input. Returns 0; aborts when something does not hold. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Counts what was accepted as valid (frames, messages). */
extern uint64_t fuzz_accepted;

/* Writes a valid input to start from, numbered from 0, of at most FUZZ_MAX_BYTES bytes. Returns its
 * size, 0 after the last. Each must be accepted. */
#define FUZZ_MAX_BYTES 8192
size_t fuzz_seed(uint32_t index, uint8_t *bytes);

#define FUZZ_CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* Reads every byte, so that a range that is not all there shows. */
static inline void fuzz_touch(const void *bytes, size_t size) {
	const volatile uint8_t *p = bytes;
	for (size_t i = 0; i < size; i++) {
		(void)p[i];
	}
}

#endif
