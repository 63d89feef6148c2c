/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_KVM_H
#define ISTHMUS_TRANSPORT_KVM_H

#include <stddef.h>
#include <stdint.h>

#include "transport/kvm_bell.h"
#include "transport/kvm_memory.h"
#include "transport/kvm_watcher.h"
#include "transport/ring.h"
#include "transport/session.h"

struct wl_event_source;

/*
 * The kvm backend: two virtual machines that share one region of memory and have a bell, chosen
 * apart from each other. Everything that counts is in the region; the bell only says "look there"
 * and whether the other virtual machine is there at all. Its rings are coalesced and may get lost:
 * an end looks by itself every KVM_LOOK_MS too.
 *
 *   0                     struct kvm_header: layout, session, ring indices
 *   KVM_RINGS_OFFSET      bytes of the rings to the GUI side, to the application side, and of
 *                         acknowledgements (tokens of regions that the GUI side let go of)
 *   KVM_SCRATCH_OFFSET    nothing; for measuring how fast the memory is
 *   KVM_ARENAS_OFFSET     page sharing: cut into regions by the application side
 *
 * Of further parts of the memory (kvm_memory.h) the first KVM_UNIT has a layout, the rest is for
 * page sharing. Offsets are multiples of KVM_UNIT, the largest page size of any machine, so that
 * two ends with pages of different sizes agree; arenas begin and end at multiples of what the
 * memory can be mapped in, where that is more.
 *
 * A session begins by three steps in the header; each number is random and never 0:
 *
 *   GUI side          generation = G                      an offer
 *   application side  generation = A, then accepts = G    takes the offer
 *   GUI side          clears the rings, accepts = A       both are connected
 *
 * and ends when either end changes its generation (a restart does, and the watcher of a process
 * that is killed) or the bell tells that the other end is gone. An end touches the rings only while
 * connected, and makes no new session before it left the old one, so that the rings are nobody's
 * when they are cleared.
 *
 * The GUI side writes the layout and never reads it back; it reads from the header only the other
 * end's two numbers, which it compares, and ring indices, which ring.c distrusts.
 */
#define KVM_MAGIC 0x4b485349u /* "ISHK" */
#define KVM_VERSION 2
#define KVM_UNIT 65536u
#define KVM_RING_ORDER 18
#define KVM_ACKS_ORDER 16
#define KVM_RINGS_OFFSET KVM_UNIT
#define KVM_SCRATCH_OFFSET (10u * KVM_UNIT)
#define KVM_ARENAS_OFFSET (16u * KVM_UNIT)
#define KVM_LOOK_MS 500

_Static_assert(KVM_RINGS_OFFSET + (2u << KVM_RING_ORDER) + (1u << KVM_ACKS_ORDER) <=
		KVM_SCRATCH_OFFSET, "the rings lie before the scratch, and that before the arenas");

struct kvm_layout {
	uint32_t magic;
	uint32_t version;
	uint64_t size; // of this part
	uint64_t unit;
	uint32_t part, n_parts;
	uint32_t rings_offset;
	uint32_t arenas_offset;
	uint32_t ring_order;
	uint32_t acks_order;
};

/* One end's part of the handshake, written by that end alone. */
struct kvm_session {
	_Alignas(64) uint64_t generation; // 0: not there
	uint64_t accepts; // the other end's generation
	uint32_t bell_id; // by what number this end is rung, where its bell has such; 0: none
};

struct kvm_header {
	_Alignas(64) struct kvm_layout layout; // written by the GUI side
	struct kvm_session guivm, appvm;
	struct ring_shared to_guivm, to_appvm, acks;
};
_Static_assert(sizeof(struct kvm_header) <= KVM_RINGS_OFFSET, "the header lies before the rings");

struct kvm {
	struct session_transport base;
	struct kvm_memory memory;
	struct kvm_header *header; // of the first part
	struct kvm_bell bell;
	struct kvm_watcher watcher;
	struct wl_event_source *timer;

	uint64_t own; // this end's generation, 0 when it offers or takes nothing
	uint64_t peer; // the other end's that own belongs with, 0 when there is none
};

struct vchan *vchan_kvm_create(struct transport *transport);
struct pages *pages_kvm_create(struct transport *transport, uint64_t max_bytes);

/* For struct session_impl. */
void vchan_kvm_connect(struct vchan_rings *vchan);
void pages_kvm_connect(struct pages_acked *pages);

#endif
