/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <wayland-client.h>

#include "guivm-server/selection.h"
#include "primary-selection-unstable-v1-client-protocol.h"
#include "tests/guivm-server/bench.h"
#include "tests/harness/ignore.h"
#include "tests/harness/test.h"

#define TWO_VMS \
	"{\"version\": 1, \"vms\": {" \
	"\"work\": {\"color\": \"#1565c0\", \"transport\": \"local:/tmp/w\"}, " \
	"\"play\": {\"color\": \"#9c0000\", \"transport\": \"local:/tmp/p\"}}}"

/* An application as real ones are: its own connection, surface and data devices. */
struct app {
	struct bench *bench;
	struct wl_client *client; // the server's
	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_compositor *compositor;
	struct wl_seat *seat;
	struct wl_keyboard *keyboard;
	struct wl_surface *surface;
	struct wl_data_device_manager *manager;
	struct wl_data_device *device;
	struct zwp_primary_selection_device_manager_v1 *primary_manager;
	struct zwp_primary_selection_device_v1 *primary_device;
	struct wl_data_offer *offer; // the selection, or NULL
	struct zwp_primary_selection_offer_v1 *primary_offer;
	int n_offers; // ever introduced, of both kinds
	int n_cancelled;
	uint32_t serial; // of the last keyboard enter
	const char *text; // what its source sends
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct app *app = data;
	if (strcmp(interface, "wl_compositor") == 0) {
		app->compositor = wl_registry_bind(registry, name, &wl_compositor_interface, 4);
	} else if (strcmp(interface, "wl_seat") == 0) {
		app->seat = wl_registry_bind(registry, name, &wl_seat_interface, 5);
	} else if (strcmp(interface, "wl_data_device_manager") == 0) {
		app->manager = wl_registry_bind(
				registry, name, &wl_data_device_manager_interface, 3);
	} else if (strcmp(interface, "zwp_primary_selection_device_manager_v1") == 0) {
		app->primary_manager = wl_registry_bind(registry, name,
				&zwp_primary_selection_device_manager_v1_interface, 1);
	}
}

static const struct wl_registry_listener registry_listener = {handle_global, IGNORE};

static void handle_keymap(void *data, struct wl_keyboard *keyboard, uint32_t format, int32_t fd,
		uint32_t size) {
	close(fd);
}

static void handle_enter(void *data, struct wl_keyboard *keyboard, uint32_t serial,
		struct wl_surface *surface, struct wl_array *keys) {
	struct app *app = data;
	app->serial = serial;
}

static const struct wl_keyboard_listener keyboard_listener = {
		handle_keymap,
		handle_enter,
		IGNORE,
		IGNORE,
		IGNORE,
		IGNORE,
};

static void handle_data_offer(
		void *data, struct wl_data_device *device, struct wl_data_offer *offer) {
	struct app *app = data;
	app->n_offers++;
}

static void handle_selection(
		void *data, struct wl_data_device *device, struct wl_data_offer *offer) {
	struct app *app = data;
	if (app->offer != NULL) {
		wl_data_offer_destroy(app->offer);
	}
	app->offer = offer;
}

static const struct wl_data_device_listener device_listener = {
		handle_data_offer,
		IGNORE,
		IGNORE,
		IGNORE,
		IGNORE,
		handle_selection,
};

static void handle_primary_offer(void *data, struct zwp_primary_selection_device_v1 *device,
		struct zwp_primary_selection_offer_v1 *offer) {
	struct app *app = data;
	app->n_offers++;
}

static void handle_primary_selection(void *data, struct zwp_primary_selection_device_v1 *device,
		struct zwp_primary_selection_offer_v1 *offer) {
	struct app *app = data;
	if (app->primary_offer != NULL) {
		zwp_primary_selection_offer_v1_destroy(app->primary_offer);
	}
	app->primary_offer = offer;
}

static const struct zwp_primary_selection_device_v1_listener primary_device_listener = {
		handle_primary_offer,
		handle_primary_selection,
};

static void handle_send(
		void *data, struct wl_data_source *source, const char *mime_type, int32_t fd) {
	struct app *app = data;
	EXPECT(write(fd, app->text, strlen(app->text)) == (ssize_t)strlen(app->text));
	close(fd);
}

static void handle_cancelled(void *data, struct wl_data_source *source) {
	struct app *app = data;
	app->n_cancelled++;
}

static void handle_nothing(void *data, struct wl_data_source *source) {
}

static const struct wl_data_source_listener source_listener = {
		IGNORE,
		handle_send,
		handle_cancelled,
		handle_nothing,
		handle_nothing,
		IGNORE,
};

static void handle_primary_send(void *data, struct zwp_primary_selection_source_v1 *source,
		const char *mime_type, int32_t fd) {
	handle_send(data, NULL, mime_type, fd);
}

static void handle_primary_cancelled(void *data, struct zwp_primary_selection_source_v1 *source) {
	handle_cancelled(data, NULL);
}

static const struct zwp_primary_selection_source_v1_listener primary_source_listener = {
		handle_primary_send,
		handle_primary_cancelled,
};

static void handle_synced(void *data, struct wl_callback *callback, uint32_t serial) {
	*(bool *)data = true;
	wl_callback_destroy(callback);
}

static const struct wl_callback_listener sync_listener = {handle_synced};

/* Server and client take turns until everything that was asked has been answered. */
static void app_sync(struct app *app) {
	bool done = false;
	wl_callback_add_listener(wl_display_sync(app->display), &sync_listener, &done);
	while (!done) {
		EXPECT(wl_display_flush(app->display) >= 0);
		bench_turn(app->bench);
		while (wl_display_prepare_read(app->display) != 0) {
			wl_display_dispatch_pending(app->display);
		}
		struct pollfd poll_fd = {.fd = wl_display_get_fd(app->display), .events = POLLIN};
		if (poll(&poll_fd, 1, 0) > 0) {
			EXPECT_INT(wl_display_read_events(app->display), 0);
		} else {
			wl_display_cancel_read(app->display);
		}
		EXPECT(wl_display_dispatch_pending(app->display) >= 0);
	}
}

static void app_init(struct app *app, struct bench *bench, const char *vm) {
	*app = (struct app){.bench = bench, .text = vm};
	app->display = wl_display_connect_to_fd(bench_connect(bench, vm, &app->client));
	EXPECT(app->display != NULL);
	app->registry = wl_display_get_registry(app->display);
	wl_registry_add_listener(app->registry, &registry_listener, app);
	app_sync(app);
	EXPECT(app->compositor != NULL && app->seat != NULL && app->manager != NULL &&
			app->primary_manager != NULL);
	app->keyboard = wl_seat_get_keyboard(app->seat);
	wl_keyboard_add_listener(app->keyboard, &keyboard_listener, app);
	app->surface = wl_compositor_create_surface(app->compositor);
	app->device = wl_data_device_manager_get_data_device(app->manager, app->seat);
	wl_data_device_add_listener(app->device, &device_listener, app);
	app->primary_device = zwp_primary_selection_device_manager_v1_get_device(
			app->primary_manager, app->seat);
	zwp_primary_selection_device_v1_add_listener(
			app->primary_device, &primary_device_listener, app);
	app_sync(app);
}

static void app_finish(struct app *app) {
	if (app->offer != NULL) {
		wl_data_offer_destroy(app->offer);
	}
	if (app->primary_offer != NULL) {
		zwp_primary_selection_offer_v1_destroy(app->primary_offer);
	}
	zwp_primary_selection_device_v1_destroy(app->primary_device);
	zwp_primary_selection_device_manager_v1_destroy(app->primary_manager);
	wl_data_device_destroy(app->device);
	wl_data_device_manager_destroy(app->manager);
	wl_surface_destroy(app->surface);
	wl_keyboard_destroy(app->keyboard);
	wl_seat_destroy(app->seat);
	wl_compositor_destroy(app->compositor);
	wl_registry_destroy(app->registry);
	wl_display_disconnect(app->display);
}

static void app_focus(struct app *app) {
	bench_focus(app->bench, app->client);
	app_sync(app);
}

static struct wl_data_source *app_copy(struct app *app, uint32_t serial) {
	struct wl_data_source *source = wl_data_device_manager_create_data_source(app->manager);
	wl_data_source_add_listener(source, &source_listener, app);
	wl_data_source_offer(source, "text/plain");
	wl_data_device_set_selection(app->device, source, serial);
	app_sync(app);
	return source;
}

static struct zwp_primary_selection_source_v1 *app_select(struct app *app, uint32_t serial) {
	struct zwp_primary_selection_source_v1 *source =
			zwp_primary_selection_device_manager_v1_create_source(app->primary_manager);
	zwp_primary_selection_source_v1_add_listener(source, &primary_source_listener, app);
	zwp_primary_selection_source_v1_offer(source, "text/plain");
	zwp_primary_selection_device_v1_set_selection(app->primary_device, source, serial);
	app_sync(app);
	return source;
}

/* Reads what from sends into to's pipe. */
static void expect_transfer(int pipe_read, struct app *to, struct app *from, const char *text) {
	char got[64] = "";
	app_sync(to);
	app_sync(from);
	ssize_t size = read(pipe_read, got, sizeof(got) - 1);
	EXPECT_INT(size, strlen(text));
	EXPECT_STR(got, text);
	close(pipe_read);
}

static void expect_paste(struct app *to, struct app *from, const char *text) {
	int fds[2];
	EXPECT(to->offer != NULL);
	EXPECT_INT(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	wl_data_offer_receive(to->offer, "text/plain", fds[1]);
	wl_display_flush(to->display);
	close(fds[1]);
	expect_transfer(fds[0], to, from, text);
}

static void expect_primary_paste(struct app *to, struct app *from, const char *text) {
	int fds[2];
	EXPECT(to->primary_offer != NULL);
	EXPECT_INT(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	zwp_primary_selection_offer_v1_receive(to->primary_offer, "text/plain", fds[1]);
	wl_display_flush(to->display);
	close(fds[1]);
	expect_transfer(fds[0], to, from, text);
}

/* Two applications of one VM, one of another, one of the GUI VM itself. */
struct scene {
	struct bench bench;
	struct app work, work2, play, local;
};

static void scene_init(struct scene *scene) {
	bench_init(&scene->bench, TWO_VMS);
	app_init(&scene->work, &scene->bench, "work");
	app_init(&scene->work2, &scene->bench, "work");
	app_init(&scene->play, &scene->bench, "play");
	app_init(&scene->local, &scene->bench, "");
	scene->local.text = "local";
}

static void scene_finish(struct scene *scene) {
	app_finish(&scene->work);
	app_finish(&scene->work2);
	app_finish(&scene->play);
	app_finish(&scene->local);
	bench_finish(&scene->bench);
}

TEST(a_copy_can_be_pasted_in_the_same_vm)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.work);
	struct wl_data_source *source = app_copy(&s.work, s.work.serial);
	expect_paste(&s.work, &s.work, "work");
	app_focus(&s.work2);
	expect_paste(&s.work2, &s.work, "work");
	wl_data_source_destroy(source);
	scene_finish(&s);
}

TEST(another_vm_never_hears_of_a_copy)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.work);
	struct wl_data_source *source = app_copy(&s.work, s.work.serial);
	app_focus(&s.play);
	app_focus(&s.local);
	app_focus(&s.work);
	app_focus(&s.play);
	EXPECT_INT(s.play.n_offers, 0);
	EXPECT(s.play.offer == NULL);
	EXPECT_INT(s.local.n_offers, 0);
	wl_data_source_destroy(source);
	scene_finish(&s);
}

TEST(the_guivms_own_clipboard_stays_its_own)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.local);
	struct wl_data_source *source = app_copy(&s.local, s.local.serial);
	EXPECT(s.local.offer != NULL);
	app_focus(&s.work);
	app_focus(&s.play);
	EXPECT_INT(s.work.n_offers + s.play.n_offers, 0);
	wl_data_source_destroy(source);
	scene_finish(&s);
}

TEST(each_vm_finds_its_own_copy_again)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.work);
	struct wl_data_source *work = app_copy(&s.work, s.work.serial);
	app_focus(&s.play);
	struct wl_data_source *play = app_copy(&s.play, s.play.serial);
	expect_paste(&s.play, &s.play, "play");
	app_focus(&s.work);
	expect_paste(&s.work, &s.work, "work");
	app_focus(&s.play);
	expect_paste(&s.play, &s.play, "play");
	EXPECT_INT(s.work.n_cancelled + s.play.n_cancelled, 0);
	wl_data_source_destroy(work);
	wl_data_source_destroy(play);
	scene_finish(&s);
}

TEST(the_vm_that_loses_the_focus_does_not_see_the_next_ones_copy)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.play);
	struct wl_data_source *play = app_copy(&s.play, s.play.serial);
	app_focus(&s.work);
	EXPECT_INT(s.work.n_offers, 0);
	app_focus(&s.play);
	app_sync(&s.work);
	EXPECT_INT(s.work.n_offers, 0);
	wl_data_source_destroy(play);
	scene_finish(&s);
}

TEST(a_client_without_focus_cannot_copy)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.play);
	app_focus(&s.work);
	struct wl_data_source *play = app_copy(&s.play, s.play.serial);
	app_sync(&s.work);
	EXPECT_INT(s.work.n_offers, 0);
	app_focus(&s.play);
	EXPECT_INT(s.play.n_offers, 0);
	wl_data_source_destroy(play);
	scene_finish(&s);
}

TEST(a_client_without_focus_cannot_copy_with_the_focused_ones_serial)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.play);
	app_focus(&s.work);
	struct wl_data_source *play = app_copy(&s.play, s.work.serial);
	app_sync(&s.work);
	EXPECT_INT(s.work.n_offers, 0);
	wl_data_source_destroy(play);
	scene_finish(&s);
}

/*
 * wlroots remembers the last 128 ranges of serials of a client and takes all older ones for valid.
 */
TEST(a_client_without_focus_cannot_copy_with_a_serial_of_long_ago)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.play);
	uint32_t ancient = s.play.serial;
	for (int i = 0; i < 150; i++) {
		app_focus(&s.work);
		app_focus(&s.play);
	}
	app_focus(&s.work);
	struct wl_data_source *clipboard = app_copy(&s.play, ancient);
	struct zwp_primary_selection_source_v1 *primary = app_select(&s.play, ancient);
	app_sync(&s.work);
	EXPECT_INT(s.work.n_offers, 0);
	wl_data_source_destroy(clipboard);
	zwp_primary_selection_source_v1_destroy(primary);
	scene_finish(&s);
}

TEST(a_newer_copy_replaces_and_cancels_the_older)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.work);
	struct wl_data_source *first = app_copy(&s.work, s.work.serial);
	app_focus(&s.work2);
	s.work2.text = "newer";
	struct wl_data_source *second = app_copy(&s.work2, s.work2.serial);
	app_sync(&s.work);
	EXPECT_INT(s.work.n_cancelled, 1);
	app_focus(&s.work);
	expect_paste(&s.work, &s.work2, "newer");
	wl_data_source_destroy(first);
	wl_data_source_destroy(second);
	scene_finish(&s);
}

TEST(a_destroyed_source_is_forgotten)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.work);
	struct wl_data_source *source = app_copy(&s.work, s.work.serial);
	wl_data_source_destroy(source);
	app_sync(&s.work);
	EXPECT(s.work.offer == NULL);
	app_focus(&s.play);
	app_focus(&s.work);
	EXPECT(s.work.offer == NULL);
	scene_finish(&s);
}

TEST(a_source_destroyed_in_the_background_is_forgotten)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.work);
	struct wl_data_source *source = app_copy(&s.work, s.work.serial);
	app_focus(&s.play);
	wl_data_source_destroy(source);
	app_sync(&s.work);
	app_focus(&s.work);
	EXPECT(s.work.offer == NULL);
	scene_finish(&s);
}

TEST(a_client_that_dies_takes_its_copy_along)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.work);
	struct wl_data_source *source = app_copy(&s.work, s.work.serial);
	/* Connection first: the server hears of the end of the client and of nothing before it. */
	bench_disconnect(s.work.client);
	wl_data_source_destroy(source);
	app_finish(&s.work);
	bench_turn(&s.bench);
	app_focus(&s.work2);
	EXPECT(s.work2.offer == NULL);
	app_init(&s.work, &s.bench, "work");
	scene_finish(&s);
}

TEST(clearing_a_selection_clears_the_own_vms_only)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.play);
	struct wl_data_source *play = app_copy(&s.play, s.play.serial);
	app_focus(&s.work);
	struct wl_data_source *work = app_copy(&s.work, s.work.serial);
	wl_data_device_set_selection(s.work.device, NULL, s.work.serial);
	app_sync(&s.work);
	EXPECT(s.work.offer == NULL);
	app_focus(&s.play);
	expect_paste(&s.play, &s.play, "play");
	wl_data_source_destroy(play);
	wl_data_source_destroy(work);
	scene_finish(&s);
}

TEST(the_primary_selection_stays_in_its_vm)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.work);
	struct zwp_primary_selection_source_v1 *work = app_select(&s.work, s.work.serial);
	expect_primary_paste(&s.work, &s.work, "work");
	app_focus(&s.play);
	EXPECT_INT(s.play.n_offers, 0);
	struct zwp_primary_selection_source_v1 *play = app_select(&s.play, s.play.serial);
	app_focus(&s.work2);
	expect_primary_paste(&s.work2, &s.work, "work");
	app_focus(&s.play);
	expect_primary_paste(&s.play, &s.play, "play");
	zwp_primary_selection_source_v1_destroy(work);
	zwp_primary_selection_source_v1_destroy(play);
	scene_finish(&s);
}

TEST(a_client_without_focus_cannot_set_the_primary_selection)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.play);
	app_focus(&s.work);
	struct zwp_primary_selection_source_v1 *play = app_select(&s.play, s.work.serial);
	app_sync(&s.work);
	EXPECT_INT(s.work.n_offers, 0);
	zwp_primary_selection_source_v1_destroy(play);
	scene_finish(&s);
}

TEST(what_was_copied_hours_ago_can_be_replaced)
{
	struct scene s;
	scene_init(&s);
	app_focus(&s.work);
	struct zwp_primary_selection_source_v1 *old = app_select(&s.work, s.work.serial);
	const uint32_t later = UINT32_MAX / 2 + 100; // too late for wlroots
	for (uint32_t now = 0; now < later; now += UINT32_MAX / 5) {
		selection_age(s.bench.selection, s.work.serial + now);
	}
	selection_age(s.bench.selection, s.work.serial + later);
	EXPECT(s.work.serial + later - bench_selection_serial(&s.bench) < UINT32_MAX / 2);
	zwp_primary_selection_source_v1_destroy(old);
	scene_finish(&s);
}

TEST(drags_stay_in_their_domain)
{
	struct scene s;
	scene_init(&s);
	EXPECT(selection_drag_allowed(s.work.client, s.work2.client));
	EXPECT(selection_drag_allowed(s.local.client, s.local.client));
	EXPECT(!selection_drag_allowed(s.work.client, s.play.client));
	EXPECT(!selection_drag_allowed(s.work.client, s.local.client));
	EXPECT(!selection_drag_allowed(s.local.client, s.play.client));
	EXPECT(!selection_drag_allowed(NULL, s.local.client));
	scene_finish(&s);
}
