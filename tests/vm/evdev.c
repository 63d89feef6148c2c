/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-test-evdev: a drawing tablet with a pen and a touchpad, made with uinput, for the
 * compositor's own input stack to find. Plays what each line of its input asks for and says "done":
 *   near X Y     the pen comes close; units of 0.01 mm on a tablet of 200 by 150 mm
 *   draw X Y P   the tip touches, pressed P of 1024, and moves there in steps
 *   button 0|1   of the pen
 *   up           the tip
 *   away         the pen
 *   fingers N    that many are put on the touchpad, N 0 to 3
 *   slide DX DY  all fingers move by that much, in steps; units of 0.1 mm
 *   spread D     the first two move apart by that much
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/uinput.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define STEPS 20
#define REPORT_MS 12 // between two places of a finger: libinput takes faster ones for a fault
#define FINGERS 3
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

struct axis {
	int code, maximum, resolution; // resolution: units per mm
};

static int pen_x, pen_y;
static int finger_x[FINGERS], finger_y[FINGERS], n_fingers;

static void emit(int fd, int type, int code, int value) {
	struct input_event event = {
		.type = (__u16)type, .code = (__u16)code, .value = value};
	if (write(fd, &event, sizeof(event)) != sizeof(event)) {
		perror("uinput");
		exit(1);
	}
}

static int make_device(const char *name, int property, const int *keys, size_t n_keys,
		const struct axis *axes, size_t n_axes) {
	int fd = open("/dev/uinput", O_WRONLY | O_CLOEXEC);
	bool failed = fd < 0 || ioctl(fd, UI_SET_EVBIT, EV_KEY) < 0 ||
			ioctl(fd, UI_SET_EVBIT, EV_ABS) < 0 ||
			ioctl(fd, UI_SET_PROPBIT, property) < 0;
	for (size_t i = 0; i < n_keys; i++) {
		failed = failed || ioctl(fd, UI_SET_KEYBIT, keys[i]) < 0;
	}
	for (size_t i = 0; i < n_axes; i++) {
		struct uinput_abs_setup setup = {
			.code = (__u16)axes[i].code,
			.absinfo = {.maximum = axes[i].maximum, .resolution = axes[i].resolution},
		};
		failed = failed || ioctl(fd, UI_ABS_SETUP, &setup) < 0;
	}
	struct uinput_setup setup = {.id = {.bustype = BUS_USB, .vendor = 0x1209, .product = 1}};
	snprintf(setup.name, sizeof(setup.name), "%s", name);
	if (failed || ioctl(fd, UI_DEV_SETUP, &setup) < 0 || ioctl(fd, UI_DEV_CREATE) < 0) {
		perror("uinput");
		exit(1);
	}
	return fd;
}

static int make_tablet(void) {
	static const int keys[] = {BTN_TOOL_PEN, BTN_TOUCH, BTN_STYLUS};
	static const struct axis axes[] = {
		{ABS_X, 20000, 100}, {ABS_Y, 15000, 100}, {ABS_PRESSURE, 1024, 0}};
	return make_device("Isthmus test tablet", INPUT_PROP_POINTER, keys, LENGTH(keys), axes,
			LENGTH(axes));
}

static int make_touchpad(void) {
	static const int keys[] = {BTN_LEFT, BTN_TOUCH, BTN_TOOL_FINGER, BTN_TOOL_DOUBLETAP,
		BTN_TOOL_TRIPLETAP};
	static const struct axis axes[] = {{ABS_X, 1000, 10}, {ABS_Y, 700, 10},
		{ABS_MT_SLOT, FINGERS - 1, 0}, {ABS_MT_TRACKING_ID, 65535, 0},
		{ABS_MT_POSITION_X, 1000, 10}, {ABS_MT_POSITION_Y, 700, 10}};
	return make_device("Isthmus test touchpad", INPUT_PROP_BUTTONPAD, keys, LENGTH(keys), axes,
			LENGTH(axes));
}

static void pen_at(int fd, int x, int y) {
	pen_x = x;
	pen_y = y;
	emit(fd, EV_ABS, ABS_X, x);
	emit(fd, EV_ABS, ABS_Y, y);
}

static void draw(int fd, int x, int y, int pressure) {
	int from_x = pen_x, from_y = pen_y;
	emit(fd, EV_KEY, BTN_TOUCH, 1);
	for (int i = 1; i <= STEPS; i++) {
		pen_at(fd, from_x + (x - from_x) * i / STEPS, from_y + (y - from_y) * i / STEPS);
		emit(fd, EV_ABS, ABS_PRESSURE, pressure * i / STEPS);
		emit(fd, EV_SYN, SYN_REPORT, 0);
	}
}

static void report_fingers(int fd) {
	for (int i = 0; i < n_fingers; i++) {
		emit(fd, EV_ABS, ABS_MT_SLOT, i);
		emit(fd, EV_ABS, ABS_MT_POSITION_X, finger_x[i]);
		emit(fd, EV_ABS, ABS_MT_POSITION_Y, finger_y[i]);
	}
	if (n_fingers > 0) {
		emit(fd, EV_ABS, ABS_X, finger_x[0]);
		emit(fd, EV_ABS, ABS_Y, finger_y[0]);
	}
	emit(fd, EV_SYN, SYN_REPORT, 0);
	poll(NULL, 0, REPORT_MS);
}

static void set_fingers(int fd, int count) {
	static int tracking_id;
	static const int tools[] = {BTN_TOOL_FINGER, BTN_TOOL_DOUBLETAP, BTN_TOOL_TRIPLETAP};
	for (int i = 0; i < FINGERS; i++) {
		if ((i < count) != (i < n_fingers)) {
			emit(fd, EV_ABS, ABS_MT_SLOT, i);
			emit(fd, EV_ABS, ABS_MT_TRACKING_ID, i < count ? ++tracking_id : -1);
		}
		// As they lie on a pad: on one line they would be taken to scroll, not to pinch.
		finger_x[i] = 350 + 150 * i;
		finger_y[i] = 250 + 100 * i;
		emit(fd, EV_KEY, tools[i], i + 1 == count);
	}
	emit(fd, EV_KEY, BTN_TOUCH, count > 0);
	n_fingers = count;
	report_fingers(fd);
}

static void slide(int fd, int dx, int dy) {
	for (int step = 0; step < STEPS; step++) {
		for (int i = 0; i < n_fingers; i++) {
			finger_x[i] += dx / STEPS;
			finger_y[i] += dy / STEPS;
		}
		report_fingers(fd);
	}
}

static void spread(int fd, int distance) {
	for (int step = 0; step < STEPS; step++) {
		finger_x[0] -= distance / STEPS / 2;
		finger_x[1] += distance / STEPS / 2;
		report_fingers(fd);
	}
}

static bool play_tablet(int fd, const char *line) {
	int x, y, value;
	if (sscanf(line, "near %d %d", &x, &y) == 2) {
		emit(fd, EV_KEY, BTN_TOOL_PEN, 1);
		pen_at(fd, x, y);
	} else if (sscanf(line, "draw %d %d %d", &x, &y, &value) == 3) {
		draw(fd, x, y, value);
		return true;
	} else if (sscanf(line, "button %d", &value) == 1) {
		emit(fd, EV_KEY, BTN_STYLUS, value);
	} else if (strcmp(line, "up\n") == 0) {
		emit(fd, EV_ABS, ABS_PRESSURE, 0);
		emit(fd, EV_KEY, BTN_TOUCH, 0);
	} else if (strcmp(line, "away\n") == 0) {
		emit(fd, EV_KEY, BTN_TOOL_PEN, 0);
	} else {
		return false;
	}
	emit(fd, EV_SYN, SYN_REPORT, 0);
	return true;
}

static bool play_touchpad(int fd, const char *line) {
	int x, y;
	if (sscanf(line, "fingers %d", &x) == 1 && x >= 0 && x <= FINGERS) {
		set_fingers(fd, x);
	} else if (sscanf(line, "slide %d %d", &x, &y) == 2) {
		slide(fd, x, y);
	} else if (sscanf(line, "spread %d", &x) == 1) {
		spread(fd, x);
	} else {
		return false;
	}
	return true;
}

int main(void) {
	int tablet = make_tablet(), touchpad = make_touchpad();
	char line[64];
	while (fgets(line, sizeof(line), stdin) != NULL) {
		bool known = play_tablet(tablet, line) || play_touchpad(touchpad, line);
		puts(known ? "done" : "unknown");
		fflush(stdout);
	}
	return 0;
}
