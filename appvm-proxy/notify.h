/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_APPVM_PROXY_NOTIFY_H
#define ISTHMUS_APPVM_PROXY_NOTIFY_H

/* sd_notify(3) where NOTIFY_SOCKET is set: state such as "READY=1". Failure is the service
 * manager's problem. */
void notify_service_manager(const char *state);

#endif
