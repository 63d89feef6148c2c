/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_CONTROL_CLIENT_H
#define ISTHMUS_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-util.h>

struct wl_display;

/*
 * A program's picture of the desktop: VMs, their applications and the mapped windows, kept by
 * isthmus_control_v1. The compositor is trusted; its strings are sanitised before they are sent.
 *
 * Everything happens while the caller dispatches the default queue of its wl_display. What the
 * lists hold is complete and consistent in the changed callback and between dispatches; pointers
 * into them are valid until the next dispatch.
 */
enum control_vm_state {
	CONTROL_VM_STOPPED,
	CONTROL_VM_STARTING,
	CONTROL_VM_RUNNING,
	CONTROL_VM_FAILED,
};
#define CONTROL_VM_STATE_COUNT 4

/* "stopped", "starting", "running", "failed"; "unknown" for anything else. */
const char *control_vm_state_name(uint32_t state);

/* "untrusted", "normal", "trusted"; "unknown" for anything else. */
const char *control_trust_name(uint32_t trust);

struct control_application {
	char *name; // how control_launch() names it
	char *description; // may be ""
	char *icon; // icon theme name or absolute path; may be ""
	char *categories; // separated by semicolons; may be ""
	struct wl_list link; // control_vm.applications, in VM set order
};

struct control_vm {
	char *name, *label;
	uint32_t color; // 0xRRGGBB
	uint32_t trust; // 0 untrusted, 1 normal, 2 trusted
	uint32_t state; // enum control_vm_state
	char *message; // why it is in that state; may be ""
	uint32_t clients; // applications connected
	uint32_t windows; // toplevels mapped
	uint32_t relay_pid; // 0: none
	uint32_t relay_restarts;
	struct wl_list applications; // control_application.link
	struct wl_list link; // control.vms, in VM set order
};

enum control_window_flags {
	CONTROL_WINDOW_FOCUSED = 1 << 0,
	CONTROL_WINDOW_MAXIMIZED = 1 << 1,
	CONTROL_WINDOW_MINIMIZED = 1 << 2,
	CONTROL_WINDOW_FULLSCREEN = 1 << 3,
	CONTROL_WINDOW_POPUP = 1 << 4,
};

struct control_window {
	uint32_t id; // for the compositor's life
	char *vm; // "": the GUI VM's own
	char *app_id, *title;
	int32_t x, y, width, height; // the content's box in layout coordinates
	uint32_t flags; // enum control_window_flags
	struct wl_list link; // control.windows, by first appearance
};

struct control;

struct control_listener {
	/* A set of changes is complete (the done event). */
	void (*changed)(struct control *control, void *data);
	/* Answer to control_reload(). message: errors, a line each; "" when ok. */
	void (*reloaded)(struct control *control, bool ok, const char *message, void *data);
};

struct control {
	struct wl_list vms; // control_vm.link
	struct wl_list windows; // control_window.link
	char *version; // guivm-server's; "" until told
	char *vmset_path; // "" until told
	uint32_t border_width; // logical pixels
	bool ready; // the first done event arrived

	struct isthmus_control_v1 *proxy;
	const struct control_listener *listener; // borrowed; NULL and NULL members are legal
	void *listener_data;
	struct wl_list launches; // control_launch.link, waiting for their result
	bool out_of_memory; // part of the picture is missing
};

/*
 * Binds isthmus_control_v1 on display (borrowed, must outlive the result) with a roundtrip on a
 * queue of its own, so that no event of the caller's is dispatched. NULL when the compositor does
 * not offer it (errno ENOPROTOOPT), when the connection is lost or when memory is out (errno).
 */
struct control *control_create(struct wl_display *display, const struct control_listener *listener,
		void *data);

/* Dispatches display's default queue until the first picture is complete. false when the connection
 * is lost. */
bool control_wait_ready(struct control *control, struct wl_display *display);

/* Results that are still open are not called back. NULL is legal. */
void control_destroy(struct control *control);

/* error is NULL when the application was started, and one line for people otherwise. */
typedef void (*control_launch_result_t)(const char *error, void *data);

/* Asks for a start; result (may be NULL) is called exactly once unless control goes first. false on
 * no memory, then result is not called. The request is flushed by the caller's event loop. */
bool control_launch(struct control *control, const char *vm, const char *application,
		control_launch_result_t result, void *data);

/* Asks the compositor to read the VM set again; the listener's reloaded tells how it went. */
void control_reload(struct control *control);

/* NULL when there is none. */
struct control_vm *control_find_vm(const struct control *control, const char *name);
struct control_application *control_find_application(const struct control_vm *vm, const char *name);

#endif
