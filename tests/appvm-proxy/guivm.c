/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/appvm-proxy/guivm.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "appvm-proxy/copy.h"
#include "appvm-proxy/proxy.h"
#include "appvm-proxy/spawn.h"
#include "bridge/link.h"
#include "common/fd.h"
#include "tests/harness/test.h"
#include "transport/transport.h"

#define PAGES_MAX_BYTES (1ull << 30)

static void handle_opened(struct link *link, void *data) {
	struct bench *bench = data;
	bench->opened = true;
}

static void handle_frame(struct link *link, const struct link_frame *frame, void *data) {
	struct bench *bench = data;
	EXPECT(bench->n_frames < BENCH_FRAMES);
	struct recorded_frame *recorded = &bench->frames[bench->n_frames++];
	recorded->header = frame->header;
	recorded->body = malloc(frame->body_size + 1);
	memcpy(recorded->body, frame->body, frame->body_size);
	recorded->body_size = frame->body_size;
}

static void handle_writable(struct link *link, void *data) {
}

static void handle_closed(struct link *link, const char *reason, void *data) {
	struct bench *bench = data;
	bench->closed = true;
	bench->opened = false;
	bench->link = NULL;
	link_destroy(link);
}

static const struct link_interface guivm_impl = {
		.opened = handle_opened,
		.frame = handle_frame,
		.writable = handle_writable,
		.closed = handle_closed,
};

static struct transport *open_end(struct bench *bench, const char *spec, enum transport_role role) {
	char error[256] = "";
	struct transport *transport = transport_open(bench->loop, spec, role, error, sizeof(error));
	if (transport == NULL) {
		test_fail(__FILE__, __LINE__, "%s", error);
	}
	return transport;
}

void bench_init(struct bench *bench, const char *kind, const struct vmset_vm *vm) {
	char spec[512], display[512];
	snprintf(spec, sizeof(spec), kind, test_dir());
	snprintf(display, sizeof(display), "%s/wayland", test_dir());
	memset(bench, 0, sizeof(*bench));
	EXPECT(copy_init());
	spawn_init();
	bench->loop = wl_event_loop_create();
	bench->guivm = open_end(bench, spec, TRANSPORT_GUIVM);
	bench->appvm = open_end(bench, spec, TRANSPORT_APPVM);
	struct proxy_options options = {.display = display, .vm = vm};
	bench->proxy = proxy_create(bench->loop, bench->appvm, &options);
	EXPECT(bench->proxy != NULL);
}

void bench_connect(struct bench *bench) {
	bench->closed = false;
	bench->link = link_create(bench->loop, bench->guivm, LINK_END_GUIVM, &guivm_impl, bench);
	EXPECT(bench->link != NULL);
	if ((transport_caps(bench->guivm) & TRANSPORT_PAGES) != 0) {
		bench->pages = pages_create(bench->guivm, PAGES_MAX_BYTES, NULL, NULL);
		EXPECT(bench->pages != NULL);
	}
	while (!bench->opened || !bench->proxy->link_open) {
		bench_turn(bench);
	}
}

void bench_disconnect(struct bench *bench) {
	link_destroy(bench->link);
	bench->link = NULL;
	bench->opened = false;
	pages_destroy(bench->pages);
	bench->pages = NULL;
	while (bench->proxy->link_open) {
		bench_turn(bench);
	}
}

void bench_finish(struct bench *bench) {
	link_destroy(bench->link);
	pages_destroy(bench->pages);
	proxy_destroy(bench->proxy);
	transport_close(bench->appvm);
	transport_close(bench->guivm);
	wl_event_loop_destroy(bench->loop);
	for (size_t i = 0; i < bench->n_frames; i++) {
		free(bench->frames[i].body);
	}
}

void bench_turn(struct bench *bench) {
	EXPECT(wl_event_loop_dispatch(bench->loop, -1) == 0);
}

struct link_frame bench_expect_frame(struct bench *bench, size_t *from, enum link_type type) {
	for (;;) {
		while (*from < bench->n_frames) {
			const struct recorded_frame *frame = &bench->frames[(*from)++];
			if (frame->header.type == type) {
				return (struct link_frame){.header = frame->header,
						.body = frame->body,
						.body_size = frame->body_size};
			}
		}
		bench_turn(bench);
	}
}

static const uint8_t *find_request(const struct recorded_frame *recorded, uint32_t client,
		uint32_t object, uint16_t opcode) {
	struct link_frame frame = {.header = recorded->header,
			.body = recorded->body,
			.body_size = recorded->body_size};
	if (frame.header.client != client ||
			(frame.header.type != LINK_WAYLAND &&
					frame.header.type != LINK_WAYLAND_FDS)) {
		return NULL;
	}
	size_t size;
	const uint8_t *bytes = link_frame_wayland(&frame, &size);
	for (size_t at = 0; at < size;) {
		struct wire_header header;
		EXPECT_INT(wire_parse_header(bytes + at, size - at, &header), WIRE_OK);
		if (header.object == object && header.opcode == opcode) {
			return bytes + at;
		}
		at += header.size;
	}
	return NULL;
}

const uint8_t *bench_expect_request(struct bench *bench, size_t *from, uint32_t client,
		uint32_t object, uint16_t opcode) {
	for (size_t i = *from;; i++) {
		while (i >= bench->n_frames) {
			bench_turn(bench);
		}
		const uint8_t *request = find_request(&bench->frames[i], client, object, opcode);
		if (request != NULL) {
			*from = i;
			return request;
		}
	}
}

uint32_t bench_expect_attach(struct bench *bench, size_t *from, uint32_t surface) {
	const uint16_t attach = 1, commit = 6;
	uint32_t id;
	memcpy(&id, bench_expect_request(bench, from, 1, surface, attach) + WIRE_HEADER_BYTES,
			sizeof(id));
	bench_expect_request(bench, from, 1, surface, commit);
	++*from;
	return id;
}

size_t bench_count(const struct bench *bench, enum link_type type) {
	size_t count = 0;
	for (size_t i = 0; i < bench->n_frames; i++) {
		count += bench->frames[i].header.type == type;
	}
	return count;
}

void bench_answer_close(struct bench *bench, size_t *from) {
	uint32_t client = bench_expect_frame(bench, from, LINK_CLIENT_CLOSE).header.client;
	link_send(bench->link, LINK_CLIENT_CLOSE, client, 0, NULL, 0);
	link_flush(bench->link);
}

void bench_send_wayland(struct bench *bench, uint32_t client, const void *message, size_t size) {
	link_send_wayland(bench->link, client, message, size);
	link_flush(bench->link);
}

void app_init(struct app *app, struct bench *bench) {
	int fds[2];
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	app->fd = fds[0];
	app->proxy_fd = fds[1];
	app->n_bytes = 0;
	app->hung_up = false;
	proxy_add_connection(bench->proxy, fds[1]);
	// What that queued is sent at the end of a turn.
	wl_event_loop_dispatch(bench->loop, 0);
}

void app_finish(struct app *app) {
	fd_close(&app->fd);
}

void app_request_bare(struct app *app, uint32_t id, uint16_t opcode) {
	uint32_t message[2] = {id, WIRE_HEADER_BYTES << 16 | opcode};
	app_send(app, message, sizeof(message), -1);
}

void app_send(struct app *app, const void *bytes, size_t size, int fd) {
	EXPECT_INT(fd_send(app->fd, bytes, size, &fd, fd >= 0 ? 1 : 0), size);
	fd_close(&fd);
}

/* Reads once. false: there is nothing more now. */
static bool app_receive_once(struct app *app) {
	int fds[8];
	size_t n_fds = 8;
	EXPECT(app->n_bytes < BENCH_APP_BYTES);
	ssize_t got = fd_receive(app->fd, app->events + app->n_bytes,
			BENCH_APP_BYTES - app->n_bytes, fds, &n_fds);
	if (got <= 0) {
		app->hung_up = got == 0 || errno != EAGAIN;
		return false;
	}
	app->n_bytes += (size_t)got;
	for (size_t i = 0; i < n_fds; i++) {
		close(fds[i]);
	}
	return true;
}

static void app_receive(struct app *app) {
	while (app_receive_once(app)) {
	}
}

static const uint8_t *app_find_event(struct app *app, uint32_t object, uint16_t opcode) {
	for (size_t at = 0; at < app->n_bytes;) {
		struct wire_header header;
		EXPECT_INT(wire_parse_header(app->events + at, app->n_bytes - at, &header),
				WIRE_OK);
		if (header.object == object && header.opcode == opcode) {
			return app->events + at;
		}
		at += header.size;
	}
	return NULL;
}

bool app_has_event(struct app *app, uint32_t object, uint16_t opcode) {
	app_receive(app);
	return app_find_event(app, object, opcode) != NULL;
}

const uint8_t *app_expect_event(
		struct app *app, struct bench *bench, uint32_t object, uint16_t opcode) {
	while (!app_has_event(app, object, opcode)) {
		EXPECT(!app->hung_up);
		bench_turn(bench);
	}
	return app_find_event(app, object, opcode);
}

const char *app_expect_error(struct app *app, struct bench *bench, uint32_t object, uint32_t code) {
	while (!app->hung_up) {
		app_receive(app);
		if (!app->hung_up) {
			bench_turn(bench);
		}
	}
	const uint8_t *event = app_find_event(app, APP_DISPLAY, 0);
	EXPECT(event != NULL);
	struct wire_header header;
	struct wire_value values[WIRE_MAX_ARGS];
	wire_parse_header(event, app->n_bytes - (size_t)(event - app->events), &header);
	EXPECT_INT(wire_parse(event, &header, &wire_display_interface->events[0], 1, values),
			WIRE_OK);
	EXPECT_INT(values[0].id, object);
	EXPECT_INT(values[1].u, code);
	return values[2].string.text;
}

void app_start(struct app *app) {
	app_request(app, wire_display_interface, APP_DISPLAY, 1, APP_REGISTRY);
	app_request(app, wire_registry_interface, APP_REGISTRY, 0, 1, "wl_compositor", 4,
			APP_COMPOSITOR);
	app_request(app, wire_registry_interface, APP_REGISTRY, 0, 2, "wl_shm", 1, APP_SHM);
	const struct wire_interface *compositor = wire_interface_find("wl_compositor", 13);
	app_request(app, compositor, APP_COMPOSITOR, 0, APP_SURFACE);
}
