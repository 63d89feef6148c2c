/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-test-dmabuf [COUNT]: an application whose window is GPU memory (a dumb buffer of the
 * GPU's driver, as a dmabuf) and is shown when a fence says so (a timeline of the same driver).
 * Says in lines what it is told of formats, and what became of each thing that it tried; ends at
 * the end of its input.
 *
 * In place of guivm-relay (ISTHMUS_RELAY): a VM with two windows in arenas that have dma-bufs. The
 * first arena and its dma-buf are the same dumb buffer, the second's are not the same memory.
 */
#include <drm/drm.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-client.h>

#include "isthmus-arena-v1-client-protocol.h"
#include "isthmus-relay-v1-client-protocol.h"
#include "linux-dmabuf-v1-client-protocol.h"
#include "linux-drm-syncobj-v1-client-protocol.h"
#include "tests/harness/ignore.h"
#include "tests/harness/say.h"
#include "xdg-shell-client-protocol.h"

#define SIDE 256
#define BYTES (SIDE * SIDE * 4)
#define STRIDE (SIDE * 4)
#define CARD "/dev/dri/card0"
#define FORMAT_XRGB8888 0x34325258u // DRM_FORMAT_XRGB8888
#define FORMAT_NV12 0x3231564eu // DRM_FORMAT_NV12: two planes
#define COLOR 0xff20a040u
#define OTHER_COLOR 0xffa04020u

static struct wl_display *display;
static struct wl_compositor *compositor;
static struct xdg_wm_base *wm_base;
static struct zwp_linux_dmabuf_v1 *dmabuf;
static struct wp_linux_drm_syncobj_manager_v1 *syncobj;
static struct isthmus_relay_v1 *relay;
static struct isthmus_arena_manager_v1 *arenas;
static struct wl_surface *surface;
static int card;
static bool has_nv12;

static _Noreturn void give_up(const char *what) {
	say("failed: %s: %s", what, strerror(errno));
	exit(1);
}

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	if (strcmp(interface, "wl_compositor") == 0) {
		compositor = wl_registry_bind(registry, name, &wl_compositor_interface, 4);
	} else if (strcmp(interface, "xdg_wm_base") == 0) {
		wm_base = wl_registry_bind(registry, name, &xdg_wm_base_interface, 1);
	} else if (strcmp(interface, "zwp_linux_dmabuf_v1") == 0) {
		say("linux-dmabuf %u", version);
		dmabuf = wl_registry_bind(registry, name, &zwp_linux_dmabuf_v1_interface,
				version < 5 ? version : 5);
	} else if (strcmp(interface, "wp_linux_drm_syncobj_manager_v1") == 0) {
		say("linux-drm-syncobj %u", version);
		syncobj = wl_registry_bind(registry, name,
				&wp_linux_drm_syncobj_manager_v1_interface, 1);
	} else if (strcmp(interface, "isthmus_relay_v1") == 0) {
		relay = wl_registry_bind(registry, name, &isthmus_relay_v1_interface, 1);
	} else if (strcmp(interface, "isthmus_arena_manager_v1") == 0) {
		arenas = wl_registry_bind(
				registry, name, &isthmus_arena_manager_v1_interface, 1);
	}
}

static const struct wl_registry_listener registry_listener = {handle_global, IGNORE};

struct format {
	uint32_t format, padding;
	uint64_t modifier;
};

static void handle_table(void *data, struct zwp_linux_dmabuf_feedback_v1 *feedback, int32_t fd,
		uint32_t size) {
	const struct format *table = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (table == MAP_FAILED) {
		give_up("format table");
	}
	bool linear = false;
	for (uint32_t i = 0; i < size / sizeof(*table); i++) {
		linear = linear || (table[i].format == FORMAT_XRGB8888 && table[i].modifier == 0);
		has_nv12 = has_nv12 || (table[i].format == FORMAT_NV12 && table[i].modifier == 0);
	}
	say("table of %zu formats, linear XRGB8888 %s", size / sizeof(*table),
			linear ? "in it" : "missing");
	munmap((void *)table, size);
	close(fd);
}

static void handle_feedback_done(void *data, struct zwp_linux_dmabuf_feedback_v1 *feedback) {
	say("feedback done");
}

static const struct zwp_linux_dmabuf_feedback_v1_listener feedback_listener = {
	.done = handle_feedback_done,
	.format_table = handle_table,
	.main_device = IGNORE,
	.tranche_done = IGNORE,
	.tranche_target_device = IGNORE,
	.tranche_formats = IGNORE,
	.tranche_flags = IGNORE,
};

static void fill(int fd, off_t offset, uint32_t color) {
	uint32_t *pixels = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	if (pixels == MAP_FAILED) {
		give_up("mmap");
	}
	for (size_t i = 0; i < BYTES / sizeof(*pixels); i++) {
		pixels[i] = color;
	}
	munmap(pixels, BYTES);
}

/* The GPU's own memory, which lies at *offset of the card as well. */
static int make_dumb(uint32_t color, uint64_t *offset) {
	struct drm_mode_create_dumb create = {.width = SIDE, .height = SIDE, .bpp = 32};
	if (ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &create) < 0 || create.pitch != STRIDE) {
		give_up("dumb buffer");
	}
	struct drm_mode_map_dumb map = {.handle = create.handle};
	struct drm_prime_handle prime = {
		.handle = create.handle, .flags = DRM_CLOEXEC | DRM_RDWR, .fd = -1};
	if (ioctl(card, DRM_IOCTL_MODE_MAP_DUMB, &map) < 0 ||
			ioctl(card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime) < 0) {
		give_up("dmabuf");
	}
	fill(card, (off_t)map.offset, color);
	*offset = map.offset;
	return prime.fd;
}

static int make_dmabuf(uint32_t color) {
	uint64_t offset;
	return make_dumb(color, &offset);
}

/* Of ordinary memory: whether a GPU can use that depends on its driver. */
static int make_udmabuf(void) {
	int memory = memfd_create("pixels", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (memory < 0 || ftruncate(memory, BYTES) < 0 ||
			fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK) < 0) {
		give_up("memfd");
	}
	struct udmabuf_create create = {
		.memfd = (uint32_t)memory, .flags = UDMABUF_FLAGS_CLOEXEC, .size = BYTES};
	int fd = device >= 0 ? ioctl(device, UDMABUF_CREATE, &create) : -1;
	if (fd < 0) {
		give_up("udmabuf");
	}
	close(device);
	close(memory);
	return fd;
}

static void handle_created(void *data, struct zwp_linux_buffer_params_v1 *params,
		struct wl_buffer *buffer) {
	*(struct wl_buffer **)data = buffer;
}

static const struct zwp_linux_buffer_params_v1_listener params_listener = {
	.created = handle_created, .failed = IGNORE};

static struct zwp_linux_buffer_params_v1 *make_params(int fd) {
	struct zwp_linux_buffer_params_v1 *params = zwp_linux_dmabuf_v1_create_params(dmabuf);
	zwp_linux_buffer_params_v1_add(params, fd, 0, 0, STRIDE, 0, 0);
	return params;
}

/* By an event, as clients did of old; the other way is create_immed. */
static struct wl_buffer *ask_for_buffer(int fd, uint32_t format) {
	struct wl_buffer *buffer = NULL;
	struct zwp_linux_buffer_params_v1 *params = make_params(fd);
	zwp_linux_buffer_params_v1_add_listener(params, &params_listener, &buffer);
	zwp_linux_buffer_params_v1_create(params, SIDE, SIDE, format, 0);
	wl_display_roundtrip(display);
	zwp_linux_buffer_params_v1_destroy(params);
	return buffer;
}

static struct wl_buffer *demand_buffer(int fd) {
	struct zwp_linux_buffer_params_v1 *params = make_params(fd);
	struct wl_buffer *buffer = zwp_linux_buffer_params_v1_create_immed(
			params, SIDE, SIDE, FORMAT_XRGB8888, 0);
	zwp_linux_buffer_params_v1_destroy(params);
	return buffer;
}

static void handle_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	xdg_surface_ack_configure(xdg_surface, serial);
	*(bool *)data = true;
}

static const struct xdg_surface_listener xdg_surface_listener = {handle_configure};
static const struct xdg_toplevel_listener toplevel_listener = {IGNORE, IGNORE, IGNORE, IGNORE};

static void make_window(void) {
	static bool configured;
	configured = false;
	surface = wl_compositor_create_surface(compositor);
	struct xdg_surface *xdg_surface = xdg_wm_base_get_xdg_surface(wm_base, surface);
	xdg_surface_add_listener(xdg_surface, &xdg_surface_listener, &configured);
	struct xdg_toplevel *toplevel = xdg_surface_get_toplevel(xdg_surface);
	xdg_toplevel_add_listener(toplevel, &toplevel_listener, NULL);
	wl_surface_commit(surface);
	while (!configured && wl_display_dispatch(display) >= 0) {
	}
}

static void handle_release(void *data, struct wl_buffer *buffer) {
	say("%s released", (const char *)data);
}

static const struct wl_buffer_listener buffer_listener = {handle_release};

static void show(struct wl_buffer *buffer, const char *name) {
	wl_buffer_add_listener(buffer, &buffer_listener, (void *)name);
	wl_surface_attach(surface, buffer, 0, 0);
	wl_surface_damage_buffer(surface, 0, 0, SIDE, SIDE);
	wl_surface_commit(surface);
}

/* What is taken and then cannot be imported: one plane is missing. */
static void show_unreadable(int fd) {
	struct wl_buffer *buffer = has_nv12 ? ask_for_buffer(fd, FORMAT_NV12) : NULL;
	if (buffer != NULL) {
		show(buffer, "unreadable");
		wl_display_roundtrip(display);
		wl_buffer_destroy(buffer);
		say("unreadable attached");
	}
}

/* Both ways, and more descriptors than a VM may hold at once, one after the other. */
static void make_many(int fd, int count) {
	for (int i = 0; i < count; i++) {
		if (i % 100 == 0) {
			wl_buffer_destroy(demand_buffer(fd));
			wl_buffer_destroy(ask_for_buffer(fd, FORMAT_XRGB8888));
		}
		zwp_linux_buffer_params_v1_destroy(make_params(fd));
		if (i % 32 == 0 && wl_display_roundtrip(display) < 0) {
			give_up("one more descriptor");
		}
	}
	say("%d descriptors came and went", count);
}

/* A point of a timeline. */
static bool signal_point(uint32_t handle, uint64_t point) {
	struct drm_syncobj_timeline_array array = {
		.handles = (uintptr_t)&handle, .points = (uintptr_t)&point, .count_handles = 1};
	return ioctl(card, DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &array) == 0;
}

static bool wait_point(uint32_t handle, uint64_t point) {
	struct drm_syncobj_timeline_wait wait = {
		.handles = (uintptr_t)&handle,
		.points = (uintptr_t)&point,
		.timeout_nsec = INT64_MAX,
		.count_handles = 1,
		.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
	};
	return ioctl(card, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &wait) == 0;
}

static struct wp_linux_drm_syncobj_timeline_v1 *make_timeline(uint32_t *handle) {
	struct drm_syncobj_create create = {0};
	if (ioctl(card, DRM_IOCTL_SYNCOBJ_CREATE, &create) < 0) {
		give_up("syncobj");
	}
	struct drm_syncobj_handle export = {.handle = create.handle, .fd = -1};
	if (ioctl(card, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &export) < 0) {
		give_up("syncobj descriptor");
	}
	*handle = create.handle;
	struct wp_linux_drm_syncobj_timeline_v1 *timeline =
			wp_linux_drm_syncobj_manager_v1_import_timeline(syncobj, export.fd);
	close(export.fd);
	return timeline;
}

/* Shows one buffer when its fence is there, and another; the first is then free, says a fence. */
static void show_fenced(struct wl_buffer *buffer, struct wl_buffer *next) {
	uint32_t handle;
	struct wp_linux_drm_syncobj_timeline_v1 *timeline = make_timeline(&handle);
	struct wp_linux_drm_syncobj_surface_v1 *fenced =
			wp_linux_drm_syncobj_manager_v1_get_surface(syncobj, surface);
	for (uint32_t i = 0; i < 2; i++) {
		wp_linux_drm_syncobj_surface_v1_set_acquire_point(fenced, timeline, 0, 1 + i);
		wp_linux_drm_syncobj_surface_v1_set_release_point(fenced, timeline, 0, 11 + i);
		show(i == 0 ? buffer : next, "fenced");
	}
	if (wl_display_roundtrip(display) < 0 || !signal_point(handle, 2)) {
		give_up("fences");
	}
	if (!wait_point(handle, 11)) {
		give_up("release fence");
	}
	say("fences passed");
}

/* A window over an arena. The surface is the program's last. */
static void show_arena(int fd, uint64_t offset, int dmabuf_fd) {
	make_window();
	struct isthmus_arena_v1 *arena = isthmus_arena_manager_v1_create_arena(arenas, fd,
			(uint32_t)(offset >> 32), (uint32_t)offset, BYTES);
	isthmus_arena_v1_add_dmabuf(arena, dmabuf_fd);
	show(isthmus_arena_v1_create_buffer(
		     arena, 0, SIDE, SIDE, STRIDE, WL_SHM_FORMAT_XRGB8888), "arena");
	wl_display_roundtrip(display);
}

/* Another connection, of an application of the VM that this relay is for. */
static void be_application(void) {
	int sockets[2];
	isthmus_relay_v1_set_state(relay, ISTHMUS_RELAY_V1_STATE_CONNECTED, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0) {
		give_up("socketpair");
	}
	isthmus_relay_v1_create_client(relay, sockets[0]);
	wl_display_roundtrip(display);
	display = wl_display_connect_to_fd(sockets[1]);
	arenas = NULL;
	wl_registry_add_listener(wl_display_get_registry(display), &registry_listener, NULL);
	wl_display_roundtrip(display);
}

static int run_relay(void) {
	uint64_t offset;
	be_application();
	int dmabuf_fd = make_dumb(COLOR, &offset);
	show_arena(card, offset, dmabuf_fd);
	int memory = memfd_create("pixels", MFD_CLOEXEC);
	if (memory < 0 || ftruncate(memory, BYTES) < 0) {
		give_up("memfd");
	}
	fill(memory, 0, OTHER_COLOR);
	show_arena(memory, 0, dmabuf_fd);
	while (wl_display_dispatch(display) >= 0) {
	}
	return 1;
}

static int run(void) {
	struct pollfd fds[2] = {
		{.fd = wl_display_get_fd(display), .events = POLLIN},
		{.fd = STDIN_FILENO, .events = POLLIN},
	};
	while (wl_display_dispatch_pending(display) >= 0) {
		wl_display_flush(display);
		if (poll(fds, 2, -1) < 0 || fds[1].revents != 0) {
			return 0;
		}
		if (fds[0].revents != 0 && wl_display_dispatch(display) < 0) {
			break;
		}
	}
	say("connection lost: %s", strerror(errno));
	return 1;
}

int main(int argc, char **argv) {
	display = wl_display_connect(NULL);
	if (display == NULL) {
		give_up("connect");
	}
	struct wl_registry *registry = wl_display_get_registry(display);
	wl_registry_add_listener(registry, &registry_listener, NULL);
	wl_display_roundtrip(display);
	card = open(CARD, O_RDWR | O_CLOEXEC);
	if (card < 0) {
		give_up(CARD);
	}
	if (relay != NULL) {
		return run_relay();
	}
	if (dmabuf == NULL) {
		say("no linux-dmabuf");
		return 0;
	}
	zwp_linux_dmabuf_feedback_v1_add_listener(zwp_linux_dmabuf_v1_get_default_feedback(dmabuf),
			&feedback_listener, NULL);
	wl_display_roundtrip(display);
	int fd = make_dmabuf(COLOR);
	make_window();
	struct wl_buffer *asked = ask_for_buffer(fd, FORMAT_XRGB8888);
	say(asked != NULL ? "buffer created" : "buffer failed");
	bool usual = ask_for_buffer(make_udmabuf(), FORMAT_XRGB8888) != NULL;
	say(usual ? "udmabuf created" : "udmabuf failed");
	if (asked == NULL) {
		return 1;
	}
	show(asked, "first");
	show_unreadable(fd);
	show(demand_buffer(fd), "second");
	wl_display_roundtrip(display);
	if (syncobj != NULL) {
		show_fenced(demand_buffer(make_dmabuf(0)), demand_buffer(fd));
	}
	if (argc > 1) {
		make_many(fd, (int)strtol(argv[1], NULL, 10));
	}
	say("shown");
	return run();
}
