# SPDX-License-Identifier: Apache-2.0
"""A window over each kind of link between two virtual machines: it is shown and answers a key, and it goes
and comes with its proxy and with its machine."""
import json
import time

import machines  # knows where the others are

import desktop
import links

COLORS = {'vsock': '#b3261e', 'doorbell': '#1b7f3b', 'stream': '#2a5bd7'}
FIRST, SECOND = (0x20, 0x40, 0xa0), (0x20, 0xa0, 0x40)
SCRIPT = ("printf '\\033]11;#2040a0\\007\\033[?25l'; read word; "
          "printf '\\033]11;#20a040\\007'; echo \"typed: $word\" >/run/console; read word")
CLIENT = f'{machines.BUILD}/tests/bench/isthmus-bench-client'
TRIPS = ("printf '\\n\\n' | WAYLAND_DISPLAY=wayland-isthmus-0 isthmus-bench-client roundtrips --count 20 | "
         "tail -n 1")
VMS = {name: {'label': name, 'color': color, 'applications': [
    {'name': 'Terminal', 'exec': ['foot', '-W', '40x10', 'sh', '-c', SCRIPT]},
    {'name': 'Kill', 'exec': ['killall', '-9', 'appvm-proxy']},
]} for name, color in COLORS.items()}


class Links(desktop.Booted):
    """The machines boot once."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.d = links.Desktop(VMS, {name: name for name in VMS}, add=[CLIENT]).__enter__()
        cls.told('the desktop is up')
        cls.d.wait(*(word for name in VMS for word in ('--vm', f'{name}=running')))
        cls.told('the links are up')

    @classmethod
    def tearDownClass(cls):
        cls.d.__exit__(None, None, None)

    def consoles(self):
        return self.d.consoles()

    def show_window(self, vm):
        self.d.wait('--vm', f'{vm}=running')
        # A link that was lost may not be known to be, yet.
        self.d.until('an answer to a launch', lambda: self.d.try_ctl('launch', vm, 'Terminal'))
        self.d.wait('--windows', '1')
        image = self.d.until_colors('content', lambda colors: colors.get(FIRST, 0) > 5000)
        x, y, width, height = self.d.windows()[0].box
        self.assertEqual(image.pixel(x + width // 2, y + height), desktop.rgb(COLORS[vm]))
        return x + width // 2, y + height // 2

    def expect_gone(self, vm, what):
        begin = time.monotonic()
        self.d.wait('--max-windows', '0')
        self.told(f'{vm}: {time.monotonic() - begin:.2f} s after {what} was killed the window is gone')

    def expect_rings(self, vm):
        """That what arrives does so by a bell: without one, each end looks once a second only."""
        trips = json.loads(self.d.machines[vm].shell(TRIPS))
        self.assertLess(trips['p50_us'], 500_000)
        self.told(f'{vm}: a round trip takes {trips["p50_us"] / 1000:.2f} ms')

    def check(self, vm):
        self.expect_rings(vm)
        self.d.click(*self.show_window(vm))
        self.d.type('h', 'i', 'ret')
        self.d.machines[vm].console.wait('typed: hi')
        self.d.until_colors('answer', lambda colors: colors.get(SECOND, 0) > 5000)
        self.told(f'{vm}: its window answers keys')

        self.d.try_ctl('launch', vm, 'Kill')
        self.expect_gone(vm, 'its proxy')
        self.show_window(vm)
        self.told(f'{vm}: another proxy shows one')

        self.d.gui.shell('killall -9 guivm-relay', 'root')
        self.expect_gone(vm, 'its relay')
        self.show_window(vm)
        self.told(f'{vm}: another relay shows one')

        self.d.machines.pop(vm).kill()
        self.expect_gone(vm, 'its machine')
        self.d.start_app(vm)
        self.show_window(vm)
        self.told(f'{vm}: another machine shows one')
        self.d.machines.pop(vm).kill()
        self.d.wait('--max-windows', '0')

    def test_1_stream_over_vsock(self):
        self.check('stream')

    def test_2_memory_and_vsock(self):
        self.check('vsock')

    def test_3_memory_and_interrupts(self):
        self.check('doorbell')


if __name__ == '__main__':
    desktop.main(machines.missing())
