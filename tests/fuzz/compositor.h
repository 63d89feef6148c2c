/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_FUZZ_COMPOSITOR_H
#define ISTHMUS_TESTS_FUZZ_COMPOSITOR_H

#include <stdint.h>

struct wl_display;

/*
 * The least that libwayland-server needs to take any request of the allow-list: every allowed
 * global, objects that appear and go as the protocols say, wl_shm for real, wl_buffer.release at
 * each commit and wl_callback.done at once. Counts requests in fuzz_accepted. The program must
 * export wayland-scanner's symbols.
 */
struct wl_display *compositor_create(void);
void compositor_destroy(struct wl_display *display);

/* Each global's name: known beforehand, so that seeds can bind it. 0: there is none. */
uint32_t compositor_global_name(const char *interface);

#endif
