/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_PAGES_ACKS_H
#define ISTHMUS_TRANSPORT_PAGES_ACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/fifo.h"
#include "transport/ring.h"

/*
 * Which regions the importer let go of, told through a ring of tokens in shared memory. A region's
 * token is a number from 1 upwards in each session; references may come out of order, but none
 * twice.
 */
#define PAGES_ACKS_TOKENS 8192u /* how far out of order; a power of two */

struct pages_acks {
	struct ring ring; // once connected
	uint32_t last_token; // importer: the highest that was used
	uint8_t used[PAGES_ACKS_TOKENS / 8]; // of the PAGES_ACKS_TOKENS up to last_token
	struct fifo queue; // importer: tokens that the ring had no room for
	int *mapped; // importer: descriptors of its mappings, in no order; owned
	size_t n_mapped, mapped_capacity;
};

void pages_acks_init(struct pages_acks *acks);
/* Closes what is still held. */
void pages_acks_finish(struct pages_acks *acks);

/* Importer. A mapping's descriptor is held until it is dropped. reserve: room for one more; false
 * with errno: ENOSPC there are LIMIT_PAGES_REGIONS, ENOMEM. */
bool pages_acks_reserve(struct pages_acks *acks);
void pages_acks_hold(struct pages_acks *acks, int fd);
/* Closes it. */
void pages_acks_drop(struct pages_acks *acks, int *fd);

/* Importer. Whether untrusted_token was not used before, nor lies too far back to know; uses it. */
bool pages_acks_use(struct pages_acks *acks, uint32_t untrusted_token);

/* Importer. false: the peer does not read acknowledgements, or broke the ring. *doorbell as in
 * ring_write(). */
bool pages_acks_push(struct pages_acks *acks, uint32_t token, bool *doorbell);
bool pages_acks_flush(struct pages_acks *acks, bool *doorbell);

#endif
