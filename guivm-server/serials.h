/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_SERIALS_H
#define ISTHMUS_GUIVM_SERVER_SERIALS_H

#include <stdbool.h>

/*
 * libwayland counts serials for all clients together, and tells the count to any that asks
 * (wl_display.sync). A VM could so see when each key is pressed in a window of another, and from
 * the times guess what is typed. Instead serials are times here, which everybody knows, in ticks so
 * short that hardly ever two fall into one. The order is kept; half of all serials, what wlroots
 * compares by, is 73 minutes.
 */
#define SERIAL_TICK_SHIFT 11 // 2.048 microseconds

/* To call before there is a client. false: serials would still be libwayland's. */
bool serials_init(void);

#endif
