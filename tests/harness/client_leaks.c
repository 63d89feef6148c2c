/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked into test clients that end when they are done: what libwayland-client keeps for objects
 * that they never destroyed is no finding of a sanitizer's. In Isthmus' own programs it would be.
 */

const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void) {
	return "leak:libwayland-client.so\n";
}
