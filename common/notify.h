/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_COMMON_NOTIFY_H
#define ISTHMUS_COMMON_NOTIFY_H

/*
 * sd_notify(3) where NOTIFY_SOCKET is set, without the library: state such as "READY=1". A failure
 * is logged and otherwise the service manager's problem.
 */
void notify_service_manager(const char *state);

#endif
