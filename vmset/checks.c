/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/limits.h"
#include "vmset/field.h"
#include "vmset/reader.h"

/* Repeated and trailing slashes and options of a local transport do not make it another one. */
static void canonical_transport(char *out, const char *spec) {
	bool local = strncmp(spec, "local:", 6) == 0;
	size_t size = 0;
	for (const char *c = spec; *c != '\0' && !(local && *c == ','); c++) {
		if (!(local && *c == '/' && size > 0 && out[size - 1] == '/')) {
			out[size++] = *c;
		}
	}
	if (local && size > 0 && out[size - 1] == '/') {
		size--;
	}
	out[size] = '\0';
}

static bool same_transport(const char *a, const char *b) {
	char canonical_a[LIMIT_VMSET_TEXT_BYTES + 1], canonical_b[LIMIT_VMSET_TEXT_BYTES + 1];
	canonical_transport(canonical_a, a);
	canonical_transport(canonical_b, b);
	return canonical_a[0] != '\0' && strcmp(canonical_a, canonical_b) == 0;
}

/* Two VMs on one transport would share a relay's socket, and with it their identity. */
static void check_transport(struct reader *reader, size_t i) {
	const struct vmset_vm *vm = &reader->set->vms[i];
	for (size_t j = 0; j < i; j++) {
		const struct vmset_vm *other = &reader->set->vms[j];
		if (vm->transport != NULL && other->transport != NULL &&
				same_transport(vm->transport, other->transport)) {
			field_error(reader->errors, field_find(reader->vms[i].node, "transport"),
					"is the transport of %s too", other->name);
			return;
		}
	}
}

/* Title bars tell VMs apart by their labels. */
static void check_label(struct reader *reader, size_t i) {
	const struct vmset_vm *vm = &reader->set->vms[i];
	const struct node *node = field_find(reader->vms[i].node, "label");
	for (size_t j = 0; j < reader->set->n_vms && node != NULL && vm->label != NULL; j++) {
		const struct vmset_vm *other = &reader->set->vms[j];
		if (j == i || other->name == NULL || other->label == NULL) {
			continue;
		}
		if (strcasecmp(vm->label, other->name) == 0) {
			field_error(reader->errors, node, "is the name of another VM");
			return;
		}
		if (j < i && strcasecmp(vm->label, other->label) == 0) {
			field_error(reader->errors, node, "is the label of %s too", other->name);
			return;
		}
	}
}

static void check_vm_reference(struct reader *reader, size_t i, const struct node *node) {
	const char *names[LIMIT_VMS + 1] = {NULL};
	size_t n = 0;
	if (node->kind != NODE_STRING) {
		return;
	}
	for (size_t j = 0; j < reader->set->n_vms; j++) {
		const char *name = reader->set->vms[j].name;
		if (name == NULL) {
			continue;
		}
		if (strcmp(name, node->text) == 0) {
			if (j == i) {
				field_warning(reader->errors, node,
						"a VM always has its own clipboard");
			}
			return;
		}
		names[n++] = name;
	}
	const char *nearest = field_nearest(node->text, names);
	if (nearest != NULL) {
		field_error(reader->errors, node, "there is no VM \"%.60s\"; did you mean \"%s\"?",
				node->text, nearest);
	} else {
		field_error(reader->errors, node, "there is no VM \"%.60s\"", node->text);
	}
}

static void check_clipboard_list(struct reader *reader, size_t i, const char *key) {
	const struct node *list = field_find(field_find(reader->vms[i].node, "clipboard"), key);
	if (list == NULL || list->kind != NODE_SEQUENCE || list->n_children > LIMIT_VMS) {
		return;
	}
	for (const struct node *node = list->first; node != NULL; node = node->next) {
		check_vm_reference(reader, i, node);
	}
}

void check_references(struct reader *reader) {
	for (size_t i = 0; i < reader->set->n_vms; i++) {
		check_transport(reader, i);
		check_label(reader, i);
		check_clipboard_list(reader, i, "read_from");
		check_clipboard_list(reader, i, "write_to");
	}
}
