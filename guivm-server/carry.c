/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/carry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wlr/types/wlr_data_device.h>

#include "common/fd.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/text.h"
#include "guivm-server/carry_paste.h"
#include "guivm-server/selection.h"
#include "guivm-server/server.h"
#include "guivm-server/view.h"
#include "guivm-server/vm.h"

#define NOTICE_MS 8000 // and a question is over
#define READ_LIMIT_MS 5000

struct carry {
	struct server *server;
	struct vm *from; // whose text it is; NULL: nothing is carried or being read
	char *text; // LIMIT_CARRIED_BYTES + 1 of room; NULL as from
	size_t size;
	int fd; // of the application that still writes it; -1: it is complete
	struct wl_event_source *event; // NULL as fd
	struct wl_event_source *read_timer, *notice_timer;
	struct view *view; // whose title bar has a notice; NULL: none's
	bool asks; // the notice is a question
	char notice[LIMIT_VM_LABEL_BYTES + 128];
	struct carry_pastes pastes;
	struct wl_listener vm_remove;
};

static void carry_hide_notice(struct carry *carry) {
	struct view *view = carry->view;
	carry->view = NULL;
	carry->asks = false;
	wl_event_source_timer_update(carry->notice_timer, 0);
	if (view != NULL) {
		view_show_notice(view, NULL);
	}
}

static void carry_say(struct carry *carry, struct view *view, const char *format, ...)
		__attribute__((format(printf, 3, 4)));

static void carry_say(struct carry *carry, struct view *view, const char *format, ...) {
	carry_hide_notice(carry);
	va_list args;
	va_start(args, format);
	vsnprintf(carry->notice, sizeof(carry->notice), format, args);
	va_end(args);
	carry->view = view;
	view_show_notice(view, carry->notice);
	wl_event_source_timer_update(carry->notice_timer, NOTICE_MS);
}

static int carry_handle_notice_timer(void *data) {
	carry_hide_notice(data);
	return 0;
}

static void carry_stop_reading(struct carry *carry) {
	if (carry->event != NULL) {
		wl_event_source_remove(carry->event);
		carry->event = NULL;
	}
	fd_close(&carry->fd);
	wl_event_source_timer_update(carry->read_timer, 0);
}

static void carry_drop(struct carry *carry) {
	carry_stop_reading(carry);
	if (carry->text != NULL) {
		explicit_bzero(carry->text, LIMIT_CARRIED_BYTES + 1);
		free(carry->text);
	}
	carry->text = NULL;
	carry->size = 0;
	carry->from = NULL;
}

/* Said where it was taken, if that window still has the last notice. */
static void carry_fail(struct carry *carry, const char *why) {
	carry_drop(carry);
	if (carry->view != NULL) {
		carry_say(carry, carry->view, "nothing was taken: %s", why);
	}
}

static void carry_finish_reading(struct carry *carry) {
	carry_stop_reading(carry);
	carry->size = text_strip(carry->text, carry->size);
	if (carry->size == 0) {
		carry_fail(carry, "there is no text in it");
		return;
	}
	log_info("clipboard: %zu bytes of VM \"%s\" were taken", carry->size,
			carry->from->config->name);
	if (carry->view != NULL) {
		carry_say(carry, carry->view,
				"text was taken: Super+V in another window gives it there");
	}
}

static int carry_handle_fd(int fd, uint32_t mask, void *data) {
	struct carry *carry = data;
	ssize_t n = read(fd, carry->text + carry->size, LIMIT_CARRIED_BYTES + 1 - carry->size);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return 0;
	}
	if (n < 0) {
		carry_fail(carry, "it cannot be read");
	} else if (n == 0) {
		carry_finish_reading(carry);
	} else {
		carry->size += (size_t)n;
		if (carry->size > LIMIT_CARRIED_BYTES) {
			carry_fail(carry, "it is too long");
		}
	}
	return 0;
}

static int carry_handle_read_timer(void *data) {
	carry_fail(data, "the application does not come to an end");
	return 0;
}

static void carry_read(struct carry *carry, struct vm *vm, const char *type) {
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0) {
		carry_fail(carry, "no descriptors");
		return;
	}
	carry->text = malloc(LIMIT_CARRIED_BYTES + 1);
	carry->event = carry->text != NULL && fd_set_nonblocking(fds[0], true)
		? wl_event_loop_add_fd(carry->server->loop, fds[0], WL_EVENT_READABLE,
				  carry_handle_fd, carry)
		: NULL;
	carry->fd = fds[0];
	if (carry->event == NULL) {
		close(fds[1]);
		carry_fail(carry, "no memory");
		return;
	}
	carry->from = vm;
	wl_event_source_timer_update(carry->read_timer, READ_LIMIT_MS);
	selection_read(carry->server->selection, vm, type, fds[1]);
}

static bool names_contain(char *const *names, const char *name) {
	for (; names != NULL && *names != NULL; names++) {
		if (strcmp(*names, name) == 0) {
			return true;
		}
	}
	return false;
}

static enum vmset_policy carry_policy(const struct carry *carry, const struct vm *to) {
	const struct vmset_vm *from = carry->from->config;
	bool named = names_contain(from->clipboard_write_to, to->config->name) ||
		names_contain(to->config->clipboard_read_from, from->name);
	return named ? server_vmset(carry->server)->guivm.clipboard : VMSET_DENY;
}

void carry_take(struct server *server, struct view *view) {
	struct carry *carry = server->carry;
	struct vm *vm = view->window.vm;
	carry_drop(carry);
	if (vm == NULL) {
		carry_say(carry, view, "only what was copied in a VM can be taken");
		return;
	}
	if (server_vmset(server)->guivm.clipboard == VMSET_DENY) {
		carry_say(carry, view, "the VM set lets no text leave a VM");
		return;
	}
	const char *type = selection_text_type(server->selection, vm);
	if (type == NULL) {
		carry_say(carry, view, "nothing was taken: no text was copied here");
		return;
	}
	carry_say(carry, view, "taking what was copied");
	carry_read(carry, vm, type);
}

static void carry_hand_over(struct carry *carry, struct view *view) {
	struct vm *to = view->window.vm;
	struct wlr_data_source *source = carry_pastes_create_source(
			&carry->pastes, to, carry->text, carry->size);
	if (source == NULL || !selection_give(carry->server->selection, to, source)) {
		carry_say(carry, view, "no text was given");
		return;
	}
	log_info("clipboard: %zu bytes of VM \"%s\" were given to VM \"%s\"", carry->size,
			carry->from->config->name, to->config->name);
	carry_say(carry, view, "text of %s can be pasted here", carry->from->config->label);
	carry_drop(carry);
}

void carry_give(struct server *server, struct view *view) {
	struct carry *carry = server->carry;
	struct vm *to = view->window.vm;
	bool asked = carry->asks && carry->view == view;
	if (carry->from == NULL || carry->event != NULL) {
		carry_say(carry, view, "no text was taken: Super+C in a window takes it");
		return;
	}
	const char *label = carry->from->config->label;
	if (to == NULL || to == carry->from) {
		carry_say(carry, view, "text of %s can be given to another VM", label);
		return;
	}
	switch (carry_policy(carry, to)) {
	case VMSET_DENY:
		carry_say(carry, view, "the VM set lets no text of %s come here", label);
		return;
	case VMSET_ASK:
		if (!asked) {
			carry_say(carry, view, "let text of %s come here? Super+V again: yes",
					label);
			carry->asks = true;
			return;
		}
		break;
	case VMSET_ALLOW:
		break;
	}
	carry_hand_over(carry, view);
}

void carry_forget_view(struct server *server, struct view *view) {
	struct carry *carry = server->carry;
	if (carry != NULL && carry->view == view) {
		carry_hide_notice(carry);
	}
}

static void carry_handle_vm_remove(struct wl_listener *listener, void *data) {
	struct carry *carry = wl_container_of(listener, carry, vm_remove);
	if (carry->from == data) {
		carry_drop(carry);
		carry_hide_notice(carry);
	}
	carry_pastes_forget_vm(&carry->pastes, data);
}

struct carry *carry_create(struct server *server) {
	struct carry *carry = calloc(1, sizeof(*carry));
	if (carry == NULL) {
		return NULL;
	}
	carry->server = server;
	carry->fd = -1;
	carry->read_timer = wl_event_loop_add_timer(server->loop, carry_handle_read_timer, carry);
	carry->notice_timer =
			wl_event_loop_add_timer(server->loop, carry_handle_notice_timer, carry);
	carry_pastes_init(&carry->pastes, server->loop);
	carry->vm_remove.notify = carry_handle_vm_remove;
	wl_signal_add(&server->vms->events.remove, &carry->vm_remove);
	if (carry->read_timer == NULL || carry->notice_timer == NULL) {
		carry_destroy(carry);
		return NULL;
	}
	return carry;
}

void carry_destroy(struct carry *carry) {
	if (carry == NULL) {
		return;
	}
	if (carry->notice_timer != NULL && carry->read_timer != NULL) {
		carry_hide_notice(carry);
		carry_drop(carry);
	}
	carry_pastes_finish(&carry->pastes);
	wl_list_remove(&carry->vm_remove.link);
	if (carry->read_timer != NULL) {
		wl_event_source_remove(carry->read_timer);
	}
	if (carry->notice_timer != NULL) {
		wl_event_source_remove(carry->notice_timer);
	}
	free(carry);
}
