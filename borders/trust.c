/* SPDX-License-Identifier: Apache-2.0 */
#include "borders/trust.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#define DEGREE (M_PI / 180.0)

static void copy_cut(char *dst, size_t dst_size, const char *src) {
	size_t length = strnlen(src, dst_size);
	if (length == dst_size) {
		length = dst_size - 1;
		while (length > 0 && ((unsigned char)src[length] & 0xc0) == 0x80) {
			length--;
		}
	}
	memset(dst, 0, dst_size);
	memcpy(dst, src, length);
}

void trust_mark_init(struct trust_mark *mark, const char *name, const char *label, uint32_t color,
		bool is_vm) {
	*mark = (struct trust_mark){.color = color & 0xffffff, .is_vm = is_vm};
	copy_cut(mark->name, sizeof(mark->name), name);
	copy_cut(mark->label, sizeof(mark->label), label);
}

bool trust_mark_equal(const struct trust_mark *a, const struct trust_mark *b) {
	return a->color == b->color && a->is_vm == b->is_vm && strcmp(a->name, b->name) == 0 &&
			strcmp(a->label, b->label) == 0;
}

static double channel_to_linear(uint32_t byte) {
	double value = (double)byte / 255.0;
	return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

static uint32_t channel_from_linear(double value) {
	double encoded = value <= 0.0031308 ? value * 12.92 : 1.055 * pow(value, 1 / 2.4) - 0.055;
	return (uint32_t)lround(fmin(fmax(encoded, 0), 1) * 255.0);
}

static void color_to_linear(uint32_t color, double rgb[3]) {
	rgb[0] = channel_to_linear(color >> 16 & 0xff);
	rgb[1] = channel_to_linear(color >> 8 & 0xff);
	rgb[2] = channel_to_linear(color & 0xff);
}

static double luminance(uint32_t color) {
	double rgb[3];
	color_to_linear(color, rgb);
	return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
}

double trust_contrast(uint32_t a, uint32_t b) {
	double light = luminance(a), dark = luminance(b);
	if (light < dark) {
		double swap = light;
		light = dark;
		dark = swap;
	}
	return (light + 0.05) / (dark + 0.05);
}

uint32_t trust_text_color(uint32_t color) {
	return trust_contrast(color, 0xffffff) >= trust_contrast(color, 0x000000) ? 0xffffff
										  : 0x000000;
}

static void matrix_apply(const double m[3][3], const double in[3], double out[3]) {
	for (int row = 0; row < 3; row++) {
		out[row] = m[row][0] * in[0] + m[row][1] * in[1] + m[row][2] * in[2];
	}
}

/* sRGB primaries, D65 white (IEC 61966-2-1). */
static const double rgb_to_xyz[3][3] = {
		{0.4124564, 0.3575761, 0.1804375},
		{0.2126729, 0.7151522, 0.0721750},
		{0.0193339, 0.1191920, 0.9503041},
};
static const double white_xyz[3] = {0.95047, 1.0, 1.08883};

static double lab_curve(double t) {
	return t > 216.0 / 24389.0 ? cbrt(t) : (24389.0 / 27.0 * t + 16.0) / 116.0;
}

static void linear_to_lab(const double rgb[3], double lab[3]) {
	double xyz[3], f[3];
	matrix_apply(rgb_to_xyz, rgb, xyz);
	for (int i = 0; i < 3; i++) {
		f[i] = lab_curve(xyz[i] / white_xyz[i]);
	}
	lab[0] = 116.0 * f[1] - 16.0;
	lab[1] = 500.0 * (f[0] - f[1]);
	lab[2] = 200.0 * (f[1] - f[2]);
}

/* Oklab (Ottosson 2020): unlike in CIE L*a*b*, blue made lighter does not turn purple. */
static const double rgb_to_lms[3][3] = {
	{0.4122214708, 0.5363325363, 0.0514459929},
	{0.2119034982, 0.6806995451, 0.1073969566},
	{0.0883024619, 0.2817188376, 0.6299787005},
};
static const double lms_to_oklab[3][3] = {
	{0.2104542553, 0.7936177850, -0.0040720468},
	{1.9779984951, -2.4285922050, 0.4505937099},
	{0.0259040371, 0.7827717662, -0.8086757660},
};
static const double oklab_to_lms[3][3] = {
	{1.0, 0.3963377774, 0.2158037573},
	{1.0, -0.1055613458, -0.0638541728},
	{1.0, -0.0894841775, -1.2914855480},
};
static const double lms_to_rgb[3][3] = {
	{4.0767416621, -3.3077115913, 0.2309699292},
	{-1.2684380046, 2.6097574011, -0.3413193965},
	{-0.0041960863, -0.7034186147, 1.7076147010},
};

static void linear_to_oklab(const double rgb[3], double oklab[3]) {
	double lms[3];
	matrix_apply(rgb_to_lms, rgb, lms);
	for (int i = 0; i < 3; i++) {
		lms[i] = cbrt(lms[i]);
	}
	matrix_apply(lms_to_oklab, lms, oklab);
}

static void oklab_to_linear(const double oklab[3], double rgb[3]) {
	double lms[3];
	matrix_apply(oklab_to_lms, oklab, lms);
	for (int i = 0; i < 3; i++) {
		lms[i] = lms[i] * lms[i] * lms[i];
	}
	matrix_apply(lms_to_rgb, lms, rgb);
}

static bool in_gamut(const double rgb[3]) {
	for (int i = 0; i < 3; i++) {
		if (rgb[i] < -0.0005 || rgb[i] > 1.0005) {
			return false;
		}
	}
	return true;
}

/*
 * Lightness moves a third of the way to white, hue stays, and chroma as far as sRGB allows: mixing
 * with white instead would pull all colours together. What is light already becomes darker.
 */
uint32_t trust_inactive_color(uint32_t color) {
	double rgb[3], lab[3];
	color_to_linear(color, rgb);
	linear_to_oklab(rgb, lab);
	double lightness = lab[0] <= 0.78 ? lab[0] + (1 - lab[0]) * 0.35 : lab[0] - 0.1;
	for (double chroma = 0.8; chroma > 0; chroma -= 0.05) {
		double paler[3] = {lightness, lab[1] * chroma, lab[2] * chroma};
		oklab_to_linear(paler, rgb);
		if (in_gamut(rgb)) {
			break;
		}
	}
	return channel_from_linear(rgb[0]) << 16 | channel_from_linear(rgb[1]) << 8 |
			channel_from_linear(rgb[2]);
}

const char *trust_vision_name(enum trust_vision vision) {
	static const char *const names[TRUST_VISION_COUNT] = {
			[TRUST_VISION_NORMAL] = "normal vision",
			[TRUST_VISION_PROTANOPIA] = "protanopia",
			[TRUST_VISION_DEUTERANOPIA] = "deuteranopia",
			[TRUST_VISION_TRITANOPIA] = "tritanopia",
	};
	assert((unsigned)vision < TRUST_VISION_COUNT);
	return names[vision];
}

/* Machado, Oliveira and Fernandes 2009, severity 1.0; they apply to linear RGB. */
static const double vision_matrices[TRUST_VISION_COUNT][3][3] = {
		[TRUST_VISION_NORMAL] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		[TRUST_VISION_PROTANOPIA] =
				{
						{0.152286, 1.052583, -0.204868},
						{0.114503, 0.786281, 0.099216},
						{-0.003882, -0.048116, 1.051998},
				},
		[TRUST_VISION_DEUTERANOPIA] =
				{
						{0.367322, 0.860646, -0.227968},
						{0.280085, 0.672501, 0.047413},
						{-0.011820, 0.042940, 0.968881},
				},
		[TRUST_VISION_TRITANOPIA] =
				{
						{1.255528, -0.076749, -0.178779},
						{-0.078411, 0.930809, 0.147602},
						{0.004733, 0.691367, 0.303900},
				},
};

static void color_to_lab_seen(uint32_t color, enum trust_vision vision, double lab[3]) {
	double rgb[3], seen[3];
	color_to_linear(color, rgb);
	matrix_apply(vision_matrices[vision], rgb, seen);
	for (int i = 0; i < 3; i++) {
		seen[i] = fmin(fmax(seen[i], 0), 1);
	}
	linear_to_lab(seen, lab);
}

double trust_distance(uint32_t a, uint32_t b, enum trust_vision vision) {
	assert((unsigned)vision < TRUST_VISION_COUNT);
	double lab_a[3], lab_b[3];
	color_to_lab_seen(a, vision, lab_a);
	color_to_lab_seen(b, vision, lab_b);
	return trust_ciede2000(lab_a, lab_b);
}

static double hue_degrees(double a, double b) {
	if (a == 0 && b == 0) {
		return 0;
	}
	double hue = atan2(b, a) / DEGREE;
	return hue < 0 ? hue + 360.0 : hue;
}

/* The mean of two hues on the shorter arc; the sum when one colour is grey and has no hue. */
static double hue_mean(double hue_a, double hue_b, bool grey) {
	double sum = hue_a + hue_b;
	if (grey) {
		return sum;
	}
	if (fabs(hue_a - hue_b) <= 180.0) {
		return sum / 2;
	}
	return sum < 360.0 ? (sum + 360.0) / 2 : (sum - 360.0) / 2;
}

static double hue_difference(double hue_a, double hue_b, bool grey) {
	double difference = hue_b - hue_a;
	if (grey) {
		return 0;
	}
	if (difference > 180.0) {
		return difference - 360.0;
	}
	return difference < -180.0 ? difference + 360.0 : difference;
}

static double pow7_ratio(double chroma) {
	double chroma7 = pow(chroma, 7);
	return sqrt(chroma7 / (chroma7 + 6103515625.0)); // 25^7
}

double trust_ciede2000(const double lab_a[3], const double lab_b[3]) {
	double mean = (hypot(lab_a[1], lab_a[2]) + hypot(lab_b[1], lab_b[2])) / 2;
	double stretch = 1 + 0.5 * (1 - pow7_ratio(mean));
	double a1 = lab_a[1] * stretch, a2 = lab_b[1] * stretch;
	double chroma1 = hypot(a1, lab_a[2]), chroma2 = hypot(a2, lab_b[2]);
	double hue1 = hue_degrees(a1, lab_a[2]), hue2 = hue_degrees(a2, lab_b[2]);
	bool grey = chroma1 * chroma2 == 0;

	double d_light = lab_b[0] - lab_a[0];
	double d_chroma = chroma2 - chroma1;
	double d_hue = 2 * sqrt(chroma1 * chroma2) *
			sin(hue_difference(hue1, hue2, grey) / 2 * DEGREE);

	double light = (lab_a[0] + lab_b[0]) / 2 - 50;
	double chroma = (chroma1 + chroma2) / 2;
	double hue = hue_mean(hue1, hue2, grey);
	double t = 1 - 0.17 * cos((hue - 30) * DEGREE) + 0.24 * cos(2 * hue * DEGREE) +
			0.32 * cos((3 * hue + 6) * DEGREE) - 0.20 * cos((4 * hue - 63) * DEGREE);
	double s_light = 1 + 0.015 * light * light / sqrt(20 + light * light);
	double s_chroma = 1 + 0.045 * chroma;
	double s_hue = 1 + 0.015 * chroma * t;
	double blue = (hue - 275) / 25;
	double rotation = -sin(60 * exp(-blue * blue) * DEGREE) * 2 * pow7_ratio(chroma);

	double l = d_light / s_light, c = d_chroma / s_chroma, h = d_hue / s_hue;
	return sqrt(l * l + c * c + h * h + rotation * c * h);
}
