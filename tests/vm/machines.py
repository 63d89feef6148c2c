# SPDX-License-Identifier: Apache-2.0
"""Real virtual machines under QEMU: the GUI VM, which owns its display, and application VMs.

What scripts/vm/qemu.py does, and what a test needs besides: the GUI VM's screen, its input devices.
"""
import collections
import json
import os
import shlex
import shutil
import sys
import time

BUILD = os.environ['ISTHMUS_BUILD']
SOURCE = os.environ['ISTHMUS_SOURCE']
sys.path[:0] = [f'{SOURCE}/tests/integration', f'{SOURCE}/scripts/vm']
import desktop  # noqa: E402 (its folder is known only now)
import qemu  # noqa: E402
from desktop import Image  # noqa: E402
from qemu import LIMIT_S, can_run  # noqa: E402, F401


def missing():
    """What is not here, or None."""
    return None if can_run() else 'no QEMU or no kernel'


class Desktop(qemu.Machines):
    """vms: name to fields of the VM set. Use as a context manager."""

    def __init__(self, vms, **options):
        super().__init__(vms, BUILD, **options)
        self.screens = 0

    def start(self):
        super().start()
        self.gui.console.wait('isthmus: desktop is up')

    def __exit__(self, kind, value, traceback):
        super().__exit__(kind, value, traceback)
        if kind is not None:
            print(self.consoles(), file=sys.stderr)

    def try_ctl(self, *words):
        try:
            self.ctl(*words)
        except AssertionError:
            return False
        return True

    def run(self, *words):
        """A command in the GUI VM, as the desktop's user."""
        return self.gui.shell(shlex.join(words))

    def screenshot(self):
        """What the GUI VM's own screen shows, by QMP."""
        path = f'{self.dir}/screen.png'
        self.gui.qmp('screendump', filename=path, format='png')
        kept = os.environ.get('ISTHMUS_KEEP_SCREENSHOTS')
        if kept:
            self.screens += 1
            shutil.copyfile(path, f'{kept}/{self.screens:04}.png')
        return Image(path)

    def resize(self, width, height):
        """The GUI VM's screen. It needs wlr-randr, which the machines have only if they are told to."""
        self.run('wlr-randr', '--output', 'Virtual-1', '--custom-mode', f'{width}x{height}')
        self.size = width, height

        def resized():
            image = self.screenshot()
            return (image.width, image.height) == self.size
        self.until(f'screen of {width}x{height}', resized)

    def windows(self):
        return [desktop.Window(fields) for fields in json.loads(self.ctl('windows', '--json'))]

    def window(self, number):
        return next(window for window in self.windows() if window.id == number)

    def until_colors(self, what, condition):
        """condition gets how often each colour is on the screen."""
        def look():
            image = self.screenshot()
            return image if condition(colors(image)) else None
        return self.until(what, look)

    def until(self, what, condition):
        end = time.monotonic() + LIMIT_S // 3
        while time.monotonic() < end:
            result = condition()
            if result:
                return result
            desktop.select_wait(0.05)
        raise AssertionError(f'no {what}')

    def send(self, *events):
        self.gui.qmp('input-send-event', events=list(events))

    def move(self, x, y):
        self.send(*({'type': 'abs', 'data': {'axis': axis, 'value': -(-at * 32767 // size)}}
                    for axis, at, size in (('x', x, self.size[0]), ('y', y, self.size[1]))))

    def click(self, x, y):
        self.move(x, y)
        for down in (True, False):
            self.send({'type': 'btn', 'data': {'button': 'left', 'down': down}})

    def key(self, key, down):
        self.send({'type': 'key', 'data': {'key': {'type': 'qcode', 'data': key}, 'down': down}})

    def type(self, *keys):
        for key in keys:
            self.key(key, True)
            self.key(key, False)


def colors(image):
    """How often each colour is on the screen."""
    pixels = collections.Counter(memoryview(image.data).cast('I'))
    found = collections.Counter()
    for pixel, count in pixels.items():
        found[pixel >> 16 & 255, pixel >> 8 & 255, pixel & 255] += count
    return found


class Picture:
    """What isthmus-test-window draws."""

    def __init__(self, width, height, seed, square=None):
        self.width = width
        self.height = height
        self.seed = seed
        self.square = square

    def row(self, y, width):
        """The first pixels of a row, as three strings of bytes: blue, green, red."""
        # Each repeats after 256 pixels.
        row = [(block * (width // 256 + 1))[:width] for block in (
            bytearray(((x ^ y) + self.seed * 101) & 255 for x in range(256)),
            bytearray([(y * 11 + self.seed * 59) & 255]) * 256,
            bytearray((x * 7 + self.seed * 37) & 255 for x in range(256)))]
        if self.square is not None and -8 <= y - self.square[1] < 8:
            for channel in row:
                for x in range(max(0, self.square[0] - 8), min(width, self.square[0] + 8)):
                    channel[x] = 255
        return row

    def difference(self, image, x, y):
        """The first pixel in which the screen differs, the window's content being at (x, y); or None."""
        width = min(self.width, image.width - x)
        for j in range(min(self.height, image.height - y)):
            start = (y + j) * image.stride + x * 4
            line = image.data[start:start + width * 4]
            expected = self.row(j, width)
            if any(line[channel::4] != expected[channel] for channel in range(3)):
                at = next(i for i in range(width) if tuple(line[i * 4:i * 4 + 3]) != tuple(
                    channel[i] for channel in expected))
                return at, j, tuple(line[at * 4:at * 4 + 3]), tuple(channel[at] for channel in expected)
        return None
