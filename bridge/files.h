/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_BRIDGE_FILES_H
#define ISTHMUS_BRIDGE_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/link.h"

struct link;

/*
 * File contents across a link (keymaps, format tables, ICC profiles): see LINK_FILE.
 */
struct file_set;

struct file_set *file_set_create(struct link *link);
void file_set_destroy(struct file_set *set);

/*
 * Sends fd's contents (at most size bytes; 0: all of it) and returns the id to name in a struct
 * link_fd, or 0 with errno: EFBIG, EINVAL when it is no regular file, or a read error. fd stays the
 * caller's; its offset is not moved.
 */
uint32_t file_set_send(struct file_set *set, uint32_t client, int fd, uint64_t size);

/*
 * A sealed memfd with the contents of a file that arrived in full, the caller's; forgets it. -1: no
 * such complete file (the link must fail).
 */
int file_set_take(struct file_set *set, uint32_t untrusted_id);

/* LINK_FILE. Calls link_fail() on what is not valid. */
void file_set_handle_frame(struct file_set *set, const struct link_frame *frame);

/* Drops files of a client that is gone. */
void file_set_forget_client(struct file_set *set, uint32_t client);

#endif
