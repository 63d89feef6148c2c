/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/checked.h"
#include "common/fd.h"
#include "common/fifo.h"
#include "common/limits.h"
#include "common/log.h"
#include "transport/local.h"

/*
 * Over a SOCK_SEQPACKET pair: the sharer sends one OFFER with the descriptor per region, the
 * importer one UNMAPPED per region when it let go of it. The importer reads offers only while it
 * looks for one: whoever offers more than is asked for fills its own socket, not the importer's
 * memory.
 */
#define PAGES_MAGIC 0x50485349u /* "ISHP" */
#define PAGES_TAG 0x4c434f4cu /* "LOCL" */
#define ACK_QUEUE_BYTES (LIMIT_PAGES_REGIONS * sizeof(uint64_t))

enum pages_op {
	PAGES_OFFER = 1,
	PAGES_UNMAPPED = 2,
};

enum pages_flags {
	PAGES_ALLOCATED = 1 << 0, // by pages_alloc(): sealed, and counts against the quota
	PAGES_PASSED = 1 << 1, // by pages_pass_fd(): not to be mapped
};

struct pages_message {
	uint32_t magic;
	uint32_t op;
	uint64_t token; // UNMAPPED
	struct pages_ref ref; // OFFER
	uint32_t flags;
	uint32_t zero;
};

/* What the opaque bytes are to the sharer. The importer compares and echoes them. */
struct local_ref {
	uint32_t tag;
	uint32_t zero;
	uint64_t token;
	uint64_t generation;
};
_Static_assert(sizeof(struct local_ref) == PAGES_REF_BYTES, "a reference is all of its bytes");

struct local_region {
	struct pages_region base;
	int fd; // -1 once offered
	uint32_t flags; // enum pages_flags
	bool released;
	bool held; // offered, and not let go of yet
	struct wl_list link; // pages_local.regions
};

struct unclaimed {
	struct pages_ref ref;
	int fd;
	uint32_t flags;
};

struct pages_local {
	struct pages base;
	int fd; // -1 unless connected
	bool lost;
	bool wants_room; // sharer: EAGAIN was returned; importer: acks wait
	struct wl_event_source *source;
	uint64_t generation;

	struct wl_list regions; // sharer: local_region.link, draining ones too
	size_t n_regions;

	struct unclaimed unclaimed[LIMIT_PAGES_UNCLAIMED]; // importer, oldest first
	size_t n_unclaimed;
	int *mapped; // descriptors of the mappings, in no order; owned
	size_t n_mapped, mapped_capacity;
	struct fifo acks; // importer: tokens to acknowledge
};

static bool is_sharer(const struct pages_local *pages) {
	return pages->base.transport->role == TRANSPORT_APPVM;
}

bool pages_local_is_waiting(const struct pages *base) {
	const struct pages_local *pages = (const struct pages_local *)base;
	return !base->connected && !pages->lost;
}

static uint64_t ref_token(const struct pages_ref *ref) {
	struct local_ref local;
	memcpy(&local, ref, sizeof(local));
	return local.token;
}

static void region_free(struct pages_local *pages, struct local_region *region) {
	if ((region->flags & PAGES_ALLOCATED) != 0) {
		pages->base.bytes_used -= region->base.size;
	}
	pages->n_regions--;
	wl_list_remove(&region->link);
	fd_close(&region->fd);
	if (region->base.bytes != NULL) {
		munmap(region->base.bytes, region->base.size);
	}
	free(region);
}

static void drop_unclaimed(struct pages_local *pages) {
	for (size_t i = 0; i < pages->n_unclaimed; i++) {
		fd_close(&pages->unclaimed[i].fd);
	}
	pages->n_unclaimed = 0;
}

static void hang_up(struct pages_local *pages) {
	if (pages->source != NULL) {
		wl_event_source_remove(pages->source);
		pages->source = NULL;
	}
	fd_close(&pages->fd);
	fifo_finish(&pages->acks);
	pages->base.connected = false;
	pages->lost = true;
}

/* The peer is gone, and with it every mapping it had. */
static void lose(struct pages_local *pages) {
	hang_up(pages);
	drop_unclaimed(pages);
	struct local_region *region, *next;
	wl_list_for_each_safe(region, next, &pages->regions, link) {
		if (region->released) {
			region_free(pages, region);
		}
	}
	pages_notify_later(&pages->base);
}

static void cut_off(struct pages_local *pages, const char *why) {
	log_error("transport %s: page sharing: %s", pages->base.transport->spec, why);
	lose(pages);
}

void pages_local_disconnect(struct pages *base) {
	lose((struct pages_local *)base);
}

static void watch_for_room(struct pages_local *pages, bool on) {
	if (pages->wants_room != on && pages->source != NULL) {
		uint32_t mask = is_sharer(pages) ? WL_EVENT_READABLE : 0;
		wl_event_source_fd_update(pages->source, mask | (on ? WL_EVENT_WRITABLE : 0));
		pages->wants_room = on;
	}
}

/* Sharer. */

static bool offer(struct pages_local *pages, struct local_region *region) {
	struct pages_message message = {
		.magic = PAGES_MAGIC,
		.op = PAGES_OFFER,
		.ref = region->base.ref,
		.flags = region->flags,
	};
	if (fd_send(pages->fd, &message, sizeof(message), &region->fd, 1) != sizeof(message)) {
		// Too many descriptors are on their way already; the next acknowledgement tells.
		errno = errno == ETOOMANYREFS ? EAGAIN : errno;
		return false;
	}
	region->held = true;
	fd_close(&region->fd);
	return true;
}

static void handle_unmapped(struct pages_local *pages, uint64_t token) {
	struct local_region *region, *next;
	wl_list_for_each_safe(region, next, &pages->regions, link) {
		if (ref_token(&region->base.ref) == token && region->held && region->released) {
			region_free(pages, region);
			return;
		}
	}
	// The importer may let go first; then nothing is left to drain when the region is released.
	wl_list_for_each(region, &pages->regions, link) {
		if (ref_token(&region->base.ref) == token) {
			region->held = false;
		}
	}
}

/* Reads acknowledgements. false: the connection is over. */
static bool read_acks(struct pages_local *pages) {
	for (;;) {
		struct pages_message message;
		ssize_t size = recv(pages->fd, &message, sizeof(message), MSG_DONTWAIT);
		if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
			return true;
		}
		if (size != sizeof(message) || message.magic != PAGES_MAGIC ||
				message.op != PAGES_UNMAPPED) {
			lose(pages);
			return false;
		}
		handle_unmapped(pages, message.token);
		pages_notify_later(&pages->base);
	}
}

static int handle_sharer(int fd, uint32_t mask, void *data) {
	struct pages_local *pages = data;
	if (!read_acks(pages)) {
		return 0;
	}
	if ((mask & (WL_EVENT_HANGUP | WL_EVENT_ERROR)) != 0) {
		lose(pages);
	} else if ((mask & WL_EVENT_WRITABLE) != 0) {
		watch_for_room(pages, false);
		pages_notify_later(&pages->base);
	}
	return 0;
}

static struct local_region *region_create(struct pages_local *pages) {
	if (!is_sharer(pages) || pages->lost) {
		errno = is_sharer(pages) ? EPIPE : ENOTSUP;
		return NULL;
	}
	size_t most = pages->base.connected ? LIMIT_PAGES_REGIONS : LIMIT_PAGES_UNCLAIMED;
	if (pages->n_regions >= most) {
		errno = pages->base.connected ? ENOSPC : EAGAIN;
		return NULL;
	}
	struct local_region *region = calloc(1, sizeof(*region));
	if (region == NULL) {
		return NULL;
	}
	struct local *local = (struct local *)pages->base.transport;
	struct local_ref ref = {
		.tag = PAGES_TAG,
		.token = local->next_token++,
		.generation = pages->generation,
	};
	memcpy(&region->base.ref, &ref, sizeof(ref));
	region->base.pages = &pages->base;
	region->fd = -1;
	wl_list_insert(pages->regions.prev, &region->link);
	pages->n_regions++;
	return region;
}

static struct pages_region *region_share(struct pages_local *pages, struct local_region *region) {
	if (pages->base.connected && !offer(pages, region)) {
		int saved_errno = errno;
		watch_for_room(pages, saved_errno == EAGAIN);
		region_free(pages, region);
		errno = saved_errno;
		return NULL;
	}
	return &region->base;
}

static struct pages_region *region_share_fd(
		struct pages_local *pages, struct local_region *region, int fd) {
	region->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (region->fd < 0) {
		int saved_errno = errno;
		region_free(pages, region);
		errno = saved_errno;
		return NULL;
	}
	return region_share(pages, region);
}

static bool region_allocate(struct local_region *region, size_t size) {
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	region->fd = fd_memory("isthmus-pages", size);
	if (region->fd < 0 || fcntl(region->fd, F_ADD_SEALS, seals) < 0) {
		return false;
	}
	void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, region->fd, 0);
	region->base.bytes = bytes != MAP_FAILED ? bytes : NULL;
	return bytes != MAP_FAILED;
}

static struct pages_region *local_alloc(struct pages *base, size_t size) {
	struct pages_local *pages = (struct pages_local *)base;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	if (size == 0 || size > base->max_bytes || size > SIZE_MAX - page) {
		errno = size == 0 ? EINVAL : ENOSPC;
		return NULL;
	}
	size = align_up(size, page);
	if (size > base->max_bytes - base->bytes_used) {
		errno = ENOSPC;
		return NULL;
	}
	struct local_region *region = region_create(pages);
	if (region == NULL) {
		return NULL;
	}
	region->flags = PAGES_ALLOCATED;
	region->base.size = size;
	base->bytes_used += size;
	if (!region_allocate(region, size)) {
		region_free(pages, region);
		errno = ENOMEM;
		return NULL;
	}
	return region_share(pages, region);
}

/* What may be mapped at all. Other file systems (FUSE) can hang whoever touches a page. */
static bool check_memory(int untrusted_fd, struct stat *info, int *flags, int *seals) {
	struct statfs fs;
	*flags = fcntl(untrusted_fd, F_GETFL);
	if (*flags < 0 || (*flags & O_PATH) != 0 || (*flags & O_ACCMODE) == O_WRONLY ||
			fd_stat(untrusted_fd, info) < 0 || !S_ISREG(info->st_mode) ||
			info->st_size <= 0 || fstatfs(untrusted_fd, &fs) < 0 ||
			fs.f_type != TMPFS_MAGIC) {
		errno = EINVAL;
		return false;
	}
	*seals = fcntl(untrusted_fd, F_GET_SEALS);
	if (*seals < 0) {
		*seals = 0; // a file in a mounted tmpfs takes none
	}
	return true;
}

static struct pages_region *local_share_fd(struct pages *base, int fd) {
	struct pages_local *pages = (struct pages_local *)base;
	struct stat info;
	int flags, seals;
	if (!check_memory(fd, &info, &flags, &seals)) {
		return NULL;
	}
	struct local_region *region = region_create(pages);
	if (region == NULL) {
		return NULL;
	}
	region->base.size = (size_t)info.st_size;
	return region_share_fd(pages, region, fd);
}

static struct pages_region *local_pass_fd(struct pages *base, int fd) {
	struct pages_local *pages = (struct pages_local *)base;
	struct local_region *region = region_create(pages);
	if (region == NULL) {
		return NULL;
	}
	region->flags = PAGES_PASSED;
	return region_share_fd(pages, region, fd);
}

static void local_release(struct pages_region *base) {
	struct local_region *region = (struct local_region *)base;
	struct pages_local *pages = (struct pages_local *)base->pages;
	if (!region->held || !pages->base.connected) {
		region_free(pages, region);
		return;
	}
	region->released = true;
	if (base->bytes != NULL) {
		munmap(base->bytes, base->size);
		base->bytes = NULL;
	}
}

static bool offer_all(struct pages_local *pages) {
	struct local_region *region;
	wl_list_for_each(region, &pages->regions, link) {
		if (!offer(pages, region)) {
			return false;
		}
	}
	return true;
}

/* Importer. */

static bool send_ack(struct pages_local *pages, uint64_t token) {
	struct pages_message message = {.magic = PAGES_MAGIC, .op = PAGES_UNMAPPED, .token = token};
	return fd_send(pages->fd, &message, sizeof(message), NULL, 0) == sizeof(message);
}

static void flush_acks(struct pages_local *pages) {
	while (fifo_size(&pages->acks) > 0) {
		uint64_t token;
		memcpy(&token, fifo_peek(&pages->acks), sizeof(token));
		if (!send_ack(pages, token)) {
			break;
		}
		fifo_consume(&pages->acks, sizeof(token));
	}
	watch_for_room(pages, fifo_size(&pages->acks) > 0);
}

/* Asks for no input: only the end of the connection and room for acknowledgements wake it. */
static int handle_importer(int fd, uint32_t mask, void *data) {
	struct pages_local *pages = data;
	if ((mask & (WL_EVENT_HANGUP | WL_EVENT_ERROR)) != 0) {
		lose(pages);
	} else {
		flush_acks(pages);
	}
	return 0;
}

static bool is_offer(const struct pages_message *untrusted_message) {
	return untrusted_message->magic == PAGES_MAGIC && untrusted_message->op == PAGES_OFFER &&
		untrusted_message->token == 0 && untrusted_message->zero == 0 &&
		untrusted_message->flags <= PAGES_PASSED; // one of them, or none
}

/* false: nothing to read now, or the peer was cut off. */
static bool read_offer(struct pages_local *pages) {
	struct pages_message untrusted_message;
	/* one more of each, so that a surplus shows */
	uint8_t bytes[sizeof(untrusted_message) + 1] = {0};
	int fds[2] = {-1, -1};
	size_t n_fds = 2;
	ssize_t size = fd_receive(pages->fd, bytes, sizeof(bytes), fds, &n_fds);
	if (size < 0 && errno == EAGAIN) {
		return false;
	}
	memcpy(&untrusted_message, bytes, sizeof(untrusted_message));
	if (size != sizeof(untrusted_message) || n_fds != 1 || !is_offer(&untrusted_message)) {
		for (size_t i = 0; i < n_fds; i++) {
			fd_close(&fds[i]);
		}
		if (size == 0 && n_fds == 0) {
			lose(pages);
		} else {
			cut_off(pages, "a malformed offer");
		}
		return false;
	}
	if (pages->n_unclaimed == LIMIT_PAGES_UNCLAIMED) {
		fd_close(&fds[0]);
		cut_off(pages, "too many regions that no message named");
		return false;
	}
	pages->unclaimed[pages->n_unclaimed++] = (struct unclaimed){
		.ref = untrusted_message.ref,
		.fd = fds[0],
		.flags = untrusted_message.flags,
	};
	return true;
}

static bool is_named(const struct unclaimed *unclaimed, const struct pages_ref *ref) {
	return memcmp(&unclaimed->ref, ref, sizeof(*ref)) == 0;
}

static bool claim(struct pages_local *pages, const struct pages_ref *untrusted_ref,
		struct unclaimed *claimed) {
	size_t i = 0;
	for (;;) {
		for (; i < pages->n_unclaimed; i++) {
			if (is_named(&pages->unclaimed[i], untrusted_ref)) {
				*claimed = pages->unclaimed[i];
				pages->n_unclaimed--;
				memmove(&pages->unclaimed[i], &pages->unclaimed[i + 1],
					(pages->n_unclaimed - i) * sizeof(pages->unclaimed[0]));
				return true;
			}
		}
		if (!pages->base.connected || !read_offer(pages)) {
			errno = pages->base.connected ? ENOENT : ENOTCONN;
			return false;
		}
	}
}

static bool check_claimed(struct pages_local *pages, const struct unclaimed *claimed,
		uint64_t min_size, struct pages_mapping *mapping) {
	struct stat info;
	int flags, seals;
	bool allocated = (claimed->flags & PAGES_ALLOCATED) != 0;
	bool handover = (pages->base.transport->caps & TRANSPORT_HANDOVER) != 0;
	if ((claimed->flags & PAGES_PASSED) != 0) {
		errno = EINVAL;
		return false;
	}
	if (!check_memory(claimed->fd, &info, &flags, &seals)) {
		return false;
	}
	if (allocated ? (seals & F_SEAL_SHRINK) == 0 : !handover) {
		errno = EINVAL;
		return false;
	}
	uint64_t size = (uint64_t)info.st_size;
	if (size < min_size) {
		errno = ERANGE;
		return false;
	}
	if (pages->n_mapped >= LIMIT_PAGES_REGIONS ||
			(allocated && size > pages->base.max_bytes - pages->base.bytes_used)) {
		errno = ENOSPC;
		return false;
	}
	*mapping = (struct pages_mapping){
		.fd = claimed->fd,
		.size = size,
		.writable = (flags & O_ACCMODE) == O_RDWR &&
			(seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) == 0,
		.can_shrink = (seals & F_SEAL_SHRINK) == 0,
		.quota_bytes = allocated ? size : 0,
		.id = ref_token(&claimed->ref),
	};
	return true;
}

static bool reserve_mapped(struct pages_local *pages) {
	if (pages->n_mapped < pages->mapped_capacity) {
		return true;
	}
	size_t capacity = pages->mapped_capacity > 0 ? 2 * pages->mapped_capacity : 16;
	int *mapped = reallocarray(pages->mapped, capacity, sizeof(*mapped));
	if (mapped == NULL) {
		return false;
	}
	pages->mapped = mapped;
	pages->mapped_capacity = capacity;
	return true;
}

static void acknowledge(struct pages_local *pages, uint64_t token) {
	if (!pages->base.connected) {
		return;
	}
	if (!fifo_push(&pages->acks, &token, sizeof(token))) {
		cut_off(pages, "the peer does not read acknowledgements");
		return;
	}
	flush_acks(pages);
}

static bool local_map(struct pages *base, const struct pages_ref *untrusted_ref, uint64_t min_size,
		struct pages_mapping *mapping) {
	struct pages_local *pages = (struct pages_local *)base;
	struct unclaimed claimed;
	if (is_sharer(pages)) {
		errno = ENOTSUP;
		return false;
	}
	if (!claim(pages, untrusted_ref, &claimed)) {
		return false;
	}
	if (!reserve_mapped(pages) || !check_claimed(pages, &claimed, min_size, mapping)) {
		int saved_errno = errno;
		fd_close(&claimed.fd);
		acknowledge(pages, ref_token(&claimed.ref));
		errno = saved_errno;
		return false;
	}
	pages->mapped[pages->n_mapped++] = mapping->fd;
	base->bytes_used += mapping->quota_bytes;
	return true;
}

static int local_take_fd(struct pages *base, const struct pages_ref *untrusted_ref) {
	struct pages_local *pages = (struct pages_local *)base;
	struct unclaimed claimed;
	if (is_sharer(pages)) {
		errno = ENOTSUP;
		return -1;
	}
	if (!claim(pages, untrusted_ref, &claimed)) {
		return -1;
	}
	bool passed = (claimed.flags & PAGES_PASSED) != 0;
	if (!passed) {
		fd_close(&claimed.fd);
	}
	acknowledge(pages, ref_token(&claimed.ref));
	errno = EINVAL;
	return passed ? claimed.fd : -1;
}

static void local_unmap(struct pages *base, struct pages_mapping *mapping) {
	struct pages_local *pages = (struct pages_local *)base;
	size_t i = 0;
	while (i < pages->n_mapped && pages->mapped[i] != mapping->fd) {
		i++;
	}
	assert(i < pages->n_mapped && base->bytes_used >= mapping->quota_bytes);
	pages->mapped[i] = pages->mapped[--pages->n_mapped];
	base->bytes_used -= mapping->quota_bytes;
	fd_close(&mapping->fd);
	acknowledge(pages, mapping->id);
}

void pages_local_connect(struct pages *base, int socket_fd) {
	struct pages_local *pages = (struct pages_local *)base;
	pages->fd = socket_fd;
	pages->source = wl_event_loop_add_fd(base->transport->loop, socket_fd,
		is_sharer(pages) ? WL_EVENT_READABLE : 0,
		is_sharer(pages) ? handle_sharer : handle_importer, pages);
	if (pages->source == NULL || !offer_all(pages)) {
		lose(pages);
		return;
	}
	base->connected = true;
	pages_notify_later(base);
}

static void local_destroy(struct pages *base) {
	struct pages_local *pages = (struct pages_local *)base;
	struct local *local = (struct local *)base->transport;
	hang_up(pages);
	drop_unclaimed(pages);
	for (size_t i = 0; i < pages->n_mapped; i++) {
		close(pages->mapped[i]);
	}
	free(pages->mapped);
	struct local_region *region, *next;
	wl_list_for_each_safe(region, next, &pages->regions, link) {
		region_free(pages, region);
	}
	pages_finish(base);
	free(pages);
	local_update(local);
}

static const struct pages_impl pages_local_impl = {
	.destroy = local_destroy,
	.alloc = local_alloc,
	.share_fd = local_share_fd,
	.pass_fd = local_pass_fd,
	.take_fd = local_take_fd,
	.release = local_release,
	.map = local_map,
	.unmap = local_unmap,
};

struct pages *pages_local_create(struct transport *transport, uint64_t max_bytes) {
	struct local *local = (struct local *)transport;
	struct pages_local *pages = calloc(1, sizeof(*pages));
	if (pages == NULL) {
		return NULL;
	}
	pages->fd = -1;
	pages->generation = local->next_token++;
	wl_list_init(&pages->regions);
	fifo_init(&pages->acks, ACK_QUEUE_BYTES);
	pages_init(&pages->base, &pages_local_impl, transport, max_bytes);
	local_update(local);
	return &pages->base;
}
