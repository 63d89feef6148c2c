/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_IDLE_H
#define ISTHMUS_GUIVM_SERVER_IDLE_H

struct idle;
struct server;

/*
 * Whether anybody is there: ext-idle-notify for the GUI VM's own screen locker and the like, and
 * idle-inhibit for every application. Only a window that is shown keeps the screen on.
 */
struct idle *idle_create(struct server *server);
/* After all clients are gone. NULL is legal. */
void idle_destroy(struct idle *idle);

/* The user did something. */
void idle_notify_activity(struct server *server);
/* A window was shown or hidden. */
void idle_update(struct server *server);

#endif
