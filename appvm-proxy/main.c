/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "appvm-proxy/copy.h"
#include "appvm-proxy/proxy.h"
#include "appvm-proxy/spawn.h"
#include "bridge/turn.h"
#include "common/log.h"
#include "common/notify.h"
#include "transport/probe.h"
#include "transport/transport.h"
#include "vmset/vmset.h"

#define EXIT_USAGE 2
#define PAGES_MIB_MAX (1024 * 1024)

static const char usage[] =
		"Usage: appvm-proxy [OPTION...] [-- COMMAND [ARG...]]\n"
		"Wayland server for the applications of this VM, whose windows the GUI VM shows.\n"
		"\n"
		"  --vm NAME         which VM of the VM set this is\n"
		"  --transport SPEC  where to find the GUI VM (default: from the VM set)\n"
		"  --vmset FILE      the VM set (default: " VMSET_DEFAULT_PATH
		", unless --transport is given)\n"
		"  --display NAME    socket for applications (default: the first free "
		"wayland-isthmus-N)\n"
		"  --runner PROGRAM  starts what the GUI VM launches: PROGRAM COMMAND [ARG...]\n"
		"  --pages-mib N     shared memory for pixels, in MiB (default: from the VM set)\n"
		"  --probe-memory    measure the transport's memory, and end\n"
		"  --help, --version\n"
		"\n"
		"With COMMAND: runs it with WAYLAND_DISPLAY set and exits with its status.\n";

struct options {
	const char *vm, *transport, *vmset, *display, *runner;
	uint64_t pages_mib;
	bool probe_memory;
	char **command; // NULL: none
};

struct program {
	struct options options;
	struct vmset *vmset;
	const struct vmset_vm *vm;
	struct wl_event_loop *loop;
	struct turn *turn; // of the loop
	struct wl_event_source *signals[3];
	struct transport *transport;
	struct proxy *proxy;
	pid_t command_pid;
	int command_fd;
	struct wl_event_source *command_source;
	bool done, terminating;
	int status;
};

static _Noreturn void exit_usage(const char *format, const char *what) {
	fprintf(stderr, "appvm-proxy: ");
	fprintf(stderr, format, what);
	fprintf(stderr, "\nTry \"appvm-proxy --help\".\n");
	exit(EXIT_USAGE);
}

static uint64_t parse_mib(const char *text) {
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' || value == 0 ||
			value > PAGES_MIB_MAX) {
		exit_usage("--pages-mib: \"%s\" is no number from 1 to 1048576", text);
	}
	return value;
}

static void parse_options(struct options *options, int argc, char *argv[]) {
	static const struct option long_options[] = {
			{"vm", required_argument, NULL, 'v'},
			{"transport", required_argument, NULL, 't'},
			{"vmset", required_argument, NULL, 's'},
			{"display", required_argument, NULL, 'd'},
			{"runner", required_argument, NULL, 'r'},
			{"pages-mib", required_argument, NULL, 'p'},
			{"probe-memory", no_argument, NULL, 'P'},
			{"help", no_argument, NULL, 'h'},
			{"version", no_argument, NULL, 'V'},
			{0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		switch (option) {
		case 'v':
			options->vm = optarg;
			break;
		case 't':
			options->transport = optarg;
			break;
		case 's':
			options->vmset = optarg;
			break;
		case 'd':
			options->display = optarg;
			break;
		case 'r':
			options->runner = optarg;
			break;
		case 'p':
			options->pages_mib = parse_mib(optarg);
			break;
		case 'P':
			options->probe_memory = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		case 'V':
			puts("appvm-proxy " ISTHMUS_VERSION);
			exit(EXIT_SUCCESS);
		default:
			fputs("Try \"appvm-proxy --help\".\n", stderr);
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc) {
		options->command = &argv[optind];
	}
}

/* The VM set says who this VM is, unless the command line says all that is needed. */
static bool program_load_vmset(struct program *program) {
	struct options *options = &program->options;
	if (options->vmset == NULL && options->transport != NULL) {
		return true;
	}
	const char *path = options->vmset != NULL ? options->vmset : VMSET_DEFAULT_PATH;
	struct vmset_errors errors;
	program->vmset = vmset_load(path, transport_spec_check, &errors);
	if (program->vmset == NULL) {
		vmset_errors_print(&errors, STDERR_FILENO);
	}
	vmset_errors_finish(&errors);
	if (program->vmset == NULL) {
		return false;
	}
	if (options->vm != NULL) {
		program->vm = vmset_find_vm(program->vmset, options->vm);
		if (program->vm == NULL) {
			log_error("%s: there is no VM \"%s\"", path, options->vm);
		}
	} else if (program->vmset->n_vms == 1) {
		program->vm = &program->vmset->vms[0];
	} else {
		log_error("%s has %zu VMs: which one is this? (--vm NAME)", path,
				program->vmset->n_vms);
	}
	return program->vm != NULL;
}

static const char *program_spec(const struct program *program) {
	return program->options.transport != NULL ? program->options.transport
						  : program->vm->transport;
}

/* Beside a proxy that runs. Returns the exit status. */
static int program_probe_memory(struct program *program) {
	struct transport_probe probe;
	char error[512];
	if (!program_load_vmset(program)) {
		return EXIT_FAILURE;
	}
	if (!transport_probe(program_spec(program), TRANSPORT_APPVM, &probe, error,
			    sizeof(error))) {
		log_error("%s", error);
		return EXIT_FAILURE;
	}
	transport_probe_print(&probe, stdout);
	return EXIT_SUCCESS;
}

static bool program_open_transport(struct program *program) {
	const char *spec = program_spec(program);
	char error[256];
	program->transport =
			transport_open(program->loop, spec, TRANSPORT_APPVM, error, sizeof(error));
	if (program->transport == NULL) {
		log_error("%s", error);
	}
	return program->transport != NULL;
}

static int handle_signal(int number, void *data) {
	struct program *program = data;
	if (program->command_pid <= 0 || program->terminating) {
		program->done = true;
		program->status = program->command_pid > 0 ? 128 + number : EXIT_SUCCESS;
		return 0;
	}
	// The command ends first, and with it this process. A terminal's interrupt reaches it
	// without help.
	program->terminating = true;
	if (number != SIGINT) {
		kill(program->command_pid, number);
	}
	return 0;
}

static bool program_add_signals(struct program *program) {
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		program->signals[i] = wl_event_loop_add_signal(
				program->loop, numbers[i], handle_signal, program);
		if (program->signals[i] == NULL) {
			return false;
		}
	}
	return true;
}

/* Each application and each of its pools holds a descriptor. */
static void raise_descriptor_limit(void) {
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int handle_command_exit(int fd, uint32_t mask, void *data) {
	struct program *program = data;
	wl_event_source_remove(program->command_source);
	program->command_source = NULL;
	int status = spawn_reap(program->command_pid, program->command_fd);
	program->command_pid = 0;
	program->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	program->done = true;
	return 0;
}

static bool program_start_command(struct program *program) {
	char **command = program->options.command;
	struct spawn_options options = {.display = proxy_display(program->proxy)};
	program->command_pid = spawn_command(command, &options, &program->command_fd);
	if (program->command_pid < 0) {
		program->status = errno == ENOENT ? 127 : 126;
		log_errno("cannot run %s", command[0]);
		return false;
	}
	program->command_source = wl_event_loop_add_fd(program->loop, program->command_fd,
			WL_EVENT_READABLE, handle_command_exit, program);
	return program->command_source != NULL;
}

static bool program_start(struct program *program) {
	spawn_init();
	raise_descriptor_limit();
	program->loop = wl_event_loop_create();
	program->turn = program->loop != NULL ? turn_of_loop(program->loop) : NULL;
	if (program->turn == NULL || !copy_init() || !program_add_signals(program)) {
		log_errno("cannot start");
		return false;
	}
	if (!program_load_vmset(program) || !program_open_transport(program)) {
		return false;
	}
	struct proxy_options options = {
			.vm_name = program->vm != NULL ? program->vm->name : program->options.vm,
			.display = program->options.display,
			.vm = program->vm,
			.runner = program->options.runner,
			.pages_bytes = program->options.pages_mib << 20,
	};
	log_init("appvm-proxy", options.vm_name);
	program->proxy = proxy_create(program->loop, program->transport, &options);
	if (program->proxy == NULL) {
		return false;
	}
	if (program->options.command != NULL) {
		return program_start_command(program);
	}
	log_info("applications connect to WAYLAND_DISPLAY=%s", proxy_display(program->proxy));
	return true;
}

static void program_finish(struct program *program) {
	proxy_destroy(program->proxy);
	transport_close(program->transport);
	vmset_destroy(program->vmset);
	if (program->command_source != NULL) {
		wl_event_source_remove(program->command_source);
		close(program->command_fd);
	}
	for (size_t i = 0; i < sizeof(program->signals) / sizeof(program->signals[0]); i++) {
		if (program->signals[i] != NULL) {
			wl_event_source_remove(program->signals[i]);
		}
	}
	if (program->loop != NULL) {
		wl_event_loop_destroy(program->loop);
	}
}

int main(int argc, char *argv[]) {
	log_init("appvm-proxy", NULL);
	struct program program = {.status = EXIT_FAILURE, .command_fd = -1};
	parse_options(&program.options, argc, argv);
	if (program.options.probe_memory) {
		program.status = program_probe_memory(&program);
	} else if (program_start(&program)) {
		notify_service_manager("READY=1");
		while (!program.done) {
			turn_dispatch(program.turn);
		}
		notify_service_manager("STOPPING=1");
	}
	program_finish(&program);
	return program.status;
}
