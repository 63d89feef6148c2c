/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/kvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <wayland-server-core.h>

#include "common/log.h"

struct kvm_spec {
	const char *memory, *bell; // parts of the tail
	size_t memory_length;
};

/* "mem=KIND:NAME[+KIND:NAME...],bell=KIND:NAME". Paths with a comma or a plus cannot be written. */

static bool parse_tail(const char *tail, struct kvm_spec *spec, char *error, size_t error_size) {
	const char *bell = strstr(tail, ",bell=");
	if (strncmp(tail, "mem=", 4) != 0 || bell == NULL) {
		return transport_error(error, error_size,
			"transport \"kvm:%s\": it is written kvm:mem=...,bell=...", tail);
	}
	spec->bell = bell + 6;
	spec->memory = tail + 4;
	spec->memory_length = (size_t)(bell - spec->memory);
	// A device's group can be opened only once.
	const char *device = strncmp(spec->bell, "doorbell:", 9) == 0 ? spec->bell + 9 : NULL;
	return kvm_bell_check(spec->bell, error, error_size) &&
		kvm_memory_check(spec->memory, spec->memory_length, device, error, error_size);
}

static bool kvm_check(const char *tail, char *error, size_t error_size) {
	struct kvm_spec spec;
	return parse_tail(tail, &spec, error, error_size);
}

/* The session. */

static uint64_t load(const uint64_t *number) {
	return __atomic_load_n(number, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *number, uint64_t value) {
	__atomic_store_n(number, value, __ATOMIC_SEQ_CST);
}

static void ring_bell(struct session_transport *transport) {
	kvm_bell_ring(&((struct kvm *)transport)->bell);
}

static struct kvm_layout make_layout(const struct kvm *kvm, size_t part) {
	return (struct kvm_layout){
		.magic = KVM_MAGIC,
		.version = KVM_VERSION,
		.size = kvm->memory.parts[part].size,
		.unit = kvm->memory.unit,
		.part = (uint32_t)part,
		.n_parts = (uint32_t)kvm->memory.n_parts,
		.rings_offset = KVM_RINGS_OFFSET,
		.arenas_offset = KVM_ARENAS_OFFSET,
		.ring_order = KVM_RING_ORDER,
		.acks_order = KVM_ACKS_ORDER,
	};
}

static bool is_guivm(const struct kvm *kvm) {
	return kvm->base.base.role == TRANSPORT_GUIVM;
}

static void set_own(struct kvm *kvm, uint64_t own) {
	kvm->own = own;
	kvm_watcher_set(&kvm->watcher, own);
}

static struct kvm_session *own_session(const struct kvm *kvm) {
	return is_guivm(kvm) ? &kvm->header->guivm : &kvm->header->appvm;
}

static void offer(struct kvm *kvm) {
	struct kvm_header *header = kvm->header;
	for (size_t i = 0; i < kvm->memory.n_parts; i++) {
		struct kvm_layout layout = make_layout(kvm, i);
		memcpy(kvm->memory.parts[i].head, &layout, sizeof(layout));
	}
	store(&header->guivm.generation, kvm->own);
	kvm_bell_ring(&kvm->bell);
}

static void guivm_wait(struct kvm *kvm) {
	struct kvm_header *header = kvm->header;
	if (load(&header->guivm.generation) != kvm->own) {
		offer(kvm);
	}
	// Random numbers that the other end chose: only compared.
	uint64_t accepts = load(&header->appvm.accepts);
	uint64_t generation = load(&header->appvm.generation);
	if (!kvm->bell.up || accepts != kvm->own || generation == 0) {
		return;
	}
	memset(&header->to_guivm, 0, sizeof(header->to_guivm));
	memset(&header->to_appvm, 0, sizeof(header->to_appvm));
	memset(&header->acks, 0, sizeof(header->acks));
	kvm->peer = generation;
	store(&header->guivm.accepts, generation);
	session_connect(&kvm->base);
	kvm_bell_ring(&kvm->bell);
}

static const char *check_part(const struct kvm *kvm, size_t part) {
	struct kvm_layout layout, expected = make_layout(kvm, part);
	memcpy(&layout, kvm->memory.parts[part].head, sizeof(layout));
	if (layout.magic != expected.magic) {
		return "the memory is not laid out by the GUI side of a link";
	}
	if (layout.version != expected.version) {
		return "the GUI side speaks another version of the kvm transport";
	}
	return memcmp(&layout, &expected, sizeof(layout)) == 0
		? NULL : "the GUI side lays the memory out in another way";
}

static const char *check_layout(const struct kvm *kvm) {
	const char *wrong = NULL;
	for (size_t i = 0; wrong == NULL && i < kvm->memory.n_parts; i++) {
		wrong = check_part(kvm, i);
	}
	return wrong;
}

static void appvm_wait(struct kvm *kvm) {
	struct kvm_header *header = kvm->header;
	uint64_t generation = load(&header->guivm.generation);
	if (kvm->peer != 0 && load(&header->guivm.accepts) == kvm->own) {
		// Even when the GUI side left since then: what it wrote can be read.
		session_connect(&kvm->base);
		return;
	}
	if (!kvm->bell.up || generation == 0 || generation == kvm->peer) {
		return;
	}
	const char *wrong = check_layout(kvm);
	if (wrong != NULL) {
		log_error("transport %s: %s", kvm->base.base.spec, wrong);
		session_end(&kvm->base, wrong);
		return;
	}
	kvm->peer = generation;
	store(&header->appvm.accepts, 0);
	store(&header->appvm.generation, kvm->own);
	store(&header->appvm.accepts, generation);
	kvm_bell_ring(&kvm->bell);
}

static void check_peer(struct kvm *kvm) {
	const struct kvm_session *theirs = is_guivm(kvm)
		? &kvm->header->appvm : &kvm->header->guivm;
	if (!kvm->bell.up || load(&theirs->generation) != kvm->peer) {
		session_end(&kvm->base, "the peer closed");
	}
}

static void look(struct session_transport *transport) {
	struct kvm *kvm = (struct kvm *)transport;
	if (!transport->connected && is_guivm(kvm)) {
		guivm_wait(kvm);
	} else if (!transport->connected) {
		appvm_wait(kvm);
	}
	if (transport->connected) {
		check_peer(kvm);
	}
}

/* Tells each end where the other one's bell is. */
static void meet(struct kvm *kvm) {
	struct kvm_session *guivm = &kvm->header->guivm, *appvm = &kvm->header->appvm;
	__atomic_store_n(is_guivm(kvm) ? &guivm->bell_id : &appvm->bell_id, kvm->bell.own_id,
		__ATOMIC_SEQ_CST);
	kvm->bell.peer_id = is_guivm(kvm) ? &appvm->bell_id : &guivm->bell_id;
}

static void handle_bell(void *data) {
	session_look(data);
}

static int handle_timer(void *data) {
	struct kvm *kvm = data;
	if (kvm->base.joined) {
		wl_event_source_timer_update(kvm->timer, KVM_LOOK_MS);
		session_look(&kvm->base);
	}
	return 0;
}

static bool begin(struct session_transport *transport) {
	struct kvm *kvm = (struct kvm *)transport;
	uint64_t own;
	do {
		if (getrandom(&own, sizeof(own), 0) != sizeof(own)) {
			return false;
		}
	} while (own == 0);
	set_own(kvm, own);
	wl_event_source_timer_update(kvm->timer, KVM_LOOK_MS);
	return true;
}

static void leave(struct session_transport *transport) {
	struct kvm *kvm = (struct kvm *)transport;
	// accepts stays: an end that was accepted and looks only now still learns of it.
	store(&own_session(kvm)->generation, 0);
	set_own(kvm, 0);
	kvm->peer = 0;
	kvm_bell_ring(&kvm->bell);
}

static const struct session_impl session_kvm_impl = {
	.begin = begin,
	.leave = leave,
	.look = look,
	.ring_bell = ring_bell,
	.connect_vchan = vchan_kvm_connect,
	.connect_pages = pages_kvm_connect,
};

/* The transport. */

static void kvm_close(struct transport *transport) {
	struct kvm *kvm = (struct kvm *)transport;
	session_finish(&kvm->base);
	if (kvm->timer != NULL) {
		wl_event_source_remove(kvm->timer);
	}
	kvm_bell_close(&kvm->bell);
	kvm_watcher_stop(&kvm->watcher);
	kvm_memory_close(&kvm->memory);
	free(kvm);
}

static struct transport *kvm_open(struct wl_event_loop *loop, const char *tail,
		enum transport_role role, char *error, size_t error_size) {
	struct kvm_spec spec;
	struct kvm *kvm = calloc(1, sizeof(*kvm));
	if (kvm == NULL || !parse_tail(tail, &spec, error, error_size)) {
		free(kvm);
		return NULL;
	}
	kvm->base.base.loop = loop;
	kvm->base.base.role = role;
	kvm->base.base.caps = TRANSPORT_PAGES;
	kvm->base.impl = &session_kvm_impl;
	kvm->watcher.fd = -1;
	kvm->bell.handle = handle_bell;
	kvm->bell.data = kvm;
	kvm->timer = wl_event_loop_add_timer(loop, handle_timer, kvm);
	if (kvm->timer == NULL) {
		transport_error(error, error_size, "transport \"kvm:%s\": out of memory", tail);
		goto error;
	}
	// The bell first: it is what only one process at a time can have.
	if (!kvm_bell_open(&kvm->bell, loop, spec.bell, role, error, error_size) ||
			!kvm_memory_open(&kvm->memory,
				&(struct kvm_memory_spec){
					.text = spec.memory,
					.length = spec.memory_length,
					.device = kvm_bell_device(&kvm->bell),
					.role = role,
				}, error, error_size)) {
		goto error;
	}
	kvm->header = (struct kvm_header *)(void *)kvm->memory.parts[0].head;
	meet(kvm);
	// What a predecessor that was killed with its watcher left there is over.
	store(&own_session(kvm)->generation, 0);
	if (!kvm_watcher_start(&kvm->watcher, &own_session(kvm)->generation)) {
		transport_error(error, error_size, "transport \"kvm:%s\": no watcher: %s", tail,
			strerror(errno));
		goto error;
	}
	kvm_bell_ring(&kvm->bell);
	return &kvm->base.base;
error:
	kvm_close(&kvm->base.base);
	return NULL;
}

/* Through the mapping that is for pixels, but beside them. */
static bool kvm_probe(const char *tail, struct transport_probe *probe, char *error,
		size_t error_size) {
	struct kvm_spec spec;
	struct kvm_memory memory;
	if (!parse_tail(tail, &spec, error, error_size) ||
			!kvm_memory_open(&memory,
				&(struct kvm_memory_spec){
					.text = spec.memory,
					.length = spec.memory_length,
					.role = probe->role,
				}, error, error_size)) {
		return false;
	}
	struct kvm_part *part = &memory.parts[0];
	uint8_t *bytes = probe->role == TRANSPORT_APPVM ? part->bytes : part->head;
	probe->size = memory.size;
	bool ok = transport_probe_measure(bytes + KVM_SCRATCH_OFFSET,
			KVM_ARENAS_OFFSET - KVM_SCRATCH_OFFSET, probe) ||
		transport_error(error, error_size, "out of memory");
	kvm_memory_close(&memory);
	return ok;
}

const struct transport_backend transport_kvm_backend = {
	.name = "kvm",
	.check = kvm_check,
	.probe = kvm_probe,
	.open = kvm_open,
	.close = kvm_close,
	.vchan_create = vchan_kvm_create,
	.pages_create = pages_kvm_create,
};
