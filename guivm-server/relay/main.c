/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "bridge/turn.h"
#include "common/limits.h"
#include "common/log.h"
#include "guivm-server/relay/relay.h"
#include "guivm-server/relay/sandbox.h"
#include "guivm-server/relay/upstream.h"
#include "transport/transport.h"

#define EXIT_USAGE 2
// Two per application, pipes, files and arenas, with room to spare.
#define RELAY_MAX_FDS (2 * LIMIT_CLIENTS_PER_LINK + 2 * LIMIT_PIPES_PER_LINK + 2048)

struct options {
	const char *transport;
	const char *vm;
	const char *display; // NULL: WAYLAND_SOCKET
	uint32_t pages_mib;
	uint32_t clients;
};

static const char usage[] =
		"Usage: guivm-relay --transport SPEC --vm NAME --display NAME [OPTION...]\n"
		"Shows the applications of one VM on a Wayland compositor.\n"
		"\n"
		"  --transport SPEC  where the VM's appvm-proxy is met, such as local:DIR\n"
		"  --vm NAME         the VM's name, shown in titles where the compositor shows no "
		"other\n"
		"  --display NAME    the compositor, as in WAYLAND_DISPLAY. Without it, "
		"WAYLAND_SOCKET must be\n"
		"                    set by guivm-server\n"
		"  --pages-mib N     most memory for the VM's pixels, in MiB\n"
		"  --clients N       most applications at once\n"
		"  --help, --version\n";

static bool read_number(const char *text, const char *name, uint32_t max, uint32_t *number) {
	char *end;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value == 0 ||
			value > max) {
		fprintf(stderr, "guivm-relay: --%s: \"%s\" is not a number from 1 to %u\n", name,
				text, max);
		return false;
	}
	*number = (uint32_t)value;
	return true;
}

enum option_result {
	OPTIONS_OK,
	OPTIONS_WRONG,
	OPTIONS_DONE, // --help or --version was answered
};

static enum option_result read_options(int argc, char **argv, struct options *options) {
	static const struct option long_options[] = {
			{"transport", required_argument, NULL, 't'},
			{"vm", required_argument, NULL, 'v'},
			{"display", required_argument, NULL, 'd'},
			{"pages-mib", required_argument, NULL, 'p'},
			{"clients", required_argument, NULL, 'c'},
			{"help", no_argument, NULL, 'h'},
			{"version", no_argument, NULL, 'V'},
			{0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 't':
			options->transport = optarg;
			break;
		case 'v':
			options->vm = optarg;
			break;
		case 'd':
			options->display = optarg;
			break;
		case 'p':
			if (!read_number(optarg, "pages-mib", 1024 * 1024, &options->pages_mib)) {
				return OPTIONS_WRONG;
			}
			break;
		case 'c':
			if (!read_number(optarg, "clients", LIMIT_CLIENTS_PER_LINK,
					    &options->clients)) {
				return OPTIONS_WRONG;
			}
			break;
		case 'h':
			fputs(usage, stdout);
			return OPTIONS_DONE;
		case 'V':
			puts("guivm-relay " ISTHMUS_VERSION);
			return OPTIONS_DONE;
		default:
			return OPTIONS_WRONG;
		}
	}
	return OPTIONS_OK;
}

static bool check_options(int argc, const struct options *options) {
	const char *wrong = NULL;
	if (optind < argc) {
		wrong = "takes options only";
	} else if (options->transport == NULL) {
		wrong = "--transport is missing";
	} else if (options->vm == NULL || options->vm[0] == '\0') {
		wrong = "--vm is missing";
	} else if (strlen(options->vm) > LIMIT_VM_NAME_BYTES) {
		wrong = "--vm: the name is too long";
	} else if (options->display == NULL && getenv("WAYLAND_SOCKET") == NULL) {
		wrong = "--display is missing, and WAYLAND_SOCKET is not set";
	}
	if (wrong != NULL) {
		fprintf(stderr, "guivm-relay: %s\n", wrong);
	}
	return wrong == NULL;
}

static void upstream_handle_launch(uint32_t serial, const char *application, void *data) {
	relay_launch(data, serial, application);
}

static void upstream_handle_gone(void *data) {
	struct relay *relay = data;
	log_info("the compositor is gone");
	relay_stop(relay);
}

static const struct upstream_interface upstream_impl = {
		.launch = upstream_handle_launch,
		.gone = upstream_handle_gone,
};

static struct upstream *open_upstream(const struct options *options, struct relay *relay) {
	char error[256];
	struct upstream *upstream;
	if (options->display != NULL) {
		upstream = upstream_open_dropin(relay->loop, options->display, options->vm,
				&upstream_impl, relay, error, sizeof(error));
	} else {
		upstream = upstream_open_managed(
				relay->loop, &upstream_impl, relay, error, sizeof(error));
	}
	if (upstream == NULL) {
		log_error("%s", error);
	}
	return upstream;
}

static bool enter_sandbox(const struct upstream *upstream, const struct transport *transport) {
	struct sandbox_options options = {
			.connects = upstream_connects(upstream),
			.max_fds = RELAY_MAX_FDS,
			.ioctl_request = transport_ioctl_request(transport),
	};
	if (!sandbox_enter(&options)) {
		log_errno("cannot enter the sandbox");
		return false;
	}
	return true;
}

static int handle_signal(int signal_number, void *data) {
	relay_stop(data);
	return 0;
}

static bool run(struct relay *relay) {
	struct turn *turn = turn_of_loop(relay->loop);
	if (turn == NULL) {
		log_errno("event loop");
		return false;
	}
	while (!relay->stopping) {
		if (turn_dispatch(turn) < 0 && errno != EINTR) {
			log_errno("event loop");
			return false;
		}
	}
	return true;
}

static bool serve(struct relay *relay, const struct options *options) {
	struct upstream *upstream = open_upstream(options, relay);
	if (upstream == NULL) {
		return false;
	}
	relay_set_upstream(relay, upstream);
	struct wl_event_source *sources[] = {
			wl_event_loop_add_signal(relay->loop, SIGTERM, handle_signal, relay),
			wl_event_loop_add_signal(relay->loop, SIGINT, handle_signal, relay),
	};
	bool ok = enter_sandbox(upstream, relay->transport);
	if (ok && !relay_start(relay)) {
		log_errno("%s", options->transport);
		ok = false;
	}
	if (ok) {
		log_debug("waiting for the VM at %s", options->transport);
		ok = run(relay);
		relay_finish(relay);
	}
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (sources[i] != NULL) {
			wl_event_source_remove(sources[i]);
		}
	}
	upstream_close(upstream);
	return ok;
}

int main(int argc, char **argv) {
	struct options options = {.pages_mib = LIMIT_PAGES_MIB_DEFAULT,
			.clients = LIMIT_CLIENTS_PER_VM_DEFAULT};
	enum option_result result = read_options(argc, argv, &options);
	if (result == OPTIONS_DONE) {
		return EXIT_SUCCESS;
	}
	if (result == OPTIONS_WRONG || !check_options(argc, &options)) {
		fputs("Try guivm-relay --help.\n", stderr);
		return EXIT_USAGE;
	}
	log_init("guivm-relay", options.vm);
	signal(SIGPIPE, SIG_IGN);
	struct wl_event_loop *loop = wl_event_loop_create();
	if (loop == NULL) {
		log_errno("event loop");
		return EXIT_FAILURE;
	}
	char error[256];
	struct transport *transport = transport_open(
			loop, options.transport, TRANSPORT_GUIVM, error, sizeof(error));
	if (transport == NULL) {
		log_error("%s", error);
		wl_event_loop_destroy(loop);
		return EXIT_FAILURE;
	}
	struct relay_options relay_options = {
			.vm = options.vm,
			.max_pages_bytes = (uint64_t)options.pages_mib * 1024 * 1024,
			.max_clients = options.clients,
	};
	struct relay relay;
	relay_init(&relay, &relay_options, loop, transport);
	bool ok = serve(&relay, &options);
	transport_close(transport);
	wl_event_loop_destroy(loop);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
