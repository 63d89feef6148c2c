/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_IME_H
#define ISTHMUS_GUIVM_SERVER_IME_H

#include <stdbool.h>
#include <stdint.h>

struct ime;
struct keyboard;
struct server;

/*
 * Text input: carries text between the focused application (text-input v3, any VM) and the input
 * method (input-method v2, a program of the GUI VM, trusted with everything that is typed). The
 * input method's popups are framed as the GUI VM's own.
 */
struct ime *ime_create(struct server *server);
/* After all clients are gone. NULL is legal. */
void ime_destroy(struct ime *ime);

/* A key or the modifiers of a keyboard. True: the input method has taken them. */
bool ime_handle_key(struct server *server, struct keyboard *keyboard, uint32_t time_ms,
		uint32_t keycode, uint32_t state);
bool ime_handle_modifiers(struct server *server, struct keyboard *keyboard);

/* A window was moved, sized or hidden: popups follow. */
void ime_update_popups(struct server *server);

#endif
