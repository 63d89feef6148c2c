/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_EXEC_H
#define ISTHMUS_APPVM_PROXY_EXEC_H

#include <sys/types.h>

struct link_frame;
struct proxy;

/* Applications that the GUI VM asked for by name. What a name stands for, the VM set here says. */
struct exec;

/* NULL with errno. */
struct exec *exec_create(struct proxy *proxy);
/* Applications run on. NULL is legal. */
void exec_destroy(struct exec *exec);

/* LINK_LAUNCH, whose answer follows when the application connected, ended, or lived for two
 * seconds. */
void exec_handle_launch(struct exec *exec, const struct link_frame *frame);

/* An application connected: launches that wait for one of its session are answered. */
void exec_handle_connection(struct exec *exec, pid_t pid);

/* Answers that are due are no longer wanted by anybody. */
void exec_handle_link_lost(struct exec *exec);

#endif
