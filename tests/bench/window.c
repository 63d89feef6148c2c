/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "tests/harness/ignore.h"
#include "xdg-shell-client-protocol.h"

uint64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

_Noreturn void die(const char *what) {
	fprintf(stderr, "isthmus-bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

void bench_dispatch(struct bench *bench) {
	if (wl_display_dispatch(bench->display) < 0) {
		die("the compositor ended the connection");
	}
}

static void handle_ping(void *data, struct xdg_wm_base *shell, uint32_t serial) {
	xdg_wm_base_pong(shell, serial);
}

static const struct xdg_wm_base_listener shell_listener = {.ping = handle_ping};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct bench *bench = data;
	if (strcmp(interface, wl_compositor_interface.name) == 0) {
		bench->compositor = wl_registry_bind(registry, name, &wl_compositor_interface, 4);
	} else if (strcmp(interface, wl_shm_interface.name) == 0) {
		bench->shm = wl_registry_bind(registry, name, &wl_shm_interface, 1);
	} else if (strcmp(interface, xdg_wm_base_interface.name) == 0) {
		bench->shell = wl_registry_bind(registry, name, &xdg_wm_base_interface, 1);
		xdg_wm_base_add_listener(bench->shell, &shell_listener, bench);
	} else if (strcmp(interface, wl_seat_interface.name) == 0) {
		bench->seat = wl_registry_bind(registry, name, &wl_seat_interface, 1);
	} else if (strcmp(interface, wl_data_device_manager_interface.name) == 0) {
		bench->data_devices = wl_registry_bind(
				registry, name, &wl_data_device_manager_interface, 3);
	}
}

static const struct wl_registry_listener registry_listener = {
		.global = handle_global,
		.global_remove = IGNORE,
};

void bench_connect(struct bench *bench) {
	bench->display = wl_display_connect(NULL);
	if (bench->display == NULL) {
		die("no compositor");
	}
	struct wl_registry *registry = wl_display_get_registry(bench->display);
	wl_registry_add_listener(registry, &registry_listener, bench);
	wl_display_roundtrip(bench->display);
	wl_registry_destroy(registry);
	if (bench->compositor == NULL || bench->shm == NULL || bench->shell == NULL) {
		errno = ENOPROTOOPT;
		die("wl_compositor, wl_shm or xdg_wm_base is missing");
	}
}

static void handle_release(void *data, struct wl_buffer *wl_buffer) {
	struct buffer *buffer = data;
	buffer->busy = false;
}

static const struct wl_buffer_listener buffer_listener = {.release = handle_release};

static size_t buffer_bytes(const struct bench *bench) {
	return (size_t)bench->width * 4 * (size_t)bench->height;
}

static void buffer_init(struct bench *bench, struct buffer *buffer) {
	size_t size = buffer_bytes(bench);
	int fd = fd_memory("bench", size);
	if (fd < 0 || (bench->sealed && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)) {
		die("memory");
	}
	buffer->pixels = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (buffer->pixels == MAP_FAILED) {
		die("mmap");
	}
	struct wl_shm_pool *pool = wl_shm_create_pool(bench->shm, fd, (int32_t)size);
	buffer->buffer = wl_shm_pool_create_buffer(pool, 0, bench->width, bench->height,
			bench->width * 4, WL_SHM_FORMAT_XRGB8888);
	wl_buffer_add_listener(buffer->buffer, &buffer_listener, buffer);
	wl_shm_pool_destroy(pool);
	close(fd);
}

static void buffer_finish(struct bench *bench, struct buffer *buffer) {
	wl_buffer_destroy(buffer->buffer);
	munmap(buffer->pixels, buffer_bytes(bench));
	*buffer = (struct buffer){0};
}

static void handle_xdg_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	struct window *window = data;
	xdg_surface_ack_configure(xdg_surface, serial);
	window->configured = true;
}

static const struct xdg_surface_listener xdg_surface_listener = {.configure = handle_xdg_configure};

static void handle_toplevel_close(void *data, struct xdg_toplevel *toplevel) {
	exit(1);
}

static const struct xdg_toplevel_listener toplevel_listener = {
		.configure = IGNORE,
		.close = handle_toplevel_close,
};

static void handle_frame(void *data, struct wl_callback *callback, uint32_t time) {
	struct window *window = data;
	struct bench *bench = window->bench;
	wl_callback_destroy(callback);
	window->waiting = false;
	if (bench->frames < bench->n_samples) {
		bench->samples_us[bench->frames] = (double)(now_ns() - window->committed_ns) / 1000;
	}
	bench->frames++;
}

static const struct wl_callback_listener frame_listener = {.done = handle_frame};

static struct buffer *free_buffer(struct window *window) {
	for (int i = 0; i < BUFFERS_PER_WINDOW; i++) {
		if (!window->buffers[i].busy) {
			return &window->buffers[i];
		}
	}
	return NULL;
}

/* Whole rows of one colour: cheap, so that the client is not what is measured. */
static void draw(const struct bench *bench, struct buffer *buffer, uint32_t number) {
	int x = (bench->width - bench->damage_width) / 2;
	int y = (bench->height - bench->damage_height) / 2;
	for (int row = 0; row < bench->damage_height; row++) {
		memset(buffer->pixels + (size_t)(y + row) * (size_t)bench->width + x,
				(int)(number + (uint32_t)row), (size_t)bench->damage_width * 4);
	}
}

bool window_commit_frame(struct window *window, uint32_t number) {
	struct bench *bench = window->bench;
	struct buffer *buffer = free_buffer(window);
	if (buffer == NULL) {
		bench->stalls++;
		return false;
	}
	if (bench->buffer_per_frame) {
		if (buffer->buffer != NULL) {
			buffer_finish(bench, buffer);
		}
		buffer_init(bench, buffer);
	} else if (buffer->buffer == NULL) {
		buffer_init(bench, buffer);
	}
	if (bench->draw != NULL) {
		bench->draw(window, buffer->pixels, number);
	} else {
		draw(bench, buffer, number);
	}
	wl_surface_attach(window->surface, buffer->buffer, 0, 0);
	wl_surface_damage_buffer(window->surface, (bench->width - bench->damage_width) / 2,
			(bench->height - bench->damage_height) / 2, bench->damage_width,
			bench->damage_height);
	wl_callback_add_listener(wl_surface_frame(window->surface), &frame_listener, window);
	window->committed_ns = now_ns();
	wl_surface_commit(window->surface);
	buffer->busy = true;
	window->waiting = true;
	return true;
}

void window_init(struct bench *bench, struct window *window) {
	window->bench = bench;
	window->surface = wl_compositor_create_surface(bench->compositor);
	window->xdg_surface = xdg_wm_base_get_xdg_surface(bench->shell, window->surface);
	xdg_surface_add_listener(window->xdg_surface, &xdg_surface_listener, window);
	window->toplevel = xdg_surface_get_toplevel(window->xdg_surface);
	xdg_toplevel_add_listener(window->toplevel, &toplevel_listener, window);
	xdg_toplevel_set_title(window->toplevel, "bench");
	xdg_toplevel_set_app_id(window->toplevel, "isthmus-bench");
	wl_surface_commit(window->surface);
	while (!window->configured) {
		bench_dispatch(bench);
	}
}

void wait_for_driver(const char *word) {
	printf("%s\n", word);
	fflush(stdout);
	char line[16];
	if (fgets(line, sizeof(line), stdin) == NULL) {
		exit(1);
	}
}
