/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/test.h"
#include "tests/hostile/peer.h"

/* What a VM may not do to the link. Each test: the link ends with the reason that is due, the relay
 * lives, and takes the next peer. */

static struct peer peer;

static void expect_link_ends(enum link_bye reason) {
	peer_expect_bye(&peer, reason);
	peer_reconnect(&peer);
	peer_expect_alive(&peer);
	peer_stop(&peer);
}

static void send_header(struct link_header header) {
	peer_send_bytes(&peer, &header, sizeof(header));
}

TEST(a_frame_below_its_header_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	send_header((struct link_header){.size = 8, .type = LINK_CLIENT_OPEN, .client = 1});
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(a_frame_that_is_no_multiple_of_4_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	send_header((struct link_header){.size = 18, .type = LINK_CLIENT_OPEN, .client = 1});
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(a_frame_above_the_limit_ends_the_link_before_it_arrived)
{
	peer_start(&peer, PEER_HANDOVER);
	send_header((struct link_header){
			.size = LIMIT_LINK_FRAME_BYTES + 4, .type = LINK_WAYLAND, .client = 1});
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(an_unknown_type_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	send_header((struct link_header){
			.size = sizeof(struct link_header), .type = LINK_TYPE_COUNT});
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(a_type_of_the_other_end_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	struct link_bytes body = {0};
	peer_send(&peer, LINK_LAUNCH, 0, 1, &body, sizeof(body));
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(flags_end_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	send_header((struct link_header){.size = sizeof(struct link_header),
			.type = LINK_CLIENT_OPEN,
			.flags = 1,
			.client = 1});
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(a_second_hello_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	struct link_hello hello = {
			.magic = LINK_MAGIC, .version_min = 1, .version_max = 1, .page_size = 4096};
	peer_send(&peer, LINK_HELLO, 0, 0, &hello, sizeof(hello));
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(a_client_that_is_open_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	peer_send(&peer, LINK_CLIENT_OPEN, 7, 0, NULL, 0);
	peer_send(&peer, LINK_CLIENT_OPEN, 7, 0, NULL, 0);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(a_client_that_was_never_open_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	peer_call(&peer, 5, 1, 0, 2);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(closing_a_client_twice_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	peer_send(&peer, LINK_CLIENT_OPEN, 7, 0, NULL, 0);
	peer_send(&peer, LINK_CLIENT_CLOSE, 7, 0, NULL, 0);
	peer_send(&peer, LINK_CLIENT_CLOSE, 7, 0, NULL, 0);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(credit_for_what_was_not_sent_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	peer_send(&peer, LINK_CLIENT_OPEN, 7, 0, NULL, 0);
	peer_send(&peer, LINK_CREDIT, 7, 1, NULL, 0);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(credit_that_wraps_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	peer_send(&peer, LINK_CLIENT_OPEN, 7, 0, NULL, 0);
	peer_send(&peer, LINK_CREDIT, 7, UINT32_MAX, NULL, 0);
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(an_answer_to_no_launch_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	struct link_launch_result result = {.status = LINK_LAUNCH_STARTED};
	peer_send(&peer, LINK_LAUNCH_RESULT, 0, 3, &result, sizeof(result));
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(data_for_no_pipe_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	uint32_t body[2] = {4, 0x41414141};
	peer_send(&peer, LINK_PIPE_DATA, 0, 1, body, sizeof(body));
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(a_file_that_does_not_continue_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	peer_send(&peer, LINK_CLIENT_OPEN, 7, 0, NULL, 0);
	uint32_t body[4] = {100, 8, 4, 0x41414141};
	peer_send(&peer, LINK_FILE, 7, 1, body, sizeof(body));
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(a_flood_of_files_ends_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	peer_send(&peer, LINK_CLIENT_OPEN, 7, 0, NULL, 0);
	for (uint32_t i = 1; i <= LIMIT_FILES_PER_LINK + 1; i++) {
		uint32_t body[4] = {100, 0, 4, 0x41414141};
		peer_send(&peer, LINK_FILE, 7, i, body, sizeof(body));
	}
	expect_link_ends(LINK_BYE_LIMIT);
}

TEST(buffers_on_a_link_that_hands_memory_over_end_it)
{
	peer_start(&peer, PEER_HANDOVER);
	peer_send(&peer, LINK_CLIENT_OPEN, 7, 0, NULL, 0);
	struct link_buffer buffer = {.width = 1, .height = 1, .stride = 4};
	peer_send(&peer, LINK_BUFFER_NEW, 7, LINK_BUFFER_ID_START, &buffer, sizeof(buffer));
	expect_link_ends(LINK_BYE_PROTOCOL);
}

TEST(random_bytes_end_the_link)
{
	peer_start(&peer, PEER_HANDOVER);
	for (unsigned round = 0; round < 30; round++) {
		uint32_t bytes[256];
		for (unsigned i = 0; i < 256; i++) {
			bytes[i] = (uint32_t)(test_random() >> 16);
		}
		bytes[0] = 64; // a size that is fine, so that more than the first check is reached
		bytes[1] = bytes[1] % LINK_TYPE_COUNT;
		bytes[2] = 1;
		peer_send(&peer, LINK_CLIENT_OPEN, 1, 0, NULL, 0);
		peer_send_bytes(&peer, bytes, sizeof(bytes));
		peer_reconnect(&peer);
	}
	peer_expect_alive(&peer);
	peer_stop(&peer);
}

TEST(a_peer_that_dies_inside_a_frame_is_forgotten)
{
	peer_start(&peer, PEER_HANDOVER);
	peer_open_app(&peer, 1);
	peer_call(&peer, 1, 3, 0, 4);
	peer_wait_value(&peer, &peer.compositor.n_surfaces, 1);
	send_header((struct link_header){.size = 4096, .type = LINK_WAYLAND, .client = 1});
	peer_reconnect(&peer);
	peer_wait_value(&peer, &peer.compositor.n_surfaces, 0);
	peer_expect_alive(&peer);
	peer_stop(&peer);
}

TEST(applications_that_come_and_go_leave_no_descriptor_behind)
{
	peer_start(&peer, PEER_HANDOVER);
	for (uint32_t i = 1; i <= 100; i++) {
		peer_open_app(&peer, i);
		peer_call(&peer, i, 3, 0, 4);
		peer_send(&peer, LINK_CLIENT_CLOSE, i, 0, NULL, 0);
		peer_wait(&peer, LINK_CLIENT_CLOSE, i, NULL, 0);
	}
	EXPECT_INT(peer_count_relay_fds(&peer), peer.relay_fds);
	peer_wait_value(&peer, &peer.compositor.n_surfaces, 0);
	peer_stop(&peer);
}

TEST(the_manager_hears_of_the_link)
{
	peer_start(&peer, PEER_MANAGED);
	peer_wait_value(&peer, &peer.compositor.state, 1);
	send_header((struct link_header){
			.size = sizeof(struct link_header), .type = LINK_TYPE_COUNT});
	peer_expect_bye(&peer, LINK_BYE_PROTOCOL);
	peer_wait_value(&peer, &peer.compositor.state, 0);
	EXPECT_INT(peer.compositor.reason, 3); // protocol
	peer_reconnect(&peer);
	peer_wait_value(&peer, &peer.compositor.state, 1);
	peer_open_app(&peer, 1);
	peer_call(&peer, 1, 3, 0, 4);
	peer_wait_value(&peer, &peer.compositor.n_surfaces, 1);
	peer_stop(&peer);
}

/* Applications come and go while the compositor reads nothing. */
static void flood_frozen_compositor(enum peer_mode mode) {
	peer_start(&peer, mode);
	peer_freeze_compositor(&peer, true);
	for (uint32_t i = 1; i <= 5000; i++) {
		peer_send(&peer, LINK_CLIENT_OPEN, i, 0, NULL, 0);
		peer_send(&peer, LINK_CLIENT_CLOSE, i, 0, NULL, 0);
		peer_wait(&peer, LINK_CLIENT_CLOSE, i, NULL, 0);
	}
	peer_freeze_compositor(&peer, false);
	while (peer.compositor.n_clients == 1) {
		peer_turn(&peer); // until it takes those that wait
	}
	peer_wait_value(&peer, &peer.compositor.n_clients, 1);
	peer_expect_alive(&peer);
	peer_stop(&peer);
}

TEST(applications_that_a_frozen_compositor_does_not_accept_cost_themselves)
{
	flood_frozen_compositor(PEER_HANDOVER);
}

TEST(applications_that_a_frozen_manager_does_not_accept_cost_themselves)
{
	flood_frozen_compositor(PEER_MANAGED);
}
