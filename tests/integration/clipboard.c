/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-test-clipboard source BYTES | sink: an application that owns the clipboard, with BYTES
 * of it (0: without end), and takes it by a key or button; or one that asks for it when it gets
 * it, and reads as the lines of its input say: "read" to the end, "hold" nothing, "die" a part.
 * "close" ends what it asked for last.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-client.h>

#include "tests/harness/ignore.h"
#include "tests/harness/say.h"
#include "xdg-shell-client-protocol.h"

#define MIME_TYPE "application/x-isthmus-test"
#define PIECE (256 * 1024)
#define SIDE 160

static struct wl_display *display;
static struct wl_compositor *compositor;
static struct wl_shm *shm;
static struct wl_seat *seat;
static struct wl_data_device_manager *manager;
static struct xdg_wm_base *wm_base;
static struct wl_surface *surface;
static struct wl_data_device *device;
static struct wl_data_offer *offer; // NULL: the clipboard has nothing for us
static bool configured, is_source;
static long long source_bytes;
static int source_fd = -1, sink_fd = -1;
static long long moved, left;
static char piece[PIECE];

static void source_handle_send(
		void *data, struct wl_data_source *source, const char *type, int32_t fd) {
	if (source_fd >= 0) {
		close(source_fd);
	}
	source_fd = fd;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	moved = 0;
	left = source_bytes > 0 ? source_bytes : INT64_MAX;
	say("sending %lld", left);
}

static const struct wl_data_source_listener source_listener = {
	.target = IGNORE,
	.send = source_handle_send,
	.cancelled = IGNORE,
	.dnd_drop_performed = IGNORE,
	.dnd_finished = IGNORE,
	.action = IGNORE,
};

static void pointer_handle_button(void *data, struct wl_pointer *pointer, uint32_t serial,
		uint32_t time, uint32_t button, uint32_t state) {
	static bool taken;
	if (!is_source || taken) {
		return;
	}
	taken = true;
	struct wl_data_source *source = wl_data_device_manager_create_data_source(manager);
	wl_data_source_add_listener(source, &source_listener, NULL);
	wl_data_source_offer(source, MIME_TYPE);
	wl_data_device_set_selection(device, source, serial);
	say("owner 0");
}

static const struct wl_pointer_listener pointer_listener = {
	.enter = IGNORE,
	.leave = IGNORE,
	.motion = IGNORE,
	.button = pointer_handle_button,
	.axis = IGNORE,
};

static const struct wl_data_offer_listener offer_listener = {IGNORE, IGNORE, IGNORE};

static void device_handle_offer(
		void *data, struct wl_data_device *wl_device, struct wl_data_offer *new_offer) {
	wl_data_offer_add_listener(new_offer, &offer_listener, NULL);
}

static void device_handle_selection(
		void *data, struct wl_data_device *wl_device, struct wl_data_offer *selected) {
	offer = selected;
	if (offer != NULL && !is_source) {
		say("offered 0");
	}
}

static const struct wl_data_device_listener device_listener = {
	.data_offer = device_handle_offer,
	.enter = IGNORE,
	.leave = IGNORE,
	.motion = IGNORE,
	.drop = IGNORE,
	.selection = device_handle_selection,
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	if (strcmp(interface, "wl_compositor") == 0) {
		compositor = wl_registry_bind(registry, name, &wl_compositor_interface, 4);
	} else if (strcmp(interface, "wl_shm") == 0) {
		shm = wl_registry_bind(registry, name, &wl_shm_interface, 1);
	} else if (strcmp(interface, "wl_seat") == 0) {
		seat = wl_registry_bind(registry, name, &wl_seat_interface, 4);
	} else if (strcmp(interface, "wl_data_device_manager") == 0) {
		manager = wl_registry_bind(registry, name, &wl_data_device_manager_interface, 3);
	} else if (strcmp(interface, "xdg_wm_base") == 0) {
		wm_base = wl_registry_bind(registry, name, &xdg_wm_base_interface, 1);
	}
}

static const struct wl_registry_listener registry_listener = {handle_global, IGNORE};

static void handle_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	xdg_surface_ack_configure(xdg_surface, serial);
	configured = true;
}

static const struct xdg_surface_listener xdg_surface_listener = {handle_configure};

static void handle_ping(void *data, struct xdg_wm_base *base, uint32_t serial) {
	xdg_wm_base_pong(base, serial);
}

static const struct xdg_wm_base_listener wm_base_listener = {handle_ping};
static const struct xdg_toplevel_listener toplevel_listener = {IGNORE, IGNORE, IGNORE, IGNORE};

static void paint(void) {
	int fd = memfd_create("test", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, SIDE * SIDE * 4) < 0) {
		exit(2);
	}
	struct wl_shm_pool *pool = wl_shm_create_pool(shm, fd, SIDE * SIDE * 4);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(
			pool, 0, SIDE, SIDE, SIDE * 4, WL_SHM_FORMAT_XRGB8888);
	wl_shm_pool_destroy(pool);
	close(fd);
	wl_surface_attach(surface, buffer, 0, 0);
	wl_surface_damage(surface, 0, 0, SIDE, SIDE);
	wl_surface_commit(surface);
}

static void make_window(void) {
	xdg_wm_base_add_listener(wm_base, &wm_base_listener, NULL);
	device = wl_data_device_manager_get_data_device(manager, seat);
	wl_data_device_add_listener(device, &device_listener, NULL);
	wl_pointer_add_listener(wl_seat_get_pointer(seat), &pointer_listener, NULL);
	surface = wl_compositor_create_surface(compositor);
	struct xdg_surface *xdg_surface = xdg_wm_base_get_xdg_surface(wm_base, surface);
	xdg_surface_add_listener(xdg_surface, &xdg_surface_listener, NULL);
	struct xdg_toplevel *toplevel = xdg_surface_get_toplevel(xdg_surface);
	xdg_toplevel_add_listener(toplevel, &toplevel_listener, NULL);
	xdg_toplevel_set_app_id(toplevel, is_source ? "source" : "sink");
	wl_surface_commit(surface);
	while (!configured && wl_display_dispatch(display) >= 0) {
	}
	paint();
	wl_display_roundtrip(display);
}

static void feed(void) {
	while (left > 0) {
		size_t size = left < PIECE ? (size_t)left : PIECE;
		ssize_t written = write(source_fd, piece, size);
		if (written < 0 && errno == EAGAIN) {
			return;
		}
		if (written < 0) {
			break;
		}
		left -= written;
		moved += written;
	}
	close(source_fd);
	source_fd = -1;
	say("%s %lld", left == 0 ? "sent" : "refused", moved);
}

/* One piece at a time, so that events are seen as well. */
static void drain(void) {
	ssize_t got = read(sink_fd, piece, PIECE);
	if (got > 0) {
		moved += got;
		return;
	}
	close(sink_fd);
	sink_fd = -1;
	say("received %lld", moved);
}

static bool hold, die;

static bool handle_command(void) {
	char line[32];
	if (fgets(line, sizeof(line), stdin) == NULL) {
		return false;
	}
	if (strcmp(line, "close\n") == 0 && sink_fd >= 0) {
		close(sink_fd);
		sink_fd = -1;
		say("closed %lld", moved);
		return true;
	}
	hold = strcmp(line, "hold\n") == 0;
	die = strcmp(line, "die\n") == 0;
	int ends[2];
	if (offer == NULL || pipe2(ends, O_CLOEXEC) < 0) {
		return false;
	}
	if (sink_fd >= 0) {
		close(sink_fd);
	}
	wl_data_offer_receive(offer, MIME_TYPE, ends[1]);
	wl_display_flush(display);
	close(ends[1]);
	sink_fd = ends[0];
	moved = 0;
	say("asked 0");
	return true;
}

static void run(void) {
	for (;;) {
		wl_display_dispatch_pending(display);
		wl_display_flush(display);
		struct pollfd fds[] = {
			{.fd = wl_display_get_fd(display), .events = POLLIN},
			{.fd = STDIN_FILENO, .events = POLLIN},
			{.fd = source_fd, .events = POLLOUT},
			{.fd = hold ? -1 : sink_fd, .events = POLLIN},
		};
		if (poll(fds, 4, -1) < 0 ||
				(fds[0].revents != 0 && wl_display_dispatch(display) < 0)) {
			return;
		}
		if (fds[2].revents != 0 && source_fd == fds[2].fd) {
			feed();
		}
		if (fds[3].revents != 0) {
			drain();
			if (die && moved > 4 * PIECE) {
				_exit(0);
			}
		}
		if (fds[1].revents != 0 && !handle_command()) {
			return;
		}
	}
}

int main(int argc, char **argv) {
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdin, NULL, _IONBF, 0);
	is_source = argc > 2 && strcmp(argv[1], "source") == 0;
	source_bytes = is_source ? atoll(argv[2]) : 0;
	display = wl_display_connect(NULL);
	if (display == NULL) {
		return 2;
	}
	struct wl_registry *registry = wl_display_get_registry(display);
	wl_registry_add_listener(registry, &registry_listener, NULL);
	wl_display_roundtrip(display);
	make_window();
	say("ready 0");
	run();
	return 0;
}
