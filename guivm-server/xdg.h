/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_XDG_H
#define ISTHMUS_GUIVM_SERVER_XDG_H

struct server;
struct xdg;

/* xdg_wm_base: toplevels become views, popups popups. NULL on no memory. */
struct xdg *xdg_create(struct server *server);
/* After all clients are gone, before the display goes. NULL is legal. */
void xdg_destroy(struct xdg *xdg);
struct wlr_xdg_shell *xdg_shell(struct xdg *xdg);

#endif
