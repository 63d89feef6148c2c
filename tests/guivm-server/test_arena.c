/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wlr/types/wlr_buffer.h>

#include "common/fd.h"
#include "common/limits.h"
#include "guivm-server/arena_gpu.h"
#include "guivm-server/mapping.h"
#include "guivm-server/vm.h"
#include "isthmus-arena-v1-client-protocol.h"
#include "tests/guivm-server/desk.h"
#include "tests/harness/ignore.h"

#define NAME "arena-test"
#define WIDTH 300
#define HEIGHT 200
#define STRIDE (WIDTH * 4 + 16)
#define ARENA_OFFSET 65536
#define ARENA_SIZE (1 << 20)
#define BUFFER_OFFSET 4096
#define RED 0xffcc2211
#define GREEN 0xff11cc22

/* A GPU, as far as the compositor asks for one: its driver's word, and dma-bufs (plain files). */
static struct gpu {
	bool there;
	bool imports, reads;
	int n_imports, n_reads; // how often it was tried
	ino_t dmabuf;
	int fence_fd; // what it is still reading of; 0: nothing
} gpu;

bool __real_arena_gpu_takes_dmabufs(struct wlr_renderer *renderer);
bool __wrap_arena_gpu_takes_dmabufs(struct wlr_renderer *renderer);
bool __wrap_arena_gpu_imports(struct wlr_renderer *renderer, struct wlr_buffer *buffer);
bool __wrap_arena_gpu_reads(struct wlr_renderer *renderer, struct wlr_buffer *buffer,
		const void *pixels, size_t stride);
int __wrap_arena_gpu_fence(int dmabuf_fd);
bool __real_fd_is_dmabuf(int fd);
bool __wrap_fd_is_dmabuf(int fd);

bool __wrap_arena_gpu_takes_dmabufs(struct wlr_renderer *renderer) {
	return gpu.there || __real_arena_gpu_takes_dmabufs(renderer);
}

bool __wrap_arena_gpu_imports(struct wlr_renderer *renderer, struct wlr_buffer *buffer) {
	struct wlr_dmabuf_attributes attributes;
	EXPECT(wlr_buffer_get_dmabuf(buffer, &attributes));
	gpu.n_imports++;
	return gpu.imports;
}

bool __wrap_arena_gpu_reads(struct wlr_renderer *renderer, struct wlr_buffer *buffer,
		const void *pixels, size_t stride) {
	gpu.n_reads++;
	return gpu.reads;
}

int __wrap_arena_gpu_fence(int dmabuf_fd) {
	struct stat info;
	EXPECT(fstat(dmabuf_fd, &info) == 0 && info.st_ino == gpu.dmabuf);
	return gpu.fence_fd != 0 ? fcntl(gpu.fence_fd, F_DUPFD_CLOEXEC, 0) : -1;
}

bool __wrap_fd_is_dmabuf(int fd) {
	struct stat info;
	return gpu.there && fstat(fd, &info) == 0 ? info.st_ino == gpu.dmabuf
						  : __real_fd_is_dmabuf(fd);
}

/* A window over shared memory: other memory before it, then the arena with one buffer. */
struct fixture {
	struct desk desk;
	struct app app;
	struct isthmus_arena_manager_v1 *manager;
	struct isthmus_arena_v1 *arena;
	struct wl_buffer *buffer;
	struct app_window window;
	int fd;
	uint8_t *memory; // all of it
	int n_released, n_told_dmabuf;
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct isthmus_arena_manager_v1 **manager = data;
	if (strcmp(interface, isthmus_arena_manager_v1_interface.name) == 0) {
		EXPECT(*manager == NULL);
		*manager = wl_registry_bind(
				registry, name, &isthmus_arena_manager_v1_interface, 1);
	}
}

static const struct wl_registry_listener registry_listener = {handle_global, IGNORE};

/* NULL: it is not offered. */
static struct isthmus_arena_manager_v1 *bind_manager(struct app *app) {
	struct isthmus_arena_manager_v1 *manager = NULL;
	struct wl_registry *registry = wl_display_get_registry(app->display);
	wl_registry_add_listener(registry, &registry_listener, &manager);
	app_roundtrip(app);
	wl_registry_destroy(registry);
	return manager;
}

static void handle_dmabuf(void *data, struct isthmus_arena_manager_v1 *manager) {
	++*(int *)data;
}

static const struct isthmus_arena_manager_v1_listener manager_listener = {handle_dmabuf};

static void handle_release(void *data, struct wl_buffer *buffer) {
	int *n_released = data;
	++*n_released;
}

static const struct wl_buffer_listener buffer_listener = {.release = handle_release};

static void paint(struct fixture *f, uint32_t argb) {
	for (int y = 0; y < HEIGHT; y++) {
		for (int x = 0; x < WIDTH; x++) {
			uint8_t *pixel = f->memory + ARENA_OFFSET + BUFFER_OFFSET + y * STRIDE +
				x * 4;
			memcpy(pixel, &argb, sizeof(argb));
		}
	}
}

static void show(struct fixture *f) {
	wl_surface_attach(f->window.surface, f->buffer, 0, 0);
	wl_surface_damage_buffer(f->window.surface, 0, 0, WIDTH, HEIGHT);
	wl_surface_commit(f->window.surface);
	app_roundtrip(&f->app);
}

static void fixture_init(struct fixture *f) {
	*f = (struct fixture){0};
	desk_init(&f->desk);
	app_connect(&f->app, &f->desk, "work");
	f->manager = bind_manager(&f->app);
	EXPECT(f->manager != NULL);
	isthmus_arena_manager_v1_add_listener(f->manager, &manager_listener, &f->n_told_dmabuf);
	f->fd = fd_memory(NAME, ARENA_OFFSET + ARENA_SIZE);
	EXPECT(f->fd >= 0);
	f->memory = mmap(NULL, ARENA_OFFSET + ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd,
			0);
	EXPECT(f->memory != MAP_FAILED);
	memset(f->memory, 0x77, ARENA_OFFSET);
	f->arena = isthmus_arena_manager_v1_create_arena(
			f->manager, f->fd, 0, ARENA_OFFSET, ARENA_SIZE);
	f->buffer = isthmus_arena_v1_create_buffer(f->arena, BUFFER_OFFSET, WIDTH, HEIGHT, STRIDE,
			WL_SHM_FORMAT_XRGB8888);
	wl_buffer_add_listener(f->buffer, &buffer_listener, &f->n_released);
	app_window_create(&f->window, &f->app);
	app_roundtrip(&f->app);
}

static void fixture_finish(struct fixture *f) {
	wl_buffer_destroy(f->buffer);
	isthmus_arena_v1_destroy(f->arena);
	isthmus_arena_manager_v1_destroy(f->manager);
	app_disconnect(&f->app);
	desk_finish(&f->desk);
	munmap(f->memory, ARENA_OFFSET + ARENA_SIZE);
	close(f->fd);
}

/* The compositor's mappings of the memory: not the one that this test paints through. */
static int count_mappings(const char *rights) {
	char line[512];
	int count = 0;
	FILE *file = fopen("/proc/self/maps", "r");
	EXPECT(file != NULL);
	while (fgets(line, sizeof(line), file) != NULL) {
		count += strstr(line, NAME) != NULL && strstr(line, rights) != NULL;
	}
	fclose(file);
	return count;
}

static int count_shown(struct fixture *f, uint32_t argb) {
	desk_look(&f->desk);
	struct wlr_box all = {.width = DESK_WIDTH, .height = DESK_HEIGHT};
	return desk_count(&f->desk, argb & 0xffffff, &all, true);
}

static struct wl_buffer *small_buffer(struct fixture *f) {
	return isthmus_arena_v1_create_buffer(f->arena, 0, 1, 1, 4, WL_SHM_FORMAT_XRGB8888);
}

TEST(pixels_in_the_middle_of_a_file_are_shown) {
	struct fixture f;
	fixture_init(&f);
	paint(&f, RED);
	show(&f);
	EXPECT_INT(count_shown(&f, RED), WIDTH * HEIGHT);
	paint(&f, GREEN);
	show(&f);
	EXPECT_INT(count_shown(&f, GREEN), WIDTH * HEIGHT);
	fixture_finish(&f);
}

TEST(only_the_arena_is_mapped_and_only_for_reading) {
	struct fixture f;
	fixture_init(&f);
	EXPECT_INT(count_mappings(" r--s "), 1);
	EXPECT_INT(count_mappings(" rw-s 00000000"), 1); // the test's own
	EXPECT_INT(count_mappings(" r--s 00010000"), 1); // ARENA_OFFSET
	fixture_finish(&f);
}

TEST(connections_share_one_mapping_until_the_last_has_gone) {
	struct fixture f;
	fixture_init(&f);
	struct app other;
	app_connect(&other, &f.desk, "work");
	struct isthmus_arena_manager_v1 *manager = bind_manager(&other);
	struct isthmus_arena_v1 *same = isthmus_arena_manager_v1_create_arena(
			manager, f.fd, 0, ARENA_OFFSET, ARENA_SIZE);
	app_roundtrip(&other);
	EXPECT_INT(count_mappings(" r--s "), 1);
	struct isthmus_arena_v1 *part = isthmus_arena_manager_v1_create_arena(
			manager, f.fd, 0, ARENA_OFFSET, ARENA_SIZE / 2);
	app_roundtrip(&other);
	EXPECT_INT(count_mappings(" r--s "), 2);
	isthmus_arena_v1_destroy(part);
	app_roundtrip(&other);
	EXPECT_INT(count_mappings(" r--s "), 1);

	paint(&f, RED);
	show(&f);
	isthmus_arena_v1_destroy(same);
	isthmus_arena_manager_v1_destroy(manager);
	app_disconnect(&other);
	EXPECT_INT(count_shown(&f, RED), WIDTH * HEIGHT);
	fixture_finish(&f);
	EXPECT_INT(count_mappings(" r--s "), 0);
}

TEST(another_open_file_of_the_same_memory_is_not_taken_for_the_same) {
	struct fixture f;
	fixture_init(&f);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f.fd);
	int other_fd = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT(other_fd >= 0);
	struct isthmus_arena_v1 *other = isthmus_arena_manager_v1_create_arena(
			f.manager, other_fd, 0, ARENA_OFFSET, ARENA_SIZE);
	close(other_fd);
	app_roundtrip(&f.app);
	EXPECT_INT(count_mappings(" r--s "), 2);
	isthmus_arena_v1_destroy(other);
	fixture_finish(&f);
}

TEST(memory_that_goes_away_reads_as_black) {
	struct fixture f;
	fixture_init(&f);
	paint(&f, RED);
	show(&f);
	EXPECT_INT(count_shown(&f, RED), WIDTH * HEIGHT);
	EXPECT_INT(ftruncate(f.fd, 0), 0);
	EXPECT_INT(count_shown(&f, RED), 0);
	EXPECT(count_shown(&f, 0) >= WIDTH * HEIGHT);
	show(&f);
	app_roundtrip(&f.app);
	fixture_finish(&f);
}

TEST(memory_of_wl_shm_and_of_an_arena_may_go_away_together) {
	struct fixture f;
	fixture_init(&f);
	paint(&f, RED);
	show(&f);
	int fd = fd_memory("pool", WIDTH * HEIGHT * 4);
	struct wl_shm_pool *pool = wl_shm_create_pool(f.app.shm, fd, WIDTH * HEIGHT * 4);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(
			pool, 0, WIDTH, HEIGHT, WIDTH * 4, WL_SHM_FORMAT_XRGB8888);
	wl_shm_pool_destroy(pool);
	struct app_window other;
	app_window_create(&other, &f.app);
	wl_surface_attach(other.surface, buffer, 0, 0);
	wl_surface_damage_buffer(other.surface, 0, 0, WIDTH, HEIGHT);
	wl_surface_commit(other.surface);
	app_roundtrip(&f.app);
	for (int i = 0; i < 2; i++) {
		EXPECT(count_shown(&f, 0) > 0);
		EXPECT_INT(ftruncate(i == 0 ? fd : f.fd, 0), 0);
	}
	EXPECT_INT(count_shown(&f, RED), 0);
	wl_buffer_destroy(buffer);
	close(fd);
	fixture_finish(&f);
}

TEST(a_buffer_is_released_when_another_took_its_place) {
	struct fixture f;
	fixture_init(&f);
	show(&f);
	app_window_show(&f.window, WIDTH, HEIGHT, GREEN);
	desk_look(&f.desk);
	app_roundtrip(&f.app);
	EXPECT_INT(f.n_released, 1);
	fixture_finish(&f);
}

TEST(a_shown_buffer_outlives_its_arena_and_its_object) {
	struct fixture f;
	fixture_init(&f);
	paint(&f, RED);
	show(&f);
	isthmus_arena_v1_destroy(f.arena);
	wl_buffer_destroy(f.buffer);
	app_roundtrip(&f.app);
	EXPECT_INT(count_shown(&f, RED), WIDTH * HEIGHT);
	EXPECT_INT(count_mappings(" r--s "), 1);
	f.arena = isthmus_arena_manager_v1_create_arena(
			f.manager, f.fd, 0, ARENA_OFFSET, ARENA_SIZE);
	f.buffer = small_buffer(&f);
	fixture_finish(&f);
}

TEST(a_dmabuf_that_nobody_asked_for_changes_nothing) {
	struct fixture f;
	fixture_init(&f);
	int n_fds = fd_count_open();
	isthmus_arena_v1_add_dmabuf(f.arena, f.fd);
	isthmus_arena_v1_add_dmabuf(f.arena, f.fd);
	wl_buffer_destroy(f.buffer);
	f.buffer = isthmus_arena_v1_create_buffer(f.arena, BUFFER_OFFSET, WIDTH, HEIGHT, STRIDE,
			WL_SHM_FORMAT_XRGB8888);
	paint(&f, RED);
	show(&f);
	EXPECT_INT(count_shown(&f, RED), WIDTH * HEIGHT);
	EXPECT_INT(fd_count_open(), n_fds);
	EXPECT_INT(f.n_told_dmabuf, 0);
	fixture_finish(&f);
}

/* What mapping_add_dmabuf() takes is a dma-buf, by the kernel's word; there is none here. */
TEST(a_mapping_takes_no_file_for_a_dmabuf) {
	int fd = fd_memory("m", 65536), pipes[2];
	EXPECT_INT(pipe2(pipes, O_CLOEXEC), 0);
	struct mapping *mapping = mapping_get(fd, 0, 65536);
	EXPECT(mapping != NULL);
	EXPECT(!mapping_add_dmabuf(mapping, fd));
	EXPECT(!mapping_add_dmabuf(mapping, pipes[0]));
	EXPECT(!mapping_add_dmabuf(mapping, -1));
	EXPECT_INT(mapping_dmabuf(mapping), -1);
	mapping_put(mapping);
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
}

/* With a GPU, whose dma-buf of size bytes the arena gets. */
static void fixture_init_gpu(struct fixture *f, bool imports, bool reads, size_t size) {
	struct stat info;
	gpu = (struct gpu){.there = true, .imports = imports, .reads = reads};
	fixture_init(f);
	EXPECT_INT(f->n_told_dmabuf, 1);
	int fd = fd_memory("dmabuf", size);
	EXPECT_INT(fstat(fd, &info), 0);
	gpu.dmabuf = info.st_ino;
	isthmus_arena_v1_add_dmabuf(f->arena, fd);
	close(fd);
}

static void replace_buffer(struct fixture *f, uint32_t format) {
	wl_buffer_destroy(f->buffer);
	f->buffer = isthmus_arena_v1_create_buffer(f->arena, BUFFER_OFFSET, WIDTH, HEIGHT, STRIDE,
			format);
	app_roundtrip(&f->app);
}

/* As the renderer has it, locked. */
static struct wlr_buffer *lock_buffer(struct fixture *f) {
	struct wlr_buffer *buffer = NULL;
	struct wl_client *wl_client;
	uint32_t id = wl_proxy_get_id((struct wl_proxy *)f->buffer);
	wl_client_for_each(wl_client, wl_display_get_client_list(f->desk.server.display)) {
		struct wl_resource *resource = wl_client_get_object(wl_client, id);
		buffer = resource != NULL ? wlr_buffer_try_from_resource(resource) : buffer;
	}
	EXPECT(buffer != NULL);
	return buffer;
}

/* By the dma-buf, or by the mapping, and never by both. */
static bool is_read_by_gpu(struct fixture *f) {
	struct wlr_buffer *buffer = lock_buffer(f);
	struct wlr_dmabuf_attributes attributes;
	struct wlr_shm_attributes shm;
	void *data;
	size_t stride;
	uint32_t format;
	bool by_gpu = wlr_buffer_get_dmabuf(buffer, &attributes);
	EXPECT_INT(wlr_buffer_get_shm(buffer, &shm), !by_gpu);
	bool mapped = wlr_buffer_begin_data_ptr_access(buffer, WLR_BUFFER_DATA_PTR_ACCESS_READ,
			&data, &format, &stride);
	EXPECT_INT(mapped, !by_gpu);
	if (mapped) {
		wlr_buffer_end_data_ptr_access(buffer);
	} else {
		struct stat info;
		EXPECT(fstat(attributes.fd[0], &info) == 0 && info.st_ino == gpu.dmabuf);
		EXPECT(attributes.n_planes == 1 && attributes.modifier == 0);
		EXPECT(attributes.offset[0] == BUFFER_OFFSET && attributes.stride[0] == STRIDE);
		EXPECT(attributes.width == WIDTH && attributes.height == HEIGHT);
	}
	wlr_buffer_unlock(buffer);
	return by_gpu;
}

TEST(a_gpu_reads_where_it_can) {
	struct fixture f;
	fixture_init_gpu(&f, true, true, ARENA_SIZE);
	app_roundtrip(&f.app);
	EXPECT(!is_read_by_gpu(&f)); // older than the dma-buf
	replace_buffer(&f, WL_SHM_FORMAT_XRGB8888);
	EXPECT(is_read_by_gpu(&f));
	replace_buffer(&f, WL_SHM_FORMAT_ARGB8888);
	EXPECT(is_read_by_gpu(&f));
	EXPECT(gpu.n_imports == 2 && gpu.n_reads == 1); // once for all of the arena's
	replace_buffer(&f, WL_SHM_FORMAT_RGB565);
	EXPECT(!is_read_by_gpu(&f));
	EXPECT_INT(f.n_released, 0);
	fixture_finish(&f);
}

/* This renderer has no GPU: it lets go of what it cannot import as if it had been shown. */
TEST(a_buffer_is_released_when_the_gpu_has_read_it) {
	struct fixture f;
	int fence[2];
	fixture_init_gpu(&f, true, true, ARENA_SIZE);
	EXPECT_INT(pipe2(fence, O_CLOEXEC), 0);
	replace_buffer(&f, WL_SHM_FORMAT_XRGB8888);
	wl_buffer_add_listener(f.buffer, &buffer_listener, &f.n_released);
	show(&f);
	app_roundtrip(&f.app);
	EXPECT_INT(f.n_released, 1); // nothing was under way
	gpu.fence_fd = fence[0];
	show(&f);
	app_roundtrip(&f.app);
	EXPECT_INT(f.n_released, 1);
	struct wlr_buffer *used = lock_buffer(&f); // committed again, say, before it was released
	EXPECT_INT(write(fence[1], "", 1), 1);
	app_roundtrip(&f.app);
	app_roundtrip(&f.app);
	EXPECT_INT(f.n_released, 1);
	wlr_buffer_unlock(used);
	app_roundtrip(&f.app);
	app_roundtrip(&f.app);
	EXPECT_INT(f.n_released, 2);
	int empty[2];
	EXPECT_INT(pipe2(empty, O_CLOEXEC), 0);
	gpu.fence_fd = empty[0];
	show(&f);
	fixture_finish(&f); // with one that never comes
	for (int i = 0; i < 2; i++) {
		close(fence[i]);
		close(empty[i]);
	}
}

/* Another application's arena over the same mapping has it as well. */
TEST(a_dmabuf_belongs_to_the_mapping) {
	struct fixture f;
	fixture_init_gpu(&f, true, true, ARENA_SIZE);
	struct isthmus_arena_v1 *first = f.arena;
	f.arena = isthmus_arena_manager_v1_create_arena(
			f.manager, f.fd, 0, ARENA_OFFSET, ARENA_SIZE);
	isthmus_arena_v1_destroy(first);
	replace_buffer(&f, WL_SHM_FORMAT_XRGB8888);
	EXPECT(is_read_by_gpu(&f));
	fixture_finish(&f);
}

static void expect_shown(struct fixture *f, uint32_t argb) {
	paint(f, argb);
	show(f);
	EXPECT_INT(count_shown(f, argb), WIDTH * HEIGHT);
}

TEST(a_buffer_that_a_gpu_refuses_is_mapped) {
	struct fixture f;
	fixture_init_gpu(&f, false, true, ARENA_SIZE);
	replace_buffer(&f, WL_SHM_FORMAT_XRGB8888);
	EXPECT(!is_read_by_gpu(&f));
	expect_shown(&f, RED);
	EXPECT(gpu.n_imports == 1 && gpu.n_reads == 0);
	gpu.imports = true; // another shape, say
	replace_buffer(&f, WL_SHM_FORMAT_XRGB8888);
	EXPECT(is_read_by_gpu(&f));
	gpu.imports = false;
	replace_buffer(&f, WL_SHM_FORMAT_XRGB8888);
	EXPECT(!is_read_by_gpu(&f));
	expect_shown(&f, GREEN);
	fixture_finish(&f);
}

TEST(a_gpu_that_reads_something_else_is_not_asked_again) {
	struct fixture f;
	fixture_init_gpu(&f, true, false, ARENA_SIZE);
	replace_buffer(&f, WL_SHM_FORMAT_XRGB8888);
	EXPECT(!is_read_by_gpu(&f));
	expect_shown(&f, RED);
	gpu.reads = true;
	replace_buffer(&f, WL_SHM_FORMAT_XRGB8888);
	EXPECT(!is_read_by_gpu(&f));
	expect_shown(&f, GREEN);
	EXPECT(gpu.n_imports == 1 && gpu.n_reads == 1);
	fixture_finish(&f);
}

TEST(a_dmabuf_that_is_smaller_than_its_arena_is_not_read) {
	struct fixture f;
	fixture_init_gpu(&f, true, true, ARENA_SIZE - 4096);
	replace_buffer(&f, WL_SHM_FORMAT_XRGB8888);
	EXPECT(!is_read_by_gpu(&f));
	EXPECT_INT(gpu.n_imports, 0);
	expect_shown(&f, RED);
	fixture_finish(&f);
}

TEST(a_local_client_has_no_arenas) {
	struct desk desk;
	struct app app;
	desk_init(&desk);
	app_connect(&app, &desk, "");
	EXPECT(bind_manager(&app) == NULL);
	app_disconnect(&app);
	desk_finish(&desk);
}

/* The error that a buffer of this shape is. */
static int buffer_error(uint32_t offset, int width, int height, int stride, uint32_t format) {
	struct fixture f;
	fixture_init(&f);
	wl_buffer_destroy(isthmus_arena_v1_create_buffer(
			f.arena, offset, width, height, stride, format));
	int error = app_error(&f.app);
	fixture_finish(&f);
	return error;
}

TEST(a_buffer_lies_inside_its_arena) {
	const uint32_t xrgb = WL_SHM_FORMAT_XRGB8888;
	const int bad_place = ISTHMUS_ARENA_V1_ERROR_BAD_PLACE;
	EXPECT_INT(buffer_error(ARENA_SIZE - 40, 10, 1, 40, xrgb), -1);
	EXPECT_INT(buffer_error(ARENA_SIZE - 36, 10, 1, 40, xrgb), bad_place);
	EXPECT_INT(buffer_error(0, 10, ARENA_SIZE / 64, 64, xrgb), -1);
	EXPECT_INT(buffer_error(0, 10, ARENA_SIZE / 64 + 1, 64, xrgb), bad_place);
	EXPECT_INT(buffer_error(0xfffffffc, 1, 1, 4, xrgb), bad_place);
	EXPECT_INT(buffer_error(0, 0x7fffffff, 2, 0x7ffffffc, xrgb), bad_place);
	const int wide = LIMIT_BUFFER_SIDE_PX + 1;
	EXPECT_INT(buffer_error(0, wide, 1, 4 * wide, xrgb), bad_place);
	EXPECT_INT(buffer_error(0, 0, 1, 4, xrgb), bad_place);
	EXPECT_INT(buffer_error(0, 1, -1, 4, xrgb), bad_place);
	EXPECT_INT(buffer_error(0, 1, 1, -4, xrgb), bad_place);
	EXPECT_INT(buffer_error(0, 1, 1, 0, xrgb), bad_place);
	EXPECT_INT(buffer_error(0, 10, 10, 36, xrgb), bad_place);
	EXPECT_INT(buffer_error(0, 10, 10, 42, xrgb), bad_place);
	EXPECT_INT(buffer_error(2, 10, 10, 40, xrgb), bad_place);
}

TEST(a_buffer_has_a_format_that_wl_shm_offers) {
	const int bad_format = ISTHMUS_ARENA_V1_ERROR_BAD_FORMAT;
	EXPECT_INT(buffer_error(0, 10, 10, 40, WL_SHM_FORMAT_ARGB8888), -1);
	EXPECT_INT(buffer_error(0, 10, 10, 40, WL_SHM_FORMAT_RGB565), -1);
	EXPECT_INT(buffer_error(0, 10, 10, 40, WL_SHM_FORMAT_NV12), bad_format);
	EXPECT_INT(buffer_error(0, 10, 10, 40, WL_SHM_FORMAT_Y410), bad_format);
	EXPECT_INT(buffer_error(0, 10, 10, 40, 0x12345678), bad_format);
}

/* The error that an arena over fd is; owns fd. */
static int arena_error(int fd, uint32_t offset_hi, uint32_t offset_lo, uint32_t size) {
	struct fixture f;
	fixture_init(&f);
	EXPECT(fd >= 0);
	isthmus_arena_v1_destroy(isthmus_arena_manager_v1_create_arena(
			f.manager, fd, offset_hi, offset_lo, size));
	close(fd);
	int error = app_error(&f.app);
	fixture_finish(&f);
	return error;
}

TEST(an_arena_lies_inside_memory_that_may_be_mapped) {
	const int bad_memory = ISTHMUS_ARENA_MANAGER_V1_ERROR_BAD_MEMORY;
	int pipes[2];
	EXPECT_INT(pipe2(pipes, O_CLOEXEC), 0);
	EXPECT_INT(arena_error(fd_memory("m", 131072), 0, 65536, 65536), -1);
	EXPECT_INT(arena_error(fd_memory("m", 131072), 0, 65536, 65537), bad_memory);
	EXPECT_INT(arena_error(fd_memory("m", 131072), 0, 100, 4096), bad_memory);
	EXPECT_INT(arena_error(fd_memory("m", 131072), 1, 0, 4096), bad_memory);
	EXPECT_INT(arena_error(fd_memory("m", 131072), 0xffffffff, 0xfffff000, 4096), bad_memory);
	EXPECT_INT(arena_error(fd_memory("m", 131072), 0, 0, 0), bad_memory);
	EXPECT_INT(arena_error(fd_memory("m", 131072), 0, 0, 0x80000000), bad_memory);
	EXPECT_INT(arena_error(pipes[0], 0, 0, 4096), bad_memory);
	close(pipes[1]);
	// On a file system that may keep its readers waiting, for all that is known.
	EXPECT_INT(arena_error(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), 0, 0, 4096),
		bad_memory);
}

TEST(a_vm_has_so_many_arenas_and_buffers_and_no_more) {
	struct fixture f;
	fixture_init(&f);
	struct vm *vm = vms_find(f.desk.server.vms, "work");
	struct wl_buffer *buffers[LIMIT_BUFFERS_PER_LINK];
	int count = 0;
	for (int i = 2; i < LIMIT_BUFFERS_PER_LINK; i++) {
		buffers[count++] = small_buffer(&f);
		if (i % 64 == 0) {
			wl_buffer_destroy(buffers[--count]); // makes room again
			buffers[count++] = small_buffer(&f);
			app_roundtrip(&f.app);
		}
	}
	EXPECT_INT(app_error(&f.app), -1);
	EXPECT_INT(vm->n_arena_objects, LIMIT_BUFFERS_PER_LINK);
	buffers[count++] = small_buffer(&f);
	EXPECT_INT(app_error(&f.app), ISTHMUS_ARENA_V1_ERROR_LIMIT);
	EXPECT_INT(vm->n_arena_objects, 0); // its connection ended
	while (count > 0) {
		wl_buffer_destroy(buffers[--count]);
	}
	fixture_finish(&f);
}
