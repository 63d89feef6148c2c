/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_ACTIVATION_H
#define ISTHMUS_GUIVM_SERVER_ACTIVATION_H

struct activation;
struct server;
struct wlr_surface;

/*
 * xdg-activation: a window gets the focus on request only when a window of its own VM has it, or
 * the user started an application there; otherwise it is marked as asking for attention. A token
 * of one VM does nothing in another.
 */
struct activation *activation_create(struct server *server);
void activation_destroy(struct activation *activation);

/*
 * The surface that a token was asked for by, and the token is used up. NULL: there is no such
 * token, or its surface is gone or was not named.
 */
struct wlr_surface *activation_take_surface(struct server *server, const char *token);

#endif
