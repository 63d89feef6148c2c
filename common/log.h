/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_COMMON_LOG_H
#define ISTHMUS_COMMON_LOG_H

#include <stdarg.h>
#include <stdint.h>

/*
 * Log lines go to standard error as "PROCESS[VM]: level: text". error: somebody must act; info:
 * lifecycle; debug: the rest. Never window titles, clipboard contents or keys. Text that came from
 * a peer is cut to LIMIT_LOG_TEXT_BYTES; what text_sanitise() refuses never gets into a line.
 */
enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/*
 * How much was written of late for one source that can cause any number of lines. All zero at
 * first.
 */
struct log_meter {
	uint64_t began_ms; // CLOCK_MONOTONIC
	uint32_t lines; // since then
	uint32_t withheld; // of them
};

/*
 * Sets the prefix. Both strings are borrowed for the life of the process; vm may be NULL. If it is
 * not, the process is that VM's, and all its lines are metered together. The level is
 * LOG_LEVEL_INFO unless the environment has ISTHMUS_LOG=error|info|debug.
 */
void log_init(const char *process, const char *vm);

void log_set_level(enum log_level level);

/* Writes one line with one write(2); longer than 1 KiB is cut. Keeps errno. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_vline(enum log_level level, const char *format, va_list args)
		__attribute__((format(printf, 2, 0)));

/*
 * The same for lines that a peer can cause: of more than LIMIT_LOG_LINES in LIMIT_LOG_MS the rest
 * is withheld. One line says so, and one says how many they were, before the next one that is
 * written. debug lines are not metered, since somebody asked for all of them.
 */
void log_metered(struct log_meter *meter, enum log_level level, const char *format, ...)
		__attribute__((format(printf, 3, 4)));
void log_vmetered(struct log_meter *meter, enum log_level level, const char *format, va_list args)
		__attribute__((format(printf, 3, 0)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
/* Appends ": " and strerror(errno). */
void log_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
