/* SPDX-License-Identifier: Apache-2.0 */
#include "vmset/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/limits.h"
#include "vmset/errors.h"
#include "vmset/field.h"

static const char *const policies[] = {
	[VMSET_DENY] = "deny",
	[VMSET_ASK] = "ask",
	[VMSET_ALLOW] = "allow",
	NULL,
};
static const char *const trusts[] = {
	[VMSET_UNTRUSTED] = "untrusted",
	[VMSET_NORMAL] = "normal",
	[VMSET_TRUSTED] = "trusted",
	NULL,
};

static void read_keyboard(struct reader *reader, const struct node *guivm) {
	static const char *const keys[] = {
		"layout", "variant", "options", "model", "repeat_rate", "repeat_delay_ms", NULL};
	struct vmset_errors *errors = reader->errors;
	struct vmset *set = reader->set;
	const struct node *node = field_find(guivm, "keyboard");
	if (node != NULL && !field_check_mapping(errors, node, keys)) {
		node = NULL;
	}
	set->guivm.keyboard_layout = field_text(errors, node, "layout", LIMIT_VMSET_TEXT_BYTES, "");
	set->guivm.keyboard_variant =
			field_text(errors, node, "variant", LIMIT_VMSET_TEXT_BYTES, "");
	set->guivm.keyboard_options =
			field_text(errors, node, "options", LIMIT_VMSET_TEXT_BYTES, "");
	set->guivm.keyboard_model = field_text(errors, node, "model", LIMIT_VMSET_TEXT_BYTES, "");
	set->guivm.keyboard_repeat_rate = field_uint(errors, node, "repeat_rate",
			(struct field_range){.min = 0, .max = 200, .fallback = 25});
	set->guivm.keyboard_repeat_delay_ms = field_uint(errors, node, "repeat_delay_ms",
			(struct field_range){.min = 50, .max = 10000, .fallback = 600});
}

static void read_border(struct reader *reader, const struct node *guivm) {
	static const char *const keys[] = {"width", NULL};
	const struct node *node = field_find(guivm, "border");
	if (node != NULL && !field_check_mapping(reader->errors, node, keys)) {
		node = NULL;
	}
	reader->set->guivm.border_width = field_uint(reader->errors, node, "width",
			(struct field_range){.min = 2, .max = 32, .fallback = 4});
}

static void read_guivm(struct reader *reader, const struct node *root) {
	static const char *const keys[] = {
		"keyboard", "border", "clipboard", "background", "color", NULL};
	struct vmset *set = reader->set;
	const struct node *node = field_find(root, "guivm");
	if (node != NULL && !field_check_mapping(reader->errors, node, keys)) {
		node = NULL;
	}
	reader->guivm = node;
	read_keyboard(reader, node);
	read_border(reader, node);
	set->guivm.clipboard = field_choice(reader->errors, node, "clipboard", policies, VMSET_ASK);
	set->guivm.background = 0x1d2128;
	set->guivm.color = 0x3a3f4b;
	field_color(reader->errors, field_find(node, "background"), &set->guivm.background);
	field_color(reader->errors, field_find(node, "color"), &set->guivm.color);
}

/* The launcher's protocol puts categories into one string. */
static void check_categories(struct reader *reader, const struct node *node) {
	for (const struct node *child = node != NULL ? node->first : NULL; child != NULL;
			child = child->next) {
		if (child->kind == NODE_STRING && (child->text[0] == '\0' ||
				strpbrk(child->text, ";\n") != NULL)) {
			field_error(reader->errors, child, "must be a category's name");
		}
	}
}

static void check_application_name(struct reader *reader, const struct node *list,
		const struct node *node) {
	const struct node *name = field_find(node, "name");
	if (name == NULL || name->kind != NODE_STRING) {
		return;
	}
	if (name->text[0] == '\0') {
		field_error(reader->errors, name, "must not be empty");
		return;
	}
	for (const struct node *other = list->first; other != node; other = other->next) {
		const struct node *other_name = field_find(other, "name");
		if (other_name != NULL && other_name->kind == NODE_STRING &&
				strcmp(other_name->text, name->text) == 0) {
			field_error(reader->errors, name, "\"%s\" is the name of two applications; "
					"the first is on line %u", name->text, other_name->line);
			return;
		}
	}
}

static void read_application(struct reader *reader, const struct node *node,
		struct vmset_application *application) {
	static const char *const keys[] = {
			"name", "description", "exec", "icon", "categories", NULL};
	struct vmset_errors *errors = reader->errors;
	if (!field_check_mapping(errors, node, keys)) {
		return;
	}
	field_require(errors, node, "name");
	check_application_name(reader, node->parent, node);
	application->name = field_text(errors, node, "name", LIMIT_APP_NAME_BYTES, "");
	application->description =
			field_text(errors, node, "description", LIMIT_VMSET_TEXT_BYTES, "");
	application->icon = field_text(errors, node, "icon", LIMIT_VMSET_TEXT_BYTES, "");
	application->exec = field_command(errors, field_require(errors, node, "exec"));
	const struct node *categories = field_find(node, "categories");
	application->categories = field_texts(errors, categories, LIMIT_CATEGORIES);
	check_categories(reader, categories);
}

static void read_applications(struct reader *reader, const struct node *node, struct vmset_vm *vm) {
	if (!field_check_list(reader->errors, node, LIMIT_APPS_PER_VM) || node->n_children == 0) {
		return;
	}
	vm->applications = calloc(node->n_children, sizeof(vm->applications[0]));
	if (vm->applications == NULL) {
		errors_add_file(reader->errors, "out of memory");
		return;
	}
	for (const struct node *child = node->first; child != NULL; child = child->next) {
		read_application(reader, child, &vm->applications[vm->n_applications++]);
	}
}

static void read_vm_clipboard(
		struct reader *reader, const struct node *vm_node, struct vmset_vm *vm) {
	static const char *const keys[] = {"read_from", "write_to", NULL};
	const struct node *node = field_find(vm_node, "clipboard");
	if (node != NULL && !field_check_mapping(reader->errors, node, keys)) {
		node = NULL;
	}
	vm->clipboard_read_from =
			field_texts(reader->errors, field_find(node, "read_from"), LIMIT_VMS);
	vm->clipboard_write_to =
			field_texts(reader->errors, field_find(node, "write_to"), LIMIT_VMS);
}

static void read_limits(struct reader *reader, const struct node *vm_node, struct vmset_vm *vm) {
	static const char *const keys[] = {"pages_mib", "clients", "surfaces", NULL};
	struct vmset_errors *errors = reader->errors;
	const struct node *node = field_find(vm_node, "limits");
	if (node != NULL && !field_check_mapping(errors, node, keys)) {
		node = NULL;
	}
	vm->limits.pages_mib = field_uint(errors, node, "pages_mib", (struct field_range){
			.min = 1, .max = LIMIT_PAGES_MIB_MAX, .fallback = LIMIT_PAGES_MIB_DEFAULT});
	vm->limits.clients = field_uint(errors, node, "clients",
			(struct field_range){.min = 1,
					.max = LIMIT_CLIENTS_PER_LINK,
					.fallback = LIMIT_CLIENTS_PER_VM_DEFAULT});
	vm->limits.surfaces = field_uint(errors, node, "surfaces",
			(struct field_range){.min = 1,
					.max = LIMIT_OBJECTS_PER_CLIENT,
					.fallback = LIMIT_SURFACES_PER_VM_DEFAULT});
}

/* A VM's name becomes part of folder names, environment variables and arguments of commands. */
static void check_vm_name(struct reader *reader, const struct node *node) {
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char others[] = "0123456789_-";
	const char *name = node->key;
	size_t first = strspn(name, letters);
	bool valid = first > 0;
	for (const char *c = name + first; *c != '\0'; c++) {
		valid = valid && (strchr(letters, *c) != NULL || strchr(others, *c) != NULL);
	}
	if (!valid || strlen(name) > LIMIT_VM_NAME_BYTES) {
		field_key_error(reader->errors, node,
				"a VM's name is a letter and then letters, digits, "
				"- and _, at most %d together",
				LIMIT_VM_NAME_BYTES);
	} else if (strcmp(name, "guivm") == 0) {
		field_key_error(reader->errors, node, "this name belongs to the GUI VM");
	}
}

static void check_label_text(struct reader *reader, const struct node *node) {
	if (node != NULL && node->kind == NODE_STRING &&
			node->text[strspn(node->text, " ")] == '\0') {
		field_error(reader->errors, node, "must not be empty");
	}
}

static void check_vm_transport(struct reader *reader, const struct node *node) {
	char error[256] = "";
	if (node == NULL || node->kind != NODE_STRING || reader->check_transport == NULL) {
		return;
	}
	if (!reader->check_transport(node->text, error, sizeof(error))) {
		field_error(reader->errors, node, "%s", error);
	}
}

static void read_vm(struct reader *reader, const struct node *node, struct vmset_vm *vm,
		struct reader_vm *origin) {
	static const char *const keys[] = {"label", "color", "trust", "transport", "start",
			"autostart", "memory_mib", "vcpus", "applications", "clipboard",
			"fullscreen", "inhibit_shortcuts", "limits", NULL};
	struct vmset_errors *errors = reader->errors;
	vm->name = field_copy(errors, node->key);
	check_vm_name(reader, node);
	if (!field_check_mapping(errors, node, keys)) {
		return;
	}
	vm->label = field_text(errors, node, "label", LIMIT_VM_LABEL_BYTES, node->key);
	check_label_text(reader, field_find(node, "label"));
	origin->has_color = field_color(errors, field_require(errors, node, "color"), &vm->color);
	vm->trust = field_choice(errors, node, "trust", trusts, VMSET_NORMAL);
	check_vm_transport(reader, field_require(errors, node, "transport"));
	vm->transport = field_text(errors, node, "transport", LIMIT_VMSET_TEXT_BYTES, "");
	vm->start = field_command(errors, field_find(node, "start"));
	vm->autostart = field_bool(errors, node, "autostart", false);
	if (vm->autostart && field_find(node, "start") == NULL) {
		field_error(errors, field_find(node, "autostart"), "needs a start command");
	}
	vm->memory_mib = field_uint(errors, node, "memory_mib",
			(struct field_range){.min = 1, .max = 16 * 1024 * 1024});
	vm->vcpus = field_uint(errors, node, "vcpus", (struct field_range){.min = 1, .max = 1024});
	read_applications(reader, field_find(node, "applications"), vm);
	read_vm_clipboard(reader, node, vm);
	vm->fullscreen = field_choice(errors, node, "fullscreen", policies, VMSET_ASK);
	vm->inhibit_shortcuts = field_bool(errors, node, "inhibit_shortcuts", false);
	read_limits(reader, node, vm);
}

static void read_vms(struct reader *reader, const struct node *node) {
	if (node == NULL || !field_check_names(reader->errors, node) || node->n_children == 0) {
		return;
	}
	if (node->n_children > LIMIT_VMS) {
		field_error(reader->errors, node, "has %zu VMs; at most %d are possible",
				node->n_children, LIMIT_VMS);
		return;
	}
	reader->set->vms = calloc(node->n_children, sizeof(reader->set->vms[0]));
	reader->vms = calloc(node->n_children, sizeof(reader->vms[0]));
	if (reader->set->vms == NULL || reader->vms == NULL) {
		errors_add_file(reader->errors, "out of memory");
		return;
	}
	for (const struct node *child = node->first; child != NULL; child = child->next) {
		if (field_find(node, child->key) != child) {
			continue; // reported as a duplicate
		}
		size_t i = reader->set->n_vms++;
		reader->vms[i].node = child;
		read_vm(reader, child, &reader->set->vms[i], &reader->vms[i]);
	}
}

static void read_root(struct reader *reader, const struct node *root) {
	static const char *const keys[] = {"$schema", "version", "guivm", "vms", NULL};
	if (!field_check_mapping(reader->errors, root, keys)) {
		return;
	}
	const struct node *schema = field_find(root, "$schema");
	if (schema != NULL) {
		field_check_text(reader->errors, schema, LIMIT_VMSET_TEXT_BYTES);
	}
	field_require(reader->errors, root, "version");
	reader->set->version = field_uint(reader->errors, root, "version",
			(struct field_range){.min = 1, .max = 1, .fallback = 1});
	read_guivm(reader, root);
	read_vms(reader, field_require(reader->errors, root, "vms"));
	check_references(reader);
	check_colors(reader);
}

static bool is_json_name(const char *name) {
	size_t length = strlen(name);
	return length >= 5 && strcmp(name + length - 5, ".json") == 0;
}

static void read_set(const char *name, const char *bytes, size_t size, struct reader *reader) {
	struct node *root = document_parse(bytes, size, is_json_name(name), reader->errors);
	if (root == NULL) {
		return;
	}
	reader->set = calloc(1, sizeof(*reader->set));
	if (reader->set == NULL) {
		errors_add_file(reader->errors, "out of memory");
	} else {
		read_root(reader, root);
	}
	free(reader->vms);
	node_destroy(root);
}

struct vmset *vmset_parse(const char *name, const char *bytes, size_t size,
		vmset_transport_check_t check_transport, struct vmset_errors *errors) {
	errors_init(errors, name);
	struct reader reader = {.errors = errors, .check_transport = check_transport};
	if (size > LIMIT_VMSET_FILE_BYTES) {
		errors_add_file(errors, "is larger than %d bytes", LIMIT_VMSET_FILE_BYTES);
	} else {
		read_set(name, bytes, size, &reader);
	}
	errors_sort(errors);
	if (errors->n_errors > 0) {
		vmset_destroy(reader.set);
		return NULL;
	}
	return reader.set;
}

/* At most one byte more than the limit, which is how too large a file shows; also from a pipe. */
static char *read_file(const char *path, size_t *size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		return NULL;
	}
	const size_t max_bytes = LIMIT_VMSET_FILE_BYTES + 1;
	char *bytes = malloc(max_bytes);
	*size = 0;
	while (bytes != NULL && *size < max_bytes) {
		ssize_t n = read(fd, bytes + *size, max_bytes - *size);
		if (n == 0) {
			break;
		} else if (n > 0) {
			*size += (size_t)n;
		} else if (errno != EINTR) {
			int saved_errno = errno;
			free(bytes);
			bytes = NULL;
			errno = saved_errno;
		}
	}
	fd_close(&fd);
	return bytes;
}

struct vmset *vmset_load(const char *path, vmset_transport_check_t check_transport,
		struct vmset_errors *errors) {
	size_t size;
	char *bytes = read_file(path, &size);
	if (bytes == NULL) {
		int saved_errno = errno;
		errors_init(errors, path);
		errors_add_file(errors, "%s", strerror(saved_errno));
		return NULL;
	}
	struct vmset *set = vmset_parse(path, bytes, size, check_transport, errors);
	free(bytes);
	return set;
}
