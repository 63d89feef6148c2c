/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/list.h"
#include "launcher/panel.h"
#include "tests/harness/test.h"
#include "tests/launcher/model.h"

static cairo_surface_t *draw(struct list *list, double scale, const char *status) {
	struct panel panel = {.list = list,
			.width = PANEL_WIDTH,
			.height = PANEL_HEIGHT,
			.scale = scale,
			.status = status,
			.status_is_error = true};
	cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24,
			(int)(PANEL_WIDTH * scale), (int)(PANEL_HEIGHT * scale));
	cairo_t *cairo = cairo_create(surface);
	panel_draw(&panel, cairo);
	EXPECT_INT(cairo_status(cairo), CAIRO_STATUS_SUCCESS);
	cairo_destroy(cairo);
	cairo_surface_flush(surface);
	return surface;
}

static uint32_t pixel(cairo_surface_t *surface, int x, int y) {
	uint32_t value;
	int stride = cairo_image_surface_get_stride(surface);
	memcpy(&value, cairo_image_surface_get_data(surface) + y * stride + 4 * x, 4);
	return value & 0xffffff;
}

/* For eyes: ISTHMUS_TEST_PICTURES names a folder. */
static void keep(cairo_surface_t *surface, const char *name) {
	const char *dir = getenv("ISTHMUS_TEST_PICTURES");
	if (dir != NULL) {
		char path[512];
		snprintf(path, sizeof(path), "%s/%s.png", dir, name);
		cairo_surface_write_to_png(surface, path);
	}
}

static int row_y(size_t row) {
	size_t found;
	for (int y = 0; y < PANEL_HEIGHT; y++) {
		if (panel_row_at(PANEL_WIDTH, PANEL_HEIGHT, 10, y, &found) && found == row) {
			return y + 5;
		}
	}
	test_fail(__FILE__, __LINE__, "row %zu is nowhere", row);
}

TEST(every_row_has_its_vms_stripe)
{
	struct model model;
	struct list list;
	model_init(&model);
	list_init(&list);
	list_update(&list, &model.control);
	list_set_visible(&list, panel_visible_rows(PANEL_HEIGHT));
	cairo_surface_t *surface = draw(&list, 1, "");
	for (size_t row = 0; row < 7; row++) {
		EXPECT_INT(pixel(surface, 3, row_y(row)), row < 5 ? 0x1565c0 : 0x9c0000);
	}
	keep(surface, "launcher");
	cairo_surface_destroy(surface);
	list_finish(&list);
}

TEST(every_row_has_a_badge_in_its_vms_colour)
{
	struct model model;
	struct list list;
	model_init(&model);
	list_init(&list);
	list_update(&list, &model.control);
	list_set_visible(&list, panel_visible_rows(PANEL_HEIGHT));
	cairo_surface_t *surface = draw(&list, 1.5, "");
	for (size_t row = 0; row < 7; row++) {
		int count = 0;
		for (int x = PANEL_WIDTH - 60; x < PANEL_WIDTH; x++) {
			count += pixel(surface, x * 3 / 2, (row_y(row) + 20) * 3 / 2) ==
					(row < 5 ? 0x1565c0 : 0x9c0000);
		}
		EXPECT(count > 10);
	}
	keep(surface, "launcher-150");
	cairo_surface_destroy(surface);
	list_finish(&list);
}

TEST(a_message_that_is_too_long_stays_in_the_footer)
{
	struct model model;
	struct list list;
	model_init(&model);
	list_init(&list);
	list_update(&list, &model.control);
	char message[700];
	memset(message, 'w', sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	cairo_surface_t *plain = draw(&list, 1, ""), *full = draw(&list, 1, message);
	for (int y = 0; y < PANEL_HEIGHT - 60; y++) {
		for (int x = 0; x < PANEL_WIDTH; x += 7) {
			EXPECT_INT(pixel(plain, x, y), pixel(full, x, y));
		}
	}
	keep(full, "launcher-error");
	cairo_surface_destroy(plain);
	cairo_surface_destroy(full);
	list_finish(&list);
}

TEST(a_list_without_matches_says_so)
{
	struct list list;
	list_init(&list);
	cairo_surface_t *surface = draw(&list, 1, "");
	keep(surface, "launcher-empty");
	cairo_surface_destroy(surface);
	list_finish(&list);
}

TEST(a_small_panel_still_has_a_row)
{
	EXPECT_INT(panel_visible_rows(10), 1);
	size_t row;
	EXPECT(!panel_row_at(PANEL_WIDTH, PANEL_HEIGHT, -1, 100, &row));
	EXPECT(!panel_row_at(PANEL_WIDTH, PANEL_HEIGHT, PANEL_WIDTH, 100, &row));
	EXPECT(!panel_row_at(PANEL_WIDTH, PANEL_HEIGHT, 10, 10, &row));
	EXPECT(!panel_row_at(PANEL_WIDTH, PANEL_HEIGHT, 10, PANEL_HEIGHT - 10, &row));
}
