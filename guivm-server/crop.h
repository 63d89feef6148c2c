/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_CROP_H
#define ISTHMUS_GUIVM_SERVER_CROP_H

struct crops;
struct server;

/*
 * A surface may show a part of its buffer, scaled, or one that begins or ends between two pixels
 * (wp_viewport, or its window cuts it off). wlroots counts damage by whole pixels and inside of
 * that part alone, so that what changes at its edges, or is smoothed into them from beside it, is
 * not drawn again. Such a surface is drawn anew wherever it is seen when any of it is damaged.
 */
struct crops *crops_create(struct server *server);
/* After all clients are gone. NULL is legal. */
void crops_destroy(struct crops *crops);

#endif
