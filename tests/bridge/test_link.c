/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/turn.h"
#include "tests/bridge/pair.h"
#include "tests/harness/test.h"
#include "transport/transport.h"
#include "transport/vchan.h"

static void flush(struct link_pair *pair) {
	turn_run(turn_of_loop(pair->loop));
}

struct seen {
	uint32_t type, client, arg;
	size_t bytes;
	uint8_t body[64];
	bool done;
};

static void remember(struct link_pair_end *end, const struct link_frame *frame) {
	struct seen *seen = end->data;
	*seen = (struct seen){
			.type = frame->header.type,
			.client = frame->header.client,
			.arg = frame->header.arg,
			.bytes = frame->body_size,
			.done = true,
	};
	memcpy(seen->body, frame->body, frame->body_size < 64 ? frame->body_size : 64);
}

TEST(a_frame_arrives_as_it_was_sent) {
	struct link_pair pair;
	link_pair_init(&pair);
	struct seen seen = {0};
	pair.guivm.frame = remember;
	pair.guivm.data = &seen;
	link_send(pair.appvm.link, LINK_CLIENT_OPEN, 7, 0, NULL, 0);
	flush(&pair);
	test_dispatch_until(pair.loop, &seen.done);
	EXPECT_INT(seen.type, LINK_CLIENT_OPEN);
	EXPECT_INT(seen.client, 7);
	link_pair_finish(&pair);
}

TEST(wayland_messages_of_one_turn_share_a_frame) {
	struct link_pair pair;
	link_pair_init(&pair);
	struct seen seen = {0};
	pair.guivm.frame = remember;
	pair.guivm.data = &seen;
	uint32_t sync[3] = {1, 12 << 16, 2};
	for (int i = 0; i < 5; i++) {
		link_send_wayland(pair.appvm.link, 3, sync, sizeof(sync));
	}
	flush(&pair);
	test_dispatch_until(pair.loop, &seen.done);
	EXPECT_INT(pair.guivm.frames, 1);
	EXPECT_INT(seen.bytes, 60);
	link_pair_finish(&pair);
}

TEST(messages_of_two_clients_do_not_share_a_frame) {
	struct link_pair pair;
	link_pair_init(&pair);
	struct seen seen = {0};
	pair.guivm.frame = remember;
	pair.guivm.data = &seen;
	uint32_t sync[3] = {1, 12 << 16, 2};
	link_send_wayland(pair.appvm.link, 3, sync, sizeof(sync));
	link_send_wayland(pair.appvm.link, 4, sync, sizeof(sync));
	flush(&pair);
	while (pair.guivm.frames < 2) {
		wl_event_loop_dispatch(pair.loop, -1);
	}
	EXPECT_INT(seen.client, 4);
	EXPECT_INT(seen.bytes, 12);
	link_pair_finish(&pair);
}

TEST(a_lazy_frame_leaves_with_the_next_one_or_soon) {
	struct link_pair pair;
	link_pair_init(&pair);
	struct seen seen = {0};
	pair.guivm.frame = remember;
	pair.guivm.data = &seen;
	link_lazy(pair.appvm.link, true);
	link_send(pair.appvm.link, LINK_CREDIT, 1, 12, NULL, 0);
	link_lazy(pair.appvm.link, false);
	test_dispatch_until(pair.loop, &seen.done); // no turn_run(): the timer sends it
	EXPECT_INT(seen.type, LINK_CREDIT);
	link_pair_finish(&pair);
}

TEST(a_failed_link_tells_the_peer_why) {
	struct link_pair pair;
	link_pair_init(&pair);
	link_fail(pair.guivm.link, LINK_BYE_LIMIT, "too much of everything");
	test_dispatch_until(pair.loop, &pair.guivm.closed);
	test_dispatch_until(pair.loop, &pair.appvm.closed);
	EXPECT_STR(pair.guivm.reason, "too much of everything");
	EXPECT(strstr(pair.appvm.reason, link_bye_text(LINK_BYE_LIMIT)) != NULL);
	link_pair_finish(&pair);
}

TEST(a_frame_that_only_the_other_end_may_send_ends_the_link) {
	struct link_pair pair;
	link_pair_init(&pair);
	link_send(pair.guivm.link, LINK_CLIENT_OPEN, 1, 0, NULL, 0);
	flush(&pair);
	test_dispatch_until(pair.loop, &pair.appvm.closed);
	test_dispatch_until(pair.loop, &pair.guivm.closed);
	link_pair_finish(&pair);
}

TEST(a_second_hello_ends_the_link) {
	struct link_pair pair;
	link_pair_init(&pair);
	struct link_hello hello = {
			.magic = LINK_MAGIC, .version_min = 1, .version_max = 1, .page_size = 4096};
	link_send(pair.appvm.link, LINK_HELLO, 0, 0, &hello, sizeof(hello));
	flush(&pair);
	test_dispatch_until(pair.loop, &pair.guivm.closed);
	EXPECT_STR(pair.guivm.reason, link_error_text(LINK_BAD_PHASE));
	test_dispatch_until(pair.loop, &pair.appvm.closed);
	link_pair_finish(&pair);
}

static void note_writable(struct link_pair_end *end) {
	*(bool *)end->data = true;
}

TEST(a_full_queue_says_when_it_has_room_again) {
	struct link_pair pair;
	link_pair_init(&pair);
	bool writable = false;
	pair.appvm.writable = note_writable;
	pair.appvm.data = &writable;
	static uint8_t bytes[32768];
	struct link_bytes head = {.count = sizeof(bytes)};
	unsigned sent = 0;
	while (link_has_room(pair.appvm.link)) {
		link_send2(pair.appvm.link, LINK_PIPE_DATA, 0, 0x80000005u, &head, sizeof(head),
				bytes, sizeof(bytes));
		sent++;
	}
	flush(&pair);
	test_dispatch_until(pair.loop, &writable);
	while (pair.guivm.frames < sent) {
		wl_event_loop_dispatch(pair.loop, -1);
	}
	link_pair_finish(&pair);
}

/* The appvm end without bridge/link: what it sends is up to the test. */
struct raw_end {
	struct transport *transport;
	struct vchan *vchan;
	bool connected;
};

static void raw_handle_vchan(struct vchan *vchan, void *data) {
	struct raw_end *raw = data;
	raw->connected = vchan_state(vchan) == VCHAN_CONNECTED;
}

/* One guivm end of the bridge and one raw appvm end, connected. */
static void raw_pair_init(struct link_pair *pair, struct raw_end *raw) {
	link_pair_init(pair);
	link_destroy(pair->appvm.link);
	pair->appvm.link = NULL;
	transport_close(pair->appvm.transport);
	pair->appvm.transport = NULL;
	test_dispatch_until(pair->loop, &pair->guivm.closed);
	link_pair_reopen_guivm(pair);
	char spec[128], error[200];
	snprintf(spec, sizeof(spec), "local:%s/link", test_dir());
	*raw = (struct raw_end){0};
	raw->transport = transport_open(pair->loop, spec, TRANSPORT_APPVM, error, sizeof(error));
	EXPECT(raw->transport != NULL);
	raw->vchan = vchan_create(raw->transport, raw_handle_vchan, raw);
	EXPECT(raw->vchan != NULL);
	test_dispatch_until(pair->loop, &raw->connected);
}

static void raw_pair_finish(struct link_pair *pair, struct raw_end *raw) {
	vchan_destroy(raw->vchan);
	transport_close(raw->transport);
	link_pair_finish(pair);
}

static void raw_send_hello(struct raw_end *raw, const struct link_hello *hello) {
	struct link_header header = {
			.size = sizeof(header) + sizeof(*hello), .type = LINK_HELLO};
	EXPECT_INT(vchan_send(raw->vchan, &header, sizeof(header)), sizeof(header));
	EXPECT_INT(vchan_send(raw->vchan, hello, sizeof(*hello)), sizeof(*hello));
}

TEST(a_peer_of_another_version_is_told_so) {
	struct link_pair pair;
	struct raw_end raw;
	raw_pair_init(&pair, &raw);
	raw_send_hello(&raw, &(struct link_hello){
			.magic = LINK_MAGIC,
			.version_min = LINK_VERSION_MAX + 1,
			.version_max = LINK_VERSION_MAX + 2,
			.caps = transport_caps(raw.transport),
			.page_size = 4096,
	});
	test_dispatch_until(pair.loop, &pair.guivm.closed);
	EXPECT(strstr(pair.guivm.reason, "link versions 2 to 3") != NULL);
	uint8_t bytes[64];
	ssize_t size;
	do {
		size = vchan_read(raw.vchan, bytes, sizeof(bytes));
	} while (size == 0);
	// Our hello came first, then the goodbye.
	struct link_header bye;
	EXPECT_INT(size, sizeof(struct link_header) * 2 + sizeof(struct link_hello));
	memcpy(&bye, bytes + size - (ssize_t)sizeof(bye), sizeof(bye));
	EXPECT_INT(bye.type, LINK_BYE);
	EXPECT_INT(bye.arg, LINK_BYE_VERSION);
	raw_pair_finish(&pair, &raw);
}

TEST(ends_that_disagree_on_the_transport_do_not_open_the_link) {
	struct link_pair pair;
	struct raw_end raw;
	raw_pair_init(&pair, &raw);
	raw_send_hello(&raw, &(struct link_hello){
			.magic = LINK_MAGIC,
			.version_min = LINK_VERSION_MIN,
			.version_max = LINK_VERSION_MAX,
			.caps = transport_caps(raw.transport) ^ TRANSPORT_HANDOVER,
			.page_size = 4096,
	});
	test_dispatch_until(pair.loop, &pair.guivm.closed);
	EXPECT(!pair.guivm.opened);
	EXPECT(strstr(pair.guivm.reason, "options") != NULL);
	raw_pair_finish(&pair, &raw);
}
