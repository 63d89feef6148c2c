/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_VM_H
#define ISTHMUS_GUIVM_SERVER_VM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <wayland-server-core.h>

#include "borders/trust.h"
#include "common/log.h"
#include "vmset/vmset.h"

struct foreign;
struct wlr_compositor;

/*
 * The VMs of the VM set: their relays, their clients, and which client belongs to which. A client's
 * VM is known from the descriptor it was made from and never from anything it says.
 */
enum vm_state { // the values are isthmus_control_v1.vm_state
	VM_STOPPED,
	VM_STARTING,
	VM_RUNNING,
	VM_FAILED,
};

struct vm {
	struct wl_list link; // vms.list, in the order of the VM set
	struct vms *vms;
	const struct vmset_vm *config; // in vms.vmset; replaced by a reload
	struct trust_mark mark;

	enum vm_state state;
	char message[256]; // why, for people; may be ""
	struct log_meter log_meter; // of what it can cause as often as it likes
	pid_t relay_pid; // 0: none
	uint32_t relay_restarts;
	uint32_t n_clients; // connections of applications
	uint32_t n_surfaces; // wl_surfaces of all of them
	uint32_t n_arena_objects; // isthmus_arena_v1 and wl_buffers over them
	bool told_gpu, told_no_gpu; // whether the GPU reads its memory where it lies

	struct process *relay, *start; // NULL: does not run
	struct wl_client *manager; // the relay's own connection, or NULL
	struct wl_listener manager_destroy;
	struct wl_resource *manager_resource; // isthmus_relay_v1, or NULL until bound
	struct wl_event_source *restart_timer; // armed while the relay waits for its restart
	/* armed while the VM is awaited after its start command */
	struct wl_event_source *start_timer;
	bool starting; // the start command was run and no link is open yet
	uint32_t restart_delay_ms;
	uint64_t relay_started_ms; // CLOCK_MONOTONIC
	struct wl_list clients; // vm_client.link
	struct wl_list launches; // vm_launch.link
	uint32_t next_launch_serial;
	uint64_t launch_credit_until_ms; // CLOCK_MONOTONIC; 0: none
};

struct vms {
	struct wl_display *display;
	/* owned, in force; replaced by vms_reload(); NULL: none, no VMs and defaults */
	struct vmset *vmset;
	char *path; // NULL: none, and no reload
	struct wl_list list; // vm.link
	struct wl_global *relay_global; // isthmus_relay_v1
	struct wl_global *arena_global; // isthmus_arena_manager_v1; NULL: none is offered
	struct wl_list foreigns; // foreign.link: domains' xdg-foreign globals
	struct foreign *foreign_new; // whose globals are being made; NULL: none's
	struct wl_list finished_launches; // vm_launch.link: about to be told
	struct trust_mark local_mark; // for the GUI VM's own windows
	bool started;
	struct wl_listener new_surface, compositor_destroy;
	struct {
		struct wl_signal change; // struct vm *: state, message, relay or a count changed
		/* NULL: the set was replaced; marks, border width and guivm settings may be new */
		struct wl_signal reload;
		/* struct vm *: about to be freed; its clients are gone already */
		struct wl_signal remove;
	} events;
};

/*
 * Installs the global filter on display. vmset is taken over, also on failure; NULL: no VMs. path
 * (copied, may be NULL) is what vms_reload() reads. NULL on no memory. Nothing is started before
 * vms_start().
 */
struct vms *vms_create(struct wl_display *display, struct vmset *vmset, const char *path);
/* Stops relays and destroys all clients of VMs. Call before wl_display_destroy(). NULL is legal. */
void vms_destroy(struct vms *vms);

/* Starts a relay for every VM, and the start commands of those with autostart. */
void vms_start(struct vms *vms);

/* Counts wl_surfaces from here on; a client that goes over its VM's limit is disconnected. */
void vms_watch_surfaces(struct vms *vms, struct wlr_compositor *compositor);

/*
 * Reads the VM set again. True: it is in force. False: the old one still is. *message is text for
 * people, a line per error, owned by the caller (free()); NULL on no memory.
 */
bool vms_reload(struct vms *vms, char **message);

/* NULL when there is none. */
struct vm *vms_find(struct vms *vms, const char *name);

/*
 * The VM that a client belongs to; NULL for the GUI VM's own programs. Also true for a relay's
 * manager connection.
 */
struct vm *vm_from_client(const struct wl_client *client);

/*
 * The mark for a client's windows; the GUI VM's own for local clients. Valid until events.reload or
 * events.remove.
 */
const struct trust_mark *vms_mark(struct vms *vms, const struct wl_client *client);

/* Whether two clients are of the same domain: the same VM, or both local. */
bool vm_same_domain(const struct wl_client *a, const struct wl_client *b);

/*
 * Launch credit: a launch by the user lets the next new toplevel of that VM have focus, once, for
 * 30 seconds. vm NULL (local clients) always has credit: those are the GUI VM's own programs.
 */
bool vm_take_launch_credit(struct vm *vm);
/*
 * The user has gone on to something else: no VM but this one (NULL: none at all) has credit any
 * more. Else it could choose the moment to take the keyboard.
 */
void vms_drop_launch_credit(struct vms *vms, const struct vm *but);

/*
 * Makes a Wayland client of a connected unix stream socket, as an application of vm. Owns fd only
 * when it returns true. False: not such a socket (errno ENOTSOCK), over the VM's limit (EMFILE), or
 * no memory (ENOMEM).
 */
bool vm_create_client(struct vm *vm, int fd);

/* One start of an application, from vm_launch() until done is called or vm_launch_forget(). */
struct vm_launch;
/*
 * Called exactly once, from the event loop or vms_destroy() and never from within vm_launch().
 * message is "" when it was started.
 */
typedef void (*vm_launch_done_t)(void *data, bool started, const char *message);

/*
 * Starts application (a name in the VM set) in vm, after starting the VM when it does not run and
 * has a start command. Fails with words when the VM is not connected after 60 seconds. NULL on no
 * memory.
 */
struct vm_launch *vm_launch(
		struct vm *vm, const char *application, vm_launch_done_t done, void *data);
/* done is not called any more; the start itself goes on. */
void vm_launch_forget(struct vm_launch *launch);

#endif
