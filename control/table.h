/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_CONTROL_TABLE_H
#define ISTHMUS_CONTROL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Text in aligned columns for people. */
struct table {
	size_t n_columns;
	char **cells; // row by row; owned
	size_t n_cells;
	bool out_of_memory;
};

void table_init(struct table *table, size_t n_columns);
void table_finish(struct table *table);

/* The next cell, row by row; the text is copied and sanitised. */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Columns whose cells below the first row are all numbers are right-aligned. false on no memory. */
bool table_print(const struct table *table, FILE *stream);

#endif
