/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_RELAY_TITLE_H
#define ISTHMUS_GUIVM_SERVER_RELAY_TITLE_H

#include <stddef.h>

/*
 * "[vm] title", for compositors that cannot say otherwise whose a window is. A line break or a
 * change of direction in the title would put something else in front of the prefix: such is
 * replaced (common/text.h). Cut to dst_size, which has room for the prefix.
 */
void title_prefix(char *dst, size_t dst_size, const char *vm, const char *untrusted_title);

#endif
