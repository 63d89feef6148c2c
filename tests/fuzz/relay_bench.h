/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_FUZZ_RELAY_BENCH_H
#define ISTHMUS_TESTS_FUZZ_RELAY_BENCH_H

#include <stdbool.h>
#include <stddef.h>

struct pages;
struct pages_region;
struct vchan;
struct wl_display;

/*
 * A real relay over a real local transport with arenas, and libwayland-server as the compositor,
 * in one event loop; the program is what stands between (upstream.h), and the VM. Fails by
 * FUZZ_CHECK().
 */
#define RELAY_BENCH_ARENA_BYTES (64 * 1024)

/* One at a time. */
void relay_bench_start(void);
void relay_bench_stop(void);
bool relay_bench_running(void);
struct wl_display *relay_bench_display(void);

/* What upstream_takes_dmabufs() says; at first: no. */
void relay_bench_take_dmabufs(bool takes);

/* A VM, with one region that it shares. */
struct relay_bench_peer {
	struct vchan *vchan;
	struct pages *pages;
	struct pages_region *region;
};

/* Connects and says hello. */
void relay_bench_connect(struct relay_bench_peer *peer);
/* Afterwards the relay waits for the next, with nothing left of this one. */
void relay_bench_disconnect(struct relay_bench_peer *peer);
/* Everything comes to rest before it returns. Less is sent where the relay has had enough. */
void relay_bench_send(struct relay_bench_peer *peer, const void *bytes, size_t size);

#endif
