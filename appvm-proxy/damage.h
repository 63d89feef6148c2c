/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_DAMAGE_H
#define ISTHMUS_APPVM_PROXY_DAMAGE_H

#include <pixman.h>
#include <stdbool.h>
#include <stdint.h>

/* How a surface shows its buffer: wl_surface.set_buffer_scale and set_buffer_transform,
 * wp_viewport. As the application said it, so nothing here need make sense. */
struct damage_geometry {
	uint32_t buffer_width, buffer_height; // pixels, 1..LIMIT_BUFFER_SIDE_PX
	int32_t scale; // at least 1
	uint32_t transform; // enum wl_output_transform
	bool has_source;
	int32_t source_x, source_y, source_width, source_height; // 24.8, surface coordinates
	bool has_destination;
	int32_t destination_width, destination_height; // surface coordinates
};

/* Adds a rectangle of wl_surface.damage or damage_buffer to region; what lies at negative
 * coordinates, which is outside of any surface, is dropped. A region of very many rectangles
 * becomes their extents. */
void damage_add(pixman_region32_t *region, int32_t x, int32_t y, int32_t width, int32_t height);

/*
 * Adds to buffer_damage the smallest rectangles of whole buffer pixels that cover surface_damage,
 * clipped to the buffer. A geometry that makes no sense, which the compositor will end the
 * application for, damages all of it.
 */
void damage_add_surface(pixman_region32_t *buffer_damage, const pixman_region32_t *surface_damage,
		const struct damage_geometry *geometry);

#endif
