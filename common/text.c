/* SPDX-License-Identifier: Apache-2.0 */
#include "common/text.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd"; // U+FFFD
static const char ellipsis[] = "\xe2\x80\xa6"; // U+2026

struct range {
	uint32_t first, last;
};

/* Sorted. What cannot be seen, or changes how other text is seen, lets a string pass for
 * another. */
static const struct range refused[] = {
	{0x0000, 0x001f}, // C0 controls
	{0x007f, 0x009f}, // delete, C1 controls
	{0x00ad, 0x00ad}, // soft hyphen
	{0x034f, 0x034f}, // combining grapheme joiner
	{0x061c, 0x061c}, // Arabic letter mark
	{0x115f, 0x1160}, // Hangul fillers
	{0x17b4, 0x17b5}, // Khmer inherent vowels
	{0x180b, 0x180f}, // Mongolian selectors and separator
	{0x200b, 0x200f}, // zero-width characters, directional marks
	{0x2028, 0x202e}, // line and paragraph separators, embeddings, overrides
	{0x2060, 0x206f}, // word joiner, invisible operators, isolates
	{0x3164, 0x3164}, // Hangul filler
	{0xd800, 0xf8ff}, // surrogates, private use
	{0xfdd0, 0xfdef}, // noncharacters
	{0xfe00, 0xfe0d}, // variation selectors; U+FE0E and U+FE0F choose text or emoji and stay
	{0xfeff, 0xfeff}, // byte order mark
	{0xffa0, 0xffa0}, // halfwidth Hangul filler
	{0xfff0, 0xfffb}, // unassigned, interlinear annotation
	{0xfffe, 0xffff}, // noncharacters
	{0x1bca0, 0x1bca3}, // shorthand format controls
	{0x1d173, 0x1d17a}, // musical format controls
	{0x1fffe, 0x1ffff}, // noncharacters
	{0x2fffe, 0x2ffff},
	{0x3fffe, 0x10ffff}, // planes without characters, tags, private use
};

static bool is_refused(uint32_t c) {
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]) && c >= refused[i].first; i++) {
		if (c <= refused[i].last) {
			return true;
		}
	}
	return false;
}

/*
 * Reads one character of well-formed UTF-8 (Unicode 15.0, table 3-7). Returns how many bytes it
 * took; for ill-formed text *valid is false and the result is the length of the maximal subpart, at
 * least 1, which stands for one U+FFFD.
 */
static size_t decode(const uint8_t *bytes, size_t size, uint32_t *c, bool *valid) {
	uint8_t lead = bytes[0], low = 0x80, high = 0xbf;
	size_t length;
	*valid = false;
	*c = 0;
	if (lead < 0x80) {
		*c = lead;
		*valid = true;
		return 1;
	} else if (lead >= 0xc2 && lead <= 0xdf) {
		length = 2;
		*c = lead & 0x1f;
	} else if (lead >= 0xe0 && lead <= 0xef) {
		length = 3;
		*c = lead & 0x0f;
		low = lead == 0xe0 ? 0xa0 : 0x80; // overlong
		high = lead == 0xed ? 0x9f : 0xbf; // surrogates
	} else if (lead >= 0xf0 && lead <= 0xf4) {
		length = 4;
		*c = lead & 0x07;
		low = lead == 0xf0 ? 0x90 : 0x80; // overlong
		high = lead == 0xf4 ? 0x8f : 0xbf; // above U+10FFFF
	} else {
		return 1;
	}
	for (size_t i = 1; i < length; i++) {
		if (i >= size || bytes[i] < low || bytes[i] > high) {
			return i;
		}
		*c = *c << 6 | (bytes[i] & 0x3f);
		low = 0x80;
		high = 0xbf;
	}
	*valid = true;
	return length;
}

bool text_sanitise_bytes(char *dst, size_t dst_size, const void *untrusted_bytes, size_t size) {
	assert(dst_size > 0);
	const uint8_t *untrusted = untrusted_bytes;
	size_t written = 0;
	size_t cut = 0; // where an ellipsis would still fit
	bool unchanged = true;
	for (size_t i = 0; i < size;) {
		uint32_t c;
		bool valid;
		size_t length = decode(untrusted + i, size - i, &c, &valid);
		const void *text = untrusted + i;
		size_t text_size = length;
		if (!valid || is_refused(c)) {
			text = replacement;
			text_size = sizeof(replacement) - 1;
			unchanged = false;
		}
		if (text_size > dst_size - 1 - written) {
			written = cut;
			if (dst_size > sizeof(ellipsis) - 1) {
				memcpy(dst + written, ellipsis, sizeof(ellipsis) - 1);
				written += sizeof(ellipsis) - 1;
			}
			unchanged = false;
			break;
		}
		memcpy(dst + written, text, text_size);
		written += text_size;
		if (written + sizeof(ellipsis) - 1 <= dst_size - 1) {
			cut = written;
		}
		i += length;
	}
	dst[written] = '\0';
	return unchanged;
}

bool text_sanitise(char *dst, size_t dst_size, const char *untrusted_text) {
	return text_sanitise_bytes(dst, dst_size, untrusted_text,
			untrusted_text != NULL ? strlen(untrusted_text) : 0);
}

static bool is_stripped(uint32_t c) {
	return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c <= 0x9f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

size_t text_strip(char *untrusted_text, size_t size) {
	size_t kept = 0;
	for (size_t i = 0; i < size;) {
		uint32_t c;
		bool valid;
		size_t length = decode((uint8_t *)untrusted_text + i, size - i, &c, &valid);
		if (valid && !is_stripped(c)) {
			memmove(untrusted_text + kept, untrusted_text + i, length);
			kept += length;
		}
		i += length;
	}
	return kept;
}
