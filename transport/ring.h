/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_RING_H
#define ISTHMUS_TRANSPORT_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * One direction of a byte stream over memory that both ends can write, after the scheme of
 * libxenvchan (Xen, public/io/libxenvchan.h), hardened: the end that does not trust the other reads
 * nothing twice and believes nothing.
 *
 * Indices run freely through all 32-bit values; the ring's size is a power of two. Each end keeps
 * its own index in private memory (what the other end writes over the shared copy has no effect
 * here) and loads the other's once per operation. More bytes between the two than the ring holds
 * cannot be: the operation fails with EPROTO and the caller disconnects. An index that lies within
 * that range only makes the liar's own stream garbage.
 *
 * Memory order. Data: the writer copies bytes, then stores producer with release; the reader loads
 * it with acquire, then copies. The same holds for consumer the other way round, so that the writer
 * overwrites only what was copied out. Wake-ups (Dekker's pattern, a sequentially consistent fence
 * between store and load on both sides):
 *
 *      waiting end                       publishing end
 *      wants = 1                         index = new
 *      fence                             fence
 *      load index again                  load wants; if set, exchange with 0 and ring the doorbell
 *
 * In the single order of the two fences one comes first: either the publisher sees wants, or the
 * waiter sees the new index. So no wake-up is lost, and an end that is awake (wants is 0) is never
 * rung. The exchange makes it one doorbell per request.
 */
struct ring_shared {
	_Alignas(64) uint32_t producer; // written by the writer
	_Alignas(64) uint32_t consumer; // written by the reader
	_Alignas(64) uint32_t reader_wants; // set by the reader, cleared by the ringing writer
	_Alignas(64) uint32_t writer_wants; // the other way round
};

/* A bit that one end sets to be rung and the other clears when it rings. */
struct ring_wish {
	uint8_t *byte;
	uint8_t bit; // as a mask
};

/* Where a ring's words lie, for a layout that is somebody else's (libxenvchan's). Borrowed; the
 * peer may write there at any time. */
struct ring_words {
	uint32_t *producer, *consumer;
	struct ring_wish reader_wants, writer_wants;
};

struct ring {
	struct ring_words shared;
	uint8_t *data; // borrowed, size bytes
	uint32_t size; // a power of two, at most RING_SIZE_MAX
	uint32_t index; // own: producer in the writer, consumer in the reader
	uint32_t last; // reader, once closed: the producer's last word
	bool closed;
};

#define RING_SIZE_MAX (1u << 30)

/* Memory is zeroed or was so when the peer got it. */
void ring_init(struct ring *ring, struct ring_shared *shared, void *data, uint32_t size);
void ring_init_words(struct ring *ring, const struct ring_words *words, void *data, uint32_t size);

/*
 * Copies at most size bytes, or with all exactly size or none, and returns how many; -1 with EPROTO
 * when the peer's index is impossible. When it returns 0 (write: less than size) the end is armed:
 * the peer will ring at its next step. *doorbell is set to true when the peer waits for what was
 * done, else left alone.
 */
ssize_t ring_read(struct ring *ring, void *bytes, size_t size, bool all, bool *doorbell);
ssize_t ring_write(struct ring *ring, const void *bytes, size_t size, bool all, bool *doorbell);

/* Bytes to read, or room to write, after arming; -1 with EPROTO. */
ssize_t ring_readable(struct ring *ring);
ssize_t ring_writable(struct ring *ring);

/* Reader: the peer is gone; what it wrote until now can be read, what it may still write cannot. */
void ring_close(struct ring *ring);

#endif
