/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/kvm_bell.h"

#include <stdlib.h>
#include <string.h>
#include <wayland-server-core.h>

#include "transport/backend.h"

static const struct kvm_bell_impl *const kinds[] = {
	&kvm_bell_doorbell,
	&kvm_bell_serial,
	&kvm_bell_vsock,
	&kvm_bell_unix,
};

/* NULL: no such kind. */
static const struct kvm_bell_impl *parse(const char *text, const char **name) {
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i]->prefix);
		if (strncmp(text, kinds[i]->prefix, length) == 0) {
			*name = text + length;
			return kinds[i];
		}
	}
	return NULL;
}

bool kvm_bell_check(const char *text, char *error, size_t error_size) {
	const char *name;
	const struct kvm_bell_impl *impl = parse(text, &name);
	if (impl == NULL) {
		return transport_error(error, error_size,
			"transport kvm: bell \"%s\" is not serial:PATH, vsock:CID:PORT, "
			"doorbell:ADDRESS or unix:PATH", text);
	}
	if (*name == '\0') {
		return transport_error(error, error_size,
			"transport kvm: bell \"%s\": what follows the colon is missing", text);
	}
	return impl->check == NULL || impl->check(name, error, error_size);
}

bool kvm_bell_open(struct kvm_bell *bell, struct wl_event_loop *loop, const char *text,
		enum transport_role role, char *error, size_t error_size) {
	const char *name = "";
	bell->role = role;
	bell->loop = loop;
	bell->impl = parse(text, &name);
	bell->name = strdup(name);
	if (bell->name == NULL) {
		bell->impl = NULL;
		return transport_error(error, error_size, "transport kvm: out of memory");
	}
	if (!bell->impl->open(bell, error, error_size)) {
		kvm_bell_close(bell);
		return false;
	}
	return true;
}

void kvm_bell_close(struct kvm_bell *bell) {
	if (bell->impl == NULL) {
		return;
	}
	bell->impl->close(bell);
	if (bell->source != NULL) {
		wl_event_source_remove(bell->source);
		bell->source = NULL;
	}
	free(bell->name);
	bell->name = NULL;
	bell->impl = NULL;
	bell->up = false;
}

const struct vfio_device *kvm_bell_device(const struct kvm_bell *bell) {
	return bell->impl == &kvm_bell_doorbell ? &bell->doorbell.device : NULL;
}

void kvm_bell_ring(struct kvm_bell *bell) {
	if (bell->up) {
		bell->impl->ring(bell);
	}
}
