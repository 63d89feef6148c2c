/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"
#include "common/log.h"

#define IVSHMEM_ID "0x1af4 0x1110"

enum kvm_memory {
	KVM_MEMORY_IVSHMEM,
	KVM_MEMORY_VFIO, // of the bell's device
	KVM_MEMORY_FILE,
};

struct kvm_spec {
	enum kvm_memory kind;
	char memory[256]; // PCI address or path
	const char *bell; // part of the tail
};

/* "mem=KIND:NAME,bell=KIND:NAME". Paths with a comma cannot be written. */

static bool parse_memory(const char *text, size_t length, struct kvm_spec *spec, char *error,
		size_t error_size) {
	char memory[sizeof(spec->memory)];
	if (length >= sizeof(memory)) {
		return transport_error(error, error_size, "transport kvm: mem is too long");
	}
	memcpy(memory, text, length);
	memory[length] = '\0';
	const char *colon = strchr(memory, ':');
	const char *name = colon != NULL ? colon + 1 : "";
	if (strncmp(memory, "ivshmem:", 8) == 0) {
		spec->kind = KVM_MEMORY_IVSHMEM;
	} else if (strncmp(memory, "vfio:", 5) == 0) {
		spec->kind = KVM_MEMORY_VFIO;
	} else if (strncmp(memory, "file:", 5) == 0) {
		spec->kind = KVM_MEMORY_FILE;
	} else {
		return transport_error(error, error_size,
			"transport kvm: mem \"%s\" is not ivshmem:ADDRESS, vfio:ADDRESS or "
			"file:PATH", memory);
	}
	if (spec->kind != KVM_MEMORY_FILE && !vfio_address_check(name)) {
		return transport_error(error, error_size,
			"transport kvm: \"%s\" is not a PCI address such as 0000:00:05.0", name);
	}
	if (*name == '\0') {
		return transport_error(error, error_size,
			"transport kvm: mem \"%s\": the path is missing", memory);
	}
	memcpy(spec->memory, name, strlen(name) + 1);
	return true;
}

static bool parse_tail(const char *tail, struct kvm_spec *spec, char *error, size_t error_size) {
	const char *bell = strstr(tail, ",bell=");
	if (strncmp(tail, "mem=", 4) != 0 || bell == NULL) {
		return transport_error(error, error_size,
			"transport \"kvm:%s\": it is written kvm:mem=...,bell=...", tail);
	}
	spec->bell = bell + 6;
	if (!parse_memory(tail + 4, (size_t)(bell - tail) - 4, spec, error, error_size) ||
			!kvm_bell_check(spec->bell, error, error_size)) {
		return false;
	}
	// A device's group can be opened only once.
	const char *device = strncmp(spec->bell, "doorbell:", 9) == 0 ? spec->bell + 9 : "";
	return spec->kind != KVM_MEMORY_VFIO || strcmp(device, spec->memory) == 0 ||
		transport_error(error, error_size,
			"transport kvm: mem vfio:%s goes with bell doorbell:%s only", spec->memory,
			spec->memory);
}

static bool kvm_check(const char *tail, char *error, size_t error_size) {
	struct kvm_spec spec;
	return parse_tail(tail, &spec, error, error_size);
}

/* Memory. */

static bool sysfs_read(const char *address, const char *name, char *text, size_t size) {
	char path[320];
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", address, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count = fd >= 0 ? read(fd, text, size - 1) : -1;
	fd_close(&fd);
	text[count > 0 ? count : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return count > 0;
}

/* Needs privileges; where they are missing, whoever set the machine up did it. */
static void enable_device(const char *address) {
	char path[320];
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", address);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "1", 1) < 0) {
		log_debug("%s: errno %d", path, errno);
	}
	fd_close(&fd);
}

static bool check_device(const char *address, char *error, size_t error_size) {
	char vendor[16], device[16], id[40];
	if (!sysfs_read(address, "vendor", vendor, sizeof(vendor)) ||
			!sysfs_read(address, "device", device, sizeof(device))) {
		return transport_error(error, error_size, "PCI device %s: %s", address,
				strerror(errno));
	}
	snprintf(id, sizeof(id), "%s %s", vendor, device);
	return strcmp(id, IVSHMEM_ID) == 0 ||
		transport_error(error, error_size, "PCI device %s is no ivshmem device", address);
}

static void memory_path(const struct kvm_spec *spec, const char *name, char *path, size_t size) {
	if (spec->kind == KVM_MEMORY_FILE) {
		snprintf(path, size, "%s", spec->memory);
	} else {
		snprintf(path, size, "/sys/bus/pci/devices/%s/%s", spec->memory, name);
	}
}

/* Opens the memory of its own file, and says how large it is. */
static bool open_file(struct kvm *kvm, const struct kvm_spec *spec, uint64_t *size, char *error,
		size_t error_size) {
	char path[320];
	struct stat info;
	if (spec->kind == KVM_MEMORY_IVSHMEM) {
		if (!check_device(spec->memory, error, error_size)) {
			return false;
		}
		enable_device(spec->memory);
	}
	memory_path(spec, "resource2", path, sizeof(path));
	kvm->memory_fd = open(path, O_RDWR | O_CLOEXEC);
	if (kvm->memory_fd < 0 || fstat(kvm->memory_fd, &info) < 0) {
		return transport_error(error, error_size, "%s: %s", path, strerror(errno));
	}
	int seals = fcntl(kvm->memory_fd, F_GET_SEALS);
	kvm->can_shrink = spec->kind == KVM_MEMORY_FILE &&
		(seals < 0 || (seals & F_SEAL_SHRINK) == 0);
	*size = S_ISREG(info.st_mode) && info.st_size > 0 ? (uint64_t)info.st_size : 0;
	return true;
}

/* The same for the memory of the bell's device. */
static bool open_vfio(struct kvm *kvm, uint64_t *size, char *error, size_t error_size) {
	const struct vfio_device *device = kvm_bell_device(&kvm->bell);
	kvm->memory_fd = fcntl(device->device_fd, F_DUPFD_CLOEXEC, 0);
	kvm->memory_offset = device->memory.offset;
	*size = device->memory.size;
	return kvm->memory_fd >= 0 ||
		transport_error(error, error_size, "transport kvm: %s", strerror(errno));
}

static void *map_memory(const struct kvm *kvm, uint64_t offset, size_t size) {
	void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, kvm->memory_fd,
			kvm->memory_offset + (int64_t)offset);
	return bytes != MAP_FAILED ? bytes : NULL;
}

static bool open_memory(struct kvm *kvm, const struct kvm_spec *spec, char *error,
		size_t error_size) {
	uint64_t size = 0;
	if (spec->kind == KVM_MEMORY_VFIO ? !open_vfio(kvm, &size, error, error_size)
					  : !open_file(kvm, spec, &size, error, error_size)) {
		return false;
	}
	if (size < KVM_ARENAS_OFFSET + KVM_UNIT || size > INT32_MAX / 2 + 1) {
		return transport_error(error, error_size,
			"%s: not memory of 2 MiB to 1 GiB", spec->memory);
	}
	kvm->region_size = size / KVM_UNIT * KVM_UNIT;
	kvm->header = map_memory(kvm, 0, KVM_ARENAS_OFFSET);
	return kvm->header != NULL ||
		transport_error(error, error_size, "%s: %s", spec->memory, strerror(errno));
}

/* Pixels are written only, so they need not be uncached as the rest of a PCI BAR is. */
static bool map_arenas(struct kvm *kvm, const struct kvm_spec *spec, char *error,
		size_t error_size) {
	char path[320];
	size_t size = kvm->region_size - KVM_ARENAS_OFFSET;
	memory_path(spec, "resource2_wc", path, sizeof(path));
	int fd = spec->kind == KVM_MEMORY_IVSHMEM ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *arenas = MAP_FAILED;
	if (fd >= 0) {
		arenas = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			KVM_ARENAS_OFFSET);
		fd_close(&fd);
	}
	kvm->arenas = arenas != MAP_FAILED ? arenas : map_memory(kvm, KVM_ARENAS_OFFSET, size);
	return kvm->arenas != NULL ||
		transport_error(error, error_size, "%s: %s", spec->memory, strerror(errno));
}

void kvm_flush_writes(void) {
	// Stores to write-combining memory pass later ones; a locked instruction waits for them.
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* The session. */

static uint64_t load(const uint64_t *number) {
	return __atomic_load_n(number, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *number, uint64_t value) {
	__atomic_store_n(number, value, __ATOMIC_SEQ_CST);
}

static struct kvm_layout make_layout(const struct kvm *kvm) {
	return (struct kvm_layout){
		.magic = KVM_MAGIC,
		.version = KVM_VERSION,
		.region_size = kvm->region_size,
		.rings_offset = KVM_RINGS_OFFSET,
		.arenas_offset = KVM_ARENAS_OFFSET,
		.ring_order = KVM_RING_ORDER,
		.acks_order = KVM_ACKS_ORDER,
	};
}

static void session_lose(struct kvm *kvm, const char *reason) {
	kvm->connected = false;
	if (kvm->base.vchan != NULL) {
		vchan_kvm_disconnect(kvm->base.vchan, reason);
	}
	if (kvm->base.pages != NULL) {
		pages_kvm_disconnect(kvm->base.pages);
	}
}

static void session_begin(struct kvm *kvm) {
	kvm->connected = true;
	if (kvm->base.vchan != NULL) {
		vchan_kvm_connect(kvm->base.vchan);
	}
	if (kvm->base.pages != NULL) {
		pages_kvm_connect(kvm->base.pages);
	}
}

static void offer(struct kvm *kvm) {
	struct kvm_header *header = kvm->header;
	header->layout = make_layout(kvm);
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
	session_begin(kvm);
	kvm_bell_ring(&kvm->bell);
}

static const char *check_layout(const struct kvm *kvm) {
	struct kvm_layout layout = kvm->header->layout, expected = make_layout(kvm);
	if (layout.magic != expected.magic) {
		return "the memory is not laid out by the GUI side of a link";
	}
	if (layout.version != expected.version) {
		return "the GUI side speaks another version of the kvm transport";
	}
	return memcmp(&layout, &expected, sizeof(layout)) == 0
		? NULL : "the GUI side lays the memory out in another way";
}

static void appvm_wait(struct kvm *kvm) {
	struct kvm_header *header = kvm->header;
	uint64_t generation = load(&header->guivm.generation);
	if (kvm->peer != 0 && load(&header->guivm.accepts) == kvm->own) {
		// Even when the GUI side left since then: what it wrote can be read.
		session_begin(kvm);
		return;
	}
	if (!kvm->bell.up || generation == 0 || generation == kvm->peer) {
		return;
	}
	const char *wrong = check_layout(kvm);
	if (wrong != NULL) {
		log_error("transport %s: %s", kvm->base.spec, wrong);
		kvm_leave(kvm);
		session_lose(kvm, wrong);
		return;
	}
	kvm->peer = generation;
	store(&header->appvm.accepts, 0);
	store(&header->appvm.generation, kvm->own);
	store(&header->appvm.accepts, generation);
	kvm_bell_ring(&kvm->bell);
}

static void check_peer(struct kvm *kvm) {
	const struct kvm_session *theirs = kvm->base.role == TRANSPORT_GUIVM
		? &kvm->header->appvm : &kvm->header->guivm;
	if (kvm->bell.up && load(&theirs->generation) == kvm->peer) {
		return;
	}
	kvm_leave(kvm);
	session_lose(kvm, "the peer closed");
}

static void kvm_look(struct kvm *kvm) {
	if (kvm->own != 0 && !kvm->connected) {
		if (kvm->base.role == TRANSPORT_GUIVM) {
			guivm_wait(kvm);
		} else {
			appvm_wait(kvm);
		}
	}
	if (kvm->own != 0 && kvm->connected) {
		check_peer(kvm);
	}
	if (kvm->base.pages != NULL) {
		pages_kvm_look(kvm->base.pages);
	}
	if (kvm->connected && kvm->base.vchan != NULL) {
		vchan_kvm_look(kvm->base.vchan);
	}
}

/* Tells each end where the other one's bell is. */
static void meet(struct kvm *kvm) {
	bool is_guivm = kvm->base.role == TRANSPORT_GUIVM;
	struct kvm_session *guivm = &kvm->header->guivm, *appvm = &kvm->header->appvm;
	__atomic_store_n(is_guivm ? &guivm->bell_id : &appvm->bell_id, kvm->bell.own_id,
		__ATOMIC_SEQ_CST);
	kvm->bell.peer_id = is_guivm ? &appvm->bell_id : &guivm->bell_id;
}

static void handle_bell(void *data) {
	kvm_look(data);
}

static void handle_idle(void *data) {
	struct kvm *kvm = data;
	kvm->idle = NULL;
	kvm_look(kvm);
}

void kvm_look_later(struct kvm *kvm) {
	if (kvm->idle == NULL) {
		kvm->idle = wl_event_loop_add_idle(kvm->base.loop, handle_idle, kvm);
	}
}

static int handle_timer(void *data) {
	struct kvm *kvm = data;
	if (kvm->own != 0) {
		wl_event_source_timer_update(kvm->timer, KVM_LOOK_MS);
		kvm_look(kvm);
	}
	return 0;
}

bool kvm_join(struct kvm *kvm, bool *took) {
	if (*took || kvm->own == 0) {
		kvm_leave(kvm);
		session_lose(kvm, "the peer closed");
		do {
			if (getrandom(&kvm->own, sizeof(kvm->own), 0) != sizeof(kvm->own)) {
				kvm->own = 0;
				return false;
			}
		} while (kvm->own == 0);
		kvm->vchan_took = kvm->pages_took = false;
		wl_event_source_timer_update(kvm->timer, KVM_LOOK_MS);
	}
	*took = true;
	kvm_look_later(kvm);
	return true;
}

void kvm_leave(struct kvm *kvm) {
	struct kvm_session *ours = kvm->base.role == TRANSPORT_GUIVM ? &kvm->header->guivm
								     : &kvm->header->appvm;
	if (kvm->own == 0) {
		return;
	}
	// accepts stays: an end that was accepted and looks only now still learns of it.
	store(&ours->generation, 0);
	kvm->own = kvm->peer = 0;
	kvm->connected = false;
	kvm_bell_ring(&kvm->bell);
}

/* The transport. */

static void kvm_close(struct transport *transport) {
	struct kvm *kvm = (struct kvm *)transport;
	if (kvm->header != NULL) {
		kvm_leave(kvm);
		munmap(kvm->header, KVM_ARENAS_OFFSET);
	}
	if (kvm->arenas != NULL) {
		munmap(kvm->arenas, kvm->region_size - KVM_ARENAS_OFFSET);
	}
	if (kvm->idle != NULL) {
		wl_event_source_remove(kvm->idle);
	}
	if (kvm->timer != NULL) {
		wl_event_source_remove(kvm->timer);
	}
	kvm_bell_close(&kvm->bell);
	fd_close(&kvm->memory_fd);
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
	kvm->base.loop = loop;
	kvm->base.role = role;
	kvm->base.caps = TRANSPORT_PAGES;
	kvm->memory_fd = -1;
	kvm->bell.handle = handle_bell;
	kvm->bell.data = kvm;
	kvm->timer = wl_event_loop_add_timer(loop, handle_timer, kvm);
	if (kvm->timer == NULL) {
		transport_error(error, error_size, "transport \"kvm:%s\": out of memory", tail);
		goto error;
	}
	// The bell first: it is what only one process at a time can have.
	if (!kvm_bell_open(&kvm->bell, loop, spec.bell, role, error, error_size) ||
			!open_memory(kvm, &spec, error, error_size) ||
			(role == TRANSPORT_APPVM &&
				!map_arenas(kvm, &spec, error, error_size))) {
		goto error;
	}
	meet(kvm);
	// What a predecessor that was killed left there is over.
	store(role == TRANSPORT_GUIVM ? &kvm->header->guivm.generation
				      : &kvm->header->appvm.generation, 0);
	kvm_bell_ring(&kvm->bell);
	return &kvm->base;
error:
	kvm_close(&kvm->base);
	return NULL;
}

const struct transport_backend transport_kvm_backend = {
	.name = "kvm",
	.check = kvm_check,
	.open = kvm_open,
	.close = kvm_close,
	.vchan_create = vchan_kvm_create,
	.pages_create = pages_kvm_create,
};
