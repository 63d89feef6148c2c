/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/transport.h"

#include "vmset/vmset.h"

bool vmset_check_transport(const char *spec, char *error, size_t error_size) {
	return transport_spec_check(spec, error, error_size);
}
