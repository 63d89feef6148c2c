/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wlr/util/log.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/notify.h"
#include "guivm-server/process.h"
#include "guivm-server/serials.h"
#include "guivm-server/server.h"
#include "vmset/vmset.h"

#define USAGE \
	"usage: guivm-server [--vmset FILE] [--startup COMMAND] [--ready-fd N]\n" \
	"       guivm-server --help | --version\n"

struct main_options {
	const char *vmset_path;
	char *startup;
	int ready_fd; // -1: none
};

enum { EXIT_USAGE = 2, PARSE_RUN = -1 };

static int parse_ready_fd(const char *text, int *ready_fd) {
	char *end;
	errno = 0;
	long value = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < 0 || value > INT_MAX) {
		fprintf(stderr, "guivm-server: --ready-fd: \"%s\" is not a file descriptor\n",
				text);
		return EXIT_USAGE;
	}
	*ready_fd = (int)value;
	return PARSE_RUN;
}

/* PARSE_RUN, or the exit status. */
static int parse_options(int argc, char *argv[], struct main_options *options) {
	static const struct option long_options[] = {
		{"vmset", required_argument, NULL, 'm'},
		{"startup", required_argument, NULL, 's'},
		{"ready-fd", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	int option, status;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'm':
			options->vmset_path = optarg;
			break;
		case 's':
			options->startup = optarg;
			break;
		case 'r':
			status = parse_ready_fd(optarg, &options->ready_fd);
			if (status != PARSE_RUN) {
				return status;
			}
			break;
		case 'h':
			fputs(USAGE "\n"
				    "  --vmset FILE       the VM set (JSON or YAML), "
				    "else " VMSET_DEFAULT_PATH "\n"
				    "  --startup COMMAND  run by the shell when the compositor is "
				    "ready\n"
				    "  --ready-fd N       \"\\n\" is written to this descriptor "
				    "when it is ready, then it is closed\n"
				    "\nWLR_BACKENDS, WLR_RENDERER and wlroots' other variables are "
				    "honoured.\n",
					stdout);
			return EXIT_SUCCESS;
		case 'v':
			puts("guivm-server " ISTHMUS_VERSION);
			return EXIT_SUCCESS;
		default:
			fputs(USAGE, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "guivm-server: unexpected argument \"%s\"\n" USAGE, argv[optind]);
		return EXIT_USAGE;
	}
	return PARSE_RUN;
}

/*
 * false: the file has errors, which were printed. *vmset is NULL when there is no file and none was
 * asked for.
 */
static bool load_vmset(struct main_options *options, struct vmset **vmset) {
	*vmset = NULL;
	if (options->vmset_path == NULL) {
		if (access(VMSET_DEFAULT_PATH, F_OK) == -1) {
			log_info("no VM set: neither --vmset nor " VMSET_DEFAULT_PATH);
			return true;
		}
		options->vmset_path = VMSET_DEFAULT_PATH;
	}
	struct vmset_errors errors;
	*vmset = vmset_load(options->vmset_path, vmset_check_transport, &errors);
	vmset_errors_print(&errors, STDERR_FILENO);
	vmset_errors_finish(&errors);
	return *vmset != NULL;
}

static void raise_nofile(void) {
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void notify_ready(struct main_options *options) {
	notify_service_manager("READY=1");
	if (options->ready_fd != -1) {
		if (write(options->ready_fd, "\n", 1) != 1) {
			log_errno("--ready-fd");
		}
		fd_close(&options->ready_fd);
	}
}

/* Any VM can cause these, and wlroots does not say which did. */
static void log_wlroots(enum wlr_log_importance importance, const char *format, va_list args) {
	static const enum log_level levels[] = {
		[WLR_ERROR] = LOG_LEVEL_ERROR,
		[WLR_INFO] = LOG_LEVEL_DEBUG,
		[WLR_DEBUG] = LOG_LEVEL_DEBUG,
	};
	static struct log_meter meter;
	if (importance > WLR_SILENT && importance <= WLR_DEBUG) {
		log_vmetered(&meter, levels[importance], format, args);
	}
}

static void handle_startup_exit(void *data, int status) {
	struct process **startup = data;
	*startup = NULL;
	log_debug("the startup command ended with status %d",
			WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* *startup is the process, and NULL when there is none or it ended. */
static void start_command(struct server *server, char *command, struct process **startup) {
	if (command == NULL) {
		return;
	}
	*startup = process_create(server->loop, &(struct process_spec){
		.argv = (char *[]){(char[]){"/bin/sh"}, (char[]){"-c"}, command, NULL},
		.wayland_socket = -1,
		.nofile = &server->startup_nofile,
	}, handle_startup_exit, startup);
	if (*startup == NULL) {
		log_errno("cannot run the startup command");
	}
}

int main(int argc, char *argv[]) {
	struct main_options options = {.ready_fd = -1};
	int status = parse_options(argc, argv, &options);
	if (status != PARSE_RUN) {
		return status;
	}
	log_init("guivm-server", NULL);
	wlr_log_init(WLR_INFO, log_wlroots);
	signal(SIGPIPE, SIG_IGN);
	if (!serials_init()) {
		log_error("libwayland and wlroots have to be shared libraries");
		return EXIT_FAILURE;
	}

	struct vmset *vmset;
	if (!load_vmset(&options, &vmset)) {
		return EXIT_FAILURE;
	}
	struct server server;
	if (!server_init(&server, &(struct server_options){
			.vmset = vmset,
			.vmset_path = options.vmset_path,
			.handle_signals = true,
		})) {
		return EXIT_FAILURE;
	}
	raise_nofile();
	if (!server_start(&server)) {
		server_finish(&server);
		return EXIT_FAILURE;
	}
	setenv("WAYLAND_DISPLAY", server.socket, true); // for what is started from here
	log_info("ready, WAYLAND_DISPLAY=%s", server.socket);
	notify_ready(&options);
	struct process *startup = NULL;
	start_command(&server, options.startup, &startup);
	server_run(&server);
	notify_service_manager("STOPPING=1");
	if (startup != NULL) {
		process_stop(startup);
	}
	server_finish(&server);
	return EXIT_SUCCESS;
}
