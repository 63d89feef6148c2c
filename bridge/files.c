/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bridge/link.h"
#include "common/fd.h"

#define FILE_PART_BYTES (32 * 1024)

struct incoming {
	uint32_t id, client; // id 0: free place
	int fd; // a memfd, being filled
	uint32_t total, received;
};

struct file_set {
	struct link *link;
	uint32_t last_id;
	struct incoming incoming[LIMIT_FILES_PER_LINK];
	uint8_t part[FILE_PART_BYTES];
};

struct file_set *file_set_create(struct link *link) {
	struct file_set *set = calloc(1, sizeof(*set));
	if (set != NULL) {
		set->link = link;
	}
	return set;
}

static void forget(struct incoming *incoming) {
	if (incoming->id != 0) {
		fd_close(&incoming->fd);
		incoming->id = 0;
	}
}

void file_set_destroy(struct file_set *set) {
	if (set == NULL) {
		return;
	}
	for (size_t i = 0; i < LIMIT_FILES_PER_LINK; i++) {
		forget(&set->incoming[i]);
	}
	free(set);
}

void file_set_forget_client(struct file_set *set, uint32_t client) {
	for (size_t i = 0; i < LIMIT_FILES_PER_LINK; i++) {
		if (set->incoming[i].client == client) {
			forget(&set->incoming[i]);
		}
	}
}

/* The size to send, or -1 with errno. */
static int64_t checked_size(int fd, uint64_t size) {
	struct stat info;
	struct statfs fs;
	if (fd_stat(fd, &info) < 0 || fstatfs(fd, &fs) < 0) {
		return -1;
	}
	// Whose file system is the application's own (FUSE), that may keep its reader waiting.
	bool hangs = fs.f_type == FUSE_SUPER_MAGIC;
	if (!S_ISREG(info.st_mode) || hangs || (uint64_t)info.st_size < size) {
		errno = EINVAL;
		return -1;
	}
	if (size == 0) {
		size = (uint64_t)info.st_size;
	}
	if (size > LIMIT_FILE_BYTES) {
		errno = EFBIG;
		return -1;
	}
	return (int64_t)size;
}

uint32_t file_set_send(struct file_set *set, uint32_t client, int fd, uint64_t wanted_size) {
	int64_t size = checked_size(fd, wanted_size);
	if (size < 0) {
		return 0;
	}
	uint32_t id = ++set->last_id != 0 ? set->last_id : ++set->last_id;
	struct link_file head = {.total = (uint32_t)size};
	do {
		uint32_t left = head.total - head.offset;
		head.count = left < FILE_PART_BYTES ? left : FILE_PART_BYTES;
		ssize_t got = pread(fd, set->part, head.count, head.offset);
		if (got != (ssize_t)head.count) {
			// Whoever shrinks it meanwhile sends what was there; the rest reads as
			// zeroes.
			size_t valid = got > 0 ? (size_t)got : 0;
			for (size_t i = valid; i < head.count; i++) {
				set->part[i] = 0;
			}
		}
		link_send2(set->link, LINK_FILE, client, id, &head, sizeof(head), set->part,
				head.count);
		head.offset += head.count;
	} while (head.offset < head.total);
	return id;
}

static struct incoming *find(struct file_set *set, uint32_t id) {
	for (size_t i = 0; i < LIMIT_FILES_PER_LINK; i++) {
		if (set->incoming[i].id == id) {
			return &set->incoming[i];
		}
	}
	return NULL;
}

int file_set_take(struct file_set *set, uint32_t untrusted_id) {
	struct incoming *incoming = untrusted_id != 0 ? find(set, untrusted_id) : NULL;
	if (incoming == NULL || incoming->received != incoming->total) {
		return -1;
	}
	int fd = incoming->fd;
	incoming->fd = -1;
	incoming->id = 0;
	if (lseek(fd, 0, SEEK_SET) < 0 ||
			fcntl(fd, F_ADD_SEALS,
					F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) <
					0) {
		fd_close(&fd);
	}
	return fd;
}

static struct incoming *start(struct file_set *set, uint32_t id, uint32_t client, uint32_t total) {
	struct incoming *incoming = find(set, 0);
	if (incoming == NULL) {
		link_fail(set->link, LINK_BYE_LIMIT, "more than %d files at once",
				LIMIT_FILES_PER_LINK);
		return NULL;
	}
	*incoming = (struct incoming){.id = id, .client = client, .total = total};
	incoming->fd = fd_memory("isthmus-file", 0);
	if (incoming->fd < 0) {
		incoming->id = 0;
		link_fail(set->link, LINK_BYE_INTERNAL, "no memory for a file");
		return NULL;
	}
	return incoming;
}

void file_set_handle_frame(struct file_set *set, const struct link_frame *frame) {
	const uint8_t *bytes;
	struct link_file part = link_frame_file(frame, &bytes);
	uint32_t id = frame->header.arg;
	struct incoming *incoming = id != 0 ? find(set, id) : NULL;
	if (incoming == NULL && part.offset == 0 && id != 0) {
		incoming = start(set, id, frame->header.client, part.total);
		if (incoming == NULL) {
			return;
		}
	}
	if (incoming == NULL || incoming->client != frame->header.client ||
			part.total != incoming->total || part.offset != incoming->received ||
			part.count > part.total - part.offset) {
		link_fail(set->link, LINK_BYE_PROTOCOL, "file %u: a part that does not continue it",
				id);
		return;
	}
	if (pwrite(incoming->fd, bytes, part.count, part.offset) != (ssize_t)part.count) {
		link_fail(set->link, LINK_BYE_INTERNAL, "no memory for a file");
		return;
	}
	incoming->received += part.count;
}
