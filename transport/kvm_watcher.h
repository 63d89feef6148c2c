/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_KVM_WATCHER_H
#define ISTHMUS_TRANSPORT_KVM_WATCHER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A process that outlives its maker by a moment, to tell the other virtual machine of its death:
 * shared memory is not closed when a process is killed, and of what else joins the two machines,
 * not all is. It has nothing but the shared memory and one end of a pipe, and does nothing until
 * the pipe's other end goes. What ends both at once (kill -9 of a whole service) stays unnoticed
 * until the next one starts.
 */
struct kvm_watcher {
	int fd; // the pipe's end; -1: no watcher
	uint64_t *generation; // shared with it
};

/* When this process ends in any way, generation (in shared memory, mapped at least as long) becomes
 * 0, if it is what kvm_watcher_set() was told last. To be called once, before any sandbox. false
 * with errno. */
bool kvm_watcher_start(struct kvm_watcher *watcher, uint64_t *generation);

/* 0 at first: nothing to do. */
void kvm_watcher_set(struct kvm_watcher *watcher, uint64_t generation);

/* Harmless without a watcher. */
void kvm_watcher_stop(struct kvm_watcher *watcher);

#endif
