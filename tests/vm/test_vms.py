# SPDX-License-Identifier: Apache-2.0
"""Windows of one virtual machine on the screen of another, over shared memory and a virtio-serial port."""
import sys
import time
import unittest

import machines

import desktop

COLOR = '#b3261e'
FIRST, SECOND = (0x20, 0x40, 0xa0), (0x20, 0xa0, 0x40)

# Colours its window, says on the VM's console what it reads, and answers on the screen.
SCRIPT = ("printf '\\033]11;#2040a0\\007\\033[?25l'; read word; "
          "printf '\\033]11;#20a040\\007'; echo \"typed: $word\" >/run/console; read word")

VMS = {'web': {'label': 'Web', 'color': COLOR, 'applications': [
    {'name': 'Terminal', 'exec': ['foot', '-W', '40x10', 'sh', '-c', SCRIPT]},
    {'name': 'Shm', 'exec': ['weston-simple-shm']},
    {'name': 'Kill', 'exec': ['killall', '-9', 'appvm-proxy']},
]}}


class Machines(unittest.TestCase):
    """In the order of their names: the machines boot once."""

    @classmethod
    def setUpClass(cls):
        cls.start = time.monotonic()
        cls.d = machines.Desktop(VMS).__enter__()
        cls.told('the desktop is up')
        cls.d.wait('--vm', 'web=running')
        cls.told('the link is up')

    @classmethod
    def tearDownClass(cls):
        cls.d.__exit__(None, None, None)

    @classmethod
    def told(cls, what):
        print(f'# {time.monotonic() - cls.start:.1f} s: {what}', flush=True)

    def setUp(self):
        self.addCleanup(self.on_failure)

    def on_failure(self):
        outcome = self._outcome.result
        if any(test is self for test, _ in outcome.failures + outcome.errors):
            print(''.join(machine.console.text for machine in self.d.machines.values()))

    def launch(self, application='Terminal'):
        # A link that was lost may not be known to be, yet.
        self.d.until('an answer to a launch', lambda: self.d.try_ctl('launch', 'web', application))
        self.d.wait('--windows', '1')

    def end_windows(self):
        self.d.run('killall', '-9', 'guivm-relay')
        self.d.wait('--max-windows', '0')
        self.d.wait('--vm', 'web=running')

    def expect_terminal(self):
        """Its content, and the frame in its VM's colour, where the compositor says it is."""
        image = self.d.until_colors('content', lambda colors: colors.get(FIRST, 0) > 5000)
        window = self.d.windows()[0]
        x, y, width, height = window.box
        # All of it but for the pointer.
        self.assertGreater(image.colors(window.box).get(FIRST, 0), width * height * 95 // 100)
        color = desktop.rgb(COLOR)
        for at in ((x - 1, y + height // 2), (x + width, y + height // 2), (x + width // 2, y + height)):
            self.assertEqual(image.pixel(*at), color, at)
        return window

    def test_1_a_window_crosses_and_answers_keys(self):
        self.launch()
        self.told('a window is open')
        window = self.expect_terminal()
        self.told('its content and its frame are on the screen')
        self.d.click(window.x + window.width // 2, window.y + window.height // 2)
        self.d.type('v', 'c', 'h', 'a', 'n', 'ret')
        self.d.machines['web'].console.wait('typed: vchan')
        self.told('keys arrived in the other machine')
        self.d.until_colors('answer', lambda colors: colors.get(SECOND, 0) > 5000 and FIRST not in colors)
        self.told('its answer is on the screen')

    def test_2_a_killed_relay_loses_its_windows_and_comes_back(self):
        self.end_windows()
        self.told('another relay serves the VM')
        self.launch('Shm')
        first = self.d.screenshot().data
        self.d.until('a picture that moves', lambda: self.d.screenshot().data != first)
        self.told('and shows an animation')

    def test_3_a_killed_proxy_loses_its_windows_and_comes_back(self):
        self.d.try_ctl('launch', 'web', 'Kill')
        self.d.wait('--max-windows', '0')
        self.d.wait('--vm', 'web=running')
        self.told('another proxy serves the VM')
        self.launch()
        self.expect_terminal()

    def test_4_a_stopped_machine_keeps_its_windows(self):
        self.d.machines['web'].qmp('stop')
        self.assertFalse(self.d.try_ctl('wait', '--max-windows', '0', '--timeout', '3'))
        self.d.machines['web'].qmp('cont')
        window = self.expect_terminal()
        self.d.click(window.x + window.width // 2, window.y + window.height // 2)
        self.d.type('o', 'n', 'ret')
        self.d.machines['web'].console.wait('typed: on')

    def test_5_a_killed_machine_loses_its_windows_and_comes_back(self):
        self.d.machines.pop('web').kill()
        killed = time.monotonic()
        self.d.wait('--max-windows', '0')
        self.assertLess(time.monotonic() - killed, 5)
        self.told(f'{time.monotonic() - killed:.2f} s after its machine was killed the window is gone')
        self.d.start_app('web')
        self.d.wait('--vm', 'web=running')
        self.launch()
        self.expect_terminal()
        self.told('a new machine in its place shows its window')

    def test_6_a_killed_gui_machine_is_found_again_by_the_other(self):
        self.d.machines.pop('gui').kill()
        killed = time.monotonic()
        self.d.machines['web'].console.wait('the connection to the GUI VM is over')
        self.assertLess(time.monotonic() - killed, 5)
        self.told(f'{time.monotonic() - killed:.2f} s after the GUI machine was killed the other knows')
        self.d.start_gui()
        self.d.wait('--vm', 'web=running')
        self.launch()
        self.expect_terminal()
        self.told('a new GUI machine shows a window')


if __name__ == '__main__':
    if not machines.can_run():
        print('1..0 # SKIP no QEMU or no kernel here: run it by scripts/toolbox')
        print('0 passed, 0 failed, 1 skipped')
        sys.exit(77)
    desktop.main()
