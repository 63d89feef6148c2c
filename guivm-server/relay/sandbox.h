/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_RELAY_SANDBOX_H
#define ISTHMUS_GUIVM_SERVER_RELAY_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

struct sandbox_options {
	bool connects; // drop-in mode: socket(AF_UNIX) and connect() for each application
	uint32_t max_fds;
	unsigned long ioctl_request; // the one that the transport needs, 0 none
};

/*
 * Gives up what the process does not need any more, for good: privileges, new processes, files, the
 * network, other system calls. After it the process can use the descriptors that it has and those
 * that it is sent. false with errno when a wall that must stand could not be put up; walls that
 * some kernels lack (Landlock, namespaces) are best effort.
 *
 * A system call outside the list ends the process with SIGSYS, but for those that a library makes
 * in passing and can do without, which fail with EPERM. Under a sanitizer, whose runtime needs
 * all of this itself, there is no sandbox.
 */
bool sandbox_enter(const struct sandbox_options *options);

#endif
