/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_SUBSURFACE_H
#define ISTHMUS_APPVM_PROXY_SUBSURFACE_H

#include <stdbool.h>

#include "appvm-proxy/request.h"

struct slot;
struct surface;

/*
 * The compositor keeps the commits of a synchronized subsurface, each with its buffer, until an
 * ancestor commits. An application may make any number of them first; one that waited for a slot
 * would wait for its own next request. So the frame kept last is drawn over instead, as nobody has
 * seen it; and where that does not fit, only slots are waited for that need no further request.
 */

/* wl_subcompositor.get_subsurface and requests of wl_subsurface. */
enum request_result subsurface_handle_request(struct request *request);

/* The surface goes: so do its role and that of its children. */
void subsurface_finish(struct surface *surface);

/* Whether what surface->kept describes is still not shown. */
bool subsurface_keeps(const struct surface *surface);

/*
 * Whether a slot that is in use comes back while the application does nothing: its frame was shown,
 * or its ancestors have committed since, each after the one below. When in doubt it does not.
 */
bool subsurface_returns(const struct surface *surface, const struct slot *slot);

/* The surface was committed, with slot unless that is NULL. */
void subsurface_note_commit(struct surface *surface, struct slot *slot);

#endif
