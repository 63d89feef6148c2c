/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "appvm-proxy/proxy.h"
#include "bridge/link.h"
#include "common/fd.h"
#include "tests/appvm-proxy/guivm.h"
#include "tests/harness/test.h"
#include "vmset/vmset.h"

#define HANDOVER "local:%s"
#define INVALID_OBJECT 0
#define INVALID_METHOD 1
#define NO_MEMORY 2
#define IMPLEMENTATION 3
#define SHM_INVALID_FD 2
#define DISPLAY_SYNC 0
#define SURFACE_COMMIT 6
#define SURFACE_DAMAGE 2

static struct bench bench;
static struct app app, other;

static void setup(const struct vmset_vm *vm) {
	bench_init(&bench, HANDOVER, vm);
	bench_connect(&bench);
}

static void finish(void) {
	bench_finish(&bench);
}

TEST(requests_cross_unchanged)
{
	setup(NULL);
	size_t from = 0;
	app_init(&app, &bench);
	app_start(&app);
	EXPECT_INT(bench_expect_frame(&bench, &from, LINK_CLIENT_OPEN).header.client, 1);
	uint8_t expected[64];
	size_t size = wire_build(expected, APP_COMPOSITOR, 0,
			&wire_interface_find("wl_compositor", 13)->requests[0], APP_SURFACE);
	const uint8_t *request = bench_expect_request(&bench, &from, 1, APP_COMPOSITOR, 0);
	EXPECT(memcmp(request, expected, size) == 0);
	app_finish(&app);
	EXPECT_INT(bench_expect_frame(&bench, &from, LINK_CLIENT_CLOSE).header.client, 1);
	finish();
}

TEST(an_application_that_comes_before_the_peer_waits_for_it)
{
	bench_init(&bench, HANDOVER, NULL);
	app_init(&app, &bench);
	app_start(&app);
	bench_connect(&bench);
	size_t from = 0;
	bench_expect_frame(&bench, &from, LINK_CLIENT_OPEN);
	bench_expect_request(&bench, &from, 1, APP_COMPOSITOR, 0);
	app_finish(&app);
	finish();
}

TEST(an_application_that_gives_up_waiting_is_forgotten) {
	bench_init(&bench, HANDOVER, NULL);
	app_init(&app, &bench);
	app_start(&app);
	EXPECT_INT(bench.proxy->n_clients, 1);
	app_finish(&app);
	while (bench.proxy->n_clients > 0) {
		bench_turn(&bench);
	}
	finish();
}

TEST(applications_hear_that_the_peer_is_gone_and_others_find_the_next)
{
	setup(NULL);
	app_init(&app, &bench);
	app_start(&app);
	size_t from = 0;
	bench_expect_request(&bench, &from, 1, APP_COMPOSITOR, 0);
	bench_disconnect(&bench);
	EXPECT_STR(app_expect_error(&app, &bench, APP_DISPLAY, IMPLEMENTATION),
			"the connection to the GUI VM was lost");
	app_finish(&app);
	app_init(&other, &bench);
	app_start(&other);
	bench_connect(&bench);
	bench_expect_request(&bench, &from, 1, APP_COMPOSITOR, 0);
	app_finish(&other);
	finish();
}

/* What the request at hand costs app, and nobody else. */
static void expect_ends_alone(uint32_t object, uint32_t code) {
	app_expect_error(&app, &bench, object, code);
	size_t from = 0;
	EXPECT_INT(bench_expect_frame(&bench, &from, LINK_CLIENT_CLOSE).header.client, 1);
	from = bench.n_frames;
	app_request(&other, wire_display_interface, APP_DISPLAY, DISPLAY_SYNC, APP_FREE);
	bench_expect_request(&bench, &from, 2, APP_DISPLAY, DISPLAY_SYNC);
	EXPECT(!app_has_event(&other, APP_DISPLAY, 0) && !other.hung_up);
	app_finish(&app);
	app_finish(&other);
	finish();
}

static void setup_two(void) {
	setup(NULL);
	app_init(&app, &bench);
	app_start(&app);
	app_init(&other, &bench);
	app_start(&other);
}

TEST(an_unknown_object_ends_the_application_alone)
{
	setup_two();
	app_request_bare(&app, 99, SURFACE_COMMIT);
	expect_ends_alone(APP_DISPLAY, INVALID_OBJECT);
}

TEST(an_unknown_opcode_ends_the_application_alone)
{
	setup_two();
	uint32_t message[2] = {APP_SURFACE, 8 << 16 | 200};
	app_send(&app, message, sizeof(message), -1);
	expect_ends_alone(APP_DISPLAY, INVALID_METHOD);
}

TEST(a_message_shorter_than_its_header_ends_the_application_alone)
{
	setup_two();
	uint32_t message[2] = {APP_SURFACE, 4 << 16 | SURFACE_COMMIT};
	app_send(&app, message, sizeof(message), -1);
	expect_ends_alone(APP_DISPLAY, INVALID_METHOD);
}

TEST(an_id_in_use_ends_the_application_alone)
{
	setup_two();
	app_request(&app, wire_display_interface, APP_DISPLAY, DISPLAY_SYNC, APP_SURFACE);
	expect_ends_alone(APP_DISPLAY, INVALID_OBJECT);
}

TEST(an_object_of_the_wrong_interface_ends_the_application_alone)
{
	setup_two();
	app_request(&app, wire_surface_interface, APP_SURFACE, 1, APP_COMPOSITOR, 0, 0);
	expect_ends_alone(APP_DISPLAY, INVALID_METHOD);
}

TEST(a_request_to_a_destroyed_object_ends_the_application_alone)
{
	setup_two();
	app_request_bare(&app, APP_SURFACE, 0);
	app_request_bare(&app, APP_SURFACE, SURFACE_COMMIT);
	expect_ends_alone(APP_DISPLAY, INVALID_OBJECT);
}

TEST(an_interface_that_is_not_allowed_cannot_be_bound)
{
	setup_two();
	app_request(&app, wire_registry_interface, APP_REGISTRY, 0, 3, "zwlr_layer_shell_v1", 1,
			APP_FREE);
	expect_ends_alone(APP_REGISTRY, INVALID_OBJECT);
}

TEST(a_missing_descriptor_ends_the_application_alone)
{
	setup_two();
	app_request(&app, wire_shm_interface, APP_SHM, 0, APP_FREE, 4096);
	expect_ends_alone(APP_DISPLAY, INVALID_METHOD);
}

/* More than is read of it before the first request in it ends it. */
static void send_much(struct app *talker) {
	static uint8_t bytes[24 * 1000];
	for (size_t at = 0; at < sizeof(bytes);) {
		at += wire_build(bytes + at, APP_SURFACE, SURFACE_DAMAGE,
				&wire_surface_interface->requests[SURFACE_DAMAGE], 0, 0, 1, 1);
	}
	for (int i = 0; i < 4; i++) {
		app_send(talker, bytes, sizeof(bytes), -1);
	}
}

TEST(an_application_that_goes_on_talking_hears_why_it_was_ended)
{
	setup_two();
	app_request_bare(&app, 99, SURFACE_COMMIT);
	send_much(&app);
	size_t from = 0;
	bench_expect_frame(&bench, &from, LINK_CLIENT_CLOSE);
	send_much(&app); // no ECONNRESET, at which libwayland would give up
	expect_ends_alone(APP_DISPLAY, INVALID_OBJECT);
}

TEST(only_so_many_applications_are_told_why_they_were_ended)
{
	static struct app apps[LIMIT_FAREWELLS + 1];
	setup(NULL);
	for (size_t i = 0; i < LIMIT_FAREWELLS + 1; i++) {
		app_init(&apps[i], &bench);
		app_request_bare(&apps[i], 99, SURFACE_COMMIT);
		while (bench.proxy->farewells.count <= i && i < LIMIT_FAREWELLS) {
			bench_turn(&bench);
		}
	}
	app_expect_error(&apps[0], &bench, APP_DISPLAY, INVALID_OBJECT);
	while (send(apps[0].fd, "", 1, MSG_NOSIGNAL) == 1) {
		bench_turn(&bench);
	}
	EXPECT_INT(bench.proxy->farewells.count, LIMIT_FAREWELLS);
	for (size_t i = 0; i < LIMIT_FAREWELLS + 1; i++) {
		app_finish(&apps[i]);
	}
	while (bench.proxy->farewells.count > 0) {
		bench_turn(&bench);
	}
	finish();
}

TEST(a_pipe_is_no_pool)
{
	setup_two();
	int fds[2];
	EXPECT(pipe(fds) == 0);
	close(fds[1]);
	app_request_fd(&app, fds[0], wire_shm_interface, APP_SHM, 0, APP_FREE, 4096);
	expect_ends_alone(APP_SHM, SHM_INVALID_FD);
}

/* Memory of one application that has just asked for it crosses. */
static void expect_pool_handed_over(void) {
	app_init(&app, &bench);
	app_start(&app);
	int fd = fd_memory("pool", 8192);
	EXPECT(pwrite(fd, "pixels", 6, 5000) == 6);
	size_t from = bench.n_frames;
	app_request_fd(&app, fd, wire_shm_interface, APP_SHM, 0, APP_FREE, 8192);
	struct link_frame frame = bench_expect_frame(&bench, &from, LINK_WAYLAND_FDS);
	struct link_fd link_fd = link_frame_fd(&frame, 0);
	EXPECT_INT(link_fd.kind, LINK_FD_PAGES);
	struct pages_ref ref;
	memcpy(&ref, link_fd.ref, sizeof(ref));
	struct pages_mapping mapping;
	EXPECT(pages_map(bench.pages, &ref, 8192, &mapping));
	char bytes[6];
	EXPECT(pread(mapping.fd, bytes, 6, mapping.offset + 5000) == 6);
	EXPECT(memcmp(bytes, "pixels", 6) == 0);
	pages_unmap(bench.pages, &mapping);
	app_finish(&app);
	bench_expect_frame(&bench, &from, LINK_CLIENT_CLOSE);
}

TEST(a_pool_is_handed_over)
{
	setup(NULL);
	expect_pool_handed_over();
	finish();
}

TEST(pools_with_bad_ids_cost_only_who_asks_for_them)
{
	setup(NULL);
	for (size_t i = 0; i <= LIMIT_PAGES_UNCLAIMED; i++) {
		size_t from = bench.n_frames;
		app_init(&other, &bench);
		app_start(&other);
		app_request_fd(&other, fd_memory("pool", 8192), wire_shm_interface, APP_SHM, 0,
				APP_SURFACE, 8192);
		app_expect_error(&other, &bench, APP_DISPLAY, INVALID_OBJECT);
		app_finish(&other);
		bench_answer_close(&bench, &from);
	}
	expect_pool_handed_over();
	finish();
}

TEST(a_window_full_of_requests_waits_for_credit)
{
	setup(NULL);
	app_init(&app, &bench);
	app_start(&app);
	uint8_t message[64];
	size_t size = wire_build(message, APP_SURFACE, SURFACE_DAMAGE,
			&wire_surface_interface->requests[SURFACE_DAMAGE], 0, 0, 1, 1);
	size_t sent = 0, received = 0, frames_seen = 0;
	// Until the socket is full as well: nobody reads it any more.
	for (;;) {
		ssize_t got = send(app.fd, message, size, MSG_DONTWAIT);
		if (got == (ssize_t)size) {
			sent += size;
			continue;
		}
		EXPECT(got < 0 && errno == EAGAIN);
		wl_event_loop_dispatch(bench.loop, 0);
		bool progress = bench.n_frames > frames_seen;
		for (; frames_seen < bench.n_frames; frames_seen++) {
			received += bench.frames[frames_seen].header.type == LINK_WAYLAND
						    ? bench.frames[frames_seen].body_size
						    : 0;
		}
		if (!progress && received + 4096 > LIMIT_CLIENT_WINDOW_BYTES) {
			break;
		}
	}
	EXPECT(received <= LIMIT_CLIENT_WINDOW_BYTES);
	EXPECT(sent > received);
	size_t before = bench.n_frames;
	link_send(bench.link, LINK_CREDIT, 1, 1000, NULL, 0);
	link_flush(bench.link);
	bench_expect_frame(&bench, &before, LINK_WAYLAND);
	app_finish(&app);
	finish();
}

TEST(credit_beyond_the_window_ends_the_link)
{
	setup(NULL);
	app_init(&app, &bench);
	size_t from = 0;
	bench_expect_frame(&bench, &from, LINK_CLIENT_OPEN);
	link_send(bench.link, LINK_CREDIT, 1, 1, NULL, 0);
	link_flush(bench.link);
	while (!bench.closed) {
		bench_turn(&bench);
	}
	app_finish(&app);
	finish();
}

/* wl_callback.done for callbacks, as many bytes as fit below size. */
static size_t send_events(uint32_t callback, size_t size) {
	uint8_t event[64];
	size_t event_size = wire_build(event, callback, 0, &wire_callback_interface->events[0], 7);
	size_t sent = 0;
	for (; sent + event_size <= size; sent += event_size) {
		link_send_wayland(bench.link, 1, event, event_size);
	}
	link_flush(bench.link);
	return sent;
}

static size_t credited(void) {
	size_t bytes = 0;
	for (size_t i = 0; i < bench.n_frames; i++) {
		bytes += bench.frames[i].header.type == LINK_CREDIT ? bench.frames[i].header.arg
								    : 0;
	}
	return bytes;
}

TEST(events_are_credited_when_the_application_reads_them)
{
	setup(NULL);
	app_init(&app, &bench);
	app_start(&app);
	app_request(&app, wire_display_interface, APP_DISPLAY, DISPLAY_SYNC, APP_FREE);
	size_t from = 0;
	bench_expect_request(&bench, &from, 1, APP_DISPLAY, DISPLAY_SYNC);
	// More than the application's socket holds.
	int small = 4096;
	EXPECT(setsockopt(app.proxy_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
	size_t sent = send_events(APP_FREE, LIMIT_CLIENT_WINDOW_BYTES);
	for (int i = 0; i < 100; i++) {
		wl_event_loop_dispatch(bench.loop, 0);
	}
	EXPECT_INT(credited(), 0);
	while (app.n_bytes < sent) {
		app_has_event(&app, APP_FREE, 0);
		wl_event_loop_dispatch(bench.loop, 0);
	}
	while (credited() < sent / 2) {
		bench_turn(&bench);
	}
	EXPECT(credited() <= sent);
	app_finish(&app);
	finish();
}

TEST(events_beyond_the_window_end_the_link)
{
	setup(NULL);
	app_init(&app, &bench);
	app_start(&app);
	app_request(&app, wire_display_interface, APP_DISPLAY, DISPLAY_SYNC, APP_FREE);
	size_t from = 0;
	bench_expect_request(&bench, &from, 1, APP_DISPLAY, DISPLAY_SYNC);
	send_events(APP_FREE, 4 * LIMIT_CLIENT_WINDOW_BYTES);
	while (!bench.closed) {
		bench_turn(&bench);
	}
	app_finish(&app);
	finish();
}

TEST(an_event_for_an_unknown_object_ends_the_link)
{
	setup(NULL);
	app_init(&app, &bench);
	app_start(&app);
	size_t from = 0;
	bench_expect_request(&bench, &from, 1, APP_COMPOSITOR, 0);
	send_events(77, 12);
	while (!bench.closed) {
		bench_turn(&bench);
	}
	app_expect_error(&app, &bench, APP_DISPLAY, IMPLEMENTATION);
	app_finish(&app);
	finish();
}

TEST(delete_id_frees_an_id_for_the_application)
{
	setup(NULL);
	app_init(&app, &bench);
	app_start(&app);
	app_request_bare(&app, APP_SURFACE, 0);
	size_t from = 0;
	bench_expect_request(&bench, &from, 1, APP_SURFACE, 0);
	uint8_t message[64];
	size_t size = wire_build_delete_id(message, APP_SURFACE);
	bench_send_wayland(&bench, 1, message, size);
	app_expect_event(&app, &bench, APP_DISPLAY, 1);
	app_request(&app, wire_display_interface, APP_DISPLAY, DISPLAY_SYNC, APP_SURFACE);
	bench_expect_request(&bench, &from, 1, APP_DISPLAY, DISPLAY_SYNC);
	app_finish(&app);
	finish();
}

static void send_global(uint32_t name, const char *interface, uint32_t version) {
	uint8_t message[256];
	size_t size = wire_build(message, APP_REGISTRY, 0, &wire_registry_interface->events[0],
			name, interface, version);
	bench_send_wayland(&bench, 1, message, size);
}

TEST(a_global_is_not_shown_when_unknown_and_capped_when_too_new)
{
	setup(NULL);
	app_init(&app, &bench);
	app_start(&app);
	size_t from = 0;
	bench_expect_request(&bench, &from, 1, APP_COMPOSITOR, 0);
	send_global(1, "zwlr_layer_shell_v1", 1);
	send_global(2, "wl_shm", 1000);
	const uint8_t *event = app_expect_event(&app, &bench, APP_REGISTRY, 0);
	uint32_t words[6];
	memcpy(words, event, sizeof(words));
	EXPECT_INT(words[2], 2);
	uint32_t version;
	memcpy(&version, event + 8 + 4 + 4 + 8, sizeof(version));
	EXPECT_INT(version, wire_shm_interface->max_version);
	app_finish(&app);
	finish();
}

TEST(the_other_end_closes_a_client_after_its_last_event)
{
	setup(NULL);
	app_init(&app, &bench);
	app_start(&app);
	size_t from = 0;
	bench_expect_request(&bench, &from, 1, APP_COMPOSITOR, 0);
	uint8_t message[256];
	size_t size = wire_build_error(message, APP_SURFACE, 3, "bad");
	bench_send_wayland(&bench, 1, message, size);
	link_send(bench.link, LINK_CLIENT_CLOSE, 1, 0, NULL, 0);
	link_flush(bench.link);
	EXPECT_STR(app_expect_error(&app, &bench, APP_SURFACE, 3), "bad");
	bench_expect_frame(&bench, &from, LINK_CLIENT_CLOSE);
	app_finish(&app);
	// The id is free on both ends.
	app_init(&app, &bench);
	EXPECT_INT(bench_expect_frame(&bench, &from, LINK_CLIENT_OPEN).header.client, 1);
	app_finish(&app);
	finish();
}

TEST(more_applications_than_the_vm_set_allows_are_told_so)
{
	struct vmset_vm vm = {.name = (char *)"work",
			.limits = {.pages_mib = 64, .clients = 1, .surfaces = 10}};
	setup(&vm);
	app_init(&app, &bench);
	app_init(&other, &bench);
	app_expect_error(&other, &bench, APP_DISPLAY, NO_MEMORY);
	size_t from = 0;
	app_start(&app);
	bench_expect_request(&bench, &from, 1, APP_COMPOSITOR, 0);
	app_finish(&app);
	app_finish(&other);
	finish();
}

static struct link_launch_result launch(const char *name, uint32_t number) {
	struct link_bytes head = {.count = (uint32_t)strlen(name)};
	link_send2(bench.link, LINK_LAUNCH, 0, number, &head, sizeof(head), name, strlen(name));
	link_flush(bench.link);
	size_t from = bench.n_frames;
	struct link_frame frame = bench_expect_frame(&bench, &from, LINK_LAUNCH_RESULT);
	EXPECT_INT(frame.header.arg, number);
	return link_frame_launch_result(&frame);
}

TEST(a_runner_is_put_in_front_of_what_is_launched)
{
	char *none[] = {(char *)"/nonexistent", (char *)"1", NULL};
	struct vmset_application application = {.name = (char *)"none", .exec = {none}};
	struct vmset_vm vm = {
			.name = (char *)"work",
			.applications = &application,
			.n_applications = 1,
			.limits = {.pages_mib = 64, .clients = 4, .surfaces = 10},
	};
	setup(&vm);
	EXPECT_INT(launch("none", 1).status, LINK_LAUNCH_FAILED);
	bench.proxy->runner = "false";
	EXPECT_INT(launch("none", 2).status, LINK_LAUNCH_EXITED);
	bench.proxy->runner = "test"; // test PATH 1: a syntax error, with status 2
	EXPECT_INT(launch("none", 3).detail, 2 << 8);
	bench.proxy->runner = "/nonexistent/runner";
	EXPECT_INT(launch("none", 4).detail, ENOENT);
	finish();
}

TEST(only_what_the_vm_set_names_is_launched)
{
	char *fails[] = {(char *)"false", NULL}, *ends[] = {(char *)"true", NULL},
	     *missing[] = {(char *)"/nonexistent", NULL};
	struct vmset_application applications[] = {
			{.name = (char *)"fails", .exec = {fails}},
			{.name = (char *)"ends", .exec = {ends}},
			{.name = (char *)"missing", .exec = {missing}},
	};
	struct vmset_vm vm = {
			.name = (char *)"work",
			.applications = applications,
			.n_applications = 3,
			.limits = {.pages_mib = 64, .clients = 4, .surfaces = 10},
	};
	setup(&vm);
	EXPECT_INT(launch("sh", 1).status, LINK_LAUNCH_UNKNOWN);
	struct link_launch_result result = launch("fails", 2);
	EXPECT_INT(result.status, LINK_LAUNCH_EXITED);
	EXPECT_INT(result.detail, 1 << 8);
	EXPECT_INT(launch("ends", 3).status, LINK_LAUNCH_STARTED);
	result = launch("missing", 4);
	EXPECT_INT(result.status, LINK_LAUNCH_FAILED);
	EXPECT_INT(result.detail, ENOENT);
	finish();
}
