/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/input-event-codes.h>
#include <signal.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/limits.h"
#include "guivm-server/vm.h"
#include "tests/guivm-server/desk.h"

#define WHITE 0xffffffff
#define READ_LIMIT_MS 5000

/*
 * The linker puts this where the compositor's own code sets a timer: the test decides when the time
 * that an application has to write its text is over.
 */
int __real_wl_event_source_timer_update(struct wl_event_source *source, int ms);
int __wrap_wl_event_source_timer_update(struct wl_event_source *source, int ms);

static struct wl_event_source *limit; // armed; NULL: none is

int __wrap_wl_event_source_timer_update(struct wl_event_source *source, int ms) {
	if (ms == READ_LIMIT_MS) {
		limit = source;
	} else if (source == limit) {
		limit = NULL;
	}
	return __real_wl_event_source_timer_update(source, ms);
}

/* An application with a clipboard. */
struct carrier {
	struct app app;
	struct app_window window;
	struct wl_data_device_manager *manager;
	struct wl_data_device *device;
	struct wl_data_source *source; // NULL: it copied nothing
	struct wl_data_offer *offer; // that it could paste; NULL: none
	int fd; // that it is to write its text to; -1: nobody asked
};

static void source_target(void *data, struct wl_data_source *source, const char *type) {
}

static void source_send(void *data, struct wl_data_source *source, const char *type, int32_t fd) {
	struct carrier *carrier = data;
	fd_close(&carrier->fd);
	EXPECT(fd_set_nonblocking(fd, true));
	carrier->fd = fd;
}

static void source_nothing(void *data, struct wl_data_source *source) {
}

static void source_action(void *data, struct wl_data_source *source, uint32_t action) {
}

static const struct wl_data_source_listener source_listener = {
	.target = source_target,
	.send = source_send,
	.cancelled = source_nothing,
	.dnd_drop_performed = source_nothing,
	.dnd_finished = source_nothing,
	.action = source_action,
};

static void device_data_offer(
		void *data, struct wl_data_device *device, struct wl_data_offer *offer) {
}

static void device_enter(void *data, struct wl_data_device *device, uint32_t serial,
		struct wl_surface *surface, wl_fixed_t x, wl_fixed_t y,
		struct wl_data_offer *offer) {
}

static void device_leave(void *data, struct wl_data_device *device) {
}

static void device_motion(void *data, struct wl_data_device *device, uint32_t time, wl_fixed_t x,
		wl_fixed_t y) {
}

static void device_drop(void *data, struct wl_data_device *device) {
}

static void device_selection(
		void *data, struct wl_data_device *device, struct wl_data_offer *offer) {
	struct carrier *carrier = data;
	if (carrier->offer != NULL) {
		wl_data_offer_destroy(carrier->offer);
	}
	carrier->offer = offer;
}

static const struct wl_data_device_listener device_listener = {
	.data_offer = device_data_offer,
	.enter = device_enter,
	.leave = device_leave,
	.motion = device_motion,
	.drop = device_drop,
	.selection = device_selection,
};

static void registry_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct carrier *carrier = data;
	if (strcmp(interface, "wl_data_device_manager") == 0) {
		carrier->manager = wl_registry_bind(
				registry, name, &wl_data_device_manager_interface, 3);
	}
}

static void registry_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
	.global = registry_global,
	.global_remove = registry_global_remove,
};

static void carrier_init(struct carrier *carrier, struct desk *desk, const char *vm, int x) {
	*carrier = (struct carrier){.fd = -1};
	app_connect(&carrier->app, desk, vm);
	struct wl_registry *registry = wl_display_get_registry(carrier->app.display);
	wl_registry_add_listener(registry, &registry_listener, carrier);
	app_roundtrip(&carrier->app);
	wl_registry_destroy(registry);
	carrier->device = wl_data_device_manager_get_data_device(
			carrier->manager, carrier->app.seat);
	wl_data_device_add_listener(carrier->device, &device_listener, carrier);
	app_window_create(&carrier->window, &carrier->app);
	app_window_show(&carrier->window, 300, 200, WHITE);
	view_move(app_window_view(&carrier->window), x, 100);
}

static void carrier_finish(struct carrier *carrier) {
	fd_close(&carrier->fd);
	if (carrier->source != NULL) {
		wl_data_source_destroy(carrier->source);
	}
	if (carrier->offer != NULL) {
		wl_data_offer_destroy(carrier->offer);
	}
	wl_data_device_destroy(carrier->device);
	wl_data_device_manager_destroy(carrier->manager);
	app_disconnect(&carrier->app);
}

static void carrier_focus(struct carrier *carrier) {
	const struct wlr_box *box = &app_window_server(&carrier->window)->box;
	desk_click(carrier->app.desk, box->x + 150, box->y + 100);
	app_roundtrip(&carrier->app);
	EXPECT(carrier->app.keyboard_focus == carrier->window.surface);
}

/* What the user presses in its window. */
static void carrier_press(struct carrier *carrier, uint32_t key) {
	carrier_focus(carrier);
	desk_key(carrier->app.desk, KEY_LEFTMETA, true);
	desk_tap(carrier->app.desk, key);
	desk_key(carrier->app.desk, KEY_LEFTMETA, false);
	app_roundtrip(&carrier->app);
}

static void carrier_copy(struct carrier *carrier) {
	carrier_focus(carrier);
	carrier->source = wl_data_device_manager_create_data_source(carrier->manager);
	wl_data_source_add_listener(carrier->source, &source_listener, carrier);
	wl_data_source_offer(carrier->source, "text/plain");
	wl_data_device_set_selection(carrier->device, carrier->source, carrier->app.serial);
	app_roundtrip(&carrier->app);
}

/* Until all of it was taken or nobody reads any more; how many bytes were taken. */
static size_t carrier_write(struct carrier *carrier, size_t size_bytes) {
	char piece[16384];
	size_t written = 0;
	memset(piece, 'x', sizeof(piece));
	while (written < size_bytes) {
		size_t rest = size_bytes - written;
		ssize_t n = write(carrier->fd, piece, rest < sizeof(piece) ? rest : sizeof(piece));
		if (n < 0 && errno == EAGAIN) {
			desk_turn(carrier->app.desk);
			continue;
		}
		if (n < 0) {
			EXPECT_INT(errno, EPIPE);
			break;
		}
		written += (size_t)n;
	}
	return written;
}

static bool carrier_is_refused(struct carrier *carrier) {
	return write(carrier->fd, "x", 1) < 0 && errno == EPIPE;
}

/* The read end of a paste. */
static int carrier_paste(struct carrier *carrier) {
	int fds[2];
	EXPECT(carrier->offer != NULL);
	EXPECT_INT(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	wl_data_offer_receive(carrier->offer, "text/plain", fds[1]);
	app_roundtrip(&carrier->app);
	close(fds[1]);
	return fds[0];
}

/* To the end, with the compositor at work; closes fd. */
static size_t paste_read(struct desk *desk, int fd) {
	char piece[16384];
	size_t size_bytes = 0;
	ssize_t n;
	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		EXPECT(n > 0 || errno == EAGAIN);
		size_bytes += n > 0 ? (size_t)n : 0;
		desk_turn(desk);
	}
	close(fd);
	return size_bytes;
}

/* Of VM "work", which may write to VM "personal". */
struct scene {
	struct desk desk;
	struct carrier work, personal;
};

static void scene_init(struct scene *scene) {
	signal(SIGPIPE, SIG_IGN);
	desk_init(&scene->desk);
	carrier_init(&scene->work, &scene->desk, "work", 20);
	carrier_init(&scene->personal, &scene->desk, "personal", 420);
}

static void scene_finish(struct scene *scene) {
	carrier_finish(&scene->work);
	carrier_finish(&scene->personal);
	desk_finish(&scene->desk);
}

static void scene_let_time_pass(struct scene *scene) {
	EXPECT(limit != NULL);
	__real_wl_event_source_timer_update(limit, 1);
	while (limit != NULL) {
		wl_event_loop_dispatch(scene->desk.server.loop, -1);
	}
}

static void scene_take(struct scene *scene) {
	carrier_copy(&scene->work);
	carrier_press(&scene->work, KEY_C);
	EXPECT(scene->work.fd >= 0);
}

/* The application writes that much more, and that was it. */
static void scene_complete(struct scene *scene, size_t size_bytes) {
	EXPECT_INT(carrier_write(&scene->work, size_bytes), size_bytes);
	fd_close(&scene->work.fd);
	while (limit != NULL) {
		desk_turn(&scene->desk);
	}
}

/* Takes that much from VM "work" and gives it to VM "personal". */
static void scene_carry(struct scene *scene, size_t size_bytes) {
	scene_take(scene);
	scene_complete(scene, size_bytes);
	carrier_press(&scene->personal, KEY_V);
}

static void scene_expect_nothing_to_give(struct scene *scene) {
	carrier_press(&scene->personal, KEY_V);
	EXPECT(scene->personal.offer == NULL);
}

static void scene_remove_vm(struct scene *scene, const char *left) {
	char *message = NULL;
	desk_write_vmset(left);
	EXPECT(vms_reload(scene->desk.server.vms, &message));
	free(message);
	desk_turn(&scene->desk);
}

static const char without_work[] = "{\"version\": 1, \"guivm\": {\"clipboard\": \"allow\"}, "
				   "\"vms\": {\"personal\": {\"color\": \"#2e9e4f\", "
				   "\"transport\": \"local:/run/p\"}}}";
static const char without_personal[] = "{\"version\": 1, \"guivm\": {\"clipboard\": \"allow\"}, "
				       "\"vms\": {\"work\": {\"color\": \"#2a6fdb\", "
				       "\"transport\": \"local:/run/w\"}}}";

TEST(a_text_is_carried_and_can_be_pasted_again_and_again) {
	struct scene s;
	scene_init(&s);
	scene_carry(&s, 1000);
	EXPECT_INT(paste_read(&s.desk, carrier_paste(&s.personal)), 1000);
	EXPECT_INT(paste_read(&s.desk, carrier_paste(&s.personal)), 1000);
	scene_finish(&s);
}

TEST(an_application_that_never_writes_is_given_up) {
	struct scene s;
	scene_init(&s);
	scene_take(&s);
	scene_let_time_pass(&s);
	EXPECT(carrier_is_refused(&s.work));
	scene_expect_nothing_to_give(&s);
	scene_finish(&s);
}

TEST(an_application_that_goes_on_writing_has_no_more_time) {
	struct scene s;
	scene_init(&s);
	scene_take(&s);
	struct wl_event_source *first = limit;
	for (int i = 0; i < 100; i++) {
		EXPECT_INT(carrier_write(&s.work, 1), 1);
		desk_turn(&s.desk);
		EXPECT(limit == first);
	}
	scene_let_time_pass(&s);
	EXPECT(carrier_is_refused(&s.work));
	scene_expect_nothing_to_give(&s);
	scene_finish(&s);
}

TEST(an_application_that_never_ends_is_refused_at_the_limit) {
	struct scene s;
	scene_init(&s);
	scene_take(&s);
	size_t pipe_bytes = (size_t)fcntl(s.work.fd, F_GETPIPE_SZ);
	size_t written = carrier_write(&s.work, SIZE_MAX);
	EXPECT(written > LIMIT_CARRIED_BYTES);
	EXPECT(written <= LIMIT_CARRIED_BYTES + 1 + pipe_bytes);
	EXPECT(limit == NULL);
	scene_expect_nothing_to_give(&s);
	scene_finish(&s);
}

TEST(the_largest_text_is_carried_whole) {
	struct scene s;
	scene_init(&s);
	scene_carry(&s, LIMIT_CARRIED_BYTES);
	EXPECT_INT(paste_read(&s.desk, carrier_paste(&s.personal)), LIMIT_CARRIED_BYTES);
	scene_finish(&s);
}

TEST(text_that_is_not_complete_cannot_be_given) {
	struct scene s;
	scene_init(&s);
	scene_take(&s);
	EXPECT_INT(carrier_write(&s.work, 10), 10);
	scene_expect_nothing_to_give(&s);
	scene_finish(&s);
}

TEST(another_text_taken_ends_the_one_before) {
	struct scene s;
	scene_init(&s);
	scene_take(&s);
	int first = s.work.fd;
	s.work.fd = -1;
	carrier_press(&s.work, KEY_C);
	EXPECT(s.work.fd >= 0);
	EXPECT(write(first, "x", 1) < 0 && errno == EPIPE);
	close(first);
	EXPECT(limit != NULL);
	scene_finish(&s);
}

TEST(a_window_that_closes_while_its_text_is_taken_is_no_harm) {
	struct scene s;
	scene_init(&s);
	scene_take(&s);
	app_window_destroy(&s.work.window);
	scene_complete(&s, 10);
	carrier_press(&s.personal, KEY_V);
	EXPECT_INT(paste_read(&s.desk, carrier_paste(&s.personal)), 10);
	scene_finish(&s);
}

TEST(a_vm_that_is_removed_takes_its_text_along_while_it_is_written) {
	struct scene s;
	scene_init(&s);
	scene_take(&s);
	EXPECT_INT(carrier_write(&s.work, 10), 10);
	scene_remove_vm(&s, without_work);
	EXPECT(limit == NULL);
	EXPECT(carrier_is_refused(&s.work));
	scene_expect_nothing_to_give(&s);
	scene_finish(&s);
}

TEST(a_vm_that_is_removed_takes_its_text_along_before_it_is_given) {
	struct scene s;
	scene_init(&s);
	scene_take(&s);
	scene_complete(&s, 10);
	scene_remove_vm(&s, without_work);
	scene_expect_nothing_to_give(&s);
	scene_finish(&s);
}

TEST(what_was_given_outlives_the_vm_that_it_is_of) {
	struct scene s;
	scene_init(&s);
	scene_carry(&s, LIMIT_CARRIED_BYTES);
	int fd = carrier_paste(&s.personal);
	scene_remove_vm(&s, without_work);
	EXPECT_INT(paste_read(&s.desk, fd), LIMIT_CARRIED_BYTES);
	scene_finish(&s);
}

/* Nine of them, of which one gives its place up to the last. */
TEST(readers_that_never_read_hold_a_few_places_and_no_more) {
	struct scene s;
	int fds[LIMIT_CARRIED_PASTES + 1];
	scene_init(&s);
	scene_carry(&s, LIMIT_CARRIED_BYTES);
	for (int i = 0; i <= LIMIT_CARRIED_PASTES; i++) {
		fds[i] = carrier_paste(&s.personal);
	}
	size_t pipe_bytes = (size_t)fcntl(fds[0], F_GETPIPE_SZ);
	EXPECT(paste_read(&s.desk, fds[0]) <= pipe_bytes);
	for (int i = 1; i <= LIMIT_CARRIED_PASTES; i++) {
		EXPECT_INT(paste_read(&s.desk, fds[i]), LIMIT_CARRIED_BYTES);
	}
	scene_finish(&s);
}

TEST(a_reader_that_goes_gives_its_place_back) {
	struct scene s;
	scene_init(&s);
	scene_carry(&s, LIMIT_CARRIED_BYTES);
	int stays = carrier_paste(&s.personal);
	for (int i = 0; i < 2 * LIMIT_CARRIED_PASTES; i++) {
		close(carrier_paste(&s.personal));
		desk_turn(&s.desk);
	}
	EXPECT_INT(paste_read(&s.desk, stays), LIMIT_CARRIED_BYTES);
	scene_finish(&s);
}

TEST(a_vm_that_is_removed_leaves_no_paste_behind) {
	struct scene s;
	scene_init(&s);
	scene_carry(&s, LIMIT_CARRIED_BYTES);
	int fd = carrier_paste(&s.personal);
	scene_remove_vm(&s, without_personal);
	size_t pipe_bytes = (size_t)fcntl(fd, F_GETPIPE_SZ);
	EXPECT(paste_read(&s.desk, fd) <= pipe_bytes);
	scene_finish(&s);
}
