/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_LAUNCHER_ICONS_H
#define ISTHMUS_LAUNCHER_ICONS_H

#include <cairo.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Icons by name, as the freedesktop Icon Theme Specification 0.13 says: the theme, what it
 * inherits, hicolor, then unthemed icons. PNG and SVG.
 */
struct icons;

/*
 * bases: folders that hold themes, NULL-terminated, in order; NULL: from XDG_DATA_HOME, HOME and
 * XDG_DATA_DIRS, and /usr/share/pixmaps. NULL on no memory.
 */
struct icons *icons_create(const char *theme, const char *const bases[]);
void icons_destroy(struct icons *icons);

/*
 * The best file for a name (or an absolute path, taken as it is) at size logical pixels and an
 * integer scale. false: there is none.
 */
bool icons_find(struct icons *icons, const char *name, int size, int scale, char *path,
		size_t path_size);

/* A picture of size x size pixels, or NULL. The caller destroys it. */
cairo_surface_t *icon_load(const char *path, int size);

#endif
