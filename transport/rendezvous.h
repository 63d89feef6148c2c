/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_RENDEZVOUS_H
#define ISTHMUS_TRANSPORT_RENDEZVOUS_H

#include <stdbool.h>
#include <stddef.h>

struct wl_event_loop;
struct wl_event_source;

/*
 * How two processes that start in any order find each other at a unix socket's path. The listener's
 * name appears by rename(2), only once connecting to it works; the other end watches the folder by
 * inotify, so nobody polls.
 */

/* false, with one line in error, when path is too long for a unix socket. */
bool rendezvous_path_check(const char *path, char *error, size_t error_size);

/*
 * A listening socket at path, or -1 with one line in error. A name that no process listens at any
 * more is replaced; one that somebody listens at is an error. Non-blocking, close-on-exec.
 */
int rendezvous_listen(const char *path, char *error, size_t error_size);

/* Looks for the listener at path. A plain member of its owner's struct. */
struct rendezvous {
	struct wl_event_loop *loop;
	const char *path; // borrowed
	/* fd is the connected socket, now the callee's, or -1 with errno when looking further makes
	 * no sense. Called from the event loop; the search has ended by then. */
	void (*found)(int fd, void *data);
	void *data;
	int inotify_fd, watch; // -1 when idle
	char *prefix; // the folder that is watched, part of path; owned
	struct wl_event_source *source, *idle;
};

void rendezvous_init(struct rendezvous *rendezvous, struct wl_event_loop *loop, const char *path,
		void (*found)(int fd, void *data), void *data);
/* Starts the search unless it is on. false with errno (inotify instances are out). */
bool rendezvous_start(struct rendezvous *rendezvous);
/* Ends it. Harmless when it is not on. */
void rendezvous_stop(struct rendezvous *rendezvous);

#endif
