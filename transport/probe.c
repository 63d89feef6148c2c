/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/probe.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 64
#define MOST_NS 500000000
#define MEGABYTE 1e6
// Of ordinary memory's speed: what an uncached mapping has is a tenth of it at best.
#define USABLE 0.25

static int64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Bytes per second. */
static double copy(uint8_t *to, const uint8_t *from, size_t size) {
	int64_t start = now_ns();
	memcpy(to, from, size);
	// What write-combining buffers hold counts; and the copy is made, though nobody looks.
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	__asm__ volatile("" : : "r"(to) : "memory");
	int64_t took = now_ns() - start;
	return (double)size * 1e9 / (double)(took > 0 ? took : 1);
}

/* The best of many: what else the machine does only makes it slower. */
static void note(double *best, double speed) {
	*best = speed > *best ? speed : *best;
}

bool transport_probe_measure(uint8_t *memory, size_t size, struct transport_probe *probe) {
	uint8_t *ordinary = malloc(size), *buffer = malloc(size);
	if (ordinary == NULL || buffer == NULL) {
		free(ordinary);
		free(buffer);
		return false;
	}
	memset(ordinary, 1, size);
	memset(buffer, 2, size);
	probe->read = probe->write = probe->ordinary_read = probe->ordinary_write = 0;
	int64_t end = now_ns() + MOST_NS;
	for (unsigned i = 0; i < ROUNDS && (i < 2 || now_ns() < end); i++) {
		note(&probe->write, copy(memory, buffer, size));
		note(&probe->ordinary_write, copy(ordinary, buffer, size));
		note(&probe->read, copy(buffer, memory, size));
		note(&probe->ordinary_read, copy(buffer, ordinary, size));
	}
	free(ordinary);
	free(buffer);
	return true;
}

const char *transport_probe_kind(const struct transport_probe *probe) {
	if (probe->read >= USABLE * probe->ordinary_read) {
		return "cached";
	}
	return probe->write >= USABLE * probe->ordinary_write ? "write-combining" : "uncached";
}

static const char *meaning(const struct transport_probe *probe) {
	if (strcmp(transport_probe_kind(probe), "cached") == 0) {
		return "as fast as it can be";
	}
	if (probe->role == TRANSPORT_GUIVM) {
		return "the compositor will read pixels slowly; use memory that is mapped cached, "
		       "such as dax";
	}
	if (strcmp(transport_probe_kind(probe), "uncached") == 0) {
		return "the proxy will write pixels slowly; use memory that is mapped cached, such "
		       "as dax";
	}
	return "good for writing pixels, which is all that this side does with it";
}

void transport_probe_print(const struct transport_probe *probe, FILE *out) {
	fprintf(out, "size   %.0f MiB\n", (double)probe->size / (1 << 20));
	fprintf(out, "read   %.0f MB/s, %.2f of ordinary memory\n", probe->read / MEGABYTE,
		probe->read / probe->ordinary_read);
	fprintf(out, "write  %.0f MB/s, %.2f of ordinary memory\n", probe->write / MEGABYTE,
		probe->write / probe->ordinary_write);
	fprintf(out, "It looks %s: %s.\n", transport_probe_kind(probe), meaning(probe));
}
