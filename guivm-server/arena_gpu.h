/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_ARENA_GPU_H
#define ISTHMUS_GUIVM_SERVER_ARENA_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wlr_buffer;
struct wlr_renderer;

/*
 * Reading a VM's memory where it lies, by the GPU: of arenas that have a dma-buf. Drivers differ in
 * what they take, and a dma-buf of another domain's pages is something few of them ever met, so
 * whether it works is tried and not asked.
 */

/* Whether the renderer reads linear dma-bufs at all, in both formats of arena_gpu_format(). */
bool arena_gpu_takes_dmabufs(struct wlr_renderer *renderer);

/* Whether a format (DRM_FORMAT_*) is one of those that are read in this way. */
bool arena_gpu_format(uint32_t format);

/* Whether the renderer imports the buffer, which has a dma-buf and no listeners yet. */
bool arena_gpu_imports(struct wlr_renderer *renderer, struct wlr_buffer *buffer);

/*
 * Whether what the renderer then reads is the same as pixels, rows of stride bytes: the first, the
 * middle and the last row. A VM that changes them meanwhile, or lied about its memory, makes it
 * differ, to its own loss.
 */
bool arena_gpu_reads(struct wlr_renderer *renderer, struct wlr_buffer *buffer,
		const void *pixels, size_t stride);

/*
 * The GPU reads on when the buffer is let go of. A descriptor, the caller's, that is readable when
 * it has done all that it was told by now to do with a dma-buf; -1: it has, or nobody knows. Other
 * clients' memory has fences that keep their GPU waiting, but what writes here is another machine's
 * processor.
 */
int arena_gpu_fence(int dmabuf_fd);

#endif
