/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/arena_gpu.h"

#include <drm_fourcc.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <wlr/render/drm_format_set.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/render/wlr_texture.h>
#include <wlr/types/wlr_buffer.h>

#include "common/fd.h"

#define COLOR_MASK 0x00ffffffu /* in one of the two formats the rest means nothing */

static const uint32_t gpu_formats[] = {DRM_FORMAT_ARGB8888, DRM_FORMAT_XRGB8888};
#define N_FORMATS (sizeof(gpu_formats) / sizeof(gpu_formats[0]))

bool arena_gpu_takes_dmabufs(struct wlr_renderer *renderer) {
	const struct wlr_drm_format_set *formats =
			wlr_renderer_get_texture_formats(renderer, WLR_BUFFER_CAP_DMABUF);
	bool takes = formats != NULL;
	for (size_t i = 0; takes && i < N_FORMATS; i++) {
		takes = wlr_drm_format_set_has(formats, gpu_formats[i], DRM_FORMAT_MOD_LINEAR);
	}
	return takes;
}

bool arena_gpu_format(uint32_t format) {
	for (size_t i = 0; i < N_FORMATS; i++) {
		if (gpu_formats[i] == format) {
			return true;
		}
	}
	return false;
}

bool arena_gpu_imports(struct wlr_renderer *renderer, struct wlr_buffer *buffer) {
	struct wlr_texture *texture = wlr_texture_from_buffer(renderer, buffer);
	if (texture == NULL) {
		return false;
	}
	wlr_texture_destroy(texture);
	return true;
}

static bool reads_row(struct wlr_texture *texture, int y, const uint32_t *row, uint32_t *read) {
	const struct wlr_texture_read_pixels_options options = {
		.data = read,
		.format = DRM_FORMAT_ARGB8888,
		.stride = texture->width * sizeof(*read),
		.src_box = {.y = y, .width = (int)texture->width, .height = 1},
	};
	if (!wlr_texture_read_pixels(texture, &options)) {
		return false;
	}
	for (uint32_t x = 0; x < texture->width; x++) {
		if (((read[x] ^ row[x]) & COLOR_MASK) != 0) {
			return false;
		}
	}
	return true;
}

bool arena_gpu_reads(struct wlr_renderer *renderer, struct wlr_buffer *buffer,
		const void *pixels, size_t stride) {
	struct wlr_texture *texture = wlr_texture_from_buffer(renderer, buffer);
	uint32_t *read = calloc((size_t)buffer->width, sizeof(*read));
	bool same = texture != NULL && read != NULL;
	const int rows[] = {0, buffer->height / 2, buffer->height - 1};
	for (size_t i = 0; same && i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t *row = (const uint8_t *)pixels + (size_t)rows[i] * stride;
		same = reads_row(texture, rows[i], (const uint32_t *)(const void *)row, read);
	}
	free(read);
	if (texture != NULL) {
		wlr_texture_destroy(texture);
	}
	return same;
}

int arena_gpu_fence(int dmabuf_fd) {
	struct dma_buf_export_sync_file call = {.flags = DMA_BUF_SYNC_WRITE, .fd = -1};
	if (ioctl(dmabuf_fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &call) < 0) {
		return -1;
	}
	struct pollfd poll_fd = {.fd = call.fd, .events = POLLIN};
	if (poll(&poll_fd, 1, 0) != 0) {
		fd_close(&call.fd);
	}
	return call.fd;
}
