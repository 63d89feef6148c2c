/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_PROBE_H
#define ISTHMUS_TRANSPORT_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "transport/transport.h"

/*
 * How fast the memory is that two virtual machines share, beside ordinary memory of this process.
 * Both map it; what kind of mapping they get (cached, write-combining or uncached) is up to the
 * kernel, the hypervisor and the processor, and decides whether pixels in it are usable.
 */
struct transport_probe {
	uint64_t size; // bytes, of all of the memory
	enum transport_role role;
	// Bytes per second. The role's mapping: of the GUI side, what is read by the compositor; of
	// the application side, what the proxy writes to.
	double read, write;
	double ordinary_read, ordinary_write;
};

/*
 * Opens the memory of spec as role does, and measures for at most a few seconds. A link that uses
 * the memory meanwhile is not disturbed. false with one line in error; also where the transport has
 * no memory of its own.
 */
bool transport_probe(const char *spec, enum transport_role role, struct transport_probe *probe,
		char *error, size_t error_size);

/* Measures size bytes of memory, which are lost. Fills in all but size and role. false: out of
 * memory. */
bool transport_probe_measure(uint8_t *memory, size_t size, struct transport_probe *probe);

/* What kind of mapping that looks like: "cached", "write-combining" or "uncached". */
const char *transport_probe_kind(const struct transport_probe *probe);

/* Lines for people: the numbers, and in words what they mean. */
void transport_probe_print(const struct transport_probe *probe, FILE *out);

#endif
