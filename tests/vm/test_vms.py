# SPDX-License-Identifier: Apache-2.0
"""Windows of virtual machines on the screen of another, over shared memory and virtio-serial ports.

The machines boot once: two application VMs beside the GUI VM, and a third that is plugged in later. The
tests run in the order of their names, what destroys more comes later.
"""
import json
import time

import machines
from machines import BUILD, Picture

import desktop
import qemu

FIRST, SECOND = (0x20, 0x40, 0xa0), (0x20, 0xa0, 0x40)
BACKGROUND = (0x1d, 0x21, 0x28)
PARKED = 400, 2  # the pointer: contents begin below a title bar
ROOM_FOR_4K = 4000, 2300
STARTS = 200
STOPPED_S = 30
# Its process id, and not that of its watcher, which outlives it to say so.
PROXY = '$(grep -lx appvm-proxy /proc/[0-9]*/comm | cut -d/ -f3)'

# Colours its window, says on the VM's console what it reads, and answers on the screen.
SCRIPT = ("printf '\\033]11;#2040a0\\007\\033[?25l'; read word; "
          "printf '\\033]11;#20a040\\007'; echo \"typed: $word\" >/run/console; read word")
MANY = 'for i in 1 2 3 4 5 6 7 8 9 10; do isthmus-test-window --size 200x150 --windows 5 --seed ${i}0 & done; wait'
APPLICATIONS = [
    {'name': 'Terminal', 'exec': ['foot', '-W', '40x10', 'sh', '-c', SCRIPT]},
    {'name': 'Window', 'exec': ['isthmus-test-window', '--seed', '7']},
    {'name': 'Large', 'exec': ['isthmus-test-window', '--size', '3840x2160', '--seed', '9']},
    {'name': 'Many', 'exec': ['sh', '-c', MANY]},
    {'name': 'Shm', 'exec': ['weston-simple-shm']},
]
# Of frames: of the window that has the keyboard, and of others.
COLORS = {'web': ('#b3261e', '#e17163'), 'work': ('#1b7f3b', '#69af76'), 'late': ('#2a5bd7', '#6795fb')}
VMS = {name: {'label': name.capitalize(), 'color': color, 'applications': APPLICATIONS}
       for name, (color, _) in COLORS.items()}


class Machines(desktop.Booted):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.d = machines.Desktop(VMS, plugged=['late'], memory_mib=128, dax='work',
                                 add=[f'{BUILD}/tests/vm/isthmus-test-window',
                                      '/usr/bin/wlr-randr']).__enter__()
        cls.told('the desktop is up')
        cls.d.wait('--vm', 'web=running', '--vm', 'work=running')
        cls.told('the links are up')

    @classmethod
    def tearDownClass(cls):
        cls.d.__exit__(None, None, None)

    def consoles(self):
        return self.d.consoles()

    def vm(self, name='web'):
        return self.d.machines[name]

    def launch(self, application, vm='web', windows=1):
        """By its name, as the launcher does. Returns the new windows."""
        before = {window.id for window in self.d.windows()}
        # A link that was lost may not be known to be, yet.
        self.d.until('an answer to a launch', lambda: self.d.try_ctl('launch', vm, application))
        self.d.wait('--windows', str(len(before) + windows))
        new = [window for window in self.d.windows() if window.id not in before]
        self.assertEqual(len(new), windows)
        return new

    def close_all(self):
        """Ends the applications in all VMs."""
        for name, machine in self.d.machines.items():
            if name != 'gui':
                machine.shell('killall -9 foot isthmus-test-window weston-simple-shm || true', 'root')
        self.d.wait('--max-windows', '0')

    def expect_frame(self, image, window):
        x, y, width, height = window.box
        color = COLORS[window.vm][0 if self.d.window(window.id).focused else 1]
        for at in ((x - 1, y + height // 2), (x + width, y + height // 2), (x + width // 2, y + height)):
            self.assertEqual(image.pixel(*at), desktop.rgb(color), (window, at))

    def expect_terminal(self, window):
        """Its content, and the frame in its VM's colour, where the compositor says it is."""
        image = self.d.until_colors('content', lambda colors: colors[FIRST] > 5000)
        x, y, width, height = window.box
        # All of it but for the pointer.
        self.assertGreater(image.colors(window.box).get(FIRST, 0), width * height * 95 // 100)
        self.expect_frame(image, window)

    def expect_picture(self, window, seed, square=None):
        """Every pixel of it, and its frame."""
        self.d.move(*PARKED)
        picture = Picture(window.width, window.height, seed, square)
        look = {}

        def exact():
            look['image'] = self.d.screenshot()
            look['difference'] = picture.difference(look['image'], window.x, window.y)
            return look['difference'] is None
        try:
            self.d.until('exact picture', exact)
        except AssertionError:
            self.fail(f'{window}: x, y, is, should be: {look["difference"]}')
        self.expect_frame(look['image'], window)

    def click(self, window, x=None, y=None):
        self.d.click(window.x + (window.width // 2 if x is None else x),
                     window.y + (window.height // 2 if y is None else y))
        self.d.until('focus', lambda: self.d.window(window.id).focused)

    def test_01_windows_of_two_machines_have_each_its_own_frame(self):
        web = self.launch('Window', 'web')[0]
        self.told('a window is open')
        work = self.launch('Terminal', 'work')[0]
        self.expect_picture(web, 7)
        self.told('its pixels are exact')
        self.expect_terminal(work)
        self.assertEqual((web.vm, work.vm), ('web', 'work'))

    def test_02_keys_and_the_pointer_are_answered_on_the_screen(self):
        web, work = sorted(self.d.windows(), key=lambda window: window.vm)
        self.click(web, 60, 50)
        self.vm('web').console.wait('button 60 50')
        self.expect_picture(web, 7, (60, 50))
        self.d.type('a')
        self.vm('web').console.wait('key 30')
        self.expect_picture(web, 107, (60, 50))
        self.told('the pointer and a key arrived in one machine')
        self.click(work)
        self.d.type('v', 'c', 'h', 'a', 'n', 'ret')
        self.vm('work').console.wait('typed: vchan')
        self.d.until_colors('answer', lambda colors: colors[SECOND] > 5000 and FIRST not in colors)
        self.expect_picture(web, 107, (60, 50))
        self.told('keys arrived in the other')
        self.assertNotIn('key', self.vm('work').console.text.partition('typed')[2])

    def test_03_the_launcher_starts_applications_of_any_machine(self):
        self.close_all()
        empty = self.d.size[0] * self.d.size[1]
        self.d.until_colors('empty screen', lambda colors: colors[BACKGROUND] > empty * 0.99)
        self.d.key('meta_l', True)
        self.d.type('spc')
        self.d.key('meta_l', False)
        self.d.until_colors('launcher', lambda colors: colors[BACKGROUND] < empty * 0.9)
        self.d.type(*'work', 'spc', *'wind', 'ret')
        self.d.wait('--windows', 'work=1')
        window = self.d.windows()[0]
        self.expect_picture(window, 7)
        self.assertTrue(window.focused)

    def test_04_the_clipboard_stays_in_its_machine(self):
        self.close_all()
        web, work = (self.launch('Window', vm)[0] for vm in ('web', 'work'))
        self.click(web)
        self.vm('web').shell('head -c 3000000 /dev/urandom >/tmp/big')
        self.vm('web').shell('wl-copy -t image/png </tmp/big >/dev/null 2>&1')
        self.click(web)
        self.vm('web').shell('wl-paste -t image/png | cmp - /tmp/big')
        self.vm('web').shell("wl-copy 'of web' >/dev/null 2>&1")
        self.click(web)
        self.assertEqual(self.vm('web').shell('wl-paste -n'), 'of web\n')
        self.click(work)
        self.assertNotIn('of web', self.vm('work').shell('wl-paste 2>&1 || true'))
        self.click(web)
        self.assertEqual(self.vm('web').shell('wl-paste -n'), 'of web\n')
        self.vm('web').shell('killall wl-copy', 'root')

    def test_05_a_4k_buffer_is_exact_in_every_pixel(self):
        self.close_all()
        size = self.d.size
        self.d.resize(*ROOM_FOR_4K)
        self.addCleanup(self.d.resize, *size)
        self.told('the screen is larger than 3840x2160')
        window = self.launch('Large')[0]
        self.told('a window of 3840x2160 is open')
        self.assertEqual((window.width, window.height), (3840, 2160))
        for at, length, room in zip((window.x, window.y), (window.width, window.height), ROOM_FOR_4K):
            self.assertTrue(0 <= at <= room - length, window)
        self.expect_picture(window, 9)
        self.told('its pixels are exact')
        self.click(window, 70, 80)
        self.expect_picture(window, 9, (70, 80))
        self.close_all()

    def test_06_fifty_windows(self):
        self.close_all()
        self.launch('Many', windows=50)
        self.told('50 windows are open')
        top = next(window for window in self.d.windows() if window.focused)
        seeds = {10 * i + j for i in range(1, 11) for j in range(5)}
        self.d.move(*PARKED)

        def exact():
            image = self.d.screenshot()
            return any(Picture(200, 150, seed).difference(image, top.x, top.y) is None for seed in seeds)
        self.d.until('exact picture', exact)
        self.close_all()
        self.told('and gone')
        self.expect_picture(self.launch('Window')[0], 7)

    def processes(self):
        """Anonymous memory in KiB and descriptors of what serves web."""
        relay = next(vm['relay_pid'] for vm in json.loads(self.d.ctl('status', '--json'))['vms']
                     if vm['name'] == 'web')
        numbers = 'grep RssAnon /proc/$p/status | tr -dc 0-9; echo; ls -l /proc/$p/fd | grep -vc /dev/shm/wlroots'
        found = {}
        for name, machine, pid in (('guivm-server', self.d.gui, '$(pidof guivm-server)'),
                                   ('guivm-relay', self.d.gui, relay),
                                   ('appvm-proxy', self.vm(), PROXY)):
            found[name] = [int(word) for word in machine.shell(f'p={pid}; {numbers}', 'root').split()]
        return found

    def starts(self, count):
        self.vm().shell(f'for i in $(seq {count}); do isthmus-test-window --size 64x64 --once || exit 1; done')
        self.d.wait('--max-windows', 'web=0')

    def test_07_a_stopped_machine_keeps_its_window_while_another_starts_200_applications(self):
        self.close_all()
        window = self.launch('Terminal', 'work')[0]
        self.expect_terminal(window)
        stopped = time.monotonic()
        self.vm('work').qmp('stop')
        self.starts(10)
        before = self.processes()
        for _ in range(STARTS // 25):
            self.starts(25)
        after = {}

        def all_closed():
            # The last one's may still be about to be.
            after.update(self.processes())
            return all(after[name][1] <= before[name][1] for name in before)
        try:
            self.d.until('end of descriptors', all_closed)
        finally:
            self.told(f'{STARTS} starts: KiB and descriptors before {before}, after {after}')
        for name, (kib, _) in after.items():
            self.assertLess(kib, before[name][0] + 400, name)
        left = STOPPED_S - (time.monotonic() - stopped)
        if left > 0:
            self.assertFalse(self.d.try_ctl('wait', '--max-windows', '0', '--timeout', f'{left:.1f}'))
        self.told(f'the other machine stood still for {time.monotonic() - stopped:.0f} s')
        self.vm('work').qmp('cont')
        self.assertEqual([other.id for other in self.d.windows()], [window.id])
        self.expect_terminal(window)
        self.click(window)
        self.d.type('o', 'n', 'ret')
        self.vm('work').console.wait('typed: on')

    def test_08_a_machine_joins_while_others_run(self):
        self.close_all()
        web = self.launch('Window', 'web')[0]
        self.d.start_app('late')
        self.d.plug('late')
        self.d.wait('--vm', 'late=running')
        self.told('a third machine was plugged in')
        late = self.launch('Window', 'late')[0]
        self.expect_picture(late, 7)
        self.expect_picture(web, 7)
        self.assertEqual(late.vm, 'late')

    def test_09_a_killed_relay_costs_its_own_windows_and_comes_back(self):
        self.close_all()
        self.launch('Window', 'web')
        work = self.launch('Window', 'work')[0]
        relay = next(vm['relay_pid'] for vm in json.loads(self.d.ctl('status', '--json'))['vms']
                     if vm['name'] == 'web')
        self.d.run('kill', '-9', str(relay))
        self.d.wait('--max-windows', '1')
        self.assertEqual([window.id for window in self.d.windows()], [work.id])
        self.d.wait('--vm', 'web=running')
        self.told('another relay serves the VM')
        self.launch('Shm')
        first = self.d.screenshot().data
        self.d.until('a picture that moves', lambda: self.d.screenshot().data != first)
        self.expect_picture(work, 7)

    def test_10_a_killed_proxy_costs_its_own_windows_and_comes_back(self):
        # Its machine lives on, and so does what rings; no successor says that it is over.
        web = self.vm('web')
        web.shell('mkfifo /run/hold', 'root')
        web.shell(f'kill -9 {PROXY}', 'root')
        killed = time.monotonic()
        self.d.wait('--max-windows', 'web=0')
        self.told(f'{time.monotonic() - killed:.2f} s after its proxy was killed the window is gone')
        self.assertLess(time.monotonic() - killed, 5)
        web.shell('echo >/run/hold; rm /run/hold', 'root')
        self.d.wait('--vm', 'web=running')
        self.told('another proxy serves the VM')
        self.assertEqual([window.vm for window in self.d.windows()], ['work'])
        self.expect_terminal(self.launch('Terminal')[0])

    def test_11_a_killed_machine_costs_its_own_windows_and_comes_back(self):
        self.close_all()
        self.launch('Window', 'web')
        work = self.launch('Window', 'work')[0]
        self.d.machines.pop('web').kill()
        killed = time.monotonic()
        self.d.wait('--max-windows', '1')
        self.told(f'{time.monotonic() - killed:.2f} s after its machine was killed the window is gone')
        self.assertLess(time.monotonic() - killed, 5)
        self.assertEqual([window.id for window in self.d.windows()], [work.id])
        self.d.start_app('web')
        self.d.wait('--vm', 'web=running')
        self.expect_picture(self.launch('Window')[0], 7)
        self.told('a new machine in its place shows its window')

    def test_12_a_killed_compositor_is_started_again_by_its_service(self):
        self.d.gui.shell('killall -9 guivm-server', 'root')
        self.d.gui.console.wait('isthmus: desktop is up')
        self.d.wait('--vm', 'web=running', '--vm', 'work=running')
        self.told('another compositor serves both VMs')
        self.expect_picture(self.launch('Window')[0], 7)

    def test_13_a_killed_gui_machine_is_found_again_by_the_others(self):
        self.d.machines.pop('gui').kill()
        killed = time.monotonic()
        for name in ('web', 'work'):
            self.vm(name).console.wait('the connection to the GUI VM is over')
        self.told(f'{time.monotonic() - killed:.2f} s after the GUI machine was killed the others know')
        self.assertLess(time.monotonic() - killed, 5)
        self.d.start_gui()
        self.d.wait('--vm', 'web=running', '--vm', 'work=running')
        self.expect_picture(self.launch('Window', 'web')[0], 7)
        self.expect_terminal(self.launch('Terminal', 'work')[0])
        self.told('a new GUI machine shows windows of both')

    def test_14_both_sides_measure_their_memory_beside_a_link(self):
        for name in ('web', 'work'):
            both = [self.d.run('guivmctl', 'probe-memory', self.d.transport(name, 'gui')),
                    self.vm(name).shell(f'appvm-proxy --probe-memory --transport {self.d.transport(name, name)}')]
            for text in both:
                self.assertRegex(text, 'read +[1-9].*of ordinary memory')
                if qemu.accelerator() is qemu.EMULATED:
                    # Such a machine cannot tell other mappings from cached ones.
                    self.assertIn('It looks cached', text)
            self.told(f'{name}: {" | ".join(line for text in both for line in text.splitlines()[1:3])}')
        self.expect_picture(self.d.window(self.launch('Window', 'work')[0].id), 7)

    def test_15_the_compositor_maps_arenas_only_and_for_reading(self):
        maps = self.d.gui.shell('cat /proc/$(pidof guivm-server)/maps', 'root').splitlines()
        for part in ('/resource2', '/dev/dax'):
            lines = [line.split() for line in maps if part in line]
            self.assertTrue(lines, maps)
            self.assertEqual({line[1] for line in lines}, {'r--s'})
            self.assertTrue(all(int(line[2], 16) > 0 for line in lines), lines)  # no head, no rings


if __name__ == '__main__':
    desktop.main(machines.missing())
