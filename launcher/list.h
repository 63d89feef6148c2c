/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_LAUNCHER_LIST_H
#define ISTHMUS_LAUNCHER_LIST_H

#include <cairo.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct control;

/*
 * The applications of all VMs, those that match what was typed, and which of them is chosen.
 */
#define LIST_QUERY_BYTES 128

struct entry {
	char *vm, *vm_label, *name, *description, *details, *icon; // owned
	uint32_t color; // the VM's, 0xRRGGBB
	uint32_t vm_state; // enum control_vm_state
	cairo_surface_t *picture; // cache of the icon, or NULL
	bool picture_symbolic; // only its shape counts; drawn in the colour of text
	int picture_size; // pixels it was looked up for; 0: not yet
};

struct list {
	struct entry *entries; // in the order of the VM set
	size_t n_entries;
	struct entry **rows; // what matches, best first
	size_t n_rows;
	size_t selected; // of rows; 0 when there are none
	size_t first; // the first row that is shown
	size_t n_visible; // rows that there is room for, at least 1
	char query[LIST_QUERY_BYTES];
};

void list_init(struct list *list);
void list_finish(struct list *list);

/* Copies what control knows. The query stays, and the chosen row where it still matches. */
void list_update(struct list *list, const struct control *control);

void list_set_visible(struct list *list, size_t n_visible);

/* The best match is chosen. Returns whether the query changed. */
bool list_type(struct list *list, const char *utf8);
bool list_erase(struct list *list); // the last character
bool list_clear(struct list *list);

/* Moves the choice and scrolls it into sight; stops at both ends. */
void list_move(struct list *list, int rows);
/* Scrolls without choosing. */
void list_scroll(struct list *list, int rows);
/*
 * Chooses a visible row, counted from the first that is shown. Returns whether the choice changed.
 */
bool list_select_visible(struct list *list, size_t row);

/* NULL when nothing matches. */
struct entry *list_selected(const struct list *list);

#endif
