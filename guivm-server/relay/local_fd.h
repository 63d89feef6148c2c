/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_RELAY_LOCAL_FD_H
#define ISTHMUS_GUIVM_SERVER_RELAY_LOCAL_FD_H

#include <stdbool.h>

#include "protocol/interface.h"

/*
 * Whether a descriptor that crossed as it is may reach the compositor: a dmabuf where the message
 * has one, something anonymous of the kernel's where it has a syncobj. Never a file, a pipe or a
 * socket: seeking in one, reading or closing it could block the compositor for as long as the VM
 * likes (FUSE). Asks the kernel for the type of its file system, which is all that the sandbox lets
 * a process ask; that an anonymous descriptor is a syncobj indeed, the GPU's driver checks.
 */
bool local_fd_check(int untrusted_fd, enum wire_fd_kind kind);

#endif
