/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_BORDERS_TRUST_H
#define ISTHMUS_BORDERS_TRUST_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A trust mark: what tells a person which VM a surface comes from. It is made from the VM set
 * alone; nothing that a VM sends can change it.
 */
struct trust_mark {
	char name[32]; // VM name, or "guivm" for the GUI VM's own windows
	char label[65]; // shown text
	uint32_t color; // 0xRRGGBB
	bool is_vm; // false: the GUI VM's own
};

/*
 * name and label are cut, between characters, where they are longer than the mark holds; the VM
 * set's never are.
 */
void trust_mark_init(struct trust_mark *mark, const char *name, const char *label, uint32_t color,
		bool is_vm);

/* Whether both say the same. */
bool trust_mark_equal(const struct trust_mark *a, const struct trust_mark *b);

/* Black or white, whichever has the higher WCAG 2 contrast on color. 0xRRGGBB. */
uint32_t trust_text_color(uint32_t color);
double trust_contrast(uint32_t a, uint32_t b); // 1..21

/* A paler variant for windows without focus: the same hue, still told apart. */
uint32_t trust_inactive_color(uint32_t color);

enum trust_vision {
	TRUST_VISION_NORMAL,
	TRUST_VISION_PROTANOPIA,
	TRUST_VISION_DEUTERANOPIA,
	TRUST_VISION_TRITANOPIA,
	TRUST_VISION_COUNT,
};
/* "normal vision", "protanopia" ... for messages. */
const char *trust_vision_name(enum trust_vision vision);

/*
 * How different two colours look, CIEDE2000, under a simulated vision (Machado, Oliveira and
 * Fernandes 2009, severity 1). Below TRUST_MIN_DISTANCE people confuse them.
 */
#define TRUST_MIN_DISTANCE 10.0
double trust_distance(uint32_t a, uint32_t b, enum trust_vision vision);

/*
 * CIEDE2000 of two CIE L*a*b* colours (Sharma, Wu and Dalal 2005, with their test data as the unit
 * test).
 */
double trust_ciede2000(const double lab_a[3], const double lab_b[3]);

#endif
