/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/transport/ends.h"

/* What every backend's vchan does alike. */

#define STREAM_BYTES 1000000

static uint8_t pattern(size_t at) {
	return (uint8_t)((at * 2654435761u) >> 13);
}

struct sender {
	size_t sent;
	uint8_t bytes[4096];
};

static void send_some(struct sender *sender, struct vchan *vchan) {
	while (sender->sent < STREAM_BYTES) {
		size_t size = 1 + test_random_below(sizeof(sender->bytes));
		size = size < STREAM_BYTES - sender->sent ? size : STREAM_BYTES - sender->sent;
		for (size_t i = 0; i < size; i++) {
			sender->bytes[i] = pattern(sender->sent + i);
		}
		ssize_t count = vchan_write(vchan, sender->bytes, size);
		EXPECT(count >= 0);
		sender->sent += (size_t)count;
		if ((size_t)count < size) {
			return;
		}
	}
}

static size_t receive_some(struct vchan *vchan, size_t received) {
	uint8_t bytes[8192];
	ssize_t count;
	while ((count = vchan_read(vchan, bytes, 1 + test_random_below(sizeof(bytes)))) > 0) {
		for (ssize_t i = 0; i < count; i++) {
			EXPECT_INT(bytes[i], pattern(received + (size_t)i));
		}
		received += (size_t)count;
	}
	return received;
}

static void expect_stream(struct end *from, struct end *to) {
	struct sender sender = {0};
	size_t received = 0;
	send_some(&sender, from->vchan);
	while ((received = receive_some(to->vchan, received)) < STREAM_BYTES) {
		end_dispatch(from);
		send_some(&sender, from->vchan);
	}
	EXPECT_INT(received, STREAM_BYTES);
}

BACKEND_TEST(a_million_bytes_arrive_unchanged_at_the_guivm) {
	struct end guivm, appvm;
	ends_connect(&guivm, &appvm, backend);
	expect_stream(&appvm, &guivm);
	ends_close(&guivm, &appvm);
}

BACKEND_TEST(a_million_bytes_arrive_unchanged_at_the_appvm) {
	struct end guivm, appvm;
	ends_connect(&guivm, &appvm, backend);
	expect_stream(&guivm, &appvm);
	ends_close(&guivm, &appvm);
}

BACKEND_TEST(an_idle_link_wakes_nobody) {
	struct end guivm, appvm;
	ends_connect(&guivm, &appvm, backend);
	expect_stream(&appvm, &guivm);
	expect_stream(&guivm, &appvm);
	for (unsigned i = 0; i < 10; i++) {
		wl_event_loop_dispatch(guivm.loop, 0);
	}
	struct pollfd poll_fd = {.fd = wl_event_loop_get_fd(guivm.loop), .events = POLLIN};
	EXPECT_INT(poll(&poll_fd, 1, 0), 0);
	ends_close(&guivm, &appvm);
}

BACKEND_TEST(nothing_is_called_from_within_create) {
	struct end guivm, appvm;
	struct wl_event_loop *loop = wl_event_loop_create();
	end_open(&guivm, backend, TRANSPORT_GUIVM, loop);
	end_open(&appvm, backend, TRANSPORT_APPVM, loop);
	end_start(&guivm);
	end_start(&appvm);
	EXPECT_INT(guivm.vchan_calls + appvm.vchan_calls, 0);
	END_DISPATCH_UNTIL(&guivm, guivm.vchan_calls > 0 && appvm.vchan_calls > 0);
	EXPECT_INT(vchan_state(guivm.vchan), VCHAN_CONNECTED);
	ends_close(&guivm, &appvm);
}

BACKEND_TEST(a_second_vchan_at_a_time_is_refused) {
	struct end guivm, appvm;
	ends_connect(&guivm, &appvm, backend);
	EXPECT(vchan_create(guivm.transport, NULL, NULL) == NULL);
	EXPECT_INT(errno, EBUSY);
	ends_close(&guivm, &appvm);
}

BACKEND_TEST(recv_takes_all_or_nothing) {
	struct end guivm, appvm;
	ends_connect(&guivm, &appvm, backend);
	char text[8] = "";
	EXPECT_INT(vchan_send(appvm.vchan, "abc", 3), 3);
	unsigned calls = guivm.vchan_calls;
	EXPECT_INT(vchan_recv(guivm.vchan, text, 5), 0);
	EXPECT_INT(vchan_send(appvm.vchan, "de", 2), 2);
	END_DISPATCH_UNTIL(&guivm, guivm.vchan_calls > calls);
	EXPECT_INT(vchan_recv(guivm.vchan, text, 5), 5);
	EXPECT_STR(text, "abcde");
	ends_close(&guivm, &appvm);
}

BACKEND_TEST(send_puts_all_or_nothing) {
	struct end guivm, appvm;
	ends_connect(&guivm, &appvm, backend);
	static char bytes[100000];
	size_t sent = 0;
	while (vchan_send(guivm.vchan, bytes, sizeof(bytes)) == sizeof(bytes)) {
		sent += sizeof(bytes);
	}
	EXPECT(sent > 0);
	size_t received = 0;
	while (received < sent) {
		ssize_t count = vchan_read(appvm.vchan, bytes, sizeof(bytes));
		EXPECT(count >= 0);
		received += (size_t)count;
		if (count == 0) {
			end_dispatch(&appvm);
		}
	}
	EXPECT_INT(vchan_read(appvm.vchan, bytes, sizeof(bytes)), 0);
	ends_close(&guivm, &appvm);
}

BACKEND_TEST(what_can_never_fit_is_emsgsize) {
	struct end guivm, appvm;
	ends_connect(&guivm, &appvm, backend);
	size_t size = 64 * 1024 * 1024;
	char *bytes = calloc(1, size);
	EXPECT_INT(vchan_send(guivm.vchan, bytes, size), -1);
	EXPECT_INT(errno, EMSGSIZE);
	EXPECT_INT(vchan_recv(guivm.vchan, bytes, size), -1);
	EXPECT_INT(errno, EMSGSIZE);
	free(bytes);
	ends_close(&guivm, &appvm);
}

BACKEND_TEST(space_calls_the_writer_back) {
	struct end guivm, appvm;
	ends_connect(&guivm, &appvm, backend);
	static char bytes[65536];
	while (vchan_write(guivm.vchan, bytes, sizeof(bytes)) == sizeof(bytes)) {
	}
	unsigned calls = guivm.vchan_calls;
	while (guivm.vchan_calls == calls) {
		if (vchan_read(appvm.vchan, bytes, sizeof(bytes)) == 0) {
			end_dispatch(&guivm);
		} else {
			wl_event_loop_dispatch(guivm.loop, 0);
		}
	}
	EXPECT(vchan_write(guivm.vchan, bytes, 1) == 1);
	ends_close(&guivm, &appvm);
}

BACKEND_TEST(counts_tell_what_can_be_read_and_written) {
	struct end guivm, appvm;
	ends_connect(&guivm, &appvm, backend);
	static char bytes[1024 * 1024];
	EXPECT_INT(vchan_data_ready(guivm.vchan), 0);
	EXPECT_INT(vchan_write(appvm.vchan, "abc", 3), 3);
	END_DISPATCH_UNTIL(&guivm, vchan_data_ready(guivm.vchan) == 3);
	size_t space = vchan_buffer_space(appvm.vchan);
	EXPECT(space > 0 && space < sizeof(bytes));
	EXPECT_INT(vchan_send(appvm.vchan, bytes, space), space);
	ends_close(&guivm, &appvm);
}

BACKEND_TEST(waiting_reads_and_writes_are_enotconn) {
	struct end guivm;
	if (strcmp(backend->name, "stream:fd") == 0) {
		test_skip("a connected socket never waits");
	}
	end_open(&guivm, backend, TRANSPORT_GUIVM, NULL);
	end_start(&guivm);
	char byte = 0;
	EXPECT_INT(vchan_state(guivm.vchan), VCHAN_WAITING);
	EXPECT_INT(vchan_read(guivm.vchan, &byte, 1), -1);
	EXPECT_INT(errno, ENOTCONN);
	EXPECT_INT(vchan_send(guivm.vchan, &byte, 1), -1);
	EXPECT_INT(errno, ENOTCONN);
	EXPECT_INT(vchan_data_ready(guivm.vchan) + vchan_buffer_space(guivm.vchan), 0);
	end_close(&guivm);
}

static void expect_rest_then_end(struct end *end, size_t expected) {
	END_DISPATCH_UNTIL(end, vchan_state(end->vchan) == VCHAN_DISCONNECTED);
	EXPECT_STR(vchan_reason(end->vchan), "the peer closed");
	static char bytes[65536];
	size_t received = 0;
	ssize_t count;
	while ((count = vchan_read(end->vchan, bytes, sizeof(bytes))) > 0) {
		received += (size_t)count;
	}
	EXPECT_INT(count, -1);
	EXPECT_INT(errno, EPIPE);
	EXPECT_INT(received, expected);
	EXPECT_INT(vchan_write(end->vchan, bytes, 1), -1);
	EXPECT_INT(errno, EPIPE);
}

BACKEND_TEST(what_the_appvm_wrote_before_closing_can_be_read) {
	struct end guivm, appvm;
	ends_connect(&guivm, &appvm, backend);
	static char bytes[100000];
	EXPECT_INT(vchan_write(appvm.vchan, bytes, sizeof(bytes)), sizeof(bytes));
	vchan_destroy(appvm.vchan);
	appvm.vchan = NULL;
	expect_rest_then_end(&guivm, sizeof(bytes));
	ends_close(&guivm, &appvm);
}

BACKEND_TEST(what_the_guivm_wrote_before_closing_can_be_read) {
	struct end guivm, appvm;
	ends_connect(&guivm, &appvm, backend);
	static char bytes[100000];
	EXPECT_INT(vchan_write(guivm.vchan, bytes, sizeof(bytes)), sizeof(bytes));
	vchan_destroy(guivm.vchan);
	guivm.vchan = NULL;
	expect_rest_then_end(&appvm, sizeof(bytes));
	ends_close(&guivm, &appvm);
}

BACKEND_TEST(all_that_was_taken_before_closing_arrives_while_the_loop_runs) {
	struct end guivm, appvm;
	ends_connect(&guivm, &appvm, backend);
	static char bytes[65536];
	size_t sent = 0, received = 0;
	ssize_t count;
	do {
		count = vchan_write(appvm.vchan, bytes, sizeof(bytes));
		EXPECT(count >= 0);
		sent += (size_t)count;
	} while (count == sizeof(bytes));
	vchan_destroy(appvm.vchan);
	appvm.vchan = NULL;
	while ((count = vchan_read(guivm.vchan, bytes, sizeof(bytes))) >= 0) {
		received += (size_t)count;
		if (count == 0) {
			end_dispatch(&guivm);
		}
	}
	EXPECT_INT(errno, EPIPE);
	EXPECT_INT(received, sent);
	ends_close(&guivm, &appvm);
}

static void destroy_in_handler(struct vchan *vchan, void *data) {
	struct end *end = data;
	if (vchan_state(vchan) == VCHAN_CONNECTED) {
		vchan_destroy(vchan);
		end->vchan = NULL;
	}
}

BACKEND_TEST(the_handler_may_destroy_the_vchan) {
	struct end guivm, appvm;
	struct wl_event_loop *loop = wl_event_loop_create();
	end_open(&guivm, backend, TRANSPORT_GUIVM, loop);
	end_open(&appvm, backend, TRANSPORT_APPVM, loop);
	guivm.vchan = vchan_create(guivm.transport, destroy_in_handler, &guivm);
	end_start(&appvm);
	END_DISPATCH_UNTIL(&guivm,
		guivm.vchan == NULL && vchan_state(appvm.vchan) == VCHAN_DISCONNECTED);
	ends_close(&guivm, &appvm);
}

static void destroy_on_data(struct vchan *vchan, void *data) {
	struct end *end = data;
	char byte;
	if (vchan_state(vchan) == VCHAN_CONNECTED && vchan_read(vchan, &byte, 1) == 1) {
		vchan_destroy(vchan);
		end->vchan = NULL;
	}
}

BACKEND_TEST(the_handler_may_destroy_the_vchan_when_data_came) {
	struct end guivm, appvm;
	struct wl_event_loop *loop = wl_event_loop_create();
	end_open(&guivm, backend, TRANSPORT_GUIVM, loop);
	end_open(&appvm, backend, TRANSPORT_APPVM, loop);
	guivm.vchan = vchan_create(guivm.transport, destroy_on_data, &guivm);
	end_start(&appvm);
	END_DISPATCH_UNTIL(&appvm, vchan_state(appvm.vchan) == VCHAN_CONNECTED);
	EXPECT_INT(vchan_write(appvm.vchan, "x", 1), 1);
	END_DISPATCH_UNTIL(&guivm, guivm.vchan == NULL);
	ends_close(&guivm, &appvm);
}

/* Two processes. */

static void close_fd_of(const char *spec) {
	int fd;
	if (sscanf(spec, "stream:fd:%d", &fd) == 1) {
		close(fd);
	}
}

static pid_t start_peer(const struct backend *backend, enum transport_role role,
		void (*run)(struct end *end)) {
	char spec[256];
	backend->spec(role, spec, sizeof(spec));
	pid_t pid = fork();
	EXPECT(pid >= 0);
	if (pid == 0) {
		char other[256];
		backend->spec(role == TRANSPORT_GUIVM ? TRANSPORT_APPVM : TRANSPORT_GUIVM, other,
			sizeof(other));
		close_fd_of(other);
		struct end end;
		end_open_spec(&end, spec, role, NULL);
		end_start(&end);
		END_DISPATCH_UNTIL(&end, vchan_state(end.vchan) == VCHAN_CONNECTED);
		run(&end);
		end_close(&end);
		_exit(0);
	}
	close_fd_of(spec);
	return pid;
}

static void expect_exit(pid_t pid, int expected) {
	int status;
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFEXITED(status));
	EXPECT_INT(WEXITSTATUS(status), expected);
}

#ifdef ISTHMUS_TEST_XEN
#define PING_PONGS 2000 /* on an emulated processor */
#else
#define PING_PONGS 100000
#endif

static uint8_t read_byte(struct end *end) {
	uint8_t byte;
	ssize_t count;
	while ((count = vchan_read(end->vchan, &byte, 1)) == 0) {
		end_dispatch(end);
	}
	EXPECT_INT(count, 1);
	return byte;
}

static void echo(struct end *end) {
	for (unsigned i = 0; i < PING_PONGS; i++) {
		uint8_t byte = read_byte(end);
		EXPECT_INT(vchan_write(end->vchan, &byte, 1), 1);
	}
}

BACKEND_TEST(no_wake_up_is_lost_in_100000_rounds) {
	struct end guivm;
	pid_t pid = start_peer(backend, TRANSPORT_APPVM, echo);
	end_open(&guivm, backend, TRANSPORT_GUIVM, NULL);
	end_start(&guivm);
	END_DISPATCH_UNTIL(&guivm, vchan_state(guivm.vchan) == VCHAN_CONNECTED);
	for (unsigned i = 0; i < PING_PONGS; i++) {
		uint8_t byte = (uint8_t)i;
		EXPECT_INT(vchan_write(guivm.vchan, &byte, 1), 1);
		EXPECT_INT(read_byte(&guivm), byte);
	}
	expect_exit(pid, 0);
	end_close(&guivm);
}

static void send_stream(struct end *end) {
	struct sender sender = {0};
	send_some(&sender, end->vchan);
	while (sender.sent < STREAM_BYTES) {
		end_dispatch(end);
		send_some(&sender, end->vchan);
	}
	END_DISPATCH_UNTIL(end, vchan_state(end->vchan) == VCHAN_DISCONNECTED);
}

BACKEND_TEST(a_million_bytes_arrive_from_another_process) {
	struct end guivm;
	pid_t pid = start_peer(backend, TRANSPORT_APPVM, send_stream);
	end_open(&guivm, backend, TRANSPORT_GUIVM, NULL);
	end_start(&guivm);
	END_DISPATCH_UNTIL(&guivm, vchan_state(guivm.vchan) == VCHAN_CONNECTED);
	size_t received = 0;
	while ((received = receive_some(guivm.vchan, received)) < STREAM_BYTES) {
		end_dispatch(&guivm);
	}
	end_close(&guivm);
	expect_exit(pid, 0);
}

static void stay(struct end *end) {
	vchan_write(end->vchan, "x", 1);
	for (;;) {
		end_dispatch(end);
	}
}

BACKEND_TEST(a_killed_peer_is_noticed) {
	struct end guivm;
	pid_t pid = start_peer(backend, TRANSPORT_APPVM, stay);
	end_open(&guivm, backend, TRANSPORT_GUIVM, NULL);
	end_start(&guivm);
	END_DISPATCH_UNTIL(&guivm, vchan_state(guivm.vchan) == VCHAN_CONNECTED);
	read_byte(&guivm);
	char byte;
	EXPECT_INT(vchan_read(guivm.vchan, &byte, 1), 0);
	kill(pid, SIGKILL);
	END_DISPATCH_UNTIL(&guivm, vchan_state(guivm.vchan) == VCHAN_DISCONNECTED);
	waitpid(pid, NULL, 0);
	end_close(&guivm);
}

LISTENING_BACKEND_TEST(the_appvm_may_start_first) {
	struct end guivm;
	pid_t pid = start_peer(backend, TRANSPORT_APPVM, stay);
	char spec[256];
	backend->spec(TRANSPORT_GUIVM, spec, sizeof(spec));
	// The child tries before there is a listener, or not: both must do.
	end_open_spec(&guivm, spec, TRANSPORT_GUIVM, NULL);
	end_start(&guivm);
	END_DISPATCH_UNTIL(&guivm, vchan_state(guivm.vchan) == VCHAN_CONNECTED);
	EXPECT_INT(read_byte(&guivm), 'x');
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	end_close(&guivm);
}

LISTENING_BACKEND_TEST(a_new_appvm_connects_after_the_old_one_died) {
	struct end guivm, appvm;
	ends_connect(&guivm, &appvm, backend);
	for (unsigned i = 0; i < 3; i++) {
		vchan_destroy(appvm.vchan);
		END_DISPATCH_UNTIL(&guivm, vchan_state(guivm.vchan) == VCHAN_DISCONNECTED);
		vchan_destroy(guivm.vchan);
		end_start(&appvm);
		end_start(&guivm);
		END_DISPATCH_UNTIL(&guivm, vchan_state(appvm.vchan) == VCHAN_CONNECTED &&
			vchan_state(guivm.vchan) == VCHAN_CONNECTED);
		expect_stream(&appvm, &guivm);
	}
	ends_close(&guivm, &appvm);
}

LISTENING_BACKEND_TEST(the_appvm_finds_a_guivm_that_was_started_again) {
	struct end guivm, appvm;
	ends_connect(&guivm, &appvm, backend);
	struct wl_event_loop *loop = guivm.loop;
	end_close(&guivm);
	END_DISPATCH_UNTIL(&appvm, vchan_state(appvm.vchan) == VCHAN_DISCONNECTED);
	vchan_destroy(appvm.vchan);
	end_start(&appvm);
	wl_event_loop_dispatch(loop, 0);
	EXPECT_INT(vchan_state(appvm.vchan), VCHAN_WAITING);
	end_open(&guivm, backend, TRANSPORT_GUIVM, loop);
	end_start(&guivm);
	END_DISPATCH_UNTIL(&guivm, vchan_state(appvm.vchan) == VCHAN_CONNECTED &&
		vchan_state(guivm.vchan) == VCHAN_CONNECTED);
	expect_stream(&guivm, &appvm);
	ends_close(&guivm, &appvm);
}

LISTENING_BACKEND_TEST(a_second_appvm_waits_until_the_first_is_gone) {
	struct end guivm, first, second;
	ends_connect(&guivm, &first, backend);
	end_open(&second, backend, TRANSPORT_APPVM, guivm.loop);
	end_start(&second);
	EXPECT_INT(vchan_write(first.vchan, "x", 1), 1);
	EXPECT_INT(read_byte(&guivm), 'x');
	end_close(&first);
	END_DISPATCH_UNTIL(&guivm, vchan_state(guivm.vchan) == VCHAN_DISCONNECTED);
	vchan_destroy(guivm.vchan);
	end_start(&guivm);
	END_DISPATCH_UNTIL(&guivm, vchan_state(second.vchan) == VCHAN_CONNECTED &&
		vchan_state(guivm.vchan) == VCHAN_CONNECTED);
	expect_stream(&second, &guivm);
	ends_close(&guivm, &second);
}

LISTENING_BACKEND_TEST(a_guivm_beside_a_living_one_is_refused) {
	struct end guivm;
	end_open(&guivm, backend, TRANSPORT_GUIVM, NULL);
	char spec[256], error[256];
	backend->spec(TRANSPORT_GUIVM, spec, sizeof(spec));
	EXPECT(transport_open(guivm.loop, spec, TRANSPORT_GUIVM, error, sizeof(error)) == NULL);
	EXPECT(strstr(error, "another process listens") != NULL);
	end_close(&guivm);
}

LISTENING_BACKEND_TEST(the_name_of_a_dead_guivm_is_replaced) {
	struct end guivm, appvm;
	pid_t pid = fork();
	if (pid == 0) {
		end_open(&guivm, backend, TRANSPORT_GUIVM, NULL);
		_exit(0);
	}
	expect_exit(pid, 0);
	ends_connect(&guivm, &appvm, backend);
	ends_close(&guivm, &appvm);
}
