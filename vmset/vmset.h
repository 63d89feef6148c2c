/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_VMSET_VMSET_H
#define ISTHMUS_VMSET_VMSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The declarative VM set: one file for both sides, JSON or YAML with the same meaning, described by
 * vmset.schema.json and isthmus-vmset(5). Reading is all or nothing: a set with any error is not
 * returned. Strings are UTF-8, owned by the set, never NULL unless said.
 */
#define VMSET_DEFAULT_PATH "/etc/isthmus/vmset.json"

enum vmset_policy {
	VMSET_DENY,
	VMSET_ASK,
	VMSET_ALLOW,
};

enum vmset_trust {
	VMSET_UNTRUSTED,
	VMSET_NORMAL, // the default
	VMSET_TRUSTED,
};

struct vmset_command {
	char **argv; // NULL-terminated, at least one word; NULL: none
};

struct vmset_application {
	char *name; // unique within the VM; how a launch names it
	char *description; // may be ""
	struct vmset_command exec; // in the VM
	char *icon; // icon theme name or absolute path in the GUI VM; may be ""
	char **categories; // freedesktop menu categories, NULL-terminated, may be empty
};

struct vmset_vm {
	char *name; // [a-zA-Z][a-zA-Z0-9_-]*, at most LIMIT_VM_NAME_BYTES, not "guivm"
	char *label; // shown in title bars, unique; the name unless given
	uint32_t color; // 0xRRGGBB
	enum vmset_trust trust;
	char *transport; // checked with transport_spec_check() by the caller's hook, see
			 // vmset_load()
	struct vmset_command start; // brings the VM up; may be none
	bool autostart; // run start when guivm-server starts; start is there then
	uint32_t memory_mib, vcpus; // for generators; 0: not given
	struct vmset_application *applications;
	size_t n_applications;
	// VM names, checked to exist, NULL-terminated
	char **clipboard_read_from, **clipboard_write_to;
	enum vmset_policy fullscreen; // default VMSET_ASK
	bool inhibit_shortcuts; // may have Alt+Tab to itself; default false
	struct {
		uint32_t pages_mib, clients, surfaces; // defaults in common/limits.h
	} limits;
};

struct vmset {
	uint32_t version; // 1
	struct {
		// xkb names; "": default
		char *keyboard_layout, *keyboard_variant, *keyboard_options, *keyboard_model;
		uint32_t keyboard_repeat_rate; // per second, 0: none; default 25
		uint32_t keyboard_repeat_delay_ms; // default 600
		uint32_t border_width; // logical pixels, 2..32, default 4
		enum vmset_policy clipboard; // between VMs, default VMSET_ASK
		uint32_t background; // 0xRRGGBB, default 0x1d2128
		uint32_t color; // 0xRRGGBB of the GUI VM's own frames, default 0x3a3f4b
	} guivm;
	struct vmset_vm *vms; // in file order
	size_t n_vms;
};

/* What is wrong with a file, or unwise about it. */
struct vmset_error {
	bool warning; // does not keep the set from being used
	unsigned line, column; // from 1; 0: about the file as a whole
	char *field; // such as "vms.browser.color"; "" for syntax
	char *text; // what is wrong and what would be right; sanitised
};
/* All of them, in file order, up to LIMIT_VMSET_ERRORS. */
struct vmset_errors {
	char *file; // as given
	struct vmset_error *list;
	size_t count;
	size_t n_errors; // those that are not warnings, including any that did not fit into the
			 // list
};

/* May be NULL. Returns false and a line of text for a transport spec that is not valid. */
typedef bool (*vmset_transport_check_t)(const char *spec, char *error, size_t error_size);

/* The check that programs pass: transport_spec_check(), for those that do not know transports. */
bool vmset_check_transport(const char *spec, char *error, size_t error_size);

/*
 * Reads path: strict JSON when it ends in ".json", YAML (and so JSON with comments) otherwise. NULL
 * when there is any error, also when the file cannot be read; then errors holds all of them. When a
 * set is returned errors holds its warnings. errors is initialised here and finished by the caller
 * either way.
 */
struct vmset *vmset_load(const char *path, vmset_transport_check_t check_transport,
		struct vmset_errors *errors);

/* The same for size bytes of a file called name. */
struct vmset *vmset_parse(const char *name, const char *bytes, size_t size,
		vmset_transport_check_t check_transport, struct vmset_errors *errors);

/* NULL is legal. */
void vmset_destroy(struct vmset *vmset);
void vmset_errors_finish(struct vmset_errors *errors);

/* "file:line:column: field: text" lines; warnings have "warning: " before the text. */
void vmset_errors_print(const struct vmset_errors *errors, int fd);

/* The same lines in one string that the caller frees; NULL on no memory. */
char *vmset_errors_text(const struct vmset_errors *errors);

/* NULL when there is none. */
const struct vmset_vm *vmset_find_vm(const struct vmset *vmset, const char *name);
const struct vmset_application *vmset_find_application(const struct vmset_vm *vm, const char *name);

/* Whether it is no machine of its own: its transport is local, and it has this one's kernel. */
bool vmset_vm_is_local(const struct vmset_vm *vm);

#endif
