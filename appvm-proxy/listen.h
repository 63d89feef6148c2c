/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_LISTEN_H
#define ISTHMUS_APPVM_PROXY_LISTEN_H

#include <stddef.h>

struct wl_event_loop;

/* The Wayland socket that applications connect to. */
struct listener;

/* Takes the connected descriptor over. */
typedef void (*listener_func_t)(int fd, void *data);

/*
 * Listens on the descriptor of socket activation (LISTEN_FDS, LISTEN_PID; sd_listen_fds(3)) where
 * this process was given one (more are an error); its path stays at the end. Else on display: an
 * absolute path, or a name in XDG_RUNTIME_DIR, locked by NAME.lock as libwayland does; NULL: the
 * first free of wayland-isthmus-0 to 31. On failure returns NULL and writes one line of text into
 * error.
 */
struct listener *listener_create(struct wl_event_loop *loop, const char *display,
		listener_func_t accepted, void *data, char *error, size_t error_size);

/* Removes what it made. NULL is legal. */
void listener_destroy(struct listener *listener);

/* What to put into WAYLAND_DISPLAY. */
const char *listener_display(const struct listener *listener);

#endif
