/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_RELEASE_H
#define ISTHMUS_GUIVM_SERVER_RELEASE_H

struct releases;
struct server;

/*
 * Keeps wl_buffer.release from waking clients by itself. A client that draws at the pace of its
 * frame callbacks draws nothing before the next one: a release at the commit only wakes it, and a
 * relay, and a VM, once more per frame. So the buffer that a commit replaced stays locked until
 * the frame callback goes out, in the same write. A client that commits without asking for a
 * callback, or before the last one came, gets its releases at once, and so does one whose renderer
 * had copied the buffer.
 */
/* NULL: out of memory. */
struct releases *releases_create(struct server *server);
void releases_destroy(struct releases *releases);

/* To be called before frame callbacks are sent. */
void releases_handle_frame(struct releases *releases);

#endif
