# SPDX-License-Identifier: Apache-2.0
"""The xen transport on a real hypervisor: its own tests, and windows of a domain on the screen of dom0."""
import os
import sys
import time
import unittest

import xen

import desktop

sys.path.append(f'{xen.SOURCE}/tests/vm')
import machines  # noqa: E402 (its folder is known only now)

COLOR = '#b3261e'
LIMIT_S = 120
GPU = 'libisthmus-test-gpu.so'  # says that there is one
KERNEL = os.environ.get('ISTHMUS_XEN_KERNEL')
NEEDS_KERNEL = unittest.skipUnless(KERNEL, 'no ISTHMUS_XEN_KERNEL: Debian\'s cannot grant memory where it lies')
VMS = {'web': {'label': 'Web', 'color': COLOR, 'applications': [
    {'name': 'Window', 'exec': ['isthmus-test-window', '--seed', '7']},
    {'name': 'Large', 'exec': ['isthmus-test-window', '--size', '3840x2160', '--seed', '9']},
    {'name': 'Terminal', 'exec': ['foot', '-W', '40x10', 'sh', '-c',
                                  "printf '\\033]11;#2040a0\\007\\033[?25l'; read word; "
                                  "printf '\\033]11;#20a040\\007'; read word"]},
    {'name': 'Shm', 'exec': ['weston-simple-shm']},
    {'name': 'Close', 'exec': ['killall', 'isthmus-test-window']},
    {'name': 'Kill', 'exec': ['killall', '-9', 'appvm-proxy']},
]}}


class Domains(desktop.Booted):
    """In the order of their names: Xen boots once."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.x = xen.Xen(VMS, [f'{xen.BUILD}/tests/xen/{GPU}'] if KERNEL else []).__enter__()
        cls.told('dom0 is up')

    @classmethod
    def tearDownClass(cls):
        cls.x.__exit__(None, None, None)

    def consoles(self):
        return self.x.console.text

    def launch(self, application):
        # A link that was lost may not be known to be, yet.
        self.x.wait('--vm', 'web=running')
        self.until('an answer to a launch', lambda: self.tried('launch', 'web', application))
        self.x.wait('--windows', '1')
        return self.x.windows()[0]

    def tried(self, *words):
        try:
            self.x.ctl(*words)
        except AssertionError:
            return False
        return True

    def until(self, what, condition):
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            result = condition()
            if result:
                return result
        raise AssertionError(f'no {what}')

    def close_windows(self):
        self.x.desk('killall -9 guivm-relay')
        self.x.wait('--max-windows', '0')

    def expect_picture(self, seed, square=None, framed=True):
        """Every pixel of it that is on the screen, and its frame, where it has its VM's."""
        self.x.input('move 0 0')  # the pointer's image is over no content there
        window = self.x.windows()[0]
        picture = machines.Picture(window.width, window.height, seed, square)
        look = {}

        def exact():
            look['image'] = self.x.screenshot()
            look['difference'] = picture.difference(look['image'], window.x, window.y)
            return look['difference'] is None
        try:
            self.until('exact picture', exact)
        except AssertionError:
            self.fail(f'{window}: x, y, is, should be: {look["difference"]}')
        if framed:
            self.assertEqual(look['image'].pixel(window.x - 1, window.y + 50), desktop.rgb(COLOR))

    def run_programs(self, command):
        output = self.x.shell(f'{command} >/run/tests 2>&1; status=$?; cat /run/tests; exit $status', 'root')
        # What the tests measured, and their sum.
        for line in output.strip().split('\n'):
            if line.startswith('# ') or ' passed, ' in line:
                self.told(line.removeprefix('# '))

    def test_1_vchans_and_pages_keep_their_contracts(self):
        self.run_programs('ISTHMUS_TEST_DOMID=0 test-xen-vchan')
        self.x.shell('echo 40000 >/sys/module/xen_gntalloc/parameters/limit', 'root')
        self.run_programs('ISTHMUS_TEST_DOMID=0 test-xen-xen')

    def test_2_a_window_crosses_and_answers_keys(self):
        self.x.create('web', grants=30000)
        self.told('a domain was created')
        window = self.launch('Window')
        self.told('a window is open')
        self.expect_picture(7)
        self.told('its pixels are exact')
        self.x.input(f'move {window.x + 100} {window.y + 100}', 'button 272 1', 'button 272 0', 'type a')
        self.x.ctl('wait', '--windows', '1')
        self.close_windows()

    def test_3_applications_and_large_windows(self):
        self.launch('Terminal')
        self.until('colour', lambda: self.count((0x20, 0x40, 0xa0)) > 5000)
        window = self.x.windows()[0]
        self.x.input(f'move {window.x + 50} {window.y + 50}', 'button 272 1', 'button 272 0', 'type x', 'enter')
        self.until('answer', lambda: self.count((0x20, 0xa0, 0x40)) > 5000)
        self.told('a terminal answered on the screen')
        # The next application finds what this one was shown in, though nobody shows it now.
        self.x.input('type x', 'enter')
        self.x.wait('--max-windows', '0')
        self.launch('Shm')
        first = self.x.screen_sum()
        self.until('picture that moves', lambda: self.x.screen_sum() != first)
        self.close_windows()
        self.launch('Large')
        self.expect_picture(9)
        self.told('4K is exact')

    def count(self, color):
        return self.x.screenshot().colors((0, 0, *xen.SIZE)).get(color, 0)

    def test_4_a_killed_proxy_loses_its_windows_and_comes_back(self):
        self.tried('launch', 'web', 'Kill')
        self.x.wait('--max-windows', '0')
        self.launch('Window')

    def test_5_a_destroyed_domain_is_noticed(self):
        self.x.shell('xl destroy web', 'root')
        destroyed = time.monotonic()
        self.x.wait('--max-windows', '0')
        self.assertLess(time.monotonic() - destroyed, 10)
        self.told(f'{time.monotonic() - destroyed:.2f} s after its domain was destroyed the window is gone')

    def test_6_without_grants_windows_go_through_the_vchan(self):
        # The module's default: 4 MiB, less than this window.
        self.x.create('web', grants=1024)
        self.launch('Large')
        self.expect_picture(9)
        self.told('4K without grants is exact')

    def test_7_a_guivm_that_starts_last_is_found(self):
        self.x.shell('killall -9 guivm-server', 'root')
        self.x.console.wait('isthmus: guivm-server ended')
        self.x.console.wait('isthmus: desktop is up')
        self.launch('Window')
        self.expect_picture(7)

    def test_7b_any_compositor_maps_writable_grants(self):
        self.x.shell('xl destroy web || true', 'root')
        self.x.wait('--max-windows', '0')
        self.x.create('web', grants=30000, link='other', options=',grants=writable', run='isthmus-test-window')
        # As for any other compositor: its wl_shm maps what it is given for writing, too.
        self.x.shell('guivm-relay --vm web --transport xen:web:other --display wayland-0 </dev/null >/run/console 2>&1 &')
        self.x.wait('--windows', '1')
        self.expect_picture(1, framed=False)
        self.told('its pixels are exact through wl_shm')

    def test_8_a_guivm_may_be_a_domain_that_comes_last(self):
        self.x.shell('xl destroy web || true', 'root')
        self.x.create('web', grants=30000, gui='gui')
        self.x.console.wait('no such domain in XenStore')
        self.x.create_gui()
        self.told('a GUI domain is up')
        self.x.introduce('gui', 'web')
        self.x.introduce('web', 'gui')
        self.answer_in_gui()

    def answer_in_gui(self):
        """Pixels, and a key that the application answers."""
        self.launch('Window')
        self.expect_picture(7)
        self.close_windows()
        self.launch('Terminal')
        self.until('colour', lambda: self.count((0x20, 0x40, 0xa0)) > 5000)
        window = self.x.windows()[0]
        self.x.input(f'move {window.x + 50} {window.y + 50}', 'button 272 1', 'button 272 0', 'type x', 'enter')
        self.until('answer', lambda: self.count((0x20, 0xa0, 0x40)) > 5000)
        self.told('pixels are exact in it, and a key was answered')

    def test_9_a_guivm_that_is_destroyed_is_replaced(self):
        self.x.shell('xl destroy gui', 'root')
        destroyed = time.monotonic()
        self.x.console.wait("the peer's domain is gone")
        self.told(f'{time.monotonic() - destroyed:.2f} s after its GUI domain was destroyed the proxy knows')
        self.x.create_gui()
        self.x.introduce('gui', 'web')
        self.x.introduce('web', 'gui')
        self.answer_in_gui()

    def test_a_a_destroyed_domain_is_noticed_in_another(self):
        self.x.shell('xl destroy web', 'root')
        destroyed = time.monotonic()
        self.x.wait('--max-windows', '0')
        self.told(f'{time.monotonic() - destroyed:.2f} s after its domain was destroyed the window is gone')
        self.x.create('web', grants=30000, gui='gui', kind='pvh', commands=1)
        self.x.introduce('gui', 'web')
        self.x.introduce('web', 'gui')
        self.launch('Window')
        self.expect_picture(7)
        self.told('pixels of a PVH domain are exact')

    def test_aa_both_ends_are_not_in_a_domain_that_would_lose_its_pages(self):
        self.x.shell('in-domain web connect', 'root')
        domid = self.x.shell('xl domid web', 'root').strip()
        output = self.x.in_domain('web', f'ISTHMUS_TEST_DOMID={domid} test-xen-xen', 'root')
        self.assertRegex(output, r'(?m)^ok \d+ a_domain_that_would_lose_its_pages_is_refused$')
        self.assertIn('\n1 passed, 0 failed', output)
        self.told('a PVH domain cannot have both ends of a link')

    @NEEDS_KERNEL
    def test_b_memory_of_an_application_is_shown_where_it_lies(self):
        self.x.desk = self.x.shell
        self.x.shell('xl destroy web || true', 'root')
        self.x.create('web', grants=30000, kind='pvh', log='debug')
        self.x.console.wait("applications' memory is shared where it lies")
        self.use_a_window()
        self.told('pixels that nobody copied are exact')

    def use_a_window(self):
        """So often that its buffers are shared."""
        window = self.launch('Window')
        self.expect_picture(7)
        self.x.input(f'move {window.x + 100} {window.y + 100}', 'button 272 1', 'button 272 0')
        for seed in range(107, 607, 100):  # as tests/vm/window.c steps
            self.x.input('type a')
            self.expect_picture(seed, (100, 100))
        self.x.console.wait('is shared where it lies')

    def create_both(self, kind):
        """An application VM that shares its applications' memory, and a GUI VM that would have a GPU read it."""
        self.x.shell('xl destroy web; xl destroy gui; true', 'root')
        self.x.create('web', grants=30000, gui='gui', kind='pvh', log='debug')
        self.x.create_gui(kind, log='debug', preload=GPU)
        self.x.introduce('gui', 'web')
        self.x.introduce('web', 'gui')

    @NEEDS_KERNEL
    def test_c_a_domain_that_exports_nothing_is_found_out(self):
        self.create_both('pv')
        self.use_a_window()
        self.x.console.wait("not a GPU's to read: Invalid argument")
        self.told('a PV domain exports nothing, and pixels are exact')

    @NEEDS_KERNEL
    def test_d_memory_is_exported_until_nobody_has_it(self):
        self.create_both('pvh')
        self.use_a_window()
        # By the kernel (docs/deploy-xen.md says which can), or by the renderer, which has no GPU behind it.
        line = self.x.console.wait(' is mapped')
        if "not a GPU's" in line:
            self.skipTest(f'this kernel exports nothing: {line.rpartition(":")[2]}')
        self.told('memory was exported, the import was refused, and pixels are exact')
        self.tried('launch', 'web', 'Close')
        self.x.wait('--max-windows', '0')
        self.x.console.wait('nobody has a dma-buf any more')
        self.told('its end was told')
        self.use_a_window()
        self.x.shell('xl destroy web', 'root')
        self.x.wait('--max-windows', '0')
        self.x.create('web', grants=30000, gui='gui', kind='pvh')
        self.x.introduce('gui', 'web')
        self.x.introduce('web', 'gui')
        self.launch('Window')
        self.expect_picture(7)
        self.told('a domain that died with exported memory harmed nobody')


if __name__ == '__main__':
    desktop.main(xen.missing())
