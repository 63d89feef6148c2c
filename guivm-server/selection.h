/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_SELECTION_H
#define ISTHMUS_GUIVM_SERVER_SELECTION_H

#include <stdbool.h>
#include <wayland-server-core.h>

struct vm;
struct vms;
struct wlr_data_source;
struct wlr_seat;

/*
 * Clipboard and primary selection, one of each per domain (a VM, or the GUI VM's own programs).
 * wlroots has one per seat; so that of the focused domain is put in place before keyboard focus
 * enters it, and a client of another domain never learns that there is any.
 */
struct selection;

/*
 * Takes over the seat's request_set_selection and request_set_primary_selection. NULL on no memory.
 * vms and seat must outlive it, or the seat is destroyed first, which is safe.
 */
struct selection *selection_create(struct wlr_seat *seat, struct vms *vms);
void selection_destroy(struct selection *selection);

/* Call before every wlr_seat_keyboard_notify_enter(), with the client that gets the focus. */
void selection_enter(struct selection *selection, const struct wl_client *client);

/*
 * To call at least every 30 minutes, as a timer of its own does: what was copied long ago is not to
 * pass for newer than what is being copied now. now: wl_display_get_serial().
 */
void selection_age(struct selection *selection, uint32_t now);

/*
 * For the user's hand alone, carry.h. The best type of text that a VM has copied, valid until the
 * loop's next turn; NULL: none.
 */
const char *selection_text_type(struct selection *selection, struct vm *vm);
/* Lets the VM's application write what it copied to fd, which passes in any case. */
void selection_read(struct selection *selection, struct vm *vm, const char *type, int fd);
/* What the VM pastes from now on. source passes. false: it has not the focus. */
bool selection_give(struct selection *selection, struct vm *vm, struct wlr_data_source *source);

/* Whether a drag of one client may be offered to another: only within a domain. NULL is refused. */
bool selection_drag_allowed(const struct wl_client *from, const struct wl_client *to);

#endif
