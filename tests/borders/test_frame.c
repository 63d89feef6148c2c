/* SPDX-License-Identifier: Apache-2.0 */
#include <drm_fourcc.h>
#include <math.h>
#include <wayland-server-core.h>
#include <wlr/backend/headless.h>
#include <wlr/interfaces/wlr_output.h>
#include <wlr/render/allocator.h>
#include <wlr/render/pixman.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>

#include "borders/draw.h"
#include "borders/frame.h"
#include "tests/harness/test.h"

/*
 * A scene on a headless output, rendered by pixman: what is read back is what a person would see.
 */
struct desk {
	struct wl_event_loop *loop;
	struct wlr_backend *backend;
	struct wlr_renderer *renderer;
	struct wlr_allocator *allocator;
	struct wlr_output *output;
	struct wlr_scene *scene;
	struct wlr_scene_output *scene_output;
	struct wlr_scene_tree *window;
	struct trust_mark mark;
};

static void desk_set_scale(struct desk *desk, float scale) {
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_enabled(&state, true);
	wlr_output_state_set_scale(&state, scale);
	EXPECT(wlr_output_commit_state(desk->output, &state));
	wlr_output_state_finish(&state);
}

static void desk_init(struct desk *desk, float scale) {
	desk->loop = wl_event_loop_create();
	desk->backend = wlr_headless_backend_create(desk->loop);
	desk->renderer = wlr_pixman_renderer_create();
	desk->allocator = wlr_allocator_autocreate(desk->backend, desk->renderer);
	wlr_backend_start(desk->backend);
	desk->output = wlr_headless_add_output(desk->backend, 800, 600);
	wlr_output_init_render(desk->output, desk->allocator, desk->renderer);
	desk->scene = wlr_scene_create();
	desk->scene_output = wlr_scene_output_create(desk->scene, desk->output);
	desk_set_scale(desk, scale);
	desk->window = wlr_scene_tree_create(&desk->scene->tree);
	wlr_scene_node_set_position(&desk->window->node, 101, 67);
	trust_mark_init(&desk->mark, "untrusted", "Untrusted", 0x9c0000, true);
}

static void desk_finish(struct desk *desk) {
	wlr_scene_node_destroy(&desk->scene->tree.node);
	wlr_allocator_destroy(desk->allocator);
	wlr_renderer_destroy(desk->renderer);
	wlr_backend_destroy(desk->backend);
	wl_event_loop_destroy(desk->loop);
}

static cairo_surface_t *desk_render(struct desk *desk) {
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	EXPECT(wlr_scene_output_build_state(desk->scene_output, &state, NULL));
	EXPECT(wlr_output_commit_state(desk->output, &state));
	void *data;
	uint32_t format;
	size_t stride;
	EXPECT(wlr_buffer_begin_data_ptr_access(
			state.buffer, WLR_BUFFER_DATA_PTR_ACCESS_READ, &data, &format, &stride));
	EXPECT(format == DRM_FORMAT_XRGB8888 || format == DRM_FORMAT_ARGB8888);
	cairo_surface_t *copy = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 800, 600);
	for (int y = 0; y < 600; y++) {
		memcpy(cairo_image_surface_get_data(copy) +
						y * cairo_image_surface_get_stride(copy),
				(uint8_t *)data + (size_t)y * stride, 800 * 4);
	}
	wlr_buffer_end_data_ptr_access(state.buffer);
	wlr_output_state_finish(&state);
	return copy;
}

static uint32_t pixel(cairo_surface_t *surface, int x, int y) {
	uint8_t *row = cairo_image_surface_get_data(surface) +
			y * cairo_image_surface_get_stride(surface);
	uint32_t value;
	memcpy(&value, row + 4 * x, 4);
	return value & 0xffffff;
}

static int scaled(int position, double scale) {
	return (int)round(position * scale);
}

static void expect_box(
		cairo_surface_t *picture, struct frame_box box, double scale, uint32_t color) {
	for (int y = scaled(box.y, scale); y < scaled(box.y + box.height, scale); y++) {
		for (int x = scaled(box.x, scale); x < scaled(box.x + box.width, scale); x++) {
			EXPECT_INT(pixel(picture, x, y), color);
		}
	}
}

static struct frame_state toplevel_state(void) {
	return (struct frame_state){
			.kind = FRAME_TOPLEVEL,
			.content_width = 301,
			.content_height = 203,
			.active = true,
			.title = "Calculator",
	};
}

static void add_content(struct desk *desk) {
	const float green[4] = {0, 1, 0, 1};
	/*
	 * Larger than the content should be: what a window says about itself is no reason to trust
	 * it.
	 */
	wlr_scene_rect_create(desk->window, 301, 203, green);
}

static void check_ring_at(float scale) {
	struct desk desk;
	desk_init(&desk, scale);
	add_content(&desk);
	struct frame *frame = frame_create(desk.window, &desk.mark, 4);
	struct frame_state state = toplevel_state();
	frame_update(frame, &state);
	cairo_surface_t *picture = desk_render(&desk);
	if (getenv("ISTHMUS_TEST_PICTURES") != NULL) {
		char path[512];
		snprintf(path, sizeof(path), "%s/window-%d.png", getenv("ISTHMUS_TEST_PICTURES"),
				(int)(scale * 100));
		cairo_surface_write_to_png(picture, path);
	}
	struct frame_box bars[4];
	frame_bars(FRAME_TOPLEVEL, 4, 301, 203, bars);
	for (int i = 0; i < 4; i++) {
		bars[i].x += 101;
		bars[i].y += 67;
		expect_box(picture, bars[i], scale, 0x9c0000);
	}
	expect_box(picture, (struct frame_box){101, 67, 301, 203}, scale, 0x00ff00);
	/* Title row above the text: bar colour, no gap to the ring. */
	expect_box(picture, (struct frame_box){101, 67 - 28, 301, 2}, scale, 0x9c0000);
	cairo_surface_destroy(picture);
	frame_destroy(frame);
	desk_finish(&desk);
}

TEST(the_ring_is_closed_on_screen_at_scale_1)
{ check_ring_at(1); }

TEST(the_ring_is_closed_on_screen_at_scale_1_25)
{ check_ring_at(1.25f); }

TEST(the_ring_is_closed_on_screen_at_scale_1_5)
{ check_ring_at(1.5f); }

static struct wlr_scene_buffer *find_title(struct wlr_scene_node *node) {
	if (node->type == WLR_SCENE_NODE_BUFFER) {
		return wlr_scene_buffer_from_node(node);
	}
	if (node->type == WLR_SCENE_NODE_TREE) {
		struct wlr_scene_node *child;
		wl_list_for_each (child, &wlr_scene_tree_from_node(node)->children, link) {
			struct wlr_scene_buffer *found = find_title(child);
			if (found != NULL) {
				return found;
			}
		}
	}
	return NULL;
}

TEST(the_title_is_drawn_again_when_the_outputs_scale_changes)
{
	struct desk desk;
	desk_init(&desk, 1);
	struct frame *frame = frame_create(desk.window, &desk.mark, 4);
	struct frame_state state = toplevel_state();
	frame_update(frame, &state);
	struct wlr_scene_buffer *title = find_title(&desk.window->node);
	EXPECT_INT(title->buffer->width, 301);
	desk_set_scale(&desk, 1.5f);
	EXPECT_INT(title->buffer->width, draw_scaled(301, 1.5));
	EXPECT_INT(title->buffer->height, 42);
	EXPECT_INT(title->dst_width, 301);
	frame_destroy(frame);
	desk_finish(&desk);
}

TEST(an_update_that_changes_nothing_draws_nothing)
{
	struct desk desk;
	desk_init(&desk, 1);
	struct frame *frame = frame_create(desk.window, &desk.mark, 4);
	struct frame_state state = toplevel_state();
	frame_update(frame, &state);
	struct wlr_buffer *before = find_title(&desk.window->node)->buffer;
	frame_update(frame, &state);
	EXPECT(find_title(&desk.window->node)->buffer == before);
	state.content_height = 400;
	frame_update(frame, &state);
	EXPECT(find_title(&desk.window->node)->buffer == before);
	state.title = "Calculator 2";
	frame_update(frame, &state);
	EXPECT(find_title(&desk.window->node)->buffer != before);
	frame_destroy(frame);
	desk_finish(&desk);
}

TEST(a_new_mark_colours_a_live_window)
{
	struct desk desk;
	desk_init(&desk, 1);
	struct frame *frame = frame_create(desk.window, &desk.mark, 4);
	struct frame_state state = toplevel_state();
	frame_update(frame, &state);
	struct trust_mark mark;
	trust_mark_init(&mark, "untrusted", "Danger", 0x7b1fa2, true);
	frame_set_mark(frame, &mark, 6);
	cairo_surface_t *picture = desk_render(&desk);
	EXPECT_INT(pixel(picture, 101 - 6, 67), 0x7b1fa2);
	EXPECT_INT(pixel(picture, 101 + 150, 67 - 28 - 6), 0x7b1fa2);
	EXPECT_INT(pixel(picture, 101 - 7, 67), 0);
	cairo_surface_destroy(picture);
	frame_destroy(frame);
	desk_finish(&desk);
}

TEST(the_frame_is_there_before_any_update)
{
	struct desk desk;
	desk_init(&desk, 1);
	struct frame *frame = frame_create(desk.window, &desk.mark, 4);
	cairo_surface_t *picture = desk_render(&desk);
	EXPECT_INT(pixel(picture, 101 - 4, 67), trust_inactive_color(0x9c0000));
	cairo_surface_destroy(picture);
	frame_destroy(frame);
	desk_finish(&desk);
}

TEST(every_node_of_a_frame_leads_back_to_it)
{
	struct desk desk;
	desk_init(&desk, 1);
	struct frame *frame = frame_create(desk.window, &desk.mark, 4);
	struct frame_state state = toplevel_state();
	frame_update(frame, &state);
	frame_set_data(frame, &desk);
	add_content(&desk);
	double nx, ny;
	struct wlr_scene_node *root = &desk.scene->tree.node;
	EXPECT(frame_from_node(wlr_scene_node_at(root, 99, 67, &nx, &ny)) == frame);
	EXPECT(frame_from_node(wlr_scene_node_at(root, 200, 50, &nx, &ny)) == frame);
	EXPECT(frame_from_node(wlr_scene_node_at(root, 200, 100, &nx, &ny)) == NULL);
	EXPECT(frame_from_node(NULL) == NULL);
	EXPECT(frame_data(frame) == &desk);
	frame_destroy(frame);
	desk_finish(&desk);
}

TEST(a_frame_outlives_its_parent_tree)
{
	struct desk desk;
	desk_init(&desk, 1);
	struct frame *frame = frame_create(desk.window, &desk.mark, 4);
	struct frame_state state = toplevel_state();
	frame_update(frame, &state);
	wlr_scene_node_destroy(&desk.window->node);
	state.title = "late";
	state.content_width = 20;
	frame_update(frame, &state);
	frame_set_mark(frame, &desk.mark, 9);
	frame_destroy(frame);
	desk_finish(&desk);
}

TEST(hostile_titles_reach_the_screen_without_control_characters)
{
	struct desk desk;
	desk_init(&desk, 1);
	struct frame *frame = frame_create(desk.window, &desk.mark, 4);
	struct frame_state state = toplevel_state();
	char longest[5000];
	memset(longest, 'W', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	const char *const titles[] = {"\xff\xfe", "a\nb\x1b[31m",
			"\xe2\x80\xae"
			"evil",
			longest, NULL};
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
		state.title = titles[i];
		frame_update(frame, &state);
		EXPECT(find_title(&desk.window->node)->buffer != NULL);
	}
	state.content_width = 1 << 24;
	frame_update(frame, &state);
	EXPECT(find_title(&desk.window->node)->buffer->width <= 8192);
	frame_destroy(frame);
	desk_finish(&desk);
}
