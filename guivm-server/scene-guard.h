/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_SCENE_GUARD_H
#define ISTHMUS_GUIVM_SERVER_SCENE_GUARD_H

#include <stdbool.h>

/*
 * Puts itself between wlroots' scene graph and four of its mistakes: two assertions that clients
 * can make fail, what is behind a buffer that is opaque no longer, and subsurfaces of subsurfaces
 * that are not clipped. To call before there is a scene. false: wlroots is not there as a shared
 * library.
 */
bool scene_guard_init(void);

#endif
