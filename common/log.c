/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINE_BYTES 1024

static const char *log_process = "isthmus";
static const char *log_vm;
static enum log_level log_threshold = LOG_LEVEL_INFO;

static const char *const level_names[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
};

void log_init(const char *process, const char *vm) {
	log_process = process;
	log_vm = vm;
	const char *wanted = getenv("ISTHMUS_LOG");
	for (int i = 0; wanted != NULL && i <= LOG_LEVEL_DEBUG; i++) {
		if (strcmp(wanted, level_names[i]) == 0) {
			log_threshold = (enum log_level)i;
		}
	}
}

void log_set_level(enum log_level level) {
	log_threshold = level;
}

static void write_line(enum log_level level, const char *suffix, const char *format, va_list args) {
	char line[LOG_LINE_BYTES];
	int used = snprintf(line, sizeof(line), "%s%s%s%s: %s: ", log_process,
			log_vm != NULL ? "[" : "", log_vm != NULL ? log_vm : "",
			log_vm != NULL ? "]" : "", level_names[level]);
	size_t length = used < 0 ? 0 : (size_t)used;
	if (length < sizeof(line)) {
		used = vsnprintf(line + length, sizeof(line) - length, format, args);
		length += used < 0 ? 0 : (size_t)used;
	}
	if (suffix != NULL && length < sizeof(line)) {
		used = snprintf(line + length, sizeof(line) - length, ": %s", suffix);
		length += used < 0 ? 0 : (size_t)used;
	}
	if (length > sizeof(line) - 1) {
		length = sizeof(line) - 1;
	}
	line[length++] = '\n';
	// One write, so that lines of several processes do not mix. Nothing can be done about a
	// failure.
	ssize_t written = write(STDERR_FILENO, line, length);
	(void)written;
}

void log_vline(enum log_level level, const char *format, va_list args) {
	if (level > log_threshold) {
		return;
	}
	int saved_errno = errno;
	write_line(level, NULL, format, args);
	errno = saved_errno;
}

void log_line(enum log_level level, const char *format, ...) {
	va_list args;
	va_start(args, format);
	log_vline(level, format, args);
	va_end(args);
}

void log_errno(const char *format, ...) {
	int saved_errno = errno;
	va_list args;
	va_start(args, format);
	write_line(LOG_LEVEL_ERROR, strerror(saved_errno), format, args);
	va_end(args);
	errno = saved_errno;
}
