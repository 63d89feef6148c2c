/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_SHORTCUTS_H
#define ISTHMUS_GUIVM_SERVER_SHORTCUTS_H

#include <stdbool.h>
#include <stdint.h>

struct server;
struct shortcuts;
struct view;
struct wlr_keyboard;

/*
 * Keys that are the compositor's. No client sees them or can switch them off:
 *   Alt+Tab, Alt+Shift+Tab   next and previous window, most recently used first; chosen when Alt is
 * let go
 *   Super+Q                  close
 *   Super+Up, Super+H        maximise or back, minimise
 *   Super+F                  allow the fullscreen that the window asked for, or leave it
 *   Super+Space              the launcher
 *   Super+C, Super+V         take text that was copied, give it to another VM: carry.h
 *   Ctrl+Alt+F1..F12         another virtual terminal
 */
struct shortcuts *shortcuts_create(struct server *server);
void shortcuts_destroy(struct shortcuts *shortcuts);

/* A key goes down. True: it was the compositor's. */
bool shortcuts_handle_key(struct server *server, struct wlr_keyboard *keyboard, uint32_t keycode);
/* After modifiers changed. */
void shortcuts_handle_modifiers(struct server *server, struct wlr_keyboard *keyboard);
/* The window went. */
void shortcuts_forget_view(struct server *server, struct view *view);

#endif
