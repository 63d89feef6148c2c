/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_VMSET_READER_H
#define ISTHMUS_VMSET_READER_H

#include "vmset/document.h"
#include "vmset/vmset.h"

/* Where a VM of the set came from, for errors that are found when all is read. */
struct reader_vm {
	const struct node *node;
	bool has_color;
};

struct reader {
	struct vmset *set;
	struct reader_vm *vms; // one for each of set->vms; owned
	const struct node *guivm; // NULL when there is none
	struct vmset_errors *errors;
	vmset_transport_check_t check_transport; // may be NULL
};

/* What one VM's entry cannot show: names of other VMs, labels and transports that two have. */
void check_references(struct reader *reader);

/* Colours that people, colour-blind ones as well, would confuse. */
void check_colors(struct reader *reader);

#endif
