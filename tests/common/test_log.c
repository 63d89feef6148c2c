/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/limits.h"
#include "tests/harness/test.h"

#define FFFD "\xef\xbf\xbd"

/* The clock of this program, by the linker. */
static int64_t now_ms = 12345;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now) {
	*now = (struct timespec){now_ms / 1000, now_ms % 1000 * 1000000};
	return 0;
}

static int kept_fd;

/* What is logged from here on goes to a file. */
static void catch_log(void) {
	kept_fd = dup(STDERR_FILENO);
	int fd = fd_memory("log", 0);
	EXPECT(fd >= 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO);
	close(fd);
}

static size_t caught_log(char *text, size_t size) {
	ssize_t length = pread(STDERR_FILENO, text, size - 1, 0);
	EXPECT(dup2(kept_fd, STDERR_FILENO) == STDERR_FILENO);
	close(kept_fd);
	EXPECT(length >= 0);
	text[length] = '\0';
	return (size_t)length;
}

static int count(const char *text, const char *part) {
	int n = 0;
	while ((text = strstr(text, part)) != NULL) {
		text += strlen(part);
		n++;
	}
	return n;
}

static char text[1024 * 1024];

TEST(what_a_vm_says_makes_one_line_without_controls) {
	catch_log();
	log_error("asked for \"%s\"", "a\nguivm-server: info: b\x1b[2J\xc2\x9b\xe2\x80\xae\xff");
	caught_log(text, sizeof(text));
	EXPECT_STR(text, "isthmus: error: asked for \"a" FFFD "guivm-server: info: b" FFFD "[2J"
			FFFD FFFD FFFD "\"\n");
}

TEST(a_line_that_is_too_long_is_cut) {
	static char longest[4096];
	memset(longest, 'x', sizeof(longest) - 1);
	catch_log();
	log_error("%s", longest);
	EXPECT(caught_log(text, sizeof(text)) == 1024);
	EXPECT_INT(count(text, "\n"), 1);
}

TEST(lines_of_a_peer_are_withheld_beyond_a_limit_and_counted) {
	struct log_meter meter = {0};
	catch_log();
	for (int i = 0; i < LIMIT_LOG_LINES + 50; i++) {
		log_metered(&meter, LOG_LEVEL_ERROR, "peer");
	}
	now_ms += LIMIT_LOG_MS - 1;
	log_metered(&meter, LOG_LEVEL_ERROR, "peer");
	now_ms += 1;
	log_metered(&meter, LOG_LEVEL_ERROR, "peer");
	log_metered(&meter, LOG_LEVEL_ERROR, "peer");
	caught_log(text, sizeof(text));
	EXPECT_INT(count(text, ": peer\n"), LIMIT_LOG_LINES + 2);
	EXPECT_INT(count(text, "the next ones are withheld\n"), 1);
	EXPECT_INT(count(text, ": 51 lines were withheld\n"), 1);
	EXPECT_INT(count(text, "\n"), LIMIT_LOG_LINES + 4);
}

TEST(a_peer_that_is_withheld_takes_no_line_of_others) {
	struct log_meter noisy = {0}, quiet = {0};
	catch_log();
	for (int i = 0; i < 2 * LIMIT_LOG_LINES; i++) {
		log_metered(&noisy, LOG_LEVEL_ERROR, "noisy");
	}
	log_metered(&quiet, LOG_LEVEL_ERROR, "quiet");
	log_error("own");
	caught_log(text, sizeof(text));
	EXPECT_INT(count(text, ": noisy\n"), LIMIT_LOG_LINES);
	EXPECT_INT(count(text, ": quiet\n"), 1);
	EXPECT_INT(count(text, ": own\n"), 1);
}

TEST(all_lines_of_a_vms_process_are_metered) {
	log_init("guivm-relay", "work");
	catch_log();
	for (int i = 0; i < LIMIT_LOG_LINES; i++) {
		log_error("one");
		log_errno("two");
	}
	caught_log(text, sizeof(text));
	EXPECT_INT(count(text, "\n"), LIMIT_LOG_LINES + 1);
}

TEST(what_is_below_the_level_does_not_count) {
	struct log_meter meter = {0};
	log_set_level(LOG_LEVEL_INFO);
	catch_log();
	for (int i = 0; i < 2 * LIMIT_LOG_LINES; i++) {
		log_metered(&meter, LOG_LEVEL_DEBUG, "debug");
	}
	log_metered(&meter, LOG_LEVEL_INFO, "info");
	caught_log(text, sizeof(text));
	EXPECT_INT(count(text, "\n"), 1);
}
