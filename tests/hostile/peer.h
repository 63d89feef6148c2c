/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_HOSTILE_PEER_H
#define ISTHMUS_TESTS_HOSTILE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/link.h"
#include "tests/hostile/compositor.h"
#include "transport/pages.h"

struct transport;
struct vchan;
struct wl_event_loop;
struct wl_event_source;

/*
 * A VM that does as it likes: the appvm end of a real transport, writing whatever bytes a test
 * wants to a real guivm-relay process, which stands in front of the test's own compositor.
 */
struct peer {
	struct test_compositor compositor;
	struct wl_event_loop *loop;
	struct wl_event_source *compositor_source; // runs the compositor's loop
	pid_t relay;
	char spec[160];
	struct transport *transport;
	struct vchan *vchan;
	struct pages *pages; // NULL when the transport has none
	uint8_t in[4 * LIMIT_LINK_FRAME_BYTES];
	size_t in_bytes;
	int relay_fds; // open in the relay while no peer was connected
};

enum peer_mode {
	PEER_HANDOVER,
	PEER_ARENA,
	PEER_MANAGED, // handover, and the compositor offers isthmus_relay_v1
};

/* Starts compositor and relay, connects and exchanges hellos. */
void peer_start(struct peer *peer, enum peer_mode mode);

/* Ends everything. The relay must have lived until here, and must end by itself when the compositor
 * goes. */
void peer_stop(struct peer *peer);

/* After the relay ended the link, or when the peer wants to vanish: lets go, waits until the relay
 * is as it was before (the same number of descriptors), connects again. Proves that the relay takes
 * the next peer. */
void peer_reconnect(struct peer *peer);

void peer_disconnect(struct peer *peer);
void peer_connect(struct peer *peer);

/* Sends a frame; the body must be a multiple of 4. */
void peer_send(struct peer *peer, enum link_type type, uint32_t client, uint32_t arg,
		const void *body, size_t size);
void peer_send_bytes(struct peer *peer, const void *bytes, size_t size);

/* One Wayland request in a LINK_WAYLAND of its own. */
void peer_request(struct peer *peer, uint32_t client, uint32_t object, uint16_t opcode,
		const uint32_t *words, size_t n_words);
#define peer_call(peer, client, object, opcode, ...) \
	peer_request(peer, client, object, opcode, (const uint32_t[]){__VA_ARGS__}, \
			sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
#define peer_call0(peer, client, object, opcode) peer_request(peer, client, object, opcode, NULL, 0)

/* Waits for a frame; other frames are dropped. The body is copied out, at most size bytes. Returns
 * arg. */
uint32_t peer_wait(
		struct peer *peer, enum link_type type, uint32_t client, void *body, size_t size);

/* The relay has handled all that was sent, and did not say LINK_CLIENT_CLOSE for the client. */
void peer_expect_not_closed(struct peer *peer, uint32_t client);

/* Waits for a Wayland event and returns its first argument word; other events are dropped. */
uint32_t peer_wait_event(struct peer *peer, uint32_t client, uint32_t object, uint16_t opcode);

/*
 * Waits for the delete_id of an object of this client. libwayland sends it with the next event
 * only, so this asks for one, with sync_id, which must be free.
 */
void peer_wait_delete_id(struct peer *peer, uint32_t client, uint32_t object, uint32_t sync_id);

/* The relay must end the link, and say why. */
void peer_expect_bye(struct peer *peer, enum link_bye reason);

/* The application must get a wl_display.error with this code and lose its connection; the link must
 * go on. */
void peer_expect_app_error(struct peer *peer, uint32_t client, uint32_t code);

/* Nothing happened to the link: it answers. Uses up client id 999. */
void peer_expect_alive(struct peer *peer);

/* Opens the client, binds wl_compositor as object 3 (registry: 2) and waits for the answer. */
void peer_open_app(struct peer *peer, uint32_t client);

/* Binds the global of that name as object id, by a registry of its own, which must be free too. */
void peer_bind(struct peer *peer, uint32_t client, uint32_t registry, const char *interface,
		uint32_t version, uint32_t id);

/* Whether the client is shown such a global; registry and registry + 1 must be free. */
bool peer_sees_global(
		struct peer *peer, uint32_t client, uint32_t registry, const char *interface);

/* One request with one descriptor. */
void peer_request_fd(struct peer *peer, uint32_t client, const struct link_fd *fd,
		uint32_t object, uint16_t opcode, const uint32_t *words, size_t n_words);

/* Dispatches once, waiting for something to happen. */
void peer_turn(struct peer *peer);

/* Runs the loop until *value is expected. */
void peer_wait_value(struct peer *peer, const unsigned *value, unsigned expected);

/* Stops (starts) the compositor: it reads nothing from its clients. */
void peer_freeze_compositor(struct peer *peer, bool frozen);

/* Open descriptors of the relay. */
int peer_count_relay_fds(const struct peer *peer);

#endif
