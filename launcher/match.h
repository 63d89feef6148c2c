/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_LAUNCHER_MATCH_H
#define ISTHMUS_LAUNCHER_MATCH_H

#include <stdbool.h>

/*
 * How well a typed text fits an application. Every word of the query has to be found somewhere;
 * case and accents' composition do not matter.
 */
struct match_texts {
	const char *name, *vm_label; // shown
	const char *details; // description and categories
};

/*
 * 0: no match; higher is better. The empty query matches everything alike. Best is the start of the
 * name, then the start of a word in it, the VM's label, any part of the name, the letters of the
 * query in order within the name, and last the details.
 */
int match_score(const char *query, const struct match_texts *texts);

#endif
