/* SPDX-License-Identifier: Apache-2.0 */
#include "control/capture.h"

#include <sys/mman.h>
#include <wayland-client.h>

#include "common/checked.h"
#include "common/fd.h"
#include "ext-image-capture-source-v1-client-protocol.h"
#include "ext-image-copy-capture-v1-client-protocol.h"

/* An output that keeps changing its size while it is captured is given up on. */
#define MAX_ATTEMPTS 5

static void capture_fail(struct capture *capture, const char *error) {
	capture->state = CAPTURE_FAILED;
	capture->error = error;
}

static void drop_buffer(struct capture *capture) {
	if (capture->frame != NULL) {
		ext_image_copy_capture_frame_v1_destroy(capture->frame);
		capture->frame = NULL;
	}
	if (capture->buffer != NULL) {
		wl_buffer_destroy(capture->buffer);
		capture->buffer = NULL;
	}
	if (capture->pixels != NULL) {
		munmap(capture->pixels, capture->size_bytes);
		capture->pixels = NULL;
	}
}

static bool create_buffer(struct capture *capture) {
	size_t stride;
	if (!checked_mul((size_t)capture->width, 4, &stride) || stride > INT32_MAX ||
			!checked_mul(stride, (size_t)capture->height, &capture->size_bytes) ||
			capture->size_bytes == 0 || capture->size_bytes > INT32_MAX) {
		return false;
	}
	capture->stride_bytes = (uint32_t)stride;
	int fd = fd_memory("guivmctl-capture", capture->size_bytes);
	if (fd < 0) {
		return false;
	}
	void *pixels = mmap(NULL, capture->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pixels != MAP_FAILED) {
		capture->pixels = pixels;
		struct wl_shm_pool *pool =
				wl_shm_create_pool(capture->shm, fd, (int32_t)capture->size_bytes);
		capture->buffer = wl_shm_pool_create_buffer(pool, 0, (int32_t)capture->width,
				(int32_t)capture->height, (int32_t)stride, capture->format);
		wl_shm_pool_destroy(pool);
	}
	fd_close(&fd);
	return capture->buffer != NULL;
}

static void frame_handle_transform(void *data, struct ext_image_copy_capture_frame_v1 *frame,
		uint32_t transform) {
	struct capture *capture = data;
	capture->transform = transform;
}

static void frame_handle_damage(void *data, struct ext_image_copy_capture_frame_v1 *frame,
		int32_t x, int32_t y, int32_t width, int32_t height) {
	// A first image is all new.
}

static void frame_handle_presentation_time(void *data,
		struct ext_image_copy_capture_frame_v1 *frame, uint32_t tv_sec_hi,
		uint32_t tv_sec_lo, uint32_t tv_nsec) {
	// Nothing depends on when it was shown.
}

static void frame_handle_ready(void *data, struct ext_image_copy_capture_frame_v1 *frame) {
	struct capture *capture = data;
	capture->state = CAPTURE_READY;
}

static void frame_handle_failed(void *data, struct ext_image_copy_capture_frame_v1 *frame,
		uint32_t reason) {
	struct capture *capture = data;
	drop_buffer(capture);
	// New constraints are on their way, and done then starts again.
	if (reason != EXT_IMAGE_COPY_CAPTURE_FRAME_V1_FAILURE_REASON_BUFFER_CONSTRAINTS) {
		capture_fail(capture, "the compositor could not copy the image");
	}
}

static const struct ext_image_copy_capture_frame_v1_listener frame_listener = {
	.transform = frame_handle_transform,
	.damage = frame_handle_damage,
	.presentation_time = frame_handle_presentation_time,
	.ready = frame_handle_ready,
	.failed = frame_handle_failed,
};

static void session_handle_buffer_size(void *data,
		struct ext_image_copy_capture_session_v1 *session, uint32_t width,
		uint32_t height) {
	struct capture *capture = data;
	// A frame under way keeps the size it was made with until it failed.
	if (capture->frame == NULL) {
		capture->width = width;
		capture->height = height;
	}
}

static void session_handle_shm_format(void *data,
		struct ext_image_copy_capture_session_v1 *session, uint32_t format) {
	struct capture *capture = data;
	bool usable = format == WL_SHM_FORMAT_XRGB8888 || format == WL_SHM_FORMAT_ARGB8888 ||
			format == WL_SHM_FORMAT_XBGR8888 || format == WL_SHM_FORMAT_ABGR8888;
	if (usable && !capture->has_format) {
		capture->format = format;
		capture->has_format = true;
	}
}

static void session_handle_dmabuf_device(void *data,
		struct ext_image_copy_capture_session_v1 *session, struct wl_array *device) {
	// Only shared memory is used.
}

static void session_handle_dmabuf_format(void *data,
		struct ext_image_copy_capture_session_v1 *session, uint32_t format,
		struct wl_array *modifiers) {
	// Only shared memory is used.
}

static void session_handle_done(void *data, struct ext_image_copy_capture_session_v1 *session) {
	struct capture *capture = data;
	if (capture->state != CAPTURE_WAITING || capture->frame != NULL) {
		return;
	}
	if (!capture->has_format) {
		capture_fail(capture, "the compositor offers no pixel format that guivmctl knows");
		return;
	}
	if (capture->attempts++ == MAX_ATTEMPTS) {
		capture_fail(capture, "the output keeps changing");
		return;
	}
	if (!create_buffer(capture)) {
		capture_fail(capture, "no memory for the image");
		return;
	}
	capture->frame = ext_image_copy_capture_session_v1_create_frame(session);
	ext_image_copy_capture_frame_v1_add_listener(capture->frame, &frame_listener, capture);
	ext_image_copy_capture_frame_v1_attach_buffer(capture->frame, capture->buffer);
	ext_image_copy_capture_frame_v1_damage_buffer(capture->frame, 0, 0,
			(int32_t)capture->width, (int32_t)capture->height);
	ext_image_copy_capture_frame_v1_capture(capture->frame);
}

static void session_handle_stopped(void *data, struct ext_image_copy_capture_session_v1 *session) {
	struct capture *capture = data;
	if (capture->state == CAPTURE_WAITING) {
		capture_fail(capture, "the output went away");
	}
}

static const struct ext_image_copy_capture_session_v1_listener session_listener = {
	.buffer_size = session_handle_buffer_size,
	.shm_format = session_handle_shm_format,
	.dmabuf_device = session_handle_dmabuf_device,
	.dmabuf_format = session_handle_dmabuf_format,
	.done = session_handle_done,
	.stopped = session_handle_stopped,
};

void capture_init(struct capture *capture, struct ext_image_copy_capture_manager_v1 *manager,
		struct ext_image_capture_source_v1 *source, struct wl_shm *shm) {
	*capture = (struct capture){.shm = shm};
	capture->session = ext_image_copy_capture_manager_v1_create_session(manager, source,
			EXT_IMAGE_COPY_CAPTURE_MANAGER_V1_OPTIONS_PAINT_CURSORS);
	ext_image_copy_capture_session_v1_add_listener(
			capture->session, &session_listener, capture);
}

void capture_finish(struct capture *capture) {
	drop_buffer(capture);
	if (capture->session != NULL) {
		ext_image_copy_capture_session_v1_destroy(capture->session);
		capture->session = NULL;
	}
}
