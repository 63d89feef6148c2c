/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_COMMON_SHM_FORMAT_H
#define ISTHMUS_COMMON_SHM_FORMAT_H

#include <stdint.h>

/* Bytes per pixel of a wl_shm format, 0 when it is not one with one plane and whole bytes per pixel
 * (such a buffer is refused). */
uint32_t shm_format_bytes_per_pixel(uint32_t untrusted_format);

#endif
