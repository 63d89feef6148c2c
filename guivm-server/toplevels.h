/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_TOPLEVELS_H
#define ISTHMUS_GUIVM_SERVER_TOPLEVELS_H

struct server;
struct toplevels;
struct view;

/*
 * wlr-foreign-toplevel-management: the list of windows for task bars of the GUI VM, never for VMs.
 * What a task bar asks for counts as the user's own action. Titles of a VM's windows begin with the
 * VM's name in brackets, since a task bar draws no frames. Changes are told at the end of the turn,
 * and only once all task bars have read the ones before. NULL on no memory.
 */
struct toplevels *toplevels_create(struct server *server);
/* After all windows are gone. NULL is legal. */
void toplevels_destroy(struct toplevels *toplevels);

/* A mapped window is new in the list, or something of it changed. */
void toplevels_update(struct view *view);
void toplevels_remove(struct view *view);

#endif
