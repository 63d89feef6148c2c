/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_SERVER_H
#define ISTHMUS_GUIVM_SERVER_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <wayland-server-core.h>

#include "borders/geometry.h"

struct activation;
struct bell;
struct carry;
struct constraints;
struct control;
struct crops;
struct crowds;
struct cursor;
struct decorations;
struct gestures;
struct idle;
struct ime;
struct inhibit;
struct piles;
struct releases;
struct seat;
struct selection;
struct shortcuts;
struct tablets;
struct timing;
struct toplevels;
struct unacked;
struct view;
struct vms;
struct vmset;
struct window;
struct xdg;

/*
 * The compositor. There is no global state: a process may hold any number of servers, one after the
 * other or at once. Everything runs on the display's event loop, in one thread.
 */
struct server {
	struct wl_display *display;
	struct wl_event_loop *loop;
	const char *socket; // name of the Wayland socket; NULL when server_options.no_socket


	struct wlr_backend *backend;
	struct wlr_session *session; // NULL: not on a console
	struct wlr_renderer *renderer;
	struct wlr_allocator *allocator;
	struct wlr_compositor *compositor;
	struct wlr_scene *scene;
	struct wlr_scene_output_layout *scene_layout;
	struct wlr_output_layout *output_layout;

	/* Scene trees, from bottom to top. */
	struct wlr_scene_tree *tree_background;
	struct wlr_scene_tree *tree_layer_background;
	struct wlr_scene_tree *tree_layer_bottom;
	struct wlr_scene_tree *tree_windows;
	struct wlr_scene_tree *tree_layer_top;
	struct wlr_scene_tree *tree_fullscreen; // the focused window while it is fullscreen
	struct wlr_scene_tree *tree_layer_overlay;
	struct wlr_scene_tree *tree_drag;

	struct wl_list outputs; // output.link
	struct wl_list windows; // window.link: toplevels, popups and drag icons, oldest first
	struct wl_list views; // view.link: toplevels, most recently focused first; mapped or not
	uint32_t last_window_id;
	struct wl_event_source *frames_idle; // title bars that are to be drawn; may be NULL
	unsigned n_frame_updates; // since frames_idle was last NULL
	unsigned n_placed; // windows placed so far, for the cascade

	struct wlr_seat *wlr_seat;
	struct seat *seat; // seat.c, keyboard.c, touch.c
	struct cursor *cursor; // cursor.c, grab.c, cursor-image.c
	struct shortcuts *shortcuts;
	struct constraints *constraints;
	struct decorations *decorations;
	struct activation *activation;
	struct wlr_scene_rect *background;
	struct xdg *xdg;
	struct toplevels *toplevels;
	struct idle *idle;
	struct ime *ime;
	struct inhibit *inhibit;
	struct gestures *gestures;
	struct tablets *tablets;
	struct bell *bell;
	struct wlr_tearing_control_manager_v1 *tearing;
	struct wlr_content_type_manager_v1 *content_type;

	struct vms *vms; // vm.h, with the VM set
	struct selection *selection;
	struct carry *carry; // text from one VM to another
	struct control *control;
	struct releases *releases;
	struct piles *piles;
	struct unacked *unacked;
	struct timing *timing;
	struct crops *crops;
	struct crowds *crowds;
	struct output_manager *output_manager; // NULL: without, outputs keep their modes

	struct wl_event_source *signals[2];
	struct wl_listener renderer_lost;
	struct wl_listener vms_reload;
	struct wl_listener new_output;
	struct wl_listener layout_change;
	struct wl_listener new_layer_surface;
	struct rlimit startup_nofile; // what programs for the user get back
	bool bare_windows; // see server_options
	bool terminating; // set in server_finish(): no more relays, no more focus
};

struct server_options {
	struct vmset *vmset; // the server takes it over, also on failure; NULL: no VMs and defaults
	const char *vmset_path; // what a reload reads; copied; may be NULL
	/* no autodetection: no outputs until server_add_headless_output(), software rendering */
	bool headless;
	bool no_socket; // clients come by server_add_client() only
	bool handle_signals; // SIGINT and SIGTERM stop the server
	/*
	 * Windows are what their clients say: no frames, no clip to the window geometry, no least
	 * size, popups may leave the screen. Takes the marks of trust away, so it has no command
	 * line option: for conformance tests, which ask for the protocol and not for our policy.
	 */
	bool bare_windows;
};

/*
 * Initialises *server. On failure (logged) everything is released and server_finish() must not be
 * called.
 */
bool server_init(struct server *server, const struct server_options *options);

/* Starts the backend (outputs and input devices appear) and the VMs' relays. false: logged. */
bool server_start(struct server *server);

/* Runs until server_stop(). */
void server_run(struct server *server);
void server_stop(struct server *server);

/* Disconnects all clients and releases everything. */
void server_finish(struct server *server);

/*
 * A client of the GUI VM itself on one end of a connected socket, which it owns afterwards also on
 * failure. NULL: logged.
 */
struct wl_client *server_add_client(struct server *server, int fd);

/* With server_options.headless only. scale 0 reads as 1. NULL on failure. */
struct wlr_output *server_add_headless_output(
		struct server *server, int width, int height, float scale);

/* The VM set in force; NULL when there is none. Changes with a reload. */
const struct vmset *server_vmset(const struct server *server);

/* From the VM set, or the default. */
int server_border_width(const struct server *server);
/* What a window of this kind has around its content. */
struct frame_insets server_frame_insets(const struct server *server, enum frame_kind kind);

/*
 * Runs a program with the limit of open files that guivm-server was started with. It is reaped, and
 * outlives the server. false: logged.
 */
bool server_spawn(struct server *server, char *const argv[]);

#endif
