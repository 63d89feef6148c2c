/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/relay_bench.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/log.h"
#include "guivm-server/relay/relay.h"
#include "guivm-server/relay/upstream.h"
#include "protocol/link.h"
#include "tests/fuzz/compositor.h"
#include "tests/fuzz/fuzz.h"
#include "transport/pages.h"
#include "transport/transport.h"
#include "transport/vchan.h"

static bool takes_dmabufs;

/* The compositor's side of upstream.h: connections made as guivm-server makes them. */
struct upstream {
	struct wl_display *display;
};

int upstream_connect(struct upstream *upstream) {
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
		return -1;
	}
	if (wl_client_create(upstream->display, ends[1]) == NULL) {
		close(ends[0]);
		close(ends[1]);
		return -1;
	}
	return ends[0];
}

bool upstream_needs_title_prefix(const struct upstream *upstream) {
	return true;
}

bool upstream_connects(const struct upstream *upstream) {
	return false;
}

bool upstream_maps_arenas(const struct upstream *upstream) {
	return true;
}

bool upstream_takes_dmabufs(const struct upstream *upstream) {
	return takes_dmabufs;
}

struct isthmus_arena_v1 *upstream_hold(
		struct upstream *upstream, const struct pages_mapping *mapping) {
	return NULL;
}

void upstream_let_go(struct upstream *upstream, struct isthmus_arena_v1 *held) {
}

void upstream_set_state(struct upstream *upstream, enum upstream_state state, uint32_t reason) {
}

void upstream_launch_result(struct upstream *upstream, uint32_t serial, uint32_t status,
		uint32_t detail) {
}

static char directory[] = "/tmp/isthmus-fuzz-XXXXXX";
static struct wl_display *display;
static struct wl_event_loop *loop;
static struct upstream upstream;
static struct transport *guivm_transport, *appvm_transport;
static struct relay relay;

/* Dispatches until nothing is left to do now. Ends: the input is finite, so are the answers. Idle
 * sources, which flush at the end of a turn, run in the next. */
static void settle(void) {
	struct pollfd poll_fd = { .fd = wl_event_loop_get_fd(loop), .events = POLLIN };
	for (int quiet = 0; quiet < 2; quiet++) {
		wl_event_loop_dispatch(loop, 0);
		wl_display_flush_clients(display);
		if (poll(&poll_fd, 1, 0) > 0) {
			quiet = -1;
		}
	}
}

static void handle_vchan(struct vchan *vchan, void *data) {
	uint8_t bytes[4096];
	while (vchan_read(vchan, bytes, sizeof(bytes)) > 0) {
	}
}

static struct transport *open_transport(enum transport_role role) {
	char spec[128], error[200];
	snprintf(spec, sizeof(spec), "local:%s/vm,pixels=arena", directory);
	struct transport *transport = transport_open(loop, spec, role, error, sizeof(error));
	if (transport == NULL) {
		fprintf(stderr, "%s\n", error);
		abort();
	}
	return transport;
}

void relay_bench_stop(void) {
	relay_finish(&relay);
	transport_close(appvm_transport);
	transport_close(guivm_transport);
	compositor_destroy(display);
	display = NULL;
	char path[sizeof(directory) + 3];
	snprintf(path, sizeof(path), "%s/vm", directory);
	if (rmdir(path) < 0 || rmdir(directory) < 0) {
		perror(directory);
	}
}

void relay_bench_start(void) {
	FUZZ_CHECK(mkdtemp(directory) != NULL);
	log_set_level(LOG_LEVEL_ERROR);
	display = compositor_create();
	loop = wl_display_get_event_loop(display);
	upstream.display = display;
	guivm_transport = open_transport(TRANSPORT_GUIVM);
	appvm_transport = open_transport(TRANSPORT_APPVM);
	static const struct relay_options options = { "fuzz", 16 * 1024 * 1024, 8 };
	relay_init(&relay, &options, loop, guivm_transport);
	relay_set_upstream(&relay, &upstream);
	FUZZ_CHECK(relay_start(&relay));
	settle();
}

bool relay_bench_running(void) {
	return display != NULL;
}

struct wl_display *relay_bench_display(void) {
	return display;
}

void relay_bench_take_dmabufs(bool takes) {
	takes_dmabufs = takes;
}

void relay_bench_send(struct relay_bench_peer *peer, const void *bytes, size_t size) {
	const uint8_t *next = bytes;
	while (size > 0) {
		ssize_t written = vchan_write(peer->vchan, next, size);
		if (written < 0) {
			return; // the relay has had enough
		}
		next += written;
		size -= written;
		settle();
	}
}

static void send_hello(struct relay_bench_peer *peer) {
	struct {
		struct link_header header;
		struct link_hello hello;
	} frame = {
		.header = { .size = sizeof(frame), .type = LINK_HELLO },
		.hello = { LINK_MAGIC, LINK_VERSION_MIN, LINK_VERSION_MAX,
			transport_caps(appvm_transport), 4096 },
	};
	relay_bench_send(peer, &frame, sizeof(frame));
}

void relay_bench_connect(struct relay_bench_peer *peer) {
	*peer = (struct relay_bench_peer){
		.vchan = vchan_create(appvm_transport, handle_vchan, NULL) };
	peer->pages = pages_create(appvm_transport, RELAY_BENCH_ARENA_BYTES, NULL, NULL);
	FUZZ_CHECK(peer->vchan != NULL && peer->pages != NULL);
	peer->region = pages_alloc(peer->pages, RELAY_BENCH_ARENA_BYTES);
	FUZZ_CHECK(peer->region != NULL);
	settle();
	FUZZ_CHECK(vchan_state(peer->vchan) == VCHAN_CONNECTED);
	send_hello(peer);
}

void relay_bench_disconnect(struct relay_bench_peer *peer) {
	pages_release(peer->region);
	pages_destroy(peer->pages);
	vchan_destroy(peer->vchan);
	settle();
	FUZZ_CHECK(relay.link != NULL && !relay.stopping);
	FUZZ_CHECK(wl_list_empty(&relay.clients) && relay.n_clients == 0);
	FUZZ_CHECK(relay.n_closing == 0 && relay.n_shared == 0);
}
