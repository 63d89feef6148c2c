/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/fd.h"
#include "tests/transport/ends.h"
#include "transport/local.h"

/* One real end of the local backend against a peer that is played here, and lies. */

static struct sockaddr_un vchan_address(void) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/vchan", test_dir());
	return address;
}

static void open_local(struct end *end, enum transport_role role) {
	end_open(end, &backend_local, role, NULL);
}

/* A hostile application side. */
struct appvm {
	int socket_fd, ring_fd, pages_fd, bell_fd;
	struct local_shared *shared;
	size_t size;
};

static struct appvm appvm_connect(struct end *guivm) {
	struct appvm appvm = {.socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	struct sockaddr_un address = vchan_address();
	EXPECT(connect(appvm.socket_fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	END_DISPATCH_UNTIL(guivm, vchan_state(guivm->vchan) == VCHAN_CONNECTED);
	struct local_hello hello;
	int fds[3];
	size_t n_fds = 3;
	EXPECT_INT(fd_receive(appvm.socket_fd, &hello, sizeof(hello), fds, &n_fds), sizeof(hello));
	EXPECT_INT(n_fds, 3);
	appvm.ring_fd = fds[0];
	appvm.pages_fd = fds[1];
	appvm.bell_fd = fds[2];
	struct stat info;
	EXPECT(fstat(appvm.ring_fd, &info) == 0);
	appvm.size = (size_t)info.st_size;
	appvm.shared =
		mmap(NULL, appvm.size, PROT_READ | PROT_WRITE, MAP_SHARED, appvm.ring_fd, 0);
	EXPECT(appvm.shared != MAP_FAILED);
	return appvm;
}

static void appvm_close(struct appvm *appvm) {
	munmap(appvm->shared, appvm->size);
	fd_close(&appvm->socket_fd);
	fd_close(&appvm->ring_fd);
	fd_close(&appvm->pages_fd);
	fd_close(&appvm->bell_fd);
}

static void start_guivm(struct end *guivm) {
	open_local(guivm, TRANSPORT_GUIVM);
	end_start(guivm);
}

static void expect_ring_disconnect(struct end *guivm) {
	unsigned calls = guivm->vchan_calls;
	EXPECT_INT(vchan_state(guivm->vchan), VCHAN_DISCONNECTED);
	EXPECT_STR(vchan_reason(guivm->vchan), "ring index out of range");
	EXPECT_INT(vchan_data_ready(guivm->vchan), 0);
	END_DISPATCH_UNTIL(guivm, guivm->vchan_calls > calls);
}

TEST(a_wild_producer_disconnects) {
	struct end guivm;
	start_guivm(&guivm);
	struct appvm appvm = appvm_connect(&guivm);
	appvm.shared->to_guivm.producer = 0x80000000;
	char byte;
	EXPECT_INT(vchan_read(guivm.vchan, &byte, 1), -1);
	EXPECT_INT(errno, EPIPE);
	expect_ring_disconnect(&guivm);
	EXPECT_INT(vchan_read(guivm.vchan, &byte, 1), -1);
	EXPECT_INT(recv(appvm.socket_fd, &byte, 1, MSG_DONTWAIT), 0);
	appvm_close(&appvm);
	end_close(&guivm);
}

TEST(a_wild_consumer_disconnects) {
	struct end guivm;
	start_guivm(&guivm);
	struct appvm appvm = appvm_connect(&guivm);
	appvm.shared->to_appvm.consumer = 1;
	EXPECT_INT(vchan_write(guivm.vchan, "x", 1), -1);
	EXPECT_INT(errno, EPIPE);
	expect_ring_disconnect(&guivm);
	appvm_close(&appvm);
	end_close(&guivm);
}

TEST(a_wild_index_seen_while_counting_disconnects) {
	struct end guivm;
	start_guivm(&guivm);
	struct appvm appvm = appvm_connect(&guivm);
	appvm.shared->to_guivm.producer = 0xffffffff;
	EXPECT_INT(vchan_data_ready(guivm.vchan), 0);
	expect_ring_disconnect(&guivm);
	appvm_close(&appvm);
	end_close(&guivm);
}

TEST(random_scribbling_over_the_indices_stays_inside_the_rings) {
	struct end guivm;
	start_guivm(&guivm);
	static char bytes[1024 * 1024];
	for (unsigned i = 0; i < 200; i++) {
		struct appvm appvm = appvm_connect(&guivm);
		while (vchan_state(guivm.vchan) == VCHAN_CONNECTED) {
			uint32_t *words = (uint32_t *)appvm.shared;
			words[test_random_below(sizeof(*appvm.shared) / 4)] =
					(uint32_t)test_random();
			vchan_read(guivm.vchan, bytes, sizeof(bytes));
			vchan_write(guivm.vchan, bytes, test_random_below(sizeof(bytes)));
		}
		appvm_close(&appvm);
		vchan_destroy(guivm.vchan);
		end_start(&guivm);
	}
	end_close(&guivm);
}

TEST(the_peer_cannot_shrink_or_unseal_the_rings) {
	struct end guivm;
	start_guivm(&guivm);
	struct appvm appvm = appvm_connect(&guivm);
	EXPECT_INT(ftruncate(appvm.ring_fd, 0), -1);
	EXPECT_INT(ftruncate(appvm.ring_fd, (off_t)appvm.size * 2), -1);
	EXPECT_INT(fcntl(appvm.ring_fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	appvm_close(&appvm);
	end_close(&guivm);
}

TEST(a_peer_that_never_reads_doorbells_does_not_block) {
	struct end guivm;
	start_guivm(&guivm);
	struct appvm appvm = appvm_connect(&guivm);
	for (unsigned i = 0; i < 100000; i++) {
		appvm.shared->to_appvm.reader_wants = 1;
		appvm.shared->to_appvm.consumer = appvm.shared->to_appvm.producer;
		EXPECT_INT(vchan_write(guivm.vchan, "x", 1), 1);
	}
	appvm_close(&appvm);
	end_close(&guivm);
}

static void ring_bell(const struct appvm *appvm, uint64_t count) {
	EXPECT_INT(write(appvm->bell_fd, &count, sizeof(count)), sizeof(count));
}

TEST(the_peer_may_ring_the_bell_or_the_socket) {
	struct end guivm;
	start_guivm(&guivm);
	struct appvm appvm = appvm_connect(&guivm);
	unsigned calls = guivm.vchan_calls;
	ring_bell(&appvm, 1);
	END_DISPATCH_UNTIL(&guivm, guivm.vchan_calls > calls);
	calls = guivm.vchan_calls;
	EXPECT_INT(write(appvm.socket_fd, "", 1), 1);
	END_DISPATCH_UNTIL(&guivm, guivm.vchan_calls > calls);
	appvm_close(&appvm);
	end_close(&guivm);
}

static int steal_ring(int fd, uint32_t mask, void *data) {
	struct appvm *appvm = data;
	uint64_t count;
	EXPECT_INT(read(appvm->bell_fd, &count, sizeof(count)), sizeof(count));
	EXPECT_INT(read(fd, &count, sizeof(count)), sizeof(count));
	return 0;
}

/* The peer makes the bell blocking and takes the ring back before the GUI side has read it. */
TEST(a_bell_that_was_made_blocking_and_emptied_does_not_hang) {
	struct end guivm;
	start_guivm(&guivm);
	struct appvm appvm = appvm_connect(&guivm);
	EXPECT_INT(fcntl(appvm.bell_fd, F_SETFL, 0), 0);
	int thief_fd = eventfd(0, EFD_CLOEXEC);
	struct wl_event_source *thief = wl_event_loop_add_fd(
			guivm.loop, thief_fd, WL_EVENT_READABLE, steal_ring, &appvm);
	// In the order in which they became ready, within one turn.
	unsigned calls = guivm.vchan_calls;
	uint64_t one = 1;
	EXPECT_INT(write(thief_fd, &one, sizeof(one)), sizeof(one));
	ring_bell(&appvm, 1);
	end_dispatch(&guivm);
	EXPECT_INT(guivm.vchan_calls, calls);
	ring_bell(&appvm, 1);
	END_DISPATCH_UNTIL(&guivm, guivm.vchan_calls > calls);
	wl_event_source_remove(thief);
	close(thief_fd);
	appvm_close(&appvm);
	end_close(&guivm);
}

TEST(a_full_blocking_bell_does_not_hang_what_is_written) {
	struct end guivm;
	start_guivm(&guivm);
	struct appvm appvm = appvm_connect(&guivm);
	EXPECT_INT(fcntl(appvm.bell_fd, F_SETFL, 0), 0);
	ring_bell(&appvm, UINT64_MAX - 1);
	for (unsigned i = 0; i < 10; i++) {
		appvm.shared->to_appvm.reader_wants = 1;
		EXPECT_INT(vchan_write(guivm.vchan, "x", 1), 1);
	}
	appvm_close(&appvm);
	end_close(&guivm);
}

TEST(descriptors_sent_with_doorbells_are_dropped) {
	struct end guivm;
	start_guivm(&guivm);
	struct appvm appvm = appvm_connect(&guivm);
	int before = fd_count_open();
	unsigned calls = guivm.vchan_calls;
	EXPECT_INT(fd_send(appvm.socket_fd, "x", 1, (int[]){0, 1, 2}, 3), 1);
	END_DISPATCH_UNTIL(&guivm, guivm.vchan_calls > calls);
	EXPECT_INT(fd_count_open(), before);
	appvm_close(&appvm);
	end_close(&guivm);
}

TEST(what_is_written_after_the_peer_closed_is_not_read) {
	struct end guivm;
	start_guivm(&guivm);
	struct appvm appvm = appvm_connect(&guivm);
	appvm.shared->to_guivm.producer = 5;
	fd_close(&appvm.socket_fd);
	END_DISPATCH_UNTIL(&guivm, vchan_state(guivm.vchan) == VCHAN_DISCONNECTED);
	appvm.shared->to_guivm.producer = 9;
	char bytes[16];
	EXPECT_INT(vchan_read(guivm.vchan, bytes, sizeof(bytes)), 5);
	EXPECT_INT(vchan_read(guivm.vchan, bytes, sizeof(bytes)), -1);
	appvm_close(&appvm);
	end_close(&guivm);
}

TEST(a_peer_that_died_in_the_queue_is_passed_over) {
	struct end guivm;
	open_local(&guivm, TRANSPORT_GUIVM);
	struct sockaddr_un address = vchan_address();
	for (unsigned i = 0; i < 3; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		EXPECT(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
		close(fd);
	}
	end_start(&guivm);
	struct appvm appvm = appvm_connect(&guivm);
	EXPECT_INT(vchan_write(guivm.vchan, "x", 1), 1);
	EXPECT_INT(appvm.shared->to_appvm.producer, 1);
	appvm_close(&appvm);
	end_close(&guivm);
}

/* A hostile or foreign GUI side. */
struct greeting {
	struct local_hello hello;
	size_t size;
	int fds[4];
	size_t n_fds;
};

static size_t rings_bytes(unsigned order) {
	return LOCAL_RINGS_OFFSET + 2 * ((size_t)1 << order);
}

static int make_rings(size_t size, int seals) {
	int fd = fd_memory("test", size);
	EXPECT(fd >= 0 && fcntl(fd, F_ADD_SEALS, seals) == 0);
	return fd;
}

static struct greeting greeting_create(void) {
	int pair[2];
	EXPECT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	struct greeting greeting = {
		.hello = {LOCAL_HELLO_MAGIC, LOCAL_HELLO_VERSION, LOCAL_RING_ORDER_MIN,
			LOCAL_RING_ORDER_MIN},
		.size = sizeof(struct local_hello),
		.fds = {make_rings(rings_bytes(LOCAL_RING_ORDER_MIN),
				F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
			pair[0], pair[1], pair[1]},
		.n_fds = 2,
	};
	return greeting;
}

/* Sends it to a real application side and tells the state that this led to. */
static enum vchan_state greet(struct greeting *greeting, char *reason, size_t reason_size) {
	struct end appvm;
	struct sockaddr_un address = vchan_address();
	int listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	EXPECT(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	EXPECT(listen(listen_fd, 1) == 0);
	open_local(&appvm, TRANSPORT_APPVM);
	end_start(&appvm);
	wl_event_loop_dispatch_idle(appvm.loop);
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	EXPECT_INT(fd_send(fd, &greeting->hello, greeting->size, greeting->fds, greeting->n_fds),
		greeting->size);
	END_DISPATCH_UNTIL(&appvm, vchan_state(appvm.vchan) != VCHAN_WAITING);
	enum vchan_state state = vchan_state(appvm.vchan);
	snprintf(reason, reason_size, "%s", vchan_reason(appvm.vchan));
	end_close(&appvm);
	close(fd);
	close(listen_fd);
	for (size_t i = 0; i < 3; i++) {
		fd_close(&greeting->fds[i]);
	}
	return state;
}

static void expect_refusal(struct greeting *greeting, const char *part) {
	char reason[128];
	EXPECT_INT(greet(greeting, reason, sizeof(reason)), VCHAN_DISCONNECTED);
	if (strstr(reason, part) == NULL) {
		test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", reason, part);
	}
}

TEST(a_well_formed_greeting_connects) {
	struct greeting greeting = greeting_create();
	char reason[128];
	EXPECT_INT(greet(&greeting, reason, sizeof(reason)), VCHAN_CONNECTED);
}

TEST(a_greeting_with_a_bell_connects) {
	struct greeting greeting = greeting_create();
	close(greeting.fds[2]);
	greeting.fds[2] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	greeting.n_fds = 3;
	char reason[128];
	EXPECT_INT(greet(&greeting, reason, sizeof(reason)), VCHAN_CONNECTED);
}

TEST(a_bell_that_is_none_is_refused) {
	struct greeting greeting = greeting_create();
	greeting.n_fds = 3; // a socket
	expect_refusal(&greeting, "descriptors");
}

TEST(a_greeting_that_is_short_is_refused) {
	struct greeting greeting = greeting_create();
	greeting.size--;
	expect_refusal(&greeting, "not the GUI side");
}

TEST(a_greeting_of_something_else_is_refused) {
	struct greeting greeting = greeting_create();
	greeting.hello.magic++;
	expect_refusal(&greeting, "not the GUI side");
}

TEST(a_greeting_of_another_version_is_refused) {
	struct greeting greeting = greeting_create();
	greeting.hello.version++;
	expect_refusal(&greeting, "another version");
}

TEST(a_greeting_without_descriptors_is_refused) {
	struct greeting greeting = greeting_create();
	greeting.n_fds = 0;
	expect_refusal(&greeting, "malformed");
}

TEST(a_greeting_with_one_descriptor_is_refused) {
	struct greeting greeting = greeting_create();
	greeting.n_fds = 1;
	expect_refusal(&greeting, "malformed");
}

TEST(a_greeting_with_a_descriptor_too_many_is_refused) {
	struct greeting greeting = greeting_create();
	greeting.n_fds = 4;
	expect_refusal(&greeting, "malformed");
}

TEST(ring_orders_out_of_range_are_refused) {
	struct greeting greeting = greeting_create();
	greeting.hello.to_guivm_order = LOCAL_RING_ORDER_MIN - 1;
	expect_refusal(&greeting, "malformed");
}

TEST(ring_orders_beyond_the_word_are_refused) {
	struct greeting greeting = greeting_create();
	greeting.hello.to_appvm_order = 0xffffffff;
	expect_refusal(&greeting, "malformed");
}

TEST(ring_memory_of_another_size_is_refused) {
	struct greeting greeting = greeting_create();
	greeting.hello.to_appvm_order++;
	expect_refusal(&greeting, "descriptors");
}

TEST(ring_memory_that_can_shrink_is_refused) {
	struct greeting greeting = greeting_create();
	close(greeting.fds[0]);
	greeting.fds[0] = make_rings(rings_bytes(LOCAL_RING_ORDER_MIN), F_SEAL_GROW | F_SEAL_SEAL);
	expect_refusal(&greeting, "descriptors");
}

TEST(descriptors_in_the_wrong_order_are_refused) {
	struct greeting greeting = greeting_create();
	int fd = greeting.fds[0];
	greeting.fds[0] = greeting.fds[1];
	greeting.fds[1] = fd;
	expect_refusal(&greeting, "descriptors");
}

TEST(the_appvm_waits_for_a_folder_that_is_not_there_yet) {
	struct wl_event_loop *loop = wl_event_loop_create();
	struct end guivm, appvm;
	char spec[128], path[100];
	snprintf(path, sizeof(path), "%s/a", test_dir());
	snprintf(spec, sizeof(spec), "local:%s/b", path);
	end_open_spec(&appvm, spec, TRANSPORT_APPVM, loop);
	end_start(&appvm);
	wl_event_loop_dispatch(loop, 0);
	EXPECT_INT(vchan_state(appvm.vchan), VCHAN_WAITING);
	EXPECT(mkdir(path, 0700) == 0);
	wl_event_loop_dispatch(loop, 0);
	end_open_spec(&guivm, spec, TRANSPORT_GUIVM, loop);
	end_start(&guivm);
	END_DISPATCH_UNTIL(&appvm, vchan_state(appvm.vchan) == VCHAN_CONNECTED);
	ends_close(&guivm, &appvm);
}

TEST(the_folder_is_made_for_its_owner_only) {
	struct end guivm;
	char spec[128];
	struct stat info;
	snprintf(spec, sizeof(spec), "local:%s/made", test_dir());
	end_open_spec(&guivm, spec, TRANSPORT_GUIVM, NULL);
	EXPECT(stat(spec + strlen("local:"), &info) == 0);
	EXPECT_INT(info.st_mode & 0777, 0700);
	end_close(&guivm);
}

TEST(waiting_costs_no_wake_ups) {
	struct end appvm;
	open_local(&appvm, TRANSPORT_APPVM);
	end_start(&appvm);
	wl_event_loop_dispatch(appvm.loop, 0);
	char path[128];
	snprintf(path, sizeof(path), "%s/other", test_dir());
	EXPECT(mkdir(path, 0700) == 0);
	wl_event_loop_dispatch(appvm.loop, 0);
	struct pollfd poll_fd = {.fd = wl_event_loop_get_fd(appvm.loop), .events = POLLIN};
	EXPECT_INT(poll(&poll_fd, 1, 0), 0);
	EXPECT_INT(appvm.vchan_calls, 0);
	end_close(&appvm);
}
