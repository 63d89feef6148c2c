# SPDX-License-Identifier: Apache-2.0
"""What tests of real applications share: one VM, the application under test, and looking at pixels.

Input is injected and pixels are read from screenshots of the compositor. What an application draws
by itself is found by what changed between two screenshots.
"""
import shutil
import time
import unittest

from desktop import VMS, Case, Desktop, rgb, select_wait

COLOR = VMS['work']
BORDER = 4
TITLE = 28


def needs(*programs):
    """Skips a test whose programs are not installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    return unittest.skipIf(missing, f'not installed: {", ".join(missing)}')


def app(*command, **environment):
    settings = [f'{name}={value}' for name, value in environment.items()]
    return {'name': 'App', 'exec': ['env', *settings, *command] if settings else list(command)}


def first_difference(one, other):
    """The index of the first byte in which two strings of the same length differ."""
    low, high = 0, len(one)
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def changed_box(before, after, within=None):
    """(x, y, width, height) around all pixels that differ, of the whole or within a box; None: there are none."""
    assert (before.width, before.height) == (after.width, after.height)
    x, y, width, height = within or (0, 0, before.width, before.height)
    left, top, right, bottom = x + width, None, 0, 0
    for row in range(y, y + height):
        start = row * before.stride + x * 4
        one, other = before.data[start:start + width * 4], after.data[start:start + width * 4]
        if one == other:
            continue
        top = row if top is None else top
        bottom = row + 1
        left = min(left, x + first_difference(one, other) // 4)
        right = max(right, x + width - first_difference(one[::-1], other[::-1]) // 4)
    return None if top is None else (left, top, right - left, bottom - top)


def area(box):
    return 0 if box is None else box[2] * box[3]


class AppCase(Case):
    """Each test has a desktop of its own with the VM `work`."""

    def desktop(self, *applications, vms=None, **options):
        """The applications are the VM's; a later one goes by the name App 2 and so on."""
        for i, entry in enumerate(applications[1:]):
            entry['name'] = f'App {i + 2}'
        vms = vms or {'work': VMS['work']}
        return Desktop(vms=vms, options={vm: {'applications': list(applications)} for vm in vms},
                       **options)

    def start(self, d, name='App', vm='work'):
        if vm not in d.proxies:
            d.start_proxy(vm)
        return d.launch(vm, name)

    def settled(self, d):
        """A screenshot of a desktop on which nothing has changed for a while."""
        last, since = d.screenshot(), time.monotonic()
        end = since + 20
        while time.monotonic() - since < 0.3:
            select_wait(0.05)
            image = d.screenshot()
            if image.data != last.data:
                last, since = image, time.monotonic()
            if time.monotonic() > end:
                self.fail('the desktop does not come to rest')
        return last

    def count(self, image, box, color):
        return image.colors(box).get(rgb(color), 0)

    def until_color(self, d, box, color, least=1):
        """Waits until at least that many pixels in box are of a colour."""
        def shown():
            image = d.screenshot()
            return image if self.count(image, box, color) >= least else None
        return d.until(f'{color} in {box}', shown)

    def until_changed(self, d, before, least=1):
        """Waits for a change of at least that many pixels; returns the screenshot at rest."""
        d.until('something changes', lambda: area(changed_box(before, d.screenshot())) >= least)
        return self.settled(d)

    def assert_ring(self, d, image, window, color=COLOR, border=BORDER):
        """The frame of a popup: of the VM's colour, and on the screen as a whole."""
        x, y, width, height = window.box
        self.assertTrue(x >= border and y >= border and x + width + border <= image.width and
                        y + height + border <= image.height, f'{window} is not on the screen')
        ring = [(i, j) for k in range(1, border + 1) for i in range(x - border, x + width + border)
                for j in (y - k, y + height + k - 1)]
        ring += [(i, j) for k in range(1, border + 1) for j in range(y, y + height)
                 for i in (x - k, x + width + k - 1)]
        at = d.input.at
        for i, j in ring:
            if abs(i - at[0]) > 24 or abs(j - at[1]) > 24:  # not where the cursor is
                self.assertEqual(image.pixel(i, j), rgb(color), f'frame of {window} at {i},{j}')

    def popups(self, d):
        return [window for window in d.windows() if window.popup]

    def open_popup(self, d, action):
        """Does what opens a menu; returns the popup and a screenshot with its frame."""
        before = {window.id for window in self.popups(d)}
        action()
        new = d.until('a popup', lambda: [w for w in self.popups(d) if w.id not in before])
        image = self.settled(d)
        popup = d.window(new[-1].id)
        self.assert_ring(d, image, popup)
        return popup, image


def write(path, text):
    with open(path, 'w') as file:
        file.write(text)
    return path
