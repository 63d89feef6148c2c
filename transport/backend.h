/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_BACKEND_H
#define ISTHMUS_TRANSPORT_BACKEND_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "transport/pages.h"
#include "transport/probe.h"
#include "transport/transport.h"
#include "transport/vchan.h"

/* Private to transport/: what a backend implements, and the parts that all of them share. */

struct wl_event_loop;
struct wl_event_source;

struct transport_backend {
	const char *name; // what stands before the first ':' of a spec

	/* tail is what follows the ':'. Both write one line into error when they fail. */
	bool (*check)(const char *tail, char *error, size_t error_size);
	struct transport *(*open)(struct wl_event_loop *loop, const char *tail,
			enum transport_role role, char *error, size_t error_size);
	void (*close)(struct transport *transport);

	/* As transport_probe(). NULL where there is no memory of the transport's own. */
	bool (*probe)(const char *tail, struct transport_probe *probe, char *error,
			size_t error_size);

	/* NULL with errno. The caller sets handler and data. */
	struct vchan *(*vchan_create)(struct transport *transport);
	/* NULL when the backend cannot share memory. */
	struct pages *(*pages_create)(struct transport *transport, uint64_t max_bytes);
};

/* First member of every backend's transport. The backend fills in loop, role and caps. */
struct transport {
	const struct transport_backend *backend;
	struct wl_event_loop *loop; // borrowed
	enum transport_role role;
	unsigned caps;
	char *spec; // owned
	unsigned long ioctl_request; // of transport_ioctl_request()
	struct vchan *vchan; // the one that exists, or NULL
	struct pages *pages; // likewise
};

extern const struct transport_backend transport_kvm_backend;
extern const struct transport_backend transport_local_backend;
extern const struct transport_backend transport_stream_backend;
extern const struct transport_backend transport_xen_backend; // where built with Xen

/* Writes one line into error and returns false. */
bool transport_error(char *error, size_t error_size, const char *format, ...)
		__attribute__((format(printf, 3, 4)));
/* Reads text up to end, decimal digits and at least one. false when the number is above most. */
bool transport_parse_number(const char *text, const char *end, unsigned long most,
		unsigned *number);

struct vchan_impl {
	void (*destroy)(struct vchan *vchan);
	/* As vchan_read() and so on; all: everything or nothing, at most limit() bytes. */
	ssize_t (*read)(struct vchan *vchan, void *bytes, size_t size, bool all);
	ssize_t (*write)(struct vchan *vchan, const void *bytes, size_t size, bool all);
	size_t (*data_ready)(struct vchan *vchan);
	size_t (*buffer_space)(struct vchan *vchan);
	/* The most that all can ask for. */
	size_t (*limit)(struct vchan *vchan);
};

/* First member of every backend's vchan. */
struct vchan {
	const struct vchan_impl *impl;
	struct transport *transport;
	enum vchan_state state;
	const char *reason; // static, set when DISCONNECTED
	vchan_handler_func_t handler;
	void *data;
	struct wl_event_source *idle; // a callback that is due, or NULL
};

void vchan_init(struct vchan *vchan, const struct vchan_impl *impl, struct transport *transport);
void vchan_finish(struct vchan *vchan);

/* Calls the handler, which may destroy the vchan: the last thing that a source's callback does. */
void vchan_notify(struct vchan *vchan);
/* Changes the state and has the handler called from the event loop. reason is static; NULL unless
 * DISCONNECTED. */
void vchan_set_state(struct vchan *vchan, enum vchan_state state, const char *reason);

struct pages_impl {
	void (*destroy)(struct pages *pages);
	struct pages_region *(*alloc)(struct pages *pages, size_t size);
	struct pages_region *(*share_fd)(struct pages *pages, int fd);
	/* With TRANSPORT_HANDOVER only. */
	struct pages_region *(*pass_fd)(struct pages *pages, int fd);
	int (*take_fd)(struct pages *pages, const struct pages_ref *untrusted_ref);
	/* NULL when it never can. */
	struct pages_region *(*share_memory)(struct pages *pages, int fd, uint64_t offset,
			size_t size);
	void (*release)(struct pages_region *region);
	bool (*map)(struct pages *pages, const struct pages_ref *untrusted_ref, uint64_t min_size,
			struct pages_mapping *mapping);
	/* Where mappings are mapped once: another descriptor. Does not count. */
	int (*mapping_fd)(struct pages *pages, const struct pages_mapping *mapping);
	/* Of mappings that can have one: a dma-buf. Does not count. */
	int (*mapping_dmabuf)(struct pages *pages, const struct pages_mapping *mapping);
	void (*unmap)(struct pages *pages, struct pages_mapping *mapping);
};

/* First member of every backend's pages. */
struct pages {
	const struct pages_impl *impl;
	struct transport *transport;
	pages_handler_func_t handler;
	void *data;
	struct wl_event_source *idle;
	bool connected;
	uint64_t bytes_used, max_bytes; // bytes_used <= max_bytes
};

/* First member of every backend's region. */
struct pages_region {
	struct pages *pages;
	struct pages_ref ref;
	void *bytes; // own mapping, or NULL when handed over
	size_t size;
};

void pages_init(struct pages *pages, const struct pages_impl *impl, struct transport *transport,
		uint64_t max_bytes);
void pages_finish(struct pages *pages);
void pages_notify_later(struct pages *pages);

#endif
