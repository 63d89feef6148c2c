/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_VMSET_DOCUMENT_H
#define ISTHMUS_VMSET_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "vmset/vmset.h"

enum node_kind {
	NODE_INVALID, // reported already: readers use the default and say nothing more
	NODE_NULL,
	NODE_BOOL,
	NODE_INTEGER,
	NODE_FLOAT,
	NODE_STRING,
	NODE_SEQUENCE,
	NODE_MAPPING,
};

/* One value of the file and where it is. */
struct node {
	enum node_kind kind;
	unsigned line, column; // from 1
	char *text; // scalars: UTF-8; owned
	char *key; // in a mapping; owned; NULL otherwise
	unsigned key_line, key_column;
	size_t index; // place in the parent
	struct node *parent;
	struct node *first, *last; // children; owned
	size_t n_children;
	struct node *next; // sibling
};

/*
 * Reads one YAML or (json) strict JSON document. NULL after an error that ends reading (syntax, a
 * limit, memory). Errors that do not, such as an alias, leave a NODE_INVALID.
 */
struct node *document_parse(const char *bytes, size_t size, bool json, struct vmset_errors *errors);

/* With its children. NULL is legal. */
void node_destroy(struct node *node);

/* "vms.browser.exec[0]", with ".suffix" unless suffix is NULL; the caller frees it. NULL on no
 * memory. */
char *node_path(const struct node *node, const char *suffix);

#endif
