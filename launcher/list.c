/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/client.h"
#include "launcher/match.h"

void list_init(struct list *list) {
	*list = (struct list){.n_visible = 1};
}

static void list_free_entries(struct list *list) {
	for (size_t i = 0; i < list->n_entries; i++) {
		struct entry *entry = &list->entries[i];
		free(entry->vm);
		free(entry->vm_label);
		free(entry->name);
		free(entry->description);
		free(entry->details);
		free(entry->icon);
		if (entry->picture != NULL) {
			cairo_surface_destroy(entry->picture);
		}
	}
	free(list->entries);
	free(list->rows);
	list->entries = NULL;
	list->rows = NULL;
	list->n_entries = list->n_rows = 0;
}

void list_finish(struct list *list) {
	list_free_entries(list);
}

static bool entry_init(struct entry *entry, const struct control_vm *vm,
		const struct control_application *application) {
	*entry = (struct entry){.color = vm->color, .vm_state = vm->state};
	entry->vm = strdup(vm->name);
	entry->vm_label = strdup(vm->label);
	entry->name = strdup(application->name);
	entry->description = strdup(application->description);
	entry->icon = strdup(application->icon);
	if (asprintf(&entry->details, "%s %s %s", application->description, application->categories,
			    vm->name) < 0) {
		entry->details = NULL;
	}
	return entry->vm != NULL && entry->vm_label != NULL && entry->name != NULL &&
			entry->description != NULL && entry->icon != NULL && entry->details != NULL;
}

struct ranked {
	struct entry *entry;
	int score;
};

/* Entries of one score stay in the order of the VM set. */
static int ranked_compare(const void *a_, const void *b_) {
	const struct ranked *a = a_, *b = b_;
	if (a->score != b->score) {
		return a->score > b->score ? -1 : 1;
	}
	return a->entry < b->entry ? -1 : 1;
}

static void list_filter(struct list *list) {
	struct ranked *ranked = calloc(list->n_entries + 1, sizeof(*ranked));
	list->n_rows = 0;
	list->selected = list->first = 0;
	if (ranked == NULL) {
		return;
	}
	for (size_t i = 0; i < list->n_entries; i++) {
		struct entry *entry = &list->entries[i];
		int score = match_score(list->query,
				&(struct match_texts){.name = entry->name,
						.vm_label = entry->vm_label,
						.details = entry->details});
		if (score > 0) {
			ranked[list->n_rows++] = (struct ranked){entry, score};
		}
	}
	qsort(ranked, list->n_rows, sizeof(*ranked), ranked_compare);
	for (size_t i = 0; i < list->n_rows; i++) {
		list->rows[i] = ranked[i].entry;
	}
	free(ranked);
}

static void list_show_selected(struct list *list) {
	if (list->selected < list->first) {
		list->first = list->selected;
	} else if (list->selected >= list->first + list->n_visible) {
		list->first = list->selected - list->n_visible + 1;
	}
}

static void list_select_name(struct list *list, const char *vm, const char *name) {
	for (size_t i = 0; i < list->n_rows; i++) {
		if (strcmp(list->rows[i]->vm, vm) == 0 && strcmp(list->rows[i]->name, name) == 0) {
			list->selected = i;
			list_show_selected(list);
			return;
		}
	}
}

static size_t count_applications(const struct control *control) {
	size_t count = 0;
	const struct control_vm *vm;
	wl_list_for_each (vm, &control->vms, link) {
		count += (size_t)wl_list_length(&vm->applications);
	}
	return count;
}

void list_update(struct list *list, const struct control *control) {
	struct list before = *list;
	size_t count = count_applications(control);
	list->entries = calloc(count + 1, sizeof(*list->entries));
	list->rows = calloc(count + 1, sizeof(struct entry *));
	list->n_entries = 0;
	if (list->entries == NULL || list->rows == NULL) {
		log_error("list of applications: no memory");
		count = 0;
	}
	const struct control_vm *vm;
	const struct control_application *application;
	wl_list_for_each (vm, &control->vms, link) {
		wl_list_for_each (application, &vm->applications, link) {
			if (list->n_entries < count) {
				struct entry *entry = &list->entries[list->n_entries++];
				if (!entry_init(entry, vm, application)) {
					log_error("list of applications: no memory");
					exit(1);
				}
			}
		}
	}
	list_filter(list);
	struct entry *selected = list_selected(&before);
	if (selected != NULL) {
		list_select_name(list, selected->vm, selected->name);
	}
	list_free_entries(&before);
}

void list_set_visible(struct list *list, size_t n_visible) {
	list->n_visible = n_visible > 0 ? n_visible : 1;
	list_show_selected(list);
}

bool list_type(struct list *list, const char *utf8) {
	size_t used = strlen(list->query), length = strlen(utf8);
	if (length == 0 || (unsigned char)utf8[0] < 0x20 || utf8[0] == 0x7f ||
			used + length >= sizeof(list->query)) {
		return false;
	}
	memcpy(list->query + used, utf8, length + 1);
	list_filter(list);
	return true;
}

bool list_erase(struct list *list) {
	size_t used = strlen(list->query);
	if (used == 0) {
		return false;
	}
	do {
		used--;
	} while (used > 0 && ((unsigned char)list->query[used] & 0xc0) == 0x80);
	list->query[used] = '\0';
	list_filter(list);
	return true;
}

bool list_clear(struct list *list) {
	if (list->query[0] == '\0') {
		return false;
	}
	list->query[0] = '\0';
	list_filter(list);
	return true;
}

static size_t clamp_add(size_t value, int change, size_t max) {
	if (change < 0 && (size_t)-change > value) {
		return 0;
	}
	value = change < 0 ? value - (size_t)-change : value + (size_t)change;
	return value > max ? max : value;
}

void list_move(struct list *list, int rows) {
	if (list->n_rows == 0) {
		return;
	}
	list->selected = clamp_add(list->selected, rows, list->n_rows - 1);
	list_show_selected(list);
}

void list_scroll(struct list *list, int rows) {
	size_t last = list->n_rows > list->n_visible ? list->n_rows - list->n_visible : 0;
	list->first = clamp_add(list->first, rows, last);
}

bool list_select_visible(struct list *list, size_t row) {
	size_t index = list->first + row;
	if (row >= list->n_visible || index >= list->n_rows || index == list->selected) {
		return false;
	}
	list->selected = index;
	return true;
}

struct entry *list_selected(const struct list *list) {
	return list->n_rows > 0 ? list->rows[list->selected] : NULL;
}
