/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/icons.h"

#include <glib.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_THEMES 16 // a chain of inheritance

struct icon_dir {
	char *path; // relative to the theme's folder
	int size, min_size, max_size, scale; // logical pixels it is for
};

struct icon_theme {
	char *name;
	GArray *dirs; // struct icon_dir
};

struct icons {
	char **bases; // NULL-terminated
	struct icon_theme themes[MAX_THEMES];
	size_t n_themes;
};

static int key_int(GKeyFile *file, const char *group, const char *key, int fallback) {
	GError *error = NULL;
	int value = g_key_file_get_integer(file, group, key, &error);
	if (error != NULL) {
		g_error_free(error);
		return fallback;
	}
	return value;
}

static struct icon_dir icon_dir_read(GKeyFile *file, const char *group) {
	struct icon_dir dir = {.path = g_strdup(group), .size = key_int(file, group, "Size", 0)};
	dir.scale = key_int(file, group, "Scale", 1);
	char *type = g_key_file_get_string(file, group, "Type", NULL);
	if (type != NULL && strcmp(type, "Fixed") == 0) {
		dir.min_size = dir.max_size = dir.size;
	} else if (type != NULL && strcmp(type, "Scalable") == 0) {
		dir.min_size = key_int(file, group, "MinSize", dir.size);
		dir.max_size = key_int(file, group, "MaxSize", dir.size);
	} else {
		int threshold = key_int(file, group, "Threshold", 2);
		dir.min_size = dir.size - threshold;
		dir.max_size = dir.size + threshold;
	}
	g_free(type);
	return dir;
}

static void theme_read_dirs(struct icon_theme *theme, GKeyFile *file, const char *key) {
	char **groups = g_key_file_get_string_list(file, "Icon Theme", key, NULL, NULL);
	for (size_t i = 0; groups != NULL && groups[i] != NULL; i++) {
		if (g_key_file_has_group(file, groups[i])) {
			struct icon_dir dir = icon_dir_read(file, groups[i]);
			g_array_append_val(theme->dirs, dir);
		}
	}
	g_strfreev(groups);
}

static bool icons_has_theme(const struct icons *icons, const char *name) {
	for (size_t i = 0; i < icons->n_themes; i++) {
		if (strcmp(icons->themes[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static GKeyFile *icons_open_index(const struct icons *icons, const char *name) {
	GKeyFile *file = g_key_file_new();
	g_key_file_set_list_separator(file, ',');
	for (size_t i = 0; icons->bases[i] != NULL; i++) {
		char *path = g_build_filename(icons->bases[i], name, "index.theme", NULL);
		bool ok = g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL);
		g_free(path);
		if (ok) {
			return file;
		}
	}
	g_key_file_free(file);
	return NULL;
}

/* The theme, then what it inherits: a theme that is there already ends a loop. */
static void icons_add_theme(struct icons *icons, const char *name) {
	if (icons->n_themes == MAX_THEMES || strchr(name, '/') != NULL ||
			icons_has_theme(icons, name)) {
		return;
	}
	GKeyFile *file = icons_open_index(icons, name);
	if (file == NULL) {
		return;
	}
	struct icon_theme *theme = &icons->themes[icons->n_themes++];
	theme->name = g_strdup(name);
	theme->dirs = g_array_new(FALSE, FALSE, sizeof(struct icon_dir));
	theme_read_dirs(theme, file, "Directories");
	theme_read_dirs(theme, file, "ScaledDirectories");
	char **parents = g_key_file_get_string_list(file, "Icon Theme", "Inherits", NULL, NULL);
	for (size_t i = 0; parents != NULL && parents[i] != NULL; i++) {
		if (strcmp(parents[i], "hicolor") != 0) {
			icons_add_theme(icons, parents[i]);
		}
	}
	g_strfreev(parents);
	g_key_file_free(file);
}

static char **default_bases(void) {
	GPtrArray *bases = g_ptr_array_new();
	g_ptr_array_add(bases, g_build_filename(g_get_home_dir(), ".icons", NULL));
	g_ptr_array_add(bases, g_build_filename(g_get_user_data_dir(), "icons", NULL));
	const char *const *dirs = g_get_system_data_dirs();
	for (size_t i = 0; dirs[i] != NULL; i++) {
		g_ptr_array_add(bases, g_build_filename(dirs[i], "icons", NULL));
	}
	g_ptr_array_add(bases, g_strdup("/usr/share/pixmaps"));
	g_ptr_array_add(bases, NULL);
	return (char **)g_ptr_array_free(bases, FALSE);
}

struct icons *icons_create(const char *theme, const char *const bases[]) {
	struct icons *icons = calloc(1, sizeof(*icons));
	if (icons == NULL) {
		return NULL;
	}
	icons->bases = bases != NULL ? g_strdupv((char **)bases) : default_bases();
	icons_add_theme(icons, theme);
	icons_add_theme(icons, "hicolor");
	return icons;
}

void icons_destroy(struct icons *icons) {
	if (icons == NULL) {
		return;
	}
	for (size_t i = 0; i < icons->n_themes; i++) {
		struct icon_theme *theme = &icons->themes[i];
		for (guint j = 0; j < theme->dirs->len; j++) {
			g_free(g_array_index(theme->dirs, struct icon_dir, j).path);
		}
		g_array_free(theme->dirs, TRUE);
		g_free(theme->name);
	}
	g_strfreev(icons->bases);
	free(icons);
}

static bool find_file(const char *folder, const char *name, char *path, size_t path_size) {
	static const char *const extensions[] = {"png", "svg"};
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
		int size = snprintf(path, path_size, "%s/%s.%s", folder, name, extensions[i]);
		if (size > 0 && (size_t)size < path_size && access(path, R_OK) == 0) {
			return true;
		}
	}
	return false;
}

/* In pixels; 0: the folder is for this size. */
static int dir_distance(const struct icon_dir *dir, int size, int scale) {
	int wanted = size * scale;
	if (wanted < dir->min_size * dir->scale) {
		return dir->min_size * dir->scale - wanted;
	}
	if (wanted > dir->max_size * dir->scale) {
		return wanted - dir->max_size * dir->scale;
	}
	return dir->scale == scale ? 0 : 1;
}

static bool theme_find(const struct icons *icons, const struct icon_theme *theme, const char *name,
		int size, int scale, char *path, size_t path_size) {
	int best = INT_MAX;
	for (guint i = 0; i < theme->dirs->len && best > 0; i++) {
		const struct icon_dir *dir = &g_array_index(theme->dirs, struct icon_dir, i);
		int distance = dir_distance(dir, size, scale);
		if (distance >= best) {
			continue;
		}
		for (size_t j = 0; icons->bases[j] != NULL; j++) {
			char folder[PATH_MAX], found[PATH_MAX];
			int length = snprintf(folder, sizeof(folder), "%s/%s/%s", icons->bases[j],
					theme->name, dir->path);
			if (length < (int)sizeof(folder) &&
					find_file(folder, name, found, sizeof(found)) &&
					strlen(found) < path_size) {
				memcpy(path, found, strlen(found) + 1);
				best = distance;
				break;
			}
		}
	}
	return best != INT_MAX;
}

bool icons_find(struct icons *icons, const char *name, int size, int scale, char *path,
		size_t path_size) {
	if (name[0] == '/') {
		int length = snprintf(path, path_size, "%s", name);
		return (size_t)length < path_size && access(path, R_OK) == 0;
	}
	if (name[0] == '\0' || strchr(name, '/') != NULL) {
		return false;
	}
	for (size_t i = 0; i < icons->n_themes; i++) {
		if (theme_find(icons, &icons->themes[i], name, size, scale, path, path_size)) {
			return true;
		}
	}
	for (size_t i = 0; icons->bases[i] != NULL; i++) {
		if (find_file(icons->bases[i], name, path, path_size)) {
			return true;
		}
	}
	return false;
}
