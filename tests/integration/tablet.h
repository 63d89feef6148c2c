/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_INTEGRATION_TABLET_H
#define ISTHMUS_TESTS_INTEGRATION_TABLET_H

#include <stdbool.h>

struct wlr_backend;

/*
 * A drawing tablet with a pen, and a pad: four buttons, a ring and a strip, in one group that has
 * two modes. They are plugged in by lines:
 *
 *     plug tablet|pad
 *     unplug tablet|pad
 *     pen near X Y            to a point of the layout, in millionths of its size
 *     pen away
 *     pad button N 0|1 MODE   MODE: that the group is in by then
 *     pad ring DEGREES        -1: the finger went
 *     pad strip X             millionths; -1: the finger went
 *
 * False: the line is none of these.
 */
bool tablet_run_line(struct wlr_backend *backend, const char *line);
/* What is plugged in is no more. */
void tablet_unplug_all(void);

#endif
