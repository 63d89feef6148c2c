/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_IVSHMEM_SERVER_PAIR_H
#define ISTHMUS_IVSHMEM_SERVER_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct wl_event_loop;

/*
 * What the ivshmem-doorbell devices of two QEMUs get of one server, and nobody else: a piece of
 * memory, and for each of them the interrupts that the other one may raise there. Source: QEMU's
 * "Device Specification for Inter-VM shared memory device", version 0 of its protocol.
 *
 * A message is a number of 64 bits, little-endian, with at most one descriptor. A QEMU is told
 *
 *   0                        the protocol's version
 *   its id                   below PAIR_IDS
 *   -1, memory               sealed: neither QEMU can make it smaller or larger
 *   the other's id, eventfd  PAIR_VECTORS times, when the other one connects
 *   its id, eventfd          PAIR_VECTORS times
 *   the other's id           when the other one left
 *
 * and tells nothing: what it sends ends its connection, since a machine may have taken it over.
 * One that does not read is brought up to date when it does, and keeps nothing but itself waiting.
 *
 * An id is not used again while either of the two is connected: QEMU (11.1 at least) frees twice
 * what it keeps for an id when that leaves, comes back and leaves again.
 *
 * The device does not tell its machine that the other left, so the server does, by an interrupt.
 */
#define PAIR_VECTORS 2
#define PAIR_VECTOR_RING 0u /* the other machine's: look at the memory */
#define PAIR_VECTOR_LEFT 1u /* the server's: the other machine's QEMU is gone */

#define PAIR_IDS 8192 /* [refuse] connections while either is connected */
#define PAIR_MEMORY_LEAST (2ull << 20)
#define PAIR_MEMORY_MOST (1ull << 30)

enum pair_side {
	PAIR_GUIVM,
	PAIR_APPVM,
	PAIR_SIDES,
};

struct pair_socket {
	const char *path; // borrowed; the name is removed at the end
	uid_t uid; // whose QEMU is served
};

/*
 * Makes the memory, memory_bytes (a power of two within the bounds above), and listens. NULL with
 * one line in error. loop is borrowed.
 */
struct pair *pair_create(struct wl_event_loop *loop, uint64_t memory_bytes,
		const struct pair_socket sockets[PAIR_SIDES], char *error, size_t error_size);
/* The QEMUs keep the memory and the interrupts. NULL is legal. */
void pair_destroy(struct pair *pair);

#endif
