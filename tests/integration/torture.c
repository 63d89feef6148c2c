/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-test-torture SEED OPERATIONS: an application that opens, changes and closes windows,
 * popups, subsurfaces and buffers at random, all of it legal. With an odd seed it ends as if it had
 * crashed. Says how many surfaces and buffers there were.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-client.h>

#include "tests/harness/ignore.h"
#include "xdg-shell-client-protocol.h"

#define MAX_NODES 48
#define MAX_SIDE 160
#define POOL_BYTES (MAX_SIDE * MAX_SIDE * 4)

enum kind {
	TOPLEVEL,
	POPUP,
	SUBSURFACE,
};

/* A surface with its role. */
struct node {
	enum kind kind;
	struct node *parent; // NULL: a toplevel
	struct wl_surface *surface; // NULL: a free place
	struct xdg_surface *xdg_surface; // NULL: a subsurface
	struct xdg_toplevel *toplevel;
	struct xdg_popup *popup;
	struct wl_subsurface *subsurface;
	bool configured, mapped;
};

static struct wl_display *display;
static struct wl_compositor *compositor;
static struct wl_subcompositor *subcompositor;
static struct wl_shm *shm;
static struct xdg_wm_base *wm_base;
static struct node nodes[MAX_NODES];
static unsigned n_surfaces, n_buffers;
static uint64_t state;

/* 0..limit-1; xorshift64*, Vigna 2016. */
static int pick(int limit) {
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (int)((state * 0x2545f4914f6cdd1du >> 33) % (uint64_t)limit);
}

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	if (strcmp(interface, "wl_compositor") == 0) {
		compositor = wl_registry_bind(registry, name, &wl_compositor_interface, 4);
	} else if (strcmp(interface, "wl_subcompositor") == 0) {
		subcompositor = wl_registry_bind(registry, name, &wl_subcompositor_interface, 1);
	} else if (strcmp(interface, "wl_shm") == 0) {
		shm = wl_registry_bind(registry, name, &wl_shm_interface, 1);
	} else if (strcmp(interface, "xdg_wm_base") == 0) {
		wm_base = wl_registry_bind(registry, name, &xdg_wm_base_interface, 1);
	}
}

static const struct wl_registry_listener registry_listener = {handle_global, IGNORE};

static void handle_ping(void *data, struct xdg_wm_base *base, uint32_t serial) {
	xdg_wm_base_pong(base, serial);
}

static const struct xdg_wm_base_listener wm_base_listener = {handle_ping};

static void handle_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	struct node *node = data;
	xdg_surface_ack_configure(xdg_surface, serial);
	node->configured = true;
}

static const struct xdg_surface_listener xdg_surface_listener = {handle_configure};
static const struct xdg_toplevel_listener toplevel_listener = {IGNORE, IGNORE, IGNORE, IGNORE};
static const struct xdg_popup_listener popup_listener = {IGNORE, IGNORE, IGNORE};

static void handle_frame(void *data, struct wl_callback *callback, uint32_t time_ms) {
	wl_callback_destroy(callback);
}

static const struct wl_callback_listener frame_listener = {handle_frame};

static void handle_release(void *data, struct wl_buffer *buffer) {
	wl_buffer_destroy(buffer);
}

static const struct wl_buffer_listener buffer_listener = {handle_release};

static struct node *any_node(void) {
	int first = pick(MAX_NODES);
	for (int i = 0; i < MAX_NODES; i++) {
		struct node *node = &nodes[(first + i) % MAX_NODES];
		if (node->surface != NULL) {
			return node;
		}
	}
	return NULL;
}

static void node_destroy(struct node *node) {
	for (int i = 0; i < MAX_NODES; i++) {
		if (nodes[i].surface != NULL && nodes[i].parent == node) {
			node_destroy(&nodes[i]);
		}
	}
	if (node->subsurface != NULL) {
		wl_subsurface_destroy(node->subsurface);
	}
	if (node->popup != NULL) {
		xdg_popup_destroy(node->popup);
	}
	if (node->toplevel != NULL) {
		xdg_toplevel_destroy(node->toplevel);
	}
	if (node->xdg_surface != NULL) {
		xdg_surface_destroy(node->xdg_surface);
	}
	wl_surface_destroy(node->surface);
	*node = (struct node){0};
}

static void node_make_popup(struct node *node) {
	struct xdg_positioner *positioner = xdg_wm_base_create_positioner(wm_base);
	xdg_positioner_set_size(positioner, 1 + pick(MAX_SIDE), 1 + pick(MAX_SIDE));
	xdg_positioner_set_anchor_rect(positioner, pick(40), pick(40), 1 + pick(40), 1 + pick(40));
	xdg_positioner_set_gravity(positioner, (uint32_t)pick(9));
	node->popup = xdg_surface_get_popup(
			node->xdg_surface, node->parent->xdg_surface, positioner);
	xdg_popup_add_listener(node->popup, &popup_listener, node);
	xdg_positioner_destroy(positioner);
}

static void node_create(struct node *node) {
	struct node *parent = any_node();
	int choice = pick(10);
	node->kind = parent == NULL || choice < 3 ? TOPLEVEL
		: choice < 6 && parent->xdg_surface != NULL && parent->mapped ? POPUP : SUBSURFACE;
	node->surface = wl_compositor_create_surface(compositor);
	n_surfaces++;
	if (node->kind == SUBSURFACE) {
		node->parent = parent;
		node->subsurface = wl_subcompositor_get_subsurface(
				subcompositor, node->surface, parent->surface);
		wl_subsurface_set_position(node->subsurface, pick(200) - 50, pick(200) - 50);
		return;
	}
	node->xdg_surface = xdg_wm_base_get_xdg_surface(wm_base, node->surface);
	xdg_surface_add_listener(node->xdg_surface, &xdg_surface_listener, node);
	if (node->kind == POPUP) {
		node->parent = parent;
		node_make_popup(node);
	} else {
		node->toplevel = xdg_surface_get_toplevel(node->xdg_surface);
		xdg_toplevel_add_listener(node->toplevel, &toplevel_listener, node);
	}
	wl_surface_commit(node->surface);
}

/* It goes when it is released, or is gone already. */
static struct wl_buffer *make_buffer(int *width, int *height) {
	int fd = memfd_create("torture", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 2 * POOL_BYTES) < 0) {
		exit(2);
	}
	struct wl_shm_pool *pool = wl_shm_create_pool(shm, fd, POOL_BYTES);
	close(fd);
	bool grows = pick(3) == 0;
	if (grows) {
		wl_shm_pool_resize(pool, 2 * POOL_BYTES);
	}
	*width = 1 + pick(MAX_SIDE);
	*height = 1 + pick(MAX_SIDE);
	struct wl_buffer *buffer = wl_shm_pool_create_buffer(pool, grows ? POOL_BYTES : 0, *width,
			*height, MAX_SIDE * 4,
			pick(2) == 0 ? WL_SHM_FORMAT_XRGB8888 : WL_SHM_FORMAT_ARGB8888);
	wl_shm_pool_destroy(pool);
	wl_buffer_add_listener(buffer, &buffer_listener, NULL);
	n_buffers++;
	return buffer;
}

static void node_draw(struct node *node) {
	if (node->xdg_surface != NULL && !node->configured) {
		return;
	}
	int width, height;
	struct wl_buffer *buffer = make_buffer(&width, &height);
	wl_surface_attach(node->surface, buffer, 0, 0);
	wl_surface_damage_buffer(node->surface, 0, 0, 1 + pick(width), 1 + pick(height));
	if (pick(4) == 0) {
		wl_callback_add_listener(wl_surface_frame(node->surface), &frame_listener, NULL);
	}
	wl_surface_commit(node->surface);
	if (pick(4) == 0) {
		wl_buffer_destroy(buffer);
	}
	node->mapped = true;
}

static void node_change(struct node *node) {
	char title[32];
	struct wl_region *region = wl_compositor_create_region(compositor);
	wl_region_add(region, pick(50), pick(50), pick(100), pick(100));
	switch (pick(4)) {
	case 0:
		wl_surface_set_input_region(node->surface, region);
		break;
	case 1:
		wl_surface_set_opaque_region(node->surface, region);
		break;
	case 2:
		if (node->toplevel != NULL) {
			snprintf(title, sizeof(title), "torture %d", pick(1000));
			xdg_toplevel_set_title(node->toplevel, title);
		} else if (node->subsurface != NULL) {
			(pick(2) == 0 ? wl_subsurface_set_sync
				      : wl_subsurface_set_desync)(node->subsurface);
		}
		break;
	default:
		if (node->subsurface != NULL) {
			wl_surface_attach(node->surface, NULL, 0, 0);
		}
	}
	wl_region_destroy(region);
	wl_surface_commit(node->surface);
}

static void operate(void) {
	struct node *node = &nodes[pick(MAX_NODES)];
	if (node->surface == NULL) {
		node_create(node);
	} else if (pick(12) == 0) {
		node_destroy(node);
	} else if (pick(3) > 0) {
		node_draw(node);
	} else {
		node_change(node);
	}
}

int main(int argc, char **argv) {
	display = wl_display_connect(NULL);
	if (argc != 3 || display == NULL) {
		return 2;
	}
	unsigned seed = (unsigned)strtoul(argv[1], NULL, 10);
	state = 0x9e3779b97f4a7c15u * (seed + 1);
	wl_registry_add_listener(wl_display_get_registry(display), &registry_listener, NULL);
	wl_display_roundtrip(display);
	xdg_wm_base_add_listener(wm_base, &wm_base_listener, NULL);
	for (unsigned long i = strtoul(argv[2], NULL, 10); i > 0; i--) {
		operate();
		int result = i % 16 == 0 ? wl_display_roundtrip(display)
					 : wl_display_dispatch_pending(display);
		if (result < 0) {
			perror("torture");
			return 1;
		}
	}
	if (seed % 2 == 0) {
		for (struct node *node; (node = any_node()) != NULL;) {
			node_destroy(node);
		}
		wl_display_roundtrip(display);
	}
	printf("%u surfaces, %u buffers\n", n_surfaces, n_buffers);
	return wl_display_get_error(display) != 0;
}
