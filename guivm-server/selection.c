/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/selection.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_primary_selection.h>
#include <wlr/types/wlr_seat.h>

#include "common/log.h"
#include "guivm-server/vm.h"

// Of the serials before the present one, that are told apart; a quarter, 37 minutes (serials.c).
#define OLD_SERIALS (UINT32_MAX / 4)
#define AGE_MS (10 * 60 * 1000)

/*
 * What one domain has copied. The sources are its clients'; the seat only ever sees stand-ins for
 * them.
 */
struct domain {
	struct wl_list link; // selection.domains
	struct selection *selection;
	struct vm *vm; // NULL: the GUI VM's own programs
	struct wlr_data_source *clipboard; // may be NULL
	struct wlr_primary_selection_source *primary; // may be NULL
	uint32_t clipboard_serial, primary_serial;
	struct wl_listener clipboard_destroy, primary_destroy;
};

struct selection {
	struct wlr_seat *seat; // NULL once it is gone
	struct wl_list domains; // domain.link
	struct domain *current; // whose stand-ins the seat has
	struct wl_event_source *age_timer;
	struct wl_listener request_clipboard, request_primary, focus_change, seat_destroy,
			vm_remove;
};

/*
 * Stand-ins: setting another selection on the seat destroys the one before, and with it the
 * client's source. These may be destroyed any number of times.
 */
struct clipboard_stand_in {
	struct wlr_data_source base;
	struct domain *domain;
};

struct primary_stand_in {
	struct wlr_primary_selection_source base;
	struct domain *domain;
};

static bool mime_types_copy(struct wl_array *to, const struct wl_array *from) {
	char **type;
	wl_array_for_each (type, from) {
		char **copy = wl_array_add(to, sizeof(*copy));
		if (copy == NULL) {
			return false;
		}
		*copy = strdup(*type);
		if (*copy == NULL) {
			to->size -= sizeof(*copy);
			return false;
		}
	}
	return true;
}

/*
 * Whether the keyboard focus is in the domain: a second look, at the moment when data would flow.
 */
static bool domain_has_focus(const struct domain *domain) {
	struct wlr_seat *seat = domain->selection->seat;
	struct wlr_seat_client *focused = seat != NULL ? seat->keyboard_state.focused_client : NULL;
	return focused != NULL && vm_from_client(focused->client) == domain->vm;
}

static void clipboard_handle_send(struct wlr_data_source *base, const char *mime_type, int32_t fd) {
	struct clipboard_stand_in *stand_in = wl_container_of(base, stand_in, base);
	struct domain *domain = stand_in->domain;
	if (domain->clipboard == NULL || !domain_has_focus(domain)) {
		close(fd);
		return;
	}
	wlr_data_source_send(domain->clipboard, mime_type, fd);
}

static void clipboard_handle_destroy(struct wlr_data_source *base) {
	struct clipboard_stand_in *stand_in = wl_container_of(base, stand_in, base);
	free(stand_in);
}

static const struct wlr_data_source_impl clipboard_impl = {
		.send = clipboard_handle_send,
		.destroy = clipboard_handle_destroy,
};

static void primary_handle_send(
		struct wlr_primary_selection_source *base, const char *mime_type, int fd) {
	struct primary_stand_in *stand_in = wl_container_of(base, stand_in, base);
	struct domain *domain = stand_in->domain;
	if (domain->primary == NULL || !domain_has_focus(domain)) {
		close(fd);
		return;
	}
	wlr_primary_selection_source_send(domain->primary, mime_type, fd);
}

static void primary_handle_destroy(struct wlr_primary_selection_source *base) {
	struct primary_stand_in *stand_in = wl_container_of(base, stand_in, base);
	free(stand_in);
}

static const struct wlr_primary_selection_source_impl primary_impl = {
		.send = primary_handle_send,
		.destroy = primary_handle_destroy,
};

/* wlroots takes a serial of more than half of all before the last selection's for an older one. */
static void serial_age(uint32_t *serial, uint32_t now) {
	if (now - *serial > OLD_SERIALS) {
		*serial = now - OLD_SERIALS;
	}
}

/* What the domain has copied, or nothing, becomes the seat's. */
static void domain_offer_clipboard(struct domain *domain) {
	serial_age(&domain->clipboard_serial,
			wl_display_get_serial(domain->selection->seat->display));
	struct clipboard_stand_in *stand_in = NULL;
	if (domain->clipboard != NULL) {
		stand_in = calloc(1, sizeof(*stand_in));
	}
	if (stand_in != NULL) {
		wlr_data_source_init(&stand_in->base, &clipboard_impl);
		stand_in->domain = domain;
		if (!mime_types_copy(&stand_in->base.mime_types, &domain->clipboard->mime_types)) {
			log_error("clipboard: no memory");
		}
	}
	wlr_seat_set_selection(domain->selection->seat, stand_in != NULL ? &stand_in->base : NULL,
			domain->clipboard_serial);
}

static void domain_offer_primary(struct domain *domain) {
	serial_age(&domain->primary_serial,
			wl_display_get_serial(domain->selection->seat->display));
	struct primary_stand_in *stand_in = NULL;
	if (domain->primary != NULL) {
		stand_in = calloc(1, sizeof(*stand_in));
	}
	if (stand_in != NULL) {
		wlr_primary_selection_source_init(&stand_in->base, &primary_impl);
		stand_in->domain = domain;
		if (!mime_types_copy(&stand_in->base.mime_types, &domain->primary->mime_types)) {
			log_error("primary selection: no memory");
		}
	}
	wlr_seat_set_primary_selection(domain->selection->seat,
			stand_in != NULL ? &stand_in->base : NULL, domain->primary_serial);
}

static bool domain_is_current(const struct domain *domain) {
	return domain->selection->seat != NULL && domain->selection->current == domain;
}

static void domain_handle_clipboard_destroy(struct wl_listener *listener, void *data) {
	struct domain *domain = wl_container_of(listener, domain, clipboard_destroy);
	wl_list_remove(&domain->clipboard_destroy.link);
	domain->clipboard = NULL;
	if (domain_is_current(domain)) {
		domain_offer_clipboard(domain);
	}
}

static void domain_handle_primary_destroy(struct wl_listener *listener, void *data) {
	struct domain *domain = wl_container_of(listener, domain, primary_destroy);
	wl_list_remove(&domain->primary_destroy.link);
	domain->primary = NULL;
	if (domain_is_current(domain)) {
		domain_offer_primary(domain);
	}
}

/* The source before is told that it was replaced. */
static void domain_set_clipboard(
		struct domain *domain, struct wlr_data_source *source, uint32_t serial) {
	struct wlr_data_source *old = domain->clipboard;
	domain->clipboard_serial = serial;
	if (source != old) {
		if (old != NULL) {
			wl_list_remove(&domain->clipboard_destroy.link);
		}
		domain->clipboard = source;
		if (source != NULL) {
			domain->clipboard_destroy.notify = domain_handle_clipboard_destroy;
			wl_signal_add(&source->events.destroy, &domain->clipboard_destroy);
		}
	}
	domain_offer_clipboard(domain);
	if (old != NULL && old != source) {
		wlr_data_source_destroy(old);
	}
}

static void domain_set_primary(struct domain *domain, struct wlr_primary_selection_source *source,
		uint32_t serial) {
	struct wlr_primary_selection_source *old = domain->primary;
	domain->primary_serial = serial;
	if (source != old) {
		if (old != NULL) {
			wl_list_remove(&domain->primary_destroy.link);
		}
		domain->primary = source;
		if (source != NULL) {
			domain->primary_destroy.notify = domain_handle_primary_destroy;
			wl_signal_add(&source->events.destroy, &domain->primary_destroy);
		}
	}
	domain_offer_primary(domain);
	if (old != NULL && old != source) {
		wlr_primary_selection_source_destroy(old);
	}
}

static struct domain *selection_domain(struct selection *selection, struct vm *vm) {
	struct domain *domain;
	wl_list_for_each (domain, &selection->domains, link) {
		if (domain->vm == vm) {
			return domain;
		}
	}
	domain = calloc(1, sizeof(*domain));
	if (domain == NULL) {
		return NULL;
	}
	domain->selection = selection;
	domain->vm = vm;
	wl_list_insert(&selection->domains, &domain->link);
	return domain;
}

static void domain_destroy(struct domain *domain) {
	struct selection *selection = domain->selection;
	if (domain->clipboard != NULL) {
		wl_list_remove(&domain->clipboard_destroy.link);
	}
	if (domain->primary != NULL) {
		wl_list_remove(&domain->primary_destroy.link);
	}
	if (domain_is_current(domain)) {
		wlr_seat_set_selection(selection->seat, NULL, 0);
		wlr_seat_set_primary_selection(selection->seat, NULL, 0);
	}
	if (selection->current == domain) {
		selection->current = NULL;
	}
	wl_list_remove(&domain->link);
	free(domain);
}

static void selection_switch(struct selection *selection, struct vm *vm) {
	struct domain *domain = selection_domain(selection, vm);
	selection->current = domain;
	if (domain == NULL) {
		wlr_seat_set_selection(selection->seat, NULL, 0);
		wlr_seat_set_primary_selection(selection->seat, NULL, 0);
		return;
	}
	domain_offer_clipboard(domain);
	domain_offer_primary(domain);
}

void selection_enter(struct selection *selection, const struct wl_client *client) {
	struct vm *vm = vm_from_client(client);
	if (selection->seat == NULL ||
			(selection->current != NULL && selection->current->vm == vm)) {
		return;
	}
	/*
	 * The seat tells whoever has the focus about a new selection: that must be nobody of the
	 * domain before.
	 */
	wlr_seat_keyboard_clear_focus(selection->seat);
	selection_switch(selection, vm);
}

/* For focus that was given in another way: a grab of wlroots, say. */
static void selection_handle_focus_change(struct wl_listener *listener, void *data) {
	struct selection *selection = wl_container_of(listener, selection, focus_change);
	struct wlr_seat_client *focused = selection->seat->keyboard_state.focused_client;
	if (focused == NULL) {
		return;
	}
	struct vm *vm = vm_from_client(focused->client);
	if (selection->current == NULL || selection->current->vm != vm) {
		selection_switch(selection, vm);
	}
}

struct source_search {
	const char *interface;
	const void *source;
	bool found;
};

static enum wl_iterator_result source_search_visit(struct wl_resource *resource, void *data) {
	struct source_search *search = data;
	if (strcmp(wl_resource_get_class(resource), search->interface) == 0 &&
			wl_resource_get_user_data(resource) == search->source) {
		search->found = true;
		return WL_ITERATOR_STOP;
	}
	return WL_ITERATOR_CONTINUE;
}

/*
 * The domain that a request to set a selection is for, or NULL to ignore it. wlroots checks that
 * the serial was given to the client that asks, but neither that it has the focus nor, for serials
 * of long ago, that it was its own; and it does not say which client it was. So the source has to
 * be one of the focused client's own objects: else a VM in the background would fill the clipboard
 * of the one that has the focus.
 */
static struct domain *selection_request_domain(struct selection *selection, const char *interface,
		const void *source, uint32_t serial) {
	struct wlr_seat_client *focused = selection->seat->keyboard_state.focused_client;
	if (focused == NULL || selection->current == NULL ||
			selection->current->vm != vm_from_client(focused->client) ||
			!wlr_seat_client_validate_event_serial(focused, serial)) {
		return NULL;
	}
	if (source != NULL) {
		struct source_search search = {.interface = interface, .source = source};
		wl_client_for_each_resource(focused->client, source_search_visit, &search);
		if (!search.found) {
			return NULL;
		}
	}
	return selection->current;
}

static void selection_handle_request_clipboard(struct wl_listener *listener, void *data) {
	struct selection *selection = wl_container_of(listener, selection, request_clipboard);
	struct wlr_seat_request_set_selection_event *event = data;
	struct domain *domain = selection_request_domain(
			selection, "wl_data_source", event->source, event->serial);
	if (domain != NULL) {
		domain_set_clipboard(domain, event->source, event->serial);
	}
}

static void selection_handle_request_primary(struct wl_listener *listener, void *data) {
	struct selection *selection = wl_container_of(listener, selection, request_primary);
	struct wlr_seat_request_set_primary_selection_event *event = data;
	struct domain *domain = selection_request_domain(
			selection, "zwp_primary_selection_source_v1", event->source, event->serial);
	if (domain != NULL) {
		domain_set_primary(domain, event->source, event->serial);
	}
}

static void selection_forget_seat(struct selection *selection) {
	wl_list_remove(&selection->request_clipboard.link);
	wl_list_remove(&selection->request_primary.link);
	wl_list_remove(&selection->focus_change.link);
	wl_list_remove(&selection->seat_destroy.link);
	selection->seat = NULL;
}

static void selection_handle_seat_destroy(struct wl_listener *listener, void *data) {
	struct selection *selection = wl_container_of(listener, selection, seat_destroy);
	selection_forget_seat(selection);
}

static void selection_handle_vm_remove(struct wl_listener *listener, void *data) {
	struct selection *selection = wl_container_of(listener, selection, vm_remove);
	struct domain *domain, *next;
	wl_list_for_each_safe (domain, next, &selection->domains, link) {
		if (domain->vm == data) {
			domain_destroy(domain);
		}
	}
}

void selection_age(struct selection *selection, uint32_t now) {
	struct domain *domain;
	wl_list_for_each (domain, &selection->domains, link) {
		serial_age(&domain->clipboard_serial, now);
		serial_age(&domain->primary_serial, now);
	}
	serial_age(&selection->seat->selection_serial, now);
	serial_age(&selection->seat->primary_selection_serial, now);
}

static int selection_handle_age_timer(void *data) {
	struct selection *selection = data;
	struct wlr_seat *seat = selection->seat;
	if (seat == NULL) {
		return 0;
	}
	selection_age(selection, wl_display_get_serial(seat->display));
	wl_event_source_timer_update(selection->age_timer, AGE_MS);
	return 0;
}

struct selection *selection_create(struct wlr_seat *seat, struct vms *vms) {
	struct selection *selection = calloc(1, sizeof(*selection));
	if (selection == NULL) {
		return NULL;
	}
	struct wl_event_loop *loop = wl_display_get_event_loop(seat->display);
	selection->age_timer =
			wl_event_loop_add_timer(loop, selection_handle_age_timer, selection);
	if (selection->age_timer == NULL) {
		free(selection);
		return NULL;
	}
	wl_event_source_timer_update(selection->age_timer, AGE_MS);
	selection->seat = seat;
	wl_list_init(&selection->domains);
	selection->request_clipboard.notify = selection_handle_request_clipboard;
	wl_signal_add(&seat->events.request_set_selection, &selection->request_clipboard);
	selection->request_primary.notify = selection_handle_request_primary;
	wl_signal_add(&seat->events.request_set_primary_selection, &selection->request_primary);
	selection->focus_change.notify = selection_handle_focus_change;
	wl_signal_add(&seat->keyboard_state.events.focus_change, &selection->focus_change);
	selection->seat_destroy.notify = selection_handle_seat_destroy;
	wl_signal_add(&seat->events.destroy, &selection->seat_destroy);
	selection->vm_remove.notify = selection_handle_vm_remove;
	wl_signal_add(&vms->events.remove, &selection->vm_remove);
	return selection;
}

void selection_destroy(struct selection *selection) {
	if (selection == NULL) {
		return;
	}
	struct domain *domain, *next;
	wl_list_for_each_safe (domain, next, &selection->domains, link) {
		domain_destroy(domain);
	}
	wl_list_remove(&selection->vm_remove.link);
	wl_event_source_remove(selection->age_timer);
	if (selection->seat != NULL) {
		selection_forget_seat(selection);
	}
	free(selection);
}

const char *selection_text_type(struct selection *selection, struct vm *vm) {
	static const char *const types[] = {
			"text/plain;charset=utf-8", "UTF8_STRING", "text/plain"};
	const struct domain *domain = selection_domain(selection, vm);
	if (domain == NULL || domain->clipboard == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		char **type;
		wl_array_for_each (type, &domain->clipboard->mime_types) {
			if (strcmp(*type, types[i]) == 0) {
				return types[i];
			}
		}
	}
	return NULL;
}

void selection_read(struct selection *selection, struct vm *vm, const char *type, int fd) {
	const struct domain *domain = selection_domain(selection, vm);
	if (domain == NULL || domain->clipboard == NULL) {
		close(fd);
		return;
	}
	wlr_data_source_send(domain->clipboard, type, fd);
}

bool selection_give(struct selection *selection, struct vm *vm, struct wlr_data_source *source) {
	struct domain *domain = selection_domain(selection, vm);
	if (domain == NULL || !domain_is_current(domain)) {
		wlr_data_source_destroy(source);
		return false;
	}
	domain_set_clipboard(domain, source, domain->clipboard_serial);
	return true;
}

bool selection_drag_allowed(const struct wl_client *from, const struct wl_client *to) {
	return vm_same_domain(from, to);
}
