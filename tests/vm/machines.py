# SPDX-License-Identifier: Apache-2.0
"""Real virtual machines under QEMU: the GUI VM, which owns its display, and application VMs.

What scripts/vm/qemu.py does, and what a test needs besides: the GUI VM's screen, its input devices.
"""
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


class Desktop(qemu.Machines):
    """vms: name to fields of the VM set. Use as a context manager."""

    def __init__(self, vms, **options):
        super().__init__(vms, BUILD, **options)

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
        kept = os.environ.get('ISTHMUS_VM_SCREEN')
        if kept:
            shutil.copyfile(path, kept)
        return Image(path)

    def windows(self):
        return [desktop.Window(fields) for fields in json.loads(self.ctl('windows', '--json'))]

    def until_colors(self, what, condition):
        """condition gets how often each colour is on the screen."""
        def look():
            image = self.screenshot()
            return image if condition(image.colors((0, 0, image.width, image.height))) else None
        return self.until(what, look)

    def until(self, what, condition):
        end = time.monotonic() + LIMIT_S // 3
        while time.monotonic() < end:
            result = condition()
            if result:
                return result
        raise AssertionError(f'no {what}')

    def send(self, *events):
        self.gui.qmp('input-send-event', events=list(events))

    def click(self, x, y):
        self.send(*({'type': 'abs', 'data': {'axis': axis, 'value': at * 32767 // size}}
                    for axis, at, size in (('x', x, self.size[0]), ('y', y, self.size[1]))))
        for down in (True, False):
            self.send({'type': 'btn', 'data': {'button': 'left', 'down': down}})

    def type(self, *keys):
        for key in keys:
            for down in (True, False):
                self.send({'type': 'key', 'data': {'key': {'type': 'qcode', 'data': key}, 'down': down}})
