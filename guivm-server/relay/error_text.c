/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/error_text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The number at text and its length in digits; false when it is none that an id can be. */
static bool read_id(const char *text, uint32_t *id, size_t *length) {
	uint64_t value = 0;
	size_t n = 0;
	while (isdigit((unsigned char)text[n])) {
		value = value * 10 + (uint64_t)(text[n] - '0');
		if (value > UINT32_MAX) {
			return false;
		}
		n++;
	}
	*id = (uint32_t)value;
	*length = n;
	return n > 0;
}

/* An id that the application never saw is shown as 0. */
static uint32_t shown_id(const struct id_map *ids, uint32_t relay_id) {
	uint32_t link_id = id_map_find(ids, relay_id);
	return id_map_is_own(link_id) ? 0 : link_id;
}

void error_text_rewrite(char *dst, size_t dst_size, const char *text, const struct id_map *ids) {
	size_t used = 0;
	while (*text != '\0' && used + 1 < dst_size) {
		uint32_t relay_id;
		size_t length;
		dst[used++] = *text++;
		if (dst[used - 1] != '@' || !read_id(text, &relay_id, &length)) {
			continue;
		}
		int wrote = snprintf(dst + used, dst_size - used, "%u", shown_id(ids, relay_id));
		used += (size_t)wrote;
		text += length;
		if (used >= dst_size) {
			used = dst_size - 1;
		}
	}
	dst[used] = '\0';
}
