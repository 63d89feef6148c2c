/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/client.h"
#include "launcher/icons.h"
#include "launcher/launcher.h"

#define ICON_THEME "Adwaita" // what most desktops carry; hicolor follows by itself

static const char usage[] = "Usage: guivm-launcher [--help] [--version]\n"
			    "Shows the applications of all VMs and starts the one that is chosen.\n"
			    "\n"
			    "Type to search. Up, Down, Page Up, Page Down or the mouse choose; "
			    "Enter or a click\n"
			    "starts; Escape closes.\n"
			    "\n"
			    "  --help     show this text\n"
			    "  --version  show the version\n";

void launcher_set_status(struct launcher *launcher, bool is_error, const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(launcher->status, sizeof(launcher->status), format, args);
	va_end(args);
	launcher->status_is_error = is_error;
	launcher->dirty = true;
}

static void handle_launch_result(const char *error, void *data) {
	struct launcher *launcher = data;
	launcher->waiting = false;
	if (error == NULL) {
		launcher->done = true;
	} else {
		launcher_set_status(launcher, true, "%s", error);
	}
}

void launcher_start_selected(struct launcher *launcher) {
	const struct entry *entry = list_selected(&launcher->list);
	if (entry == NULL || launcher->waiting) {
		return;
	}
	if (!control_launch(launcher->control, entry->vm, entry->name, handle_launch_result,
			    launcher)) {
		launcher_set_status(launcher, true, "no memory");
		return;
	}
	launcher->waiting = true;
	if (entry->vm_state == CONTROL_VM_RUNNING) {
		launcher_set_status(launcher, false, "Starting %s…", entry->name);
	} else {
		launcher_set_status(launcher, false, "Starting %s, then %s…", entry->vm_label,
				entry->name);
	}
}

static void handle_control_changed(struct control *control, void *data) {
	struct launcher *launcher = data;
	list_update(&launcher->list, control);
	launcher->dirty = true;
}

static const struct control_listener control_listener = {
		.changed = handle_control_changed,
};

/* Waits for the compositor or a key's repeat. false: the connection is lost. */
static bool launcher_turn(struct launcher *launcher) {
	while (wl_display_prepare_read(launcher->display) != 0) {
		if (wl_display_dispatch_pending(launcher->display) < 0) {
			return false;
		}
	}
	/* What was dispatched may be worth a picture, or the end, before anything else comes. */
	window_update(launcher);
	bool flushed = wl_display_flush(launcher->display) >= 0;
	if (launcher->done || (!flushed && errno != EAGAIN)) {
		wl_display_cancel_read(launcher->display);
		return launcher->done;
	}
	struct pollfd fds[] = {
			{.fd = wl_display_get_fd(launcher->display),
					.events = (short)(POLLIN | (flushed ? 0 : POLLOUT))},
			{.fd = launcher->repeat_fd, .events = POLLIN},
	};
	if (poll(fds, 2, -1) < 0) {
		wl_display_cancel_read(launcher->display);
		return errno == EINTR;
	}
	if ((fds[0].revents & (POLLIN | POLLERR | POLLHUP)) == 0) {
		wl_display_cancel_read(launcher->display);
	} else if (wl_display_read_events(launcher->display) < 0) {
		return false;
	}
	if (fds[1].revents != 0) {
		keyboard_handle_repeat_timer(launcher);
	}
	return wl_display_dispatch_pending(launcher->display) >= 0;
}

static bool launcher_connect(struct launcher *launcher) {
	launcher->display = wl_display_connect(NULL);
	if (launcher->display == NULL) {
		log_error("cannot connect to the compositor: %s", strerror(errno));
		return false;
	}
	launcher->control = control_create(launcher->display, &control_listener, launcher);
	if (launcher->control == NULL) {
		log_error("%s",
				errno == ENOPROTOOPT ? "this compositor is not guivm-server"
						     : "the connection to the compositor was lost");
		return false;
	}
	return keyboard_init(launcher) && window_init(launcher);
}

static void launcher_finish(struct launcher *launcher) {
	window_finish(launcher);
	keyboard_finish(launcher);
	control_destroy(launcher->control);
	list_finish(&launcher->list);
	icons_destroy(launcher->icons);
	if (launcher->display != NULL) {
		wl_display_flush(launcher->display);
		wl_display_disconnect(launcher->display);
	}
}

static int launcher_run(void) {
	struct launcher launcher = {.repeat_fd = -1, .repeat_rate = 25, .repeat_delay_ms = 600};
	list_init(&launcher.list);
	launcher.icons = icons_create(ICON_THEME, NULL);
	bool ok = launcher_connect(&launcher);
	while (ok && !launcher.done) {
		ok = launcher_turn(&launcher);
		if (!ok) {
			log_error("the connection to the compositor was lost");
		}
	}
	launcher_finish(&launcher);
	return ok ? 0 : 1;
}

int main(int argc, char *argv[]) {
	static const struct option options[] = {
			{"help", no_argument, NULL, 'h'},
			{"version", no_argument, NULL, 'v'},
			{0},
	};
	setlocale(LC_ALL, "");
	log_init("guivm-launcher", NULL);
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'v':
			puts("guivm-launcher " ISTHMUS_VERSION);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "guivm-launcher: \"%s\" is not expected\n%s", argv[optind], usage);
		return 2;
	}
	return launcher_run();
}
