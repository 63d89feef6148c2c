/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_BENCH_WINDOW_H
#define ISTHMUS_TESTS_BENCH_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-client.h>

/* Windows of a measured client: plain libwayland, drawn by memset (unless told), to cost little. */

#define MAX_WINDOWS 64
#define BUFFERS_PER_WINDOW 3

struct buffer {
	struct wl_buffer *buffer;
	uint32_t *pixels;
	bool busy;
};

struct window {
	struct bench *bench;
	struct wl_surface *surface;
	struct xdg_surface *xdg_surface;
	struct xdg_toplevel *toplevel;
	struct buffer buffers[BUFFERS_PER_WINDOW];
	bool configured;
	bool waiting; // for the frame callback of the last commit
	uint64_t committed_ns;
};

struct bench {
	struct wl_display *display;
	struct wl_compositor *compositor;
	struct wl_shm *shm;
	struct wl_seat *seat; // bound without listeners
	struct wl_data_device_manager *data_devices;
	struct xdg_wm_base *shell;
	const char *load;
	int width, height, damage_width, damage_height;
	int n_windows;
	bool buffer_per_frame;
	bool sealed; // buffers cannot shrink, as most toolkits' cannot
	/* Fills the whole buffer for that frame number; NULL: rows of one colour where damaged. */
	void (*draw)(struct window *window, uint32_t *pixels, uint32_t number);
	uint32_t count;
	struct window windows[MAX_WINDOWS];
	uint32_t frames; // done
	double *samples_us; // commit to frame callback, or round trips
	uint32_t n_samples;
	uint64_t stalls; // no buffer was free
};

uint64_t now_ns(void);
/* Says what failed, with errno, and ends the process. */
_Noreturn void die(const char *what);

/* Connects and binds what a client needs, or dies. */
void bench_connect(struct bench *bench);
void bench_dispatch(struct bench *bench);

/* Maps no content yet. Waits for the configure event. */
void window_init(struct bench *bench, struct window *window);

/* Draws number as a colour, and commits it with a frame callback. false: no buffer is free. */
bool window_commit_frame(struct window *window, uint32_t number);

/* Says word to the driver and waits for a line from it. */
void wait_for_driver(const char *word);

#endif
