/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_CONTROL_GUIVMCTL_H
#define ISTHMUS_CONTROL_GUIVMCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/client.h"

enum exit_status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
};

/* What one of --windows and --vm asks for. */
struct condition {
	const char *vm; // NULL: all VMs together
	enum {
		CONDITION_MIN_WINDOWS, // --windows
		CONDITION_MAX_WINDOWS, // --max-windows
		CONDITION_STATE, // --vm
	} kind;
	uint32_t windows;
	uint32_t state; // enum control_vm_state
};
#define MAX_CONDITIONS 64

struct options {
	const char *display; // NULL: $WAYLAND_DISPLAY
	const char *output; // NULL: all
	bool json;
	int64_t timeout_ms; // -1: not given
	struct condition conditions[MAX_CONDITIONS];
	size_t n_conditions;
};

/* A running command. */
struct guivmctl {
	struct options options;
	struct wl_display *display; // NULL before guivmctl_connect()
	struct control *control;
	bool reload_done, reload_ok;
};

/* "guivmctl: text" on standard error. */
void guivmctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Connects to the display only, which may be any compositor's; false after an error message. */
bool guivmctl_connect_display(struct guivmctl *ctl);

/* Connects and has the first picture; false after an error message. */
bool guivmctl_connect(struct guivmctl *ctl);

/* Sends what is queued and dispatches events, waiting for some until deadline_ms of CLOCK_MONOTONIC
 * (-1: without limit). 1: dispatched, 0: the deadline passed, -1: the connection is lost, after a
 * message. */
int guivmctl_dispatch(struct guivmctl *ctl, int64_t deadline_ms);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t guivmctl_now_ms(void);

/* The commands; args are what follows the command's name, n_args is in the range of the table. */
enum exit_status command_status(struct guivmctl *ctl, char **args, int n_args);
enum exit_status command_apps(struct guivmctl *ctl, char **args, int n_args);
enum exit_status command_windows(struct guivmctl *ctl, char **args, int n_args);
enum exit_status command_launch(struct guivmctl *ctl, char **args, int n_args);
enum exit_status command_wait(struct guivmctl *ctl, char **args, int n_args);
enum exit_status command_check(struct guivmctl *ctl, char **args, int n_args);
enum exit_status command_probe_memory(struct guivmctl *ctl, char **args, int n_args);
enum exit_status command_screenshot(struct guivmctl *ctl, char **args, int n_args);

#endif
