/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_IME_POPUP_H
#define ISTHMUS_GUIVM_SERVER_IME_POPUP_H

struct ime_popups;
struct server;
struct wlr_input_popup_surface_v2;
struct wlr_text_input_v3;

/* The input method's windows: at the text cursor, above everything, in the GUI VM's own frame. */
struct ime_popups *ime_popups_create(struct server *server);
/* After all clients are gone. NULL is legal. */
void ime_popups_destroy(struct ime_popups *popups);

void ime_popup_create(struct ime_popups *popups, struct wlr_input_popup_surface_v2 *surface);
/* Places and shows them for this text field; NULL: hides them. */
void ime_popups_update(struct ime_popups *popups, struct wlr_text_input_v3 *input);

#endif
