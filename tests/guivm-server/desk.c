/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guivm-server/desk.h"

#include <linux/input-event-codes.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wlr/backend.h>
#include <wlr/interfaces/wlr_keyboard.h>
#include <wlr/types/wlr_buffer.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>

#include "guivm-server/cursor.h"
#include "guivm-server/focus.h"
#include "guivm-server/seat.h"
#include "guivm-server/vm.h"
#include "vmset/vmset.h"

static const char vmset_text[] = "{\"version\": 1, \"guivm\": {\"clipboard\": \"allow\"}, "
				 "\"vms\": {"
				 "\"work\": {\"label\": \"Work\", \"color\": \"#2a6fdb\", "
				 "\"transport\": \"local:/run/w\","
				 " \"clipboard\": {\"write_to\": [\"personal\"]},"
				 " \"fullscreen\": \"allow\"},"
				 "\"personal\": {\"label\": \"Personal\", \"color\": \"#2e9e4f\", "
				 "\"transport\": \"local:/run/p\","
				 " \"fullscreen\": \"ask\"},"
				 "\"untrusted\": {\"label\": \"Untrusted\", \"color\": "
				 "\"#b3261e\", \"transport\": \"local:/run/u\","
				 " \"fullscreen\": \"deny\"}}}";

static const char *vmset_path(void) {
	static char path[512];
	snprintf(path, sizeof(path), "%s/vmset.json", test_dir());
	return path;
}

void desk_write_vmset(const char *text) {
	FILE *file = fopen(vmset_path(), "w");
	EXPECT(file != NULL);
	fputs(text, file);
	fclose(file);
}

static struct vmset *load_vmset(void) {
	const char *path = vmset_path();
	desk_write_vmset(vmset_text);
	struct vmset_errors errors;
	struct vmset *vmset = vmset_load(path, NULL, &errors);
	vmset_errors_print(&errors, STDERR_FILENO);
	vmset_errors_finish(&errors);
	EXPECT(vmset != NULL);
	return vmset;
}

static const struct wlr_keyboard_impl keyboard_impl = {.name = "test"};

void desk_init(struct desk *desk) {
	*desk = (struct desk){.time_ms = 1000};
	EXPECT(server_init(&desk->server, &(struct server_options){
		.vmset = load_vmset(),
		.vmset_path = vmset_path(),
		.headless = true,
		.no_socket = true,
	}));
	EXPECT(wlr_backend_start(desk->server.backend)); // and no relays
	desk->output = server_add_headless_output(&desk->server, DESK_WIDTH, DESK_HEIGHT, 1.0f);
	EXPECT(desk->output != NULL);
	desk->pixels = calloc(DESK_WIDTH * DESK_HEIGHT, sizeof(uint32_t));
	wlr_keyboard_init(&desk->keyboard, &keyboard_impl, "test keyboard");
	seat_add_device(&desk->server, &desk->keyboard.base);
	desk_turn(desk);
}

void desk_close_random(void) {
	for (int fd = 3; fd < 64; fd++) {
		char path[32], target[32];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ssize_t length = readlink(path, target, sizeof(target));
		if (length == (ssize_t)strlen("/dev/urandom") &&
				memcmp(target, "/dev/urandom", (size_t)length) == 0) {
			close(fd);
		}
	}
}

void desk_finish(struct desk *desk) {
	wlr_keyboard_finish(&desk->keyboard);
	server_finish(&desk->server);
	free(desk->pixels);
}

void desk_turn(struct desk *desk) {
	wl_event_loop_dispatch(desk->server.loop, 0);
	wl_display_flush_clients(desk->server.display);
}

void desk_look(struct desk *desk) {
	struct wlr_scene_output *scene_output =
			wlr_scene_get_scene_output(desk->server.scene, desk->output);
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_damage_ring_add_whole(&scene_output->damage_ring);
	EXPECT(wlr_scene_output_build_state(scene_output, &state, NULL));
	void *data;
	uint32_t format;
	size_t stride;
	EXPECT(wlr_buffer_begin_data_ptr_access(
			state.buffer, WLR_BUFFER_DATA_PTR_ACCESS_READ, &data, &format, &stride));
	for (int y = 0; y < DESK_HEIGHT; y++) {
		memcpy(desk->pixels + y * DESK_WIDTH, (char *)data + (size_t)y * stride,
				DESK_WIDTH * 4);
	}
	wlr_buffer_end_data_ptr_access(state.buffer);
	wlr_output_state_finish(&state);
}

uint32_t desk_pixel(const struct desk *desk, int x, int y) {
	EXPECT(x >= 0 && y >= 0 && x < DESK_WIDTH && y < DESK_HEIGHT);
	return desk->pixels[y * DESK_WIDTH + x] & 0xffffff;
}

int desk_count(const struct desk *desk, uint32_t color, const struct wlr_box *box, bool inside) {
	int count = 0;
	for (int y = 0; y < DESK_HEIGHT; y++) {
		for (int x = 0; x < DESK_WIDTH; x++) {
			bool in = x >= box->x && y >= box->y && x < box->x + box->width &&
					y < box->y + box->height;
			count += in == inside && desk_pixel(desk, x, y) == color;
		}
	}
	return count;
}

void desk_point(struct desk *desk, double x, double y) {
	cursor_warp(&desk->server, x, y);
	cursor_motion(&desk->server, ++desk->time_ms);
	desk_turn(desk);
}

void desk_button(struct desk *desk, bool pressed) {
	desk->time_ms += 1000; // never a double click
	cursor_button(&desk->server, desk->time_ms, BTN_LEFT, pressed);
	desk_turn(desk);
}

void desk_click(struct desk *desk, double x, double y) {
	desk_point(desk, x, y);
	desk_button(desk, true);
	desk_button(desk, false);
}

void desk_key(struct desk *desk, uint32_t keycode, bool pressed) {
	wlr_keyboard_notify_key(&desk->keyboard, &(struct wlr_keyboard_key_event){
		.time_msec = ++desk->time_ms,
		.keycode = keycode,
		.update_state = true,
		.state = pressed ? WL_KEYBOARD_KEY_STATE_PRESSED : WL_KEYBOARD_KEY_STATE_RELEASED,
	});
	desk_turn(desk);
}

void desk_tap(struct desk *desk, uint32_t keycode) {
	desk_key(desk, keycode, true);
	desk_key(desk, keycode, false);
}
