# SPDX-License-Identifier: Apache-2.0
"""A window over each kind of link between two virtual machines: it is shown and answers a key, and it goes
and comes with its proxy and with its machine."""
import json
import re
import time

import machines  # knows where the others are

import desktop
import links

COLORS = {'vsock': '#b3261e', 'doorbell': '#1b7f3b', 'stream': '#2a5bd7', 'sysfs': '#b58900'}
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

    def arena_maps(self, vm):
        """What the compositor maps of the devices of that VM: (device's address, offset)."""
        lines = self.d.gui.shell('cat /proc/$(pidof guivm-server)/maps', 'root').splitlines()
        addresses = re.findall(r'ivshmem:([0-9a-f:.]+)', self.d.transport(vm, 'gui'))
        return [(address, int(line.split()[2], 16)) for address in addresses for line in lines
                if f'{address}/resource2' in line]

    def close_windows(self, vm):
        self.d.machines[vm].shell('killall -9 foot || true', 'root')
        self.d.wait('--max-windows', '0')

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

    def test_1_stream_over_vsock(self):
        self.check('stream')
        self.close_windows('stream')

    def test_2_two_memories_and_vsock(self):
        self.check('vsock')
        small, large = re.findall(r'ivshmem:([0-9a-f:.]+)', self.d.transport('vsock', 'gui'))
        self.assertEqual({address for address, _ in self.arena_maps('vsock')}, {large}, small)
        self.close_windows('vsock')

    def test_3_memory_and_interrupts(self):
        self.check('doorbell')
        self.close_windows('doorbell')

    def test_4_memory_of_one_device_and_interrupts_of_another(self):
        self.expect_rings('sysfs')
        self.show_window('sysfs')
        maps = self.arena_maps('sysfs')
        self.assertTrue(maps)
        self.assertTrue(all(offset > 0 for _, offset in maps), maps)
        self.close_windows('sysfs')

    def test_5_a_killed_gui_machine_is_noticed_whatever_the_bell(self):
        """And one whose other machine was killed with it, and came back before it."""
        for vm in VMS:
            self.d.machines[vm].console.forget()
        self.d.machines.pop('gui').kill()
        killed = time.monotonic()
        for vm in VMS:
            self.d.machines[vm].console.wait('the connection to the GUI VM is over')
            self.told(f'{vm}: {time.monotonic() - killed:.2f} s after the GUI machine was killed it knows')
        self.d.machines.pop('doorbell').kill()
        self.d.start_app('doorbell')
        self.d.machines['doorbell'].console.wait('isthmus: app VM')
        self.d.start_gui()
        self.d.gui.console.wait('isthmus: desktop is up')
        for vm in VMS:
            self.show_window(vm)
            self.close_windows(vm)
            self.told(f'{vm}: a new GUI machine shows its window')

    def test_6_interrupts_work_between_two_new_machines_the_gui_first(self):
        for name in ('gui', 'doorbell'):
            self.d.machines.pop(name).kill()
        self.d.start_gui()
        self.d.gui.console.wait('isthmus: desktop is up')
        self.d.start_app('doorbell')
        self.show_window('doorbell')
        self.expect_rings('doorbell')


if __name__ == '__main__':
    desktop.main(machines.missing())
