/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/title.h"

#include <stdio.h>

#include "common/text.h"

void title_prefix(char *dst, size_t dst_size, const char *vm, const char *untrusted_title) {
	size_t used = (size_t)snprintf(dst, dst_size, "[%s] ", vm);
	text_sanitise(dst + used, dst_size - used, untrusted_title);
}
