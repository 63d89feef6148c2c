/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_GUIVM_SERVER_BENCH_H
#define ISTHMUS_TESTS_GUIVM_SERVER_BENCH_H

#include <stdint.h>

struct control;
struct selection;
struct vms;
struct wl_client;
struct wl_display;
struct wl_event_loop;
struct wlr_compositor;
struct wlr_seat;

/*
 * A display with VMs from a VM set, and real libwayland clients of them in the same process. The
 * seat and the compositor are wlroots' own. Client and server code know different declarations of
 * the same names: this header is for both.
 */
struct bench {
	struct wl_display *display; // the server's
	struct wl_event_loop *loop;
	struct vms *vms;
	struct wlr_compositor *compositor;
	struct wlr_seat *seat;
	struct selection *selection;
	struct control *control; // the server's side
};

/* vmset: the text of the file; written to test_dir(). */
void bench_init(struct bench *bench, const char *vmset);
void bench_finish(struct bench *bench);

/*
 * One end of a socket pair whose other end is a client of the VM ("" : a local client); *client is
 * the server's.
 */
int bench_connect(struct bench *bench, const char *vm, struct wl_client **client);

/* Ends the client from the server's side. */
void bench_disconnect(struct wl_client *client);

/* One turn of the server, without waiting. */
void bench_turn(struct bench *bench);

/* Gives the keyboard to the client's first surface, as the compositor does. */
void bench_focus(struct bench *bench, struct wl_client *client);

/* Of the primary selection that the seat has. */
uint32_t bench_selection_serial(const struct bench *bench);

#endif
