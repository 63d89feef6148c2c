/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/relay/local_fd.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include "common/fd.h"

bool local_fd_check(int untrusted_fd, enum wire_fd_kind kind) {
	struct statfs fs;
	switch (kind) {
	case WIRE_FD_DMABUF:
		return fd_is_dmabuf(untrusted_fd);
	case WIRE_FD_SYNCOBJ:
		return fstatfs(untrusted_fd, &fs) == 0 && fs.f_type == ANON_INODE_FS_MAGIC;
	case WIRE_FD_NONE:
	case WIRE_FD_POOL:
	case WIRE_FD_FILE:
	case WIRE_FD_PIPE:
		break;
	}
	return false;
}
