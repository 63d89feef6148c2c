/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "control/guivmctl.h"
#include "vmset/vmset.h"

enum exit_status command_check(struct guivmctl *ctl, char **args, int n_args) {
	struct vmset_errors errors;
	struct vmset *set = vmset_load(args[0], vmset_check_transport, &errors);
	vmset_errors_print(&errors, STDERR_FILENO);
	enum exit_status status = set != NULL ? STATUS_OK : STATUS_FAILED;
	if (set != NULL) {
		size_t n_warnings = errors.count;
		printf("%s: %zu VMs, no errors, %zu warnings\n", args[0], set->n_vms, n_warnings);
	}
	vmset_errors_finish(&errors);
	vmset_destroy(set);
	return status;
}
