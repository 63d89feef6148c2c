/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_APPVM_PROXY_GUIVM_H
#define ISTHMUS_TESTS_APPVM_PROXY_GUIVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/link.h"
#include "protocol/wire.h"
#include "transport/pages.h"

struct link;
struct proxy;
struct transport;
struct vmset_vm;
struct wl_event_loop;

#define BENCH_FRAMES 2048
#define BENCH_APP_BYTES (1024 * 1024)

/*
 * A proxy, its peer and applications in one process and one event loop. The peer is a real link
 * over a real transport that only records what it is told: every answer is the test's to give.
 */
struct recorded_frame {
	struct link_header header;
	uint8_t *body; // owned
	size_t body_size;
};

struct bench {
	struct wl_event_loop *loop;
	struct transport *appvm, *guivm;
	struct proxy *proxy;
	struct link *link; // the guivm end; NULL: none
	struct pages *pages; // of the guivm end; NULL: none
	bool opened, closed;
	struct recorded_frame frames[BENCH_FRAMES];
	size_t n_frames;
};

/* An application's end of its connection. */
struct app {
	int fd;
	int proxy_fd; // the other end, the proxy's
	uint8_t events[BENCH_APP_BYTES];
	size_t n_bytes;
	bool hung_up;
};

/* format is a transport with one %s for the test's directory. vm may be NULL. */
void bench_init(struct bench *bench, const char *format, const struct vmset_vm *vm);
/* The peer comes; returns when both ends are open. */
void bench_connect(struct bench *bench);
/* The peer goes without a word. */
void bench_disconnect(struct bench *bench);
void bench_finish(struct bench *bench);

/* Dispatches once, waiting for something to happen. */
void bench_turn(struct bench *bench);
/*
 * The first frame from number *from on of this type, waited for; *from becomes the number after it.
 */
struct link_frame bench_expect_frame(struct bench *bench, size_t *from, enum link_type type);
/* The same for a Wayland request in the frames of a client. Its bytes stay valid. */
const uint8_t *bench_expect_request(struct bench *bench, size_t *from, uint32_t client,
		uint32_t object, uint16_t opcode);
/*
 * The next attach and commit of client 1's surface: the link buffer that was attached. *from
 * becomes the number after them.
 */
uint32_t bench_expect_attach(struct bench *bench, size_t *from, uint32_t surface);
/* How many frames of this type were recorded. */
size_t bench_count(const struct bench *bench, enum link_type type);

/* Waits for LINK_CLIENT_CLOSE, as bench_expect_frame(), and says the same: the client is free. */
void bench_answer_close(struct bench *bench, size_t *from);

void bench_send_wayland(struct bench *bench, uint32_t client, const void *message, size_t size);

/* Connects; the proxy has it when this returns. */
void app_init(struct app *app, struct bench *bench);
void app_finish(struct app *app);
/* A request by the interface's table; arguments, at least one, as wire_build(). */
#define app_request(app, interface, id, opcode, ...) \
	app_request_fd(app, -1, interface, id, opcode, __VA_ARGS__)
#define app_request_fd(app, fd, interface, id, opcode, ...) \
	do { \
		uint8_t message_[LIMIT_WAYLAND_MESSAGE_BYTES]; \
		size_t size_ = wire_build(message_, id, opcode, &(interface)->requests[opcode], \
				__VA_ARGS__); \
		app_send(app, message_, size_, fd); \
	} while (0)
/* One without arguments. */
void app_request_bare(struct app *app, uint32_t id, uint16_t opcode);
/* fd is closed unless -1. */
void app_send(struct app *app, const void *bytes, size_t size, int fd);
/* Waits for an event. Returns its bytes. */
const uint8_t *app_expect_event(
		struct app *app, struct bench *bench, uint32_t object, uint16_t opcode);
/* Waits for wl_display.error and the end of the connection; returns the text. */
const char *app_expect_error(struct app *app, struct bench *bench, uint32_t object, uint32_t code);
bool app_has_event(struct app *app, uint32_t object, uint16_t opcode);

/* Ids and names of the usual start: registry 2, compositor 3, shm 4, surface 5. */
enum {
	APP_DISPLAY = 1,
	APP_REGISTRY,
	APP_COMPOSITOR,
	APP_SHM,
	APP_SURFACE,
	APP_FREE, // the first id not used
};
void app_start(struct app *app);

#endif
