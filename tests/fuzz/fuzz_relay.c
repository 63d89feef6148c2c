/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "common/limits.h"
#include "protocol/link.h"
#include "protocol/wire.h"
#include "tests/fuzz/compositor.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/relay_bench.h"
#include "transport/pages.h"
#include "transport/vchan.h"

/*
 * The input is what a hostile VM sends after its hello: a stream of frames to a real relay over a
 * real local transport, with libwayland-server as the compositor in the same event loop. Everything
 * comes to rest after each frame. A reference that is all PATCH_BYTE in a LINK_ARENA_ADD is
 * replaced by that of a shared region, since none can be guessed. Afterwards the relay must wait
 * for the next peer with as many descriptors as before.
 */
#define PATCH_BYTE 0xaa
#define ARENA_BYTES RELAY_BENCH_ARENA_BYTES

uint64_t fuzz_accepted;

static void patch_ref(struct relay_bench_peer *peer, uint8_t *ref) {
	static const uint8_t patch[4] = { PATCH_BYTE, PATCH_BYTE, PATCH_BYTE, PATCH_BYTE };
	if (memcmp(ref, patch, sizeof(patch)) == 0) {
		struct pages_ref real = pages_region_ref(peer->region);
		memcpy(ref, real.opaque, sizeof(real.opaque));
	}
}

/* Sends the first frame of bytes and returns how much that was. What fuzz_link.c tries already is
 * put right, so that the input gets further. */
static size_t send_frame(struct relay_bench_peer *peer, const uint8_t *bytes, size_t size) {
	uint8_t frame[FUZZ_MAX_BYTES];
	struct link_header header;
	if (size < sizeof(header)) {
		return size;
	}
	memcpy(&header, bytes, sizeof(header));
	header.flags = 0;
	size = (size < sizeof(frame) ? size : sizeof(frame)) & ~(size_t)3;
	if (header.size < sizeof(header) || header.size > size || header.size % 4 != 0) {
		header.size = size;
	}
	memcpy(frame, bytes, header.size);
	memcpy(frame, &header, sizeof(header));
	if (header.type == LINK_ARENA_ADD &&
			header.size == sizeof(header) + sizeof(struct link_arena)) {
		patch_ref(peer, frame + sizeof(header) + offsetof(struct link_arena, ref));
	}
	relay_bench_send(peer, frame, header.size);
	return header.size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (!relay_bench_running()) {
		relay_bench_start();
		FUZZ_CHECK(atexit(relay_bench_stop) == 0);
	}
	int open_before = fd_count_open();
	struct relay_bench_peer peer;
	relay_bench_connect(&peer);
	while (size > 0 && vchan_state(peer.vchan) == VCHAN_CONNECTED) {
		size_t sent = send_frame(&peer, data, size);
		data += sent;
		size -= sent;
	}
	relay_bench_disconnect(&peer);
	FUZZ_CHECK(fd_count_open() == open_before);
	return 0;
}

/* A seed under construction. */
struct builder {
	uint8_t *bytes;
	size_t size;
};

static void add_frame(struct builder *builder, uint16_t type, uint32_t client, uint32_t arg,
		const void *body, size_t body_size) {
	struct link_header header = { .type = type, .client = client, .arg = arg };
	header.size = sizeof(header) + body_size;
	memcpy(builder->bytes + builder->size, &header, sizeof(header));
	if (body_size > 0) {
		memcpy(builder->bytes + builder->size + sizeof(header), body, body_size);
	}
	builder->size += header.size;
}

#define ADD_WAYLAND(builder, ...) \
	add_frame(builder, LINK_WAYLAND, 1, 0, (const uint32_t[]){ __VA_ARGS__ }, \
			sizeof((const uint32_t[]){ __VA_ARGS__ }))

static void add_bind(struct builder *builder, const char *interface, uint32_t version,
		uint32_t id) {
	uint8_t out[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t size = wire_build(out, 2, 0, wire_interface_request(wire_registry_interface, 0),
			compositor_global_name(interface), interface, version, id);
	add_frame(builder, LINK_WAYLAND, 1, 0, out, size);
}

/* wl_registry 2, wl_compositor 3, wl_surface 4 */
static void add_start(struct builder *builder) {
	add_frame(builder, LINK_CLIENT_OPEN, 1, 0, NULL, 0);
	ADD_WAYLAND(builder, 1, 12 << 16 | 1, 2);
	add_bind(builder, "wl_compositor", 6, 3);
	ADD_WAYLAND(builder, 3, 12 << 16, 4);
}

static void add_arena(struct builder *builder, const struct link_buffer *buffer) {
	struct link_arena arena = { .size = ARENA_BYTES };
	memset(arena.ref, PATCH_BYTE, sizeof(arena.ref));
	add_frame(builder, LINK_ARENA_ADD, 0, 1, &arena, sizeof(arena));
	add_frame(builder, LINK_BUFFER_NEW, 1, LINK_BUFFER_ID_START, buffer, sizeof(*buffer));
}

static void add_commit(struct builder *builder) {
	ADD_WAYLAND(builder, 4, 20 << 16 | 1, LINK_BUFFER_ID_START, 0, 0); // attach
	ADD_WAYLAND(builder, 4, 24 << 16 | 9, 0, 0, 8, 8, // damage_buffer
			4, 8 << 16 | 6); // commit
}

/* Frames in an arena, from the first to the last message of an application. */
static void seed_arena(struct builder *builder) {
	struct link_buffer buffer = { .arena = 1, .width = 8, .height = 8, .stride = 32 };
	add_start(builder);
	add_arena(builder, &buffer);
	add_commit(builder);
	add_commit(builder);
	add_frame(builder, LINK_BUFFER_REMOVE, 1, LINK_BUFFER_ID_START, NULL, 0);
	// libwayland-server sends delete_id along with the next event, not by itself.
	ADD_WAYLAND(builder, 1, 12 << 16, 5); // sync(5)
	add_frame(builder, LINK_ARENA_REMOVE, 0, 1, NULL, 0);
	ADD_WAYLAND(builder, 4, 8 << 16); // wl_surface.destroy
	add_frame(builder, LINK_CLIENT_CLOSE, 1, 0, NULL, 0);
}

static void seed_inline(struct builder *builder) {
	struct link_buffer buffer = { .arena = 0, .width = 8, .height = 8, .stride = 32 };
	struct {
		struct link_pixels head;
		uint32_t pixels[4];
	} pixels = { { 2, 3, 2, 2 }, { 1, 2, 3, 4 } };
	add_start(builder);
	add_frame(builder, LINK_BUFFER_NEW, 1, LINK_BUFFER_ID_START, &buffer, sizeof(buffer));
	add_frame(builder, LINK_PIXELS, 1, LINK_BUFFER_ID_START, &pixels, sizeof(pixels));
	add_commit(builder);
	add_frame(builder, LINK_PIXELS, 1, LINK_BUFFER_ID_START, &pixels, sizeof(pixels));
	ADD_WAYLAND(builder, 4, 8 << 16); // wl_surface.destroy
	add_frame(builder, LINK_BUFFER_REMOVE, 1, LINK_BUFFER_ID_START, NULL, 0);
}

/* A window with a title, input and a clipboard. */
static void seed_window(struct builder *builder) {
	add_start(builder);
	add_bind(builder, "xdg_wm_base", 6, 5);
	ADD_WAYLAND(builder, 5, 16 << 16 | 2, 6, 4); // get_xdg_surface(6, 4)
	ADD_WAYLAND(builder, 6, 12 << 16 | 1, 7); // get_toplevel(7)
	ADD_WAYLAND(builder, 7, 16 << 16 | 2, 4, 0x00636261); // set_title
	add_bind(builder, "wl_seat", 7, 8);
	ADD_WAYLAND(builder, 8, 12 << 16 | 1, 9); // get_keyboard(9)
	add_bind(builder, "wl_data_device_manager", 3, 10);
	ADD_WAYLAND(builder, 10, 12 << 16, 11); // create_data_source(11)
	ADD_WAYLAND(builder, 10, 16 << 16 | 1, 12, 8); // get_data_device(12, 8)
	ADD_WAYLAND(builder, 12, 16 << 16 | 1, 11, 1); // set_selection
	ADD_WAYLAND(builder, 4, 12 << 16 | 3, 13, 1, 12 << 16, 14); // frame(13), sync(14)
	add_frame(builder, LINK_CREDIT, 1, 64, NULL, 0);
}

/* Two applications; descriptors, of which the first message to name one is not valid. */
static void seed_descriptors(struct builder *builder) {
	struct {
		struct link_file head;
		uint32_t bytes;
	} file = { { 4, 0, 4 }, 0x61616161 };
	struct {
		struct link_fd fd;
		uint32_t message[4];
	} named = { { .kind = LINK_FD_PIPE, .id = 1 }, { 4, 16 << 16, 2, 0x61 } };
	add_start(builder);
	add_frame(builder, LINK_CLIENT_OPEN, 2, 0, NULL, 0);
	add_frame(builder, LINK_FILE, 2, 7, &file, sizeof(file));
	add_frame(builder, LINK_WAYLAND_FDS, 1, 1, &named, sizeof(named));
	add_frame(builder, LINK_PIPE_CLOSE, 0, 1, NULL, 0);
	named.fd = (struct link_fd){ .kind = LINK_FD_FILE, .id = 7 };
	add_frame(builder, LINK_WAYLAND_FDS, 2, 1, &named, sizeof(named));
	add_frame(builder, LINK_CLIENT_CLOSE, 2, 0, NULL, 0);
	add_frame(builder, LINK_BYE, 0, 0, NULL, 0);
}

size_t fuzz_seed(uint32_t index, uint8_t *bytes) {
	static void (*const seeds[])(struct builder *builder) = {
		seed_arena, seed_inline, seed_window, seed_descriptors,
	};
	struct builder builder = { .bytes = bytes };
	if (index < sizeof(seeds) / sizeof(seeds[0])) {
		seeds[index](&builder);
	}
	return builder.size;
}
