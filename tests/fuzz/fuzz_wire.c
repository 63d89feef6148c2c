/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "common/checked.h"
#include "common/limits.h"
#include "protocol/objects.h"
#include "protocol/wire.h"
#include "tests/fuzz/fuzz.h"

uint64_t fuzz_accepted;

/*
 * The first byte chooses:
 *   0, 1  the rest is a connection's stream of requests (events): objects are made and destroyed
 *         as the messages say
 *   else  interface, opcode | 0x80 for events, version, each a byte; then one message
 */
enum mode {
	MODE_REQUESTS = 0,
	MODE_EVENTS = 1,
	MODE_SINGLE = 2,
};

/* What wire_parse() promises of the values. */
static void check_values(const uint8_t *bytes, const struct wire_header *header,
		const struct wire_message *message, const struct wire_value *values) {
	size_t position = WIRE_HEADER_BYTES;
	for (uint8_t i = 0; i < message->n_args; i++) {
		const struct wire_arg *arg = &message->args[i];
		const struct wire_value *value = &values[i];
		FUZZ_CHECK(value->offset == position);
		switch (arg->type) {
		case WIRE_FD:
			continue;
		case WIRE_STRING:
			if (value->string.text != NULL) {
				const char *expected = (const char *)bytes + position + 4;
				FUZZ_CHECK(value->string.text == expected);
				FUZZ_CHECK(strlen(expected) == value->string.size);
				position += align_up(value->string.size + 1, 4);
			}
			FUZZ_CHECK(value->string.text != NULL || arg->nullable);
			break;
		case WIRE_ARRAY:
			FUZZ_CHECK(value->array.bytes == bytes + position + 4);
			fuzz_touch(value->array.bytes, value->array.size);
			position += align_up(value->array.size, 4);
			break;
		case WIRE_OBJECT:
		case WIRE_NEW_ID:
			FUZZ_CHECK(value->id != 0 || arg->nullable);
			break;
		default:
			break;
		}
		position += 4;
		FUZZ_CHECK(position <= header->size);
	}
	FUZZ_CHECK(position == header->size);
	fuzz_accepted++;
}

static void try_single(const uint8_t *data, size_t size) {
	if (size < 3) {
		return;
	}
	const struct wire_interface *interface = wire_interfaces[data[0] % wire_interfaces_count];
	const struct wire_message *message = (data[1] & 0x80) != 0 ?
			wire_interface_event(interface, data[1] & 0x7f) :
			wire_interface_request(interface, data[1]);
	uint32_t version = data[2];
	struct wire_header header;
	struct wire_value values[WIRE_MAX_ARGS];
	if (message == NULL || wire_parse_header(data + 3, size - 3, &header) != WIRE_OK) {
		return;
	}
	enum wire_error error = wire_parse(data + 3, &header, message, version, values);
	FUZZ_CHECK(message->since <= version || error == WIRE_BAD_OPCODE);
	if (error == WIRE_OK) {
		check_values(data + 3, &header, message, values);
	}
}

/* The interface and version of what a message makes; NULL: it may not. */
static const struct wire_interface *made_interface(const struct wire_message *message,
		const struct wire_value *values, uint32_t *version) {
	if (message->special != WIRE_SPECIAL_BIND) {
		return message->args[message->new_id_arg].interface;
	}
	const struct wire_interface *interface =
			wire_interface_find(values[1].string.text, values[1].string.size);
	*version = values[2].u;
	if (interface == NULL || *version < 1 || *version > interface->max_version) {
		return NULL;
	}
	return interface;
}

static bool check_objects(struct object_table *table, const struct wire_message *message,
		const struct wire_value *values) {
	for (uint8_t i = 0; i < message->n_args; i++) {
		const struct wire_arg *arg = &message->args[i];
		if (arg->type != WIRE_OBJECT || values[i].id == 0) {
			continue;
		}
		const struct object *object = object_table_find(table, values[i].id);
		if (object == NULL || object->destroyed ||
				(arg->interface != NULL && arg->interface != object->interface)) {
			return false;
		}
	}
	return true;
}

/* false: a peer would be disconnected. */
static bool apply_message(struct object_table *table, bool request, uint32_t sender,
		const struct wire_message *message, const struct wire_value *values) {
	struct object *object = object_table_find(table, sender);
	uint32_t version = object->version;
	if (!check_objects(table, message, values)) {
		return false;
	}
	if (message->destructor) {
		object->destroyed = true;
	}
	if (message->special == WIRE_SPECIAL_DELETE_ID) {
		if (values[0].u == 1 || object_table_find(table, values[0].u) == NULL) {
			return false;
		}
		object_table_remove(table, values[0].u);
	}
	if (message->new_id_arg < 0) {
		return true;
	}
	const struct wire_interface *interface = made_interface(message, values, &version);
	struct object *made;
	return interface != NULL && object_table_insert(table,
			request ? OBJECT_FROM_CLIENT : OBJECT_FROM_COMPOSITOR,
			values[message->new_id_arg].id, interface, version, &made) == OBJECT_OK;
}

static bool try_message(struct object_table *table, bool request, const uint8_t *bytes,
		const struct wire_header *header) {
	const struct object *object = object_table_find(table, header->object);
	if (object == NULL || (request && object->destroyed)) {
		return false;
	}
	const struct wire_message *message = request ?
			wire_interface_request(object->interface, header->opcode) :
			wire_interface_event(object->interface, header->opcode);
	struct wire_value values[WIRE_MAX_ARGS];
	if (message == NULL ||
			wire_parse(bytes, header, message, object->version, values) != WIRE_OK) {
		return false;
	}
	check_values(bytes, header, message, values);
	return apply_message(table, request, header->object, message, values);
}

static void count_live(struct object *object, uint32_t id, void *data) {
	uint32_t *count = data;
	++*count;
}

/* Events need objects to arrive at: one of each interface, at its highest version. */
static void insert_all(struct object_table *table) {
	for (uint32_t i = 0; i < wire_interfaces_count; i++) {
		struct object *object;
		FUZZ_CHECK(object_table_insert(table, OBJECT_FROM_CLIENT, 2 + i, wire_interfaces[i],
				wire_interfaces[i]->version, &object) == OBJECT_OK);
	}
}

static void try_stream(bool request, const uint8_t *bytes, size_t size) {
	struct object_table table;
	FUZZ_CHECK(object_table_init(&table));
	if (!request) {
		insert_all(&table);
	}
	struct wire_header header;
	while (wire_parse_header(bytes, size, &header) == WIRE_OK &&
			try_message(&table, request, bytes, &header)) {
		bytes += header.size;
		size -= header.size;
	}
	uint32_t expected = table.client.live + table.server.live + table.link.live, count = 0;
	object_table_finish(&table, count_live, &count);
	FUZZ_CHECK(count == expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 1) {
		return 0;
	}
	if (data[0] < MODE_SINGLE) {
		try_stream(data[0] == MODE_REQUESTS, data + 1, size - 1);
	} else {
		try_single(data + 1, size - 1);
	}
	return 0;
}

/* A valid message for any table: strings "a", arrays of 4 bytes, ids 1, everything else 0. */
static size_t write_message(const struct wire_message *message, uint16_t opcode, uint8_t *bytes) {
	uint32_t words[2 + 2 * WIRE_MAX_ARGS] = { 1 };
	size_t n = 2;
	for (uint8_t i = 0; i < message->n_args; i++) {
		switch (message->args[i].type) {
		case WIRE_STRING:
			words[n++] = 2;
			words[n++] = 'a';
			break;
		case WIRE_ARRAY:
			words[n++] = 4;
			words[n++] = 0;
			break;
		case WIRE_OBJECT:
		case WIRE_NEW_ID:
			words[n++] = 1;
			break;
		case WIRE_FD:
			break;
		default:
			words[n++] = 0;
		}
	}
	words[1] = n * 4 << 16 | opcode;
	memcpy(bytes, words, n * 4);
	return n * 4;
}

/* Message number index over all tables. */
static size_t seed_single(uint32_t index, uint8_t *bytes) {
	for (uint32_t i = 0; i < wire_interfaces_count; i++) {
		const struct wire_interface *interface = wire_interfaces[i];
		uint32_t n = interface->n_requests;
		const struct wire_message *message = index < n ?
				wire_interface_request(interface, index) :
				wire_interface_event(interface, index - n);
		if (message == NULL) {
			index -= n + interface->n_events;
			continue;
		}
		uint32_t opcode = index < n ? index : index - n;
		bytes[0] = MODE_SINGLE;
		bytes[1] = i;
		bytes[2] = index < n ? opcode : opcode | 0x80;
		bytes[3] = message->since;
		return 4 + write_message(message, opcode, bytes + 4);
	}
	return 0;
}

/* A connection as an application begins it. */
static size_t seed_requests(uint8_t *bytes) {
	static const uint32_t words[] = {
		1, 12 << 16 | 1, 2, // wl_display.get_registry(2)
		1, 12 << 16, 3, // wl_display.sync(3)
		// wl_registry.bind(wl_compositor)
		2, 40 << 16, 1, 14, 0x635f6c77, 0x6f706d6f, 0x6f746973, 'r', 6, 4,
		4, 12 << 16, 5, // wl_compositor.create_surface(5)
		2, 32 << 16, 2, 7, 0x735f6c77, 0x6d68, 2, 6, // wl_registry.bind(wl_shm)
		6, 16 << 16, 7, 4096, // wl_shm.create_pool(7)
		7, 32 << 16, 8, 0, 8, 8, 32, 1, // wl_shm_pool.create_buffer(8)
		5, 20 << 16 | 1, 8, 0, 0, // wl_surface.attach(8)
		5, 24 << 16 | 2, 0, 0, 8, 8, // wl_surface.damage
		5, 8 << 16 | 6, // wl_surface.commit
		8, 8 << 16, // wl_buffer.destroy
		5, 8 << 16, // wl_surface.destroy
	};
	bytes[0] = MODE_REQUESTS;
	memcpy(bytes + 1, words, sizeof(words));
	return 1 + sizeof(words);
}

static size_t seed_events(uint8_t *bytes) {
	static const uint32_t words[] = {
		1, 12 << 16 | 1, 2, // wl_display.delete_id(2)
		1, 24 << 16, 3, 1, 2, 'a', // wl_display.error
	};
	bytes[0] = MODE_EVENTS;
	memcpy(bytes + 1, words, sizeof(words));
	return 1 + sizeof(words);
}

size_t fuzz_seed(uint32_t index, uint8_t *bytes) {
	switch (index) {
	case 0:
		return seed_requests(bytes);
	case 1:
		return seed_events(bytes);
	default:
		return seed_single(index - 2, bytes);
	}
}
