/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_WLCS_STAGE_H
#define ISTHMUS_TESTS_WLCS_STAGE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <wlr/types/wlr_pointer.h>
#include <wlr/types/wlr_touch.h>

#include "guivm-server/server.h"
#include "tests/wlcs/chain.h"

/*
 * guivm-server on a thread of its own, headless, with a pointer and a touch screen. All functions
 * are called on one other thread, and each returns when the server has done what it says.
 */
#define STAGE_SIDE_PX 1024 // of the one output; a power of two: whole pixels stay whole

struct stage_options {
	/*
	 * Content before the first configure is let through, and windows are bare: the protocol
	 * without our policy. Otherwise the server is as it ships.
	 */
	bool tolerant;
	bool bridged; // clients go through appvm-proxy and guivm-relay
	enum chain_way way; // options.bridged only
};

struct stage {
	struct stage_options options;
	struct server server;
	struct chain chain; // options.bridged only
	struct wlr_pointer pointer;
	struct wlr_touch touch;

	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool running; // the thread takes jobs
	bool failed; // the server could not start
	void (*job)(struct stage *stage, void *data); // NULL: none waits
	void *job_data;
	int wake_fd; // eventfd
	struct wl_event_source *wake;
	struct wl_protocol_logger *logger;
};

/* Aborts when there is no memory: a test run without a server says nothing. */
struct stage *stage_create(const struct stage_options *options);
void stage_destroy(struct stage *stage);

/* The server takes clients when it returns. */
void stage_start(struct stage *stage);
/* The thread, the server and the chain are gone when it returns. */
void stage_stop(struct stage *stage);

/* Runs job on the server's thread and waits for it; afterwards all clients were told. */
void stage_call(struct stage *stage, void (*job)(struct stage *stage, void *data), void *data);

/* The application's end of a new connection; the caller owns it. -1 on failure. */
int stage_connect(struct stage *stage);

/* token: an xdg-activation token of the surface that is to be moved (find.h). */
void stage_move_surface(struct stage *stage, const char *token, int x, int y);

void stage_point(struct stage *stage, double x, double y);
void stage_point_by(struct stage *stage, double dx, double dy);
void stage_button(struct stage *stage, uint32_t button, bool pressed);
void stage_touch_down(struct stage *stage, double x, double y);
void stage_touch_move(struct stage *stage, double x, double y);
void stage_touch_up(struct stage *stage);

#endif
