/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/reads.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <wayland-server-core.h>

#define UNREAD_MAX_BYTES (64 * 1024)

bool client_reads(struct wl_client *client) {
	int unread = 0;
	return ioctl(wl_client_get_fd(client), SIOCOUTQ, &unread) < 0 ||
			unread <= UNREAD_MAX_BYTES;
}
