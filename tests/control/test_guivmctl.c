/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/control/fake_server.h"
#include "tests/harness/test.h"

extern char **environ;

static char out[8192], err[8192];

static void read_file(const char *name, char *text, size_t size) {
	char path[600];
	snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	FILE *file = fopen(path, "re");
	EXPECT(file != NULL);
	size_t n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	fclose(file);
}

static void write_file(char *path, size_t path_size, const char *name, const char *text) {
	snprintf(path, path_size, "%s/%s", test_dir(), name);
	FILE *file = fopen(path, "we");
	EXPECT(file != NULL);
	fputs(text, file);
	EXPECT_INT(fclose(file), 0);
}

/* Runs guivmctl with up to eight arguments; returns its exit status; out and err have the rest. */
static int run(const char *const *args) {
	char *argv[10] = {getenv("GUIVMCTL")};
	EXPECT(argv[0] != NULL);
	for (size_t i = 0; args[i] != NULL; i++) {
		EXPECT(i + 2 < sizeof(argv) / sizeof(argv[0]));
		argv[i + 1] = (char *)args[i];
	}
	char out_path[600], err_path[600];
	snprintf(out_path, sizeof(out_path), "%s/out", test_dir());
	snprintf(err_path, sizeof(err_path), "%s/err", test_dir());
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	int flags = O_WRONLY | O_CREAT | O_TRUNC;
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_path, flags, 0600);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_path, flags, 0600);
	pid_t pid;
	EXPECT_INT(posix_spawn(&pid, argv[0], &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	int status;
	EXPECT_INT(waitpid(pid, &status, 0), pid);
	EXPECT(WIFEXITED(status));
	read_file("out", out, sizeof(out));
	read_file("err", err, sizeof(err));
	return WEXITSTATUS(status);
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

/* The same with a server whose path is in WAYLAND_DISPLAY. */
static int run_served(const char *const *args) {
	struct fake_server server;
	fake_server_start(&server, true);
	setenv("WAYLAND_DISPLAY", server.path, 1);
	int status = run(args);
	fake_server_stop(&server);
	return status;
}
#define RUN_SERVED(...) run_served((const char *const[]){__VA_ARGS__, NULL})

TEST(status_is_an_aligned_table) {
	EXPECT_INT(RUN_SERVED("status"), 0);
	EXPECT_STR(out,
		"guivm-server 9.8.7, VM set /etc/set.json\n"
		"\n"
		"VM        LABEL     COLOR    TRUST    STATE    "
		"CLIENTS  WINDOWS  RELAY  RESTARTS  MESSAGE\n"
		"work      Work      #0050d0  trusted  running        2        2   4321   "
		"      1\n"
		"personal  Personal  #00a000  normal   failed         0        0      -         7  "
		"its relay keeps failing\n");
	EXPECT_STR(err, "");
}

TEST(status_as_json_has_everything) {
	EXPECT_INT(RUN_SERVED("status", "--json"), 0);
	const char start[] = "{\n  \"version\": \"9.8.7\",\n  \"vmset\": \"/etc/set.json\",\n";
	EXPECT(strncmp(out, start, strlen(start)) == 0);
	EXPECT(strstr(out, "\"description\": \"Edits \\\"text\\\"\"") != NULL);
	EXPECT(strstr(out, "\"state\": \"failed\"") != NULL);
	EXPECT(strstr(out, "\"title\": \"two\"") != NULL);
}

TEST(apps_lists_all_vms_or_one) {
	EXPECT_INT(RUN_SERVED("apps"), 0);
	EXPECT_STR(out,
		"VM    APPLICATION  DESCRIPTION\n"
		"work  Editor       Edits \"text\"\n"
		"work  Mail\n");
	EXPECT_INT(RUN("apps", "personal"), 1); // the server is gone
}

TEST(apps_of_a_vm_that_does_not_exist_fails) {
	EXPECT_INT(RUN_SERVED("apps", "nobody"), 1);
	EXPECT_STR(err, "guivmctl: there is no VM \"nobody\"\n");
}

TEST(windows_are_listed) {
	EXPECT_INT(RUN_SERVED("windows"), 0);
	EXPECT_STR(out,
		"ID  VM    APP      X   Y  WIDTH  HEIGHT  FLAGS  TITLE\n"
		" 1  work  editor  10  20    300     200  f      one\n"
		" 2  work  mail    -5   0    640     480  M      two\n"
		" 3  work  mail     0   0     50      50  p\n");
}

TEST(windows_as_json_is_a_list) {
	EXPECT_INT(RUN_SERVED("windows", "--json"), 0);
	EXPECT_INT(out[0], '[');
	EXPECT(strstr(out, "\"focused\": true") != NULL);
}

TEST(launch_succeeds_in_silence) {
	EXPECT_INT(RUN_SERVED("launch", "work", "Editor"), 0);
	EXPECT_STR(out, "");
	EXPECT_STR(err, "");
}

TEST(launch_that_fails_prints_the_message) {
	EXPECT_INT(RUN_SERVED("launch", "work", "Doom"), 1);
	EXPECT_STR(err, "guivmctl: work: there is no application \"Doom\"\n");
}

TEST(launch_without_an_answer_ends_at_its_timeout) {
	EXPECT_INT(RUN_SERVED("launch", "--timeout", "0.05", "work", "silence"), 1);
	EXPECT_STR(err, "guivmctl: work: no answer about silence in time\n");
}

TEST(a_lost_connection_fails_with_a_message) {
	EXPECT_INT(RUN_SERVED("launch", "work", "crash"), 1);
	EXPECT(strncmp(err, "guivmctl: the connection to guivm-server was lost", 49) == 0);
}

TEST(reload_succeeds) {
	EXPECT_INT(RUN_SERVED("reload"), 0);
	EXPECT_STR(err, "");
}

TEST(reload_that_fails_prints_all_errors) {
	struct fake_server server;
	fake_server_start(&server, true);
	EXPECT_INT(RUN("--display", server.path, "reload"), 0);
	EXPECT_INT(RUN("--display", server.path, "reload"), 1);
	EXPECT_STR(err, "set.json:1:2: vms: is missing\nand more\n"
		"guivmctl: the VM set was not reloaded; the one before is still in force\n");
	fake_server_stop(&server);
}

TEST(wait_returns_when_all_conditions_hold) {
	EXPECT_INT(RUN_SERVED("wait", "--windows", "2", "--vm", "work=running",
		"--vm", "personal=failed", "--timeout=5"), 0);
	EXPECT_INT(RUN_SERVED("wait", "--windows", "work=2", "--timeout=5"), 0);
	EXPECT_INT(RUN_SERVED("wait", "--max-windows", "work=2", "--timeout=5"), 0);
	EXPECT_INT(RUN_SERVED("wait", "--max-windows", "work=1", "--timeout", "0"), 1);
	EXPECT_INT(RUN_SERVED("wait"), 0);
}

TEST(wait_tells_what_is_missing_at_its_timeout) {
	EXPECT_INT(RUN_SERVED("wait", "--windows", "3", "--vm", "personal=running",
		"--timeout", "0"), 1);
	EXPECT_STR(err, "guivmctl: 2 of at least 3 windows\n"
		"guivmctl: personal is failed, not running: its relay keeps failing\n");
	EXPECT_INT(RUN_SERVED("wait", "--windows", "work=4", "--vm", "nobody=running",
		"--timeout", "0.01"), 1);
	EXPECT_STR(err, "guivmctl: work: 2 of at least 4 windows\n"
		"guivmctl: there is no VM \"nobody\"\n");
}

TEST(another_compositor_is_told_apart) {
	struct fake_server server;
	fake_server_start(&server, false);
	EXPECT_INT(RUN("--display", server.path, "status"), 1);
	EXPECT(strstr(err, "the compositor is not guivm-server") != NULL);
	EXPECT_INT(RUN("screenshot", "--display", server.path, "x.png"), 1);
	EXPECT(strstr(err, "ext-image-copy-capture-v1") != NULL);
	fake_server_stop(&server);
}

TEST(a_display_that_is_not_there_is_named) {
	EXPECT_INT(RUN("--display", "/nonexistent/wayland", "status"), 1);
	EXPECT(strstr(err, "/nonexistent/wayland: No such file or directory") != NULL);
}

TEST(check_needs_no_compositor) {
	char path[600];
	unsetenv("WAYLAND_DISPLAY");
	unsetenv("XDG_RUNTIME_DIR");
	write_file(path, sizeof(path), "set.yaml", "version: 1\nvms: {}\n");
	EXPECT_INT(RUN("check", path), 0);
	EXPECT(strstr(out, "no errors") != NULL);
	EXPECT_STR(err, "");
}

TEST(check_prints_all_errors) {
	char path[600], expected[2048];
	write_file(path, sizeof(path), "set.json", "{\n  \"versoin\": 1,\n  \"vms\": 7\n}\n");
	EXPECT_INT(RUN("check", path), 1);
	snprintf(expected, sizeof(expected), "%s:1:1: version: is missing\n"
		"%s:2:3: versoin: is not known; did you mean \"version\"?\n"
		"%s:3:10: vms: must be a mapping, not a number\n", path, path, path);
	EXPECT_STR(err, expected);
}

TEST(check_knows_transports) {
	char path[600];
	write_file(path, sizeof(path), "set.yaml", "version: 1\nvms:\n"
		"  a: {color: '#9c0000', transport: 'smoke:signals'}\n");
	EXPECT_INT(RUN("check", path), 1);
	EXPECT(strstr(err, ":3:36: vms.a.transport: ") != NULL);
}

TEST(probe_memory_needs_no_compositor) {
	char path[600], spec[700];
	double ratio;
	unsetenv("WAYLAND_DISPLAY");
	write_file(path, sizeof(path), "memory", "");
	EXPECT_INT(truncate(path, 4 << 20), 0);
	snprintf(spec, sizeof(spec), "kvm:mem=file:%s,bell=unix:/nowhere", path);
	EXPECT_INT(RUN("probe-memory", spec), 0);
	EXPECT_STR(err, "");
	EXPECT(strstr(out, "size   4 MiB\n") != NULL);
	EXPECT_INT(sscanf(strstr(out, "read "), "read %*f MB/s, %lf", &ratio), 1);
	EXPECT(ratio > 0);
	EXPECT(strstr(out, "It looks ") != NULL);
}

TEST(probe_memory_names_what_is_wrong) {
	EXPECT_INT(RUN("probe-memory", "kvm:mem=file:/nowhere,bell=unix:/b"), 1);
	EXPECT(strstr(err, "/nowhere: No such file") != NULL);
	EXPECT_INT(RUN("probe-memory", "local:/run/x"), 1);
	EXPECT(strstr(err, "no memory but this machine's own") != NULL);
	EXPECT_INT(RUN("probe-memory", "smoke:signals"), 1);
	EXPECT(strstr(err, "smoke") != NULL);
}

TEST(wrong_usage_is_exit_status_2) {
	EXPECT_INT(RUN("frobnicate"), 2);
	EXPECT(strstr(err, "unknown command \"frobnicate\"") != NULL);
	EXPECT_INT(run((const char *const[]){NULL}), 2);
	EXPECT_INT(RUN("launch", "work"), 2);
	EXPECT_INT(RUN("status", "extra"), 2);
	EXPECT_INT(RUN("status", "--windows", "1"), 2);
	EXPECT_INT(RUN("wait", "--vm", "work"), 2);
	EXPECT_INT(RUN("wait", "--vm", "work=asleep"), 2);
	EXPECT_STR(err, "guivmctl: --vm: \"work=asleep\" is not valid\nTry guivmctl --help.\n");
	EXPECT_INT(RUN("wait", "--windows", "-1"), 2);
	EXPECT_INT(RUN("wait", "--timeout", "soon"), 2);
	EXPECT_INT(RUN("--nonsense"), 2);
	EXPECT(strncmp(err, "guivmctl: ", 10) == 0);
}

TEST(help_and_version_succeed) {
	EXPECT_INT(RUN("--help"), 0);
	EXPECT(strstr(out, "Usage: guivmctl") != NULL);
	EXPECT_INT(RUN("--version"), 0);
	EXPECT(strncmp(out, "guivmctl ", 9) == 0);
}
