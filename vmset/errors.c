/* SPDX-License-Identifier: Apache-2.0 */
#include "vmset/errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/text.h"

void errors_init(struct vmset_errors *errors, const char *file) {
	*errors = (struct vmset_errors){.file = strdup(file)};
}

/* Fields and texts quote the file, and end on terminals. */
static char *copy_sanitised(const char *text) {
	size_t size = strlen(text) * 3 + 1; // U+FFFD is three bytes for one
	char *copy = malloc(size);
	if (copy != NULL) {
		text_sanitise(copy, size, text);
	}
	return copy;
}

void errors_add(struct vmset_errors *errors, const struct vmset_error *template) {
	if (!template->warning) {
		errors->n_errors++;
	}
	if (errors->count == LIMIT_VMSET_ERRORS) {
		return;
	}
	struct vmset_error *list = realloc(errors->list, (errors->count + 1) * sizeof(*list));
	if (list == NULL) {
		return;
	}
	errors->list = list;
	struct vmset_error *error = &list[errors->count];
	*error = *template;
	error->field = copy_sanitised(template->field);
	error->text = copy_sanitised(template->text);
	if (error->field == NULL || error->text == NULL) {
		free(error->field);
		free(error->text);
		return;
	}
	errors->count++;
}

void errors_add_file(struct vmset_errors *errors, const char *format, ...) {
	char text[512];
	char field[] = "";
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	errors_add(errors, &(struct vmset_error){.field = field, .text = text});
}

static int compare_errors(const void *a_data, const void *b_data) {
	const struct vmset_error *a = a_data, *b = b_data;
	if (a->line != b->line) {
		return a->line < b->line ? -1 : 1;
	}
	if (a->column != b->column) {
		return a->column < b->column ? -1 : 1;
	}
	return strcmp(a->field, b->field);
}

void errors_sort(struct vmset_errors *errors) {
	if (errors->count > 1) {
		qsort(errors->list, errors->count, sizeof(errors->list[0]), compare_errors);
	}
}

static void print_error(FILE *stream, const char *file, const struct vmset_error *error) {
	fputs(file, stream);
	if (error->line != 0) {
		fprintf(stream, ":%u:%u", error->line, error->column);
	}
	if (error->field[0] != '\0') {
		fprintf(stream, ": %s", error->field);
	}
	fprintf(stream, ": %s%s\n", error->warning ? "warning: " : "", error->text);
}

char *vmset_errors_text(const struct vmset_errors *errors) {
	const char *file = errors->file != NULL ? errors->file : "VM set";
	char *text = NULL;
	size_t size = 0, n_printed = 0;
	FILE *stream = open_memstream(&text, &size);
	if (stream == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < errors->count; i++) {
		print_error(stream, file, &errors->list[i]);
		n_printed += !errors->list[i].warning;
	}
	if (errors->n_errors > n_printed) {
		fprintf(stream, "%s: %zu more errors\n", file, errors->n_errors - n_printed);
	}
	if (fclose(stream) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

void vmset_errors_print(const struct vmset_errors *errors, int fd) {
	char *text = vmset_errors_text(errors);
	if (text == NULL) {
		return;
	}
	size_t size = strlen(text);
	for (size_t written = 0; written < size;) {
		ssize_t n = write(fd, text + written, size - written);
		if (n <= 0) {
			break;
		}
		written += (size_t)n;
	}
	free(text);
}

void vmset_errors_finish(struct vmset_errors *errors) {
	for (size_t i = 0; i < errors->count; i++) {
		free(errors->list[i].field);
		free(errors->list[i].text);
	}
	free(errors->list);
	free(errors->file);
	*errors = (struct vmset_errors){0};
}
