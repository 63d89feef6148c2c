/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <wayland-server-core.h>

#include "common/log.h"
#include "ivshmem-server/pair.h"

#define EXIT_USAGE 2

static const char usage[] =
	"Usage: isthmus-ivshmem-server --memory SIZE --guivm-socket PATH --appvm-socket PATH "
	"[OPTION...]\n"
	"Gives two QEMUs the memory and the interrupts of their ivshmem-doorbell devices.\n"
	"\n"
	"  --memory SIZE        how much: a power of two from 2M to 1G\n"
	"  --guivm-socket PATH  where the GUI VM's QEMU connects\n"
	"  --appvm-socket PATH  where the application VM's QEMU connects\n"
	"  --guivm-user USER    as whom the GUI VM's QEMU runs: a name or a number;\n"
	"                       without it, as this program\n"
	"  --appvm-user USER    the same for the application VM's\n"
	"  --name NAME          of the application VM, for messages\n"
	"  --ready-fd N         \"\\n\" is written to this descriptor when both sockets are there\n"
	"  --help, --version\n";

struct options {
	uint64_t memory_bytes;
	struct pair_socket sockets[PAIR_SIDES];
	const char *name;
	int ready_fd; // -1: none
};

enum parse_result {
	PARSE_OK,
	PARSE_WRONG,
	PARSE_DONE, // --help or --version was answered
};

static bool fail_option(const char *option, const char *text, const char *wrong) {
	fprintf(stderr, "isthmus-ivshmem-server: --%s: \"%s\" is %s\n", option, text, wrong);
	return false;
}

/* Decimal digits to the end or to one of units. */
static bool parse_number(const char *text, unsigned long long most, const char *units,
		unsigned long long *number, char *unit) {
	char *end;
	errno = 0;
	*number = strtoull(text, &end, 10);
	*unit = *end;
	return errno == 0 && text[0] >= '0' && text[0] <= '9' && *number <= most &&
		(*end == '\0' || (strchr(units, *end) != NULL && end[1] == '\0'));
}

static bool parse_memory(const char *text, uint64_t *bytes) {
	unsigned long long number;
	char unit;
	if (!parse_number(text, PAIR_MEMORY_MOST, "MG", &number, &unit)) {
		return fail_option("memory", text, "not a size such as 64M");
	}
	*bytes = number << (unit == 'M' ? 20 : unit == 'G' ? 30 : 0);
	return true;
}

static bool parse_user(const char *option, const char *text, uid_t *uid) {
	unsigned long long number;
	char unit;
	if (parse_number(text, UINT32_MAX - 1ull, "", &number, &unit)) {
		*uid = (uid_t)number;
		return true;
	}
	const struct passwd *user = getpwnam(text);
	if (user == NULL) {
		return fail_option(option, text, "no user of this system");
	}
	*uid = user->pw_uid;
	return true;
}

static bool parse_fd(const char *text, int *fd) {
	unsigned long long number;
	char unit;
	if (!parse_number(text, INT_MAX, "", &number, &unit)) {
		return fail_option("ready-fd", text, "not a file descriptor");
	}
	*fd = (int)number;
	return true;
}

static enum parse_result parse_options(int argc, char **argv, struct options *options) {
	static const struct option long_options[] = {
		{"memory", required_argument, NULL, 'm'},
		{"guivm-socket", required_argument, NULL, 'g'},
		{"appvm-socket", required_argument, NULL, 'a'},
		{"guivm-user", required_argument, NULL, 'G'},
		{"appvm-user", required_argument, NULL, 'A'},
		{"name", required_argument, NULL, 'n'},
		{"ready-fd", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	int option;
	bool ok = true;
	struct pair_socket *guivm = &options->sockets[PAIR_GUIVM];
	struct pair_socket *appvm = &options->sockets[PAIR_APPVM];
	while (ok && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'm':
			ok = parse_memory(optarg, &options->memory_bytes);
			break;
		case 'g':
			guivm->path = optarg;
			break;
		case 'a':
			appvm->path = optarg;
			break;
		case 'G':
			ok = parse_user("guivm-user", optarg, &guivm->uid);
			break;
		case 'A':
			ok = parse_user("appvm-user", optarg, &appvm->uid);
			break;
		case 'n':
			options->name = optarg;
			break;
		case 'r':
			ok = parse_fd(optarg, &options->ready_fd);
			break;
		case 'h':
			fputs(usage, stdout);
			return PARSE_DONE;
		case 'v':
			puts("isthmus-ivshmem-server " ISTHMUS_VERSION);
			return PARSE_DONE;
		default:
			ok = false;
		}
	}
	return ok ? PARSE_OK : PARSE_WRONG;
}

static bool check_options(int argc, const struct options *options) {
	const char *wrong = NULL;
	if (optind < argc) {
		wrong = "takes options only";
	} else if (options->memory_bytes == 0) {
		wrong = "--memory is missing";
	} else if (options->sockets[PAIR_GUIVM].path == NULL) {
		wrong = "--guivm-socket is missing";
	} else if (options->sockets[PAIR_APPVM].path == NULL) {
		wrong = "--appvm-socket is missing";
	}
	if (wrong != NULL) {
		fprintf(stderr, "isthmus-ivshmem-server: %s\n", wrong);
	}
	return wrong == NULL;
}

static int handle_signal(int signal_number, void *data) {
	bool *stopping = data;
	*stopping = true;
	return 0;
}

static bool tell_ready(int fd) {
	if (fd < 0) {
		return true;
	}
	if (write(fd, "\n", 1) != 1) {
		log_errno("--ready-fd");
		return false;
	}
	close(fd);
	return true;
}

static bool serve(const struct options *options) {
	char error[256];
	bool stopping = false, ok = false;
	struct wl_event_loop *loop = wl_event_loop_create();
	struct wl_event_source *sources[] = {
		wl_event_loop_add_signal(loop, SIGTERM, handle_signal, &stopping),
		wl_event_loop_add_signal(loop, SIGINT, handle_signal, &stopping),
	};
	struct pair *pair = pair_create(loop, options->memory_bytes, options->sockets, error,
			sizeof(error));
	if (pair == NULL) {
		log_error("%s", error);
	} else {
		ok = tell_ready(options->ready_fd);
	}
	while (ok && !stopping) {
		if (wl_event_loop_dispatch(loop, -1) < 0 && errno != EINTR) {
			log_errno("event loop");
			ok = false;
		}
	}
	pair_destroy(pair);
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (sources[i] != NULL) {
			wl_event_source_remove(sources[i]);
		}
	}
	wl_event_loop_destroy(loop);
	return ok;
}

int main(int argc, char **argv) {
	struct options options = {.ready_fd = -1};
	for (unsigned i = 0; i < PAIR_SIDES; i++) {
		options.sockets[i].uid = geteuid();
	}
	enum parse_result result = parse_options(argc, argv, &options);
	if (result == PARSE_DONE) {
		return EXIT_SUCCESS;
	}
	if (result == PARSE_WRONG || !check_options(argc, &options)) {
		fputs("Try isthmus-ivshmem-server --help.\n", stderr);
		return EXIT_USAGE;
	}
	log_init("isthmus-ivshmem-server", options.name);
	signal(SIGPIPE, SIG_IGN);
	// Needs nothing more from here on, and no other process of its user needs to look into it.
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
		log_errno("prctl");
		return EXIT_FAILURE;
	}
	return serve(&options) ? EXIT_SUCCESS : EXIT_FAILURE;
}
