/* SPDX-License-Identifier: Apache-2.0 */
#include "control/guivmctl.h"
#include "transport/probe.h"

enum exit_status command_probe_memory(struct guivmctl *ctl, char **args, int n_args) {
	struct transport_probe probe;
	char error[512];
	if (!transport_probe(args[0], TRANSPORT_GUIVM, &probe, error, sizeof(error))) {
		guivmctl_error("%s", error);
		return STATUS_FAILED;
	}
	transport_probe_print(&probe, stdout);
	return STATUS_OK;
}
