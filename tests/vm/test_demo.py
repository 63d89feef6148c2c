# SPDX-License-Identifier: Apache-2.0
"""scripts/demo --vms: three machines, one of them plugged in, on one screen; and nothing is left of it."""
import glob
import os
import signal
import subprocess
import tempfile
import unittest

import machines
from machines import BUILD, SOURCE, colors

import desktop

LIMIT_S = 400
# Frames of the VMs of the demo, with the keyboard and without.
COLORS = {'work': ('#3a9d4a', '#79c380'), 'personal': ('#1f6fd1', '#66a2f3'), 'untrusted': ('#b3201c', '#e26e62')}


def processes(part):
    """Process ids of those that have that in their command line."""
    found = []
    for path in glob.glob('/proc/[0-9]*/cmdline'):
        try:
            with open(path, 'rb') as file:
                if part.encode() in file.read():
                    found.append(path)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


class Demo(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='isthmus-vm-')
        self.addCleanup(os.rmdir, self.dir)

    def start(self, *words):
        environment = {name: value for name, value in os.environ.items()
                       if name not in ('WAYLAND_DISPLAY', 'DISPLAY')}
        process = subprocess.Popen(
            [f'{SOURCE}/scripts/demo-vms', '--build', BUILD, *words], stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, env={**environment, 'TMPDIR': self.dir})
        self.addCleanup(process.stderr.close)
        return process

    def expect_nothing_left(self):
        self.assertEqual(os.listdir(self.dir), [])
        self.assertEqual(processes(self.dir), [])

    def test_1_ctrl_c_ends_it(self):
        process = self.start()
        for line in process.stderr:
            if 'emulated' in line or 'KVM' in line:
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT_S)
        self.assertEqual(process.returncode, 128 + signal.SIGINT)
        self.expect_nothing_left()

    def test_2_windows_of_three_machines_are_on_the_screenshot(self):
        path = f'{self.dir}/demo.png'
        process = self.start('--screenshot', path)
        text = process.communicate(timeout=LIMIT_S)[1]
        print(''.join(f'# {line}\n' for line in text.splitlines()), flush=True)
        self.assertEqual(process.returncode, 0)
        found = colors(desktop.Image(path))
        for vm, both in COLORS.items():
            self.assertGreater(sum(found[desktop.rgb(color)] for color in both), 3000, vm)
        os.unlink(path)
        self.expect_nothing_left()


if __name__ == '__main__':
    desktop.main(machines.missing())
