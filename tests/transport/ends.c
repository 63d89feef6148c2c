/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/transport/ends.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/xen_dev.h"

#define KVM_TEST_MEMORY (8 << 20)

static void local_spec(enum transport_role role, char *text, size_t size) {
	snprintf(text, size, "local:%s", test_dir());
}

/* The first to ask makes the memory. */
static void kvm_spec(enum transport_role role, char *text, size_t size) {
	char path[200];
	snprintf(path, sizeof(path), "%s/memory", test_dir());
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT(fd >= 0 && ftruncate(fd, KVM_TEST_MEMORY) == 0);
	close(fd);
	snprintf(text, size, "kvm:mem=file:%s/memory,bell=unix:%s/bell", test_dir(), test_dir());
}

static void stream_unix_spec(enum transport_role role, char *text, size_t size) {
	snprintf(text, size, "stream:unix:%s/link", test_dir());
}

/* The first to ask makes the pair; each side takes its own. */
static void stream_fd_spec(enum transport_role role, char *text, size_t size) {
	static int pair[2] = {-1, -1};
	if (pair[role] < 0) {
		EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	}
	snprintf(text, size, "stream:fd:%d", pair[role]);
	pair[role] = -1;
}

/* Named after the test, whose folder is its own. */
static void xen_spec(enum transport_role role, char *text, size_t size) {
	const char *domid = getenv("ISTHMUS_TEST_DOMID");
	if (domid == NULL) {
		test_skip("not in a domain of Xen: ISTHMUS_TEST_DOMID is not set");
	}
#ifdef ISTHMUS_XEN
	if (!xen_maps_own_grants()) {
		test_skip("Xen takes the pages that both ends share from a domain that is not PV");
	}
#endif
	snprintf(text, size, "xen:%s:%s", domid, strrchr(test_dir(), '/') + 1);
}

const struct backend backend_xen = {"xen", xen_spec};
const struct backend backend_kvm = {"kvm", kvm_spec};
const struct backend backend_local = {"local", local_spec};
const struct backend backend_stream_unix = {"stream:unix", stream_unix_spec};
const struct backend backend_stream_fd = {"stream:fd", stream_fd_spec};

static void handle_vchan(struct vchan *vchan, void *data) {
	struct end *end = data;
	end->vchan_calls++;
}

static void handle_pages(struct pages *pages, void *data) {
	struct end *end = data;
	end->pages_calls++;
}

void end_open_spec(struct end *end, const char *spec, enum transport_role role,
		struct wl_event_loop *loop) {
	*end = (struct end){.loop = loop, .owns_loop = loop == NULL};
	if (loop == NULL) {
		end->loop = wl_event_loop_create();
	}
	char error[512] = "";
	end->transport = transport_open(end->loop, spec, role, error, sizeof(error));
	if (end->transport == NULL) {
		test_fail(__FILE__, __LINE__, "%s: %s", spec, error);
	}
}

void end_open(struct end *end, const struct backend *backend, enum transport_role role,
		struct wl_event_loop *loop) {
	char spec[256];
	backend->spec(role, spec, sizeof(spec));
	end_open_spec(end, spec, role, loop);
}

void end_start(struct end *end) {
	end->vchan = vchan_create(end->transport, handle_vchan, end);
	EXPECT(end->vchan != NULL);
}

void end_start_pages(struct end *end, uint64_t max_bytes) {
	end->pages = pages_create(end->transport, max_bytes, handle_pages, end);
	EXPECT(end->pages != NULL);
}

void end_close(struct end *end) {
	vchan_destroy(end->vchan);
	pages_destroy(end->pages);
	transport_close(end->transport);
	if (end->owns_loop) {
		wl_event_loop_destroy(end->loop);
	}
	*end = (struct end){0};
}

void end_dispatch(struct end *end) {
	if (wl_event_loop_dispatch(end->loop, -1) < 0 && errno != EINTR) {
		test_fail(__FILE__, __LINE__, "event loop: %s", strerror(errno));
	}
}

void ends_connect(struct end *guivm, struct end *appvm, const struct backend *backend) {
	struct wl_event_loop *loop = wl_event_loop_create();
	end_open(guivm, backend, TRANSPORT_GUIVM, loop);
	end_open(appvm, backend, TRANSPORT_APPVM, loop);
	end_start(guivm);
	end_start(appvm);
	END_DISPATCH_UNTIL(guivm, vchan_state(guivm->vchan) == VCHAN_CONNECTED &&
		vchan_state(appvm->vchan) == VCHAN_CONNECTED);
}

void ends_start_pages(struct end *guivm, struct end *appvm, uint64_t max_bytes) {
	end_start(guivm);
	end_start_pages(guivm, max_bytes);
	end_start_pages(appvm, max_bytes);
	end_start(appvm);
	END_DISPATCH_UNTIL(guivm, vchan_state(guivm->vchan) == VCHAN_CONNECTED &&
		vchan_state(appvm->vchan) == VCHAN_CONNECTED);
	EXPECT(pages_connected(guivm->pages) && pages_connected(appvm->pages));
}

void ends_connect_pages(struct end *guivm, struct end *appvm, const struct backend *backend,
		uint64_t max_bytes) {
	struct wl_event_loop *loop = wl_event_loop_create();
	end_open(guivm, backend, TRANSPORT_GUIVM, loop);
	end_open(appvm, backend, TRANSPORT_APPVM, loop);
	ends_start_pages(guivm, appvm, max_bytes);
}

void end_expect_map_error(struct end *guivm, const struct pages_ref *ref, int error) {
	struct pages_mapping mapping;
	EXPECT(!pages_map(guivm->pages, ref, 1, &mapping));
	EXPECT_INT(errno, error);
}

void ends_close(struct end *guivm, struct end *appvm) {
	struct wl_event_loop *loop = guivm->loop;
	end_close(appvm);
	end_close(guivm);
	wl_event_loop_destroy(loop);
}
