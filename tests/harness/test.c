/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/test.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/fd.h"

#define EXIT_TEST_FAILED 1
#define EXIT_TEST_SKIPPED 77

static struct test *first_test;
static struct test **last_test = &first_test;
static char dir_path[64];
static uint64_t random_state = 0x9e3779b97f4a7c15u;

void test_register(struct test *test) {
	*last_test = test;
	last_test = &test->next;
}

void test_fail(const char *file, int line, const char *format, ...) {
	va_list args;
	va_start(args, format);
	printf("# %s:%d: ", file, line);
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	_exit(EXIT_TEST_FAILED);
}

void test_skip(const char *format, ...) {
	va_list args;
	va_start(args, format);
	printf("# skipped: ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	_exit(EXIT_TEST_SKIPPED);
}

const char *test_dir(void) {
	return dir_path;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *ftw) {
	return remove(path);
}

void test_random_seed(uint64_t seed) {
	random_state = seed != 0 ? seed : 1;
}

uint64_t test_random(void) {
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1du;
}

uint32_t test_random_below(uint32_t limit) {
	return (uint32_t)(test_random() >> 33) % limit;
}

void test_dispatch_until(struct wl_event_loop *loop, const bool *done) {
	while (!*done) {
		if (wl_event_loop_dispatch(loop, -1) < 0 && errno != EINTR) {
			test_fail(__FILE__, __LINE__, "event loop: %s", strerror(errno));
		}
	}
}

static unsigned timeout_s(void) {
	const char *text = getenv("ISTHMUS_TEST_TIMEOUT");
	return text != NULL ? (unsigned)strtoul(text, NULL, 10) : 60;
}

static void run_in_child(const struct test *test) {
	alarm(timeout_s());
	int before = fd_count_open();
	test->run();
	int after = fd_count_open();
	if (before != after) {
		test_fail(test->name, 0, "%d descriptors before, %d after", before, after);
	}
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
		test_fail(test->name, 0, "a child process was left behind");
	}
	fflush(stdout);
	// exit() and not _exit(): leak checkers report here.
	exit(EXIT_SUCCESS);
}

/* Never one that a run which was killed has left behind. */
static void make_dir(void) {
	snprintf(dir_path, sizeof(dir_path), "/tmp/isthmus-test-XXXXXX");
	if (mkdtemp(dir_path) == NULL) {
		perror(dir_path);
		exit(EXIT_FAILURE);
	}
}

/* The child is a process group of its own, so that whatever a failed test started goes with it. */
static int run_forked(const struct test *test) {
	fflush(stdout);
	make_dir();
	pid_t pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(EXIT_FAILURE);
	}
	if (pid == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_in_child(test);
	}
	int status;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	kill(-pid, SIGKILL);
	nftw(dir_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	if (WIFSIGNALED(status)) {
		printf("# killed by signal %d (%s)%s\n", WTERMSIG(status),
				strsignal(WTERMSIG(status)),
				WTERMSIG(status) == SIGALRM ? ": it did not end" : "");
		return EXIT_TEST_FAILED;
	}
	return WEXITSTATUS(status);
}

static bool is_chosen(const struct test *test, int argc, char **argv, int first) {
	if (first >= argc) {
		return true;
	}
	for (int i = first; i < argc; i++) {
		if (strcmp(argv[i], test->name) == 0) {
			return true;
		}
	}
	return false;
}

static void list_tests(void) {
	for (const struct test *test = first_test; test != NULL; test = test->next) {
		printf("%s\n", test->name);
	}
}

int main(int argc, char **argv) {
	int first = 1;
	bool forks = true;
	if (argc > 1 && strcmp(argv[1], "--list") == 0) {
		list_tests();
		return EXIT_SUCCESS;
	}
	if (argc > 1 && strcmp(argv[1], "--no-fork") == 0) {
		forks = false;
		first = 2;
	}
	unsigned passed = 0, failed = 0, skipped = 0, number = 0;
	for (const struct test *test = first_test; test != NULL; test = test->next) {
		if (!is_chosen(test, argc, argv, first)) {
			continue;
		}
		if (!forks) {
			make_dir();
			test->run();
			nftw(dir_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
		}
		int status = forks ? run_forked(test) : EXIT_SUCCESS;
		number++;
		passed += status == EXIT_SUCCESS;
		skipped += status == EXIT_TEST_SKIPPED;
		failed += status != EXIT_SUCCESS && status != EXIT_TEST_SKIPPED;
		printf("%sok %u %s%s\n",
				status == EXIT_SUCCESS || status == EXIT_TEST_SKIPPED ? "" : "not ",
				number, test->name, status == EXIT_TEST_SKIPPED ? " # SKIP" : "");
		fflush(stdout);
	}
	printf("1..%u\n", number);
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
