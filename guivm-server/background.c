/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/background.h"

#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_scene.h>

#include "guivm-server/server.h"
#include "vmset/vmset.h"

#define DEFAULT_COLOR 0x1d2128

void background_color(float color[4], unsigned rgb) {
	color[0] = (float)(rgb >> 16 & 0xff) / 255.0f;
	color[1] = (float)(rgb >> 8 & 0xff) / 255.0f;
	color[2] = (float)(rgb & 0xff) / 255.0f;
	color[3] = 1.0f;
}

bool background_create(struct server *server) {
	const float black[4] = {0.0f, 0.0f, 0.0f, 1.0f};
	server->background = wlr_scene_rect_create(server->tree_background, 0, 0, black);
	if (server->background == NULL) {
		return false;
	}
	background_update(server);
	return true;
}

void background_update(struct server *server) {
	const struct vmset *vmset = server_vmset(server);
	float color[4];
	background_color(color, vmset != NULL ? vmset->guivm.background : DEFAULT_COLOR);
	wlr_scene_rect_set_color(server->background, color);

	struct wlr_box box;
	wlr_output_layout_get_box(server->output_layout, NULL, &box);
	wlr_scene_node_set_position(&server->background->node, box.x, box.y);
	wlr_scene_rect_set_size(server->background, box.width, box.height);
}
