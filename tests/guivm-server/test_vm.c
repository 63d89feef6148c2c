/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "guivm-server/vm.h"
#include "tests/guivm-server/bench.h"
#include "tests/harness/test.h"

#define APPLICATIONS \
	"\"applications\": [{\"name\": \"good\", \"exec\": [\"x\"]}, " \
	"{\"name\": \"unknown\", \"exec\": [\"x\"]}, {\"name\": \"failed\", \"exec\": [\"x\"]}, " \
	"{\"name\": \"exited\", \"exec\": [\"x\"]}, {\"name\": \"no link\", \"exec\": [\"x\"]}, " \
	"{\"name\": \"wrong serial\", \"exec\": [\"x\"]}, {\"name\": \"die\", \"exec\": [\"x\"]}]"
#define WORK(color, start) \
	"\"work\": {\"color\": \"" color "\", \"transport\": \"local:/tmp/w\", " start \
	"\"limits\": {\"clients\": 2, \"surfaces\": 1}, " APPLICATIONS "}"
#define PLAY "\"play\": {\"color\": \"#9c0000\", \"transport\": \"local:/tmp/p\"}"
#define SET(vms) "{\"version\": 1, \"vms\": {" vms "}}"

static void turn(struct bench *bench) {
	wl_display_flush_clients(bench->display);
	wl_event_loop_dispatch(bench->loop, 10000);
}

static struct vm *work(struct bench *bench) {
	return vms_find(bench->vms, "work");
}

static void expect_contains(const char *text, const char *part) {
	if (strstr(text, part) == NULL) {
		test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", text, part);
	}
}

/* Starts the relay peer with an action, and waits for its link. */
static void start_relays(struct bench *bench, const char *action) {
	setenv("ISTHMUS_RELAY", getenv("RELAY_PEER_PROGRAM"), 1);
	setenv("RELAY_PEER", action, 1);
	vms_start(bench->vms);
}

static void wait_state(struct bench *bench, enum vm_state state) {
	while (work(bench)->state != state) {
		turn(bench);
	}
}

struct outcome {
	bool done, started;
	char message[512];
};

static void handle_launch_done(void *data, bool started, const char *message) {
	struct outcome *outcome = data;
	EXPECT(!outcome->done);
	outcome->done = true;
	outcome->started = started;
	snprintf(outcome->message, sizeof(outcome->message), "%s", message);
}

static void launch(struct bench *bench, const char *application, struct outcome *outcome) {
	*outcome = (struct outcome){0};
	EXPECT(vm_launch(work(bench), application, handle_launch_done, outcome) != NULL);
	EXPECT(!outcome->done);
	wl_event_loop_dispatch_idle(bench->loop);
	while (!outcome->done) {
		turn(bench);
	}
}

TEST(a_client_is_of_the_vm_it_was_made_for)
{
	struct bench bench;
	struct wl_client *client, *local;
	bench_init(&bench, SET(WORK("#1565c0", "") ", " PLAY));
	int fd = bench_connect(&bench, "work", &client),
	    local_fd = bench_connect(&bench, "", &local);
	EXPECT(vm_from_client(client) == work(&bench));
	EXPECT(vm_from_client(local) == NULL);
	EXPECT_STR(vms_mark(bench.vms, client)->name, "work");
	EXPECT(!vms_mark(bench.vms, local)->is_vm);
	EXPECT_INT(work(&bench)->n_clients, 1);
	close(fd);
	turn(&bench);
	EXPECT_INT(work(&bench)->n_clients, 0);
	close(local_fd);
	bench_finish(&bench);
}

TEST(only_connected_unix_stream_sockets_become_clients)
{
	struct bench bench;
	int sockets[2], pipes[2];
	bench_init(&bench, SET(WORK("#1565c0", "")));
	EXPECT_INT(pipe2(pipes, O_CLOEXEC), 0);
	EXPECT(!vm_create_client(work(&bench), pipes[0]));
	EXPECT_INT(errno, ENOTSOCK);
	EXPECT_INT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sockets), 0);
	EXPECT(!vm_create_client(work(&bench), sockets[0]));
	close(sockets[0]);
	close(sockets[1]);
	int lonely = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	EXPECT(!vm_create_client(work(&bench), lonely));
	EXPECT_INT(work(&bench)->n_clients, 0);
	close(lonely);
	close(pipes[0]);
	close(pipes[1]);
	bench_finish(&bench);
}

TEST(a_vm_has_no_more_clients_than_its_limit)
{
	struct bench bench;
	struct wl_client *client;
	int sockets[2];
	bench_init(&bench, SET(WORK("#1565c0", "")));
	int first = bench_connect(&bench, "work", &client),
	    second = bench_connect(&bench, "work", &client);
	EXPECT_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	EXPECT(!vm_create_client(work(&bench), sockets[0]));
	EXPECT_INT(errno, EMFILE);
	close(first);
	turn(&bench);
	EXPECT(vm_create_client(work(&bench), sockets[0]));
	close(second);
	close(sockets[1]);
	bench_finish(&bench);
}

TEST(launch_credit_is_given_once)
{
	struct bench bench;
	struct outcome outcome;
	bench_init(&bench, SET(WORK("#1565c0", "")));
	EXPECT(vm_take_launch_credit(NULL));
	EXPECT(!vm_take_launch_credit(work(&bench)));
	start_relays(&bench, "connect");
	wait_state(&bench, VM_RUNNING);
	launch(&bench, "good", &outcome);
	EXPECT(outcome.started);
	EXPECT_STR(outcome.message, "");
	EXPECT(vm_take_launch_credit(work(&bench)));
	EXPECT(!vm_take_launch_credit(work(&bench)));
	bench_finish(&bench);
}

TEST(a_failed_launch_says_why)
{
	struct bench bench;
	struct outcome outcome;
	bench_init(&bench, SET(WORK("#1565c0", "")));
	start_relays(&bench, "connect");
	wait_state(&bench, VM_RUNNING);
	launch(&bench, "nonsense", &outcome);
	EXPECT(!outcome.started);
	expect_contains(outcome.message,
			"VM \"work\" has no application \"nonsense\"; it has: good, unknown, ");
	launch(&bench, "unknown", &outcome);
	expect_contains(outcome.message, "does not know \"unknown\"");
	launch(&bench, "failed", &outcome);
	expect_contains(outcome.message, strerror(ENOENT));
	launch(&bench, "exited", &outcome);
	expect_contains(outcome.message, "exit status 3");
	launch(&bench, "no link", &outcome);
	expect_contains(outcome.message, "went away");
	EXPECT(!outcome.started);
	bench_finish(&bench);
}

TEST(a_launch_waits_for_the_vm)
{
	struct bench bench;
	struct outcome outcome = {0};
	bench_init(&bench, SET(WORK("#1565c0", "")));
	EXPECT(vm_launch(work(&bench), "good", handle_launch_done, &outcome) != NULL);
	start_relays(&bench, "connect");
	while (!outcome.done) {
		turn(&bench);
	}
	EXPECT(outcome.started);
	bench_finish(&bench);
}

TEST(a_forgotten_launch_is_not_answered)
{
	struct bench bench;
	struct outcome outcome = {0}, second;
	bench_init(&bench, SET(WORK("#1565c0", "")));
	start_relays(&bench, "connect");
	wait_state(&bench, VM_RUNNING);
	vm_launch_forget(vm_launch(work(&bench), "good", handle_launch_done, &outcome));
	launch(&bench, "good", &second);
	EXPECT(!outcome.done);
	bench_finish(&bench);
}

TEST(launches_under_way_are_answered_when_the_server_ends)
{
	struct bench bench;
	struct outcome outcome = {0};
	bench_init(&bench, SET(WORK("#1565c0", "")));
	EXPECT(vm_launch(work(&bench), "good", handle_launch_done, &outcome) != NULL);
	bench_finish(&bench);
	EXPECT(outcome.done && !outcome.started);
}

TEST(a_start_command_that_fails_fails_the_launch)
{
	struct bench bench;
	struct outcome outcome;
	bench_init(&bench, SET(WORK("#1565c0", "\"start\": [\"sh\", \"-c\", \"exit 3\"], ")));
	launch(&bench, "good", &outcome);
	EXPECT(!outcome.started);
	expect_contains(outcome.message, "start command of VM \"work\" failed with exit status 3");
	EXPECT_INT(work(&bench)->state, VM_FAILED);
	bench_finish(&bench);
}

TEST(a_start_command_that_is_not_there_is_named)
{
	struct bench bench;
	struct outcome outcome;
	bench_init(&bench, SET(WORK("#1565c0", "\"start\": [\"/nonexistent/start\"], ")));
	launch(&bench, "good", &outcome);
	EXPECT(!outcome.started);
	expect_contains(outcome.message, "\"/nonexistent/start\"");
	expect_contains(outcome.message, strerror(ENOENT));
	bench_finish(&bench);
}

TEST(a_start_command_sees_no_descriptor_of_ours)
{
	struct bench bench;
	struct outcome outcome;
	int open_fd = open("/dev/null", O_RDONLY); // not close-on-exec
	/* ls itself has one more: the folder that it lists. */
	bench_init(&bench,
			SET(WORK("#1565c0",
					"\"start\": [\"sh\", \"-c\", "
					"\"exit $(ls /proc/self/fd | wc -l)\"], ")));
	launch(&bench, "good", &outcome);
	expect_contains(outcome.message, "exit status 4");
	close(open_fd);
	bench_finish(&bench);
}

TEST(a_relay_that_ends_is_started_again_later_each_time)
{
	struct bench bench;
	bench_init(&bench, SET(WORK("#1565c0", "")));
	setenv("ISTHMUS_RELAY", "/bin/false", 1);
	vms_start(bench.vms);
	while (work(&bench)->relay_restarts < 3) {
		turn(&bench);
	}
	EXPECT_INT(work(&bench)->state, VM_FAILED);
	expect_contains(work(&bench)->message, "ended with exit status 1");
	EXPECT_INT(work(&bench)->restart_delay_ms, 800);
	EXPECT_INT(work(&bench)->relay_pid, 0);
	bench_finish(&bench);
}

TEST(a_launch_outlives_relays_that_end_while_the_vm_starts)
{
	struct bench bench;
	struct outcome outcome = {0};
	bench_init(&bench, SET(WORK("#1565c0", "\"start\": [\"true\"], ")));
	setenv("ISTHMUS_RELAY", "/bin/false", 1);
	vms_start(bench.vms);
	while (work(&bench)->relay_restarts < 2) {
		turn(&bench);
	}
	EXPECT(vm_launch(work(&bench), "good", handle_launch_done, &outcome) != NULL);
	EXPECT_INT(work(&bench)->restart_delay_ms, 200);
	while (work(&bench)->relay_restarts < 4) {
		turn(&bench);
	}
	EXPECT(!outcome.done);
	setenv("ISTHMUS_RELAY", getenv("RELAY_PEER_PROGRAM"), 1);
	setenv("RELAY_PEER", "connect", 1);
	while (!outcome.done) {
		turn(&bench);
	}
	EXPECT(outcome.started);
	bench_finish(&bench);
}

TEST(a_relay_program_that_is_not_there_is_named)
{
	struct bench bench;
	bench_init(&bench, SET(WORK("#1565c0", "")));
	setenv("ISTHMUS_RELAY", "/nonexistent/guivm-relay", 1);
	vms_start(bench.vms);
	EXPECT_INT(work(&bench)->state, VM_FAILED);
	expect_contains(work(&bench)->message, "/nonexistent/guivm-relay");
	bench_finish(&bench);
}

TEST(a_killed_relay_takes_its_clients_along_and_comes_back)
{
	struct bench bench;
	bench_init(&bench, SET(WORK("#1565c0", "") ", " PLAY));
	start_relays(&bench, "client");
	while (work(&bench)->n_clients < 1 || vms_find(bench.vms, "play")->n_clients < 1) {
		turn(&bench);
	}
	/* One that the relay's end would not close. */
	struct wl_client *client;
	int fd = bench_connect(&bench, "work", &client);
	pid_t pid = work(&bench)->relay_pid;
	kill(pid, SIGKILL);
	while (work(&bench)->relay_restarts < 1) {
		turn(&bench);
	}
	EXPECT_INT(work(&bench)->n_clients, 0);
	EXPECT_INT(vms_find(bench.vms, "play")->n_clients, 1);
	expect_contains(work(&bench)->message, "killed by signal 9");
	wait_state(&bench, VM_RUNNING);
	EXPECT(work(&bench)->relay_pid != pid);
	close(fd);
	bench_finish(&bench);
}

TEST(a_relay_that_dies_fails_its_launch)
{
	struct bench bench;
	struct outcome outcome;
	bench_init(&bench, SET(WORK("#1565c0", "")));
	start_relays(&bench, "connect");
	wait_state(&bench, VM_RUNNING);
	launch(&bench, "die", &outcome);
	EXPECT(!outcome.started);
	expect_contains(outcome.message, "exit status 5");
	bench_finish(&bench);
}

static void expect_relay_ended(const char *action) {
	struct bench bench;
	bench_init(&bench, SET(WORK("#1565c0", "")));
	start_relays(&bench, action);
	while (work(&bench)->relay_restarts < 1) {
		turn(&bench);
	}
	EXPECT_INT(work(&bench)->n_clients, 0);
	bench_finish(&bench);
}

TEST(a_relay_that_hands_over_a_file_as_a_client_is_ended)
{ expect_relay_ended("file"); }

TEST(a_relay_that_sets_an_unknown_state_is_ended)
{ expect_relay_ended("state"); }

TEST(a_relay_that_answers_another_launch_is_ended)
{
	struct bench bench;
	struct outcome outcome;
	bench_init(&bench, SET(WORK("#1565c0", "")));
	start_relays(&bench, "connect");
	wait_state(&bench, VM_RUNNING);
	launch(&bench, "wrong serial", &outcome);
	EXPECT(!outcome.started);
	while (work(&bench)->relay_restarts < 1) {
		turn(&bench);
	}
	bench_finish(&bench);
}

TEST(a_broken_link_protocol_is_told)
{
	struct bench bench;
	bench_init(&bench, SET(WORK("#1565c0", "")));
	start_relays(&bench, "protocol");
	wait_state(&bench, VM_FAILED);
	expect_contains(work(&bench)->message, "broke the link protocol");
	bench_finish(&bench);
}

static void rewrite(struct bench *bench, const char *text) {
	FILE *file = fopen(bench->vms->path, "w");
	fputs(text, file);
	fclose(file);
}

struct counter {
	struct wl_listener listener;
	int count;
};

static void count_handle(struct wl_listener *listener, void *data) {
	struct counter *counter = wl_container_of(listener, counter, listener);
	counter->count++;
}

TEST(a_reload_takes_over_colours_and_vms)
{
	struct bench bench;
	struct counter reloads = {.listener.notify = count_handle};
	struct wl_client *client, *other;
	char *message;
	bench_init(&bench, SET(WORK("#1565c0", "") ", " PLAY));
	wl_signal_add(&bench.vms->events.reload, &reloads.listener);
	int fd = bench_connect(&bench, "work", &client),
	    other_fd = bench_connect(&bench, "play", &other);
	rewrite(&bench,
			SET("\"new\": {\"color\": \"#2e7d32\", \"transport\": "
			    "\"local:/tmp/n\"}, " WORK("#7b1fa2", "")));
	EXPECT(vms_reload(bench.vms, &message));
	EXPECT_STR(message, "");
	free(message);
	EXPECT_INT(reloads.count, 1);
	EXPECT_INT(vms_mark(bench.vms, client)->color, 0x7b1fa2);
	EXPECT(vms_find(bench.vms, "play") == NULL);
	EXPECT(vms_find(bench.vms, "new") != NULL);
	EXPECT_INT(wl_list_length(wl_display_get_client_list(bench.display)), 1);
	struct vm *first = wl_container_of(bench.vms->list.next, first, link);
	EXPECT_STR(first->config->name, "new");
	wl_list_remove(&reloads.listener.link);
	close(fd);
	close(other_fd);
	bench_finish(&bench);
}

TEST(a_broken_file_changes_nothing_and_names_every_error)
{
	struct bench bench;
	char *message;
	bench_init(&bench, SET(WORK("#1565c0", "")));
	rewrite(&bench, SET(WORK("blue", "\"nonsense\": 1, ")));
	EXPECT(!vms_reload(bench.vms, &message));
	expect_contains(message, "vms.work.color");
	expect_contains(message, "nonsense");
	expect_contains(message, "vmset.json:1:");
	free(message);
	EXPECT_INT(work(&bench)->mark.color, 0x1565c0);
	bench_finish(&bench);
}

TEST(a_new_transport_restarts_the_relay_and_a_new_colour_does_not)
{
	struct bench bench;
	char *message;
	bench_init(&bench, SET(WORK("#1565c0", "")));
	start_relays(&bench, "connect");
	wait_state(&bench, VM_RUNNING);
	pid_t pid = work(&bench)->relay_pid;
	rewrite(&bench, SET(WORK("#7b1fa2", "")));
	EXPECT(vms_reload(bench.vms, &message));
	free(message);
	EXPECT_INT(work(&bench)->relay_pid, pid);
	rewrite(&bench,
			SET("\"work\": {\"color\": \"#7b1fa2\", \"transport\": "
			    "\"local:/tmp/other\"}"));
	EXPECT(vms_reload(bench.vms, &message));
	free(message);
	while (work(&bench)->relay_restarts < 1) {
		turn(&bench);
	}
	wait_state(&bench, VM_RUNNING);
	EXPECT(work(&bench)->relay_pid != pid);
	bench_finish(&bench);
}
