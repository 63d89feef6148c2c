/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_OUTPUT_MANAGER_H
#define ISTHMUS_GUIVM_SERVER_OUTPUT_MANAGER_H

struct server;

/*
 * wlr-output-management, so that local tools (wlr-randr, kanshi, wdisplays) set modes, scales and
 * places of outputs. VMs do not see it. NULL with a message on no memory; destroy before the
 * display, NULL is legal.
 */
struct output_manager *output_manager_create(struct server *server);
void output_manager_destroy(struct output_manager *manager);

#endif
