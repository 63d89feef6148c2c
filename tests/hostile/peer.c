/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hostile/peer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wayland-server.h>

#include "common/fd.h"
#include "protocol/wire.h"
#include "tests/harness/test.h"
#include "transport/transport.h"
#include "transport/vchan.h"

#define ALIVE_CLIENT 999
// wl_display, wl_registry
#define SYNC 0
#define GET_REGISTRY 1
// of an event that is waited for: enough for the beginning of an error's text
#define EVENT_WORDS 8

static int handle_compositor(int fd, uint32_t mask, void *data) {
	struct peer *peer = data;
	wl_event_loop_dispatch(wl_display_get_event_loop(peer->compositor.display), 0);
	return 0;
}

void peer_freeze_compositor(struct peer *peer, bool frozen) {
	wl_event_source_fd_update(peer->compositor_source, frozen ? 0 : WL_EVENT_READABLE);
}

void peer_turn(struct peer *peer) {
	wl_display_flush_clients(peer->compositor.display);
	if (wl_event_loop_dispatch(peer->loop, -1) < 0 && errno != EINTR) {
		test_fail(__FILE__, __LINE__, "event loop: %s", strerror(errno));
	}
	wl_display_flush_clients(peer->compositor.display);
}

void peer_wait_value(struct peer *peer, const unsigned *value, unsigned expected) {
	while (*value != expected) {
		peer_turn(peer);
	}
}

static void handle_vchan(struct vchan *vchan, void *data) {
}

static void write_file(const char *path, const char *text) {
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	EXPECT(fd >= 0);
	EXPECT(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	fd_close(&fd);
}

/*
 * The relay hides its descriptors from all who may not trace its user namespace (sandbox.c). Who
 * is not root becomes it in one of its own, before the relay is started.
 */
static void enter_own_namespace(void) {
	char text[64];
	unsigned user = geteuid(), group = getegid();
	if (user == 0) {
		return;
	}
	EXPECT(unshare(CLONE_NEWUSER) == 0);
	write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "0 %u 1", user);
	write_file("/proc/self/uid_map", text);
	snprintf(text, sizeof(text), "0 %u 1", group);
	write_file("/proc/self/gid_map", text);
}

static void start_relay(struct peer *peer, enum peer_mode mode) {
	int manager = mode == PEER_MANAGED ? test_compositor_make_manager(&peer->compositor) : -1;
	const char *argv[] = {GUIVM_RELAY, "--transport", peer->spec, "--vm", "hostile",
			"--clients", "8", "--pages-mib", "16",
			mode == PEER_MANAGED ? NULL : "--display", peer->compositor.socket, NULL};
	peer->relay = fork();
	EXPECT(peer->relay >= 0);
	if (peer->relay == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (manager >= 0) {
			char text[16];
			snprintf(text, sizeof(text), "%d", manager);
			setenv("WAYLAND_SOCKET", text, 1);
		}
		execv(GUIVM_RELAY, (char *const *)argv);
		_exit(127);
	}
	fd_close(&manager);
}

int peer_count_relay_fds(const struct peer *peer) {
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)peer->relay);
	DIR *dir = opendir(path);
	EXPECT(dir != NULL);
	int count = 0;
	while (readdir(dir) != NULL) {
		count++;
	}
	closedir(dir);
	return count - 2;
}

static void send_hello(struct peer *peer) {
	struct link_hello hello = {
			.magic = LINK_MAGIC,
			.version_min = LINK_VERSION_MIN,
			.version_max = LINK_VERSION_MAX,
			.caps = transport_caps(peer->transport),
			.page_size = (uint32_t)sysconf(_SC_PAGESIZE),
	};
	peer_send(peer, LINK_HELLO, 0, 0, &hello, sizeof(hello));
}

void peer_connect(struct peer *peer) {
	if (transport_caps(peer->transport) & TRANSPORT_PAGES) {
		peer->pages = pages_create(peer->transport, 1024 * 1024 * 1024, NULL, NULL);
		EXPECT(peer->pages != NULL);
	}
	peer->vchan = vchan_create(peer->transport, handle_vchan, peer);
	EXPECT(peer->vchan != NULL);
	while (vchan_state(peer->vchan) == VCHAN_WAITING) {
		peer_turn(peer);
	}
	EXPECT_INT(vchan_state(peer->vchan), VCHAN_CONNECTED);
	peer->in_bytes = 0;
	send_hello(peer);
	peer_wait(peer, LINK_HELLO, 0, NULL, 0);
}

void peer_disconnect(struct peer *peer) {
	vchan_destroy(peer->vchan);
	peer->vchan = NULL;
	pages_destroy(peer->pages);
	peer->pages = NULL;
}

void peer_reconnect(struct peer *peer) {
	int before = peer->relay_fds;
	peer_disconnect(peer);
	peer_wait_value(peer, &peer->compositor.n_clients, 1);
	peer_connect(peer);
	EXPECT_INT(peer_count_relay_fds(peer), before);
}

void peer_start(struct peer *peer, enum peer_mode mode) {
	*peer = (struct peer){0};
	char error[256];
	enter_own_namespace();
	test_compositor_start(&peer->compositor, test_dir());
	peer->loop = wl_event_loop_create();
	int compositor_fd =
			wl_event_loop_get_fd(wl_display_get_event_loop(peer->compositor.display));
	peer->compositor_source = wl_event_loop_add_fd(
			peer->loop, compositor_fd, WL_EVENT_READABLE, handle_compositor, peer);
	snprintf(peer->spec, sizeof(peer->spec), "local:%s/link%s", test_dir(),
			mode == PEER_ARENA ? ",pixels=arena" : "");
	char dir[128];
	snprintf(dir, sizeof(dir), "%s/link", test_dir());
	EXPECT(mkdir(dir, 0700) == 0);
	start_relay(peer, mode);
	peer->transport = transport_open(
			peer->loop, peer->spec, TRANSPORT_APPVM, error, sizeof(error));
	if (peer->transport == NULL) {
		test_fail(__FILE__, __LINE__, "%s", error);
	}
	peer_connect(peer);
	peer->relay_fds = peer_count_relay_fds(peer);
}

void peer_stop(struct peer *peer) {
	peer_disconnect(peer);
	transport_close(peer->transport);
	wl_event_source_remove(peer->compositor_source);
	wl_event_loop_destroy(peer->loop);
	test_compositor_stop(&peer->compositor);
	int status;
	EXPECT(waitpid(peer->relay, &status, 0) == peer->relay);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void peer_send_bytes(struct peer *peer, const void *bytes, size_t size) {
	const uint8_t *next = bytes;
	while (size > 0) {
		ssize_t written = vchan_write(peer->vchan, next, size);
		if (written < 0) {
			return; // the relay ended the link meanwhile: tests see to the reason
		}
		next += written;
		size -= (size_t)written;
		if (size > 0) {
			peer_turn(peer);
		}
	}
}

void peer_send(struct peer *peer, enum link_type type, uint32_t client, uint32_t arg,
		const void *body, size_t size) {
	struct link_header header = {
			.size = (uint32_t)(sizeof(header) + size),
			.type = (uint16_t)type,
			.client = client,
			.arg = arg,
	};
	peer_send_bytes(peer, &header, sizeof(header));
	peer_send_bytes(peer, body, size);
}

/* Returns its size in bytes. */
static size_t make_message(uint32_t message[64], uint32_t object, uint16_t opcode,
		const uint32_t *words, size_t n_words) {
	EXPECT(n_words <= 62);
	message[0] = object;
	message[1] = (uint32_t)(8 + 4 * n_words) << 16 | opcode;
	if (n_words > 0) {
		memcpy(message + 2, words, 4 * n_words);
	}
	return 8 + 4 * n_words;
}

void peer_request(struct peer *peer, uint32_t client, uint32_t object, uint16_t opcode,
		const uint32_t *words, size_t n_words) {
	uint32_t message[64];
	size_t size = make_message(message, object, opcode, words, n_words);
	peer_send(peer, LINK_WAYLAND, client, 0, message, size);
}

void peer_request_fd(struct peer *peer, uint32_t client, const struct link_fd *fd,
		uint32_t object, uint16_t opcode, const uint32_t *words, size_t n_words) {
	uint8_t body[sizeof(*fd) + 64 * sizeof(uint32_t)];
	uint32_t message[64];
	size_t size = make_message(message, object, opcode, words, n_words);
	memcpy(body, fd, sizeof(*fd));
	memcpy(body + sizeof(*fd), message, size);
	peer_send(peer, LINK_WAYLAND_FDS, client, 1, body, sizeof(*fd) + size);
}

/* The next frame into body; false when the link ended before. */
static bool next_frame(struct peer *peer, struct link_header *header, uint8_t *body) {
	for (;;) {
		struct link_frame frame;
		enum link_error error =
				link_parse(peer->in, peer->in_bytes, LINK_END_GUIVM, &frame);
		if (error == LINK_OK) {
			*header = frame.header;
			memcpy(body, frame.body, frame.body_size);
			peer->in_bytes -= header->size;
			memmove(peer->in, peer->in + header->size, peer->in_bytes);
			return true;
		}
		EXPECT_INT(error, LINK_INCOMPLETE);
		ssize_t got = vchan_read(peer->vchan, peer->in + peer->in_bytes,
				sizeof(peer->in) - peer->in_bytes);
		if (got > 0) {
			peer->in_bytes += (size_t)got;
		} else if (got < 0) {
			return false;
		} else {
			peer_turn(peer);
		}
	}
}

uint32_t peer_wait(
		struct peer *peer, enum link_type type, uint32_t client, void *body, size_t size) {
	static uint8_t bytes[LIMIT_LINK_FRAME_BYTES];
	struct link_header header;
	do {
		if (!next_frame(peer, &header, bytes)) {
			test_fail(__FILE__, __LINE__, "the link ended before a frame of type %d",
					type);
		}
		if (header.type == LINK_BYE && type != LINK_BYE) {
			test_fail(__FILE__, __LINE__, "the relay said: %s",
					link_bye_text(header.arg));
		}
	} while (header.type != type || header.client != client);
	if (body != NULL) {
		memcpy(body, bytes, size);
	}
	return header.arg;
}

void peer_expect_not_closed(struct peer *peer, uint32_t client) {
	static uint8_t bytes[LIMIT_LINK_FRAME_BYTES];
	struct link_header header;
	peer_send(peer, LINK_PING, 0, 0, NULL, 0);
	do {
		EXPECT(next_frame(peer, &header, bytes));
		EXPECT(header.type != LINK_CLIENT_CLOSE || header.client != client);
	} while (header.type != LINK_PONG);
}

/* The events of one frame. Returns whether the one was among them. */
static bool find_event(const uint8_t *bytes, size_t size, uint32_t object, uint16_t opcode,
		uint32_t *words) {
	bool found = false;
	while (size > 0) {
		struct wire_header header;
		EXPECT_INT(wire_parse_header(bytes, size, &header), WIRE_OK);
		if (!found && header.object == object && header.opcode == opcode) {
			found = true;
			size_t wanted = EVENT_WORDS * sizeof(uint32_t);
			memcpy(words, bytes + 8,
					header.size - 8u < wanted ? header.size - 8u : wanted);
		}
		bytes += header.size;
		size -= header.size;
	}
	return found;
}

static void wait_event(struct peer *peer, uint32_t client, uint32_t object, uint16_t opcode,
		uint32_t *words) {
	static uint8_t bytes[LIMIT_LINK_FRAME_BYTES];
	struct link_header header;
	for (;;) {
		if (!next_frame(peer, &header, bytes)) {
			test_fail(__FILE__, __LINE__, "the link ended before event %u of object %u",
					opcode, object);
		}
		if (header.type == LINK_BYE) {
			test_fail(__FILE__, __LINE__, "the relay said: %s",
					link_bye_text(header.arg));
		}
		if (header.type == LINK_WAYLAND && header.client == client &&
				find_event(bytes, header.size - sizeof(header), object, opcode,
						words)) {
			return;
		}
	}
}

uint32_t peer_wait_event(struct peer *peer, uint32_t client, uint32_t object, uint16_t opcode) {
	uint32_t words[EVENT_WORDS] = {0};
	wait_event(peer, client, object, opcode, words);
	return words[0];
}

void peer_wait_delete_id(struct peer *peer, uint32_t client, uint32_t object, uint32_t sync_id) {
	peer_call(peer, client, 1, SYNC, sync_id);
	EXPECT_INT(peer_wait_event(peer, client, 1, 1), object);
}

void peer_expect_bye(struct peer *peer, enum link_bye reason) {
	static uint8_t bytes[LIMIT_LINK_FRAME_BYTES];
	struct link_header header;
	do {
		if (!next_frame(peer, &header, bytes)) {
			test_fail(__FILE__, __LINE__, "the link ended without LINK_BYE");
		}
	} while (header.type != LINK_BYE);
	EXPECT_INT(header.arg, reason);
	EXPECT(!next_frame(peer, &header, bytes));
	EXPECT_INT(vchan_state(peer->vchan), VCHAN_DISCONNECTED);
}

void peer_expect_app_error(struct peer *peer, uint32_t client, uint32_t code) {
	uint32_t words[EVENT_WORDS] = {0};
	wait_event(peer, client, 1, 0, words);
	EXPECT_INT(words[1], code);
	// libwayland-server's own words: then the compositor had to find it.
	const char *text = (const char *)(words + 3);
	EXPECT(strncmp(text, "invalid ", 8) != 0 && strncmp(text, "file descr", 10) != 0);
	peer_wait(peer, LINK_CLIENT_CLOSE, client, NULL, 0);
	peer_send(peer, LINK_CLIENT_CLOSE, client, 0, NULL, 0);
	peer_expect_alive(peer);
}

void peer_expect_alive(struct peer *peer) {
	peer_send(peer, LINK_CLIENT_OPEN, ALIVE_CLIENT, 0, NULL, 0);
	peer_call(peer, ALIVE_CLIENT, 1, SYNC, 2);
	peer_wait_event(peer, ALIVE_CLIENT, 2, 0);
	peer_send(peer, LINK_CLIENT_CLOSE, ALIVE_CLIENT, 0, NULL, 0);
	peer_wait(peer, LINK_CLIENT_CLOSE, ALIVE_CLIENT, NULL, 0);
}

static uint32_t find_global(struct peer *peer, uint32_t client, const char *interface) {
	static uint8_t bytes[LIMIT_LINK_FRAME_BYTES];
	struct link_header header;
	for (;;) {
		EXPECT(next_frame(peer, &header, bytes));
		EXPECT(header.type != LINK_BYE);
		if (header.type != LINK_WAYLAND || header.client != client) {
			continue;
		}
		size_t size = header.size - sizeof(header);
		for (size_t i = 0; i < size; i += bytes[i + 6] | bytes[i + 7] << 8) {
			// name, string size, string
			if (strcmp((const char *)bytes + i + 16, interface) == 0) {
				uint32_t name;
				memcpy(&name, bytes + i + 8, sizeof(name));
				return name;
			}
		}
	}
}

void peer_bind(struct peer *peer, uint32_t client, uint32_t registry, const char *interface,
		uint32_t version, uint32_t id) {
	peer_call(peer, client, 1, GET_REGISTRY, registry);
	uint32_t bind[32] = {find_global(peer, client, interface)};
	size_t size = strlen(interface) + 1, n_words = 2 + (size + 3) / 4;
	EXPECT(n_words + 2 <= sizeof(bind) / sizeof(bind[0]));
	bind[1] = (uint32_t)size;
	memcpy(bind + 2, interface, size);
	bind[n_words] = version;
	bind[n_words + 1] = id;
	peer_request(peer, client, registry, 0, bind, n_words + 2);
}

bool peer_sees_global(
		struct peer *peer, uint32_t client, uint32_t registry, const char *interface) {
	static uint8_t bytes[LIMIT_LINK_FRAME_BYTES];
	uint32_t words[EVENT_WORDS];
	struct link_header header;
	bool seen = false, done = false;
	peer_call(peer, client, 1, GET_REGISTRY, registry);
	peer_call(peer, client, 1, SYNC, registry + 1);
	while (!done) {
		EXPECT(next_frame(peer, &header, bytes));
		if (header.type == LINK_WAYLAND && header.client == client) {
			size_t size = header.size - sizeof(header);
			seen = seen || memmem(bytes, size, interface, strlen(interface) + 1);
			done = find_event(bytes, size, registry + 1, 0, words);
		}
	}
	return seen;
}

void peer_open_app(struct peer *peer, uint32_t client) {
	peer_send(peer, LINK_CLIENT_OPEN, client, 0, NULL, 0);
	peer_bind(peer, client, 2, "wl_compositor", 4, 3);
}
