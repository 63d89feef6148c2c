/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <drm_fourcc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/render/drm_format_set.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/types/wlr_buffer.h>

/*
 * Preloaded into a guivm-server that has no GPU: its renderer says that it takes linear dma-bufs,
 * to the first who asks, which is guivm-server/arena_gpu.c. So memory is exported and handed over
 * as with a GPU, and only the import fails.
 */
const struct wlr_drm_format_set *wlr_renderer_get_texture_formats(
		struct wlr_renderer *renderer, uint32_t buffer_caps) {
	static struct wlr_drm_format_set formats;
	const struct wlr_drm_format_set *(*original)(struct wlr_renderer *, uint32_t);
	void *symbol = dlsym(RTLD_NEXT, "wlr_renderer_get_texture_formats");
	memcpy(&original, &symbol, sizeof(original));
	if (buffer_caps != WLR_BUFFER_CAP_DMABUF || formats.len > 0) {
		return original(renderer, buffer_caps);
	}
	if (!wlr_drm_format_set_add(&formats, DRM_FORMAT_ARGB8888, DRM_FORMAT_MOD_LINEAR) ||
			!wlr_drm_format_set_add(&formats, DRM_FORMAT_XRGB8888,
				DRM_FORMAT_MOD_LINEAR)) {
		abort();
	}
	return &formats;
}
