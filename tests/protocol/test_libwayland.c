/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-client.h>
#include <wayland-server.h>

#include "common/fd.h"
#include "protocol/wire.h"
#include "tests/harness/test.h"

/*
 * The codec against libwayland itself: whatever libwayland writes for any message of any table must
 * parse to the values it was given, and whatever wire_build() writes must arrive in libwayland.
 */
#define ROUNDS 20
#define MAX_TEXT 120

static const struct wl_interface *scanner_interface(const char *name) {
	char symbol[128];
	snprintf(symbol, sizeof(symbol), "%s_interface", name);
	const struct wl_interface *interface = dlsym(RTLD_DEFAULT, symbol);
	EXPECT(interface != NULL);
	return interface;
}

/* Arguments given to libwayland and what must come out; strings and arrays are in storage. */
struct call {
	union wl_argument args[WIRE_MAX_ARGS];
	uint32_t ids[WIRE_MAX_ARGS]; // of objects and new ids, where known before
	char texts[WIRE_MAX_ARGS][MAX_TEXT + 1];
	struct wl_array arrays[WIRE_MAX_ARGS];
};

static void fill_text(char *text) {
	uint32_t size = test_random_below(MAX_TEXT + 1);
	for (uint32_t i = 0; i < size; i++) {
		text[i] = 1 + test_random_below(255);
	}
	text[size] = '\0';
}

/* Every argument that is no object. fd is borrowed. */
static void fill_plain(struct call *call, const struct wire_message *message, int fd) {
	for (uint8_t i = 0; i < message->n_args; i++) {
		const struct wire_arg *arg = &message->args[i];
		union wl_argument *value = &call->args[i];
		switch (arg->type) {
		case WIRE_INT:
		case WIRE_UINT:
		case WIRE_FIXED:
			value->u = test_random();
			break;
		case WIRE_STRING:
			fill_text(call->texts[i]);
			value->s = arg->nullable && test_random_below(4) == 0 ? NULL :
					call->texts[i];
			break;
		case WIRE_ARRAY:
			call->arrays[i].data = call->texts[i];
			call->arrays[i].size = test_random_below(MAX_TEXT);
			for (size_t j = 0; j < call->arrays[i].size; j++) {
				call->texts[i][j] = test_random();
			}
			value->a = &call->arrays[i];
			break;
		case WIRE_FD:
			value->h = fd;
			break;
		case WIRE_OBJECT:
		case WIRE_NEW_ID:
			break;
		}
	}
}

static void expect_call(const struct wire_value *values, const struct call *call,
		const struct wire_message *message) {
	for (uint8_t i = 0; i < message->n_args; i++) {
		const struct wire_value *value = &values[i];
		const union wl_argument *given = &call->args[i];
		switch (message->args[i].type) {
		case WIRE_INT:
		case WIRE_UINT:
		case WIRE_FIXED:
			EXPECT_INT(value->u, given->u);
			break;
		case WIRE_STRING:
			EXPECT((value->string.text == NULL) == (given->s == NULL));
			if (given->s != NULL) {
				EXPECT_STR(value->string.text, given->s);
				EXPECT_INT(value->string.size, strlen(given->s));
			}
			break;
		case WIRE_ARRAY:
			EXPECT_INT(value->array.size, given->a->size);
			EXPECT(given->a->size == 0 || memcmp(value->array.bytes, given->a->data,
					given->a->size) == 0);
			break;
		case WIRE_OBJECT:
		case WIRE_NEW_ID:
			EXPECT_INT(value->id, call->ids[i]);
			break;
		case WIRE_FD:
			break;
		}
	}
}

/* Reads the one message that libwayland wrote and compares. */
static void expect_on_socket(int socket_fd, uint32_t object, uint16_t opcode,
		const struct wire_message *message, const struct call *call) {
	uint8_t bytes[LIMIT_WAYLAND_MESSAGE_BYTES * 2];
	int fds[8];
	size_t n_fds = 8;
	ssize_t size = fd_receive(socket_fd, bytes, sizeof(bytes), fds, &n_fds);
	EXPECT(size > 0);
	EXPECT_INT(n_fds, message->n_fds);
	for (size_t i = 0; i < n_fds; i++) {
		close(fds[i]);
	}
	struct wire_header header;
	EXPECT_INT(wire_parse_header(bytes, size, &header), WIRE_OK);
	EXPECT_INT(header.size, size);
	EXPECT_INT(header.object, object);
	EXPECT_INT(header.opcode, opcode);
	struct wire_value values[WIRE_MAX_ARGS];
	EXPECT_INT(wire_parse(bytes, &header, message, message->since, values), WIRE_OK);
	expect_call(values, call, message);
	EXPECT_INT(wire_parse(bytes, &header, message, message->since - 1, values),
			WIRE_BAD_OPCODE);
}

struct client_side {
	struct wl_display *display;
	int peer; // our end, raw
};

static struct client_side client_side_create(void) {
	int fds[2];
	EXPECT_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	struct client_side side = { wl_display_connect_to_fd(fds[0]), fds[1] };
	EXPECT(side.display != NULL);
	return side;
}

static void client_side_destroy(struct client_side *side) {
	wl_display_disconnect(side->display);
	close(side->peer);
}

static struct wl_proxy *proxy_create(struct client_side *side, const char *interface) {
	return wl_proxy_create((struct wl_proxy *)side->display, scanner_interface(interface));
}

static void send_request(struct client_side *side, const struct wire_interface *interface,
		uint16_t opcode, int fd) {
	const struct wire_message *message = &interface->requests[opcode];
	struct call call = {0};
	struct wl_proxy *used[WIRE_MAX_ARGS] = {0};
	const struct wl_interface *new_interface = NULL;
	struct wl_proxy *proxy = proxy_create(side, interface->name);
	fill_plain(&call, message, fd);
	for (uint8_t i = 0; i < message->n_args; i++) {
		const struct wire_arg *arg = &message->args[i];
		if (arg->type == WIRE_OBJECT && !(arg->nullable && test_random_below(4) == 0)) {
			used[i] = proxy_create(side, arg->interface->name);
			call.args[i].o = (struct wl_object *)used[i];
			call.ids[i] = wl_proxy_get_id(used[i]);
		} else if (arg->type == WIRE_NEW_ID) {
			new_interface = scanner_interface(arg->interface != NULL ?
					arg->interface->name : "wl_seat");
		}
	}
	struct wl_proxy *made = wl_proxy_marshal_array_flags(proxy, opcode, new_interface, 1, 0,
			call.args);
	EXPECT((made != NULL) == (new_interface != NULL));
	if (made != NULL) {
		call.ids[message->new_id_arg] = wl_proxy_get_id(made);
		wl_proxy_destroy(made);
	}
	EXPECT(wl_display_flush(side->display) > 0);
	expect_on_socket(side->peer, wl_proxy_get_id(proxy), opcode, message, &call);
	for (uint8_t i = 0; i < message->n_args; i++) {
		if (used[i] != NULL) {
			wl_proxy_destroy(used[i]);
		}
	}
	wl_proxy_destroy(proxy);
}

TEST(every_request_that_libwayland_writes_is_read_right) {
	test_random_seed(101);
	struct client_side side = client_side_create();
	int fd = fd_memory("test", 16);
	for (uint32_t i = 0; i < wire_interfaces_count; i++) {
		for (uint16_t j = 0; j < wire_interfaces[i]->n_requests; j++) {
			for (int round = 0; round < ROUNDS; round++) {
				send_request(&side, wire_interfaces[i], j, fd);
			}
		}
	}
	close(fd);
	client_side_destroy(&side);
}

struct server_side {
	struct wl_display *display;
	struct wl_client *client;
	int peer;
};

static struct server_side server_side_create(void) {
	int fds[2];
	EXPECT_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	struct server_side side = { .display = wl_display_create(), .peer = fds[1] };
	side.client = wl_client_create(side.display, fds[0]);
	EXPECT(side.client != NULL);
	return side;
}

static void server_side_destroy(struct server_side *side) {
	wl_client_destroy(side->client);
	wl_display_destroy(side->display);
	close(side->peer);
}

static struct wl_resource *resource_create(struct server_side *side, const char *interface) {
	const struct wl_interface *scanned = scanner_interface(interface);
	struct wl_resource *resource =
			wl_resource_create(side->client, scanned, scanned->version, 0);
	EXPECT(resource != NULL);
	return resource;
}

static void send_event(struct server_side *side, const struct wire_interface *interface,
		uint16_t opcode, int fd) {
	const struct wire_message *message = &interface->events[opcode];
	struct call call = {0};
	struct wl_resource *used[WIRE_MAX_ARGS] = {0};
	struct wl_resource *resource = resource_create(side, interface->name);
	fill_plain(&call, message, fd);
	for (uint8_t i = 0; i < message->n_args; i++) {
		const struct wire_arg *arg = &message->args[i];
		bool object = arg->type == WIRE_OBJECT || arg->type == WIRE_NEW_ID;
		if (object && !(arg->nullable && test_random_below(4) == 0)) {
			used[i] = resource_create(side, arg->interface != NULL ?
					arg->interface->name : "wl_surface");
			call.args[i].o = (struct wl_object *)used[i];
			call.ids[i] = wl_resource_get_id(used[i]);
		}
	}
	wl_resource_post_event_array(resource, opcode, call.args);
	wl_client_flush(side->client);
	expect_on_socket(side->peer, wl_resource_get_id(resource), opcode, message, &call);
	for (uint8_t i = 0; i < message->n_args; i++) {
		if (used[i] != NULL) {
			wl_resource_destroy(used[i]);
		}
	}
	wl_resource_destroy(resource);
}

TEST(every_event_that_libwayland_writes_is_read_right) {
	test_random_seed(102);
	struct server_side side = server_side_create();
	int fd = fd_memory("test", 16);
	for (uint32_t i = 0; i < wire_interfaces_count; i++) {
		for (uint16_t j = 0; j < wire_interfaces[i]->n_events; j++) {
			for (int round = 0; round < ROUNDS; round++) {
				send_event(&side, wire_interfaces[i], j, fd);
			}
		}
	}
	close(fd);
	server_side_destroy(&side);
}

static const struct wire_message *event_of(const struct wire_interface *interface,
		const char *name, uint16_t *opcode) {
	for (*opcode = 0; *opcode < interface->n_events; ++*opcode) {
		if (strcmp(interface->events[*opcode].name, name) == 0) {
			return &interface->events[*opcode];
		}
	}
	test_fail(__FILE__, __LINE__, "no event %s", name);
}

/* What a dispatcher saw last. */
static struct {
	int count;
	char text[64];
	uint32_t words[3];
} seen;

static int handle_event(const void *impl, void *target, uint32_t opcode,
		const struct wl_message *message, union wl_argument *args) {
	seen.count++;
	uint32_t n_words = 0;
	int i = 0;
	for (const char *p = message->signature; *p != '\0'; p++) {
		switch (*p) {
		case 's':
			snprintf(seen.text, sizeof(seen.text), "%s", args[i++].s);
			break;
		case 'a':
			seen.words[n_words++] = args[i].a->size;
			memcpy(seen.text, args[i].a->data, args[i].a->size);
			i++;
			break;
		case 'u':
		case 'i':
		case 'f':
			seen.words[n_words++] = args[i++].u;
			break;
		default:
			break;
		}
	}
	return 0;
}

static void deliver(struct client_side *side, const uint8_t *bytes, size_t size) {
	EXPECT_INT(write(side->peer, bytes, size), size);
	EXPECT(wl_display_dispatch(side->display) >= 0);
}

static struct wl_proxy *listen_proxy(struct client_side *side, const char *interface) {
	struct wl_proxy *proxy = proxy_create(side, interface);
	EXPECT_INT(wl_proxy_add_dispatcher(proxy, handle_event, NULL, NULL), 0);
	return proxy;
}

TEST(built_string_arrives_in_libwayland) {
	struct client_side side = client_side_create();
	struct wl_proxy *registry = listen_proxy(&side, "wl_registry");
	uint8_t out[LIMIT_WAYLAND_MESSAGE_BYTES];
	uint16_t opcode;
	const struct wire_message *global = event_of(wire_registry_interface, "global", &opcode);
	size_t size = wire_build(out, wl_proxy_get_id(registry), opcode, global, (uint32_t)7,
			"wl_shm", (uint32_t)2);
	deliver(&side, out, size);
	EXPECT_INT(seen.count, 1);
	EXPECT_STR(seen.text, "wl_shm");
	EXPECT_INT(seen.words[0], 7);
	EXPECT_INT(seen.words[1], 2);
	wl_proxy_destroy(registry);
	client_side_destroy(&side);
}

TEST(built_array_and_integers_arrive_in_libwayland) {
	struct client_side side = client_side_create();
	struct wl_proxy *toplevel = listen_proxy(&side, "xdg_toplevel");
	uint8_t out[LIMIT_WAYLAND_MESSAGE_BYTES];
	uint16_t opcode;
	const struct wire_message *configure =
			event_of(wire_interface_find("xdg_toplevel", 12), "configure", &opcode);
	size_t size = wire_build(out, wl_proxy_get_id(toplevel), opcode, configure, (int32_t)-3,
			(int32_t)480, (const void *)"states", (size_t)6);
	deliver(&side, out, size);
	EXPECT_INT(seen.count, 1);
	EXPECT_INT((int32_t)seen.words[0], -3);
	EXPECT_INT(seen.words[1], 480);
	EXPECT_INT(seen.words[2], 6);
	EXPECT(memcmp(seen.text, "states", 6) == 0);
	wl_proxy_destroy(toplevel);
	client_side_destroy(&side);
}

TEST(built_error_arrives_in_libwayland) {
	struct client_side side = client_side_create();
	struct wl_proxy *surface = proxy_create(&side, "wl_surface");
	uint8_t out[LIMIT_WAYLAND_MESSAGE_BYTES];
	size_t size = wire_build_error(out, wl_proxy_get_id(surface), 2, "bad scale");
	EXPECT_INT(write(side.peer, out, size), size);
	EXPECT_INT(wl_display_dispatch(side.display), -1);
	const struct wl_interface *interface = NULL;
	uint32_t id = 0;
	EXPECT_INT(wl_display_get_protocol_error(side.display, &interface, &id), 2);
	EXPECT_STR(interface->name, "wl_surface");
	EXPECT_INT(id, wl_proxy_get_id(surface));
	wl_proxy_destroy(surface);
	client_side_destroy(&side);
}

TEST(built_delete_id_frees_the_id_in_libwayland) {
	struct client_side side = client_side_create();
	struct wl_proxy *surface = proxy_create(&side, "wl_surface");
	uint32_t id = wl_proxy_get_id(surface);
	wl_proxy_destroy(surface);
	struct wl_callback *callback = wl_display_sync(side.display);
	EXPECT(wl_proxy_get_id((struct wl_proxy *)callback) != id);
	wl_callback_destroy(callback);
	uint8_t out[LIMIT_WAYLAND_MESSAGE_BYTES];
	deliver(&side, out, wire_build_delete_id(out, id));
	surface = proxy_create(&side, "wl_surface");
	EXPECT_INT(wl_proxy_get_id(surface), id);
	wl_proxy_destroy(surface);
	client_side_destroy(&side);
}
