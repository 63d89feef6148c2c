/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_PIXELS_CURTAIN_H
#define ISTHMUS_TESTS_PIXELS_CURTAIN_H

struct screen;

/*
 * Covers the whole screen for a frame: all that is behind is drawn anew after it, whatever damage
 * was counted or lost before.
 */
void curtain_draw(struct screen *screen);

#endif
