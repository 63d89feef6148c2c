/* SPDX-License-Identifier: Apache-2.0 */
#include "guivm-server/globals.h"

#include <stdlib.h>
#include <wlr/backend.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/types/wlr_alpha_modifier_v1.h>
#include <wlr/types/wlr_buffer.h>
#include <wlr/types/wlr_color_management_v1.h>
#include <wlr/types/wlr_color_representation_v1.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_content_type_v1.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_ext_image_capture_source_v1.h>
#include <wlr/types/wlr_ext_image_copy_capture_v1.h>
#include <wlr/types/wlr_fixes.h>
#include <wlr/types/wlr_fractional_scale_v1.h>
#include <wlr/types/wlr_linux_dmabuf_v1.h>
#include <wlr/types/wlr_linux_drm_syncobj_v1.h>
#include <wlr/types/wlr_presentation_time.h>
#include <wlr/types/wlr_primary_selection_v1.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_screencopy_v1.h>
#include <wlr/types/wlr_shm.h>
#include <wlr/types/wlr_single_pixel_buffer_v1.h>
#include <wlr/types/wlr_subcompositor.h>
#include <wlr/types/wlr_tearing_control_v1.h>
#include <wlr/types/wlr_viewporter.h>
#include <wlr/types/wlr_xdg_dialog_v1.h>
#include <wlr/types/wlr_xdg_output_v1.h>
#include <wlr/types/wlr_xdg_toplevel_icon_v1.h>
#include <wlr/types/wlr_xdg_toplevel_tag_v1.h>

#include "guivm-server/server.h"

static bool globals_create_dmabuf(struct server *server) {
	if (wlr_renderer_get_texture_formats(server->renderer, WLR_BUFFER_CAP_DMABUF) == NULL) {
		return true;
	}
	struct wlr_linux_dmabuf_v1 *dmabuf = wlr_linux_dmabuf_v1_create_with_renderer(
			server->display, 5, server->renderer);
	if (dmabuf == NULL) {
		return false;
	}
	wlr_scene_set_linux_dmabuf_v1(server->scene, dmabuf);
	return true;
}

static bool globals_create_syncobj(struct server *server) {
	int drm_fd = wlr_renderer_get_drm_fd(server->renderer);
	bool usable = drm_fd >= 0 && server->renderer->features.timeline &&
			server->backend->features.timeline;
	return !usable ||
		wlr_linux_drm_syncobj_manager_v1_create(server->display, 1, drm_fd) != NULL;
}

/*
 * A renderer that transforms no colours (pixman) still says what it takes everything for, which
 * is what clients get when they do not ask.
 */
static bool globals_create_color(struct server *server) {
	const enum wp_color_manager_v1_render_intent intents[] = {
		WP_COLOR_MANAGER_V1_RENDER_INTENT_PERCEPTUAL,
	};
	enum wp_color_manager_v1_transfer_function plain_function =
			WP_COLOR_MANAGER_V1_TRANSFER_FUNCTION_GAMMA22;
	enum wp_color_manager_v1_primaries plain_primaries = WP_COLOR_MANAGER_V1_PRIMARIES_SRGB;
	bool transforms = server->renderer->features.input_color_transform;
	size_t n_functions = 1, n_primaries = 1;
	enum wp_color_manager_v1_transfer_function *functions = NULL;
	enum wp_color_manager_v1_primaries *primaries = NULL;
	if (transforms) {
		functions = wlr_color_manager_v1_transfer_function_list_from_renderer(
				server->renderer, &n_functions);
		primaries = wlr_color_manager_v1_primaries_list_from_renderer(
				server->renderer, &n_primaries);
	}
	struct wlr_color_manager_v1 *manager = wlr_color_manager_v1_create(server->display, 2,
			&(struct wlr_color_manager_v1_options){
				.features = {
					.parametric = true,
					.set_mastering_display_primaries = true,
				},
				.render_intents = intents,
				.render_intents_len = 1,
				.transfer_functions = transforms ? functions : &plain_function,
				.transfer_functions_len = n_functions,
				.primaries = transforms ? primaries : &plain_primaries,
				.primaries_len = n_primaries,
			});
	free(functions);
	free(primaries);
	if (manager == NULL) {
		return false;
	}
	wlr_scene_set_color_manager_v1(server->scene, manager);
	return wlr_color_representation_manager_v1_create_with_renderer(
			server->display, 1, server->renderer) != NULL;
}

/* An icon, a tag, a dialog's modality: taken and kept by wlroots; frames show nothing of them. */
static bool globals_create_hints(struct server *server) {
	struct wl_display *display = server->display;
	server->content_type = wlr_content_type_manager_v1_create(display, 1);
	server->tearing = wlr_tearing_control_manager_v1_create(display, 1);
	return server->content_type != NULL && server->tearing != NULL &&
		wlr_alpha_modifier_v1_create(display) != NULL &&
		wlr_xdg_wm_dialog_v1_create(display, 1) != NULL &&
		wlr_xdg_toplevel_icon_manager_v1_create(display, 1) != NULL &&
		wlr_xdg_toplevel_tag_manager_v1_create(display, 1) != NULL;
}

bool globals_create(struct server *server) {
	struct wl_display *display = server->display;
	server->compositor = wlr_compositor_create(display, 6, server->renderer);
	return server->compositor != NULL &&
		wlr_subcompositor_create(display) != NULL &&
		wlr_shm_create_with_renderer(display, 2, server->renderer) != NULL &&
		wlr_data_device_manager_create(display) != NULL &&
		wlr_primary_selection_v1_device_manager_create(display) != NULL &&
		wlr_viewporter_create(display) != NULL &&
		wlr_single_pixel_buffer_manager_v1_create(display) != NULL &&
		wlr_fractional_scale_manager_v1_create(display, 1) != NULL &&
		wlr_presentation_create(display, server->backend, 2) != NULL &&
		wlr_xdg_output_manager_v1_create(display, server->output_layout) != NULL &&
		wlr_fixes_create(display, 1) != NULL &&
		wlr_screencopy_manager_v1_create(display) != NULL &&
		wlr_ext_image_copy_capture_manager_v1_create(display, 1) != NULL &&
		wlr_ext_output_image_capture_source_manager_v1_create(display, 1) != NULL &&
		globals_create_dmabuf(server) && globals_create_syncobj(server) &&
		globals_create_hints(server) && globals_create_color(server);
}
