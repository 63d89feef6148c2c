/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport/backend.h"

static const struct transport_backend *const backends[] = {
	&transport_kvm_backend,
	&transport_local_backend,
	&transport_stream_backend,
#ifdef ISTHMUS_XEN
	&transport_xen_backend,
#endif
};

bool transport_error(char *error, size_t error_size, const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(error, error_size, format, args);
	va_end(args);
	return false;
}

bool transport_parse_number(const char *text, const char *end, unsigned long most,
		unsigned *number) {
	unsigned long value = 0;
	for (const char *at = text; at < end; at++) {
		if (*at < '0' || *at > '9') {
			return false;
		}
		value = value * 10 + (unsigned long)(*at - '0');
		if (value > most) {
			return false;
		}
	}
	*number = (unsigned)value;
	return text < end;
}

static const struct transport_backend *find_backend(const char *spec, const char **tail,
		char *error, size_t error_size) {
	const char *colon = strchr(spec, ':');
	if (colon == NULL) {
		transport_error(error, error_size,
			"transport \"%s\": no ':'; it is written local:DIR or stream:...", spec);
		return NULL;
	}
	size_t length = (size_t)(colon - spec);
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		if (strlen(backends[i]->name) == length &&
				memcmp(backends[i]->name, spec, length) == 0) {
			*tail = colon + 1;
			return backends[i];
		}
	}
	transport_error(error, error_size,
			"transport \"%s\": unknown kind \"%.*s\"; known: kvm, local, stream"
#ifdef ISTHMUS_XEN
			", xen"
#endif
			, spec,
			(int)length, spec);
	return NULL;
}

bool transport_spec_check(const char *spec, char *error, size_t error_size) {
	const char *tail;
	const struct transport_backend *backend = find_backend(spec, &tail, error, error_size);
	return backend != NULL && backend->check(tail, error, error_size);
}

struct transport *transport_open(struct wl_event_loop *loop, const char *spec,
		enum transport_role role, char *error, size_t error_size) {
	const char *tail;
	const struct transport_backend *backend = find_backend(spec, &tail, error, error_size);
	if (backend == NULL || !backend->check(tail, error, error_size)) {
		return NULL;
	}
	char *copy = strdup(spec);
	if (copy == NULL) {
		transport_error(error, error_size, "transport \"%s\": out of memory", spec);
		return NULL;
	}
	struct transport *transport = backend->open(loop, tail, role, error, error_size);
	if (transport == NULL) {
		free(copy);
		return NULL;
	}
	transport->backend = backend;
	transport->loop = loop;
	transport->role = role;
	transport->spec = copy;
	return transport;
}

bool transport_probe(const char *spec, enum transport_role role, struct transport_probe *probe,
		char *error, size_t error_size) {
	const char *tail;
	const struct transport_backend *backend = find_backend(spec, &tail, error, error_size);
	if (backend == NULL || !backend->check(tail, error, error_size)) {
		return false;
	}
	if (backend->probe == NULL) {
		return transport_error(error, error_size,
			"transport \"%s\": has no memory but this machine's own", spec);
	}
	*probe = (struct transport_probe){.role = role};
	return backend->probe(tail, probe, error, error_size);
}

void transport_close(struct transport *transport) {
	if (transport != NULL) {
		free(transport->spec);
		transport->backend->close(transport);
	}
}

unsigned transport_caps(const struct transport *transport) {
	return transport->caps;
}

unsigned long transport_ioctl_request(const struct transport *transport) {
	return transport->ioctl_request;
}

const char *transport_spec(const struct transport *transport) {
	return transport->spec;
}
