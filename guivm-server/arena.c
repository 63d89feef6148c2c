/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/arena.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wlr/interfaces/wlr_buffer.h>
#include <wlr/render/drm_format_set.h>
#include <wlr/render/wlr_renderer.h>

#include "common/checked.h"
#include "common/fd.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/shm_format.h"
#include "guivm-server/arena_gpu.h"
#include "guivm-server/mapping.h"
#include "guivm-server/vm.h"
#include "isthmus-arena-v1-server-protocol.h"

struct arenas {
	struct wl_listener display_destroy;
	struct wlr_renderer *const *renderer; // borrowed
	bool takes_dmabufs;
	size_t n_formats;
	uint32_t formats[]; // DRM_FORMAT_*
};

/* Of a connection. */
struct arena {
	struct arenas *arenas;
	struct vm *vm; // lives as long: the VM destroys its clients first
	struct mapping *mapping;
};

struct arena_buffer {
	struct wlr_buffer base;
	struct wl_resource *resource; // NULL: destroyed, and something still reads it
	struct vm *vm; // valid while there is a resource
	struct mapping *mapping;
	size_t offset, stride; // bytes, from the mapping's start
	uint32_t format; // DRM_FORMAT_*
	bool gpu; // read by dmabuf_fd, and never otherwise
	int dmabuf_fd; // the mapping's
	int fence_fd; // until it is readable the GPU reads what was let go of; -1: it does not
	struct wl_event_source *fence; // of fence_fd
	struct wl_event_loop *loop; // valid while there is a resource
	struct wl_listener release;
};

/* One more arena or buffer. */
static bool count_object(struct vm *vm) {
	if (vm->n_arena_objects >= LIMIT_BUFFERS_PER_LINK) {
		return false;
	}
	vm->n_arena_objects++;
	return true;
}

static uint32_t drm_format(uint32_t shm_format) {
	switch (shm_format) {
	case WL_SHM_FORMAT_ARGB8888:
		return DRM_FORMAT_ARGB8888;
	case WL_SHM_FORMAT_XRGB8888:
		return DRM_FORMAT_XRGB8888;
	default:
		return shm_format;
	}
}

/* 0: it cannot be shown. */
static uint32_t bytes_per_pixel(const struct arenas *arenas, uint32_t untrusted_format) {
	uint32_t format = drm_format(untrusted_format);
	for (size_t i = 0; i < arenas->n_formats; i++) {
		if (arenas->formats[i] == format) {
			return shm_format_bytes_per_pixel(untrusted_format);
		}
	}
	return 0;
}

/* Buffers. */

static void buffer_destroy(struct wlr_buffer *base) {
	struct arena_buffer *buffer = wl_container_of(base, buffer, base);
	wl_list_remove(&buffer->release.link);
	wlr_buffer_finish(base);
	mapping_put(buffer->mapping);
	free(buffer);
}

static bool buffer_get_dmabuf(struct wlr_buffer *base, struct wlr_dmabuf_attributes *attributes) {
	struct arena_buffer *buffer = wl_container_of(base, buffer, base);
	if (!buffer->gpu) {
		return false;
	}
	*attributes = (struct wlr_dmabuf_attributes){
		.width = base->width,
		.height = base->height,
		.format = buffer->format,
		.modifier = DRM_FORMAT_MOD_LINEAR,
		.n_planes = 1,
		.offset[0] = (uint32_t)buffer->offset,
		.stride[0] = (uint32_t)buffer->stride,
		.fd[0] = buffer->dmabuf_fd,
	};
	return true;
}

static bool buffer_get_shm(struct wlr_buffer *base, struct wlr_shm_attributes *attributes) {
	struct arena_buffer *buffer = wl_container_of(base, buffer, base);
	if (buffer->gpu) {
		return false;
	}
	*attributes = (struct wlr_shm_attributes){
		.fd = mapping_fd(buffer->mapping),
		.format = buffer->format,
		.width = base->width,
		.height = base->height,
		.stride = (int)buffer->stride,
		.offset = (off_t)(mapping_offset(buffer->mapping) + buffer->offset),
	};
	return true;
}

static bool buffer_begin_data_ptr_access(struct wlr_buffer *base, uint32_t flags, void **data,
		uint32_t *format, size_t *stride) {
	struct arena_buffer *buffer = wl_container_of(base, buffer, base);
	if (buffer->gpu || (flags & WLR_BUFFER_DATA_PTR_ACCESS_WRITE) != 0) {
		return false;
	}
	*data = (uint8_t *)mapping_data(buffer->mapping) + buffer->offset;
	*format = buffer->format;
	*stride = buffer->stride;
	return true;
}

static void buffer_end_data_ptr_access(struct wlr_buffer *base) {
}

static const struct wlr_buffer_impl buffer_impl = {
	.destroy = buffer_destroy,
	.get_dmabuf = buffer_get_dmabuf,
	.get_shm = buffer_get_shm,
	.begin_data_ptr_access = buffer_begin_data_ptr_access,
	.end_data_ptr_access = buffer_end_data_ptr_access,
};

static void drop_fence(struct arena_buffer *buffer) {
	if (buffer->fence != NULL) {
		wl_event_source_remove(buffer->fence);
		buffer->fence = NULL;
	}
	fd_close(&buffer->fence_fd);
}

static int buffer_handle_fence(int fd, uint32_t mask, void *data) {
	struct arena_buffer *buffer = data;
	drop_fence(buffer);
	// Who commits what was not released is told when that is let go of.
	if (buffer->base.n_locks == 0) {
		wl_buffer_send_release(buffer->resource);
	}
	return 0;
}

static void buffer_handle_release(struct wl_listener *listener, void *data) {
	struct arena_buffer *buffer = wl_container_of(listener, buffer, release);
	if (buffer->resource == NULL) {
		return;
	}
	drop_fence(buffer);
	buffer->fence_fd = buffer->gpu ? arena_gpu_fence(buffer->dmabuf_fd) : -1;
	if (buffer->fence_fd >= 0) {
		buffer->fence = wl_event_loop_add_fd(buffer->loop, buffer->fence_fd,
				WL_EVENT_READABLE, buffer_handle_fence, buffer);
	}
	if (buffer->fence == NULL) {
		drop_fence(buffer);
		wl_buffer_send_release(buffer->resource);
	}
}

static void destroy_resource(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static const struct wl_buffer_interface buffer_resource_impl = {
	.destroy = destroy_resource,
};

static void buffer_handle_resource_destroy(struct wl_resource *resource) {
	struct arena_buffer *buffer = wl_resource_get_user_data(resource);
	drop_fence(buffer);
	buffer->resource = NULL;
	buffer->vm->n_arena_objects--;
	wlr_buffer_drop(&buffer->base);
}

static bool is_buffer(struct wl_resource *resource) {
	return wl_resource_instance_of(resource, &wl_buffer_interface, &buffer_resource_impl);
}

static struct wlr_buffer *buffer_from_resource(struct wl_resource *resource) {
	struct arena_buffer *buffer = wl_resource_get_user_data(resource);
	return &buffer->base;
}

static const struct wlr_buffer_resource_interface buffer_resource_interface = {
	.name = "isthmus_arena_v1",
	.is_instance = is_buffer,
	.from_resource = buffer_from_resource,
};

/* GPU memory. */

static void tell(bool *told, const struct vm *vm, const char *what) {
	if (!*told) {
		log_info("VM \"%s\": its memory is %s", vm->config->name, what);
	}
	*told = true;
}

/*
 * How the buffer will be read: by the GPU where it lies, if that works. Before anybody knows of the
 * buffer: what fails here, nobody is shown.
 */
static void choose_way(struct arena_buffer *buffer, const struct arenas *arenas) {
	buffer->dmabuf_fd = mapping_dmabuf(buffer->mapping);
	if (buffer->dmabuf_fd < 0 || !arenas->takes_dmabufs || !arena_gpu_format(buffer->format)) {
		return;
	}
	struct vm *vm = buffer->vm;
	const uint8_t *pixels = (const uint8_t *)mapping_data(buffer->mapping) + buffer->offset;
	buffer->gpu = true;
	if (!arena_gpu_imports(*arenas->renderer, &buffer->base)) {
		buffer->gpu = false;
		tell(&vm->told_no_gpu, vm, "mapped: the GPU does not take a buffer over it");
	} else if (!mapping_dmabuf_is_tried(buffer->mapping) &&
			!arena_gpu_reads(*arenas->renderer, &buffer->base, pixels,
				buffer->stride)) {
		buffer->gpu = false;
		mapping_refuse_dmabuf(buffer->mapping);
		tell(&vm->told_no_gpu, vm, "mapped: the GPU reads something else there");
	} else {
		mapping_accept_dmabuf(buffer->mapping);
		tell(&vm->told_gpu, vm, "read by the GPU where it lies");
	}
}

/* Arenas. */

static bool check_place(const struct arena *arena, uint32_t untrusted_offset,
		int32_t untrusted_width, int32_t untrusted_height, int32_t untrusted_stride,
		uint32_t pixel_bytes) {
	if (untrusted_width <= 0 || untrusted_width > LIMIT_BUFFER_SIDE_PX ||
			untrusted_height <= 0 || untrusted_height > LIMIT_BUFFER_SIDE_PX ||
			untrusted_stride <= 0 || untrusted_offset % 4 != 0) {
		return false;
	}
	uint64_t stride = (uint64_t)untrusted_stride;
	return stride % pixel_bytes == 0 && stride >= (uint64_t)untrusted_width * pixel_bytes &&
		checked_range(untrusted_offset, stride * (uint64_t)untrusted_height,
			mapping_size(arena->mapping));
}

static void arena_handle_create_buffer(struct wl_client *client, struct wl_resource *resource,
		uint32_t id, uint32_t untrusted_offset, int32_t untrusted_width,
		int32_t untrusted_height, int32_t untrusted_stride, uint32_t untrusted_format) {
	struct arena *arena = wl_resource_get_user_data(resource);
	uint32_t pixel_bytes = bytes_per_pixel(arena->arenas, untrusted_format);
	if (pixel_bytes == 0) {
		wl_resource_post_error(resource, ISTHMUS_ARENA_V1_ERROR_BAD_FORMAT,
			"no format of wl_shm with one plane and whole bytes per pixel");
		return;
	}
	if (!check_place(arena, untrusted_offset, untrusted_width, untrusted_height,
			untrusted_stride, pixel_bytes)) {
		wl_resource_post_error(resource, ISTHMUS_ARENA_V1_ERROR_BAD_PLACE,
			"a buffer that does not lie in its arena");
		return;
	}
	if (!count_object(arena->vm)) {
		wl_resource_post_error(resource, ISTHMUS_ARENA_V1_ERROR_LIMIT,
			"this VM's limit of buffers is reached");
		return;
	}
	struct arena_buffer *buffer = calloc(1, sizeof(*buffer));
	struct wl_resource *buffer_resource = buffer != NULL
		? wl_resource_create(client, &wl_buffer_interface, 1, id) : NULL;
	if (buffer_resource == NULL) {
		arena->vm->n_arena_objects--;
		free(buffer);
		wl_client_post_no_memory(client);
		return;
	}
	buffer->resource = buffer_resource;
	buffer->vm = arena->vm;
	buffer->mapping = mapping_ref(arena->mapping);
	buffer->offset = untrusted_offset;
	buffer->stride = (size_t)untrusted_stride;
	buffer->format = drm_format(untrusted_format);
	buffer->fence_fd = -1;
	buffer->loop = wl_display_get_event_loop(wl_client_get_display(client));
	wlr_buffer_init(&buffer->base, &buffer_impl, untrusted_width, untrusted_height);
	choose_way(buffer, arena->arenas);
	buffer->release.notify = buffer_handle_release;
	wl_signal_add(&buffer->base.events.release, &buffer->release);
	wl_resource_set_implementation(buffer_resource, &buffer_resource_impl, buffer,
		buffer_handle_resource_destroy);
}

static void arena_handle_add_dmabuf(struct wl_client *client, struct wl_resource *resource,
		int32_t fd) {
	struct arena *arena = wl_resource_get_user_data(resource);
	if (arena->arenas->takes_dmabufs) {
		mapping_add_dmabuf(arena->mapping, fd);
	}
	close(fd);
}

static const struct isthmus_arena_v1_interface arena_impl = {
	.destroy = destroy_resource,
	.create_buffer = arena_handle_create_buffer,
	.add_dmabuf = arena_handle_add_dmabuf,
};

static void arena_handle_resource_destroy(struct wl_resource *resource) {
	struct arena *arena = wl_resource_get_user_data(resource);
	arena->vm->n_arena_objects--;
	mapping_put(arena->mapping);
	free(arena);
}

static struct arena *arena_create(struct arenas *arenas, struct vm *vm, struct mapping *mapping) {
	struct arena *arena = calloc(1, sizeof(*arena));
	if (arena != NULL) {
		*arena = (struct arena){.arenas = arenas, .vm = vm, .mapping = mapping};
	}
	return arena;
}

/* The manager. */

static void manager_handle_create_arena(struct wl_client *client, struct wl_resource *resource,
		uint32_t id, int32_t fd, uint32_t untrusted_offset_hi, uint32_t untrusted_offset_lo,
		uint32_t untrusted_size) {
	struct vm *vm = vm_from_client(client);
	uint64_t untrusted_offset = (uint64_t)untrusted_offset_hi << 32 | untrusted_offset_lo;
	errno = EFBIG;
	struct mapping *mapping = untrusted_size <= INT32_MAX
		? mapping_get(fd, untrusted_offset, untrusted_size) : NULL;
	int error = errno;
	close(fd);
	if (mapping == NULL) {
		wl_resource_post_error(resource, ISTHMUS_ARENA_MANAGER_V1_ERROR_BAD_MEMORY,
			"memory that cannot be mapped: %s", strerror(error));
		return;
	}
	if (!count_object(vm)) {
		wl_resource_post_error(resource, ISTHMUS_ARENA_MANAGER_V1_ERROR_LIMIT,
			"this VM's limit of buffers is reached");
		mapping_put(mapping);
		return;
	}
	struct arena *arena = arena_create(wl_resource_get_user_data(resource), vm, mapping);
	struct wl_resource *arena_resource = arena != NULL
		? wl_resource_create(client, &isthmus_arena_v1_interface, 1, id) : NULL;
	if (arena_resource == NULL) {
		vm->n_arena_objects--;
		mapping_put(mapping);
		free(arena);
		wl_client_post_no_memory(client);
		return;
	}
	wl_resource_set_implementation(arena_resource, &arena_impl, arena,
		arena_handle_resource_destroy);
}

static const struct isthmus_arena_manager_v1_interface manager_impl = {
	.destroy = destroy_resource,
	.create_arena = manager_handle_create_arena,
};

static void manager_handle_bind(
		struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	/* The global filter hides it from all others already. */
	if (vm_from_client(client) == NULL) {
		wl_client_post_implementation_error(
				client, "isthmus_arena_manager_v1 is for a VM's memory");
		return;
	}
	struct wl_resource *resource = wl_resource_create(
			client, &isthmus_arena_manager_v1_interface, (int)version, id);
	if (resource == NULL) {
		wl_client_post_no_memory(client);
		return;
	}
	const struct arenas *arenas = data;
	wl_resource_set_implementation(resource, &manager_impl, data, NULL);
	if (arenas->takes_dmabufs) {
		isthmus_arena_manager_v1_send_dmabuf(resource);
	}
}

/* After all clients. */
static void arenas_handle_display_destroy(struct wl_listener *listener, void *data) {
	struct arenas *arenas = wl_container_of(listener, arenas, display_destroy);
	wl_list_remove(&arenas->display_destroy.link);
	free(arenas);
}

bool arenas_create(struct wl_display *display, struct vms *vms,
		struct wlr_renderer *const *renderer) {
	const struct wlr_drm_format_set *formats =
			wlr_renderer_get_texture_formats(*renderer, WLR_BUFFER_CAP_DATA_PTR);
	struct arenas *arenas = formats != NULL
		? calloc(1, sizeof(*arenas) + formats->len * sizeof(arenas->formats[0])) : NULL;
	if (arenas == NULL) {
		return false;
	}
	arenas->renderer = renderer;
	arenas->takes_dmabufs = arena_gpu_takes_dmabufs(*renderer);
	vms->arena_global = wl_global_create(display, &isthmus_arena_manager_v1_interface, 1,
			arenas, manager_handle_bind);
	if (vms->arena_global == NULL) {
		free(arenas);
		return false;
	}
	arenas->n_formats = formats->len;
	for (size_t i = 0; i < formats->len; i++) {
		arenas->formats[i] = formats->formats[i].format;
	}
	arenas->display_destroy.notify = arenas_handle_display_destroy;
	wl_display_add_destroy_listener(display, &arenas->display_destroy);
	wlr_buffer_register_resource_interface(&buffer_resource_interface);
	return true;
}
