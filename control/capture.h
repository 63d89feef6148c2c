/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_CONTROL_CAPTURE_H
#define ISTHMUS_CONTROL_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ext_image_capture_source_v1;
struct ext_image_copy_capture_manager_v1;
struct ext_image_copy_capture_session_v1;
struct ext_image_copy_capture_frame_v1;
struct wl_buffer;
struct wl_shm;

enum capture_state {
	CAPTURE_WAITING,
	CAPTURE_READY,
	CAPTURE_FAILED,
};

/* One image of one source, through ext-image-copy-capture-v1 and wl_shm. */
struct capture {
	enum capture_state state;
	const char *error; // when failed
	uint32_t width, height; // of the pixels, in their own orientation
	uint32_t stride_bytes;
	uint32_t format; // enum wl_shm_format
	uint32_t transform; // enum wl_output_transform of the pixels
	void *pixels; // mapped; valid when ready

	struct wl_shm *shm; // borrowed
	struct ext_image_copy_capture_session_v1 *session;
	struct ext_image_copy_capture_frame_v1 *frame;
	struct wl_buffer *buffer;
	size_t size_bytes;
	bool has_format;
	unsigned attempts;
};

/* Starts; the caller dispatches until state is not waiting. source may be destroyed at once. */
void capture_init(struct capture *capture, struct ext_image_copy_capture_manager_v1 *manager,
		struct ext_image_capture_source_v1 *source, struct wl_shm *shm);
void capture_finish(struct capture *capture);

#endif
