/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_BRIDGE_PIPES_H
#define ISTHMUS_BRIDGE_PIPES_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/link.h"

struct link;
struct wl_event_loop;

/*
 * Pipes across a link (clipboard, drag and drop): see LINK_PIPE_DATA. Bounded memory per pipe
 * (LIMIT_PIPE_WINDOW_BYTES), back-pressure end to end, no pipe delays another or the Wayland
 * messages.
 */
struct pipe_set;

struct pipe_set *pipe_set_create(struct wl_event_loop *loop, struct link *link, enum link_end end);
/* Closes all; does not send. NULL is legal. */
void pipe_set_destroy(struct pipe_set *set);

/*
 * Exporter, for an application: takes over fd, a write end; checks that it is a pipe or socket open
 * for writing. *id names it in a struct link_fd. false with errno (EBADF: not such a descriptor;
 * ENFILE: LIMIT_PIPES_PER_LINK, or the application's share of them), fd is then still the caller's.
 */
bool pipe_set_export(struct pipe_set *set, uint32_t client, int fd, uint32_t *id);

/*
 * Importer: makes a pipe under the peer's id and gives out its write end, the caller's. -1 with
 * errno: EPROTO when the id is in use or not the peer's to choose (the link must fail), else a
 * resource error (the pipe was refused: the peer is told by LINK_PIPE_CLOSE).
 */
int pipe_set_import(struct pipe_set *set, uint32_t untrusted_id);

/* LINK_PIPE_DATA, LINK_PIPE_CREDIT, LINK_PIPE_CLOSE. Calls link_fail() on what is not valid. */
void pipe_set_handle_frame(struct pipe_set *set, const struct link_frame *frame);

/* The link has room again. */
void pipe_set_handle_writable(struct pipe_set *set);

uint32_t pipe_set_count(const struct pipe_set *set);

#endif
