/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "vmset/vmset.h"

/* Judges each file given: "good" or "bad" on a line, errors on standard error. */
int main(int argc, char **argv) {
	for (int i = 1; i < argc; i++) {
		struct vmset_errors errors;
		struct vmset *set = vmset_load(argv[i], NULL, &errors);
		const char *line = set != NULL ? "good\n" : "bad\n";
		vmset_errors_print(&errors, STDERR_FILENO);
		if (write(STDOUT_FILENO, line, set != NULL ? 5 : 4) < 0) {
			return 1;
		}
		vmset_errors_finish(&errors);
		vmset_destroy(set);
	}
	return 0;
}
