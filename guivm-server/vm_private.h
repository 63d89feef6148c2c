/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_VM_PRIVATE_H
#define ISTHMUS_GUIVM_SERVER_VM_PRIVATE_H

#include "guivm-server/vm.h"

/*
 * What vm.c, vms.c, launch.c and relay_server.c share; nobody else includes it.
 */
#define VM_CONNECT_TIMEOUT_MS 60000 // after the start command
#define VM_NO_START_TIMEOUT_MS 10000 // for a VM that others have to start
#define VM_LAUNCH_CREDIT_MS 30000
#define VM_RESTART_MIN_MS 100
#define VM_RESTART_MAX_MS 10000
#define VM_RESTART_STARTING_MS 1000 // at most, while its VM starts
#define VM_RESTART_RESET_MS 10000 // a relay that lived longer starts again at the minimum

/* CLOCK_MONOTONIC */
uint64_t vm_now_ms(void);

/* config is borrowed from vms->vmset. The VM is put at the end of vms->list. NULL on no memory. */
struct vm *vm_create(struct vms *vms, const struct vmset_vm *config);
/* Ends its relay, clients and launches. */
void vm_destroy(struct vm *vm);

/* Takes over label, colour and limits; a relay whose command line changed is started anew. */
void vm_configure(struct vm *vm, const struct vmset_vm *config, bool restart_relay);

/* The relay is started now, or later again when that fails. */
void vm_start_relay(struct vm *vm);

/*
 * Runs the start command unless it runs already. false when there is none or it fails; then message
 * says why.
 */
bool vm_start(struct vm *vm);

/* How many wl_surfaces an application has. Not a relay's manager connection, nor a local client. */
uint32_t *vm_client_surfaces(struct wl_client *client);

/* The relay's word on its link. reason is for people; "" when there is nothing to say. */
void vm_link_connected(struct vm *vm);
void vm_link_waiting(struct vm *vm, const char *reason);

/* launch.c: the VM is there, so that what waits can be sent; or it will not come. */
void launches_send(struct vm *vm);
void launches_fail(struct vm *vm, const char *message);
/* The relay ended and is started again: what it was told it will not answer. What waits for a VM
 * that starts goes on waiting, since a relay whose devices are not plugged in yet ends at once. */
void launches_lose_relay(struct vm *vm, const char *message);
/* Tells all outcomes that are still to be told. */
void launches_finish(struct vms *vms);
/* The relay's answer; status is isthmus_relay_v1.launch_status. false: no such launch. */
bool launch_answer(struct vm *vm, uint32_t serial, uint32_t status, uint32_t detail);

#endif
