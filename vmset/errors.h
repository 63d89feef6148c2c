/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_VMSET_ERRORS_H
#define ISTHMUS_VMSET_ERRORS_H

#include <stdarg.h>

#include "vmset/vmset.h"

/* file is copied. */
void errors_init(struct vmset_errors *errors, const char *file);

/* Adds template with its field and text copied and sanitised. Past LIMIT_VMSET_ERRORS, and when
 * memory is out, an error is counted and not kept. */
void errors_add(struct vmset_errors *errors, const struct vmset_error *template);

/* An error about the file as a whole. */
void errors_add_file(struct vmset_errors *errors, const char *format, ...)
		__attribute__((format(printf, 2, 3)));

/* By position in the file. */
void errors_sort(struct vmset_errors *errors);

#endif
