/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_COPY_H
#define ISTHMUS_APPVM_PROXY_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Installs the SIGBUS handler that copy_rows() needs. false with errno. */
bool copy_init(void);

/*
 * Copies rows of row_bytes each out of a mapping that its owner may truncate at any time. false: a
 * page was not there any more; what was copied up to then is in dst. A SIGBUS from anywhere else
 * ends the process as ever.
 */
bool copy_rows(uint8_t *dst, size_t dst_stride, const uint8_t *untrusted_src, size_t src_stride,
		size_t row_bytes, size_t n_rows);

#endif
