/* SPDX-License-Identifier: Apache-2.0 */
#include <pango/pangocairo.h>

#include "borders/draw.h"
#include "tests/harness/test.h"

static struct draw_title work_title(int width) {
	struct draw_title spec = {
			.kind = FRAME_TOPLEVEL,
			.width = width,
			.height = FRAME_TITLE_HEIGHT,
			.scale = 1,
			.active = true,
			.title = "Quarterly report",
			.notice = "",
	};
	trust_mark_init(&spec.mark, "work", "Work", 0x1565c0, true);
	return spec;
}

static uint32_t pixel(cairo_surface_t *surface, int x, int y) {
	uint8_t *row = cairo_image_surface_get_data(surface) +
			y * cairo_image_surface_get_stride(surface);
	uint32_t value;
	memcpy(&value, row + 4 * x, 4);
	return value & 0xffffff;
}

/* Number of pixels in columns [begin, end) that differ; the pictures have the same size. */
static int differences(cairo_surface_t *a, cairo_surface_t *b, int begin, int end) {
	int count = 0;
	for (int y = 0; y < cairo_image_surface_get_height(a); y++) {
		for (int x = begin; x < end; x++) {
			count += pixel(a, x, y) != pixel(b, x, y);
		}
	}
	return count;
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

/* The last column of the badge, found by its colour next to the top edge of the badge. */
static int badge_end(cairo_surface_t *surface, uint32_t badge) {
	int end = 0;
	for (int x = 0; x < cairo_image_surface_get_width(surface); x++) {
		if (pixel(surface, x, 5) == badge) {
			end = x + 1;
		}
	}
	return end;
}

TEST(a_title_bar_is_opaque_in_the_vms_colour)
{
	struct draw_title spec = work_title(400);
	cairo_surface_t *surface = draw_title_create(&spec);
	EXPECT_INT(cairo_image_surface_get_width(surface), 400);
	EXPECT_INT(cairo_image_surface_get_height(surface), 28);
	for (int x = 0; x < 400; x++) {
		EXPECT_INT(pixel(surface, x, 0), 0x1565c0);
		EXPECT_INT(pixel(surface, x, 27), 0x1565c0);
	}
	keep(surface, "active");
	cairo_surface_destroy(surface);
}

TEST(the_badge_stands_out_and_holds_the_label)
{
	struct draw_title spec = work_title(400);
	cairo_surface_t *surface = draw_title_create(&spec);
	int end = badge_end(surface, 0xffffff), ink = 0;
	EXPECT(end > 30 && end < 120);
	for (int y = 4; y < 24; y++) {
		for (int x = 8; x < end - 4; x++) {
			ink += pixel(surface, x, y) == 0x1565c0;
		}
	}
	EXPECT(ink > 20);
	cairo_surface_destroy(surface);
}

TEST(nothing_a_title_says_changes_the_badge)
{
	static const char *const titles[] = {
			"",
			"a",
			"[personal]",
			"שלום עולם",
			"漢字かな",
			"Z̷̢̧̛̛̰̖̗̘̙̜̝̞̟̠̤̥̦̩̪̫̬̭̮̯̰̱̲̳̹̺̻̼͇͈͉͍͎͓͔͕͖͙͚",
			("long long long long long long long long long long long long long long "
					"long long long"),
	};
	struct draw_title spec = work_title(260);
	cairo_surface_t *plain = draw_title_create(&spec);
	int end = badge_end(plain, 0xffffff);
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
		spec.title = titles[i];
		cairo_surface_t *surface = draw_title_create(&spec);
		EXPECT_INT(differences(plain, surface, 0, end), 0);
		EXPECT_INT(differences(plain, surface, 260 - 3 * FRAME_BUTTON_WIDTH, 260), 0);
		char name[32];
		snprintf(name, sizeof(name), "title-%zu", i);
		keep(surface, name);
		cairo_surface_destroy(surface);
	}
	cairo_surface_destroy(plain);
}

TEST(where_room_is_short_the_title_gives_way_to_the_label)
{
	struct draw_title spec = work_title(FRAME_LABEL_ROOM + FRAME_BUTTON_WIDTH);
	cairo_surface_t *with = draw_title_create(&spec);
	spec.title = "";
	spec.width = 400;
	cairo_surface_t *wide = draw_title_create(&spec);
	int end = badge_end(wide, 0xffffff);
	EXPECT(end < FRAME_LABEL_ROOM);
	EXPECT_INT(differences(with, wide, 0, end), 0);
	keep(with, "narrow");
	cairo_surface_destroy(with);
	cairo_surface_destroy(wide);
}

TEST(a_window_of_one_pixel_has_a_title_bar_in_its_colour)
{
	struct draw_title spec = work_title(1);
	cairo_surface_t *surface = draw_title_create(&spec);
	EXPECT_INT(cairo_image_surface_get_width(surface), 1);
	EXPECT_INT(pixel(surface, 0, 0), 0x1565c0);
	cairo_surface_destroy(surface);
}

TEST(fractional_scales_are_drawn_at_their_own_resolution)
{
	static const double scales[] = {1.25, 1.5, 2};
	static const int heights[] = {35, 42, 56};
	for (int i = 0; i < 3; i++) {
		struct draw_title spec = work_title(400);
		spec.scale = scales[i];
		cairo_surface_t *surface = draw_title_create(&spec);
		EXPECT_INT(cairo_image_surface_get_width(surface), 400 * scales[i]);
		EXPECT_INT(cairo_image_surface_get_height(surface), heights[i]);
		char name[32];
		snprintf(name, sizeof(name), "scale-%d", (int)(100 * scales[i]));
		keep(surface, name);
		cairo_surface_destroy(surface);
	}
}

TEST(an_inactive_window_is_paler_and_keeps_its_badge)
{
	struct draw_title spec = work_title(400);
	spec.active = false;
	cairo_surface_t *surface = draw_title_create(&spec);
	uint32_t paler = trust_inactive_color(0x1565c0);
	EXPECT_INT(pixel(surface, 399, 0), paler);
	EXPECT(badge_end(surface, trust_text_color(paler)) > 30);
	keep(surface, "inactive");
	cairo_surface_destroy(surface);
}

TEST(the_guivms_own_windows_have_no_badge)
{
	struct draw_title spec = work_title(400);
	trust_mark_init(&spec.mark, "guivm", "", 0x3a3f4b, false);
	cairo_surface_t *surface = draw_title_create(&spec);
	EXPECT_INT(badge_end(surface, 0xffffff), 0);
	keep(surface, "local");
	cairo_surface_destroy(surface);
}

TEST(hover_shows_on_its_own_button_only)
{
	struct draw_title spec = work_title(400);
	cairo_surface_t *plain = draw_title_create(&spec);
	spec.hover = FRAME_PART_MAXIMIZE;
	cairo_surface_t *hover = draw_title_create(&spec);
	EXPECT(differences(plain, hover, 344, 372) > 100);
	EXPECT_INT(differences(plain, hover, 0, 344), 0);
	EXPECT_INT(differences(plain, hover, 372, 400), 0);
	keep(hover, "hover");
	cairo_surface_destroy(plain);
	cairo_surface_destroy(hover);
}

TEST(the_compositors_notice_is_not_pushed_out_by_a_title)
{
	struct draw_title spec = work_title(640);
	spec.notice = "Super+F allows fullscreen";
	spec.title = "";
	cairo_surface_t *only = draw_title_create(&spec);
	spec.title = "long long long long long long long long long long long long long long long "
		     "long";
	cairo_surface_t *both = draw_title_create(&spec);
	/* The notice is as wide as before, at the end of the room. */
	int end = 640 - 3 * FRAME_BUTTON_WIDTH, ink_only = 0, ink_both = 0,
	    begin = badge_end(only, 0xffffff);
	for (int y = 0; y < 28; y++) {
		for (int x = begin + 1; x < end; x++) {
			ink_only += pixel(only, x, y) == 0xffffff;
		}
		for (int x = end - 200; x < end; x++) {
			ink_both += pixel(both, x, y) == 0xffffff;
		}
	}
	EXPECT(ink_only > 50);
	EXPECT(ink_both > ink_only / 2);
	keep(both, "notice");
	cairo_surface_destroy(only);
	cairo_surface_destroy(both);
}

TEST(a_fullscreen_window_has_a_slim_bar_with_its_label)
{
	struct draw_title spec = work_title(640);
	spec.kind = FRAME_FULLSCREEN;
	spec.height = FRAME_SLIM_TITLE_HEIGHT;
	cairo_surface_t *surface = draw_title_create(&spec);
	EXPECT(badge_end(surface, 0xffffff) > 25);
	keep(surface, "fullscreen");
	cairo_surface_destroy(surface);
}
