/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_COMMON_TEXT_H
#define ISTHMUS_COMMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Copies untrusted_text into dst as text that is safe to log and to show: strict UTF-8 (no overlong
 * forms, no surrogates), control characters, line and paragraph separators, bidirectional controls,
 * zero-width characters, private use and unassigned-looking noncharacters become U+FFFD; at most
 * dst_size - 1 bytes, cut between characters with an ellipsis; always NUL-terminated. NULL reads as
 * "". Returns whether the text was taken over unchanged. Source: Unicode TR 36 and the Qubes guid
 * title filter.
 */
bool text_sanitise(char *dst, size_t dst_size, const char *untrusted_text);

/* The same for bytes that need not be NUL-terminated; an embedded NUL becomes U+FFFD. */
bool text_sanitise_bytes(char *dst, size_t dst_size, const void *untrusted_bytes, size_t size);

/*
 * Makes text of any length fit to be pasted elsewhere, in place: what is not UTF-8, control
 * characters other than newline and tab, and bidirectional controls are left out. Returns the new
 * size.
 */
size_t text_strip(char *untrusted_text, size_t size);

#endif
