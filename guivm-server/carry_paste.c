/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/carry_paste.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wlr/types/wlr_data_device.h>

#include "common/fd.h"
#include "common/limits.h"

/* Shared by a selection and the pastes of it that are under way. */
struct carried {
	size_t refs, size;
	char bytes[];
};

struct carry_source {
	struct wlr_data_source base;
	struct wl_list link; // carry_pastes.sources
	struct carry_pastes *pastes;
	const struct vm *vm; // only compared
	struct carried *text;
};

struct carry_paste {
	struct wl_list link; // carry_pastes.pastes
	struct wl_event_source *event;
	const struct vm *vm; // only compared
	int fd;
	struct carried *text;
	size_t written;
};

static void carried_unref(struct carried *text) {
	if (--text->refs == 0) {
		explicit_bzero(text->bytes, text->size);
		free(text);
	}
}

static void carry_paste_destroy(struct carry_paste *paste) {
	wl_list_remove(&paste->link);
	wl_event_source_remove(paste->event);
	close(paste->fd);
	carried_unref(paste->text);
	free(paste);
}

static int carry_paste_handle_fd(int fd, uint32_t mask, void *data) {
	struct carry_paste *paste = data;
	struct carried *text = paste->text;
	ssize_t n = fd_write_nowait(
			fd, text->bytes + paste->written, text->size - paste->written);
	if (n > 0) {
		paste->written += (size_t)n;
	}
	bool waits = n >= 0 || errno == EAGAIN || errno == EINTR;
	if (!waits || paste->written == text->size || (mask & WL_EVENT_ERROR)) {
		carry_paste_destroy(paste);
	}
	return 0;
}

/* A reader that never reads holds its descriptor, and a place that the next ones take over. */
static void carry_pastes_make_room(struct carry_pastes *pastes) {
	if (wl_list_length(&pastes->pastes) >= LIMIT_CARRIED_PASTES) {
		struct carry_paste *oldest = wl_container_of(pastes->pastes.next, oldest, link);
		carry_paste_destroy(oldest);
	}
}

static void carry_source_handle_send(struct wlr_data_source *base, const char *type, int32_t fd) {
	struct carry_source *source = wl_container_of(base, source, base);
	struct carry_pastes *pastes = source->pastes;
	carry_pastes_make_room(pastes);
	struct carry_paste *paste = calloc(1, sizeof(*paste));
	if (paste != NULL && fd_set_nonblocking(fd, true)) {
		paste->event = wl_event_loop_add_fd(
				pastes->loop, fd, WL_EVENT_WRITABLE, carry_paste_handle_fd, paste);
	}
	if (paste == NULL || paste->event == NULL) {
		free(paste);
		close(fd);
		return;
	}
	paste->vm = source->vm;
	paste->fd = fd;
	paste->text = source->text;
	paste->text->refs++;
	wl_list_insert(pastes->pastes.prev, &paste->link);
}

static void carry_source_handle_destroy(struct wlr_data_source *base) {
	struct carry_source *source = wl_container_of(base, source, base);
	wl_list_remove(&source->link);
	carried_unref(source->text);
	free(source);
}

static const struct wlr_data_source_impl carry_source_impl = {
	.send = carry_source_handle_send,
	.destroy = carry_source_handle_destroy,
};

static void carry_source_add_type(struct carry_source *source, const char *type) {
	char *copy = strdup(type);
	char **entry = copy != NULL ? wl_array_add(&source->base.mime_types, sizeof(*entry)) : NULL;
	if (entry != NULL) {
		*entry = copy;
	} else {
		free(copy);
	}
}

void carry_pastes_init(struct carry_pastes *pastes, struct wl_event_loop *loop) {
	pastes->loop = loop;
	wl_list_init(&pastes->sources);
	wl_list_init(&pastes->pastes);
}

void carry_pastes_finish(struct carry_pastes *pastes) {
	struct carry_paste *paste, *next_paste;
	wl_list_for_each_safe(paste, next_paste, &pastes->pastes, link) {
		carry_paste_destroy(paste);
	}
	struct carry_source *source, *next;
	wl_list_for_each_safe(source, next, &pastes->sources, link) {
		wlr_data_source_destroy(&source->base);
	}
}

struct wlr_data_source *carry_pastes_create_source(
		struct carry_pastes *pastes, struct vm *vm, const char *text, size_t size) {
	struct carry_source *source = calloc(1, sizeof(*source));
	struct carried *copy = malloc(sizeof(*copy) + size);
	if (source == NULL || copy == NULL) {
		free(source);
		free(copy);
		return NULL;
	}
	*copy = (struct carried){.refs = 1, .size = size};
	memcpy(copy->bytes, text, size);
	wlr_data_source_init(&source->base, &carry_source_impl);
	source->pastes = pastes;
	source->vm = vm;
	source->text = copy;
	wl_list_insert(&pastes->sources, &source->link);
	carry_source_add_type(source, "text/plain;charset=utf-8");
	carry_source_add_type(source, "text/plain");
	carry_source_add_type(source, "UTF8_STRING");
	return &source->base;
}

void carry_pastes_forget_vm(struct carry_pastes *pastes, const struct vm *vm) {
	struct carry_source *source, *next;
	wl_list_for_each_safe(source, next, &pastes->sources, link) {
		if (source->vm == vm) {
			wlr_data_source_destroy(&source->base);
		}
	}
	struct carry_paste *paste, *next_paste;
	wl_list_for_each_safe(paste, next_paste, &pastes->pastes, link) {
		if (paste->vm == vm) {
			carry_paste_destroy(paste);
		}
	}
}
