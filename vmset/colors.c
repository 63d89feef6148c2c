/* SPDX-License-Identifier: Apache-2.0 */
#include "borders/trust.h"
#include "vmset/field.h"
#include "vmset/reader.h"

/* TRUST_VISION_COUNT when the two are told apart by everybody. */
static enum trust_vision confused_by(uint32_t a, uint32_t b) {
	enum trust_vision vision = TRUST_VISION_NORMAL;
	while (vision < TRUST_VISION_COUNT && trust_distance(a, b, vision) >= TRUST_MIN_DISTANCE) {
		vision++;
	}
	return vision;
}

static void check_pair(struct reader *reader, size_t i, size_t j) {
	const struct node *node = field_find(reader->vms[i].node, "color");
	const struct vmset_vm *vm = &reader->set->vms[i], *other = &reader->set->vms[j];
	enum trust_vision vision = confused_by(vm->color, other->color);
	if (vision == TRUST_VISION_NORMAL) {
		field_error(reader->errors, node, "#%06x looks too much like #%06x of %s",
				vm->color, other->color, other->name);
	} else if (vision != TRUST_VISION_COUNT) {
		field_warning(reader->errors, node,
				"#%06x looks too much like #%06x of %s to people "
				"with %s",
				vm->color, other->color, other->name, trust_vision_name(vision));
	}
}

void check_colors(struct reader *reader) {
	for (size_t i = 0; i < reader->set->n_vms; i++) {
		if (!reader->vms[i].has_color) {
			continue;
		}
		uint32_t color = reader->set->vms[i].color;
		if (confused_by(color, reader->set->guivm.color) == TRUST_VISION_NORMAL) {
			field_warning(reader->errors, field_find(reader->vms[i].node, "color"),
					"#%06x looks too much like #%06x, the frames of "
					"the GUI VM's own windows",
					color, reader->set->guivm.color);
		}
		for (size_t j = 0; j < i; j++) {
			if (reader->vms[j].has_color && reader->set->vms[j].name != NULL) {
				check_pair(reader, i, j);
			}
		}
	}
}
