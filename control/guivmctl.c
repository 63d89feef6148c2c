/* SPDX-License-Identifier: Apache-2.0 */
#include "control/guivmctl.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wayland-client.h>

enum option_id {
	OPTION_DISPLAY = 256,
	OPTION_OUTPUT,
	OPTION_JSON,
	OPTION_TIMEOUT,
	OPTION_WINDOWS,
	OPTION_MAX_WINDOWS,
	OPTION_VM,
	OPTION_HELP,
	OPTION_VERSION,
};
#define OPTION_BIT(id) (1u << ((id) - OPTION_DISPLAY))

static enum exit_status command_reload(struct guivmctl *ctl, char **args, int n_args) {
	if (!guivmctl_connect(ctl)) {
		return STATUS_FAILED;
	}
	control_reload(ctl->control);
	while (!ctl->reload_done) {
		if (guivmctl_dispatch(ctl, -1) < 0) {
			return STATUS_FAILED;
		}
	}
	if (!ctl->reload_ok) {
		guivmctl_error("the VM set was not reloaded; the one before is still in force");
	}
	return ctl->reload_ok ? STATUS_OK : STATUS_FAILED;
}

struct command {
	const char *name;
	int min_args, max_args;
	unsigned options; // OPTION_BIT of those it takes, besides --display
	enum exit_status (*run)(struct guivmctl *ctl, char **args, int n_args);
};

static const struct command commands[] = {
	{"status", 0, 0, OPTION_BIT(OPTION_JSON), command_status},
	{"apps", 0, 1, OPTION_BIT(OPTION_JSON), command_apps},
	{"windows", 0, 0, OPTION_BIT(OPTION_JSON), command_windows},
	{"launch", 2, 2, OPTION_BIT(OPTION_TIMEOUT), command_launch},
	{"check", 1, 1, 0, command_check},
	{"probe-memory", 1, 1, 0, command_probe_memory},
	{"reload", 0, 0, 0, command_reload},
	{"screenshot", 1, 1, OPTION_BIT(OPTION_OUTPUT), command_screenshot},
	{"wait", 0, 0,
		OPTION_BIT(OPTION_TIMEOUT) | OPTION_BIT(OPTION_WINDOWS) |
			OPTION_BIT(OPTION_MAX_WINDOWS) | OPTION_BIT(OPTION_VM),
		command_wait},
};

static const char usage[] =
	"Usage: guivmctl [--display NAME] COMMAND\n"
	"\n"
	"  status [--json]                     the VMs and how they are\n"
	"  apps [--json] [VM]                  applications that can be launched\n"
	"  windows [--json]                    mapped windows\n"
	"  launch [--timeout S] VM APP         start an application in a VM\n"
	"  check FILE                          check a VM set; needs no compositor\n"
	"  probe-memory SPEC                   measure the memory of a transport; needs no\n"
	"                                      compositor\n"
	"  reload                              read the VM set again\n"
	"  screenshot [--output NAME] FILE     write a PNG of all outputs or of one\n"
	"  wait [--windows [VM=]N]... [--max-windows [VM=]N]... [--vm VM=STATE]... [--timeout S]\n"
	"                                      wait until at least, or at most, so many\n"
	"                                      windows are open and the VMs are stopped,\n"
	"                                      starting, running or failed\n"
	"\n"
	"  --display NAME                      Wayland display, instead of $WAYLAND_DISPLAY\n"
	"  --help                              this text\n"
	"  --version                           the version\n"
	"\n"
	"Exit status: 0 ok, 1 failed, 2 wrong usage.\n";

void guivmctl_error(const char *format, ...) {
	va_list args;
	va_start(args, format);
	fputs("guivmctl: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

int64_t guivmctl_now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void report_lost(struct guivmctl *ctl) {
	guivmctl_error("the connection to guivm-server was lost: %s",
			strerror(wl_display_get_error(ctl->display)));
}

static int poll_display(struct guivmctl *ctl, short events, int64_t deadline_ms) {
	struct pollfd pollfd = {.fd = wl_display_get_fd(ctl->display), .events = events};
	for (;;) {
		int64_t left_ms = -1;
		if (deadline_ms >= 0) {
			left_ms = deadline_ms - guivmctl_now_ms();
			left_ms = left_ms < 0 ? 0 : left_ms > 60000 ? 60000 : left_ms;
		}
		int n = poll(&pollfd, 1, (int)left_ms);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n == 0 && guivmctl_now_ms() < deadline_ms) {
			continue;
		}
		return n;
	}
}

int guivmctl_dispatch(struct guivmctl *ctl, int64_t deadline_ms) {
	int n = 0;
	while (wl_display_prepare_read(ctl->display) != 0) {
		n = wl_display_dispatch_pending(ctl->display);
		if (n != 0) {
			goto out;
		}
	}
	while ((n = wl_display_flush(ctl->display)) < 0 && errno == EAGAIN) {
		n = poll_display(ctl, POLLOUT, deadline_ms);
		if (n <= 0) {
			wl_display_cancel_read(ctl->display);
			goto out;
		}
	}
	// A broken pipe may still have left the error that explains it to be read.
	if (n < 0 && errno != EPIPE) {
		wl_display_cancel_read(ctl->display);
		goto out;
	}
	n = poll_display(ctl, POLLIN, deadline_ms);
	if (n <= 0) {
		wl_display_cancel_read(ctl->display);
		goto out;
	}
	n = wl_display_read_events(ctl->display);
	if (n == 0) {
		n = wl_display_dispatch_pending(ctl->display) < 0 ? -1 : 1;
	}
out:
	if (n < 0) {
		report_lost(ctl);
		return -1;
	}
	return n > 0;
}

static void control_handle_reloaded(
		struct control *control, bool ok, const char *message, void *data) {
	struct guivmctl *ctl = data;
	ctl->reload_done = true;
	ctl->reload_ok = ok;
	if (message[0] != '\0') {
		fprintf(stderr, "%s%s", message, message[strlen(message) - 1] == '\n' ? "" : "\n");
	}
}

static const struct control_listener control_listener = {
	.reloaded = control_handle_reloaded,
};

bool guivmctl_connect_display(struct guivmctl *ctl) {
	ctl->display = wl_display_connect(ctl->options.display);
	if (ctl->display == NULL) {
		const char *name = ctl->options.display;
		if (name == NULL) {
			name = getenv("WAYLAND_DISPLAY");
		}
		guivmctl_error("cannot connect to the Wayland display %s: %s",
				name != NULL ? name : "wayland-0", strerror(errno));
		return false;
	}
	return true;
}

bool guivmctl_connect(struct guivmctl *ctl) {
	if (!guivmctl_connect_display(ctl)) {
		return false;
	}
	ctl->control = control_create(ctl->display, &control_listener, ctl);
	if (ctl->control == NULL) {
		if (errno == ENOPROTOOPT) {
			guivmctl_error("the compositor is not guivm-server: it has no "
					"isthmus_control_v1");
		} else {
			report_lost(ctl);
		}
		return false;
	}
	while (!ctl->control->ready) {
		if (guivmctl_dispatch(ctl, -1) < 0) {
			return false;
		}
	}
	return true;
}

static enum exit_status usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
static enum exit_status usage_error(const char *format, ...) {
	va_list args;
	va_start(args, format);
	fputs("guivmctl: ", stderr);
	vfprintf(stderr, format, args);
	fputs("\nTry guivmctl --help.\n", stderr);
	va_end(args);
	return STATUS_USAGE;
}

static bool parse_uint(const char *text, uint32_t *value) {
	char *end;
	errno = 0;
	unsigned long parsed = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || parsed > INT32_MAX) {
		return false;
	}
	*value = (uint32_t)parsed;
	return true;
}

static bool parse_timeout(const char *text, int64_t *timeout_ms) {
	char *end;
	double seconds = strtod(text, &end);
	if (end == text || *end != '\0' || !isfinite(seconds) || seconds < 0 || seconds > 1e6) {
		return false;
	}
	*timeout_ms = (int64_t)(seconds * 1000);
	return true;
}

/* "[VM=]N" or "VM=STATE"; text is cut at its last =. */
static bool parse_condition(char *text, int kind, struct options *options) {
	if (options->n_conditions == MAX_CONDITIONS) {
		return false;
	}
	struct condition *condition = &options->conditions[options->n_conditions];
	*condition = (struct condition){.kind = kind};
	char *equals = strrchr(text, '=');
	const char *value = equals != NULL ? equals + 1 : text;
	condition->vm = equals != NULL ? text : NULL;
	if (kind == CONDITION_STATE) {
		while (condition->state < CONTROL_VM_STATE_COUNT &&
				strcmp(value, control_vm_state_name(condition->state)) != 0) {
			condition->state++;
		}
		if (condition->vm == NULL || condition->state == CONTROL_VM_STATE_COUNT) {
			return false;
		}
	} else if (!parse_uint(value, &condition->windows)) {
		return false;
	}
	if (equals != NULL) {
		*equals = '\0';
	}
	options->n_conditions++;
	return true;
}

static bool parse_option(int id, struct options *options) {
	switch (id) {
	case OPTION_DISPLAY:
		options->display = optarg;
		return true;
	case OPTION_OUTPUT:
		options->output = optarg;
		return true;
	case OPTION_JSON:
		options->json = true;
		return true;
	case OPTION_TIMEOUT:
		return parse_timeout(optarg, &options->timeout_ms);
	case OPTION_WINDOWS:
		return parse_condition(optarg, CONDITION_MIN_WINDOWS, options);
	case OPTION_MAX_WINDOWS:
		return parse_condition(optarg, CONDITION_MAX_WINDOWS, options);
	case OPTION_VM:
		return parse_condition(optarg, CONDITION_STATE, options);
	default:
		return false;
	}
}

static const struct command *find_command(const char *name) {
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

static enum exit_status run_command(struct guivmctl *ctl, unsigned given, char **args, int n_args) {
	if (n_args == 0) {
		return usage_error("no command given");
	}
	const struct command *command = find_command(args[0]);
	if (command == NULL) {
		return usage_error("unknown command \"%s\"", args[0]);
	}
	unsigned display_bit = OPTION_BIT(OPTION_DISPLAY);
	if ((given & ~command->options & ~display_bit) != 0) {
		return usage_error("%s does not take that option", command->name);
	}
	if (n_args - 1 < command->min_args || n_args - 1 > command->max_args) {
		return usage_error("%s: wrong number of arguments", command->name);
	}
	return command->run(ctl, args + 1, n_args - 1);
}

static enum exit_status parse_and_run(struct guivmctl *ctl, int argc, char **argv) {
	static const struct option long_options[] = {
		{"display", required_argument, NULL, OPTION_DISPLAY},
		{"output", required_argument, NULL, OPTION_OUTPUT},
		{"json", no_argument, NULL, OPTION_JSON},
		{"timeout", required_argument, NULL, OPTION_TIMEOUT},
		{"windows", required_argument, NULL, OPTION_WINDOWS},
		{"max-windows", required_argument, NULL, OPTION_MAX_WINDOWS},
		{"vm", required_argument, NULL, OPTION_VM},
		{"help", no_argument, NULL, OPTION_HELP},
		{"version", no_argument, NULL, OPTION_VERSION},
		{0},
	};
	unsigned given = 0;
	int id, index = 0;
	while ((id = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		if (id == OPTION_HELP) {
			fputs(usage, stdout);
			return STATUS_OK;
		} else if (id == OPTION_VERSION) {
			puts("guivmctl " ISTHMUS_VERSION);
			return STATUS_OK;
		} else if (id == '?') {
			fputs("Try guivmctl --help.\n", stderr);
			return STATUS_USAGE;
		} else if (!parse_option(id, &ctl->options)) {
			return usage_error("--%s: \"%s\" is not valid", long_options[index].name,
					optarg);
		}
		given |= OPTION_BIT(id);
	}
	return run_command(ctl, given, argv + optind, argc - optind);
}

int main(int argc, char **argv) {
	// Widths of characters in tables are the locale's.
	if (setlocale(LC_CTYPE, "") == NULL || MB_CUR_MAX == 1) {
		setlocale(LC_CTYPE, "C.UTF-8");
	}
	// getopt_long() begins its messages with it.
	static char name[] = "guivmctl";
	if (argc > 0) {
		argv[0] = name;
	}
	struct guivmctl ctl = {.options = {.timeout_ms = -1}};
	enum exit_status status = parse_and_run(&ctl, argc, argv);
	control_destroy(ctl.control);
	if (ctl.display != NULL) {
		wl_display_disconnect(ctl.display);
	}
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == STATUS_OK) {
		guivmctl_error("standard output: %s", strerror(errno));
		status = STATUS_FAILED;
	}
	return status;
}
