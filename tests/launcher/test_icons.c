/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/icons.h"
#include "tests/harness/test.h"

static void make_file(const char *path, const char *text) {
	char full[600];
	snprintf(full, sizeof(full), "%s/%s", test_dir(), path);
	for (char *slash = strchr(full + strlen(test_dir()) + 1, '/'); slash != NULL;
			slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	FILE *file = fopen(full, "w");
	EXPECT(file != NULL);
	fputs(text, file);
	fclose(file);
}

static struct icons *make_icons(void) {
	make_file("icons/Fancy/index.theme",
			"[Icon Theme]\nName=Fancy\nInherits=Plain,hicolor\n"
			"Directories=16x16/apps,32x32/apps,scalable/"
			"apps\nScaledDirectories=32x32@2/apps\n"
			"[16x16/apps]\nSize=16\nType=Fixed\n"
			"[32x32/apps]\nSize=32\nType=Threshold\n"
			"[32x32@2/apps]\nSize=32\nScale=2\nType=Threshold\n"
			"[scalable/apps]\nSize=128\nMinSize=64\nMaxSize=256\nType=Scalable\n");
	make_file("icons/Plain/index.theme",
			"[Icon Theme]\nName=Plain\nInherits=Fancy\n"
			"Directories=32x32/apps\n[32x32/apps]\nSize=32\n");
	make_file("icons/hicolor/index.theme",
			"[Icon Theme]\nName=Hicolor\n"
			"Directories=48x48/apps\n[48x48/apps]\nSize=48\n");
	char base[600], second[600];
	snprintf(base, sizeof(base), "%s/icons", test_dir());
	snprintf(second, sizeof(second), "%s/pixmaps", test_dir());
	return icons_create("Fancy", (const char *const[]){base, second, NULL});
}

static void expect_icon(
		struct icons *icons, const char *name, int size, int scale, const char *expected) {
	char path[1024];
	EXPECT(icons_find(icons, name, size, scale, path, sizeof(path)));
	EXPECT_STR(path + strlen(test_dir()) + 1, expected);
}

TEST(the_folder_for_the_size_is_taken)
{
	make_file("icons/Fancy/16x16/apps/a.png", "");
	make_file("icons/Fancy/32x32/apps/a.png", "");
	make_file("icons/Fancy/scalable/apps/a.svg", "");
	struct icons *icons = make_icons();
	expect_icon(icons, "a", 16, 1, "icons/Fancy/16x16/apps/a.png");
	expect_icon(icons, "a", 32, 1, "icons/Fancy/32x32/apps/a.png");
	expect_icon(icons, "a", 34, 1, "icons/Fancy/32x32/apps/a.png");
	expect_icon(icons, "a", 100, 1, "icons/Fancy/scalable/apps/a.svg");
	icons_destroy(icons);
}

TEST(a_scaled_folder_is_taken_for_its_scale)
{
	make_file("icons/Fancy/32x32/apps/a.png", "");
	make_file("icons/Fancy/32x32@2/apps/a.png", "");
	struct icons *icons = make_icons();
	expect_icon(icons, "a", 32, 2, "icons/Fancy/32x32@2/apps/a.png");
	expect_icon(icons, "a", 32, 1, "icons/Fancy/32x32/apps/a.png");
	icons_destroy(icons);
}

TEST(the_nearest_size_is_taken_when_none_fits)
{
	make_file("icons/Fancy/16x16/apps/a.png", "");
	make_file("icons/Fancy/scalable/apps/a.svg", "");
	struct icons *icons = make_icons();
	expect_icon(icons, "a", 24, 1, "icons/Fancy/16x16/apps/a.png");
	expect_icon(icons, "a", 60, 1, "icons/Fancy/scalable/apps/a.svg");
	icons_destroy(icons);
}

TEST(an_inherited_theme_comes_before_hicolor)
{
	make_file("icons/Plain/32x32/apps/b.png", "");
	make_file("icons/hicolor/48x48/apps/b.png", "");
	make_file("icons/hicolor/48x48/apps/c.png", "");
	struct icons *icons = make_icons();
	expect_icon(icons, "b", 48, 1, "icons/Plain/32x32/apps/b.png");
	expect_icon(icons, "c", 48, 1, "icons/hicolor/48x48/apps/c.png");
	icons_destroy(icons);
}

TEST(themes_that_inherit_each_other_end)
{
	struct icons *icons = make_icons();
	char path[1024];
	EXPECT(!icons_find(icons, "missing", 32, 1, path, sizeof(path)));
	icons_destroy(icons);
}

TEST(unthemed_icons_are_the_last_resort)
{
	make_file("pixmaps/old.png", "");
	struct icons *icons = make_icons();
	expect_icon(icons, "old", 32, 1, "pixmaps/old.png");
	icons_destroy(icons);
}

TEST(an_absolute_path_is_taken_as_it_is)
{
	make_file("somewhere/own.svg", "");
	struct icons *icons = make_icons();
	char name[600], path[1024];
	snprintf(name, sizeof(name), "%s/somewhere/own.svg", test_dir());
	EXPECT(icons_find(icons, name, 32, 1, path, sizeof(path)));
	EXPECT_STR(path, name);
	snprintf(name, sizeof(name), "%s/somewhere/none.svg", test_dir());
	EXPECT(!icons_find(icons, name, 32, 1, path, sizeof(path)));
	icons_destroy(icons);
}

TEST(a_name_cannot_leave_its_folder)
{
	make_file("icons/secret.png", "");
	struct icons *icons = make_icons();
	char path[1024];
	EXPECT(!icons_find(icons, "../../../secret", 32, 1, path, sizeof(path)));
	EXPECT(!icons_find(icons, "", 32, 1, path, sizeof(path)));
	icons_destroy(icons);
}

TEST(a_missing_theme_leaves_hicolor)
{
	make_file("icons/hicolor/48x48/apps/c.png", "");
	icons_destroy(make_icons());
	char base[600], path[1024];
	snprintf(base, sizeof(base), "%s/icons", test_dir());
	struct icons *icons = icons_create("NoSuchTheme", (const char *const[]){base, NULL});
	EXPECT(icons_find(icons, "c", 32, 1, path, sizeof(path)));
	icons_destroy(icons);
}

TEST(pictures_are_loaded_at_the_size_asked_for)
{
	make_file("a.svg",
			"<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'>"
			"<rect width='10' height='10' fill='#ff0000'/></svg>");
	char path[600];
	snprintf(path, sizeof(path), "%s/a.svg", test_dir());
	cairo_surface_t *picture = icon_load(path, 40);
	EXPECT_INT(cairo_image_surface_get_width(picture), 40);
	uint32_t pixel;
	memcpy(&pixel,
			cairo_image_surface_get_data(picture) +
					20 * cairo_image_surface_get_stride(picture) + 80,
			4);
	EXPECT_INT(pixel, 0xffff0000);
	cairo_surface_destroy(picture);
	EXPECT(icon_load(path, 0) == NULL);
	EXPECT(icon_load(path, 100000) == NULL);
}

TEST(a_broken_picture_is_an_empty_one)
{
	make_file("broken.png", "no picture");
	make_file("broken.svg", "<svg");
	char path[600];
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/broken.%s", test_dir(), i == 0 ? "png" : "svg");
		cairo_surface_t *picture = icon_load(path, 8);
		EXPECT(picture != NULL);
		cairo_surface_destroy(picture);
	}
}
