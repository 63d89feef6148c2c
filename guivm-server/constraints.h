/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_CONSTRAINTS_H
#define ISTHMUS_GUIVM_SERVER_CONSTRAINTS_H

#include <stdbool.h>

struct constraints;
struct server;
struct wlr_pointer_motion_event;

/*
 * Pointer locks and confinement, and relative motion. A constraint is in force while its surface
 * has both the pointer and the keyboard: whatever takes the keyboard away (Alt+Tab above all) sets
 * the pointer free.
 */
struct constraints *constraints_create(struct server *server);
void constraints_destroy(struct constraints *constraints);

/* To call when pointer or keyboard focus changed. */
void constraints_update(struct server *server);

void constraints_send_relative(struct server *server, const struct wlr_pointer_motion_event *event);
/* Shortens a motion to what is allowed. False: the pointer stays where it is. */
bool constraints_apply(struct server *server, double *dx, double *dy);

bool constraints_is_locked(const struct server *server);

#endif
