/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_TRANSPORT_ENDS_H
#define ISTHMUS_TESTS_TRANSPORT_ENDS_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

#include "tests/harness/test.h"
#include "transport/pages.h"
#include "transport/transport.h"
#include "transport/vchan.h"

/* One end of a link in a test: its loop, transport, vchan and pages, and what the handlers saw. */
struct end {
	struct wl_event_loop *loop;
	bool owns_loop;
	struct transport *transport;
	struct vchan *vchan;
	struct pages *pages;
	unsigned vchan_calls, pages_calls;
};

/* Writes the spec for one side into text. */
struct backend {
	const char *name;
	void (*spec)(enum transport_role role, char *text, size_t size);
};

extern const struct backend backend_local;
extern const struct backend backend_kvm;
extern const struct backend backend_stream_unix;
extern const struct backend backend_stream_fd;
extern const struct backend backend_xen;

/* loop NULL: a loop of its own. Fails the test when the transport does not open. */
void end_open(struct end *end, const struct backend *backend, enum transport_role role,
		struct wl_event_loop *loop);
void end_open_spec(struct end *end, const char *spec, enum transport_role role,
		struct wl_event_loop *loop);
void end_start(struct end *end); // vchan_create()
void end_start_pages(struct end *end, uint64_t max_bytes);
void end_close(struct end *end);
/* That the reference cannot be mapped, by that errno. */
void end_expect_map_error(struct end *guivm, const struct pages_ref *ref, int error);

/* Runs the loop once, waiting for an event. */
void end_dispatch(struct end *end);
/* Idle callbacks first: they may be what condition waits for, and make no event. */
#define END_DISPATCH_UNTIL(end, condition) \
	while (wl_event_loop_dispatch_idle((end)->loop), !(condition)) { \
		end_dispatch(end); \
	}

/* Both ends on one loop, connected; the second with pages, too. */
void ends_connect(struct end *guivm, struct end *appvm, const struct backend *backend);
void ends_connect_pages(struct end *guivm, struct end *appvm, const struct backend *backend,
		uint64_t max_bytes);
/* The same for two that are open. */
void ends_start_pages(struct end *guivm, struct end *appvm, uint64_t max_bytes);
void ends_close(struct end *guivm, struct end *appvm);

#ifdef ISTHMUS_TEST_XEN
/* For a program that runs in a domain of Xen, both ends in it. ISTHMUS_TEST_DOMID: its number. */
#define BACKEND_TEST(test_name) \
	static void test_name(const struct backend *backend); \
	TEST(xen_##test_name) { \
		test_name(&backend_xen); \
	} \
	static void test_name(const struct backend *backend)
#define LISTENING_BACKEND_TEST(test_name) BACKEND_TEST(test_name)
#else
/* Runs body once per backend that can find a new peer. */
#define LISTENING_BACKEND_TEST(test_name) \
	static void test_name(const struct backend *backend); \
	TEST(local_##test_name) { \
		test_name(&backend_local); \
	} \
	TEST(kvm_##test_name) { \
		test_name(&backend_kvm); \
	} \
	TEST(stream_unix_##test_name) { \
		test_name(&backend_stream_unix); \
	} \
	static void test_name(const struct backend *backend)

/* The same for every backend. */
#define BACKEND_TEST(test_name) \
	static void test_name(const struct backend *backend); \
	TEST(stream_fd_##test_name) { \
		test_name(&backend_stream_fd); \
	} \
	LISTENING_BACKEND_TEST(test_name)
#endif

#endif
