/* SPDX-License-Identifier: Apache-2.0 */
#include "control/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "common/text.h"

void table_init(struct table *table, size_t n_columns) {
	*table = (struct table){.n_columns = n_columns};
}

void table_finish(struct table *table) {
	for (size_t i = 0; i < table->n_cells; i++) {
		free(table->cells[i]);
	}
	free(table->cells);
	*table = (struct table){0};
}

void table_add(struct table *table, const char *format, ...) {
	char text[512], clean[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text_sanitise(clean, sizeof(clean), text);
	char **cells = realloc(table->cells, (table->n_cells + 1) * sizeof(*cells));
	if (cells == NULL) {
		table->out_of_memory = true;
		return;
	}
	table->cells = cells;
	cells[table->n_cells] = strdup(clean);
	if (cells[table->n_cells] == NULL) {
		table->out_of_memory = true;
		return;
	}
	table->n_cells++;
}

/* Terminal columns; the locale is UTF-8 where there is one. */
static int text_width(const char *text) {
	wchar_t wide[512];
	size_t n = mbstowcs(wide, text, sizeof(wide) / sizeof(wide[0]));
	int width = n != (size_t)-1 ? wcswidth(wide, n) : -1;
	return width >= 0 ? width : (int)strlen(text);
}

static int column_width(const struct table *table, size_t column) {
	int width = 0;
	for (size_t i = column; i < table->n_cells; i += table->n_columns) {
		int cell = text_width(table->cells[i]);
		width = cell > width ? cell : width;
	}
	return width;
}

static bool is_number_column(const struct table *table, size_t column) {
	for (size_t i = column + table->n_columns; i < table->n_cells; i += table->n_columns) {
		const char *cell = table->cells[i];
		if (strspn(cell, "-0123456789") != strlen(cell)) {
			return false;
		}
	}
	return true;
}

/* Spaces go in front of a cell only, so that no line ends in them. */
static void print_row(const struct table *table, size_t row, const int *widths, const bool *numbers,
		FILE *stream) {
	int spaces = 0;
	for (size_t column = 0; column < table->n_columns; column++) {
		const char *cell = table->cells[row + column];
		int pad = widths[column] - text_width(cell);
		if (cell[0] != '\0') {
			fprintf(stream, "%*s%s", spaces + (numbers[column] ? pad : 0), "", cell);
			spaces = 2 + (numbers[column] ? 0 : pad);
		} else {
			spaces += 2 + pad;
		}
	}
	fputc('\n', stream);
}

bool table_print(const struct table *table, FILE *stream) {
	if (table->out_of_memory) {
		return false;
	}
	int *widths = calloc(table->n_columns, sizeof(*widths));
	bool *numbers = calloc(table->n_columns, sizeof(*numbers));
	bool ok = widths != NULL && numbers != NULL;
	for (size_t column = 0; ok && column < table->n_columns; column++) {
		widths[column] = column_width(table, column);
		numbers[column] = is_number_column(table, column);
	}
	for (size_t row = 0; ok && row < table->n_cells; row += table->n_columns) {
		print_row(table, row, widths, numbers, stream);
	}
	free(widths);
	free(numbers);
	return ok;
}
