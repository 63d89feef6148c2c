/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_RELAY_ERROR_TEXT_H
#define ISTHMUS_GUIVM_SERVER_RELAY_ERROR_TEXT_H

#include <stddef.h>

#include "guivm-server/relay/id_map.h"

/*
 * Copies the text of a wl_display.error into dst and replaces every id in it that names an object
 * of the application ("xdg_surface@29", as libwayland and wlroots write them) by the application's
 * own, so that the text makes sense there and tells nothing of the relay. Other numbers stay. At
 * most dst_size - 1 bytes, NUL-terminated.
 */
void error_text_rewrite(char *dst, size_t dst_size, const char *text, const struct id_map *ids);

#endif
