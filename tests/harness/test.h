/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_HARNESS_TEST_H
#define ISTHMUS_TESTS_HARNESS_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * One behaviour per test, named by it. Each test runs in a child process of its own; a signal, an
 * exit other than by returning, a descriptor more or fewer than before, or a child process left
 * behind fails it. The program prints TAP, then "N passed, N failed, N skipped" on a line, and
 * exits 1 when a test failed.
 *
 *     TEST(ring_index_beyond_the_ring_disconnects) {
 *             EXPECT(vchan_state(v) == VCHAN_DISCONNECTED);
 *     }
 *
 * Arguments of the program choose tests by name; --list lists them; --no-fork runs in this process,
 * for a debugger. ISTHMUS_TEST_TIMEOUT sets the outer limit of a test in seconds (default 60): a
 * net against hanging, never what a test waits for.
 */
struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

void test_register(struct test *test);

#define TEST(test_name) \
	static void test_name(void); \
	static struct test test_name##_test = {.name = #test_name, .run = test_name}; \
	__attribute__((constructor)) static void test_name##_register(void) { \
		test_register(&test_name##_test); \
	} \
	static void test_name(void)

/* Ends the test as failed or skipped; skips need a reason. */
_Noreturn void test_fail(const char *file, int line, const char *format, ...)
		__attribute__((format(printf, 3, 4)));
_Noreturn void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define EXPECT(condition) \
	do { \
		if (!(condition)) { \
			test_fail(__FILE__, __LINE__, "%s", #condition); \
		} \
	} while (0)

#define EXPECT_INT(actual, expected) \
	do { \
		long long actual_ = (long long)(actual), expected_ = (long long)(expected); \
		if (actual_ != expected_) { \
			test_fail(__FILE__, __LINE__, "%s is %lld, expected %lld", #actual, \
					actual_, expected_); \
		} \
	} while (0)

#define EXPECT_STR(actual, expected) \
	do { \
		const char *actual_ = (actual), *expected_ = (expected); \
		if (strcmp(actual_, expected_) != 0) { \
			test_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #actual, \
					actual_, expected_); \
		} \
	} while (0)

/* A fresh directory for this test, removed after it. Owned by the harness. */
const char *test_dir(void);

/* Reproducible random numbers (xorshift64*), seeded by test_random_seed() or with a constant. */
void test_random_seed(uint64_t seed);
uint64_t test_random(void);
/* 0..limit-1 */
uint32_t test_random_below(uint32_t limit);

/* Runs the loop until *done, or fails the test at the outer limit. */
struct wl_event_loop;
void test_dispatch_until(struct wl_event_loop *loop, const bool *done);

#endif
