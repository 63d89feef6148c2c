/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_CONTROL_PICTURE_H
#define ISTHMUS_CONTROL_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pixels of one output and where they belong. */
struct picture_part {
	const void *pixels; // four bytes each
	uint32_t width, height, stride_bytes; // in the pixels' own orientation
	bool red_first; // memory order R, G, B, X; else B, G, R, X
	uint32_t transform; // enum wl_output_transform: how the output turns what it shows
	int x, y, logical_width, logical_height; // its box in the layout
};

/*
 * Composes the parts as they lie in the layout, upright, at the resolution of the finest, and
 * writes a PNG to path ("-": standard output). false after an error message in error.
 */
bool picture_write(const struct picture_part *parts, size_t n_parts, const char *path,
		char *error, size_t error_size);

#endif
