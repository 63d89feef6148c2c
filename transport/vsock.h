/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_VSOCK_H
#define ISTHMUS_TRANSPORT_VSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wl_event_loop;
struct wl_event_source;

/* How two machines find each other over vsock(7): the GUI side listens, the other connects. */

/* CID:PORT, the other machine's CID; or any:PORT, where cid is VMADDR_CID_ANY. */
struct vsock_address {
	unsigned cid, port;
};

/* One line in error, which begins with what, the part of a spec that text is in. */
bool vsock_parse(const char *text, const char *what, struct vsock_address *address, char *error,
		size_t error_size);

/* Listens at the port for any machine. -1 with one line in error. Non-blocking, close-on-exec. */
int vsock_listen(const struct vsock_address *address, char *error, size_t error_size);

/* accept4(2) on a listening descriptor. A connection of another machine than address names is
 * refused: -1 with errno ECONNABORTED, and a line in the log. -1 with errno otherwise too. */
int vsock_accept(int listen_fd, const struct vsock_address *address);

/* Connects as soon as the other machine listens. A plain member of its owner's struct. */
struct vsock_search {
	struct wl_event_loop *loop;
	struct vsock_address address;
	/* fd is the connected socket, now the callee's, or -1 with errno when looking further makes
	 * no sense. Called from the event loop; the search has ended by then. */
	void (*found)(int fd, void *data);
	void *data;
	int fd; // connecting; -1
	int retry_ms;
	int64_t found_ms; // when the last one was found; 0: none yet
	struct wl_event_source *source, *retry, *idle;
};

void vsock_search_init(struct vsock_search *search, struct wl_event_loop *loop,
		void (*found)(int fd, void *data), void *data);
/* Starts the search unless it is on. What was found a moment ago and is lost already is searched
 * for less and less often. false with errno. */
bool vsock_search_start(struct vsock_search *search);
/* Ends it. Harmless when it is not on. */
void vsock_search_stop(struct vsock_search *search);

#endif
