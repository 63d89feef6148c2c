/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/server.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <wlr/backend.h>
#include <wlr/backend/headless.h>
#include <wlr/backend/multi.h>
#include <wlr/backend/wayland.h>
#include <wlr/backend/x11.h>
#include <wlr/render/allocator.h>
#include <wlr/render/pixman.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_scene.h>

#include "common/fd.h"
#include "common/log.h"
#include "guivm-server/activation.h"
#include "guivm-server/arena.h"
#include "guivm-server/background.h"
#include "guivm-server/bell.h"
#include "guivm-server/carry.h"
#include "guivm-server/constraints.h"
#include "guivm-server/control.h"
#include "guivm-server/crop.h"
#include "guivm-server/crowds.h"
#include "guivm-server/cursor.h"
#include "guivm-server/decoration.h"
#include "guivm-server/gestures.h"
#include "guivm-server/globals.h"
#include "guivm-server/idle.h"
#include "guivm-server/ime.h"
#include "guivm-server/inhibit.h"
#include "guivm-server/keyboard.h"
#include "guivm-server/layer.h"
#include "guivm-server/output.h"
#include "guivm-server/output_manager.h"
#include "guivm-server/piles.h"
#include "guivm-server/process.h"
#include "guivm-server/release.h"
#include "guivm-server/seat.h"
#include "guivm-server/scene-guard.h"
#include "guivm-server/selection.h"
#include "guivm-server/shortcuts.h"
#include "guivm-server/tablet.h"
#include "guivm-server/timing.h"
#include "guivm-server/toplevels.h"
#include "guivm-server/unacked.h"
#include "guivm-server/view.h"
#include "guivm-server/vm.h"
#include "guivm-server/warp.h"
#include "guivm-server/xdg.h"

#define DEFAULT_BORDER_WIDTH 4
#define CLIENT_BUFFER_BYTES (1024 * 1024)

const struct vmset *server_vmset(const struct server *server) {
	return server->vms != NULL ? server->vms->vmset : NULL;
}

int server_border_width(const struct server *server) {
	const struct vmset *vmset = server_vmset(server);
	return vmset != NULL ? (int)vmset->guivm.border_width : DEFAULT_BORDER_WIDTH;
}

struct frame_insets server_frame_insets(const struct server *server, enum frame_kind kind) {
	return server->bare_windows ? (struct frame_insets){0}
				    : frame_insets(kind, server_border_width(server));
}

static int server_handle_signal(int signal_number, void *data) {
	server_stop(data);
	return 0;
}

static void server_handle_vms_reload(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, vms_reload);
	struct window *window;
	wl_list_for_each(window, &server->windows, link) {
		window_update_mark(window);
	}
	background_update(server);
	keyboards_configure(server);
	view_arrange_all(server);
}

/* The GPU was reset: everything that lives on it is made anew. */
static void server_handle_renderer_lost(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, renderer_lost);
	log_error("the GPU was reset, starting again with a new renderer");
	struct wlr_renderer *renderer = wlr_renderer_autocreate(server->backend);
	struct wlr_allocator *allocator = renderer != NULL
		? wlr_allocator_autocreate(server->backend, renderer) : NULL;
	if (allocator == NULL) {
		log_error("no new renderer");
		server_stop(server);
		return;
	}
	wl_list_remove(&server->renderer_lost.link);
	wl_signal_add(&renderer->events.lost, &server->renderer_lost);
	wlr_compositor_set_renderer(server->compositor, renderer);
	struct output *output;
	wl_list_for_each(output, &server->outputs, link) {
		wlr_output_init_render(output->wlr_output, allocator, renderer);
	}
	wlr_allocator_destroy(server->allocator);
	wlr_renderer_destroy(server->renderer);
	server->renderer = renderer;
	server->allocator = allocator;
}

static bool server_init_display(struct server *server, const struct server_options *options) {
	server->display = wl_display_create();
	if (server->display == NULL) {
		log_error("out of memory");
		return false;
	}
	server->loop = wl_display_get_event_loop(server->display);
	/*
	 * A client that does not read is given this much and then loses its connection, without
	 * stopping anybody else.
	 */
	wl_display_set_default_max_buffer_size(server->display, CLIENT_BUFFER_BYTES);
	if (options->handle_signals) {
		server->signals[0] = wl_event_loop_add_signal(
				server->loop, SIGINT, server_handle_signal, server);
		server->signals[1] = wl_event_loop_add_signal(
				server->loop, SIGTERM, server_handle_signal, server);
	}
	return true;
}

static bool server_init_backend(struct server *server, const struct server_options *options) {
	if (options->headless) {
		server->backend = wlr_headless_backend_create(server->loop);
		server->renderer = wlr_pixman_renderer_create();
	} else {
		server->backend = wlr_backend_autocreate(server->loop, &server->session);
		if (server->backend == NULL) {
			log_error("no screen: neither a Wayland or X11 session nor a console was "
				  "found");
			return false;
		}
		server->renderer = wlr_renderer_autocreate(server->backend);
	}
	if (server->backend == NULL || server->renderer == NULL) {
		log_error("no renderer");
		return false;
	}
	server->allocator = wlr_allocator_autocreate(server->backend, server->renderer);
	if (server->allocator == NULL) {
		log_error("no allocator for pixel buffers");
		return false;
	}
	server->renderer_lost.notify = server_handle_renderer_lost;
	wl_signal_add(&server->renderer->events.lost, &server->renderer_lost);
	return true;
}

static void backend_find_nested(struct wlr_backend *backend, void *data) {
	bool *nested = data;
	*nested = *nested || wlr_backend_is_wl(backend) || wlr_backend_is_x11(backend);
}

/* Inside another desktop a fullscreen window's buffer would be handed to that: a VM's memory, of a
 * kind that it may not be able to map, which ends us. */
static struct wlr_scene *create_scene(struct wlr_backend *backend) {
	static const char variable[] = "WLR_SCENE_DISABLE_DIRECT_SCANOUT";
	bool nested = false;
	if (wlr_backend_is_multi(backend)) {
		wlr_multi_for_each_backend(backend, backend_find_nested, &nested);
	}
	bool set = nested && getenv(variable) == NULL && setenv(variable, "1", 1) == 0;
	struct wlr_scene *scene = wlr_scene_create();
	if (set) {
		unsetenv(variable);
	}
	return scene;
}

static bool server_init_scene(struct server *server) {
	if (!scene_guard_init()) {
		return false;
	}
	server->output_layout = wlr_output_layout_create(server->display);
	server->scene = create_scene(server->backend);
	if (server->output_layout == NULL || server->scene == NULL) {
		return false;
	}
	server->scene_layout = wlr_scene_attach_output_layout(server->scene, server->output_layout);
	struct wlr_scene_tree **const trees[] = {
		&server->tree_background,
		&server->tree_layer_background,
		&server->tree_layer_bottom,
		&server->tree_windows,
		&server->tree_layer_top,
		&server->tree_fullscreen,
		&server->tree_layer_overlay,
		&server->tree_drag,
	};
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		*trees[i] = wlr_scene_tree_create(&server->scene->tree);
		if (*trees[i] == NULL) {
			return false;
		}
	}
	return server->scene_layout != NULL && background_create(server);
}

static bool server_init_input(struct server *server) {
	return seat_create(server) != NULL &&
		(server->selection = selection_create(server->wlr_seat, server->vms)) != NULL &&
		(server->carry = carry_create(server)) != NULL &&
		(server->cursor = cursor_create(server)) != NULL &&
		(server->constraints = constraints_create(server)) != NULL &&
		(server->shortcuts = shortcuts_create(server)) != NULL &&
		(server->idle = idle_create(server)) != NULL &&
		(server->inhibit = inhibit_create(server)) != NULL &&
		(server->ime = ime_create(server)) != NULL &&
		(server->gestures = gestures_create(server)) != NULL &&
		(server->tablets = tablets_create(server)) != NULL && warp_create(server);
}

static bool server_init_shells(struct server *server) {
	return (server->xdg = xdg_create(server)) != NULL &&
		(server->toplevels = toplevels_create(server)) != NULL &&
		(server->decorations = decorations_create(server)) != NULL &&
		(server->activation = activation_create(server)) != NULL &&
		(server->bell = bell_create(server)) != NULL &&
		layers_create(server);
}

static bool server_init_socket(struct server *server, const struct server_options *options) {
	if (options->no_socket) {
		return true;
	}
	server->socket = wl_display_add_socket_auto(server->display);
	if (server->socket == NULL) {
		log_error("cannot make a Wayland socket in XDG_RUNTIME_DIR (%s)",
			getenv("XDG_RUNTIME_DIR") != NULL ? getenv("XDG_RUNTIME_DIR") : "not set");
	}
	return server->socket != NULL;
}

bool server_init(struct server *server, const struct server_options *options) {
	*server = (struct server){.bare_windows = options->bare_windows};
	wl_list_init(&server->outputs);
	wl_list_init(&server->windows);
	wl_list_init(&server->views);
	wl_list_init(&server->new_output.link);
	wl_list_init(&server->layout_change.link);
	wl_list_init(&server->new_layer_surface.link);
	wl_list_init(&server->renderer_lost.link);
	wl_list_init(&server->vms_reload.link);
	getrlimit(RLIMIT_NOFILE, &server->startup_nofile);
	if (!server_init_display(server, options)) {
		vmset_destroy(options->vmset);
		goto error;
	}
	server->vms = vms_create(server->display, options->vmset, options->vmset_path);
	if (server->vms == NULL) {
		goto error;
	}
	server->vms_reload.notify = server_handle_vms_reload;
	wl_signal_add(&server->vms->events.reload, &server->vms_reload);
	if (!server_init_backend(server, options)) {
		goto error;
	}
	if (!server_init_scene(server) ||
			!arenas_create(server->display, server->vms, &server->renderer) ||
			!globals_create(server) || !server_init_input(server) ||
			!server_init_shells(server)) {
		log_error("out of memory");
		goto error;
	}
	server->control = control_create(server->display, server->vms);
	if (server->control == NULL || !server_init_socket(server, options)) {
		goto error;
	}
	server->releases = releases_create(server);
	server->piles = piles_create(server);
	server->unacked = unacked_create(server);
	server->timing = timing_create(server);
	server->crops = crops_create(server);
	server->crowds = crowds_create(server);
	if (server->releases == NULL || server->piles == NULL || server->unacked == NULL ||
			server->timing == NULL || server->crops == NULL ||
			server->crowds == NULL) {
		log_error("out of memory");
		goto error;
	}
	vms_watch_surfaces(server->vms, server->compositor);
	output_watch(server);
	server->output_manager = output_manager_create(server);
	return true;
error:
	server_finish(server);
	return false;
}

bool server_start(struct server *server) {
	if (!wlr_backend_start(server->backend)) {
		log_error("the screen cannot be used");
		return false;
	}
	vms_start(server->vms);
	return true;
}

void server_run(struct server *server) {
	wl_display_run(server->display);
}

void server_stop(struct server *server) {
	wl_display_terminate(server->display);
}

static void server_finish_modules(struct server *server) {
	output_manager_destroy(server->output_manager);
	crowds_destroy(server->crowds);
	crops_destroy(server->crops);
	timing_destroy(server->timing);
	releases_destroy(server->releases);
	unacked_destroy(server->unacked);
	piles_destroy(server->piles);
	layers_destroy(server);
	bell_destroy(server->bell);
	activation_destroy(server->activation);
	decorations_destroy(server->decorations);
	xdg_destroy(server->xdg);
	toplevels_destroy(server->toplevels);
	tablets_destroy(server->tablets);
	gestures_destroy(server->gestures);
	ime_destroy(server->ime);
	inhibit_destroy(server->inhibit);
	idle_destroy(server->idle);
	shortcuts_destroy(server->shortcuts);
	constraints_destroy(server->constraints);
	cursor_destroy(server->cursor);
	control_destroy(server->control);
	carry_destroy(server->carry);
	server->carry = NULL;
	selection_destroy(server->selection);
	vms_destroy(server->vms);
	seat_destroy(server->seat);
}

void server_finish(struct server *server) {
	server->terminating = true;
	if (server->display != NULL) {
		wl_list_remove(&server->vms_reload.link);
		wl_display_destroy_clients(server->display);
	}
	server_finish_modules(server);
	output_unwatch(server);
	if (server->backend != NULL) {
		wlr_backend_destroy(server->backend);
	}
	wl_list_remove(&server->renderer_lost.link);
	if (server->allocator != NULL) {
		wlr_allocator_destroy(server->allocator);
	}
	if (server->renderer != NULL) {
		wlr_renderer_destroy(server->renderer);
	}
	if (server->frames_idle != NULL) {
		wl_event_source_remove(server->frames_idle);
	}
	for (int i = 0; i < 2; i++) {
		if (server->signals[i] != NULL) {
			wl_event_source_remove(server->signals[i]);
		}
	}
	if (server->display != NULL) {
		wl_display_destroy(server->display);
	}
	/* After the display: it takes the colour manager along, which tells the scene so. */
	if (server->scene != NULL) {
		wlr_scene_node_destroy(&server->scene->tree.node);
	}
	*server = (struct server){0};
}

bool server_spawn(struct server *server, char *const argv[]) {
	struct process *process = process_create(server->loop, &(struct process_spec){
		.argv = argv,
		.wayland_socket = -1,
		.nofile = &server->startup_nofile,
	}, NULL, NULL);
	if (process == NULL) {
		log_errno("cannot start %s", argv[0]);
		return false;
	}
	process_detach(process);
	return true;
}

struct wl_client *server_add_client(struct server *server, int fd) {
	struct wl_client *client =
			fd_set_cloexec(fd, true) ? wl_client_create(server->display, fd) : NULL;
	if (client == NULL) {
		log_errno("cannot take a client");
		fd_close(&fd);
	}
	return client;
}

struct wlr_output *server_add_headless_output(
		struct server *server, int width, int height, float scale) {
	struct wlr_output *wlr_output =
			wlr_headless_add_output(server->backend, (unsigned)width, (unsigned)height);
	if (wlr_output != NULL && scale > 0.0f) {
		struct wlr_output_state state;
		wlr_output_state_init(&state);
		wlr_output_state_set_scale(&state, scale);
		wlr_output_commit_state(wlr_output, &state);
		wlr_output_state_finish(&state);
	}
	return wlr_output;
}
