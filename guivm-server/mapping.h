/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_MAPPING_H
#define ISTHMUS_GUIVM_SERVER_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Memory of a VM, mapped for reading. All that ask for the same bytes of the same open file (not
 * of the same path: a device has another memory each time it is opened) share one mapping.
 *
 * When the memory goes away under a mapping (its file is truncated, its device unplugged), reads
 * find zeroes from then on: the first mapping installs a handler of SIGBUS for the rest of the
 * process, which passes on what is not its own. wlroots puts its handler in front of this one while
 * it reads a wl_shm buffer, and passes on to this one.
 */
struct mapping;

/*
 * A reference, to be given back by mapping_put(). offset and size in bytes, offset a multiple of
 * the page size; fd is borrowed. NULL with errno: EMEDIUMTYPE a regular file on a file system that
 * could keep a reader waiting (only tmpfs, hugetlbfs and sysfs are taken) or that is too short,
 * others as of mmap().
 */
struct mapping *mapping_get(int untrusted_fd, uint64_t untrusted_offset, size_t untrusted_size);

/* One more reference. */
struct mapping *mapping_ref(struct mapping *mapping);

/* NULL is legal. */
void mapping_put(struct mapping *mapping);

const void *mapping_data(const struct mapping *mapping);
size_t mapping_size(const struct mapping *mapping);

/* The same memory as a dma-buf, its first byte the mapping's. false: it has one already, or this is
 * none or smaller than the mapping. fd is borrowed. */
bool mapping_add_dmabuf(struct mapping *mapping, int untrusted_fd);
/* It was tried, and is the same memory; or is not: then there is none from now on, but its
 * descriptor stays as long as the mapping. */
void mapping_accept_dmabuf(struct mapping *mapping);
void mapping_refuse_dmabuf(struct mapping *mapping);
bool mapping_dmabuf_is_tried(const struct mapping *mapping);
/* The mapping's descriptor; -1: none. */
int mapping_dmabuf(const struct mapping *mapping);

/* Where it lies. The descriptor is the mapping's. */
int mapping_fd(const struct mapping *mapping);
uint64_t mapping_offset(const struct mapping *mapping);

#endif
