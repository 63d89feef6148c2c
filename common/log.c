/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/text.h"

#define LOG_LINE_BYTES 1024

static const char *log_process = "isthmus";
static const char *log_vm;
static enum log_level log_threshold = LOG_LEVEL_INFO;
static struct log_meter log_process_meter; // where log_vm is not NULL

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
	// A line that looks like two, or moves a terminal's cursor, could pass for one of ours.
	char safe[LOG_LINE_BYTES];
	text_sanitise_bytes(safe, sizeof(safe), line, length);
	length = strlen(safe);
	safe[length++] = '\n';
	// One write, so that lines of several processes do not mix. Nothing can be done about a
	// failure.
	ssize_t written = write(STDERR_FILENO, safe, length);
	(void)written;
}

__attribute__((format(printf, 2, 3))) static void write_note(
		enum log_level level, const char *format, ...) {
	va_list args;
	va_start(args, format);
	write_line(level, NULL, format, args);
	va_end(args);
}

static uint64_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Whether a line may be written; says what was not, and that there will be more of it. */
static bool meter_take(struct log_meter *meter, enum log_level level) {
	uint64_t now = now_ms();
	if (meter->lines == 0 || now - meter->began_ms >= LIMIT_LOG_MS) {
		if (meter->withheld > 0) {
			write_note(level, "%u lines were withheld", meter->withheld);
		}
		*meter = (struct log_meter){.began_ms = now};
	}
	if (meter->lines < LIMIT_LOG_LINES) {
		meter->lines++;
		return true;
	}
	if (meter->withheld == 0) {
		write_note(level, "more than %d lines in %d s: the next ones are withheld",
				LIMIT_LOG_LINES, LIMIT_LOG_MS / 1000);
	}
	if (meter->withheld < UINT32_MAX) {
		meter->withheld++;
	}
	return false;
}

/* meter NULL: the process's, if it has one. */
static void write_metered(struct log_meter *meter, enum log_level level, const char *suffix,
		const char *format, va_list args) {
	if (level > log_threshold) {
		return;
	}
	if (meter == NULL && log_vm != NULL) {
		meter = &log_process_meter;
	}
	int saved_errno = errno;
	if (meter == NULL || level == LOG_LEVEL_DEBUG || meter_take(meter, level)) {
		write_line(level, suffix, format, args);
	}
	errno = saved_errno;
}

void log_vmetered(struct log_meter *meter, enum log_level level, const char *format, va_list args) {
	write_metered(meter, level, NULL, format, args);
}

void log_metered(struct log_meter *meter, enum log_level level, const char *format, ...) {
	va_list args;
	va_start(args, format);
	write_metered(meter, level, NULL, format, args);
	va_end(args);
}

void log_vline(enum log_level level, const char *format, va_list args) {
	write_metered(NULL, level, NULL, format, args);
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
	write_metered(NULL, LOG_LEVEL_ERROR, strerror(saved_errno), format, args);
	va_end(args);
	errno = saved_errno;
}
