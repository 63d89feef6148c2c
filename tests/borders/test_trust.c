/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "borders/trust.h"
#include "tests/harness/test.h"

static const uint32_t palette[] = {
		0x9c0000,
		0xe07b00,
		0xd9b800,
		0x2e7d32,
		0x1565c0,
		0x7b1fa2,
		0x616161,
		0x000000,
};
#define PALETTE_SIZE (sizeof(palette) / sizeof(palette[0]))

static bool near(double a, double b, double epsilon) {
	return fabs(a - b) <= epsilon;
}

TEST(contrast_of_black_and_white_is_21)
{
	EXPECT(near(trust_contrast(0x000000, 0xffffff), 21.0, 1e-9));
	EXPECT(near(trust_contrast(0xffffff, 0x000000), 21.0, 1e-9));
}

TEST(contrast_of_a_colour_with_itself_is_1)
{ EXPECT(near(trust_contrast(0x9c0000, 0x9c0000), 1.0, 1e-9)); }

TEST(contrast_matches_the_published_examples)
{
	/* #767676 is the darkest grey with 4.5:1 on white that WCAG's own texts name. */
	EXPECT(near(trust_contrast(0x767676, 0xffffff), 4.54, 0.005));
	EXPECT(near(trust_contrast(0xff0000, 0xffffff), 4.00, 0.005));
	EXPECT(near(trust_contrast(0x0000ff, 0xffffff), 8.59, 0.005));
}

TEST(text_is_readable_on_every_colour)
{
	for (uint32_t r = 0; r < 256; r += 15) {
		for (uint32_t g = 0; g < 256; g += 15) {
			for (uint32_t b = 0; b < 256; b += 15) {
				uint32_t color = r << 16 | g << 8 | b;
				EXPECT(trust_contrast(trust_text_color(color), color) >= 4.5);
				uint32_t paler = trust_inactive_color(color);
				EXPECT(paler <= 0xffffff);
				EXPECT(trust_contrast(trust_text_color(paler), paler) >= 4.5);
			}
		}
	}
}

TEST(ciede2000_matches_the_published_test_data)
{
	static const struct {
		double a[3], b[3], distance;
	} pairs[] = {
			{{50, 2.6772, -79.7751}, {50, 0, -82.7485}, 2.0425},
			{{50, 3.1571, -77.2803}, {50, 0, -82.7485}, 2.8615},
			{{50, 2.8361, -74.0200}, {50, 0, -82.7485}, 3.4412},
			{{50, -1.3802, -84.2814}, {50, 0, -82.7485}, 1.0000},
			{{50, 0, 0}, {50, -1, 2}, 2.3669},
			{{50, 2.4900, -0.0010}, {50, -2.4900, 0.0009}, 7.1792},
			{{50, 2.4900, -0.0010}, {50, -2.4900, 0.0011}, 7.2195},
			{{50, 2.5, 0}, {73, 25, -18}, 27.1492},
			{{50, 2.5, 0}, {61, -5, 29}, 22.8977},
			{{50, 2.5, 0}, {56, -27, -3}, 31.9030},
			{{50, 2.5, 0}, {58, 24, 15}, 19.4535},
			{{60.2574, -34.0099, 36.2677}, {60.4626, -34.1751, 39.4387}, 1.2644},
			{{2.0776, 0.0795, -1.1350}, {0.9033, -0.0636, -0.5514}, 0.9082},
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		EXPECT(near(trust_ciede2000(pairs[i].a, pairs[i].b), pairs[i].distance, 0.00005));
		EXPECT(near(trust_ciede2000(pairs[i].b, pairs[i].a), pairs[i].distance, 0.00005));
	}
}

TEST(black_and_white_are_100_apart)
{ EXPECT(near(trust_distance(0x000000, 0xffffff, TRUST_VISION_NORMAL), 100.0, 0.01)); }

TEST(red_and_green_are_confused_without_green_cones)
{
	uint32_t red = 0x9c5000, green = 0x687000;
	EXPECT(trust_distance(red, green, TRUST_VISION_NORMAL) > 2 * TRUST_MIN_DISTANCE);
	EXPECT(trust_distance(red, green, TRUST_VISION_DEUTERANOPIA) < TRUST_MIN_DISTANCE);
}

TEST(greys_look_the_same_to_everybody)
{
	for (int vision = 0; vision < TRUST_VISION_COUNT; vision++) {
		double seen = trust_distance(0x404040, 0xc0c0c0, (enum trust_vision)vision);
		EXPECT(near(seen, trust_distance(0x404040, 0xc0c0c0, TRUST_VISION_NORMAL), 0.3));
	}
}

TEST(every_vision_has_a_name)
{
	for (int vision = 0; vision < TRUST_VISION_COUNT; vision++) {
		EXPECT(trust_vision_name((enum trust_vision)vision)[0] != '\0');
	}
}

TEST(an_inactive_window_is_still_its_own_vms)
{
	for (size_t i = 0; i < PALETTE_SIZE; i++) {
		uint32_t paler = trust_inactive_color(palette[i]);
		double own = trust_distance(paler, palette[i], TRUST_VISION_NORMAL);
		EXPECT(own > 4);
		for (size_t j = 0; j < PALETTE_SIZE; j++) {
			if (i == j) {
				continue;
			}
			EXPECT(trust_distance(paler, trust_inactive_color(palette[j]),
					       TRUST_VISION_NORMAL) > TRUST_MIN_DISTANCE);
		}
	}
}

TEST(a_mark_keeps_the_longest_names)
{
	struct trust_mark mark;
	char name[32], label[65];
	memset(name, 'n', 31);
	name[31] = '\0';
	memset(label, 'l', 64);
	label[64] = '\0';
	trust_mark_init(&mark, name, label, 0xff9c0000, true);
	EXPECT_STR(mark.name, name);
	EXPECT_STR(mark.label, label);
	EXPECT_INT(mark.color, 0x9c0000);
}

TEST(a_label_that_is_too_long_is_cut_between_characters)
{
	struct trust_mark mark;
	char label[68] = "x";
	for (int i = 0; i < 33; i++) {
		memcpy(label + 1 + 2 * i, "ä", 3);
	}
	trust_mark_init(&mark, "vm", label, 0, true);
	EXPECT_INT(strlen(mark.label), 63);
}

TEST(marks_that_differ_in_one_thing_are_not_equal)
{
	struct trust_mark a, b;
	trust_mark_init(&a, "work", "Work", 0x123456, true);
	b = a;
	EXPECT(trust_mark_equal(&a, &b));
	b.color = 0x123457;
	EXPECT(!trust_mark_equal(&a, &b));
	b = a;
	b.label[0] = 'w';
	EXPECT(!trust_mark_equal(&a, &b));
	b = a;
	b.is_vm = false;
	EXPECT(!trust_mark_equal(&a, &b));
}
