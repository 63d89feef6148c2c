/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_HANDOVER_H
#define ISTHMUS_APPVM_PROXY_HANDOVER_H

#include "appvm-proxy/request.h"

struct object;

/* wl_shm.create_pool with PIXELS_HANDOVER: the descriptor crosses as pages. */
enum request_result handover_create_pool(struct request *request);

/* A request with a descriptor of GPU memory or fences, which crosses as it is. */
enum request_result handover_pass_fd(struct request *request);

/* The pool's object is gone. */
void handover_pool_finish(struct object *object);

#endif
